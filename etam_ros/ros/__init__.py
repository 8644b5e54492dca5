"""ROS 2: the nodes, conversions between messages and our types, parameters, transport."""
