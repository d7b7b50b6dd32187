"""Tokenizers: from strings to ids and back, inside a model or before it."""
