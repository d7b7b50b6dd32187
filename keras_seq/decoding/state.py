"""What a decode loop carries of the model: how it grows, how it is checked, how it follows the hypotheses."""

from typing import Any

from keras import tree

from keras_seq.decoding.loop import gather_rows
from keras_seq.recurrent.cell import Tensor


def growing_axes(state: Any, growing: Any = None) -> Any:
    """Along which axis each tensor of a state may grow.

    Args:
        state: a nest of tensors.
        growing: the answer, where it is known: a nest of the same structure.

    Returns:
        A nest like `state` of numbers of axes, `None` for tensors that keep their shape: by default the first axis of
        size 0 behind the rows.

    Raises:
        ValueError: if `growing` has another structure.
    """
    if growing is None:
        return tree.map_structure(_empty_axis, state)
    try:
        tree.assert_same_structure(state, growing)
    except (ValueError, TypeError) as error:
        raise ValueError(f"`growing` of a `Decoding` must have the structure of its `state`: {error}") from error
    return growing


def _empty_axis(tensor: Tensor) -> int | None:
    shape = tuple(tensor.shape)
    return next((axis for axis, size in enumerate(shape) if axis > 0 and size == 0), None)


def reorder(state: Any, parents: Tensor) -> Any:
    """The state of which row i is row `parents[i]` of the one given.

    Args:
        state: a nest of tensors, the rows first.
        parents: `(rows,)` integers.
    """
    return tree.map_structure(lambda tensor: gather_rows(tensor, parents), state)


def check_state(state: Any, new_state: Any, growing: Any) -> None:
    """Checks what a step made of its state; only what is known without running it, so it costs nothing in a graph.

    Args:
        state: what the step was given.
        new_state: what it returned.
        growing: what `growing_axes` gave.

    Raises:
        ValueError: if structure, shapes or dtypes are not kept.
    """
    try:
        tree.assert_same_structure(state, new_state)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"the step of a `Decoding` must return a state of the structure that it was given: {error}"
        ) from error
    for (path, before), (_, after), (_, grows) in zip(
        *map(tree.flatten_with_path, (state, new_state, growing)), strict=True
    ):
        same = len(before.shape) == len(after.shape) and all(
            axis == grows or None in (a, b) or a == b
            for axis, (a, b) in enumerate(zip(before.shape, after.shape, strict=True))
            if axis > 0
        )
        if not same or before.dtype != after.dtype:
            name = ".".join(map(str, path)) or "state"
            raise ValueError(
                f"the step of a `Decoding` must keep the shape and dtype of its state. Expected for {name!r}: "
                f"{tuple(before.shape)} {before.dtype}. Received: {tuple(after.shape)} {after.dtype}. What is to grow "
                "has size 0 at the start, or is named in `growing`."
            )
