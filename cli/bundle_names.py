"""Bundles on the command line, each under a name: `[NAME=]BUNDLE`."""

from collections.abc import Sequence
from pathlib import Path

from keras_seq.cli.errors import CommandError


def named_bundles(texts: Sequence[str]) -> dict[str, Path]:
    """The folders of bundles by the names that they are offered under: the folder's, unless another is given.

    Args:
        texts: What stands on the command line.

    Raises:
        CommandError: If one is no bundle, or two have the same name.
    """
    named: dict[str, Path] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not equals or Path(text).exists():
            name, folder = Path(text).resolve().name, text
        if not (Path(folder) / "bundle.json").is_file():
            raise CommandError(f"{folder} is no bundle: it has no bundle.json. `keras-seq export` writes bundles.")
        if name in named:
            raise CommandError(f"two bundles are called {name}. Give one another name: NAME={folder}")
        named[name] = Path(folder)
    return named
