"""Shows how far back recurrent networks remember, and what clips gradients that explode.

    python examples/vanishing_gradients.py                    about two minutes on two cores
    python examples/vanishing_gradients.py --distances 5 50   other distances, in words

"The cat, which already ate ..., was full", but "the cats, which already ate ..., were full": the form of the verb
depends on a subject that may be many words away, with nouns of either number between them. Each network is trained anew
at each distance. The parts are in `language_modelling/`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from tag import quiet_standard_error

from language_modelling.agreement import SHORTEST, VERBS, WORDS, sentences
from language_modelling.choices import NETWORKS
from tagging.terminal import heading


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: The arguments; those of the process where None.
        console: Where to print; standard output where None.

    Returns:
        The exit code, 0.
    """
    options = parse(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return run(options, console or Console(highlight=False))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--distances",
        type=int,
        nargs="+",
        default=[5, 10, 20, 40, 80],
        metavar="WORDS",
        help="how many words stand between subject and verb (default: 5 10 20 40 80)",
    )
    parser.add_argument(
        "--picture",
        type=Path,
        default=Path("out/vanishing_gradients.png"),
        help="the PNG file to write (default: %(default)s)",
    )
    parser.add_argument(
        "--steps", type=int, default=300, help="batches of 64 sentences for each training (default: %(default)s)"
    )
    parser.add_argument("--units", type=int, default=32, help="the width of the networks (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=8, help="of the exploding network (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="the seed of everything random (default: %(default)s)")
    options = parser.parse_args(arguments)
    for name in ("steps", "units", "epochs"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1. Received: {getattr(options, name)}.")
    if min(options.distances) < SHORTEST or sorted(set(options.distances)) != options.distances:
        parser.error(
            f"--distances must rise, and be at least {SHORTEST}. Received: {' '.join(map(str, options.distances))}."
        )
    return options


def run(options: argparse.Namespace, console: Console) -> int:
    """Does both experiments, one after the other.

    Args:
        options: The command line's options.
        console: Where to print.

    Returns:
        The exit code.
    """
    start = time.perf_counter()
    heading(console, "Sentences")
    for distance in options.distances[:2]:
        ids, verbs = sentences(2, distance, np.random.default_rng(options.seed))
        for row, verb in zip(ids, verbs, strict=True):
            console.print(f"  {' '.join(WORDS[index] for index in row)} [bold]{VERBS[int(verb)]}[/] ...")
    with console.status("loading Keras"), quiet_standard_error():
        import keras  # noqa: F401  # only now, so that a mistake in the options is told at once

        import language_modelling.explosion
        import language_modelling.memory  # noqa: F401

    heading(console, "Gradients that vanish")
    vanish(options, console)
    heading(console, "Gradients that explode")
    explode(options, console)
    console.print()
    console.print(f"Both experiments took {time.perf_counter() - start:.0f} s.")
    return 0


def vanish(options: argparse.Namespace, console: Console) -> None:
    """Trains every network at every distance, prints how it went, and draws it."""
    from language_modelling.curves import draw_curves
    from language_modelling.memory import Outcome, remember

    distances = options.distances
    outcomes: dict[str, list[Outcome]] = {}
    settings = {name: getattr(options, name) for name in ("units", "steps", "seed")}
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("", total=len(NETWORKS) * len(distances))
        for network in NETWORKS:
            outcomes[network] = []
            for distance in distances:
                progress.update(bar, description=f"{network}, {distance} words")
                outcomes[network].append(remember(network, distance, longest=max(distances), **settings))
                progress.advance(bar)
    titles = {
        "Norm of the loss' gradient at the subject, before training": lambda outcome: f"{outcome.gradient:.0e}",
        "Right verbs after training; 0.5 is guessing": lambda outcome: f"{outcome.accuracy:.3f}",
        "Batches until nothing was left to learn": lambda outcome: (
            f"{outcome.steps}" if outcome.steps < options.steps else f"all {outcome.steps}"
        ),
    }
    for title, text in titles.items():
        table = Table("words between subject and verb", title=title, title_justify="left")
        for distance in distances:
            table.add_column(str(distance), justify="right")
        for network, row in outcomes.items():
            table.add_row(network, *map(text, row))
        console.print(table)
    gradients, accuracies = (
        {network: [getattr(outcome, name) for outcome in row] for network, row in outcomes.items()}
        for name in ("gradient", "accuracy")
    )
    draw_curves(options.picture, distances, gradients, accuracies)
    console.print(f"{options.picture}: both as curves")


def explode(options: argparse.Namespace, console: Console) -> None:
    """Trains a network whose gradients explode, without clipping and with it, and prints how that went."""
    from language_modelling.explosion import CLIP, DISTANCE, GAIN, train_exploding

    with console.status("training"):
        trainings = {
            name: train_exploding(clip, epochs=options.epochs, seed=options.seed)
            for name, clip in (("as they are", None), (f"clipped to {CLIP:g}", CLIP))
        }
    console.print(
        f"Rectified units that repeat what they hold, {GAIN:g} times as large at each of {DISTANCE} words "
        f"({GAIN:g}^{DISTANCE} = {GAIN**DISTANCE:.0f}); SGD."
    )
    table = Table("gradients", "epoch")
    for column in ("largest norm", "loss", "right verbs"):
        table.add_column(column, justify="right")
    for name, training in trainings.items():
        rows = zip(training.norms, training.losses, training.accuracies, strict=True)
        for epoch, (norm, loss, accuracy) in enumerate(rows, 1):
            table.add_row(name, str(epoch), f"{norm:.1e}", f"{loss:.3f}", f"{accuracy:.3f}")
        if training.failure:
            table.add_row(name, f"[red]{training.failure}")
    console.print(table)
    console.print(
        "A step as long as an exploding gradient lands where numbers overflow, or where all units are off and stay so. "
        "A clipped one goes the same way, but not as far."
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
