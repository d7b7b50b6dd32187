"""What a model generates: the decode loop as a function of tensors, with its names, types and limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace

import keras
import numpy as np
import tensorflow as tf

from keras_seq.decoding import BeamSearch, Greedy, Sampling, Strategy, generate
from keras_seq.export.endpoint import Endpoint
from keras_seq.export.errors import ExportError
from keras_seq.export.lowering.swap import portable_model, swapped_calls
from keras_seq.export.lowering.trace import Trace
from keras_seq.export.signature import Signature, named_inputs
from keras_seq.models.generating_model import start_decoding
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.option_spec import OptionSpec
from keras_seq.serving.tensor_spec import TensorSpec

__all__ = ["Generation", "generation_of", "recorded_strategy"]

_STRATEGIES = {strategy.__name__: strategy for strategy in (Greedy, Sampling, BeamSearch)}
_SETTINGS = {field.name for strategy in _STRATEGIES.values() for field in fields(strategy)}
_PROTOCOL = ("start_decoding", "decoding_specs", "start_id", "end_id")
_OUTPUTS = {
    "ids": ("int32", ("batch", "hypotheses", "target")),
    "lengths": ("int32", ("batch", "hypotheses")),
    "scores": ("float32", ("batch", "hypotheses")),
    "log_probs": ("float32", ("batch", "hypotheses")),
    "finished": ("bool", ("batch", "hypotheses")),
    "alignments": ("float32", ("batch", "hypotheses", "target", "time")),
}


@dataclass(frozen=True)
class Generation:
    """A model, and how it is to generate.

    Attributes:
        model: It has `start_decoding(inputs, num_beams)` (or `(inputs, num_beams, max_length)`), `decoding_specs`,
            `start_id` and `end_id`, as `keras_seq.Seq2Seq` and `keras_seq.Transformer` have.
        strategy: How to choose; its options become inputs of the graph that may be left out.
        inputs: What `start_decoding` takes, flat.
        options: The settings that may be changed when the graph runs.
        structure: The structure of `inputs` in the call.
        limits: The largest sizes of their dynamic dimensions, by name.
    """

    model: keras.Model
    strategy: Strategy
    inputs: tuple[TensorSpec, ...]
    options: tuple[OptionSpec, ...]
    structure: object
    limits: dict[str, int] = field(default_factory=dict)

    def with_padding(self, signature: Signature) -> Generation:
        """The same, with the padding of the model's own inputs: what its encoder masks, it masks here too.

        A model whose decoding takes other inputs says what pads them itself, in `pad_values`.
        """
        pads = {**getattr(self.model, "pad_values", {}), **{spec.name: spec.pad_value for spec in signature.inputs}}
        return replace(self, inputs=tuple(replace(spec, pad_value=pads.get(spec.name)) for spec in self.inputs))

    def endpoint(self) -> Endpoint:
        """What is to be written."""
        names = self._output_names()
        return Endpoint(
            "generate",
            "generate",
            self.inputs,
            tuple(spec for spec in self._outputs() if spec.name in names),
            self._function,
            options=self.options,
            loops=1,
            limits=self.limits,
            decoding=self._settings(),
        )

    def _outputs(self) -> list[TensorSpec]:
        sizes = {"hypotheses": self.strategy.num_results}
        return [
            TensorSpec(name, dtype, tuple(sizes.get(dim, dim) for dim in dims))
            for name, (dtype, dims) in _OUTPUTS.items()
        ]

    def _settings(self) -> dict:
        options = {option.name for option in self.options}
        fixed = {n: v for n, v in vars(self.strategy).items() if n not in options and v not in (None, ())}
        ids = {"start_id": self.model.start_id, "end_id": self.model.end_id}
        return {"strategy": type(self.strategy).__name__, **fixed, **ids}

    def _function(self, trace: Trace) -> Callable[..., list[tf.Tensor]]:
        """The decode loop as a function of flat tensors, by the lowering rules of the model's layers."""

        def function(*tensors: tf.Tensor) -> list[tf.Tensor]:
            with swapped_calls(self.model, trace):
                outputs, _ = self._generate(tensors)
            return [tf.identity(tensor) for tensor in outputs.values()]

        return function

    def reference(self) -> Callable[[dict[str, np.ndarray]], tuple[dict[str, np.ndarray], np.ndarray]]:
        """Runs the Keras model itself; gives the outputs, and by how much each row's closest decision was decided."""

        def call(*tensors: tf.Tensor):
            with portable_model(self.model):
                return self._generate(tensors, with_margins=True)

        compute = tf.function(call, input_signature=self._tensor_specs(), autograph=False)
        defaults = {option.name: option.default for option in self.options}

        def run(inputs: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
            given = defaults | inputs
            taken = [tf.constant(given[spec.name], spec.dtype) for spec in (*self.inputs, *self.options)]
            outputs, margins = compute(*taken)
            return {name: value.numpy() for name, value in outputs.items()}, margins.numpy()

        return run

    def _generate(
        self, tensors: Sequence[tf.Tensor], with_margins: bool = False
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor | None]:
        inputs, values = tensors[: len(self.inputs)], tensors[len(self.inputs) :]
        options = {option.name: value for option, value in zip(self.options, values, strict=True)}
        strategy = self.strategy.replace(**options)
        arguments = keras.tree.pack_sequence_as(self.structure, list(inputs))
        decoding = start_decoding(self.model, arguments, strategy)
        ids = {"start_id": self.model.start_id, "end_id": self.model.end_id}
        result = generate(decoding, strategy, **ids, with_margins=with_margins)
        hypotheses, margins = result if with_margins else (result, None)
        present = {name: value for name in _OUTPUTS if (value := getattr(hypotheses, name)) is not None}
        return present, margins

    def _output_names(self) -> list[str]:
        traced = tf.function(lambda *tensors: self._generate(tensors)[0], autograph=False)
        with portable_model(self.model):
            return list(traced.get_concrete_function(*self._tensor_specs()).structured_outputs)

    def _tensor_specs(self) -> list[tf.TensorSpec]:
        return Endpoint("generate", "", self.inputs, (), self._function, options=self.options).tensor_specs()


def generation_of(model: keras.Model, strategy: Strategy) -> Generation:
    """How `model` generates by `strategy`.

    Raises:
        ExportError: The model cannot generate, or the strategy does not suit its vocabulary.
    """
    lacking = [name for name in _PROTOCOL if not hasattr(model, name)]
    if lacking:
        raise ExportError(
            f"`generate` needs a model that can generate, such as keras_seq.Seq2Seq. Model {model.name!r} of type "
            f"{type(model).__name__} has no {', '.join(lacking)}."
        )
    if not isinstance(strategy, Strategy):
        raise ExportError(
            "`generate` must be a strategy: keras_seq.Greedy, keras_seq.Sampling or keras_seq.BeamSearch. "
            f"Received: {strategy!r}."
        )
    largest, limits = _limits(model, strategy)
    options = tuple(
        OptionSpec(name, option.dtype, getattr(strategy, name), option.minimum, largest.get(name, option.maximum))
        for name, option in strategy.options.items()
        if getattr(strategy, name) is not None
    )
    structure = model.decoding_specs
    return Generation(model, strategy, named_inputs(model, structure), options, structure, limits)


def _limits(model: keras.Model, strategy: Strategy) -> tuple[dict[str, int], dict[str, int]]:
    """The largest values of options, and the largest sizes of dimensions.

    Raises:
        ExportError: The model cannot generate as much as the strategy may ask for.
    """
    if not hasattr(model, "generation_limits"):
        return {}, dict(getattr(model, "size_limits", {}))
    try:
        max_length, limits = model.generation_limits(strategy.max_length)
    except ValueError as error:
        raise ExportError(f"`generate` asks for more than the model has positions for: {error}") from error
    return {} if max_length is None else {"max_length": max_length}, dict(limits)


def recorded_strategy(graph: GraphSpec) -> Strategy:
    """The strategy that a bundle's graph was written with, from its manifest.

    Raises:
        ExportError: The manifest names a strategy that this version does not know.
    """
    settings = {option.name: option.default for option in graph.options}
    settings |= {name: value for name, value in graph.decoding.items() if name in _SETTINGS}
    name = graph.decoding.get("strategy")
    if name not in _STRATEGIES:
        raise ExportError(
            f"the bundle generates by {name!r}, which this version does not know. It knows {', '.join(_STRATEGIES)}."
        )
    return _STRATEGIES[name](**settings)
