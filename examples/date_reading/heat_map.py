"""The attention as a picture: what of the source each written character looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INCHES_A_TOKEN = 0.3
SPACES = str.maketrans({" ": "\u2423", "\u00a0": "\u2423", "\u202f": "\u2423"})  # an open box, which can be seen


def can_be_drawn(text: str) -> bool:
    """Whether a text is in the letters of Western and Central Europe, which every font of Matplotlib has.

    Example:
        >>> can_be_drawn("4. března 2021"), can_be_drawn("2021年3月4日")
        (True, False)
    """
    return all(ord(character) < 0x250 for character in text)


def draw_heat_map(path: Path, weights: np.ndarray, source: Sequence[str], target: Sequence[str], title: str) -> None:
    """Draws attention weights, the darker the larger.

    Args:
        path: The PNG file to write.
        weights: `(target, source)`, each row with the sum 1.
        source: The tokens of the source, along the top.
        target: The tokens that were generated, down the side.
        title: What stands above.

    Raises:
        ValueError: If the weights do not go with the tokens.
    """
    if weights.shape != (len(target), len(source)):
        raise ValueError(
            f"There must be a weight for each target and source token, shape {(len(target), len(source))}. "
            f"Received: {weights.shape}."
        )
    width, height = (INCHES_A_TOKEN * len(tokens) for tokens in (source, target))
    figure = Figure(figsize=(width + 2.0, height + 1.6), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a screen
    axes = figure.add_subplot()
    image = axes.imshow(weights, cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal")
    axes.set_xticks(range(len(source)), [token.translate(SPACES) for token in source], family="DejaVu Sans")
    axes.set_yticks(range(len(target)), [token.translate(SPACES) for token in target], family="DejaVu Sans")
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    for label, token in zip(axes.get_xticklabels(), source, strict=True):
        label.set_rotation(90 if len(token) > 1 else 0)  # the language's tag is too wide for its column
    axes.set_xlabel("source: the language, then what is written")
    axes.set_ylabel("generated")
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(len(source) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(target) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    figure.suptitle(title, family="DejaVu Sans")
    figure.colorbar(image, ax=axes, label="attention", shrink=0.8)
    figure.savefig(path, dpi=120)
