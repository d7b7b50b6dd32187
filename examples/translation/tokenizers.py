"""The translator's words as tokenizers that go into the bundle: texts in, texts out, in the graph and in a browser."""

from __future__ import annotations

from collections.abc import Iterable

import keras_seq
from keras_seq.text.rules import default_rules
from keras_seq.text.vocabulary import SPECIAL_TOKENS
from translation.texts import Texts

_IN_WORDS = (ord("'"), ord("-"), 0x2019)


def tokenizers(texts: Texts) -> dict[str, keras_seq.WordTokenizer]:
    """A tokenizer for sources, and one that spells what is generated.

    They cut as `split_words` does, but for numbers with marks inside and for apostrophes that quote.

    Args:
        texts: The words.

    Example:
        >>> texts = Texts.fit([("Don't go!", "Geh nicht!"), ("Don't!", "Nicht!")], min_count=1)
        >>> tokenizers(texts)["source"].encode(["Don't GO!"])
        [[5, 6, 4]]
    """
    rules = default_rules(["whitespace", "punctuation", "lower"])
    rules["punctuation"] = list(_without(rules["punctuation"], _IN_WORDS))
    source, target = (
        keras_seq.WordTokenizer([*SPECIAL_TOKENS, *words.tokens[len(SPECIAL_TOKENS) :]], lowercase=small, rules=rules)
        for words, small in ((texts.source, True), (texts.target, False))
    )
    return {"source": source, "target": target}


def _without(ranges: Iterable[list[int]], points: Iterable[int]) -> Iterable[list[int]]:
    """Ranges of code points, both ends included, with some points taken out."""
    for first, last in ranges:
        for point in sorted(points):
            if first <= point <= last:
                if first < point:
                    yield [first, point - 1]
                first = point + 1
        if first <= last:
            yield [first, last]
