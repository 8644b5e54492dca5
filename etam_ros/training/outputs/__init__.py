"""Output of a training run: states to resume from, weights, the log and pictures."""
