"""The stages on OpenVINO."""
