"""One function of a model that goes into the bundle: as an ONNX graph, and as a signature of the SavedModel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import tensorflow as tf

from keras_seq.export.lowering.trace import StreamState, Trace
from keras_seq.serving.option_spec import OptionSpec
from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["Endpoint"]


@dataclass(frozen=True)
class Endpoint:
    """One function of a model.

    Attributes:
        name: Of the ONNX graph: `"model"`, `"step"` or `"generate"`.
        signature_name: Of the SavedModel's signature.
        inputs: What it takes.
        outputs: What it gives.
        build: Makes the function of flat tensors, inputs, states and options in that order, that a trace is taken of.
        states: What a stream carries: inputs behind `inputs`, and outputs behind `outputs`.
        options: Inputs that may be left out.
        loops: How many loops its graph may have.
        limits: The largest sizes of its dynamic dimensions, by name.
        decoding: How it decodes, for the manifest; None for what does not.
    """

    name: str
    signature_name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    build: Callable[[Trace], Callable[..., list[tf.Tensor]]]
    states: tuple[StreamState, ...] = ()
    options: tuple[OptionSpec, ...] = ()
    loops: int = 0
    limits: dict[str, int] = field(default_factory=dict)
    decoding: dict | None = None

    def input_shapes(self) -> list[tuple[str, tuple[int | str, ...]]]:
        """Name and dimensions of all that goes in, in order."""
        return (
            [(spec.name, spec.shape) for spec in self.inputs]
            + [(state.name, state.dims) for state in self.states]
            + [(option.name, ()) for option in self.options]
        )

    def output_shapes(self) -> list[tuple[str, tuple[int | str, ...]]]:
        """Name and dimensions of all that comes out, in order."""
        states = [(state.next_name, state.next_dims) for state in self.states]
        return [(spec.name, spec.shape) for spec in self.outputs] + states

    def tensor_specs(self, named: bool = False) -> list[tf.TensorSpec]:
        """All that goes in as TensorFlow describes it.

        Args:
            named: Whether under the names of the inputs, or under such as are safe in any graph.
        """
        dtypes = [spec.dtype for spec in self.inputs] + ["float32"] * len(self.states)
        dtypes += [option.dtype for option in self.options]
        return [
            tf.TensorSpec(
                [dim if isinstance(dim, int) else None for dim in dims], dtype, name=name if named else f"input_{index}"
            )
            for index, ((name, dims), dtype) in enumerate(zip(self.input_shapes(), dtypes, strict=True))
        ]
