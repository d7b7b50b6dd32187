"""What a decoder attends to."""

from typing import NamedTuple

from keras_seq.recurrent.cell import Tensor


class Memory(NamedTuple):
    """What is attended to, prepared once a source by `MemoryAttention.prepare`: all that no query changes.

    Whoever attends step by step, as a decoder does, keeps this outside its loop.

    Attributes:
        values: `(batch, steps, features)`, the encoder's outputs, a<t'> in the course's notation; zero at masked steps.
        keys: the values as the attention compares them with a query: projected, and laid out for its product. The
            shape is the attention's own affair; `batch` comes first.
        bias: `(batch, 1, steps)`, 0 at valid steps and a large negative number at masked ones, to be added before the
            softmax; `None` where there is no mask.
        valid: `(batch, 1, steps)`, 1 at valid steps and 0 at masked ones, to multiply the scores by; `None` where
            there is no mask.
    """

    values: Tensor
    keys: Tensor
    bias: Tensor | None = None
    valid: Tensor | None = None
