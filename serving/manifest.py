"""The schema of `bundle.json` (docs/bundle.md), read and written in one place."""

import json
from dataclasses import dataclass, field
from typing import Any

from keras_seq.serving.errors import BundleError, listed
from keras_seq.serving.fields import Fields, shorten
from keras_seq.serving.file_spec import FileSpec, check_relative
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.text_spec import TokenizerSpec, read_string

SCHEMA_VERSION = 2
"""The newest schema this reader knows. A manifest is written in the oldest that can say what it says."""
LOWERINGS = ("native", "loop", "decode_loop", "fused", "plain", "traced")


def _check_version(value: Any):
    """Refuse a manifest of another schema before any of its fields is read: they may mean something else there."""
    if not isinstance(value, dict) or "schema_version" not in value:
        raise BundleError(
            f"bundle.json has no `schema_version`, so it is not the manifest of a keras_seq bundle. "
            f"Received: {shorten(value)}."
        )
    version = Fields(value).integer("schema_version", minimum=1)
    if version > SCHEMA_VERSION:
        raise BundleError(
            f"The bundle has schema version {version}; this keras_seq reads up to {SCHEMA_VERSION}. "
            "Upgrade keras_seq: `pip install --upgrade keras_seq`."
        )


def _read_model(fields: Fields) -> dict[str, Any]:
    model = Fields(fields.get("model", dict), "model")
    model.text("class")
    model.integer("parameters")
    model.text("dtype_policy")
    return fields.get("model", dict)


def _read_onnx(fields: Fields) -> dict[str, Any] | None:
    value = fields.get("onnx", dict, optional=True)
    if value is not None:
        onnx = Fields(value, "onnx")
        onnx.integer("opset", minimum=1)
        onnx.integer("ir_version", minimum=1)
        onnx.text("min_onnxruntime")
        onnx.get("portable", bool, optional=True)
    return value


def _read_saved_model(fields: Fields) -> dict[str, Any] | None:
    value = fields.get("saved_model", dict, optional=True)
    if value is not None:
        saved_model = Fields(value, "saved_model")
        check_relative(saved_model.text("path"), "saved_model.path")
        saved_model.get("signatures", list)
    return value


def _read_layer(value: Any, where: str) -> dict[str, Any]:
    layer = Fields(value, where)
    layer.text("name")
    layer.text("class")
    lowering = layer.text("lowering")
    if lowering not in LOWERINGS:
        layer.refuse("lowering", f"one of {listed(LOWERINGS)}", lowering)
    layer.table_of("operators", int)
    layer.get("reason", str, optional=True)
    return value


def _read_comparison(value: Any, where: str) -> dict[str, Any]:
    row = Fields(value, where)
    for name in ("reference", "candidate", "output"):
        row.text(name)
    row.integer("cases")
    for name in ("max_abs_diff", "max_rel_diff", "atol", "rtol"):
        row.get(name, float)
    row.get("passed", bool)
    return value


def _read_quantization(value: Any, where: str) -> dict[str, Any]:
    found = Fields(value, where)
    for name in ("measured_on", "processor"):
        found.text(name)
    for name in ("sizes", "layers"):
        found.get(name, dict)
    for name in ("unknown", "accuracy", "metrics", "kept_float", "sensitivity"):
        found.get(name, list)
    return value


