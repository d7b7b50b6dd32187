"""What decoding gives."""

from typing import NamedTuple

from keras_seq.recurrent.cell import Tensor


class Hypotheses(NamedTuple):
    """The hypotheses for each source, the best first. `target` is as long as the longest of them.

    Attributes:
        ids: `(batch, hypotheses, target)` int32, the end token included; 0 behind it.
        lengths: `(batch, hypotheses)` int32, the end token counted. 0 where there are fewer hypotheses than asked for.
        scores: `(batch, hypotheses)` float32, what the hypotheses are ranked by: `log_probs`, divided by the length
            term in beam search.
        log_probs: `(batch, hypotheses)` float32, the natural logarithm of P(y|x) under the model.
        finished: `(batch, hypotheses)` booleans; `False` where the limit came before the end token.
        alignments: `(batch, hypotheses, target, source)` float32, what each token attended to, or `None` where the
            model does not attend.
    """

    ids: Tensor
    lengths: Tensor
    scores: Tensor
    log_probs: Tensor
    finished: Tensor
    alignments: Tensor | None = None
