"""What a training run leaves: states to go on from, weights, its log and pictures."""
