"""Words and marks of punctuation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from keras_seq.serving.text.tokenizer import Tokenizer
from keras_seq.serving.text.words import word_finder

SPLITS = ("words", "whitespace")
PUNCTUATION = ("split", "remove", "keep")


@dataclass(frozen=True, kw_only=True)
class WordTokenizer(Tokenizer):
    """Words: what stands between white space and punctuation.

    Attributes:
        split_at: `"words"`, or `"whitespace"` for whatever stands between white space.
        punctuation: With `"words"`: `"split"`, each mark is a token; `"remove"`, it is left out; `"keep"`, it is a
            letter like others.

    Example:
        >>> from keras_seq.serving.text.rules import Rules
        >>> words = WordTokenizer(
        ...     vocabulary=("<pad>", "<start>", "<end>", "<unk>", "hello", "world", "!"),
        ...     lowercase=True,
        ...     rules=Rules(whitespace=((32, 32),), punctuation=((33, 33), (44, 44)), lower=((65, 90, 1, 32),)),
        ... )
        >>> words.split("Hello, world!")
        ['hello', ',', 'world', '!']
        >>> words.encode("Hello, world!").tolist()
        [4, 3, 5, 6]
    """

    split_at: str = "words"
    punctuation: str = "split"

    @cached_property
    def _find_words(self) -> Callable[[str], list[str]]:
        whole = self.split_at == "whitespace" or self.punctuation == "keep"
        marks = () if whole else self.rules.punctuation
        return word_finder(self.rules.whitespace, marks, keep_marks=self.punctuation == "split")

    def _split(self, text: str) -> list[str]:
        return self._find_words(text)

    def _piece(self, token: str, begun: bool) -> str:
        return f" {token}" if begun else token
