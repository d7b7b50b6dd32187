"""What a site weighs."""

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Weight:
    """The size of some files.

    Attributes:
        bytes: As they are.
        gzip_bytes: As most servers send them: each packed by gzip, level 6.
    """

    bytes: int = 0
    gzip_bytes: int = 0

    @classmethod
    def of(cls, *paths: Path) -> "Weight":
        """Measures files."""
        contents = [path.read_bytes() for path in paths]
        return cls(sum(map(len, contents)), sum(len(gzip.compress(content, 6, mtime=0)) for content in contents))

    def __add__(self, other: "Weight") -> "Weight":
        return Weight(self.bytes + other.bytes, self.gzip_bytes + other.gzip_bytes)

    def to_dict(self) -> dict[str, int]:
        """As JSON has it."""
        return {"bytes": self.bytes, "gzip_bytes": self.gzip_bytes}


@dataclass(frozen=True)
class SiteReport:
    """What was written.

    Attributes:
        path: The site's folder.
        runtime_version: Of onnxruntime-web; empty where its folder does not say.
        page: HTML, styles and programs of the page.
        client: The JavaScript runtime of keras_seq.
        runtime: onnxruntime-web for WebAssembly.
        webgpu: onnxruntime-web for graphics processors, which replaces the former where it is chosen; None without.
        models: Model name to variant to what a visitor loads of it; empty for one of numbers alone.
    """

    path: Path
    runtime_version: str
    page: Weight
    client: Weight
    runtime: Weight
    webgpu: Weight | None = None
    models: dict[str, dict[str, Weight]] = field(default_factory=dict)

    @property
    def first_visit(self) -> Weight:
        """What everything weighs that is kept on the visitor's device: each model in its default variant."""
        defaults = [next(iter(variants.values())) for variants in self.models.values() if variants]
        return sum(defaults, self.page + self.client + self.runtime)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "path": str(self.path),
            "onnxruntime_web": self.runtime_version,
            "page": self.page.to_dict(),
            "client": self.client.to_dict(),
            "runtime": self.runtime.to_dict(),
            "webgpu": None if self.webgpu is None else self.webgpu.to_dict(),
            "models": {
                name: {variant: weight.to_dict() for variant, weight in variants.items()}
                for name, variants in self.models.items()
            },
            "first_visit": self.first_visit.to_dict(),
        }
