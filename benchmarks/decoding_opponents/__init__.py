"""Ways to decode that `decoding.py` times against a bundle's `generate.onnx`, each from the weights of one Keras model.

Every one returns the best hypothesis of each source, as its ids `(batch, steps)` and its score `(batch,)`.
"""
