"""Texts as one long row of ids, and its windows to learn from."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

import keras_seq
from language_modelling.texts import END_ID, START_ID


def one_stream(tokenizer: Any, texts: list[str]) -> np.ndarray:
    """The ids of texts one after the other, the end token behind each.

    Args:
        tokenizer: Of `keras_seq`.
        texts: The texts.

    Returns:
        int32 `(tokens,)`.
    """
    return np.concatenate([np.asarray(ids, "int32") for ids in tokenizer.encode(texts, add_start=False, add_end=True)])


class Windows(keras.utils.PyDataset):
    """The windows of `keras_seq.text_windows`, in which every text begins behind the start token, as sentences do.

    Args:
        ids: Of `one_stream`.
        batch_size: How many streams the text is cut into.
        steps: How many tokens a window has.
    """

    def __init__(self, ids: np.ndarray, batch_size: int, steps: int):
        super().__init__()
        self.windows = keras_seq.text_windows(ids, batch_size, steps)

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        before, ids = self.windows[index]
        return np.where(before == END_ID, np.int32(START_ID), before), ids
