"""Tokenizers without TensorFlow: the same ids in NumPy."""
