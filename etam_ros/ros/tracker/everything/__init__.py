"""`~/segment`: everything in one picture, found between the frames that stream."""
