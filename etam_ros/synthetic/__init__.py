"""Clips with ground truth, made from a seed."""
