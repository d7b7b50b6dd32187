"""Inference of a whole folder: its files cut into parts, each written once. What runs the parts: `ray_batch`."""
