"""Clips and, later, losses and the training loop."""
