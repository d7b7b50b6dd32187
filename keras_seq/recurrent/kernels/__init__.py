"""Hand-written kernels of the recurrent layers, one module for each backend that has any.

Nothing is imported here: `keras_seq.recurrent.kernels.tensorflow` needs TensorFlow, and is imported where it is chosen.
"""
