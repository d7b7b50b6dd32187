"""Tokens into ids, by the vocabulary alone: without lower-casing, or one character each."""

from __future__ import annotations

from keras_seq.export.text.code_points import lower_table
from keras_seq.export.text.nodes import Nodes

__all__ = ["NUM_SPECIAL", "UNKNOWN_ID", "look_up"]

NUM_SPECIAL = 4
"""The vocabulary starts with <pad>, <start>, <end> and <unk>, and no text spells the first three."""
UNKNOWN_ID = 3


def look_up(nodes: Nodes, tokens: str, tokenizer: dict) -> str:
    """Tokens, "" at padding, into int64 ids, 0 at padding.

    Args:
        nodes: Takes the nodes.
        tokens: Name of the tokens.
        tokenizer: What its `tokenizer.json` says: of characters, or of words that are not to be lower-cased.
    """
    table = {"": 0, **{token: NUM_SPECIAL + i for i, token in enumerate(tokenizer["vocabulary"][NUM_SPECIAL:])}}
    if tokenizer["lowercase"]:
        lower = {chr(point): chr(small) for point, small in lower_table(tokenizer["rules"]["lower"]).items()}
        small = {token: index for token, index in table.items() if token not in lower}
        table = small | {capital: small[letter] for capital, letter in lower.items() if letter in small}
    return nodes.lookup(tokens, table, UNKNOWN_ID)
