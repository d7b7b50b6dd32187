"""What a step of a decoder takes."""

from collections.abc import Callable
from typing import NamedTuple

from keras import ops

from keras_seq.attention.memory import Memory
from keras_seq.recurrent.cell import Tensor
from keras_seq.recurrent.cell_stack import CellWeights

State = dict[str, Tensor]
Feedback = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class StepWeights(NamedTuple):
    """What `AttentionDecoder.step` needs of the weights."""

    cells: tuple[CellWeights, ...]
    attention: tuple[Tensor | None, ...]
    attentional_kernel: Tensor | None


def fold_context(memory: Memory, weights: StepWeights) -> tuple[Memory, StepWeights]:
    """Moves a product out of the steps.

    With `attend="before"` the context goes into the first cell's kernel and nowhere else, and it is a sum of the
    values: (scores values) kernel = scores (values kernel). The second product is the same for all steps and all
    hypotheses of a source. It has more features than the values, though, so that for a source of several hundred steps
    nothing is won.

    Args:
        memory: what `AttentionDecoder.prepare` gave.
        weights: what `AttentionDecoder.step_weights` gave.

    Returns:
        What `AttentionDecoder.step` takes in their place.
    """
    first, *others = weights.cells
    cells = (first._replace(kernel=None), *others)
    return memory._replace(values=ops.matmul(memory.values, first.kernel)), weights._replace(cells=cells)
