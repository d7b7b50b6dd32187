"""One bundle as the site has it: the files that the page needs, and what the page is told of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from keras_seq.serving.bundle import MANIFEST_FILE, Bundle
from keras_seq.serving.errors import BundleError, listed
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.manifest import Manifest
from keras_seq.serving.site.operators import check_operators
from keras_seq.serving.text.text_task import TextTask, example_texts, text_tasks

FLOAT = "float"
"""What the graph itself is called among its variants."""

_STEP = "step"
_ORT = "ort"  # of a variant in ONNX Runtime's own format, which only a caller who names it gets


@dataclass(frozen=True)
class SiteModel:
    """A bundle of the site.

    Attributes:
        name: Under which the page offers it.
        bundle: The bundle that is copied from.
        manifest: Of the copy: its graphs, variants and files are those that the page needs. None where it needs none.
        tasks: What the page can do with it; empty for a bundle of numbers alone, which the page only lists.
        variants: The names a visitor may choose from, the default first.
    """

    name: str
    bundle: Bundle
    manifest: Manifest | None
    tasks: Mapping[str, TextTask]
    variants: tuple[str, ...]

    @classmethod
    def read(cls, name: str, path: str | Path, variants: Sequence[str] = ()) -> "SiteModel":
        """Reads the bundle in folder `path`, and checks that a browser can run it.

        Args:
            name: Under which the page is to offer it.
            path: The bundle's folder.
            variants: Those that a visitor may choose from, the default first, `"float"` for the graph itself; by
                default that and each that is no file in ONNX Runtime's own format.

        Raises:
            BundleError: If it is no bundle, lacks one of the variants, or a graph has an operator that browsers lack.
        """
        bundle = Bundle.load(path)
        tasks = text_tasks(bundle)
        graphs = {task.graph: bundle.graph(task.graph) for task in tasks.values()}
        if any(task.streams for task in tasks.values()):
            graphs[_STEP] = bundle.graph(_STEP)
        if not graphs:
            return cls(name, bundle, None, {}, ())
        chosen = tuple(dict.fromkeys(variants)) or _of_itself(graphs)
        try:
            _check_variants(graphs, chosen)
            for graph, spec in graphs.items():
                check_operators(bundle.file(spec.file), graph)
                for variant in chosen:
                    if variant in spec.variants and spec.variants[variant].file.endswith(".onnx"):
                        check_operators(bundle.file(spec.variants[variant].file), f"{graph} ({variant})")
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from error
        return cls(name, bundle, _reduced(bundle.manifest, graphs, chosen), tasks, chosen)

    @property
    def card(self) -> dict[str, Any]:
        """What `GET /v1/models` of a server says of the model."""
        return {
            "name": self.name,
            "version": "1",
            "versions": ["1"],
            "examples": example_texts(self.bundle),
            "tasks": [task.card() for task in self.tasks.values()],
        }

    def entry(self) -> dict[str, Any]:
        """What the page is told: the card, and how each task is done; `routes` is no part of the card."""
        routes = {
            task.name: {"graph": task.graph, "inputs": list(task.inputs), "end_id": task.end_id}
            for task in self.tasks.values()
        }
        sizes = {variant: self._bytes(variant) for variant in self.variants}
        return {"card": self.card, "routes": routes, "variants": list(self.variants), "bytes": sizes}

    def _bytes(self, variant: str) -> int:
        """What a visitor loads of it, the manifest left aside."""
        return sum(self.manifest.files[name].bytes for name in self.files_of(variant) if name != MANIFEST_FILE)

    def write(self, folder: Path):
        """Copies what the page needs into the empty folder `folder`."""
        for name in self.manifest.files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(self.bundle.file(name).read_bytes())
        (folder / MANIFEST_FILE).write_text(self.manifest.to_json(), encoding="utf-8")

    def files_of(self, variant: str) -> list[str]:
        """The files that a visitor loads who chose `variant`, the manifest among them."""
        graphs = [
            graph.variants[variant].file if variant in graph.variants else graph.file
            for graph in self.manifest.graphs.values()
        ]
        return [MANIFEST_FILE, *graphs, *(spec.file for spec in self.manifest.tokenizers.values())]


def _of_itself(graphs: Mapping[str, GraphSpec]) -> tuple[str, ...]:
    names = dict.fromkeys(name for graph in graphs.values() for name in graph.variants)
    return (FLOAT, *(name for name in names if _ORT not in name.split(".")))


def _check_variants(graphs: Mapping[str, GraphSpec], chosen: Sequence[str]):
    there = [FLOAT, *dict.fromkeys(name for graph in graphs.values() for name in graph.variants)]
    unknown = [name for name in chosen if name not in there]
    if unknown:
        raise BundleError(f"there is no variant {unknown[0]!r}. The bundle has: {listed(there)}.")


def _reduced(manifest: Manifest, graphs: Mapping[str, GraphSpec], chosen: Sequence[str]) -> Manifest:
    """The manifest of what is copied: it lists every file that is there, and none that is not."""
    kept = {name: _of_variants(spec, chosen) for name, spec in graphs.items()}
    inputs = {spec.name for graph in kept.values() for spec in graph.inputs}
    outputs = {spec.name for graph in kept.values() for spec in graph.outputs}
    tokenizers = {name: spec for name, spec in manifest.tokenizers.items() if name in inputs or name == "target"}
    files = [file for graph in kept.values() for file in graph.files]
    files += [spec.file for spec in tokenizers.values()]
    return replace(
        manifest,
        graphs=kept,
        files={name: manifest.files[name] for name in dict.fromkeys(files)},
        saved_model=None,
        parity=[],  # comparisons with files that are not there
        tokenizers=tokenizers,
        labels={name: labels for name, labels in manifest.labels.items() if name in outputs},
    )


def _of_variants(graph: GraphSpec, chosen: Sequence[str]) -> GraphSpec:
    """The graph with the variants chosen; the first of them stands in for the graph where that is not among them."""
    there = [name for name in chosen if name in graph.variants]
    if FLOAT not in chosen and there:
        graph = replace(graph.of_variant(there[0]), variants=graph.variants)
    return replace(graph, variants={name: graph.variants[name] for name in there})
