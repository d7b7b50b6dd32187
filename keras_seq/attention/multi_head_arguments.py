"""Checks of what multi-head attention is given."""

from typing import Any

from keras_seq.attention.key_values import KeyValues
from keras_seq.recurrent.cell import Tensor


def check_arguments(layer: Any) -> None:
    """Checks the arguments of the constructor.

    Raises:
        ValueError: for sizes that are not positive integers, heads that do not divide, or a fraction outside 0 to 1.
    """
    for name in ("num_heads", "key_dim", "value_dim", "num_key_value_heads", "output_size"):
        value = getattr(layer, name)
        if value is None and name == "output_size":
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    if layer.num_heads % layer.num_key_value_heads:
        raise ValueError(
            "`num_key_value_heads` must divide `num_heads`, as each serves a group of query heads. "
            f"Received: num_key_value_heads={layer.num_key_value_heads}, num_heads={layer.num_heads}"
        )
    if not 0.0 <= layer.dropout < 1.0:
        raise ValueError(f"`dropout` must be from 0 to less than 1. Received: dropout={layer.dropout}")
    if layer.flash_attention not in (True, False, None):
        raise ValueError(f"`flash_attention` must be True, False or None. Received: {layer.flash_attention!r}")
    if layer.flash_attention and layer.dropout:
        raise ValueError(
            "`flash_attention=True` goes without `dropout`, which needs the scores that flash attention never holds. "
            f"Received: dropout={layer.dropout}"
        )
    if layer.rotary is not None and layer.key_dim % 2:
        raise ValueError(
            f"`key_dim` must be even with `rotary`, which turns pairs of features. Received: key_dim={layer.key_dim}"
        )


def check_attention_mask(layer: Any, mask: Tensor | None, query: Tensor, value: Tensor) -> None:
    """Checks that `attention_mask` broadcasts to the scores, as far as the sizes are known.

    Raises:
        ValueError: if it does not.
    """
    if mask is None:
        return
    shape = tuple(mask.shape)
    scores = (query.shape[0], layer.num_heads, query.shape[1], value.shape[1])
    expected = {2: scores[2:], 3: (scores[0], *scores[2:]), 4: scores}.get(len(shape))
    fits = expected is not None and all(
        None in (size, wanted) or size in (1, wanted) for size, wanted in zip(shape, expected, strict=True)
    )
    if not fits:
        raise ValueError(
            f"`attention_mask` of layer {layer.name!r} must have the shape (queries, steps), (batch, queries, steps) "
            f"or (batch, heads, queries, steps), here {scores[2:]}, {(scores[0], *scores[2:])} or {scores}; an axis "
            f"may be 1. Received: shape {shape}. A padding mask (batch, steps) is `value_mask`."
        )


def check_padding_mask(layer: Any, name: str, mask: Tensor | None, sequence: Tensor) -> None:
    """Checks that a mask has an entry for each step of the sequence, as far as the sizes are known.

    Raises:
        ValueError: if it does not.
    """
    if mask is None:
        return
    shape, expected = tuple(mask.shape), tuple(sequence.shape[:2])
    if len(shape) != 2 or any(None not in pair and len({*pair}) > 1 for pair in zip(shape, expected, strict=True)):
        raise ValueError(
            f"`{name}` of layer {layer.name!r} must have the shape (batch, steps), here {expected}. Received: shape "
            f"{shape}. A mask of (batch, queries, steps) is `attention_mask`."
        )


def check_memory(layer: Any, memory: KeyValues, inputs: Tensor | None = None) -> None:
    """Checks that keys and values are those of this layer, and of as many sequences as `inputs` where it is given.

    Raises:
        ValueError: names the expected shapes.
    """
    batch = None if inputs is None else inputs.shape[0]
    for name, tensor, size in zip(memory._fields, memory, (layer.key_dim, layer.value_dim), strict=True):
        shape = tuple(tensor.shape)
        if len(shape) != 4 or shape[1] != layer.num_key_value_heads or shape[3] != size:
            raise ValueError(
                f"The {name} that layer {layer.name!r} attends to must have the shape (batch, "
                f"{layer.num_key_value_heads}, steps, {size}). Received: shape {shape}. A cache or memory belongs to "
                "the layer that made it: start from its `empty_cache` or `project_memory`."
            )
        if None not in (batch, shape[0]) and batch != shape[0]:
            raise ValueError(
                f"The cache of layer {layer.name!r} must be of the batch of its inputs, {batch} sequences. Received: "
                f"{name} of {shape[0]}, of shape {shape}. Start from `empty_cache({batch})`."
            )
