"""Reads one JSON object field by field, with errors that name the field."""

from collections.abc import Callable
from typing import Any

from keras_seq.serving.errors import BundleError

MANIFEST = "bundle.json"
_KINDS = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


def shorten(value: Any, limit: int = 80) -> str:
    """The value as a message shows it: its `repr`, cut to `limit` characters."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


class Fields:
    """One JSON object and where it stands in its file.

    Fields nobody asks for are left alone: a later writer of the same schema version may add some.

    Args:
        value: The parsed JSON value; anything but an object is refused.
        where: Dotted path of the object, such as `"graphs.model.inputs[0]"`; empty for the whole file.
        file: What messages call the file.

    Example:
        >>> fields = Fields({"bytes": -1}, "files.model.onnx")
        >>> fields.integer("bytes", minimum=0)
        Traceback (most recent call last):
        ...
        keras_seq.serving.errors.BundleError: bundle.json: `files.model.onnx.bytes` must be at least 0. Received: -1.
    """

    def __init__(self, value: Any, where: str = "", file: str = MANIFEST):
        self.where = where
        self.file = file
        if not isinstance(value, dict):
            raise BundleError(f"{file}: {self._here()} must be an object. Received: {shorten(value)}.")
        self._value = value

    def _here(self) -> str:
        if self.where:
            return f"`{self.where}`"
        return "the manifest" if self.file == MANIFEST else "what it holds"

    def path(self, name: str) -> str:
        """The dotted path of field `name`, for messages and for nested objects."""
        return f"{self.where}.{name}" if self.where else name

    def refuse(self, name: str, expected: str, received: Any):
        """Raise the error for field `name`: what it must be, and what it is."""
        raise BundleError(f"{self.file}: `{self.path(name)}` must be {expected}. Received: {shorten(received)}.")

    def get(self, name: str, kind: type, *, optional: bool = False) -> Any:
        """Field `name`, which must be there and of type `kind`; with `optional` it may also be null or absent."""
        value = self._value.get(name)
        if value is None and optional:
            return None
        if name not in self._value:
            present = ", ".join(f"`{key}`" for key in self._value) or "none"
            raise BundleError(f"{self.file}: `{self.path(name)}` is missing. Fields of {self._here()}: {present}.")
        # bool is a subclass of int in Python, not in JSON; a whole number is a number in both.
        fits = isinstance(value, (int, float) if kind is float else kind)
        if not fits or (kind is not bool and isinstance(value, bool)):
            self.refuse(name, _KINDS[kind] + (" or null" if optional else ""), value)
        return value

    def text(self, name: str, *, optional: bool = False) -> str | None:
        """Field `name` as a string that is not empty."""
        value = self.get(name, str, optional=optional)
        if value == "":
            self.refuse(name, "a string that is not empty", value)
        return value

    def integer(self, name: str, *, minimum: int = 0, optional: bool = False) -> int | None:
        """Field `name` as an integer of at least `minimum`."""
        value = self.get(name, int, optional=optional)
        if value is not None and value < minimum:
            self.refuse(name, f"at least {minimum}", value)
        return value

    def scalar(self, name: str) -> bool | int | float | None:
        """Field `name` as true, false, a number or null."""
        value = self._value.get(name)
        if value is not None and not isinstance(value, (bool, int, float)):
            self.refuse(name, "a number, true, false or null", value)
        return value

    def list_of(self, name: str, read: Callable[[Any, str], Any], *, optional: bool = False) -> list:
        """Field `name` as a list, each element read by `read(element, its path)`; with `optional`, empty for null."""
        items = self.get(name, list, optional=optional) or []
        return [read(item, f"{self.path(name)}[{i}]") for i, item in enumerate(items)]

    def map_of(self, name: str, read: Callable[[Any, str], Any], *, optional: bool = False) -> dict[str, Any]:
        """Field `name` as an object, each of its values read by `read(value, its path)`.

        With `optional`, empty for null.
        """
        items = self.get(name, dict, optional=optional) or {}
        return {key: read(item, self.path(f"{name}.{key}")) for key, item in items.items()}

    def table_of(self, name: str, kind: type, *, optional: bool = False) -> dict[str, Any]:
        """Field `name` as an object whose values are all of type `kind`, such as operator type to count.

        With `optional`, empty for null.
        """
        table = Fields(self.get(name, dict, optional=optional) or {}, self.path(name), self.file)
        return {key: table.get(key, kind) for key in table.names}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields that are there."""
        return tuple(self._value)
