"""The option of the command lines; here, because the exporter itself needs Keras, which takes seconds to load."""

from __future__ import annotations

import argparse

VARIANTS = ("int8", "fp16")


def add_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--quantize`."""
    parser.add_argument(
        "--quantize", choices=VARIANTS, help="what to make the weights of a variant of the bundle (default: no variant)"
    )
