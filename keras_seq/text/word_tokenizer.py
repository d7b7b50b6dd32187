"""Words as tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import keras

from keras_seq.text.code_points import split_words
from keras_seq.text.inputs import text_batch
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.vocabulary import UNKNOWN_ID
from keras_seq.text.word_splitting import check_splitting, splitting_rules, splitting_table

if TYPE_CHECKING:
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="keras_seq")
class WordTokenizer(Tokenizer):
    """Makes a token of every word.

    A word is a run of letters as long as possible; a letter is whatever is neither white space nor punctuation: digits
    and combining marks count as letters. Scripts that write no spaces, such as Chinese, thus have very long words: for
    those, take characters or word pieces.

    | `split` | `punctuation` | "Don't stop, 5.00!" |
    |---|---|---|
    | `"words"` | `"split"` | `don ' t stop , 5 . 00 !` |
    | `"words"` | `"remove"` | `don t stop 5 00` |
    | `"words"` | `"keep"` | `don't stop, 5.00!` |
    | `"whitespace"` | `"keep"` | `don't stop, 5.00!` |

    `decode` puts one space between words; what stood there, and the capitals, are lost.

    Args:
        vocabulary: The special tokens `<pad>`, `<start>`, `<end>`, `<unk>`, and then words.
        lowercase: Whether capitals become small letters, one for one.
        split: `"words"`, or `"whitespace"` for texts that have spaces between all tokens already.
        punctuation: What becomes of punctuation and symbols: `"split"` makes each a token of its own, `"remove"` drops
            it, `"keep"` takes it for a letter. `None` is `"split"`, and with `split="whitespace"` it is `"keep"`, the
            only one that goes with it.
        add_start: Whether `<start>` comes before each text's tokens.
        add_end: Whether `<end>` comes behind them.
        max_length: How many ids a text gives at most, `<start>` and `<end>` counted; the tokens at the end go, `<end>`
            stays. `None` is no limit.
        ragged: Whether a call gives a `tf.RaggedTensor` instead of padding.
        rules: Ranges of code points, as `keras_seq.text.rules.default_rules` gives them: `"whitespace"`,
            `"punctuation"` unless it is kept, `"lower"` if `lowercase`. `None` takes those of Python's `unicodedata`.
        name: The layer's name.
        **kwargs: What else a Keras layer takes.

    Call arguments:
        texts: Strings, `(batch,)`, or one alone, `()`.

    Output shape:
        As `Tokenizer` has it: `(batch, time)`, int32.

    Example:

    >>> tokenizer = WordTokenizer.from_lines(["The cat sat.", "The dog sat down."], max_size=8)
    >>> tokenizer.vocabulary
    ('<pad>', '<start>', '<end>', '<unk>', '.', 'sat', 'the', 'cat')
    >>> tokenizer.encode(["The CAT ran.", ""])
    [[6, 7, 3, 4], []]
    >>> tokenizer.decode([6, 7, 3, 4])
    'the cat <unk> .'
    """

    kind = "word"

    def __init__(
        self,
        vocabulary: Iterable[str],
        *,
        lowercase: bool = True,
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
        import tensorflow as tf

        # The special tokens are left out, so that no text can forge them; an empty table is not allowed.
        words = list(self.vocabulary[UNKNOWN_ID:])
        ids = range(UNKNOWN_ID, self.vocabulary_size)
        with tf.init_scope():  # the table has to outlive a graph that the tokenizer may be made in
            table = tf.lookup.KeyValueTensorInitializer(words, list(ids), tf.string, tf.int32)
            self._table = tf.lookup.StaticHashTable(table, UNKNOWN_ID)

    def split(self, texts: Any) -> tf.RaggedTensor:
        """Cuts texts into words: one for each id that `encode` gives, `<start>`, `<end>` and `max_length` aside.

        Args:
            texts: Strings, `(batch,)`, or a sequence of them; one alone is a batch of one.

        Returns:
            `(batch, None)` strings, lower-cased if the tokenizer does that. An unknown word is what the text has.
        """
        import tensorflow as tf

        with tf.device("CPU:0"):
            return self._words(text_batch(texts))

    def _words(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return split_words(texts, self.rules.get("lower", ()), self._classes)

    def _token_ids(self, texts: tf.Tensor) -> tf.RaggedTensor:
        words = self._words(texts)
        return words.with_flat_values(self._table.lookup(words.flat_values))

    def _rule_names(self) -> list[str]:
        return [*splitting_rules(self.punctuation), *super()._rule_names()]

    def _spelled(self, token: str) -> str:
        return f" {token}"

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "split": self.split_rule, "punctuation": self.punctuation}
