"""The stages on ONNX Runtime."""
