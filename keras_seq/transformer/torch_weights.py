"""Weights of PyTorch's attention and transformer layers, both ways."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_seq.attention.multi_head_attention import MultiHeadAttention
from keras_seq.transformer.feed_forward import FeedForward
from keras_seq.transformer.stack import TransformerStack
from keras_seq.transformer.transformer_decoder_block import TransformerDecoderBlock
from keras_seq.transformer.transformer_encoder_block import TransformerEncoderBlock


def load_torch_weights(layer: keras.layers.Layer, state: Mapping[str, Any]) -> None:
    """Sets the weights of an attention or transformer layer from those of PyTorch's layer of the same kind.

    Both then compute the same, given the same arguments: `norm_first`, `activation`, `epsilon` (PyTorch's
    `layer_norm_eps`) and `dropout` are no weights. PyTorch itself is not needed.

    - `MultiHeadAttention(heads, features // heads)` goes with `nn.MultiheadAttention(features, heads)`, of whatever
      `kdim` and `vdim`;
    - `TransformerEncoderBlock` with `nn.TransformerEncoderLayer`;
    - `TransformerDecoderBlock` with `nn.TransformerDecoderLayer`, or, made with `cross_attention=False`, with
      `nn.TransformerEncoderLayer` under a causal mask;
    - `TransformerEncoder` and `TransformerDecoder` with `nn.TransformerEncoder` and `nn.TransformerDecoder`, whose
      `norm` there must be with `norm_first=True` and with that alone. Positions are not part of PyTorch's: ours stay as
      they are.

    `norm="rms"` goes with an `nn.RMSNorm` in the place of each norm.

    Args:
        layer: one of ours, built.
        state: what `state_dict()` of PyTorch's gave: arrays, or tensors, by PyTorch's names.

    Raises:
        TypeError: where `layer` is of another kind, or `state` no mapping.
        ValueError: where `layer` is not built or has no like in PyTorch (grouped heads, rotary positions, SwiGLU), or
            the names or shapes in `state` differ from what it needs. The layer is unchanged then.

    Example:
    >>> import keras_seq, numpy as np
    >>> layer = keras_seq.MultiHeadAttention(num_heads=3, key_dim=2, use_bias=False)
    >>> layer.build((None, None, 6))
    >>> keras_seq.load_torch_weights(layer, {"in_proj_weight": np.ones((18, 6)), "out_proj.weight": np.eye(6)})
    >>> tuple(layer.key_kernel.shape), float(layer.key_kernel[0, 0, 0])
    ((6, 3, 2), 1.0)
    """
    places = _places(layer)
    if not isinstance(state, Mapping):
        raise TypeError(
            "`state` must map PyTorch's names to arrays, as `module.state_dict()` does. "
            f"Received: state of type {type(state).__name__}"
        )
    missing, extra = sorted(set(places) - set(state)), sorted(set(state) - set(places))
    if missing or extra:
        raise ValueError(
            f"`state` does not fit layer {layer.name!r}: it lacks {missing or 'nothing'}, and has besides "
            f"{extra or 'nothing'}. Expected: {sorted(places)}"
        )
    arrays = {name: _as_array(value) for name, value in state.items()}
    for name, parts in places.items():
        expected = (sum(part.shape[0] for part in parts), *parts[0].shape[1:])
        if arrays[name].shape != expected:
            raise ValueError(
                f"`state` does not fit layer {layer.name!r}: {name} must have the shape {expected}. "
                f"Received: {arrays[name].shape}"
            )
    for name, parts in places.items():
        ends = itertools.accumulate(part.shape[0] for part in parts)
        for part, array in zip(parts, np.split(arrays[name], list(ends)[:-1]), strict=True):
            part.variable.assign(array.T.reshape(tuple(part.variable.shape)))


def torch_weights(layer: keras.layers.Layer) -> dict[str, np.ndarray]:
    """The weights of an attention or transformer layer, as PyTorch's layer of the same kind has them.

    See `keras_seq.load_torch_weights` for which is which. To put them into PyTorch's:

        module.load_state_dict({name: torch.from_numpy(array) for name, array in torch_weights(layer).items()})

    Args:
        layer: one of ours, built.

    Returns:
        Arrays by PyTorch's names.

    Raises:
        TypeError: where `layer` is of another kind.
        ValueError: where it is not built, or has no like in PyTorch.

    Example:
    >>> import keras_seq
    >>> layer = keras_seq.MultiHeadAttention(num_heads=3, key_dim=2)
    >>> layer.build((None, None, 6))
    >>> {name: array.shape for name, array in keras_seq.torch_weights(layer).items()}
    {'in_proj_weight': (18, 6), 'out_proj.weight': (6, 6), 'in_proj_bias': (18,), 'out_proj.bias': (6,)}
    """
    return {name: np.concatenate([part.read() for part in parts]) for name, parts in _places(layer).items()}


class _Part(NamedTuple):
    """A weight of ours as rows of a tensor of PyTorch's, which has kernels transposed and heads side by side.

    Attributes:
        variable: ours.
        inputs: how many axes of a kernel are inputs; 0 for vectors.
    """

    variable: keras.Variable
    inputs: int

    @property
    def shape(self) -> tuple[int, ...]:
        """PyTorch's shape: `(outputs, inputs)`, or `(outputs,)`."""
        sizes = tuple(self.variable.shape)
        outputs = int(np.prod(sizes[self.inputs :]))
        return (outputs, int(np.prod(sizes[: self.inputs]))) if self.inputs else (outputs,)

    def read(self) -> np.ndarray:
        """The values, in PyTorch's shape."""
        return np.ascontiguousarray(ops.convert_to_numpy(self.variable.value).reshape(self.shape[::-1]).T)


