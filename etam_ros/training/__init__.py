"""Training: data, losses, the loop, and its output files."""
