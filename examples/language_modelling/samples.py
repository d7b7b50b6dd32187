"""Ways to draw the next token, side by side."""

from __future__ import annotations

import keras_seq
from language_modelling.models import BANNED


def strategies(seed: int, length: int) -> dict[str, keras_seq.Sampling]:
    """Ways to draw, by what they are called.

    Args:
        seed: Of all of them.
        length: How many tokens at most.
    """
    common = {"seed": seed, "max_length": length, "banned_ids": BANNED}
    return {
        "temperature 0.5": keras_seq.Sampling(temperature=0.5, **common),
        "temperature 1": keras_seq.Sampling(**common),
        "temperature 1.5": keras_seq.Sampling(temperature=1.5, **common),
        "top-k 5": keras_seq.Sampling(top_k=5, **common),
        "top-p 0.9": keras_seq.Sampling(top_p=0.9, **common),
        "min-p 0.1": keras_seq.Sampling(min_p=0.1, **common),
    }


def write(model: keras_seq.LanguageModel | keras_seq.TransformerLM, prompt: str, strategy: keras_seq.Sampling) -> str:
    """What a model goes on with behind a prompt."""
    found = model.generate([prompt], strategy)
    ids = found.ids[0, 0, : int(found.lengths[0, 0])]
    text = model.tokenizer.decode(ids)
    # Between words there is a blank, which belongs to neither.
    return f" {text}" if prompt and isinstance(model.tokenizer, keras_seq.WordTokenizer) else text
