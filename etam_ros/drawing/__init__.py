"""Pictures for people: overlays, colours of objects, contact sheets."""
