"""Where objects are in space: depth that fits a frame, positions, and who is shown them."""
