"""The node /follower."""
