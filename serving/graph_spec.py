"""One ONNX graph of a bundle and its signature."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from keras_seq.serving.errors import BundleError, listed
from keras_seq.serving.fields import Fields
from keras_seq.serving.file_spec import check_relative
from keras_seq.serving.option_spec import OptionSpec
from keras_seq.serving.tensor_spec import StateSpec, TensorSpec
from keras_seq.serving.text_spec import TextSpec
from keras_seq.serving.variant_spec import VariantSpec


@dataclass(frozen=True)
class GraphSpec:
    """One graph entry of the manifest.

    Attributes:
        file: Path of the `.onnx` file, relative to the bundle.
        inputs: What a caller gives; states are not among them.
        outputs: What a caller gets; states are not among them.
        states: The states of a streaming graph, each an input and an output more; empty for a whole-sequence graph.
        nodes: Number of nodes of the graph.
        operators: Operator type to number of nodes.
        options: Scalars that a caller may leave out, such as the longest output of a decode loop.
        limits: Name of a dynamic dimension of the inputs to its largest valid size; of `"time"` in a streaming graph,
            to the largest number of steps of a whole stream.
        decoding: How the graph searches for outputs (strategy, num_beams, start_id, end_id, length_term), free in form;
            None for a graph that does not.
        text: The strings that the graph takes and gives besides; None for one of numbers alone.
        variants: Name to another file that computes the same, such as `"int8"`.
    """

    file: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    states: tuple[StateSpec, ...] = ()
    nodes: int = 0
    operators: dict[str, int] = field(default_factory=dict)
    options: tuple[OptionSpec, ...] = ()
    limits: dict[str, int] = field(default_factory=dict)
    decoding: dict[str, Any] | None = None
    text: TextSpec | None = None
    variants: dict[str, VariantSpec] = field(default_factory=dict)

    def __post_init__(self):
        for name in ("inputs", "outputs", "states", "options"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @classmethod
    def from_dict(cls, value: Any, where: str = "graph") -> "GraphSpec":
        """Read a graph entry from parsed JSON; `where` is its path in the manifest, for messages.

        Raises:
            BundleError: If a field is missing or not what the schema says, or a tensor's name is used twice.
        """
        fields = Fields(value, where)
        text = fields.get("text", dict, optional=True)
        graph = cls(
            file=check_relative(fields.text("file"), fields.path("file")),
            inputs=tuple(fields.list_of("inputs", TensorSpec.from_dict)),
            outputs=tuple(fields.list_of("outputs", TensorSpec.from_dict)),
            states=tuple(fields.list_of("states", StateSpec.from_dict)),
            nodes=fields.integer("nodes"),
            operators=fields.table_of("operators", int),
            options=tuple(fields.list_of("options", OptionSpec.from_dict, optional=True)),
            limits=fields.table_of("limits", int, optional=True),
            decoding=fields.get("decoding", dict, optional=True),
            text=None if text is None else TextSpec.from_dict(text, fields.path("text")),
            variants=fields.map_of("variants", VariantSpec.from_dict, optional=True),
        )
        for field_name, tensors in (("inputs", graph.inputs), ("outputs", graph.outputs)):
            if not tensors:
                fields.refuse(field_name, "a list with at least one tensor", [])
        dynamic = [dim for spec in graph.inputs for dim in spec.shape if isinstance(dim, str)]
        for dim, limit in graph.limits.items():
            if dim not in dynamic:
                names = listed(dict.fromkeys(dynamic))
                raise BundleError(
                    f"bundle.json: `{where}.limits` must be about dynamic dimensions of the inputs: {names}. "
                    f"Received: {dim!r}."
                )
            if limit < 1:
                fields.refuse(f"limits.{dim}", "at least 1", limit)
        for i, state in enumerate(graph.states):
            if state.growing_dim in dynamic:
                raise BundleError(
                    f"bundle.json: `{where}.states[{i}].shape` must be fixed but for 'batch' and one dimension of its "
                    f"own that grows from zero; the inputs have these: {listed(dict.fromkeys(dynamic))}. "
                    f"Received: {list(state.shape)}."
                )
        taken = graph.input_names + tuple(option.name for option in graph.options)
        for side, names in (("inputs", taken), ("outputs", graph.output_names)):
            twice = [name for name, count in Counter(names).items() if count > 1]
            if twice:
                also = ", options and states" if graph.options and side == "inputs" else " and states"
                raise BundleError(f"bundle.json: `{where}` uses a name twice among its {side}{also}: {listed(twice)}.")
        if graph.text is not None:
            graph.text.check(fields.path("text"), [spec.name for spec in graph.inputs], taken, graph.output_names)
        return graph

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of everything the graph takes: the inputs, then the states."""
        return tuple(spec.name for spec in self.inputs) + tuple(state.input for state in self.states)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of everything the graph gives: the outputs, then the next states."""
        return tuple(spec.name for spec in self.outputs) + tuple(state.output for state in self.states)

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that computes this graph, that of the graph itself first."""
        return (self.file, *(variant.file for variant in self.variants.values()))

    def of_variant(self, name: str | None) -> "GraphSpec":
        """The graph as one of its variants has it: another file, other nodes, everything else the same.

        Args:
            name: One of `variants`; None for the graph as it stands.

        Raises:
            BundleError: If there is no such variant; the message lists those there are.
        """
        if name is None:
            return self
        if name not in self.variants:
            raise BundleError(
                f"{self.file} has no variant {name!r}. It has: {listed(self.variants)}. Variants are written by "
                "export_model(..., quantize='int8') and export_model(..., ort_format=True)."
            )
        variant = self.variants[name]
        return replace(self, file=variant.file, nodes=variant.nodes, operators=variant.operators)

    def to_dict(self) -> dict[str, Any]:
        """The entry as `bundle.json` holds it; `options` and what follows it where there are any."""
        value = {
            "file": self.file,
            "inputs": [spec.to_dict() for spec in self.inputs],
            "outputs": [spec.to_dict(is_input=False) for spec in self.outputs],
            "states": [state.to_dict() for state in self.states],
            "nodes": self.nodes,
            "operators": dict(self.operators),
        }
        if self.options:
            value["options"] = [option.to_dict() for option in self.options]
        if self.limits:
            value["limits"] = dict(self.limits)
        if self.decoding is not None:
            value["decoding"] = self.decoding
        if self.text is not None:
            value["text"] = self.text.to_dict()
        if self.variants:
            value["variants"] = {name: variant.to_dict() for name, variant in self.variants.items()}
        return value
