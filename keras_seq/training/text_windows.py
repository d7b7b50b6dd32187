"""Long text in windows, for truncated back-propagation through time."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


class TextWindows(keras.utils.PyDataset):
    """Windows of a text, made by `text_windows`: `(ids_in, ids)`, each `(batch_size, steps)`."""

    def __init__(self, streams: np.ndarray, steps: int, start_id: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.streams = streams
        self.steps = steps
        self.start_id = start_id

    def __len__(self) -> int:
        return -(-self.streams.shape[1] // self.steps)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Window number `index` of every stream."""
        first = index * self.steps
        targets = self.streams[:, first : first + self.steps]
        if index:
            before = self.streams[:, first - 1 : first]
        else:
            before = np.full((len(self.streams), 1), self.start_id, targets.dtype)
        inputs = np.concatenate([before, targets[:, :-1]], axis=1)
        missing = ((0, 0), (0, self.steps - targets.shape[1]))
        return np.pad(inputs, missing), np.pad(targets, missing)


def text_windows(ids: Any, batch_size: int, steps: int, start_id: int = 1) -> TextWindows:
    """Cuts a long text into batches of windows that go on with one another, for `LanguageModel(stateful=True)`.

    The text is cut into `batch_size` streams of equal length, and each stream into windows of `steps` tokens: row i of
    a batch goes on with row i of the batch before.

        the text          a b c d e f g h i j k         batch_size=2, steps=3

        first batch       ids_in  1 a b    ids  a b c       1 is the start token
                                  1 g h         g h i
        second batch              c d e         d e f
                                  i j k         j k 0       padding

    Every token is predicted once. The streams but the first begin in the middle of the text, without what came before.

    Args:
        ids: the text, `(tokens,)` integers without padding.
        batch_size: how many streams.
        steps: how many tokens a window has, and so how far back the gradient goes.
        start_id: what comes before the first token of each stream.

    Returns:
        A dataset for `fit` and `evaluate`, in order. All its batches have the shape `(batch_size, steps)`.

    Raises:
        ValueError: for other than one axis, padding in the text, sizes that are not positive, or too short a text.

    Example:
    >>> import numpy as np, keras_seq
    >>> windows = keras_seq.text_windows(np.arange(11, 22), batch_size=2, steps=3)
    >>> len(windows)
    2
    >>> ids_in, ids = windows[1]
    >>> ids_in.tolist(), ids.tolist()
    ([[13, 14, 15], [19, 20, 21]], [[14, 15, 16], [20, 21, 0]])
    """
    ids = np.asarray(ids)
    for name, value in (("batch_size", batch_size), ("steps", steps)):
        if type(value) is not int or value < 1:
            raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError(
            "`ids` must be the ids of one text, (tokens,) integers: join sentences end to end, each with its end "
            f"token. Received: {ids.dtype} of shape {ids.shape}"
        )
    if len(ids) < batch_size:
        raise ValueError(
            f"`ids` must have at least one token for each of batch_size={batch_size} streams. Received: {len(ids)} "
            "tokens. Take longer text or fewer streams."
        )
    if not ids.all():
        raise ValueError(
            f"`ids` must hold no padding, the id 0: it would end nothing. Received: 0 at {int(np.argmin(ids != 0))}"
        )
    length = -(-len(ids) // batch_size)
    streams = np.zeros(batch_size * length, "int32")
    streams[: len(ids)] = ids
    return TextWindows(streams.reshape(batch_size, length), steps, start_id)
