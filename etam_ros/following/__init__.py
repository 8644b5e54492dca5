"""Following an object with a robot, as a function of what is seen, time and parameters."""
