"""Networks that ship in the package, each an ONNX file with its card."""
