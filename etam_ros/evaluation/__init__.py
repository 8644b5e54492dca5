"""How good masks are: ground truth, metrics, protocols, runs and reports."""
