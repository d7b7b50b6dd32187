"""Pieces of words as tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import keras

from keras_seq.text.checks import check_choice, check_count, require_for_text
from keras_seq.text.code_points import class_table, split_words
from keras_seq.text.inputs import text_batch
from keras_seq.text.piece_vocabulary import learn_pieces
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.vocabulary import SPECIAL_TOKENS, UNKNOWN_ID

if TYPE_CHECKING:
    import tensorflow as tf

_UNKNOWN = SPECIAL_TOKENS[UNKNOWN_ID]
_BYTES_OF_CHARACTER = 4  # at most, in UTF-8


@keras.saving.register_keras_serializable(package="keras_seq")
class WordPieceTokenizer(Tokenizer):
    """Cuts words into the longest pieces that the vocabulary has.

    Words are those of `WordTokenizer` with `punctuation="split"`. The longest piece at a word's beginning that the
    vocabulary has is taken, and so on with what is left, whose pieces stand in the vocabulary with `prefix` before
    them. A word that cannot be covered so is unknown as a whole. Frequent words are one token, rare ones several, and a
    vocabulary of some thousand pieces knows nearly every word.

    Needs tensorflow-text, in a SavedModel too: whoever loads one imports `tensorflow_text` before.

    References:
        - Schuster & Nakajima, 2012, "Japanese and Korean voice search", https://doi.org/10.1109/ICASSP.2012.6289079
        - Devlin et al., 2019, "BERT", https://arxiv.org/abs/1810.04805, whose rule of cutting this is.

    Args:
        vocabulary: The special tokens `<pad>`, `<start>`, `<end>`, `<unk>`, and then pieces.
        lowercase: Whether capitals become small letters, one for one.
        split: `"words"`, or `"whitespace"` for texts that have spaces between all words already.
        prefix: What a piece starts with that goes on with a word.
        max_word_length: A word of more characters is unknown.
        add_start: Whether `<start>` comes before each text's tokens.
        add_end: Whether `<end>` comes behind them.
        max_length: How many ids a text gives at most, `<start>` and `<end>` counted; the tokens at the end go, `<end>`
            stays. `None` is no limit.
        ragged: Whether a call gives a `tf.RaggedTensor` instead of padding.
        rules: Ranges of code points, as `keras_seq.text.rules.default_rules` gives them: `"whitespace"`,
            `"punctuation"` with `split="words"`, `"lower"` if `lowercase`. `None` takes those of Python's
            `unicodedata`.
        name: The layer's name.
        **kwargs: What else a Keras layer takes.

    Call arguments:
        texts: Strings, `(batch,)`, or one alone, `()`.

    Output shape:
        As `Tokenizer` has it: `(batch, time)`, int32.

    Example:

    >>> tokenizer = WordPieceTokenizer(["<pad>", "<start>", "<end>", "<unk>", "un", "##able", "##lock", "."])
    >>> tokenizer.encode("Unlockable. Lock")
    [4, 6, 5, 7, 3]
    >>> tokenizer.split(["Unlockable. Lock"]).to_list()
    [[b'un', b'##lock', b'##able', b'.', b'lock']]
    >>> tokenizer.decode([4, 6, 5, 7, 3])
    'unlockable . <unk>'
    """

    kind = "wordpiece"

    def __init__(
        self,
        vocabulary: Iterable[str],
        *,
        lowercase: bool = True,
        split: str = "words",
        prefix: str = "##",
        max_word_length: int = 100,
        add_start: bool = False,
        add_end: bool = False,
        max_length: int | None = None,
        ragged: bool = False,
        rules: Mapping[str, Any] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        require_for_text("tensorflow_text")
        self.split_rule = check_choice("split", split, ("words", "whitespace"))
        if not isinstance(prefix, str) or not prefix:
            raise ValueError(f"`prefix` must be a string that is not empty. Received: prefix={prefix!r}.")
        self.prefix = prefix
        self.max_word_length = check_count("max_word_length", max_word_length)
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
        self._classes = class_table(self.rules["whitespace"], alone=self.rules.get("punctuation", ()))
        import tensorflow as tf

        # The special tokens are left out, so that no text can forge them.
        pieces, ids = list(self.vocabulary[UNKNOWN_ID:]), list(range(UNKNOWN_ID, self.vocabulary_size))
        with tf.init_scope():  # the table has to outlive a graph that the tokenizer may be made in
            table = tf.lookup.KeyValueTensorInitializer(pieces, ids, tf.string, tf.int64)
            self._table = tf.lookup.StaticHashTable(table, default_value=-1)

    def split(self, texts: Any) -> tf.RaggedTensor:
        """Cuts texts into pieces: one for each id that `encode` gives, `<start>`, `<end>` and `max_length` aside.

        Args:
            texts: Strings, `(batch,)`, or a sequence of them; one alone is a batch of one.

        Returns:
            `(batch, None)` strings. An unknown word is the word itself.
        """
        import tensorflow as tf

        with tf.device("CPU:0"):
            words = self._words(text_batch(texts))
            pieces = self._pieces(words.flat_values, tf.string)
            unknown = tf.equal(pieces.flat_values, _UNKNOWN)
            spelled = tf.where(unknown, tf.gather(words.flat_values, pieces.value_rowids()), pieces.flat_values)
            return words.with_flat_values(pieces.with_flat_values(spelled)).merge_dims(1, 2)

    @classmethod
    def from_lines(
        cls,
        lines: Iterable[str],
        *,
        max_size: int | None = 8000,
        min_count: int = 1,
        max_distinct: int = 1_000_000,
        max_characters: int = 1000,
        **settings: Any,
    ) -> Self:
        """Makes a tokenizer whose vocabulary of pieces is learnt from a corpus; `learn_pieces` says how.

        Words are counted in bounded memory, as for other tokenizers. Learning takes minutes for a million words, most
        of it in proportion to the number of different words: `min_count=2` halves it or better.

        Args:
            lines: Texts, such as a list or an open file.
            max_size: How large the vocabulary may be, special tokens counted; it comes out up to 5 % smaller, or
                smaller still where the corpus has no more.
            min_count: How often a word must come to be learnt from.
            max_distinct: How many different words are counted at once.
            max_characters: How many characters there may be; words with others, the rarest, are not learnt from.
            **settings: The tokenizer's other arguments.

        Returns:
            The tokenizer.

        Raises:
            TypeError: If `lines` is one text, or holds anything else.
            ValueError: If there is no word, or no room for the characters.
        """
        max_size = check_count("max_size", max_size, least=len(SPECIAL_TOKENS) + 1)
        max_characters, min_count = check_count("max_characters", max_characters), check_count("min_count", min_count)
        counter = cls(SPECIAL_TOKENS, **settings)
        counted = counter._counts(lines, max_distinct)
        counts = {word.decode(): count for word, count in counted.items() if count >= min_count}
        return cls(learn_pieces(counts, max_size, counter.prefix, max_characters), **settings)

    def _words(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return split_words(texts, self.rules.get("lower", ()), self._classes)

    def _countable(self, texts: list[Any]) -> tf.RaggedTensor:
        return self._words(text_batch(texts))

    def _token_ids(self, texts: tf.Tensor) -> tf.RaggedTensor:
        import tensorflow as tf

        words = self._words(texts)
        pieces = self._pieces(words.flat_values, tf.int64)
        return tf.cast(words.with_flat_values(pieces).merge_dims(1, 2), tf.int32)

    def _pieces(self, words: tf.Tensor, dtype: tf.DType) -> tf.RaggedTensor:
        """The pieces of words `(words,)`, spelled or as ids: `(words, None)`."""
        import tensorflow as tf
        import tensorflow_text

        # tensorflow-text counts bytes: a word with too many characters is made one with too many bytes.
        most = _BYTES_OF_CHARACTER * self.max_word_length
        too_long = tf.strings.length(words, unit="UTF8_CHAR") > self.max_word_length
        words = tf.where(too_long, "x" * (most + 1), words)
        cutter = tensorflow_text.WordpieceTokenizer(
            self._table,
            suffix_indicator=self.prefix,
            max_bytes_per_word=most,
            unknown_token=_UNKNOWN,
            token_out_type=dtype,
        )
        return cutter.tokenize(words)

    def _rule_names(self) -> list[str]:
        return ["whitespace", *(["punctuation"] if self.split_rule == "words" else []), *super()._rule_names()]

    def _goes_on(self, token: str) -> bool:
        return token.startswith(self.prefix) and token != self.prefix

    def _spelled(self, token: str) -> str:
        return token.removeprefix(self.prefix) if self._goes_on(token) else f" {token}"

    def _spelled_first(self, token: str) -> str:
        return token.removeprefix(self.prefix) if self._goes_on(token) else token

    def _settings(self) -> dict[str, Any]:
        own = {"split": self.split_rule, "prefix": self.prefix, "max_word_length": self.max_word_length}
        return {**super()._settings(), **own}
