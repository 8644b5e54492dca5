"""The page in the browser and its server, without ROS: what they show comes from a `Desk`."""
