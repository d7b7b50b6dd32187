"""The encoder of stock Keras layers, and Keras' own ONNX export of it."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime as ort
import tensorflow as tf
from keras import layers, ops

from transformer_opponents.weights import EPSILON, Attention, Layer, Norm, Weights


class AddPositions(layers.Layer):
    """Adds a table of positions to what comes in; Keras has no such layer.

    Args:
        table: `(max_length, features)`.
    """

    def __init__(self, table: np.ndarray, **kwargs):
        super().__init__(**kwargs)
        self.table, self.supports_masking = table, True

    def call(self, inputs):
        """Inputs and outputs are `(batch, time, features)`."""
        return inputs + ops.convert_to_tensor(self.table)[: ops.shape(inputs)[1]]


def keras_encoder(weights: Weights) -> keras.Model:
    """Ids to the encoder's outputs, of stock layers; masks go from layer to layer by Keras' own way."""
    sizes = weights.sizes
    ids = keras.Input((None,), dtype="int32", name="ids")
    embedding = layers.Embedding(sizes.vocabulary, sizes.features, mask_zero=True)
    x = AddPositions(weights.positions)(embedding(ids))
    embedding.set_weights([weights.source_table])
    for layer in weights.encoder:
        x = _block(x, layer, sizes.num_heads)
    return keras.Model(ids, _norm(weights.encoder_norm, x))


def _block(x, layer: Layer, num_heads: int):
    attention = layers.MultiHeadAttention(num_heads, x.shape[-1] // num_heads)
    normed = _norm(layer.attention_norm, x)
    x = layers.Add()([x, attention(normed, normed)])  # `x + y` would lose the mask
    attention.set_weights(_by_head(layer.attention, num_heads))
    expand, contract = layers.Dense(len(layer.expand.bias), activation=_gelu), layers.Dense(x.shape[-1])
    x = layers.Add()([x, contract(expand(_norm(layer.feed_forward_norm, x)))])
    expand.set_weights(layer.expand)
    contract.set_weights(layer.contract)
    return x


def _norm(norm: Norm, x):
    layer = layers.LayerNormalization(epsilon=EPSILON)
    outputs = layer(x)
    layer.set_weights(norm)
    return outputs


def _gelu(x):
    """Exact GELU by `erf`: Keras' own is traced as `Erfc`, which its ONNX export cannot convert."""
    return 0.5 * x * (1 + ops.erf(x * 2**-0.5))


def _by_head(attention: Attention, num_heads: int) -> list[np.ndarray]:
    values = []
    for linear in (attention.query, attention.key, attention.value):
        values += [linear.kernel.reshape(len(linear.kernel), num_heads, -1), linear.bias.reshape(num_heads, -1)]
    output = attention.output
    return [*values, output.kernel.reshape(num_heads, -1, len(output.bias)), output.bias]


def keras_predict(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """`model.predict`, in one batch."""
    return lambda ids: model.predict(ids, batch_size=len(ids), verbose=0)


def keras_function(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """The model in a `tf.function`."""
    function = tf.function(model, input_signature=[tf.TensorSpec([None, None], "int32")], autograph=False)
    return lambda ids: function(tf.constant(ids)).numpy()


def keras_onnx(model: keras.Model, path: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """`model.export(format="onnx")` in its best opset, on ONNX Runtime as who sets the threads and nothing else has it.

    Args:
        model: From `keras_encoder`.
        path: The file to write.
        threads: Of the session.
    """
    model(np.ones((1, 1), "int32"))  # Keras refuses a model that was never called
    model.export(str(path), format="onnx", verbose=False, opset_version=18)
    proto = onnx.load(path)
    proto.ir_version = min(proto.ir_version, 10)  # Keras writes the newest, which ONNX Runtime may refuse
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (name,) = (value.name for value in session.get_inputs())
    return lambda ids: session.run(None, {name: ids})[0]
