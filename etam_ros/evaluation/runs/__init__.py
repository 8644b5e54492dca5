"""Runs over many videos, in this process, in several, or on a Ray cluster; stored results."""
