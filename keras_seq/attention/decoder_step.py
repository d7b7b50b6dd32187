"""What a step of a decoder takes."""

from collections.abc import Callable
from typing import Any, NamedTuple

from keras_seq.recurrent.cell import Tensor

State = dict[str, Tensor]
Feedback = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class CellWeights(NamedTuple):
    """The weights of one cell in a step.

    Of the first cell, whose inputs are projected before the step, `kernel` is the part for what is fed to it at the
    step, if anything is, and `bias` is `None`.
    """

    kernel: Tensor | None
    bias: Tensor | None
    recurrent: tuple[Tensor | None, ...]


class CellDropout(NamedTuple):
    """The dropout masks of one cell in a step; of the first cell `inputs` is the part for what is fed to it."""

    inputs: Any = None
    recurrent: Any = None


class StepWeights(NamedTuple):
    """What `AttentionDecoder.step` needs of the weights."""

    cells: tuple[CellWeights, ...]
    attention: tuple[Tensor | None, ...]
    attentional_kernel: Tensor | None
