"""Configurations and networks for other programs: scripts, notebooks, ONNX."""
