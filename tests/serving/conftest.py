"""Bundles made by hand with `onnx.helper`, and a NumPy oracle for what is in them. Nothing here uses the exporter."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from keras_seq.serving import FileSpec, GraphSpec, Manifest, Predictor, StateSpec, Stream, TensorSpec
from keras_seq.serving.session import Session
from tests.serving.toy_decoder import write_decoder

VOCABULARY, EMBEDDING, FEATURES, UNITS, TAGS = 23, 5, 3, 7, 11

WORDS = TensorSpec("words", "int32", ("batch", "time"), pad_value=0, maximum=VOCABULARY - 1)
SHAPES = TensorSpec("shapes", "float32", ("batch", "time", FEATURES), pad_value=0.0)
SENTENCE = TensorSpec("sentence", "float32", ("batch", UNITS))


def _weights(seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {
        "embedding": (VOCABULARY, EMBEDDING),
        "W": (1, 4 * UNITS, EMBEDDING + FEATURES),
        "R": (1, 4 * UNITS, UNITS),
        "B": (1, 8 * UNITS),
        "head": (UNITS, TAGS),
    }
    return {name: rng.normal(scale=0.6, size=shape).astype("float32") for name, shape in shapes.items()}


class LSTMOracle:
    """The toy graph in plain NumPy: embedding beside features, LSTM (gates i o f c), head."""

    def __init__(self, weights: dict[str, np.ndarray]):
        self.weights = {name: value.astype("float64") for name, value in weights.items()}

    def __call__(self, words: np.ndarray, shapes: np.ndarray) -> dict[str, np.ndarray]:
        """One row, without padding: words `(time,)`, shapes `(time, FEATURES)`."""
        w = self.weights
        h, c = np.zeros(UNITS), np.zeros(UNITS)
        tags = []
        for word, shape in zip(words, shapes, strict=True):
            x = np.concatenate([w["embedding"][word], shape])
            z = w["W"][0] @ x + w["R"][0] @ h + w["B"][0, : 4 * UNITS] + w["B"][0, 4 * UNITS :]
            i, o, f, g = np.split(z, 4)
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            h = _sigmoid(o) * np.tanh(c)
            tags.append(h @ w["head"])
        return {"tags": np.array(tags), "sentence": h}


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _onnx_graph(weights: dict[str, np.ndarray], *, step: bool, mask: bool) -> bytes:
    """Words and shapes through one LSTM node; with `step` its states are inputs and outputs."""
    make = helper.make_node
    nodes = [
        make("Gather", ["embedding", "words"], ["embedded"]),
        make("Concat", ["embedded", "shapes"], ["x"], axis=2),
        make("Transpose", ["x"], ["x_by_time"], perm=[1, 0, 2]),
        make("LSTM", ["x_by_time", "W", "R", "B", "lens", "h0", "c0"], ["y", "h1", "c1"], hidden_size=UNITS),
        make("Squeeze", ["y", "axis_1"], ["y_by_time"]),
        make("Transpose", ["y_by_time"], ["y_by_batch"], perm=[1, 0, 2]),
        make("MatMul", ["y_by_batch", "head"], ["tags"]),
        make("Squeeze", ["h1", "axis_0"], ["sentence"]),
    ]
    constants = dict(weights, axis_0=np.array([0]), axis_1=np.array([1]))
    if mask:
        nodes[:0] = [
            make("Cast", ["words"], ["valid"], to=TensorProto.BOOL),
            make("Cast", ["valid"], ["ones"], to=TensorProto.INT32),
            make("ReduceSum", ["ones", "axis_1"], ["lens"], keepdims=0),
        ]
    lstm = next(node for node in nodes if node.op_type == "LSTM")
    lstm.input[4] = "lens" if mask else ""
    inputs = [
        helper.make_tensor_value_info("words", TensorProto.INT32, ["batch", "time"]),
        helper.make_tensor_value_info("shapes", TensorProto.FLOAT, ["batch", "time", FEATURES]),
    ]
    outputs = [
        helper.make_tensor_value_info("tags", TensorProto.FLOAT, ["batch", "time", TAGS]),
        helper.make_tensor_value_info("sentence", TensorProto.FLOAT, ["batch", UNITS]),
    ]
    if step:
        for state in "hc":
            nodes.insert(0, make("Unsqueeze", [f"lstm_{state}_in", "axis_0"], [f"{state}0"]))
            nodes.append(make("Squeeze", [f"{state}1", "axis_0"], [f"lstm_{state}_out"]))
            inputs.append(helper.make_tensor_value_info(f"lstm_{state}_in", TensorProto.FLOAT, ["batch", UNITS]))
            outputs.append(helper.make_tensor_value_info(f"lstm_{state}_out", TensorProto.FLOAT, ["batch", UNITS]))
    else:
        del lstm.input[5:]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "toy", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return model.SerializeToString()


def _write_bundle(folder: Path, *, mask: bool = True, seed: int = 1, metadata: dict | None = None) -> Path:
    """A bundle with `model` and `step`. Without `mask`, padding would change the answer and `pad_value` is null."""
    folder.mkdir(parents=True)
    words = WORDS if mask else TensorSpec("words", "int32", WORDS.shape, None, WORDS.maximum)
    shapes = SHAPES if mask else TensorSpec("shapes", "float32", SHAPES.shape)
    tags = TensorSpec("tags", "float32", ("batch", "time", TAGS))
    states = [StateSpec(f"lstm.{s}", f"lstm_{s}_in", f"lstm_{s}_out", "float32", ("batch", UNITS)) for s in ("h", "c")]
    graphs = {}
    for name in ("model", "step"):
        file = folder / f"{name}.onnx"
        file.write_bytes(_onnx_graph(_weights(seed), step=name == "step", mask=mask))
        carried = states if name == "step" else []
        graphs[name] = GraphSpec(file.name, [words, shapes], [tags, SENTENCE], carried, 11, {"LSTM": 1})
    manifest = Manifest(
        name="tagger",
        created="2025-01-02T03:04:05+00:00",
        model={"class": "Functional", "parameters": 997, "dtype_policy": "float32"},
        versions={"python": "3.11.7"},
        graphs=graphs,
        files={graph.file: FileSpec.of(folder / graph.file) for graph in graphs.values()},
        onnx={"opset": 18, "ir_version": 8, "min_onnxruntime": "1.17"},
        layers=[{"name": "lstm", "class": "LSTM", "lowering": "native", "operators": {"LSTM": 1}, "reason": ""}],
        parity=[
            {
                "reference": "keras",
                "candidate": "model.onnx",
                "output": "tags",
                "cases": 13,
                "max_abs_diff": 1e-7,
                "max_rel_diff": 1e-6,
                "atol": 1e-5,
                "rtol": 1e-5,
                "passed": True,
            }
        ],
        metadata={"task": "tagging"} if metadata is None else metadata,
    )
    (folder / "bundle.json").write_text(manifest.to_json(), encoding="utf-8")
    return folder


@pytest.fixture
def write_bundle(tmp_path):
    """Writes a fresh toy bundle that a test may spoil: `write_bundle(name="toy", mask=True, seed=1)`."""
    return lambda name="toy", **options: _write_bundle(tmp_path / name, **options)


@pytest.fixture
def edit_manifest():
    """Changes a bundle's `bundle.json` through a function of the parsed JSON."""

    def edit(folder: Path, change):
        path = folder / "bundle.json"
        value = json.loads(path.read_text(encoding="utf-8"))
        change(value)
        path.write_text(json.dumps(value), encoding="utf-8")

    return edit


