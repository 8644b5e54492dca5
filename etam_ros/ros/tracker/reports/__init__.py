"""What the node counts, logs and says of itself on /diagnostics."""
