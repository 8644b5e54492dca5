"""What is known to be right: masks or boxes of objects on the frames that were annotated."""
