"""Prompts of the node: where they come from, what they mean, and what they do to the tracker."""
