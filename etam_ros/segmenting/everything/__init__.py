"""Everything in a picture: a grid of clicks, and which of the masks that they give are kept."""
