"""Texts into tokens, as they stand in the text: one node of the graph."""

from __future__ import annotations

from keras_seq.export.text.code_points import lower_table, members, one_of
from keras_seq.export.text.nodes import Nodes

__all__ = ["split_texts", "word_expression"]


def split_texts(nodes: Nodes, texts: str, tokenizer: dict) -> str:
    """Texts `(batch,)` into tokens `(batch, time)`, "" behind them; `time` may be 0.

    Args:
        nodes: Takes the nodes.
        texts: Name of the texts.
        tokenizer: What its `tokenizer.json` says; of characters or words.
    """
    if tokenizer["kind"] == "char":
        return nodes.tokenizer(texts, separators=[""])
    return nodes.tokenizer(texts, tokenexp=word_expression(tokenizer))


def word_expression(tokenizer: dict) -> str:
    """The regular expression, in RE2's form, of one word or sign.

    Cutting comes before lower-casing here and behind it in the rules; it is the same, for a capital counts as what its
    small letter is.

    Args:
        tokenizer: What the `tokenizer.json` of a word tokenizer says.
    """
    rules = tokenizer["rules"]
    lower = lower_table(rules.get("lower", ())) if tokenizer["lowercase"] else {}
    space = _before_lowering(members(rules["whitespace"]), lower)
    if tokenizer["split"] == "whitespace" or tokenizer["punctuation"] == "keep":
        return f"{one_of(space, negated=True)}+"
    signs = _before_lowering(members(rules["punctuation"]), lower) - space
    words = f"{one_of(space | signs, negated=True)}+"
    return words if tokenizer["punctuation"] == "remove" else f"{words}|{one_of(signs)}"


def _before_lowering(points: set[int], lower: dict[int, int]) -> set[int]:
    return {point for point in points if point not in lower} | {p for p, small in lower.items() if small in points}
