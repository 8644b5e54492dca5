"""Evaluating masks: ground truth, metrics, protocols, runs and reports."""
