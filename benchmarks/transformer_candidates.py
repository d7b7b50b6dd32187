"""What `transformer.py` times: models of keras_seq with given weights, bundles made of them, and their opponents."""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
from transformer_opponents.weights import (
    END_ID,
    EPSILON,
    START_ID,
    Attention,
    Layer,
    Sizes,
    Weights,
)

import keras_seq
from keras_seq.decoding import BeamSearch, Greedy, Strategy
from keras_seq.export import export_model
from keras_seq.serving import Generator, Predictor

BUNDLE = "bundle"
HAND = "hand-made ONNX graph"
KERAS, PREDICT, KERAS_ONNX = "Keras, tf.function", "Keras, predict", "Keras' ONNX export"
TORCH, OPENVINO = "PyTorch", "OpenVINO"
CT2, CT2_INT8 = "CTranslate2", "CTranslate2, int8"
INEXACT = (CT2_INT8,)
NUM_BEAMS, SOURCE, TARGET, TIME = 4, 20, 40, 64

Run = Callable[[np.ndarray], np.ndarray]
Decode = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]


@dataclass(frozen=True)
class Case:
    """One task on one batch.

    Attributes:
        num_beams: Of the search, 1 for greedy search; 0 where the encoder alone runs.
        batch: Rows.
    """

    num_beams: int
    batch: int

    @property
    def title(self) -> str:
        task = {0: "encoder", 1: "greedy"}.get(self.num_beams, f"beam {self.num_beams}")
        return f"{task}, batch {self.batch}"

    def ids(self, sizes: Sizes) -> np.ndarray:
        """Without padding, which is looked for all the same."""
        shape = (self.batch, SOURCE if self.num_beams else TIME)
        return np.random.default_rng(3).integers(END_ID + 1, sizes.vocabulary, shape, "int32")


def encoder_model(weights: Weights) -> keras.Model:
    """Ids to the encoder's outputs, by layers of keras_seq."""
    sizes = weights.sizes
    ids = keras.Input((None,), dtype="int32", name="ids")
    embedding = keras.layers.Embedding(sizes.vocabulary, sizes.features, mask_zero=True)
    encoder = keras_seq.TransformerEncoder(
        sizes.num_layers,
        sizes.num_heads,
        sizes.feed_forward_units,
        activation="gelu",
        norm_first=True,
        epsilon=EPSILON,
        name="encoder",
    )
    model = keras.Model(ids, encoder(embedding(ids)), name="encoder")
    embedding.set_weights([weights.source_table])
    _fill_stack(encoder, weights.encoder, weights.encoder_norm)
    return model


def transformer(weights: Weights) -> keras_seq.Transformer:
    """The encoder-decoder of keras_seq."""
    sizes = weights.sizes
    model = keras_seq.Transformer(
        source_vocabulary_size=sizes.vocabulary,
        target_vocabulary_size=sizes.vocabulary,
        features=sizes.features,
        num_heads=sizes.num_heads,
        feed_forward_units=sizes.feed_forward_units,
        num_encoder_layers=sizes.num_layers,
        num_decoder_layers=sizes.num_layers,
        norm_first=True,
        activation="gelu",
        tie_output=False,
        start_id=START_ID,
        end_id=END_ID,
        name="translator",
    )
    model.build(((None, None), (None, None)))
    scale = sizes.features**0.5  # the model multiplies its embeddings by that
    model.source_embedding.set_weights([weights.source_table / scale])
    model.target_embedding.set_weights([weights.target_table / scale])
    _fill_stack(model.encoder, weights.encoder, weights.encoder_norm)
    _fill_stack(model.decoder, weights.decoder, weights.decoder_norm)
    model.output_projection.set_weights(weights.output)
    return model


