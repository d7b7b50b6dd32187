"""One output sequence that a decode loop found."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One hypothesis for one source.

    Attributes:
        ids: The tokens, shape `(length,)`, int32; the end token is the last of them where `finished`.
        score: What the strategy ranks by: the log-probability over the length term for beam search.
        finished: False where the decode loop came to its maximum length before the end token: the hypothesis is cut.
        alignment: Attention over the source at each token, shape `(length, time)`; None where the model has none.
        text: What the ids stand for, from `Generator.generate_text`; None from `generate`, and where no tokenizer
            of them is known.
    """

    ids: np.ndarray
    score: float
    finished: bool
    alignment: np.ndarray | None = None
    text: str | None = None
