"""One token of a text that is being generated."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GeneratedToken:
    """One token, as soon as it is chosen.

    Attributes:
        id: Its id.
        log_prob: Its log-probability under the model, given everything before it.
        text: What it adds to the text so far, such as `" word"`; empty for the end token. None where the bundle has no
            tokenizer.
    """

    id: int
    log_prob: float
    text: str | None = None
