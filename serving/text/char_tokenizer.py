"""Every code point a token."""

from dataclasses import dataclass

from keras_seq.serving.text.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class CharTokenizer(Tokenizer):
    r"""Every code point is a token: spaces, newlines and NUL like all others.

    Example:
        >>> characters = CharTokenizer(vocabulary=("<pad>", "<start>", "<end>", "<unk>", "a", "b", "\n"))
        >>> characters.encode(["ab\n", "cab"])
        [array([4, 5, 6], dtype=int32), array([3, 4, 5], dtype=int32)]
    """

    def _split(self, text: str) -> list[str]:
        return list(text)

    def _piece(self, token: str, begun: bool) -> str:
        return token
