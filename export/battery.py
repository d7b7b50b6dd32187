"""Inputs that try a model from many sides: sizes with 1 among them, every kind of mask, extreme values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["NO_LIMITS", "Case", "battery", "random_inputs"]

NO_LIMITS: Mapping[str, int] = MappingProxyType({})

# (batch, time): one of each, one of both, primes, and one long enough for rounding to add up.
_SIZES = ((1, 1), (1, 7), (5, 1), (3, 11), (2, 53))
_FAR = (1, 257)
_MASKS = ("none", "right", "left", "gaps", "whole rows")
# Not thousands: saturated gates would hide a fault as well as they hide rounding.
_VALUES = {"normal": 1.0, "zeros": 0.0, "large": 20.0, "tiny": 1e-30}


@dataclass(frozen=True)
class Case:
    """One set of inputs, and what is special about it."""

    label: str
    inputs: dict[str, np.ndarray]


def battery(
    specs: Sequence[TensorSpec],
    pad_values: dict[str, object],
    seed: int = 0,
    limits: Mapping[str, int] = NO_LIMITS,
    attends: bool = False,
) -> list[Case]:
    """The cases to compare implementations of a model on.

    Args:
        specs: The model's inputs.
        pad_values: By input name, the value that masks a step; inputs without one get no masked steps.
        seed: Of the random values.
        limits: The largest sizes of dynamic dimensions, by name.
        attends: Whether the model attends. Then one length is far beyond what it was trained with, as such models are
            used: no rounding piles up over time as in a recurrence.
    """
    rng = np.random.default_rng(seed)
    has_time = any("time" in spec.shape for spec in specs)
    masked = [spec.name for spec in specs if spec.name in pad_values and len(spec.shape) > 1]
    cases = []
    sizes = (*_SIZES, *[_FAR] * attends) if has_time else [(size, 1) for size in (1, 2, 5)]
    for batch, time in dict.fromkeys((batch, min(time, limits.get("time", time))) for batch, time in sizes):
        for mask in _MASKS if masked and time > 1 else _MASKS[:1]:
            inputs = random_inputs(specs, rng, batch, time, limits=limits)
            label = f"batch {batch}" + (f", time {time}" if has_time else "") + (f", mask {mask}" if masked else "")
            cases.append(Case(label, _mask(inputs, {n: pad_values[n] for n in masked}, mask, rng)))
    for label, scale in _VALUES.items():
        if label != "normal":
            cases.append(Case(f"{label} values", random_inputs(specs, rng, 2, 5, scale, limits=limits)))
    return cases


def random_inputs(
    specs: Sequence[TensorSpec],
    rng: np.random.Generator,
    batch: int,
    time: int,
    scale: float = 1.0,
    other: int = 3,
    limits: Mapping[str, int] = NO_LIMITS,
) -> dict[str, np.ndarray]:
    """Random inputs of the given sizes.

    Args:
        specs: What to make.
        rng: Source of the values.
        batch: Size of the dimensions named `batch`.
        time: Size of those named `time`.
        scale: Floats are normal with this deviation; ids are spread over as large a part of their range.
        other: Size of dynamic dimensions of any other name.
        limits: The largest sizes of dynamic dimensions, by name: what is asked for beyond is cut to it.
    """
    sizes = {"batch": batch, "time": time}
    inputs = {}
    for spec in specs:
        wanted = [dim if isinstance(dim, int) else sizes.get(dim, other) for dim in spec.shape]
        shape = tuple(min(size, limits.get(dim, size)) for size, dim in zip(wanted, spec.shape, strict=True))
        dtype = np.dtype(spec.dtype)
        if dtype == np.bool_:
            inputs[spec.name] = np.ones(shape, bool)
        elif np.issubdtype(dtype, np.integer):
            highest = 9 if spec.maximum is None else spec.maximum
            ids = rng.integers(min(1, highest), highest + 1, shape)
            inputs[spec.name] = (ids if scale == 1.0 else np.full(shape, highest if scale > 1 else 0)).astype(dtype)
        else:
            inputs[spec.name] = (rng.normal(size=shape) * scale).astype(dtype)
    return inputs


def _mask(inputs: dict, pad_values: dict, kind: str, rng: np.random.Generator) -> dict:
    """Overwrites the steps that a mask of this kind leaves out."""
    if kind == "none":
        return inputs
    batch, time = next(iter(inputs[name] for name in pad_values)).shape[:2]
    steps, length = np.arange(time), rng.integers(1, time, (batch, 1))
    keep = {
        "right": steps < length,
        "left": steps >= time - length,
        "gaps": rng.random((batch, time)) < 0.6,
        "whole rows": np.repeat(np.arange(batch)[:, None] % 2 == 1, time, axis=1),
    }[kind]
    masked = dict(inputs)
    for name, value in pad_values.items():
        array = inputs[name].copy()
        if array.shape[:2] == keep.shape:
            array[~keep] = value
        masked[name] = array
    return masked
