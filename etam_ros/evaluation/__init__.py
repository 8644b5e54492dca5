"""Sources, overlays, videos and tables: everything around a run that needs no ROS."""
