"""Choosing, cleaning and measuring masks."""
