"""Gradients of a layer's weights, under any backend."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops


def gradients_of(layer: keras.layers.Layer, forward: Callable[[], object]) -> list[np.ndarray]:
    """The gradients of the sum of squares of what `forward` returns, for all trainable weights of the layer."""
    return _GRADIENTS[keras.backend.backend()](layer, forward)


def _loss(outputs: object) -> object:
    return sum(ops.sum(ops.square(ops.cast(output, "float32"))) for output in keras.tree.flatten(outputs))


def _tensorflow(layer, forward):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = _loss(forward())
    gradients = tape.gradient(loss, [weight.value for weight in layer.trainable_weights])
    return [np.asarray(gradient) for gradient in gradients]


def _jax(layer, forward):
    import jax

    weights = layer.trainable_weights

    def loss(values):
        with keras.StatelessScope(state_mapping=list(zip(weights, values, strict=True))):
            return _loss(forward())

    return [np.asarray(gradient) for gradient in jax.grad(loss)([weight.value for weight in weights])]


def _torch(layer, forward):
    import torch

    weights = [weight.value for weight in layer.trainable_weights]
    return [gradient.detach().cpu().numpy() for gradient in torch.autograd.grad(_loss(forward()), weights)]


_GRADIENTS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
