"""Training data: recordings, generated clips, batches."""
