"""What the recurrent cells share: the input projection, the dropout masks, and a call made of both."""

from typing import Any

from keras import ops, tree

Tensor = Any
"""A tensor of the active Keras backend."""

Identifier = Any
"""What Keras takes for an activation, initialiser, regulariser or constraint: a name, a config, an object or `None`."""


def gate_matmul(inputs: Tensor, kernel: Tensor, masks: Tensor | list[Tensor] | None = None) -> Tensor:
    """Multiplies by the kernels of all gates at once, through the dropout masks where there are any.

    Args:
        inputs: `(batch, features)` or `(batch, time, features)`.
        kernel: `(features, gates * units)`.
        masks: `None`, one mask for all gates, or a list with one mask for each gate; each mask `(batch, features)`, the
            same at every time step.

    Returns:
        A tensor with the leading dimensions of `inputs` and `gates * units` features.
    """
    if masks is None:
        return ops.matmul(inputs, kernel)
    if len(inputs.shape) == 3:
        masks = tree.map_structure(lambda mask: ops.expand_dims(mask, axis=1), masks)
    if not tree.is_nested(masks):
        return ops.matmul(inputs * masks, kernel)
    gate_kernels = ops.split(kernel, len(masks), axis=-1)
    return ops.concatenate([ops.matmul(inputs * m, k) for m, k in zip(masks, gate_kernels, strict=True)], axis=-1)


class StepCell:
    """Mixin over a Keras cell: one time step is `step(project(inputs), states)`.

    `project` needs no state, so a layer applies it to a whole sequence before its loop. `step` is what is left for each
    time step. A subclass defines `step`, `input_bias`, `state_names` and, where a step needs more than the recurrent
    kernel, `step_weights`.
    """

    state_names: tuple[str, ...] = ("h",)
    cudnn_obstacle: str | None = None
    """Why cuDNN cannot compute this cell, whatever the machine; `None` where it can."""

    @property
    def input_bias(self) -> Tensor | None:
        """The bias that is added to the projected inputs, `(gates * units,)`, or `None`."""
        return self.bias

    def project(self, inputs: Tensor, dropout_masks: Tensor | list[Tensor] | None = None) -> Tensor:
        """The part of a step that depends on the inputs alone: input kernels and input bias of all gates.

        Args:
            inputs: `(batch, features)` or a whole sequence, `(batch, time, features)`.
            dropout_masks: what `input_dropout_masks` gave.

        Returns:
            `(batch, gates * units)` or `(batch, time, gates * units)`.
        """
        projected = gate_matmul(inputs, self.kernel, dropout_masks)
        return projected if self.input_bias is None else projected + self.input_bias

    def step_weights(self) -> tuple[Tensor | None, ...]:
        """The weights of `step`, read and cast to the compute dtype once for a whole loop."""
        return (ops.convert_to_tensor(self.recurrent_kernel),)

    def step(
        self,
        projected: Tensor,
        states: list[Tensor],
        weights: tuple[Tensor | None, ...],
        recurrent_masks: Tensor | list[Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """One pure time step.

        Args:
            projected: `(batch, gates * units)`, from `project`.
            states: one `(batch, units)` tensor for each of `state_names`.
            weights: what `step_weights` gave.
            recurrent_masks: what `recurrent_dropout_masks` gave.

        Returns:
            The output, `(batch, units)`, and the new states.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `step`.")

    def input_dropout_masks(self, inputs: Tensor, training: bool | None) -> Tensor | list[Tensor] | None:
        """Keras' dropout masks of inputs `(batch, features)`, made once a sequence; `None` outside training."""
        return self.get_dropout_mask(inputs) if training and 0.0 < self.dropout < 1.0 else None

    def recurrent_dropout_masks(self, state: Tensor, training: bool | None) -> Tensor | list[Tensor] | None:
        """Keras' dropout masks of a state `(batch, units)`, made once a sequence; `None` outside training."""
        return self.get_recurrent_dropout_mask(state) if training and 0.0 < self.recurrent_dropout < 1.0 else None

    def call(self, inputs: Tensor, states: Tensor | list[Tensor], training: bool | None = False) -> tuple[Tensor, Any]:
        """Runs one time step on `(batch, features)`; a bare state tensor comes back bare, a list as a list."""
        nested = tree.is_nested(states)
        states = list(states) if nested else [states]
        projected = self.project(inputs, self.input_dropout_masks(inputs, training))
        recurrent_masks = self.recurrent_dropout_masks(states[0], training)
        output, new_states = self.step(projected, states, self.step_weights(), recurrent_masks)
        return output, new_states if nested else new_states[0]
