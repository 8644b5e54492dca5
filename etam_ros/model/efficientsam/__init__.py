"""EfficientSAM: single pictures by clicks and boxes, with its own prompt encoder and decoder."""
