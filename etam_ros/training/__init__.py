"""Clips become weights: losses, the loop, and what it writes."""
