"""What an encoder must give to a decoder."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import tree


class EncoderOutputs(NamedTuple):
    """What an encoder gave, tensors or their shapes.

    Attributes:
        values: `(batch, time, features)`, or `None` where it gives no sequence.
        states: each `(batch, size)`: its final states, or the one vector that it gives.
        has_states: `False` for that vector.
    """

    values: Any
    states: list[Any]
    has_states: bool


def check_encoder(encoder: Any, attends: bool) -> None:
    """Checks what can be checked before an encoder is built: the arguments of a recurrent layer.

    Args:
        encoder: the layer, or `None`.
        attends: whether the decoder has an attention.

    Raises:
        TypeError: if it is no layer.
        ValueError: if it does not return what the decoder needs.
    """
    if encoder is None:
        if attends:
            raise ValueError(
                "A decoder with an attention needs an `encoder` whose outputs it can attend to. Received: "
                "encoder=None. Give an encoder, or make the decoder with attention=None."
            )
        return
    if not isinstance(encoder, keras.layers.Layer):
        raise TypeError(f"`encoder` must be a Keras layer, or None. Received: encoder={encoder!r}")
    if getattr(encoder, "merge_mode", "concat") is None:
        raise ValueError(
            f'`encoder` "{encoder.name}" must merge its two directions, with merge_mode="concat" for one. Received: '
            "merge_mode=None"
        )
    if not hasattr(encoder, "return_sequences") or not hasattr(encoder, "return_state"):
        return
    needed = {"return_sequences": True, "return_state": True} if attends else {}
    if not attends and encoder.return_sequences:
        needed = {"return_state": True}
    lacking = [name for name in needed if not getattr(encoder, name)]
    if lacking:
        reason = (
            "the decoder attends to its outputs and starts from its final states"
            if attends
            else "the decoder starts from its final states"
        )
        raise ValueError(
            f'`encoder` "{encoder.name}" must be made with {", ".join(f"{name}=True" for name in needed)}: {reason}. '
            f"Received: {', '.join(f'{name}=False' for name in lacking)}"
        )


def split_outputs(outputs: Any, encoder: keras.layers.Layer, attends: bool, of_shapes: bool = False) -> EncoderOutputs:
    """Sorts what an encoder gives: a sequence, states, or a single vector.

    Args:
        outputs: tensors, or their shapes.
        encoder: named in the message.
        attends: whether the decoder has an attention.
        of_shapes: whether `outputs` are shapes.

    Raises:
        ValueError: if it is none of the forms that a decoder can use.
    """
    flat = _shapes(outputs) if of_shapes else tree.flatten(outputs)
    ranks = [len(item if of_shapes else item.shape) for item in flat]
    if ranks[:1] == [3] and ranks[1:] and set(ranks[1:]) == {2}:
        return EncoderOutputs(flat[0] if attends else None, flat[1:], True)
    if not attends and set(ranks) == {2}:
        return EncoderOutputs(None, flat[1:] or flat, len(flat) > 1)
    wanted = "outputs (batch, time, features) followed by final states (batch, size)"
    if not attends:
        wanted = f"final states (batch, size) behind its output, or one vector (batch, features), or {wanted}"
    shapes = ", ".join(str(tuple(item if of_shapes else item.shape)) for item in flat)
    raise ValueError(
        f'`encoder` "{encoder.name}" must give {wanted}. Received: {shapes}. Make a recurrent encoder with '
        "return_sequences=True, return_state=True."
    )


def _shapes(shapes: Any) -> list[tuple[int | None, ...]]:
    """The shapes in a structure of shapes, flat."""
    if all(size is None or isinstance(size, int) for size in shapes):
        return [tuple(shapes)]
    return [shape for item in shapes for shape in _shapes(item)]
