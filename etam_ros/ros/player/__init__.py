"""The node /player."""
