"""How fast every way to run a model is, and what it takes."""
