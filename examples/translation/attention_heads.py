"""What every head of a transformer attends to, as one picture: a map a head, a row a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

INCHES_A_WORD = 0.17
FONT_SIZE = 8


@dataclass(frozen=True)
class HeadMaps:
    """The heads of one kind of attention.

    Args:
        title: What stands above them.
        weights: `(layers, heads, queries, keys)`; what a query attends to has the sum 1.
        queries: The words that attend, down the side.
        keys: The words that are attended to, along the top.

    Raises:
        ValueError: If the weights do not go with the words.
    """

    title: str
    weights: np.ndarray
    queries: Sequence[str]
    keys: Sequence[str]

    def __post_init__(self):
        expected = len(self.queries), len(self.keys)
        if self.weights.ndim != 4 or self.weights.shape[2:] != expected:
            raise ValueError(
                f"There must be a weight for each layer, head, query and key, shape (layers, heads, {expected[0]}, "
                f"{expected[1]}). Received: {self.weights.shape}."
            )

    @property
    def inches(self) -> tuple[float, float]:
        """Width and height, the words included."""
        layers, heads, queries, keys = self.weights.shape
        along, down = (0.085 * max(map(len, words)) for words in (self.keys, self.queries))
        gap = 0.12
        width = 0.4 + down + heads * (gap + INCHES_A_WORD * keys)
        return width, 0.75 + along + layers * (gap + INCHES_A_WORD * queries)


def draw_attention_heads(path: Path, kinds: Sequence[HeadMaps], title: str) -> None:
    """Draws the heads of several kinds of attention below each other, the darker the larger the weight.

    Args:
        path: The PNG file to write.
        kinds: The kinds of attention.
        title: What stands above all.
    """
    widths, heights = zip(*(kind.inches for kind in kinds), strict=True)
    figure = Figure(figsize=(max(widths) + 0.9, sum(heights) + 0.5), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a screen
    parts = figure.subfigures(len(kinds), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, kind in zip(parts, kinds, strict=True):
        _draw_kind(part, kind)
    figure.suptitle(title)
    figure.savefig(path, dpi=120)


def _draw_kind(part: SubFigure, kind: HeadMaps) -> None:
    layers, heads, queries, keys = kind.weights.shape
    every = part.subplots(layers, heads, squeeze=False)
    for layer, row in enumerate(every):
        for head, axes in enumerate(row):
            image = axes.imshow(kind.weights[layer, head], cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal")
            axes.tick_params(
                length=0, labelsize=FONT_SIZE, top=True, labeltop=layer == 0, bottom=False, labelbottom=False
            )
            axes.set_xticks(range(keys), kind.keys, rotation=90)
            axes.set_yticks(range(queries), kind.queries if head == 0 else [""] * queries)
            axes.set_xticks(np.arange(keys + 1) - 0.5, minor=True)
            axes.set_yticks(np.arange(queries + 1) - 0.5, minor=True)
            axes.grid(which="minor", color="0.9", linewidth=0.4)
            axes.tick_params(which="minor", length=0)
            if layer == 0:
                axes.set_title(f"head {head + 1}", fontsize=FONT_SIZE)
        row[0].set_ylabel(f"layer {layer + 1}", fontsize=FONT_SIZE + 1)
    part.suptitle(kind.title, fontsize=FONT_SIZE + 2)
    part.colorbar(image, ax=every, label="attention", shrink=0.6, aspect=25)
