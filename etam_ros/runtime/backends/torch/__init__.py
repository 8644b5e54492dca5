"""The stages on PyTorch."""