def _fill_stack(stack, layers: tuple[Layer, ...], norm) -> None:
    for block, layer in zip(stack.blocks, layers, strict=True):
        cross = layer.cross_attention is not None
        attention = "self_attention" if cross else "attention"
        _fill_attention(getattr(block, attention), layer.attention)
        getattr(block, f"{attention}_norm").set_weights(layer.attention_norm)
        if cross:
            _fill_attention(block.cross_attention, layer.cross_attention)
            block.cross_attention_norm.set_weights(layer.cross_attention_norm)
        block.feed_forward_norm.set_weights(layer.feed_forward_norm)
        block.feed_forward.expand.set_weights(layer.expand)
        block.feed_forward.contract.set_weights(layer.contract)
    stack.final_norm.set_weights(norm)


def _fill_attention(attention, weights: Attention) -> None:
    values = [value for part in weights for value in part]
    shapes = [variable.shape for variable in attention.weights]
    attention.set_weights([value.reshape(shape) for value, shape in zip(values, shapes, strict=True)])


class Ways:
    """All ways to do one task with the same weights.

    Attributes:
        ready: Those that can be had here, by name; several forms of one way are called `way: form`.
        left_out: For the others the reason.
        nodes: How many nodes the bundle's graph has and, where it loops, the body of its loop; those of the hand-made
            one behind.
        weights: Of the model.
    """

    def __init__(self, weights: Weights):
        self.weights = weights
        self.ready: dict[str, Run | Decode] = {}
        self.left_out: dict[str, str] = {}
        self.nodes: dict[str, tuple[int, ...]] = {}

    def _add(self, makers: Mapping[str, Callable[[], Run | Decode | Mapping[str, Run | Decode]]]) -> None:
        """Makes each way; one whose package is missing is left out."""
        for name, make in makers.items():
            try:
                with _quiet():
                    made = make()
            except ImportError as error:
                self.left_out[name] = str(error)
                continue
            forms = made if isinstance(made, Mapping) else {"": made}
            self.ready |= {f"{name}: {form}".removesuffix(": "): run for form, run in forms.items()}


def encoder_ways(weights: Weights, folder: Path, threads: int) -> Ways:
    """The encoder, at any batch.

    Args:
        weights: Of the model.
        folder: An empty folder, for files.
        threads: For each way.
    """

    def bundle() -> Run:
        export_model(encoder_model(weights), folder / "bundle", formats="onnx", verify=False)
        ways.nodes[BUNDLE] = _node_counts(onnx.load(folder / "bundle" / "model.onnx"))
        predictor = Predictor(folder / "bundle", num_threads=threads)
        (output,) = (spec.name for spec in predictor.outputs)
        return lambda ids: predictor.predict({"ids": ids})[output]

    def hand() -> Run:
        from transformer_opponents.encoder_graph import encoder_graph, hand_encoder

        ways.nodes[HAND] = _node_counts(encoder_graph(weights))
        return hand_encoder(weights, threads)

    def ct2(compute_type: str) -> Run:
        from transformer_opponents.ctranslate2_models import ct2_encoder

        return ct2_encoder(weights, folder / compute_type, compute_type, threads)

    def openvino() -> Run:
        from transformer_opponents.encoder_graph import openvino_encoder

        return openvino_encoder(weights, threads)

    def torch() -> Run:
        from transformer_opponents.torch_modules import torch_encoder

        return torch_encoder(weights, threads)

    from transformer_opponents.keras_layers import keras_encoder, keras_function, keras_onnx, keras_predict

    ways, stock = Ways(weights), keras_encoder(weights)
    ways._add(
        {
            BUNDLE: bundle,
            HAND: hand,
            CT2: lambda: ct2("float32"),
            OPENVINO: openvino,
            TORCH: torch,
            KERAS_ONNX: lambda: keras_onnx(stock, folder / "keras.onnx", threads),
            KERAS: lambda: keras_function(stock),
            PREDICT: lambda: keras_predict(stock),
            CT2_INT8: lambda: ct2("int8"),
        }
    )
    return ways


def strategy(num_beams: int) -> Strategy:
    """The search; the scores of beams are log-probabilities by token."""
    if num_beams == 1:
        return Greedy(max_length=TARGET)
    return BeamSearch(num_beams=num_beams, num_hypotheses=1, alpha=1.0, max_length=TARGET)


