"""Checks what a caller gives against what a graph takes, before ONNX Runtime sees it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from keras_seq.serving.errors import InputError, listed
from keras_seq.serving.tensor_spec import TensorSpec

Describe = Callable[[np.ndarray], str]


def refuse(spec: TensorSpec, wrong: str, received: Any, mend: str) -> NoReturn:
    """Raise the error for one input: its name, what is wrong, what it takes, what came, how to mend it."""
    raise InputError(f"Input {spec.name!r}: {wrong}. Expected: {spec}. Received: {received}. {mend}")


def describe(array: np.ndarray) -> str:
    """Type and shape of an array, in the form of `str(TensorSpec)`."""
    return f"{array.dtype} {array.shape}"


def name_inputs(inputs: Any, specs: Sequence[TensorSpec]) -> dict[str, Any]:
    """Pair what the caller gave with the graph's inputs.

    Args:
        inputs: A mapping of input name to value; or the value itself where there is only one input.
        specs: The graph's inputs.

    Returns:
        Name to value, in the order of `specs`.

    Raises:
        InputError: If a name is unknown or missing, or a bare value is given where several inputs are taken.
    """
    valid = [spec.name for spec in specs]
    if not isinstance(inputs, Mapping):
        if len(specs) > 1:
            raise InputError(
                f"The graph takes {len(specs)} inputs ({listed(valid)}), so they must be given by name in a dict. "
                f"Received: {type(inputs).__name__}."
            )
        return {valid[0]: inputs}
    unknown = [name for name in inputs if name not in valid]
    missing = [name for name in valid if name not in inputs]
    if unknown or missing:
        parts = [f"unknown: {listed(unknown)}"] if unknown else []
        parts += [f"missing: {listed(missing)}"] if missing else []
        raise InputError(f"Inputs do not match the graph's ({'; '.join(parts)}). Valid names: {listed(valid)}.")
    return {name: inputs[name] for name in valid}


def as_array(value: Any, spec: TensorSpec) -> np.ndarray:
    """`value` as an array of whatever type it has.

    Raises:
        InputError: If it is no array, nor nested lists of equal lengths.
    """
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists; tensors on another device or with gradients
        refuse(spec, f"cannot be made an array ({error})", type(value).__name__, "Give a NumPy array or nested lists.")


def check_shape(array: np.ndarray, spec: TensorSpec):
    """Check rank, fixed dimensions, and that no dimension is zero.

    Raises:
        InputError: If the shape does not suit.
    """
    shape = spec.shape
    if array.ndim != len(shape):
        mend = f"It must have {len(shape)} dimensions."
        if array.ndim == len(shape) - 1:
            mend += " For a batch of one, add the batch dimension: x[np.newaxis]."
        refuse(spec, f"has {array.ndim} dimensions, not {len(shape)}", describe(array), mend)
    for axis, (size, dim) in enumerate(zip(array.shape, shape, strict=True)):
        if isinstance(dim, int) and size != dim:
            mend = f"Give an array with {dim} entries along axis {axis}."
            refuse(spec, f"axis {axis} has size {size}, not {dim}", describe(array), mend)
        if size == 0:
            what = "the batch is empty" if axis == 0 else f"axis {axis} ({dim!r}) has length zero"
            refuse(spec, what, describe(array), "Give at least one entry; leave empty rows out of the batch.")


def check_limits(shape: Sequence[int], spec: TensorSpec, limits: Mapping[str, int], row: int | None = None):
    """Check that no dimension is larger than the model allows.

    Args:
        shape: Of the input, the batch first.
        spec: The input's spec.
        limits: Dimension name to its largest size.
        row: Which row of a list has this shape; None for a whole array.

    Raises:
        InputError: If one is.
    """
    for size, dim in zip(shape, spec.shape, strict=True):
        if size > limits.get(dim, size):
            which = "" if row is None else f"row {row}: "
            mend = f"Cut it to {limits[dim]}, or train and export a model that allows more."
            wrong = f"{which}{dim!r} is {size} long, and the model takes {limits[dim]} at most"
            refuse(spec, wrong, f"shape {tuple(shape)}" if row is None else f"row {row}: {tuple(shape[1:])}", mend)


def cast(array: np.ndarray, spec: TensorSpec, received: Describe = describe) -> np.ndarray:
    """`array` in the dtype the graph takes, where no value changes by it (a float may be rounded to fewer digits).

    Args:
        array: The input as it came, or all its rows end to end.
        spec: The input's spec.
        received: Says in messages what came, given `array`.

    Raises:
        InputError: If the types do not suit: text, complex, float for integer, or a value out of range.
    """
    target = np.dtype(spec.dtype)
    if array.dtype == target:
        return array
    kind = array.dtype.kind
    if kind in "USTO":
        mend = (
            "The graph takes numbers, of one type throughout. Texts go into Predictor.predict_text or "
            "Generator.generate_text if the bundle has a tokenizer; without one, look strings up in the vocabulary the "
            "model was trained with."
        )
        refuse(spec, "strings or mixed objects are no numbers", received(array), mend)
    if kind not in "biuf":
        refuse(
            spec, f"{array.dtype} is not a type of real numbers NumPy knows", received(array), "Cast it with astype."
        )
    if target.kind == "f":
        return _to_float(array, target, spec, received)
    if kind == "f":
        mend = f"If all values are whole, cast them: x.astype({spec.dtype!r})."
        refuse(spec, f"{array.dtype} is not cast to {target}, as fractions would be lost", received(array), mend)
    low, high = (0, 1) if target.kind == "b" else (np.iinfo(target).min, np.iinfo(target).max)
    _check_range(array, low, high, spec, f"{target} holds values", received)
    return array.astype(target)


def _to_float(array: np.ndarray, target: np.dtype, spec: TensorSpec, received: Describe) -> np.ndarray:
    if array.dtype.kind in "iu":
        exact = 2 ** (np.finfo(target).nmant + 1)  # every integer up to here has a float of its own
        _check_range(array, -exact, exact, spec, f"{target} holds all integers", received)
        return array.astype(target)
    with np.errstate(over="ignore"):  # looked at in the next line, with a clearer message
        values = array.astype(target)
    if array.dtype.itemsize > target.itemsize and (np.isinf(values) & np.isfinite(array)).any():
        refuse(spec, f"a value is too large for {target}", received(array), "Scale the input as in training.")
    return values


def _check_range(array: np.ndarray, low: int, high: int, spec: TensorSpec, rule: str, received: Describe):
    least, most = (int(array.min()), int(array.max())) if array.size else (low, high)
    if least < low or most > high:
        value = least if least < low else most
        refuse(spec, f"{rule} from {low} to {high}, not {value}", received(array), "Check where the value comes from.")


def check_values(
    array: np.ndarray,
    spec: TensorSpec,
    received: Describe = describe,
    position: Callable[[tuple[int, ...]], str] = str,
):
    """Check that floats are finite and ids are within their table.

    Args:
        array: The input, in the graph's dtype.
        spec: The input's spec.
        received: Says in messages what came, given `array`.
        position: Turns an index into `array` into words, where `array` is not shaped as the caller's value was.

    Raises:
        InputError: If a value is NaN or infinite, or an id is negative or above `spec.maximum`; with its position.
    """
    if array.dtype.kind == "f":
        finite = np.isfinite(array)
        if not finite.all():
            index = _first(~finite)
            mend = "Find out where it arises, or leave the row out."
            refuse(spec, f"the value at {position(index)} is {array[index]}", received(array), mend)
    # One pass over the array: who does not look at the sign takes a negative id for a huge one.
    if spec.maximum is not None and array.view(array.dtype.str.replace("i", "u")).max() > spec.maximum:
        index = _first((array < 0) | (array > spec.maximum))
        mend = "Map what is not in the vocabulary to its unknown token, as in training."
        wrong = f"ids run from 0 to {spec.maximum}, and the one at {position(index)} is {array[index]}"
        refuse(spec, wrong, received(array), mend)


def _first(where: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(where.argmax(), where.shape))


def check_array(value: Any, spec: TensorSpec) -> np.ndarray:
    """`value` as the array the graph takes, contiguous and in its dtype.

    Raises:
        InputError: If anything about it does not suit.
    """
    array = as_array(value, spec)
    check_shape(array, spec)
    array = cast(array, spec)
    check_values(array, spec)
    return np.ascontiguousarray(array)


def check_sizes(sizes: Sequence[tuple[TensorSpec, Sequence[int]]]) -> dict[str, int]:
    """Check that dimensions of one name have one size throughout the inputs.

    Args:
        sizes: Each input's spec and its actual shape.

    Returns:
        Dimension name to size.

    Raises:
        InputError: If two inputs disagree.
    """
    known: dict[str, tuple[int, str]] = {}
    for spec, shape in sizes:
        for size, dim in zip(shape, spec.shape, strict=True):
            if isinstance(dim, str) and known.setdefault(dim, (size, spec.name))[0] != size:
                other, name = known[dim]
                raise InputError(
                    f"Inputs must agree in dimension {dim!r}: {name!r} has {other}, {spec.name!r} has {size}. "
                    "Give every input the same rows, and each row the same length in all of them."
                )
    return {dim: size for dim, (size, _) in known.items()}
