"""The stages on TensorRT and TensorRT for RTX."""
