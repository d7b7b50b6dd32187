"""The picture of how far back networks remember."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

MARKERS = "os^Dvp"


def draw_curves(
    path: Path,
    distances: Sequence[int],
    gradients: Mapping[str, Sequence[float]],
    accuracies: Mapping[str, Sequence[float]],
) -> None:
    """Draws, over the distance between subject and verb, the gradient before training and the accuracy after it.

    Args:
        path: The PNG file to write.
        distances: In words.
        gradients: By the name of the network, the norm of the gradient at the subject for each distance.
        accuracies: By the name of the network, the share of right verbs for each distance.
    """
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a screen
    before, after = figure.subplots(1, 2)
    for axes, curves in ((before, gradients), (after, accuracies)):
        for (name, values), marker in zip(curves.items(), MARKERS, strict=False):
            axes.plot(distances, values, marker=marker, label=name, alpha=0.8)
        axes.set_xscale("log", base=2)
        axes.set_xticks(distances, [str(distance) for distance in distances])
        axes.minorticks_off()
        axes.set_xlabel("words between subject and verb")
        axes.grid(color="0.9")
    before.set_yscale("log")
    before.set_title("Gradient of the loss at the subject, before training")
    after.set_ylim(0.4, 1.03)
    after.axhline(0.5, color="0.6", linestyle="--")
    after.set_title("Right verbs after training (one half is guessing)")
    after.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