@pytest.fixture(scope="session")
def masked_path(tmp_path_factory):
    """Folder of the toy bundle whose model masks padding."""
    return _write_bundle(tmp_path_factory.mktemp("bundles") / "masked")


@pytest.fixture(scope="session")
def unmasked_path(tmp_path_factory):
    """Folder of the toy bundle whose answers padding would change."""
    return _write_bundle(tmp_path_factory.mktemp("bundles") / "unmasked", mask=False)


@pytest.fixture(scope="session")
def masked(masked_path):
    """A predictor on the masked toy bundle, shared by all tests."""
    with Predictor(masked_path) as predictor:
        yield predictor


@pytest.fixture(scope="session")
def unmasked(unmasked_path):
    """A predictor on the unmasked toy bundle, shared by all tests."""
    with Predictor(unmasked_path) as predictor:
        yield predictor


@pytest.fixture(scope="session")
def decoder_path(tmp_path_factory):
    """Folder of the toy bundle that decodes."""
    return write_decoder(tmp_path_factory.mktemp("bundles") / "dates")


@pytest.fixture(scope="session")
def decoder(decoder_path):
    """A predictor on the toy bundle that decodes, shared by all tests."""
    with Predictor(decoder_path, graph="generate") as predictor:
        yield predictor


@pytest.fixture(scope="session")
def shared_stream(masked_path):
    """The stream whose session the tests share through `new()`."""
    with Stream(masked_path) as stream:
        yield stream


@pytest.fixture
def stream(shared_stream):
    """A stream at its start."""
    return shared_stream.new()


@pytest.fixture(scope="session")
def oracle():
    """The toy graph in NumPy: `oracle(words, shapes)` of one row."""
    return LSTMOracle(_weights())


@pytest.fixture
def draw():
    """Draws the inputs of rows with the given lengths: `draw(rng, lengths) -> (list of words, list of shapes)`."""

    def draw_rows(rng: np.random.Generator, lengths):
        words = [rng.integers(1, VOCABULARY, size=n).astype("int32") for n in lengths]
        return words, [rng.normal(size=(n, FEATURES)).astype("float32") for n in lengths]

    return draw_rows


@pytest.fixture
def gate(monkeypatch):
    """Calls of ONNX Runtime wait at it while it is closed: `gate.clear()`; they note their rows in `gate.rows`."""
    event, run = threading.Event(), Session.run
    event.set()
    event.rows = []

    def waiting(self, feeds):
        event.rows.append(next(iter(feeds.values())).shape[0])
        event.wait(60)
        return run(self, feeds)

    monkeypatch.setattr(Session, "run", waiting)
    yield event
    event.set()
