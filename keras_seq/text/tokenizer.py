"""What all tokenizers have in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import keras

from keras_seq.text import tokenizer_file
from keras_seq.text.checks import check_count, check_flag, reject_text_alone, require_for_text
from keras_seq.text.inputs import text_batch, text_tensor
from keras_seq.text.rules import check_rules, default_rules
from keras_seq.text.vocabulary import (
    END_ID,
    PAD_ID,
    SPECIAL_TOKENS,
    START_ID,
    UNKNOWN_ID,
    batches_of_lines,
    check_vocabulary,
    count_tokens,
    most_frequent,
)
from keras_seq.text.writing import python_text_of_ids, text_of_ids

if TYPE_CHECKING:
    import tensorflow as tf


class Tokenizer(keras.layers.Layer, ABC):
    """Turns texts into ids, as a layer, and ids into texts: what `CharTokenizer` and the others have in common.

    A subclass says what a token is. Its ids are the tokens' places in `vocabulary`, which starts with the special
    tokens `<pad>`, `<start>`, `<end>` and `<unk>`, ids 0 to 3. What the vocabulary does not have is unknown; so is a
    text that spells out `<pad>`, `<start>` or `<end>`: no text can forge them.

    Bytes that are no UTF-8 count as U+FFFD, one for each "maximal subpart" (the Unicode Standard, 3.9), and each
    surrogate of a Python string as one. Nothing is normalised: é as one code point and as two are different.

    The operations are TensorFlow's, on the CPU. Under the TensorFlow backend a tokenizer is a layer like others: in
    `fit`, in a functional model behind `keras.Input((), dtype="string")`, in a SavedModel. Under JAX and PyTorch, which
    have no strings, it works on Python's strings and in `tf.data`, but not inside a model.

    Args:
        vocabulary: The tokens, special ones first.
        lowercase: Whether capitals become small letters.
        add_start: Whether `<start>` comes before each text's tokens.
        add_end: Whether `<end>` comes behind them.
        max_length: How many ids a text gives at most, `<start>` and `<end>` counted; the tokens at the end go, `<end>`
            stays. `None` is no limit.
        ragged: Whether a call gives a `tf.RaggedTensor` instead of padding.
        rules: Ranges of code points, as `keras_seq.text.rules.default_rules` gives them; `None` takes those of Python's
            `unicodedata`. They are saved with the tokenizer.
        name: The layer's name.
        **kwargs: What else a Keras layer takes.

    Call arguments:
        texts: Strings, `(batch,)`, or one alone, `()`.

    Output shape:
        `(batch, time)`, int32, padded behind with 0 to the longest text and at least one column wide; `(time,)` for one
        text alone. With `ragged=True` `(batch, None)`, not padded.

    Masking:
        An `Embedding(..., mask_zero=True)` finds the padding by its id. The ids carry no mask: layers and models that
        take ids, such as a functional model with that embedding inside, would warn that they drop it. `compute_mask`
        gives it where it is wanted.
    """

    kind: ClassVar[str]
    """Its name in `tokenizer.json`."""
    step_shape: tuple[int, ...] = ()
    """The shape of what stands for a token."""

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
        require_for_text("tensorflow")
        super().__init__(name=name, **{"dtype": "int32", **kwargs})
        if self.compute_dtype != "int32":
            raise ValueError(f"A tokenizer gives ids of dtype int32. Received: dtype={self.compute_dtype!r}.")
        self.supports_masking = False  # Keras takes `compute_mask` for a wish to attach masks
        self.supports_jit = False  # XLA has no strings
        self.vocabulary = check_vocabulary(vocabulary)
        self.lowercase = check_flag("lowercase", lowercase)
        self.add_start = check_flag("add_start", add_start)
        self.add_end = check_flag("add_end", add_end)
        self.max_length = None if max_length is None else check_count("max_length", max_length)
        self._room(self.add_start, self.add_end)
        self.ragged = check_flag("ragged", ragged)
        names = self._rule_names()  # in a tuple: Keras would track a dict, and its copy is no dict any more
        self._rules = (default_rules(names) if rules is None else check_rules(rules, names),)

    @abstractmethod
    def split(self, texts: Any) -> tf.RaggedTensor:
        """Cuts texts into tokens: one for each id that `encode` gives, `<start>`, `<end>` and `max_length` aside.

        Args:
            texts: Strings, `(batch,)`, or a sequence of them; one alone is a batch of one.

        Returns:
            `(batch, None)` strings. An unknown token is what the text has.
        """

    @abstractmethod
    def _token_ids(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """The ids of the tokens of texts `(batch,)`: `(batch, None)`, int32."""

    def _step(self, token: int) -> Any:  # what stands for a special one
        return token

    def _rule_names(self) -> list[str]:
        """The rules that these settings need."""
        return ["lower"] if self.lowercase else []

    def _spelled(self, token: str) -> str:
        """How a token is written behind another."""
        return token

    def _spelled_first(self, token: str) -> str:
        """How a token is written where nothing is before it."""
        return token

    def _spellings(self) -> tuple[list[str], list[str]]:
        return [self._spelled_first(token) for token in self.vocabulary], [*map(self._spelled, self.vocabulary)]

    @property
    def rules(self) -> dict[str, list[list[int]]]:
        """The ranges of code points that it goes by."""
        return self._rules[0]

    @property
    def vocabulary_size(self) -> int:
        """How many ids there are."""
        return len(self.vocabulary)

    @property
    def pad_id(self) -> int:
        """The id of `<pad>`."""
        return PAD_ID

    @property
    def start_id(self) -> int:
        """The id of `<start>`."""
        return START_ID

    @property
    def end_id(self) -> int:
        """The id of `<end>`."""
        return END_ID

    @property
    def unknown_id(self) -> int:
        """The id of `<unk>`."""
        return UNKNOWN_ID

    def __call__(self, texts: Any, **kwargs: Any) -> Any:
        """Encodes texts; see the class."""
        if isinstance(texts, keras.KerasTensor):
            if keras.backend.backend() != "tensorflow":
                raise ValueError(
                    f"{type(self).__name__} {self.name!r} cannot be part of a model under the backend "
                    f"{keras.backend.backend()!r}, which has no strings. Encode before the model, with "
                    "`tokenizer(texts)` or in `tf.data.Dataset.map`, or use the backend 'tensorflow'."
                )
            if texts.dtype != "string" or len(texts.shape) > 1:
                raise ValueError(
                    f"{type(self).__name__} {self.name!r} must be given strings of shape (batch,), as with "
                    f'`keras.Input((), dtype="string")`. Received: shape={texts.shape}, dtype={texts.dtype}.'
                )
            return super().__call__(texts, **kwargs)
        texts = text_tensor(texts)
        return super().__call__(texts, **kwargs) if keras.backend.backend() == "tensorflow" else self.call(texts)

    def call(self, texts: tf.Tensor) -> tf.Tensor | tf.RaggedTensor:
        """Encodes texts; see the class."""
        import tensorflow as tf

        alone = texts.shape.rank == 0
        ids = self._encoded(texts[tf.newaxis] if alone else texts, self.add_start, self.add_end)
        if self.ragged:
            return ids[0] if alone else ids
        ids = ids.to_tensor(PAD_ID)
        missing = tf.cast(tf.equal(tf.shape(ids)[1], 0), tf.int32)
        ids = tf.pad(ids, [[0, 0], [0, missing], *[[0, 0]] * len(self.step_shape)], constant_values=PAD_ID)
        ids.set_shape((texts.shape[0] if texts.shape.rank else 1, None, *self.step_shape))
        return ids[0] if alone else ids

    def compute_output_spec(self, texts: keras.KerasTensor) -> keras.KerasTensor:
        """The ids' shape and dtype."""
        ragged = {"ragged": True} if self.ragged else {}
        return keras.KerasTensor(self.compute_output_shape(texts.shape), dtype="int32", **ragged)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The ids' shape."""
        return (*input_shape, None, *self.step_shape)

    def compute_mask(self, texts: Any, mask: Any = None) -> Any:
        """Which ids of these texts are no padding: booleans `(batch, time)`, or `None` with `ragged=True`."""
        return None if self.ragged else self.call(text_tensor(texts)) != PAD_ID

    def to_text(self, ids: Any) -> tf.Tensor:
        """Writes ids as texts, with TensorFlow operations: for the end of a graph.

        `<pad>` and `<start>` are left out, and so is everything from the first `<end>` on. Whatever is unknown is
        written `<unk>`.

        Args:
            ids: `(..., time)` whole numbers, or a `tf.RaggedTensor` of shape `(batch, None)`.

        Returns:
            Strings, `(...)`.

        Raises:
            tf.errors.InvalidArgumentError: If an id is not in the vocabulary.
        """
        return text_of_ids(ids, *self._spellings())

    def encode(
        self, texts: str | Sequence[str], add_start: bool | None = None, add_end: bool | None = None
    ) -> list[int] | list[list[int]]:
        """Encodes texts, without padding.

        Args:
            texts: One text or a sequence of them.
            add_start: Whether `<start>` comes before; `None` for what the tokenizer was made with.
            add_end: Whether `<end>` comes behind; `None` for what the tokenizer was made with.

        Returns:
            The ids of the text, or a list of ids for each.
        """
        tensor = text_tensor(texts)
        ids = self._encoded(
            text_batch(tensor),
            self.add_start if add_start is None else check_flag("add_start", add_start),
            self.add_end if add_end is None else check_flag("add_end", add_end),
        ).to_list()
        return ids if tensor.shape.rank else ids[0]

    def decode(self, ids: Any) -> str | list[str]:
        """Writes ids as text, in Python; `to_text` says how, and does the same inside a graph.

        Args:
            ids: `(time,)` or `(batch, time)`: a tensor, an array, or lists, whose lengths may differ.

        Returns:
            The text, or a list of them.

        Raises:
            ValueError: If an id is not in the vocabulary.
        """
        return python_text_of_ids(ids, *self._spellings())

    def to_dict(self) -> dict[str, Any]:
        """What `tokenizer.json` holds: plain data, enough for any program to encode as this tokenizer does."""
        return {"schema_version": tokenizer_file.SCHEMA_VERSION, "kind": self.kind, **self._settings()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], **kwargs: Any) -> Self:
        """Makes a tokenizer of what `to_dict` gave.

        Args:
            document: The content of a `tokenizer.json`.
            **kwargs: `ragged` and `name`, which are not in it.

        Returns:
            The tokenizer.

        Raises:
            ValueError: If it is not the document of such a tokenizer.
        """
        kind, settings = tokenizer_file.check_document(document)
        if kind != cls.kind:
            raise ValueError(
                f"{cls.__name__} needs a document with `kind` {cls.kind!r}. Received: kind={kind!r}. "
                "`keras_seq.load_tokenizer` takes every kind."
            )
        check_rules(settings["rules"], ())  # `None`, too, is an error here
        return cls(**settings, **kwargs)

    def save(self, path: str | os.PathLike) -> None:
        """Writes `tokenizer.json`: whole, or not at all.

        Args:
            path: The file; one that is there is replaced.
        """
        tokenizer_file.write_document(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike, **kwargs: Any) -> Self:
        """Reads what `save` wrote.

        Args:
            path: The file.
            **kwargs: `ragged` and `name`, which are not in it.

        Returns:
            The tokenizer.

        Raises:
            ValueError: If the file is not that of such a tokenizer.
        """
        document = tokenizer_file.read_document(path)
        try:
            return cls.from_dict(document, **kwargs)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{os.fspath(path)!r}: {error}") from error

    @classmethod
    def from_lines(
        cls,
        lines: Iterable[str],
        *,
        max_size: int | None = None,
        min_count: int = 1,
        max_distinct: int = 1_000_000,
        **settings: Any,
    ) -> Self:
        """Makes a tokenizer whose vocabulary is the tokens of a corpus, the most frequent first.

        Memory is bounded: lines are read some thousands at a time, and at most about `max_distinct` different tokens
        are counted at once. Beyond that the rarest are forgotten, so the counts of rare ones may come out too low.

        Args:
            lines: Texts, such as a list or an open file, whose line ends are tokens for `CharTokenizer`.
            max_size: How large the vocabulary may be, special tokens counted; `None` is no limit.
            min_count: How often a token must come.
            max_distinct: How many different tokens are counted at once.
            **settings: The tokenizer's other arguments.

        Returns:
            The tokenizer. Tokens that come equally often stand in the order of their code points.

        Raises:
            TypeError: If `lines` is one text, or holds anything else.
            ValueError: If there is no token.
        """
        if max_size is not None:
            max_size = check_count("max_size", max_size, least=len(SPECIAL_TOKENS) + 1)
        min_count = check_count("min_count", min_count)
        counts = cls(SPECIAL_TOKENS, **settings)._counts(lines, max_distinct)
        return cls(most_frequent(counts, max_size, min_count), **settings)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs: the vocabulary and the rules are in it."""
        return {**super().get_config(), **self._settings(), "ragged": self.ragged}

    def _counts(self, lines: Iterable[str], max_distinct: int) -> Counter[bytes]:
        """How often each token comes in a corpus."""
        reject_text_alone(lines)
        max_distinct = check_count("max_distinct", max_distinct)
        batches = (self._countable(batch).flat_values.numpy() for batch in batches_of_lines(lines))
        return count_tokens(batches, max_distinct)

    def _countable(self, texts: list[Any]) -> tf.RaggedTensor:
        """What a vocabulary is made of."""
        return self.split(texts)

    def _settings(self) -> dict[str, Any]:
        names = ("lowercase", "add_start", "add_end", "max_length", "rules")
        return {"vocabulary": list(self.vocabulary), **{name: getattr(self, name) for name in names}}

    def _room(self, add_start: bool, add_end: bool) -> int | None:
        """How many tokens `max_length` leaves room for."""
        if self.max_length is None:
            return None
        room = self.max_length - add_start - add_end
        if room < 0:
            raise ValueError(
                f"`max_length` must have room for <start> and <end>. Received: max_length={self.max_length}."
            )
        return room

    def _encoded(self, texts: tf.Tensor, add_start: bool, add_end: bool) -> tf.RaggedTensor:
        """The ids of texts `(batch,)`, with the special ones: `(batch, None)`, int32."""
        import tensorflow as tf

        room = self._room(add_start, add_end)
        with tf.device("CPU:0"):
            ids = self._token_ids(texts)
            ids = ids if room is None else ids[:, :room]
            column = tf.ones((ids.nrows(), 1, *(1 for _ in self.step_shape)), tf.int32)
            before = [column * self._step(START_ID)] if add_start else []
            behind = [column * self._step(END_ID)] if add_end else []
            return tf.concat([*before, ids, *behind], axis=1) if before or behind else ids
