"""Two layers over one sequence, one from each end."""

from typing import Any

import keras
from keras import ops, tree

from keras_seq.recurrent.cell import Tensor
from keras_seq.recurrent.kernel_choice import KernelChoice, portable_kernels_asked, slowest_kernel
from keras_seq.recurrent.state_names import state_names

_ELEMENTWISE = ("sum", "mul", "ave")


@keras.saving.register_keras_serializable(package="keras_seq")
class Bidirectional(keras.layers.Bidirectional):
    """Runs one layer over the sequence from its start and another from its end, and merges their outputs.

    Schuster & Paliwal 1997, https://doi.org/10.1109/78.650093. Takes the place of `keras.layers.Bidirectional`, with
    the same arguments and results. Beyond it, the two layers may be of different kinds and, where the outputs are not
    merged element by element, of different sizes; each takes its own number of states.

    A masked time step changes no state. With `return_sequences` its output is zero in both directions (Keras sets
    `zero_output_for_mask` on both layers); otherwise the output is that of the last valid step, read in each direction.

    Args:
        layer: the layer to run forwards, of this library or of Keras; a copy with new weights is made of it.
        merge_mode: `"concat"`, `"sum"`, `"mul"`, `"ave"`, or `None` to return the two outputs one after the other.
        weights: accepted as in Keras, where it has no effect.
        backward_layer: the layer to run backwards, taken as it is, with the opposite `go_backwards` of `layer` and the
            same `stateful`, `return_sequences` and `return_state`. By default a reversed copy of `layer`.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: the list of the forward layer's states, then the backward layer's; zeros if left out.
        mask: booleans `(batch, time)`, `False` at the steps to leave out.
        training: whether dropout applies.

    Output shape:
        The merged output, `(batch, units)` or `(batch, time, units)` with `return_sequences`; the units of both layers
        added up for `"concat"`. Two tensors for `merge_mode=None`. With `return_state` followed by the states of the
        forward layer and those of the backward layer.

    Raises:
        ValueError: for an unknown `merge_mode`, for layers that do not go together, or for a wrong number of states.

    Example:
    >>> import keras, keras_seq
    >>> layer = keras_seq.Bidirectional(
    ...     keras_seq.PeepholeLSTM(5, return_sequences=True),
    ...     backward_layer=keras_seq.GRU(3, return_sequences=True, go_backwards=True),
    ... )
    >>> tuple(layer(keras.ops.ones((2, 7, 11))).shape)
    (2, 7, 8)
    """

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of the states, in their order in `initial_state` and behind the output with `return_state`."""
        return tuple(
            f"{direction}.{name}"
            for direction, layer in (("forward", self.forward_layer), ("backward", self.backward_layer))
            for name in state_names(layer)
        )

    def training_kernel(self, masked: bool = False) -> KernelChoice:
        """The slower of the two layers' kernels, see `keras_seq.LSTM.training_kernel`."""
        return slowest_kernel([self.forward_layer, self.backward_layer], masked)

    def build(self, sequences_shape: tuple[int | None, ...], initial_state_shape: Any = None) -> None:
        """Builds both layers for inputs of `(batch, time, features)`."""
        self.compute_output_shape(sequences_shape)  # refuses layers that do not go together
        super().build(sequences_shape, initial_state_shape)

    def call(
        self,
        sequences: Tensor,
        initial_state: list[Tensor] | None = None,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor | tuple[Tensor, ...]:
        """Runs both layers over `sequences` and merges their outputs; see the class for the shapes."""
        forward_state, backward_state = self._split_states(initial_state)
        fused_call = self._fused_call(initial_state, mask)
        if fused_call is not None:
            try:
                return fused_call(sequences, initial_state)
            except NotImplementedError:
                pass  # Keras' way to say that the backend has no such kernel here
        forward = self._run(self.forward_layer, sequences, forward_state, mask, training)
        backward = self._run(self.backward_layer, sequences, backward_state, mask, training)
        states = (*forward[1:], *backward[1:])
        y, y_rev = ops.cast(forward[0], self.compute_dtype), ops.cast(backward[0], self.compute_dtype)
        if self.return_sequences:
            y_rev = ops.flip(y_rev, axis=1)  # each layer's outputs come in its own order of reading
        merged = self._merge(y, y_rev)
        return (*merged, *states) if len(merged) + len(states) > 1 else merged[0]

    def _fused_call(self, initial_state: list[Tensor] | None, mask: Tensor | None) -> Any:
        # Keras' kernels for both directions at once take the first layer to be the one that runs forwards.
        if portable_kernels_asked() or self.forward_layer.go_backwards:
            return None
        if self._can_attempt_fused_lstm(mask, initial_state):
            return self._call_fused_lstm
        if self._can_attempt_fused_gru(mask, initial_state):
            return self._call_fused_gru
        return None

    def _split_states(self, initial_state: list[Tensor] | None) -> tuple[list[Tensor] | None, list[Tensor] | None]:
        if initial_state is None:
            return None, None
        forward_count, backward_count = _state_count(self.forward_layer), _state_count(self.backward_layer)
        if not isinstance(initial_state, (list, tuple)) or len(initial_state) != forward_count + backward_count:
            received = len(initial_state) if isinstance(initial_state, (list, tuple)) else 1
            raise ValueError(
                f'`initial_state` of layer "{self.name}" must hold {forward_count + backward_count} states, '
                f"{forward_count} of the forward layer, then {backward_count} of the backward one. Received: {received}"
            )
        return list(initial_state[:forward_count]), list(initial_state[forward_count:])

    def _run(self, layer: Any, sequences: Tensor, state: Any, mask: Tensor | None, training: bool | None) -> tuple:
        kwargs: dict[str, Any] = {"initial_state": state}
        if layer._call_has_training_arg:
            kwargs["training"] = training
        if layer._call_has_mask_arg:
            kwargs["mask"] = mask
        result = layer(sequences, **kwargs)
        return tuple(result) if self.return_state else (result,)

    def _merge(self, y: Tensor, y_rev: Tensor) -> tuple[Tensor, ...]:
        if self.merge_mode == "concat":
            return (ops.concatenate([y, y_rev], axis=-1),)
        if self.merge_mode == "sum":
            return (y + y_rev,)
        if self.merge_mode == "ave":
            return ((y + y_rev) / 2,)
        if self.merge_mode == "mul":
            return (y * y_rev,)
        return y, y_rev

    def compute_output_shape(
        self, sequences_shape: tuple[int | None, ...], initial_state_shape: Any = None
    ) -> tuple[Any, ...]:
        """The shapes of what `call` returns, for inputs of `(batch, time, features)`."""
        forward, backward = (
            _split_output_shape(layer.compute_output_shape(sequences_shape), self.return_state)
            for layer in (self.forward_layer, self.backward_layer)
        )
        y, y_rev = forward[0], backward[0]
        if self.merge_mode in _ELEMENTWISE and y[-1] != y_rev[-1]:
            raise ValueError(
                f'`merge_mode="{self.merge_mode}"` of layer "{self.name}" needs layers with outputs of the same size. '
                f"Received: {y[-1]} forwards and {y_rev[-1]} backwards. "
                'Use merge_mode="concat" or None, or the same number of units.'
            )
        merged = [y, y_rev] if self.merge_mode is None else [y]
        if self.merge_mode == "concat":
            merged = [(*y[:-1], y[-1] + y_rev[-1])]
        shapes = (*merged, *forward[1:], *backward[1:])
        return shapes if len(shapes) > 1 else shapes[0]

    def compute_mask(self, _: Any, mask: Tensor | list[Tensor] | None) -> Any:
        """The mask of each tensor that `call` returns: the input's for whole sequences, otherwise `None`."""
        mask = tree.flatten(mask)[0] if tree.is_nested(mask) else mask
        output_mask = mask if self.return_sequences else None
        masks = [output_mask] * (2 if self.merge_mode is None else 1)
        if self.return_state:
            masks += [None] * (_state_count(self.forward_layer) + _state_count(self.backward_layer))
        return tuple(masks) if len(masks) > 1 else output_mask

    @property
    def states(self) -> tuple[Any, ...] | None:
        """The variables that hold the states of a stateful layer, the forward layer's first; `None` before `build`."""
        if self.forward_layer.states and self.backward_layer.states:
            return (*self.forward_layer.states, *self.backward_layer.states)
        return None


def _state_count(layer: Any) -> int:
    return len(getattr(layer, "state_size", ()))


def _split_output_shape(shape: Any, return_state: bool) -> tuple[Any, ...]:
    return tuple(shape) if return_state else (shape,)
