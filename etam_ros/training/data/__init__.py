"""What training is fed with: recordings, made-up clips, batches."""
