"""Vocabularies: the special tokens, their checks, and counting tokens in bounded memory."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

SPECIAL_TOKENS = ("<pad>", "<start>", "<end>", "<unk>")
"""What every vocabulary starts with; their ids are 0 to 3."""

PAD_ID, START_ID, END_ID, UNKNOWN_ID = range(4)


def check_vocabulary(vocabulary: Iterable[str]) -> tuple[str, ...]:
    """Checks a vocabulary.

    Args:
        vocabulary: Tokens in the order of their ids.

    Returns:
        The tokens.

    Raises:
        TypeError: If it is no sequence of strings.
        ValueError: If it does not start with the special tokens, or has an empty token, a token twice, or one that is
            no Unicode text (a surrogate).
    """
    if isinstance(vocabulary, str | bytes) or not isinstance(vocabulary, Iterable):
        raise TypeError(f"`vocabulary` must be a sequence of strings. Received: {vocabulary!r}.")
    tokens = tuple(vocabulary)
    for index, token in enumerate(tokens):
        if not isinstance(token, str):
            raise TypeError(f"`vocabulary` must hold strings. Received: {token!r} of type {type(token)} at {index}.")
    tokens = tuple(str(token) for token in tokens)  # NumPy's strings are of a type of their own
    if tokens[: len(SPECIAL_TOKENS)] != SPECIAL_TOKENS:
        raise ValueError(
            f"`vocabulary` must start with the special tokens {list(SPECIAL_TOKENS)}. "
            f"Received: {list(tokens[: len(SPECIAL_TOKENS)])}. Put them in front of yours."
        )
    first: dict[str, int] = {}
    for index, token in enumerate(tokens):
        if not token:
            raise ValueError(f"`vocabulary` must not have an empty token. Received: '' at {index}.")
        if token in first:
            raise ValueError(
                f"`vocabulary` must have each token once. Received: {token!r} at {first[token]} and {index}."
            )
        if any("\ud800" <= character <= "\udfff" for character in token):
            raise ValueError(f"`vocabulary` must hold Unicode text. Received: {token!r} at {index}, with a surrogate.")
        first[token] = index
    return tokens


def count_tokens(batches: Iterable[Sequence[bytes]], max_distinct: int) -> Counter[bytes]:
    """Counts tokens, keeping at most about `max_distinct` different ones in memory.

    Whenever there are more, the rarest half is forgotten (Manku & Motwani, 2002, "Approximate frequency counts over
    data streams", in its simplest form): a token that is frequent everywhere keeps its count, one that comes late or
    rarely may be counted too low. With at most `max_distinct` different tokens the counts are exact.

    Args:
        batches: Tokens, some at a time.
        max_distinct: How many different tokens may be remembered from one batch to the next.

    Returns:
        The counts.

    Example:

    >>> count_tokens([[b"a", b"b"], [b"a"]], max_distinct=10)
    Counter({b'a': 2, b'b': 1})
    """
    counts: Counter[bytes] = Counter()
    for batch in batches:
        counts.update(batch)
        if len(counts) > max_distinct:
            counts = Counter(dict(by_count(counts)[: (max_distinct + 1) // 2]))
    return counts


def most_frequent(counts: Counter[bytes], max_size: int | None = None, min_count: int = 1) -> tuple[str, ...]:
    """Makes a vocabulary of counts.

    Args:
        counts: How often each token comes.
        max_size: How large the vocabulary may be, special tokens counted; `None` is no limit.
        min_count: How often a token must come.

    Returns:
        The special tokens, and then the most frequent ones; among equals in the order of their code points.

    Raises:
        ValueError: If no token comes often enough.
    """
    special = {token.encode() for token in SPECIAL_TOKENS}
    tokens = [token.decode() for token, count in by_count(counts) if count >= min_count and token not in special]
    if not tokens:
        raise ValueError(
            f"`lines` must hold tokens to make a vocabulary of. Received: {len(counts)} different tokens, none of them "
            f"{min_count} times or more."
        )
    return (*SPECIAL_TOKENS, *tokens)[:max_size]


def by_count(counts: Counter[bytes]) -> list[tuple[bytes, int]]:
    """Tokens and counts, the most frequent first; among equals in the order of their code points."""
    # UTF-8 has the order of the code points it spells.
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def batches_of_lines(lines: Iterable[Any], max_lines: int = 4096, max_characters: int = 1_000_000) -> Iterator[list]:
    """Cuts an iterable of lines into lists that are not too large, whether its lines are short or long."""
    batch, characters = [], 0
    for line in lines:
        batch.append(line)
        characters += len(line) if isinstance(line, str | bytes) else 0
        if len(batch) == max_lines or characters >= max_characters:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
