"""Characters as tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import keras

from keras_seq.text.characters import CharacterTable
from keras_seq.text.code_points import code_points
from keras_seq.text.inputs import text_batch
from keras_seq.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="keras_seq")
class CharTokenizer(Tokenizer):
    """Makes a token of every character: of every code point of Unicode.

    Spaces, line ends and NUL are characters like others, and nothing is left out, so decoding gives the text back as
    far as its characters are known. A letter with combining marks, and most emoji of several parts, are several code
    points and so several tokens.

    Args:
        vocabulary: The special tokens `<pad>`, `<start>`, `<end>`, `<unk>`, and then characters.
        lowercase: Whether capitals become small letters, one for one.
        add_start: Whether `<start>` comes before each text's tokens.
        add_end: Whether `<end>` comes behind them.
        max_length: How many ids a text gives at most, `<start>` and `<end>` counted; the tokens at the end go, `<end>`
            stays. `None` is no limit.
        ragged: Whether a call gives a `tf.RaggedTensor` instead of padding.
        rules: Ranges of code points, as `keras_seq.text.rules.default_rules` gives them: `"lower"` if `lowercase`.
            `None` takes those of Python's `unicodedata`.
        name: The layer's name.
        **kwargs: What else a Keras layer takes.

    Call arguments:
        texts: Strings, `(batch,)`, or one alone, `()`.

    Output shape:
        As `Tokenizer` has it: `(batch, time)`, int32.

    Raises:
        ValueError: If a token, special ones aside, is not one character.

    Example:

    >>> tokenizer = CharTokenizer.from_lines(["banana", "bandana"], add_end=True)
    >>> tokenizer.vocabulary
    ('<pad>', '<start>', '<end>', '<unk>', 'a', 'n', 'b', 'd')
    >>> tokenizer(["banana", "bus"]).numpy()
    array([[6, 4, 5, 4, 5, 4, 2],
           [6, 3, 3, 2, 0, 0, 0]], dtype=int32)
    >>> tokenizer.decode([6, 4, 5, 7, 2, 0])
    'band'
    """

    kind = "char"

    def __init__(
        self,
        vocabulary: Iterable[str],
        *,
        lowercase: bool = False,
        add_start: bool = False,
        add_end: bool = False,
        max_length: int | None = None,
        ragged: bool = False,
        rules: Mapping[str, Any] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            vocabulary,
            lowercase=lowercase,
            add_start=add_start,
            add_end=add_end,
            max_length=max_length,
            ragged=ragged,
            rules=rules,
            name=name,
            **kwargs,
        )
        self._characters = CharacterTable(self.vocabulary, "CharTokenizer")

    def split(self, texts: Any) -> tf.RaggedTensor:
        """Cuts texts into characters: one for each id that `encode` gives, special ones and `max_length` aside.

        Args:
            texts: Strings, `(batch,)`, or a sequence of them; one alone is a batch of one.

        Returns:
            `(batch, None)` strings, lower-cased if the tokenizer does that.
        """
        import tensorflow as tf

        with tf.device("CPU:0"):
            points = code_points(text_batch(texts), self.rules.get("lower", ()))
            characters = tf.strings.unicode_encode(points.flat_values[:, tf.newaxis], "UTF-8")
            return points.with_flat_values(characters)

    def _token_ids(self, texts: tf.Tensor) -> tf.RaggedTensor:
        points = code_points(texts, self.rules.get("lower", ()))
        return points.with_flat_values(self._characters.look_up(points.flat_values))
