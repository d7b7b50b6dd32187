"""A bundle on disk: its manifest, read and checked, and the places of its files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_seq.serving.errors import BundleError, listed
from keras_seq.serving.file_spec import FileSpec
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.manifest import SCHEMA_VERSION, Manifest
from keras_seq.serving.tensor_spec import StateSpec, TensorSpec

MANIFEST_FILE = "bundle.json"

__all__ = [
    "MANIFEST_FILE",
    "SCHEMA_VERSION",
    "Bundle",
    "FileSpec",
    "GraphSpec",
    "Manifest",
    "StateSpec",
    "TensorSpec",
]


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk, as docs/bundle.md describes it; make one with `Bundle.load`.

    Attributes:
        path: The bundle's folder.
        manifest: What its `bundle.json` says.

    Example:
        ```python
        bundle = Bundle.load("out/tagger")
        print(bundle.manifest.name, *bundle.graph("model").inputs)
        ```
    """

    path: Path
    manifest: Manifest

    @classmethod
    def load(cls, path: str | Path, check_files: bool = True) -> "Bundle":
        """Read the bundle in folder `path`.

        Args:
            path: The folder that holds `bundle.json`.
            check_files: Compare size and SHA-256 of every file the manifest lists, `saved_model/` included. Without it
                a part of the bundle that is not needed may be left out, if one file of a graph is there, its own or a
                variant's; one that is asked for and not there is named then.

        Raises:
            BundleError: If `path` is not a bundle, its manifest is damaged or from a newer schema (naming the
                field), or a file is missing, truncated or altered (naming the file).
        """
        path = Path(path)
        try:
            text = (path / MANIFEST_FILE).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError) as error:
            what = "does not exist" if not path.exists() else "is not a folder" if not path.is_dir() else None
            raise BundleError(
                f"{path} {what or f'is not a bundle: it has no {MANIFEST_FILE}'}. "
                "Give the folder that `keras_seq.export.export_model` wrote."
            ) from error
        except UnicodeDecodeError as error:
            raise BundleError(f"{path / MANIFEST_FILE} is not UTF-8 text: {error}. Export the model again.") from error
        except OSError as error:
            raise BundleError(f"{path / MANIFEST_FILE} cannot be read: {error}.") from error
        try:
            manifest = Manifest.from_json(text)
            bundle = cls(path, manifest)
            if check_files:
                bundle.check_files()
            graphs = [file for graph in manifest.graphs.values() for file in graph.files]
            if graphs and not any(bundle.file(file).is_file() for file in graphs):
                manifest.files[graphs[0]].check(bundle.file(graphs[0]), graphs[0])
        except (BundleError, OSError) as error:  # such as a file that may not be read
            raise BundleError(f"{path}: {error}") from error
        return bundle

    @property
    def metadata(self) -> dict[str, Any]:
        """What the exporter's caller gave along: task, labels, vocabularies."""
        return self.manifest.metadata

    def file(self, name: str) -> Path:
        """Where the bundle's file `name` (relative to the bundle) lies."""
        return self.path / name

    def check_files(self):
        """Compare size and SHA-256 of every file the manifest lists.

        Raises:
            BundleError: If a file is missing, truncated or altered, naming it.
        """
        for name, spec in self.manifest.files.items():
            spec.check(self.file(name), name)

    def graph(self, name: str) -> GraphSpec:
        """The entry of graph `name`.

        Raises:
            BundleError: If the bundle has no such graph; the message lists those it has.
        """
        if name not in self.manifest.graphs:
            how = {
                "step": " Export the model with `streaming=True`.",
                "model": " Export the model with 'onnx' among `formats`.",
                "generate": " Export a model that decodes, with `generate=` and a strategy such as BeamSearch().",
            }
            if name == "model" and "generate" in self.manifest.graphs:
                how["model"] = " Give graph='generate'."
            raise BundleError(
                f"{self.path} has no graph {name!r}. It has: {listed(self.manifest.graphs)}.{how.get(name, '')}"
            )
        return self.manifest.graphs[name]

    def __str__(self) -> str:
        return f"bundle {self.manifest.name!r} in {self.path} (graphs: {listed(self.manifest.graphs)})"
