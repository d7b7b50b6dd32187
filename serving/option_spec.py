"""A scalar that a caller of a graph may leave out."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_seq.serving.errors import InputError
from keras_seq.serving.fields import Fields
from keras_seq.serving.tensor_spec import read_dtype

Scalar = bool | int | float


def _bounds(dtype: np.dtype) -> tuple[Scalar, Scalar]:
    """The least and the largest value of a type."""
    if dtype.kind == "b":
        return False, True
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return info.min.item() if dtype.kind == "f" else info.min, info.max.item() if dtype.kind == "f" else info.max


def _suits(value: Any, dtype: str) -> bool:
    """Is a value from JSON a finite one of this type, within what the type holds?"""
    kind = np.dtype(dtype).kind
    if kind == "b" or isinstance(value, bool):
        return kind == "b" and isinstance(value, bool)
    if not isinstance(value, (int, float) if kind == "f" else int):
        return False
    low, high = _bounds(np.dtype(dtype))
    return low <= value <= high  # false for NaN too


@dataclass(frozen=True)
class OptionSpec:
    """One optional input of a graph: a scalar with a default, such as the `alpha` of a beam search.

    In the graph it is an initializer that stands among the inputs as well, so that any host may leave it out.

    Attributes:
        name: The option's name in the graph.
        dtype: NumPy name of its type.
        default: Its value where a caller gives none.
        minimum: The least valid value; None where the type alone bounds it.
        maximum: The largest valid value; None where the type alone bounds it.

    Example:
        >>> print(OptionSpec("alpha", "float32", 0.7, minimum=0.0))
        float32, 0.7 unless given, at least 0.0
        >>> OptionSpec("max_length", "int32", 40, 1, 64).check(99)
        Traceback (most recent call last):
        ...
        keras_seq.serving.errors.InputError: Option 'max_length' must be from 1 to 64. Received: 99.
    """

    name: str
    dtype: str
    default: Scalar
    minimum: Scalar | None = None
    maximum: Scalar | None = None

    @property
    def range(self) -> str:
        """The bounds in words, such as `"from 1 to 64"`; empty where there are none."""
        low, high = self.minimum, self.maximum
        if low is not None and high is not None:
            return f"from {low} to {high}"
        return f"at least {low}" if low is not None else f"at most {high}" if high is not None else ""

    def __str__(self) -> str:
        return f"{self.dtype}, {self.default} unless given" + (f", {self.range}" if self.range else "")

    def check(self, value: Any) -> np.ndarray:
        """`value` as the graph takes it: an array of no dimensions, in the option's type.

        Args:
            value: A number, or whatever NumPy makes an array of one value of. Integers are taken for floats and not the
                other way round.

        Raises:
            InputError: If it is no single number, of another type, not finite, or out of range.
        """
        try:
            array = np.asarray(value)
        except (TypeError, ValueError, RuntimeError) as error:
            self._refuse(f"a single {self.dtype} value", f"{type(value).__name__} ({error})")
        target = np.dtype(self.dtype)
        takes = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}[target.kind]
        if array.size != 1 or array.dtype.kind not in takes:
            shape = f" {array.shape}" if array.ndim else ""
            received = repr(value) if array.ndim == 0 else f"{array.dtype}{shape}"
            self._refuse(f"a single {self.dtype} value", received)
        number = array.reshape(()).item()
        if isinstance(number, float) and not math.isfinite(number):
            self._refuse("a finite number", number)
        low, high = _bounds(target)
        if not low <= number <= high:
            self._refuse(f"within what {self.dtype} holds, from {low} to {high}", number)
        if (self.minimum is not None and number < self.minimum) or (self.maximum is not None and number > self.maximum):
            self._refuse(self.range, number)
        return np.array(number, target)

    def _refuse(self, expected: str, received: Any):
        raise InputError(f"Option {self.name!r} must be {expected}. Received: {received}.")

    @classmethod
    def from_dict(cls, value: Any, where: str = "option") -> "OptionSpec":
        """Read an option from parsed JSON; `where` is its path in the manifest, for messages.

        Raises:
            BundleError: If a field is missing or not what the schema says, or the default is out of range.
        """
        fields = Fields(value, where)
        dtype = read_dtype(fields)
        bounds = {name: fields.scalar(name) for name in ("minimum", "maximum")}
        for name, bound in bounds.items():
            if bound is not None and not _suits(bound, dtype):
                fields.refuse(name, f"a {dtype} value or null", bound)
        default = fields.scalar("default")
        if not _suits(default, dtype):
            fields.refuse("default", f"a {dtype} value", default)
        spec = cls(fields.text("name"), dtype, default, **bounds)
        try:
            spec.check(default)
        except InputError:
            fields.refuse("default", spec.range, default)
        return spec

    def to_dict(self) -> dict[str, Any]:
        """The option as `bundle.json` holds it."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "default": self.default,
            "minimum": self.minimum,
            "maximum": self.maximum,
        }
