"""Sample to unit vectors. The only owner of onnxruntime and tokenizers."""
