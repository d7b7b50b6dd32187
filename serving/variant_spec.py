"""Another file that computes what a graph of the bundle computes."""

from dataclasses import dataclass, field
from typing import Any

from keras_seq.serving.fields import Fields
from keras_seq.serving.file_spec import check_relative


@dataclass(frozen=True)
class VariantSpec:
    """One variant of a graph: the same inputs, outputs, states and options, in another file.

    Attributes:
        file: Path of the file, relative to the bundle.
        nodes: Number of nodes of the graph in it.
        operators: Operator type to number of nodes.
    """

    file: str
    nodes: int = 0
    operators: dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, value: Any, where: str = "variant") -> "VariantSpec":
        """Read an entry from parsed JSON; `where` is its path in the manifest, for messages.

        Raises:
            BundleError: If a field is missing or not what the schema says.
        """
        fields = Fields(value, where)
        return cls(
            check_relative(fields.text("file"), fields.path("file")),
            fields.integer("nodes"),
            fields.table_of("operators", int),
        )

    def to_dict(self) -> dict[str, Any]:
        """The entry as `bundle.json` holds it."""
        return {"file": self.file, "nodes": self.nodes, "operators": dict(self.operators)}