def _read_labels(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not value:
        raise BundleError(f"bundle.json: `{where}` must be a list of at least one label. Received: {shorten(value)}.")
    return [read_string(label, f"{where}[{i}]") for i, label in enumerate(value)]


@dataclass(frozen=True)
class Manifest:
    """Everything `bundle.json` says. The fields are those of docs/bundle.md, under the same names.

    Attributes:
        name: The model's name.
        created: Time of the export, ISO 8601, UTC.
        model: `class`, `parameters`, `dtype_policy`.
        versions: Package name to version, of everything that took part.
        graphs: Graph name (`"model"`, `"step"`, `"generate"`) to its entry; empty for a bundle without ONNX.
        files: Relative path to size and digest, for every file but `bundle.json`.
        onnx: `opset`, `ir_version`, `min_onnxruntime`, `portable`; None without ONNX.
        saved_model: `path`, `signatures`; None without a SavedModel.
        layers: One object a layer that is recurrent or attends: `name`, `class`, `lowering`, `operators`, `reason`.
        parity: One object a comparison: `reference`, `candidate`, `output`, `cases`, `max_abs_diff`, `max_rel_diff`,
            `atol`, `rtol`, `passed`.
        metadata: Whatever the exporter's caller gave: task, labels, vocabularies.
        tokenizers: Input name to the tokenizer of its texts; `"target"` for what `generate` gives, where that differs.
        labels: Output name to what the entries of its last axis stand for.
        quantization: Name of a quantised variant to what it was tried on and what it loses: `measured_on`, `unknown`,
            `processor`, `sizes`, `accuracy`, `metrics`, `kept_float`, `sensitivity`, `layers`.
    """

    name: str
    created: str
    model: dict[str, Any]
    versions: dict[str, str]
    graphs: dict[str, GraphSpec]
    files: dict[str, FileSpec]
    onnx: dict[str, Any] | None = None
    saved_model: dict[str, Any] | None = None
    layers: list[dict[str, Any]] = field(default_factory=list)
    parity: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    tokenizers: dict[str, TokenizerSpec] = field(default_factory=dict)
    labels: dict[str, list[str]] = field(default_factory=dict)
    quantization: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def schema_version(self) -> int:
        """The oldest schema that has everything said here: 2 where a graph takes or gives strings, else 1."""
        return 2 if any(graph.text is not None for graph in self.graphs.values()) else 1

    @classmethod
    def from_dict(cls, value: Any) -> "Manifest":
        """Read a manifest from parsed JSON.

        Raises:
            BundleError: If it is no manifest, of a newer schema, or a field is missing or not what the schema says.
        """
        _check_version(value)
        fields = Fields(value)
        files = fields.map_of("files", FileSpec.from_dict)
        for name in files:
            check_relative(name, "files")
        graphs = fields.map_of("graphs", GraphSpec.from_dict)
        for name, graph in graphs.items():
            places = {"file": graph.file} | {f"variants.{v}.file": spec.file for v, spec in graph.variants.items()}
            for place, file in places.items():
                if file not in files:
                    fields.refuse(f"graphs.{name}.{place}", "one of the names in `files`", file)
        tokenizers = fields.map_of("tokenizers", TokenizerSpec.from_dict, optional=True)
        for name, tokenizer in tokenizers.items():
            if tokenizer.file not in files:
                fields.refuse(f"tokenizers.{name}.file", "one of the names in `files`", tokenizer.file)
        return cls(
            name=fields.text("name"),
            created=fields.text("created"),
            model=_read_model(fields),
            versions=fields.table_of("versions", str),
            graphs=graphs,
            files=files,
            onnx=_read_onnx(fields),
            saved_model=_read_saved_model(fields),
            layers=fields.list_of("layers", _read_layer),
            parity=fields.list_of("parity", _read_comparison),
            metadata=fields.get("metadata", dict),
            tokenizers=tokenizers,
            labels=fields.map_of("labels", _read_labels, optional=True),
            quantization=fields.map_of("quantization", _read_quantization, optional=True),
        )

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """Read a manifest from the text of `bundle.json`.

        Raises:
            BundleError: If the text is not JSON, or `from_dict` refuses it.
        """
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise BundleError(
                f"bundle.json is not JSON: {error}. It is damaged or cut short: export the model again, or copy the "
                "bundle anew from where it is whole."
            ) from error
        return cls.from_dict(value)

    def to_dict(self) -> dict[str, Any]:
        """The manifest as JSON has it, in the order of docs/bundle.md; what may be absent only where there is any."""
        optional = {
            "tokenizers": {name: spec.to_dict() for name, spec in self.tokenizers.items()},
            "labels": {name: list(labels) for name, labels in self.labels.items()},
            "quantization": self.quantization,
        }
        return {
            "schema_version": self.schema_version,
            "name": self.name,
            "created": self.created,
            "model": self.model,
            "versions": self.versions,
            "onnx": self.onnx,
            "graphs": {name: graph.to_dict() for name, graph in self.graphs.items()},
            "saved_model": self.saved_model,
            "layers": self.layers,
            "parity": self.parity,
            **{name: value for name, value in optional.items() if value},
            "metadata": self.metadata,
            "files": {name: spec.to_dict() for name, spec in self.files.items()},
        }

    def to_json(self) -> str:
        """The text of `bundle.json`.

        Raises:
            BundleError: If a value has no place in JSON (an array, NaN, infinity), naming the field.
        """
        value = self.to_dict()
        for name, part in value.items():
            try:
                json.dumps(part, allow_nan=False)
            except (TypeError, ValueError) as error:
                raise BundleError(
                    f"`{name}` cannot be written to bundle.json: {error}. Give it strings, finite numbers, true, "
                    "false, null, lists and objects only."
                ) from error
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
