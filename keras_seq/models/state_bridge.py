"""From the final states of an encoder to the first states of a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_seq.recurrent.cell import Identifier, Tensor


@keras.saving.register_keras_serializable(package="keras_seq")
class StateBridge(keras.layers.Layer):
    """Makes the first states of a decoder of what an encoder has read.

    Where the states agree in number and sizes, they are handed on as they are (Sutskever, Vinyals & Le 2014,
    https://arxiv.org/abs/1409.3215) and the layer has no weights. Otherwise, as for a bidirectional encoder, or an LSTM
    before a GRU, each state of the decoder is made of all of the encoder's:

        state<k> = activation([s<1>; s<2>; …] W<k> + b<k>)

    as Cho et al. 2014 (https://arxiv.org/abs/1406.1078, appendix A.1.2) make theirs with a tanh from the encoder's one,
    and Bahdanau et al. 2015 from the backward one of its two.

    Weights: none, or a kernel W<k> `(total size, size<k>)` and a bias b<k> `(size<k>,)` for each state to make.

    Args:
        sizes: the sizes of the states to make.
        activation: of the projected states; `None` for none.
        project: `"auto"` to project only where states cannot be handed on, or `"always"`: for a vector that is no
            state, and happens to have the size of one.
        kernel_initializer: initialiser of the kernel.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        states: a list of tensors `(batch, size)`, or one of them.

    Output shape:
        A list of tensors `(batch, size)`, one for each of `sizes`.

    Raises:
        ValueError: for sizes that are not positive, an unknown `project`, or states that are not `(batch, size)`.

    Example:
    >>> import keras, keras_seq
    >>> bridge = keras_seq.StateBridge([5, 5])
    >>> forward, backward = keras.ops.ones((2, 3)), keras.ops.ones((2, 3))
    >>> [tuple(state.shape) for state in bridge([forward, backward])], bridge.projects
    ([(2, 5), (2, 5)], True)
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Identifier = "tanh",
        project: str = "auto",
        kernel_initializer: Identifier = "glorot_uniform",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.sizes = list(sizes)
        if not self.sizes or any(not isinstance(size, int) or size < 1 for size in self.sizes):
            raise ValueError(f"`sizes` must be a list of at least one positive integer. Received: sizes={sizes!r}")
        if project not in ("auto", "always"):
            raise ValueError(f'`project` must be "auto" or "always". Received: project={project!r}')
        self.activation = keras.activations.get(activation)
        self.project = project
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.projections: list[keras.layers.Dense] = []

    @property
    def projects(self) -> bool:
        """Whether the states are projected; known once the layer is built."""
        return bool(self.projections)

    def build(self, states_shape: Any) -> None:
        """Makes the weights, where any are needed, for a list of shapes `(batch, size)`, or one of them."""
        shapes = _as_list_of_shapes(states_shape)
        if not shapes or any(len(shape) != 2 or shape[1] is None for shape in shapes):
            raise ValueError(
                f'The states of layer "{self.name}" must have shapes (batch, size), the size known. Received: {shapes}'
            )
        received = [shape[1] for shape in shapes]
        if self.project == "always" or received != self.sizes:
            self.projections = [self._make_projection(index, size) for index, size in enumerate(self.sizes)]
            for projection in self.projections:
                projection.build((None, sum(received)))
        self.built = True

    def _make_projection(self, index: int, size: int) -> keras.layers.Dense:
        return keras.layers.Dense(
            size,
            activation=self.activation,
            kernel_initializer=keras.initializers.get(keras.initializers.serialize(self.kernel_initializer)),
            dtype=self.dtype_policy,
            name=f"state_{index}",
        )

    def call(self, states: Sequence[Tensor] | Tensor) -> list[Tensor]:
        """Hands the states on, or projects them; see the class for the shapes."""
        states = list(states) if isinstance(states, (list, tuple)) else [states]
        states = [ops.cast(state, self.compute_dtype) for state in states]
        if not self.projections:
            return states
        joint = states[0] if len(states) == 1 else ops.concatenate(states, axis=-1)
        return [projection(joint) for projection in self.projections]

    def compute_output_shape(self, states_shape: Any) -> list[tuple[int | None, int]]:
        """The shapes of the states made."""
        batch = _as_list_of_shapes(states_shape)[0][0]
        return [(batch, size) for size in self.sizes]

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "sizes": self.sizes,
            "activation": keras.activations.serialize(self.activation),
            "project": self.project,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _as_list_of_shapes(shapes: Any) -> list[tuple[int | None, ...]]:
    """One shape or a list of them as a list."""
    is_one = not shapes or isinstance(shapes[0], int) or shapes[0] is None
    return [tuple(shapes)] if shapes and is_one else [tuple(shape) for shape in shapes]
