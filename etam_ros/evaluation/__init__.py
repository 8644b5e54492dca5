"""How good masks are: ground truth, metrics, protocols and sheets."""
