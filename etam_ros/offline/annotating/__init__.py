"""Recordings in the browser: choose objects on any frame, correct, watch, save."""