def decode_ways(weights: Weights, num_beams: int, folder: Path, threads: int) -> Ways:
    """A search, at any batch. Where there are several threads, ways to share them come as forms.

    Args:
        weights: Of the model.
        num_beams: 1 for greedy search.
        folder: An empty folder, for files.
        threads: For each way.
    """
    callers = ThreadPoolExecutor(threads)

    def bundle() -> dict[str, Decode]:
        model, search = transformer(weights), strategy(num_beams)
        export_model(model, folder / "bundle", formats="onnx", generate=search, verify=False)
        ways.nodes[BUNDLE] = _node_counts(onnx.load(folder / "bundle" / "generate.onnx"))
        whole = Generator(folder / "bundle", num_threads=threads)
        forms = {"one call": lambda ids: _best(whole, ids)}
        if threads > 1:
            single = Generator(folder / "bundle", num_threads=1)
            forms[f"{threads} callers"] = lambda ids: _joined(
                callers.map(lambda part: _best(single, part), _parts(ids, threads))
            )
        return forms

    def hand() -> dict[str, Decode]:
        from transformer_opponents.generate_graph import generate_graph, hand_generate

        ways.nodes[HAND] = _node_counts(generate_graph(weights, num_beams, TARGET))
        forms = {"one call": hand_generate(weights, num_beams, TARGET, threads)}
        if threads > 1:
            single = hand_generate(weights, num_beams, TARGET, 1)
            forms[f"{threads} callers"] = lambda ids: _joined(callers.map(single, _parts(ids, threads)))
        return forms

    def ct2(compute_type: str) -> dict[str, Decode]:
        from transformer_opponents.ctranslate2_models import Ct2Translator

        translator = Ct2Translator(weights, folder / compute_type, compute_type, num_beams, TARGET)
        forms = {"one call": translator.decode(threads)}
        if threads > 1:
            forms["1 thread"] = translator.decode(1)
            forms[f"{threads} workers"] = translator.decode(1, workers=threads)
        return forms

    def torch() -> Decode:
        from transformer_opponents.torch_modules import torch_generate

        return torch_generate(weights, num_beams, TARGET, threads)

    ways = Ways(weights)
    ways._add(
        {
            BUNDLE: bundle,
            HAND: hand,
            CT2: lambda: ct2("float32"),
            TORCH: torch,
            KERAS: lambda: _keras_generate(transformer(weights), strategy(num_beams)),
            CT2_INT8: lambda: ct2("int8"),
        }
    )
    return ways


def _best(generator: Generator, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = generator.generate(ids)
    return np.array([one[0].ids for one in found]), np.array([one[0].score for one in found])


def _parts(ids: np.ndarray, count: int) -> list[np.ndarray]:
    return [part for part in np.array_split(ids, count) if len(part)]


def _joined(found) -> tuple[np.ndarray, np.ndarray]:
    ids, scores = zip(*found, strict=True)
    return np.concatenate(ids), np.concatenate(scores)


def _keras_generate(model: keras_seq.Transformer, search: Strategy) -> Decode:
    @tf.function(input_signature=[tf.TensorSpec([None, None], "int32")], autograph=False)
    def generate(source: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        hypotheses = model.generate(source, search)
        return hypotheses.ids, hypotheses.scores

    def run(source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ids, scores = generate(tf.constant(source, "int32"))
        return ids.numpy()[:, 0], scores.numpy()[:, 0]

    return run


def _node_counts(model: onnx.ModelProto) -> tuple[int, ...]:
    """Of the graph, and of its loop's body where it has a loop."""
    bodies = [a.g for node in model.graph.node if node.op_type == "Loop" for a in node.attribute if a.name == "body"]
    return len(model.graph.node), *(len(body.node) for body in bodies)


@contextlib.contextmanager
def _quiet():
    """Keeps the exporters' remarks off the terminal."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
