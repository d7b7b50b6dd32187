"""Part of keras_seq."""
