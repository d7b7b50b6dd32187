"""What a graph takes and gives: name, dtype and shape of one tensor."""

from dataclasses import dataclass
from typing import Any

from keras_seq.serving.errors import BundleError, listed
from keras_seq.serving.fields import Fields, shorten

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_FLOATS = ("float16", "float32", "float64")
DTYPES = ("bool", *_INTEGERS, *_FLOATS)


def read_dtype(fields: Fields) -> str:
    """The field `dtype`: the NumPy name of a number type or of bool."""
    dtype = fields.text("dtype")
    if dtype not in DTYPES:
        fields.refuse("dtype", f"one of {listed(DTYPES)}", dtype)
    return dtype


def read_shape(fields: Fields) -> tuple[int | str, ...]:
    """The field `shape`: `"batch"` first, then positive integers and names of dynamic dimensions."""
    shape = fields.get("shape", list)
    for dim in shape:
        named = isinstance(dim, str) and dim
        counted = isinstance(dim, int) and not isinstance(dim, bool) and dim > 0
        if not named and not counted:
            fields.refuse("shape", "a list of positive integers and names of dynamic dimensions", shape)
    if not shape or shape[0] != "batch" or "batch" in shape[1:]:
        fields.refuse("shape", "a list with 'batch' as its first dimension and nowhere else", shape)
    return tuple(shape)


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a graph.

    Attributes:
        name: The tensor's name in the graph.
        dtype: NumPy name of its type.
        shape: Fixed dimensions as integers, dynamic ones by name; `"batch"` first. Dimensions of one name agree in
            every tensor of a call.
        pad_value: Inputs only: what may fill a row of a batch up to the longest because the model masks it; None where
            padding would change the answer.
        maximum: Integer inputs only: the largest valid value (the smallest is 0) where the input indexes a table;
            None where any value is valid.

    Example:
        >>> print(TensorSpec("words", "int32", ("batch", "time"), pad_value=0, maximum=996))
        int32 (batch, time)
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    pad_value: bool | int | float | None = None
    maximum: int | None = None

    def __post_init__(self):
        object.__setattr__(self, "shape", tuple(self.shape))

    def __str__(self) -> str:
        dims = ", ".join(str(dim) for dim in self.shape)
        return f"{self.dtype} ({dims}{',' if len(self.shape) == 1 else ''})"

    @classmethod
    def from_dict(cls, value: Any, where: str = "tensor") -> "TensorSpec":
        """Read a spec from parsed JSON; `where` is its path in the manifest, for messages.

        Raises:
            BundleError: If a field is missing or not what the schema says.
        """
        fields = Fields(value, where)
        dtype = read_dtype(fields)
        pad_value = fields.scalar("pad_value")
        fits = pad_value is None or (
            isinstance(pad_value, bool)
            if dtype == "bool"
            else isinstance(pad_value, (int, float) if dtype in _FLOATS else int) and not isinstance(pad_value, bool)
        )
        if not fits:
            fields.refuse("pad_value", f"a {dtype} value or null", pad_value)
        maximum = fields.integer("maximum", optional=True)
        if maximum is not None and dtype not in _INTEGERS:
            fields.refuse("maximum", f"null for an input of type {dtype}", maximum)
        return cls(fields.text("name"), dtype, read_shape(fields), pad_value, maximum)

    def to_dict(self, *, is_input: bool = True) -> dict[str, Any]:
        """The spec as `bundle.json` holds it; `pad_value` and `maximum` are written for inputs only."""
        value = {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}
        return {**value, "pad_value": self.pad_value, "maximum": self.maximum} if is_input else value


@dataclass(frozen=True)
class StateSpec:
    """One state of a streaming graph; a stream starts with zeros and feeds `output` back as `input`.

    A state of a recurrent layer has the same size at every step. One that holds something of every step so far, such as
    the keys of an attention layer, grows: it has a dynamic dimension, which starts at zero.

    Attributes:
        name: The state's own name, such as `"lstm_1.h"`.
        input: Name of the graph's input that takes the state.
        output: Name of the graph's output that gives the next state.
        dtype: NumPy name of its type.
        shape: `("batch", 128)`, or `("batch", 8, "past", 64)` for one that grows: behind the batch all dimensions are
            fixed but for one at most.

    Example:
        >>> keys = StateSpec("attention.keys", "keys", "keys.next", "float32", ("batch", 8, "past", 64))
        >>> keys.growing_dim
        'past'
        >>> keys.start_shape(3)
        (3, 8, 0, 64)
    """

    name: str
    input: str
    output: str
    dtype: str
    shape: tuple[int | str, ...]

    def __post_init__(self):
        object.__setattr__(self, "shape", tuple(self.shape))

    @classmethod
    def from_dict(cls, value: Any, where: str = "state") -> "StateSpec":
        """Read a state from parsed JSON; `where` is its path in the manifest, for messages.

        Raises:
            BundleError: If a field is missing or not what the schema says.
        """
        fields = Fields(value, where)
        shape = read_shape(fields)
        if sum(isinstance(dim, str) for dim in shape[1:]) > 1:
            raise BundleError(
                f"bundle.json: `{where}.shape` must be fixed but for 'batch' and one dimension that grows from zero. "
                f"Received: {shorten(list(shape))}."
            )
        return cls(fields.text("name"), fields.text("input"), fields.text("output"), read_dtype(fields), shape)

    @property
    def growing_dim(self) -> str | None:
        """Name of the dimension that grows with the steps; None for a state that keeps its size."""
        return next((dim for dim in self.shape[1:] if isinstance(dim, str)), None)

    @property
    def counts_steps(self) -> bool:
        """Whether it says how many steps there were. A graph reads that of the first row for all rows of a call.

        >>> StateSpec("encoder.position", "position", "position.next", "float32", ("batch", 1)).counts_steps
        True
        """
        return self.name.rpartition(".")[2] == "position" and self.shape[1:] == (1,)

    def start_shape(self, batch: int) -> tuple[int, ...]:
        """Shape of the zeros that a stream of `batch` sequences starts with."""
        return (batch, *(0 if isinstance(dim, str) else dim for dim in self.shape[1:]))

    def to_dict(self) -> dict[str, Any]:
        """The state as `bundle.json` holds it."""
        value = {"name": self.name, "input": self.input, "output": self.output}
        return {**value, "dtype": self.dtype, "shape": list(self.shape)}
