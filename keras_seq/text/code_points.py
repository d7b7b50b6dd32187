"""Lower-casing and splitting by a tokenizer's rules, in TensorFlow operations on code points.

`tf.strings.lower` would follow the Unicode version of the TensorFlow that runs, and the regular expressions of
tensorflow-text end a text at its first NUL. Looking code points up in a short sorted table does neither, is quicker,
and leaves nothing in a SavedModel but standard operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

_SEPARATOR, _LETTER, _ALONE = range(3)


def code_points(texts: tf.Tensor, lower: Sequence[Sequence[int]] = ()) -> tf.RaggedTensor:
    """The code points of texts.

    Args:
        texts: `(batch,)` strings. What is no UTF-8 counts as U+FFFD, once for each "maximal subpart" (the Unicode
            Standard, 3.9), as in `bytes.decode("utf-8", "replace")`.
        lower: The `"lower"` rule, if capitals are to become small letters.

    Returns:
        `(batch, None)`, int32.
    """
    import tensorflow as tf

    points = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
    if not lower:
        return points
    first, last, step, delta = np.array(lower, np.int32).T
    flat = points.flat_values
    index = tf.maximum(tf.searchsorted(first, flat, side="right") - 1, 0)
    offset = flat - tf.gather(first, index)
    hit = (offset >= 0) & (flat <= tf.gather(last, index)) & (offset % tf.gather(step, index) == 0)
    return points.with_flat_values(flat + tf.where(hit, tf.gather(delta, index), 0))


def split_words(
    texts: tf.Tensor,
    lower: Sequence[Sequence[int]],
    classes: tuple[np.ndarray, np.ndarray],
) -> tf.RaggedTensor:
    """Cuts texts into words.

    Args:
        texts: `(batch,)` strings.
        lower: The `"lower"` rule, if capitals are to become small letters before anything else.
        classes: Which code points are letters, as `class_table` has it. A word is as many of them as follow one
            another.

    Returns:
        `(batch, None)` strings.
    """
    import tensorflow as tf

    points = code_points(texts, lower)
    flat, rows = points.flat_values, points.value_rowids()
    edges, kinds = classes
    kind = tf.gather(kinds, tf.searchsorted(edges, flat, side="right"))
    letter = tf.equal(kind, _LETTER)
    # A letter goes on with a word if there is one before it, in the same text.
    goes_on = letter[1:] & letter[:-1] & tf.equal(rows[1:], rows[:-1])
    goes_on = tf.concat([tf.zeros_like(letter[:1]), goes_on], axis=0)
    kept = tf.not_equal(kind, _SEPARATOR)
    starts = kept & ~goes_on
    word_of = tf.cumsum(tf.cast(starts, tf.int64)) - 1
    letters = tf.RaggedTensor.from_value_rowids(
        tf.boolean_mask(flat, kept),
        tf.boolean_mask(word_of, kept),
        nrows=tf.math.count_nonzero(starts),
        validate=False,
    )
    return tf.RaggedTensor.from_value_rowids(
        tf.strings.unicode_encode(letters, "UTF-8"),
        tf.boolean_mask(rows, starts),
        nrows=points.nrows(),
        validate=False,
    )


def class_table(
    separators: Sequence[Sequence[int]], alone: Sequence[Sequence[int]] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Sorts the code points into separators, letters, and those that are words by themselves.

    Args:
        separators: Ranges of code points that end a word and are dropped.
        alone: Ranges of code points each of which is a word by itself. What is in neither is a letter.

    Returns:
        The code points where another class begins, and the classes: `classes[i]` is that of the points from
        `edges[i - 1]` up to `edges[i]`.
    """
    table = np.full(0x110000, _LETTER, np.uint8)
    for first, last in alone:
        table[first : last + 1] = _ALONE
    for first, last in separators:
        table[first : last + 1] = _SEPARATOR
    edges = np.flatnonzero(np.diff(table)) + 1
    return edges.astype(np.int32), table[np.concatenate([[0], edges])]
