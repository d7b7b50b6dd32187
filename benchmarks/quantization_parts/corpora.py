"""Texts and pairs of sentences to train on, by the readers of the examples."""

import sysconfig
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

import keras_seq
from language_modelling.streams import one_stream
from language_modelling.texts import load_texts
from translation.corpus import PairCorpus, load_pairs

HELD_OUT_SHARE = 11  # one file of the standard library in so many is held out
MIN_COUNT = 10  # of a character
MASKED_SHARE = 0.15


class Characters:
    """A text by character, to learn from and held out.

    Args:
        data: A folder that has `language_model/`; None for the sources of Python's standard library.
        limit: The most characters to learn from; a sixteenth as many are held out.

    Attributes:
        description: What was read.
        tokenizer: Of its characters.
        train_ids: int32 `(tokens,)`.
        held_out_ids: int32 `(tokens,)`.
    """

    def __init__(self, data: Path | None, limit: int):
        if data is None:
            paths = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
            texts = [path.read_text(encoding="utf-8", errors="replace") for path in paths]
            held_out = texts[::HELD_OUT_SHARE]
            train = [text for index, text in enumerate(texts) if index % HELD_OUT_SHARE]
            self.description = f"{len(paths)} files of Python's standard library"
        else:
            corpus = load_texts(data / "language_model", "char")
            train, held_out, self.description = corpus.train.texts, corpus.dev.texts, corpus.description
        self.tokenizer = keras_seq.CharTokenizer.from_lines(train, min_count=MIN_COUNT)
        self.train_ids = one_stream(self.tokenizer, train)[:limit]
        self.held_out_ids = one_stream(self.tokenizer, held_out)[: max(1, limit // 16)]

    @property
    def mask_id(self) -> int:
        """The id that stands for a hidden character, behind those of the tokenizer."""
        return self.tokenizer.vocabulary_size


class MaskedCharacters(keras.utils.PyDataset):
    """Rows of a text with some characters hidden: inputs, the text, and weights that are 1 where it is hidden.

    Args:
        ids: The text.
        mask_id: What stands for a hidden character.
        rows: Of a batch.
        steps: Of a row.
        seed: Of the draws.
    """

    def __init__(self, ids: np.ndarray, mask_id: int, rows: int, steps: int, seed: int):
        super().__init__()
        count = len(ids) // (rows * steps)
        self._batches = ids[: count * rows * steps].reshape(count, rows, steps)
        self._mask_id, self._random = mask_id, np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Draws a new order and what is hidden."""
        self._order = self._random.permutation(len(self._batches))
        self._hidden = self._random.random(self._batches.shape) < MASKED_SHARE

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        batch, hidden = self._batches[self._order[index]], self._hidden[index]
        return np.where(hidden, np.int32(self._mask_id), batch), batch, hidden.astype("float32")

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """All of them once, the same whenever asked."""
        return map(self.__getitem__, range(len(self)))


def pairs(data: Path | None, limit: int) -> PairCorpus:
    """Pairs of sentences.

    Args:
        data: A folder that has `translation/`; None for phrases that come with the Babel package.
        limit: The most pairs to learn from.
    """
    return load_pairs(None if data is None else data / "translation", limit)
