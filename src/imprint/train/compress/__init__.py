"""After training: export to ONNX, 8-bit twins, pruning, distillation, and what each step cost."""
