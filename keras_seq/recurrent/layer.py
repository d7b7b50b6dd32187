"""What the recurrent layers share: the choice of a kernel and the loop over time."""

from typing import Any, Self

import keras
from keras import ops, tree
from keras.src.utils.naming import to_snake_case

from keras_seq.recurrent.cell import Identifier, StepCell, Tensor
from keras_seq.recurrent.kernel_choice import KernelChoice, portable_kernels_asked
from keras_seq.recurrent.loop import run_loop

TANH = (keras.activations.tanh, ops.tanh)
SIGMOID = (keras.activations.sigmoid, ops.sigmoid)


class RecurrentLayer:
    """Mixin over a Keras recurrent layer whose cell is a `StepCell`, named in `cell_class`.

    A layer has up to three kernels, and `inner_loop` takes the first that can run it: the backend's cuDNN kernel
    (`CudnnLayer`), this library's fused kernel, and the generic loop, which can run everything. The fused kernel is for
    training alone: what it keeps for its backward pass is of no use in inference, and neither SavedModel nor a
    converter can take a hand-written gradient with it, so `model.export` would fail.
    """

    cell_class: type[StepCell]
    cell_only_arguments: tuple[str, ...] = ("implementation",)
    """Arguments that the layer takes in its `**kwargs` and hands to its cell."""
    fast_activations: tuple[Identifier, ...] = TANH
    """The values of `activation` that the cuDNN and fused kernels know."""

    @classmethod
    def make_cell(cls, layer_kwargs: dict[str, Any], **arguments: Any) -> StepCell:
        """Makes the cell of a layer, as the Keras layers do.

        Args:
            layer_kwargs: the `**kwargs` of the layer; the cell's own are taken out, the common ones copied.
            **arguments: the other arguments of the cell.
        """
        for name in cls.cell_only_arguments:
            if name in layer_kwargs:
                arguments[name] = layer_kwargs.pop(name)
        return cls.cell_class(
            **arguments,
            dtype=layer_kwargs.get("dtype"),
            trainable=layer_kwargs.get("trainable", True),
            name=to_snake_case(cls.cell_class.__name__),
        )

    def run_cell(self, cell: StepCell, **kwargs: Any) -> None:
        """Initialises the layer around its cell; to be called by the constructors alone."""
        # The constructor of the Keras layer would build Keras' cell: go past it, to that of its base class.
        keras.layers.RNN.__init__(self, cell, **kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)

    @classmethod
    def from_cell(cls, cell: StepCell, **kwargs: Any) -> Self:
        """A layer that runs the given cell and shares its weights.

        Args:
            cell: an instance of this layer's own cell class.
            **kwargs: arguments of the layer that its cell does not have, such as `return_sequences`.

        Raises:
            TypeError: where `cell` is of any other class.
        """
        if type(cell) is not cls.cell_class:
            raise TypeError(
                f"`cell` must be a keras_seq.{cls.cell_class.__name__} to run in {cls.__name__}; put another into "
                f"keras.layers.RNN. Received: cell={cell.name!r} of type {type(cell).__module__}.{type(cell).__name__}"
            )
        layer = cls.__new__(cls)
        kwargs.setdefault("dtype", cell.dtype_policy)
        layer.run_cell(cell, **kwargs)
        return layer

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of the states, in their order in `initial_state` and behind the output with `return_state`."""
        return self.cell.state_names

    def training_kernel(self, masked: bool = False) -> KernelChoice:
        """The kernel that this layer takes on this backend and machine, and why not a faster one.

        Args:
            masked: whether the layer is called with a mask.
        """
        obstacle = self.fast_kernel_obstacle()
        if obstacle is not None:
            return KernelChoice("loop", obstacle)
        cudnn_obstacle = self.cudnn_obstacle(masked)
        if cudnn_obstacle is None:
            return KernelChoice("cudnn")
        fused_obstacle = self.fused_obstacle()
        if fused_obstacle is None:
            return KernelChoice("fused", cudnn_obstacle)
        return KernelChoice("loop", f"{cudnn_obstacle}; {fused_obstacle}")

    def fast_kernel_obstacle(self) -> str | None:
        """Why neither cuDNN nor a fused kernel can run a layer with these arguments, or `None` where one might."""
        cell = self.cell
        recurrent_activation = getattr(cell, "recurrent_activation", keras.activations.sigmoid)
        if portable_kernels_asked():
            return "a portable graph was asked for"
        if self.unroll:
            return "unroll=True"
        if cell.recurrent_dropout:
            return "recurrent_dropout"
        if cell.dropout and getattr(cell, "dropout_mask_count", None) is not None:
            return "implementation=1 with dropout: each gate has inputs of its own"
        if cell.activation not in self.fast_activations:
            return f"no fast kernel with activation={_name(cell.activation)}"
        if recurrent_activation not in SIGMOID:
            return f"no fast kernel with recurrent_activation={_name(recurrent_activation)}"
        return None

    def cudnn_obstacle(self, masked: bool) -> str | None:
        """Why the backend's cuDNN kernel cannot run this layer here, or `None` where it can."""
        return f"Keras has no cuDNN kernel for {type(self).__name__}"

    def fused_obstacle(self) -> str | None:
        """Why this library's fused kernel cannot run this layer here, or `None` where it can."""
        return None if keras.backend.backend() == "tensorflow" else "the fused kernels are for the TensorFlow backend"

    def run_cudnn(self, sequences: Tensor, states: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs the backend's cuDNN kernel over `(batch, time, features)`; results as from `run_loop`."""
        raise NotImplementedError(f"{type(self).__name__} has no cuDNN kernel.")

    def run_fused(
        self, sequences: Tensor, states: list[Tensor], mask: Tensor | None
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs this library's fused kernel over `(batch, time, features)`; results as from `run_loop`."""
        raise NotImplementedError(f"{type(self).__name__} has no fused kernel.")

    def fused_arguments(self, sequences: Tensor, mask: Tensor | None) -> dict[str, Any]:
        """The arguments that all fused kernels have."""
        cell = self.cell
        return {
            "inputs": sequences,
            "kernel": ops.convert_to_tensor(cell.kernel),
            "recurrent_kernel": ops.convert_to_tensor(cell.recurrent_kernel),
            "bias": ops.convert_to_tensor(cell.bias) if cell.use_bias else None,
            "mask": mask,
            "zero_output_for_mask": self.zero_output_for_mask,
        }

    def inner_loop(
        self,
        sequences: Tensor,
        initial_state: Tensor | list[Tensor],
        mask: Tensor | list[Tensor] | None,
        training: bool | None = False,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs the layer over time; called by `keras.layers.RNN.call`.

        Args:
            sequences: `(batch, time, features)`.
            initial_state: the states before the first step, each `(batch, units)`.
            mask: `None` or booleans `(batch, time)`, `False` at the steps to leave out.
            training: whether dropout applies.

        Returns:
            The output of the last step `(batch, units)`, the outputs `(batch, time, units)`, and the final states.
        """
        states = list(initial_state) if tree.is_nested(initial_state) else [initial_state]
        mask = as_time_mask(mask)
        sequences = ops.cast(sequences, self.cell.compute_dtype)  # integers come as they are
        kernel = self.training_kernel(masked=mask is not None)
        input_masks = self.cell.input_dropout_masks(sequences[:, 0, :], training)
        recurrent_masks = self.cell.recurrent_dropout_masks(states[0], training)
        if self.go_backwards:
            # Keras returns the outputs in the order of reading, so reversing the input is all there is to do.
            sequences = ops.flip(sequences, axis=1)
            mask = None if mask is None else ops.flip(mask, axis=1)
        if kernel.name == "cudnn":
            try:
                return self.run_cudnn(_drop(sequences, input_masks), states)
            except NotImplementedError as refusal:
                kernel = KernelChoice("loop", f"the backend's cuDNN kernel refused: {refusal}")
        if getattr(self, "use_cudnn", False) is True:
            raise ValueError(
                f'`use_cudnn=True` was given to layer "{self.name}", but cuDNN cannot run it here: {kernel.reason}. '
                'Pass use_cudnn="auto" to fall back on another kernel.'
            )
        if kernel.name == "fused" and training:
            return self.run_fused(_drop(sequences, input_masks), states, mask)
        weights = self.cell.step_weights()
        return run_loop(
            lambda projected, states: self.cell.step(projected, list(states), weights, recurrent_masks),
            self.cell.project(sequences, input_masks),
            states,
            mask,
            unroll=self.unroll,
            return_sequences=self.return_sequences,
            zero_output_for_mask=self.zero_output_for_mask,
        )


def _name(activation: Any) -> str:
    return getattr(activation, "__name__", type(activation).__name__)


def _drop(sequences: Tensor, mask: Tensor | None) -> Tensor:
    return sequences if mask is None else sequences * ops.expand_dims(mask, axis=1)


def as_time_mask(mask: Tensor | list[Tensor] | None) -> Tensor | None:
    """Makes a mask as Keras hands it over into booleans `(batch, time)`; `None` stays `None`."""
    if tree.is_nested(mask):
        mask = mask[0]
    if mask is None:
        return None
    mask = ops.convert_to_tensor(mask, dtype="bool")
    return ops.squeeze(mask, axis=-1) if len(mask.shape) == 3 else mask
