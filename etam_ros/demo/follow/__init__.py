"""`etam demo --follow`: a robot in a simulated room follows a figure."""
