"""Weights in fewer bits, checked: what `export_model(quantize=...)` does to the finished graphs."""
