"""From texts to ids and tokens, in the graph."""

from __future__ import annotations

from keras_seq.export.text.framing import Framing
from keras_seq.export.text.lookup import look_up
from keras_seq.export.text.lowered_words import MOST_LETTERS, lowered_ids
from keras_seq.export.text.nodes import Nodes
from keras_seq.export.text.splitting import split_texts

__all__ = ["has_graph_form", "tokenize"]


def has_graph_form(tokenizer: dict) -> bool:
    """Whether a tokenizer can be written in operators that every ONNX Runtime has.

    Word pieces cannot, nor can the characters of words, nor lower-cased words of more than 1000 characters.

    Args:
        tokenizer: What its `tokenizer.json` says.
    """
    if tokenizer["kind"] == "word" and tokenizer["lowercase"]:
        return max(map(len, tokenizer["vocabulary"])) <= MOST_LETTERS
    return tokenizer["kind"] in ("char", "word")


def tokenize(nodes: Nodes, texts: str, tokenizer: dict, framing: Framing) -> tuple[str, str]:
    """Texts `(batch,)` into int64 ids and strings, both `(batch, time)`, padded with 0 and "".

    Args:
        nodes: Takes the nodes.
        texts: Name of the texts.
        tokenizer: What its `tokenizer.json` says; of characters or words.
        framing: What stands around the tokens.

    Returns:
        The names of the ids and of the tokens.
    """
    tokens = split_texts(nodes, texts, tokenizer)
    words_to_lower = tokenizer["kind"] == "word" and tokenizer["lowercase"]
    ids = (lowered_ids if words_to_lower else look_up)(nodes, tokens, tokenizer)
    return framing.add(nodes, ids, tokens)
