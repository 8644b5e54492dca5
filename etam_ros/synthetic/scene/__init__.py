"""Drawn clips: lit things that move over a floor, before a camera."""
