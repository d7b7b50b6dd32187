"""What `decoding.py` times: an encoder-decoder, the bundle made of it, and other ways to decode with its weights."""

import contextlib
import io
import logging
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
from decoding_opponents.host_loops import Decode, HostLoops, Search
from decoding_opponents.weights import Weights

import keras_seq
from keras_seq.decoding import BeamSearch, Greedy, Strategy
from keras_seq.export import export_model
from keras_seq.serving import Predictor

PREDICTOR = "generate.onnx, Predictor"
HOST = "host loop"
HOST_IDS = "host loop without scores"
HOST_PROJECTED = "host loop, values projected"
NATURAL = "host loop, natural"
KERAS = "Keras, tf.function"
TORCH = "PyTorch"
COMPILED = "PyTorch, torch.compile"
UNITS, VOCABULARY, SOURCE, TARGET, NUM_BEAMS, ALPHA = 256, 4000, 20, 40, 4, 0.7


@dataclass(frozen=True)
class Case:
    """One search over one batch.

    Attributes:
        num_beams: 1 for greedy search.
        batch: Sources.
    """

    num_beams: int
    batch: int

    @property
    def title(self) -> str:
        return f"{'greedy' if self.num_beams == 1 else f'beam {self.num_beams}'}, batch {self.batch}"

    @property
    def source(self) -> np.ndarray:
        """Ids, without padding."""
        return np.random.default_rng(3).integers(3, VOCABULARY, (self.batch, SOURCE), "int32")


def make_model() -> keras_seq.Seq2Seq:
    """The encoder-decoder, with random weights that decide clearly; no hypothesis ends before the last step."""
    keras.utils.set_random_seed(0)
    model = keras_seq.Seq2Seq(
        keras_seq.GRU(UNITS, return_sequences=True, return_state=True),
        keras_seq.AttentionDecoder(keras_seq.GRUCell(UNITS), keras_seq.BahdanauAttention(UNITS)),
        source_vocabulary_size=VOCABULARY,
        target_vocabulary_size=VOCABULARY,
        embedding_dim=UNITS,
        name="translator",
    )
    model.build(((None, None), (None, None)))
    random = np.random.default_rng(0)
    for weight in model.weights:
        name, last = weight.path, weight.path.rsplit("/", 1)[1]
        scale = 0.1 if "bias" in last else 1 / np.sqrt(weight.shape[0])
        scale *= {"query_kernel": 2, "memory_kernel": 2, "score_kernel": 4}.get(last, 1)
        scale *= 6 if name.endswith("output/kernel") else 1
        weight.assign(random.normal(scale=0.5 if last == "embeddings" else scale, size=weight.shape))
    bias = model.output_projection.bias.numpy()
    bias[model.end_id] = -30.0
    model.output_projection.bias.assign(bias)
    return model


def strategy(num_beams: int) -> Strategy:
    if num_beams == 1:
        return Greedy(max_length=TARGET)
    return BeamSearch(num_beams=num_beams, num_hypotheses=1, alpha=ALPHA, max_length=TARGET)


@dataclass(frozen=True)
class NodeCounts:
    """How many nodes a `generate.onnx` has.

    Attributes:
        outside: Of the graph itself, its loop counted as one.
        body: Of the loop's body.
        operators: The body's, by type.
    """

    outside: int
    body: int
    operators: dict[str, int]


class Ways:
    """All ways to run one search, at any batch.

    Args:
        model: From `make_model`.
        num_beams: Of the search.
        folder: An empty folder, for the bundle.
        threads: For each of them.
        compiled: Whether to try `torch.compile` too.
    """

    def __init__(self, model: keras_seq.Seq2Seq, num_beams: int, folder: Path, threads: int, *, compiled: bool):
        self.threads, self.weights = threads, Weights.of(model)
        self.search = Search(model.start_id, model.end_id, TARGET, num_beams, ALPHA)
        self.ready: dict[str, Decode] = {}
        self.left_out: dict[str, str] = {}
        with _quiet():
            export_model(model, folder, formats="onnx", generate=strategy(num_beams), verify=False)
        self.node_counts = _node_counts(folder / "generate.onnx")
        predictor = Predictor(folder, graph="generate")
        self.ready[PREDICTOR] = lambda source: _best(predictor.predict(source))
        lean = HostLoops(self.weights, self.search, "lean")
        self.ready |= {f"{HOST}: {name}": run for name, run in lean.loops().items()}
        if num_beams == 1:
            self.ready |= {f"{HOST_IDS}: {name}": run for name, run in lean.ids_alone().items()}
        projected = HostLoops(self.weights, self.search, "projected")
        self.ready |= {f"{HOST_PROJECTED}: {name}": run for name, run in projected.loops().items()}
        self.ready[NATURAL] = HostLoops(self.weights, self.search, "GRU").natural()
        self.ready[KERAS] = _keras(model, strategy(num_beams))
        self._add_torch(compiled)

    def _add_torch(self, compiled: bool) -> None:
        try:
            from decoding_opponents.torch_loops import compiled_torch_loop, torch_loop
        except ImportError as error:
            self.left_out[TORCH] = str(error)
            return
        self.ready[TORCH] = torch_loop(self.weights, self.search, self.threads)
        if not compiled:
            self.left_out[COMPILED] = "its compilation takes longer than all the rest of a quick run."
            return
        try:
            run = compiled_torch_loop(self.weights, self.search, self.threads)
            run(Case(self.search.num_beams, 1).source)  # it compiles when it first runs
        except RuntimeError as error:
            self.left_out[COMPILED] = str(error).splitlines()[0]
        else:
            self.ready[COMPILED] = run


def _keras(model: keras_seq.Seq2Seq, search: Strategy) -> Decode:
    @tf.function(input_signature=[tf.TensorSpec([None, None], "int32")], autograph=False)
    def generate(source: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        hypotheses = model.generate(source, search)
        return hypotheses.ids, hypotheses.scores

    def run(source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ids, scores = generate(tf.constant(source, "int32"))
        return ids.numpy()[:, 0], scores.numpy()[:, 0]

    return run


def _best(outputs: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return outputs["ids"][:, 0], outputs["scores"][:, 0]


def _node_counts(path: Path) -> NodeCounts:
    graph = onnx.load(path).graph
    (loop,) = (node for node in graph.node if node.op_type == "Loop")
    (body,) = (attribute.g for attribute in loop.attribute if attribute.name == "body")
    return NodeCounts(len(graph.node), len(body.node), dict(Counter(node.op_type for node in body.node).most_common()))


@contextlib.contextmanager
def _quiet():
    """Keeps the exporter's remarks off the terminal."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
