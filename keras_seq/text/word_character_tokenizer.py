"""The characters of each word as tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import keras
import numpy as np

from keras_seq.text.characters import CharacterTable
from keras_seq.text.checks import check_count
from keras_seq.text.code_points import split_words
from keras_seq.text.inputs import text_batch, text_tensor
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.vocabulary import PAD_ID
from keras_seq.text.word_splitting import check_splitting, splitting_rules, splitting_table

if TYPE_CHECKING:
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="keras_seq")
class WordCharacterTokenizer(Tokenizer):
    """Shows how each word is spelt: the characters it begins with, and those it ends with.

    For a second input beside that of a `WordTokenizer`: what a word begins and ends with tells something about words
    that no vocabulary has. Both cut the same words of a text if they have the same `split`, `punctuation` and rules,
    start, end and `max_length`, so one text goes into both.

    A word becomes `num_first + num_last` ids: those of its first `num_first` characters from the left, and those of its
    last `num_last` ones from the right, with 0 in between where it is shorter. In a short word the two overlap: `cat`
    is `c a t 0 | 0 c a t`. `<start>` and `<end>` count as words of one character. A padded step is all 0, and its first
    id is 0 in no other step.

    Long words cannot be put together again, so `decode` and `to_text` are refused. An exported ONNX graph takes the
    ids, and no strings: `keras_seq.serving` makes them of plain text.

    Args:
        vocabulary: The special tokens `<pad>`, `<start>`, `<end>`, `<unk>`, and then characters.
        num_first: How many characters are seen of a word's beginning.
        num_last: How many are seen of its end; none if 0.
        lowercase: Whether capitals become small letters, one for one.
        split: `"words"`, or `"whitespace"` for texts that have spaces between all tokens already.
        punctuation: What becomes of punctuation and symbols, as in `WordTokenizer`: `"split"`, `"remove"` or `"keep"`.
        add_start: Whether `<start>` comes before each text's words.
        add_end: Whether `<end>` comes behind them.
        max_length: How many words a text gives at most, `<start>` and `<end>` counted; the words at the end go, `<end>`
            stays. `None` is no limit.
        ragged: Whether a call gives a `tf.RaggedTensor` instead of padding.
        rules: Ranges of code points, as `keras_seq.text.rules.default_rules` gives them: `"whitespace"`,
            `"punctuation"` unless it is kept, `"lower"` if `lowercase`. `None` takes those of Python's `unicodedata`.
        name: The layer's name.
        **kwargs: What else a Keras layer takes.

    Call arguments:
        texts: Strings, `(batch,)`, or one alone, `()`.

    Output shape:
        `(batch, time, num_first + num_last)`, int32, padded behind with 0 to the text of most words and at least one
        step long; `(time, num_first + num_last)` for one text alone.

    Masking:
        `compute_mask(texts)` tells the words from the padding, `(batch, time)`. An `Embedding(mask_zero=True)` would
        have a mask for each character instead; take that of the words' own embedding.

    Example:

    >>> tokenizer = WordCharacterTokenizer.from_lines(["a bad cab"], num_first=2, num_last=3)
    >>> tokenizer.vocabulary
    ('<pad>', '<start>', '<end>', '<unk>', 'a', 'b', 'c', 'd')
    >>> tokenizer("Bad a").numpy()
    array([[3, 4, 3, 4, 7],
           [4, 0, 0, 0, 4]], dtype=int32)
    """

    kind = "wordchar"

    def __init__(
        self,
        vocabulary: Iterable[str],
        *,
        num_first: int = 8,
        num_last: int = 8,
        lowercase: bool = False,
        split: str = "words",
        punctuation: str | None = None,
        add_start: bool = False,
        add_end: bool = False,
        max_length: int | None = None,
        ragged: bool = False,
        rules: Mapping[str, Any] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        self.num_first = check_count("num_first", num_first)
        self.num_last = check_count("num_last", num_last, least=0)
        self.split_rule, self.punctuation = check_splitting(split, punctuation)
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
        self._classes = splitting_table(self.rules, self.punctuation)
        self._characters = CharacterTable(self.vocabulary, "WordCharacterTokenizer")

    @property
    def step_shape(self) -> tuple[int, ...]:
        """The shape of what stands for one word, `(num_first + num_last,)`."""
        return (self.num_first + self.num_last,)

    def split(self, texts: Any) -> tf.RaggedTensor:
        """Cuts texts into words: one for each row of ids, `<start>`, `<end>` and `max_length` aside.

        Args:
            texts: Strings, `(batch,)`, or a sequence of them; one alone is a batch of one.

        Returns:
            `(batch, None)` strings, whole words, lower-cased if the tokenizer does that.
        """
        import tensorflow as tf

        with tf.device("CPU:0"):
            return split_words(text_batch(texts), self.rules.get("lower", ()), self._classes)

    def compute_mask(self, texts: Any, mask: Any = None) -> Any:
        """Which steps of these texts are no padding: booleans `(batch, time)`, or `None` with `ragged=True`."""
        import tensorflow as tf

        return None if self.ragged else tf.not_equal(self.call(text_tensor(texts))[..., 0], PAD_ID)

    def to_text(self, ids: Any) -> NoReturn:
        """Refused: of a long word the middle is lost."""
        raise TypeError(_no_text(self))

    def decode(self, ids: Any) -> NoReturn:
        """Refused: of a long word the middle is lost."""
        raise TypeError(_no_text(self))

    def _step(self, token: int) -> np.ndarray:
        step = np.full(self.step_shape, PAD_ID, np.int32)
        step[0] = token
        if self.num_last:
            step[-1] = token
        return step

    def _token_ids(self, texts: tf.Tensor) -> tf.RaggedTensor:
        import tensorflow as tf

        words = split_words(texts, self.rules.get("lower", ()), self._classes)
        points = tf.strings.unicode_decode(words.flat_values, "UTF-8")  # (words, None)
        starts, ends = points.row_starts()[:, tf.newaxis], points.row_limits()[:, tf.newaxis]  # (words, 1)
        first = starts + tf.range(self.num_first, dtype=tf.int64)  # places among all code points
        last = ends + tf.range(-self.num_last, 0, dtype=tf.int64)
        places = tf.concat([first, last], axis=1)  # (words, width)
        inside = (places >= starts) & (places < ends)
        ids = tf.gather(self._characters.look_up(points.flat_values), tf.where(inside, places, starts))
        return words.with_flat_values(tf.where(inside, ids, PAD_ID))

    def _countable(self, texts: list[Any]) -> tf.RaggedTensor:
        import tensorflow as tf

        points = tf.strings.unicode_decode(self.split(texts).flat_values, "UTF-8")
        return points.with_flat_values(tf.strings.unicode_encode(points.flat_values[:, tf.newaxis], "UTF-8"))

    def _rule_names(self) -> list[str]:
        return [*splitting_rules(self.punctuation), *super()._rule_names()]

    def _settings(self) -> dict[str, Any]:
        names = {"split": self.split_rule, "punctuation": self.punctuation}
        return {**super()._settings(), **names, "num_first": self.num_first, "num_last": self.num_last}


def _no_text(tokenizer: WordCharacterTokenizer) -> str:
    return (
        f"{type(tokenizer).__name__} {tokenizer.name!r} cannot write ids as text: of each word it keeps the first "
        f"{tokenizer.num_first} and the last {tokenizer.num_last} characters alone. Use a tokenizer that keeps all of "
        "a text, such as the WordTokenizer beside it."
    )
