"""The weights of multi-head attention as ONNX nodes take them, whichever class the layer has."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

import keras_seq
from keras_seq.export.errors import NotNativeError
from keras_seq.export.lowering.native_cell import weight_array
from keras_seq.export.lowering.recurrent import overridden_method

__all__ = ["AttentionWeights", "attention_weights", "is_attention"]

_STOCK = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)
_ALL = ("query", "key", "value", "output")
_METHODS = ("_compute_attention", "attend", "step", "project_memory", "visibility_bias")


@dataclass(frozen=True)
class AttentionWeights:
    """The weights of one layer.

    Attributes:
        name: Prefix of their names in the graph.
        num_heads: Heads of the queries.
        num_key_value_heads: Heads of keys and values.
        key_dim: Size of a head's queries and keys.
        value_dim: Size of a head's values.
        kernels: Of `"query"`, `"key"`, `"value"` (features, heads * size) and `"output"` (heads * size, features).
        biases: Likewise, (heads * size,) or (features,); empty where there are none.
    """

    name: str
    num_heads: int
    num_key_value_heads: int
    key_dim: int
    value_dim: int
    kernels: dict[str, np.ndarray]
    biases: dict[str, np.ndarray]

    @property
    def is_grouped(self) -> bool:
        """Whether several heads of queries share one of keys and values."""
        return self.num_heads != self.num_key_value_heads

    def sizes(self, *projections: str) -> list[int]:
        """How many features each of these projections makes."""
        return [self.kernels[name].shape[1] for name in projections]

    def packed(self, *projections: str, scaled: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        """Kernel and bias of one product for several projections of the same inputs.

        Args:
            projections: Of `"query"`, `"key"` and `"value"`, in the order of their features.
            scaled: Whether the scores' factor 1 / sqrt(key_dim) is folded into the query's weights.
        """
        factors = {"query": np.float32(self.key_dim**-0.5)} if scaled else {}
        kernel, bias = (
            np.concatenate([parts[name] * factors.get(name, np.float32(1)) for name in projections], axis=-1)
            if parts
            else None
            for parts in (self.kernels, self.biases)
        )
        return kernel, bias


def is_attention(layer: keras.Layer) -> bool:
    """Whether the layer is multi-head attention, ours or Keras' own, or a subclass of it."""
    return isinstance(layer, (keras_seq.MultiHeadAttention, *_STOCK))


def attention_weights(layer: keras.Layer, name: str = "") -> AttentionWeights:
    """The weights of a built layer.

    Args:
        layer: The layer.
        name: Prefix of their names in the graph.

    Raises:
        NotNativeError: With the reason, where what the layer computes is not known.
    """
    method = overridden_method(layer, *_METHODS)
    if method:
        raise NotNativeError(f"{method} is its own, so what it computes is unknown")
    if isinstance(layer, keras_seq.MultiHeadAttention):
        return _weights(
            name,
            (layer.num_heads, layer.num_key_value_heads, layer.key_dim, layer.value_dim),
            {part: (getattr(layer, f"{part}_kernel"), getattr(layer, f"{part}_bias")) for part in _ALL},
        )
    if getattr(layer, "use_gate", getattr(layer, "_use_gate", False)):
        raise NotNativeError("its context goes through a gate")
    parts = {part: getattr(layer, f"_{part}_dense") for part in _ALL}
    if any(dense.quantization_mode or dense.lora_enabled for dense in parts.values()):
        raise NotNativeError("its projections are quantised or have adapters")
    if parts["query"].kernel.ndim != 3 or parts["output"].kernel.ndim != 3:
        raise NotNativeError("its outputs have several axes of features")
    if isinstance(layer, keras.layers.MultiHeadAttention):
        sizes = (layer.num_heads, layer.num_heads, layer.key_dim, layer.value_dim)
    else:
        sizes = (layer.num_query_heads, layer.num_key_value_heads, layer.head_dim, layer.head_dim)
    return _weights(name, sizes, {part: (dense.kernel, dense.bias) for part, dense in parts.items()})


def _weights(name: str, sizes: tuple[int, int, int, int], variables: dict[str, tuple]) -> AttentionWeights:
    kernels = {part: weight_array(kernel) for part, (kernel, _) in variables.items()}
    biases = {part: weight_array(bias) for part, (_, bias) in variables.items() if bias is not None}
    output = kernels.pop("output")
    flat = {part: kernel.reshape(kernel.shape[0], -1) for part, kernel in kernels.items()}
    flat["output"] = output.reshape(-1, output.shape[-1])
    return AttentionWeights(name, *sizes, flat, {part: bias.reshape(-1) for part, bias in biases.items()})
