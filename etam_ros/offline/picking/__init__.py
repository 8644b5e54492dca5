"""Clicking on what to follow before a run, in a window."""
