"""What `split` and `punctuation` mean, for the tokenizers that cut texts into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_seq.text.checks import check_choice
from keras_seq.text.code_points import class_table


def check_splitting(split: Any, punctuation: Any) -> tuple[str, str]:
    """Checks the two settings.

    Args:
        split: `"words"` or `"whitespace"`.
        punctuation: `"split"`, `"remove"` or `"keep"`; `None` for what goes with `split`.

    Returns:
        Both, neither of them `None`.

    Raises:
        ValueError: If one is something else, or they do not go together.
    """
    split = check_choice("split", split, ("words", "whitespace"))
    punctuation = ("split" if split == "words" else "keep") if punctuation is None else punctuation
    punctuation = check_choice("punctuation", punctuation, ("split", "remove", "keep"))
    if split == "whitespace" and punctuation != "keep":
        raise ValueError(
            f'`split="whitespace"` goes with `punctuation="keep"` alone. Received: punctuation={punctuation!r}.'
        )
    return split, punctuation


def splitting_rules(punctuation: str) -> list[str]:
    """The names of the rules that splitting needs."""
    return ["whitespace", *(["punctuation"] if punctuation != "keep" else [])]


def splitting_table(rules: Mapping[str, Sequence[Sequence[int]]], punctuation: str) -> tuple[np.ndarray, np.ndarray]:
    """The `class_table` that splits so.

    Args:
        rules: Ranges of code points by name; at least those of `splitting_rules`.
        punctuation: `"split"`, `"remove"` or `"keep"`.
    """
    marks = rules.get("punctuation", [])
    if punctuation == "remove":
        return class_table([*rules["whitespace"], *marks])
    return class_table(rules["whitespace"], alone=marks)
