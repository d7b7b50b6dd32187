"""The tokenizers of a corpus: what a word is, and which words and characters are known."""

from __future__ import annotations

from collections.abc import Sequence

from keras_seq.serving.text import load_tokenizer
from keras_seq.text import Tokenizer, WordCharacterTokenizer, WordTokenizer
from keras_seq.text.rules import Rules, default_rules
from tagging.features import Features
from tagging.sentence import Sentence


def learn_tokenizers(sentences: Sequence[Sentence], min_count: int = 2, affix: int = 8) -> dict[str, Tokenizer]:
    """Collects the vocabularies of training sentences.

    Args:
        sentences: The sentences.
        min_count: How often a word must occur to be known. Rarer words teach the model about unknown ones.
        affix: How many characters to see of a word's beginning and of its end.

    Returns:
        By the name of the tagger's input, its tokenizer. Both cut the same words.

    Example:
        >>> tokenizers = learn_tokenizers([Sentence(("Go", "go", "x_1"), ("VERB", "NOUN", "X"))], affix=3)
        >>> tokenizers["words"].vocabulary[4:], tokenizers["words"].split(["X_9 don't"]).to_list()
        (('go',), [[b'x_0', b'don', b"'", b't']])
        >>> tokenizers["characters"]("Go").shape.as_list()
        [1, 6]
    """
    lines, rules = [" ".join(sentence.words) for sentence in sentences], word_rules()
    return {
        "words": WordTokenizer.from_lines(lines, lowercase=True, min_count=min_count, rules=rules),
        "characters": WordCharacterTokenizer.from_lines(lines, num_first=affix, num_last=affix, rules=rules),
    }


def word_rules() -> Rules:
    """The rules of `keras_seq.text`, but that `_` is a letter, as in programs, and that digits are lowered to 0."""
    rules = default_rules(["whitespace", "punctuation", "lower"])
    mark, marks = ord("_"), []
    for first, last in rules["punctuation"]:
        parts = [[first, mark - 1], [mark + 1, last]] if first <= mark <= last else [[first, last]]
        marks += [[start, end] for start, end in parts if start <= end]
    digits = [[ord(digit), ord(digit), 1, ord("0") - ord(digit)] for digit in "123456789"]
    return {**rules, "punctuation": marks, "lower": [*digits, *rules["lower"]]}


def features_of(tokenizers: dict[str, Tokenizer], sentences: Sequence[Sentence]) -> Features:
    """What training needs: the tokenizers in plain Python, as serving has them, and the labels.

    Args:
        tokenizers: What `learn_tokenizers` gave.
        sentences: Labelled sentences.
    """
    twins = {name: load_tokenizer(tokenizer.to_dict()) for name, tokenizer in tokenizers.items()}
    return Features(**twins, labels=sorted({label for sentence in sentences for label in sentence.labels}))
