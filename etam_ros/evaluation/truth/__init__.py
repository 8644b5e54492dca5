"""Ground truth: masks or boxes of objects on annotated frames."""
