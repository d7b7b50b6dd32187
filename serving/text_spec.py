"""What a bundle knows of text: its tokenizers' files, and which graphs take and give strings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from keras_seq.serving.errors import BundleError, listed
from keras_seq.serving.fields import Fields, shorten
from keras_seq.serving.file_spec import check_relative


@dataclass(frozen=True)
class TokenizerSpec:
    """One tokenizer of a bundle.

    Attributes:
        file: Path of its `tokenizer.json`, relative to the bundle.
    """

    file: str

    @classmethod
    def from_dict(cls, value: Any, where: str = "tokenizer") -> "TokenizerSpec":
        """Read an entry from parsed JSON; `where` is its path in the manifest, for messages.

        Raises:
            BundleError: If the file's path is missing or does not stay inside the bundle.
        """
        fields = Fields(value, where)
        return cls(check_relative(fields.text("file"), fields.path("file")))

    def to_dict(self) -> dict[str, Any]:
        """The entry as `bundle.json` holds it."""
        return {"file": self.file}


@dataclass(frozen=True)
class TextSpec:
    """The strings that an ONNX graph takes and gives besides its numbers.

    A string input and the input of ids that it stands for are both initializers that are inputs too: a host gives one
    of the two.

    Attributes:
        inputs: Name of a string input, `(batch,)`, to the name of the input it stands for; empty for a graph that only
            gives strings.
        outputs: Names of the string outputs: `"tokens"` `(batch, time)`, `"labels"` (or `"<output>.labels"`) of the
            shape of the output without its last axis, `"texts"` `(batch, hypotheses)`.
    """

    inputs: dict[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "outputs", tuple(self.outputs))

    @classmethod
    def from_dict(cls, value: Any, where: str = "text") -> "TextSpec":
        """Read an entry from parsed JSON; `where` is its path in the manifest, for messages.

        Raises:
            BundleError: If a field is missing or not what the schema says.
        """
        fields = Fields(value, where)
        return cls(fields.table_of("inputs", str), tuple(fields.list_of("outputs", read_string)))

    def check(self, where: str, inputs: Sequence[str], taken: Sequence[str], given: Sequence[str]):
        """Compare the names with those of the graph.

        Args:
            where: Path of this entry in the manifest.
            inputs: The graph's inputs.
            taken: Every name that the graph takes something under.
            given: Every name that the graph gives something under.

        Raises:
            BundleError: If a string input stands for no input of the graph, or a name is used twice.
        """
        for name, stands_for in self.inputs.items():
            if stands_for not in inputs:
                raise BundleError(
                    f"bundle.json: `{where}.inputs.{name}` must be one of the graph's inputs: {listed(inputs)}. "
                    f"Received: {stands_for!r}."
                )
        for side, names, others in (("inputs", list(self.inputs), taken), ("outputs", list(self.outputs), given)):
            twice = [name for name in names if name in others or names.count(name) > 1]
            if twice:
                raise BundleError(
                    f"bundle.json: `{where}.{side}` must have names that nothing else of the graph has. Received: "
                    f"{listed(twice)}."
                )

    def to_dict(self) -> dict[str, Any]:
        """The entry as `bundle.json` holds it."""
        return {"inputs": dict(self.inputs), "outputs": list(self.outputs)}


def read_string(value: Any, where: str) -> str:
    """A string that is not empty, such as a label or a name in a list; `where` is its path, for messages.

    Raises:
        BundleError: If it is anything else.
    """
    if not isinstance(value, str) or not value:
        raise BundleError(f"bundle.json: `{where}` must be a string that is not empty. Received: {shorten(value)}.")
    return value
