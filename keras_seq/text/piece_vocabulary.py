"""Learning a vocabulary of word pieces from counts of words."""

from __future__ import annotations

import math
from collections.abc import Mapping

from keras_seq.text.vocabulary import SPECIAL_TOKENS

_ITERATIONS = 4
_LONGEST_PIECE = 50
_SLACK = 0.05


def learn_pieces(counts: Mapping[str, int], max_size: int, prefix: str = "##", max_characters: int = 1000) -> list[str]:
    """Learns a vocabulary of word pieces with tensorflow-text's learner.

    It goes from the top down, as BERT's vocabularies were made: all substrings of the words are candidates; those that
    come often enough stay, the longest first, whose count is then taken from that of their beginnings; and this is
    repeated with the words cut as the pieces that stayed would cut them. How often is often enough is searched for:
    until the vocabulary is as large as it may be, or at most 5 % smaller. All characters stay in any case, at the
    beginning of a word and within, so a word of known characters is never unknown.

    Args:
        counts: How often each word comes.
        max_size: How large the vocabulary may be, special tokens counted.
        prefix: What a piece starts with that goes on with a word.
        max_characters: How many characters there may be. Words with others, the rarest, are not learnt from; neither
            are words of more than 50 characters.

    Returns:
        The special tokens, the characters in the order of their code points, and the pieces, the most frequent first.

    Raises:
        ValueError: If there is no word, or no room for the characters.
    """
    from tensorflow_text.tools.wordpiece_vocab import wordpiece_tokenizer_learner_lib as learner

    words = sorted(counts.items())  # one order, whatever order they were counted in
    words = learner.get_input_words(words, SPECIAL_TOKENS, _LONGEST_PIECE)
    words = learner.filter_input_words(words, learner.get_allowed_chars(words, max_characters), max_input_tokens=-1)
    if not words:
        raise ValueError(
            f"`lines` must hold words to learn pieces of, none longer than {_LONGEST_PIECE} characters and often "
            f"enough for `min_count`. Received: {len(counts)} different words."
        )
    smallest = len(SPECIAL_TOKENS) + 2 * len(learner.extract_char_tokens(words))
    if smallest > max_size:
        raise ValueError(
            f"`max_size` must have room for the special tokens and twice all characters, which makes {smallest}. "
            f"Received: max_size={max_size}. Raise it, or lower `max_characters`, which is {max_characters}."
        )
    settings = learner.Params(
        upper_thresh=None,
        lower_thresh=None,
        num_iterations=_ITERATIONS,
        max_input_tokens=-1,
        max_token_length=_LONGEST_PIECE,
        max_unique_chars=max_characters,
        vocab_size=max_size,
        slack_ratio=_SLACK,
        include_joiner_token=True,
        joiner=prefix,
        reserved_tokens=list(SPECIAL_TOKENS),
    )
    # The library's own search may end with a vocabulary that is too large. This one ends with the lowest threshold at
    # which it is not; above the sum of all counts nothing but the characters is left.
    low, high = 1, sum(count for _, count in words) + 1
    best = learner.learn_with_thresh(words, high, settings)
    while low < high:
        # The right one is far nearer to 1 than to the sum, so the search halves ratios, not differences.
        middle = max(low, min(high - 1, math.isqrt(low * high)))
        pieces = learner.learn_with_thresh(words, middle, settings)
        if len(pieces) > max_size:
            low = middle + 1
            continue
        high, best = middle, pieces
        if len(pieces) >= (1 - _SLACK) * max_size:
            break
    return best