_Places = dict[str, tuple[_Part, ...]]
"""Which weights of ours lie one below the other in each tensor of PyTorch's."""


def _places(layer: keras.layers.Layer) -> _Places:
    for kind, find in _FINDERS.items():
        if isinstance(layer, kind):
            if not layer.built:
                raise ValueError(f"Layer {layer.name!r} has no weights yet: call it, or its `build`, before.")
            return find(layer)
    raise TypeError(
        f"`layer` must be one of keras_seq's {', '.join(kind.__name__ for kind in _FINDERS)}, the last of which stands "
        f"for TransformerEncoder and TransformerDecoder. Received: {layer!r}"
    )


def _of_attention(layer: MultiHeadAttention) -> _Places:
    features, heads, key_dim = layer.query_kernel.shape
    sizes = (heads * key_dim, heads * layer.value_dim, layer.output_kernel.shape[-1])
    if layer.num_key_value_heads != heads:
        raise _no_like(layer, f"grouped heads (num_heads={heads}, num_key_value_heads={layer.num_key_value_heads})")
    if layer.rotary is not None:
        raise _no_like(layer, "rotary positions")
    if set(sizes) != {features}:
        raise _no_like(
            layer, f"keys, values and outputs of {sizes} features in all heads together where queries have {features}"
        )
    query, key, value = (_Part(kernel, 1) for kernel in (layer.query_kernel, layer.key_kernel, layer.value_kernel))
    if features == key.shape[1] == value.shape[1]:
        places = {"in_proj_weight": (query, key, value)}
    else:
        places = {"q_proj_weight": (query,), "k_proj_weight": (key,), "v_proj_weight": (value,)}
    places["out_proj.weight"] = (_Part(layer.output_kernel, 2),)
    if layer.use_bias:
        biases = (layer.query_bias, layer.key_bias, layer.value_bias)
        places["in_proj_bias"] = tuple(_Part(bias, 0) for bias in biases)
        places["out_proj.bias"] = (_Part(layer.output_bias, 0),)
    return places


def _of_feed_forward(layer: FeedForward) -> _Places:
    if layer.gate is not None:
        raise _no_like(layer, 'activation="swiglu"')
    return {**_below("linear1", _of_dense(layer.expand)), **_below("linear2", _of_dense(layer.contract))}


def _of_dense(layer: keras.layers.Dense) -> _Places:
    bias = {"bias": (_Part(layer.bias, 0),)} if layer.use_bias else {}
    return {"weight": (_Part(layer.kernel, 1),), **bias}


def _of_norm(layer: keras.layers.Layer) -> _Places:
    """Of the one or two vectors of a normalisation, the first is the scale."""
    return {name: (_Part(vector, 0),) for name, vector in zip(("weight", "bias"), layer.weights, strict=False)}


def _of_encoder_block(block: TransformerEncoderBlock) -> _Places:
    return {
        **_below("self_attn", _of_attention(block.attention)),
        **_of_feed_forward(block.feed_forward),
        **_below("norm1", _of_norm(block.attention_norm)),
        **_below("norm2", _of_norm(block.feed_forward_norm)),
    }


def _of_decoder_block(block: TransformerDecoderBlock) -> _Places:
    places = {
        **_below("self_attn", _of_attention(block.self_attention)),
        **_of_feed_forward(block.feed_forward),
        **_below("norm1", _of_norm(block.self_attention_norm)),
    }
    norms = [block.feed_forward_norm]
    if block.cross_attention is not None:
        places |= _below("multihead_attn", _of_attention(block.cross_attention))
        norms.insert(0, block.cross_attention_norm)
    for number, norm in enumerate(norms, start=2):
        places |= _below(f"norm{number}", _of_norm(norm))
    return places


def _of_stack(stack: TransformerStack) -> _Places:
    places = {} if stack.final_norm is None else _below("norm", _of_norm(stack.final_norm))
    for index, block in enumerate(stack.blocks):
        places |= _below(f"layers.{index}", _places(block))
    return places


_FINDERS = {
    MultiHeadAttention: _of_attention,
    TransformerEncoderBlock: _of_encoder_block,
    TransformerDecoderBlock: _of_decoder_block,
    TransformerStack: _of_stack,
}


def _below(name: str, places: _Places) -> _Places:
    return {f"{name}.{inner}": parts for inner, parts in places.items()}


def _no_like(layer: keras.layers.Layer, what: str) -> ValueError:
    return ValueError(f"PyTorch's layers have nothing like {what}, which layer {layer.name!r} has.")


def _as_array(value: Any) -> np.ndarray:
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
