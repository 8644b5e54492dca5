"""The node /console: the page in the browser, for trackers over ROS."""
