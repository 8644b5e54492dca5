"""What an operator clicks on in RViz."""
