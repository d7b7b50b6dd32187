"""The ways to run one recurrent layer that `inference.py` times against one another, each with the same weights.

A `Case` says what is run; `candidates(case, folder, threads)` prepares the ways. Each is given its input in a form of
its own beforehand, and returns `(batch, time, units)`.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime as ort
import tensorflow as tf

import keras_seq
from keras_seq.export import export_model
from keras_seq.serving import Predictor
from keras_seq.serving.session import session_options

SESSION = "bundle, session"
PREDICTOR = "bundle, Predictor"
KERAS = "Keras, tf.function"
SAVED_MODEL = "SavedModel"
KERAS_ONNX = "Keras' ONNX export"
TORCH = "PyTorch"
OPENVINO = "OpenVINO f32"
OPENVINO_FIXED = "OpenVINO f32, fixed shape"
PLAIN_LSTM = "LSTM's bundle, session"

Run = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Case:
    """One layer at one size.

    Attributes:
        kind: `"LSTM"`, `"GRU"` or `"PeepholeLSTM"`, with `"Bidirectional "` in front for both directions.
        batch: Rows.
        time: Steps.
        features: Of the input.
        units: Of one direction.
        masked: Whether the model takes a mask. A batch of one has no padding, as in practice; in larger ones the rows
            are from half to all of `time` long, in random order, padded on the right.
    """

    kind: str
    batch: int
    time: int
    features: int
    units: int
    masked: bool

    @property
    def cell(self) -> str:
        return self.kind.removeprefix("Bidirectional ")

    @property
    def bidirectional(self) -> bool:
        return self.kind != self.cell

    @cached_property
    def lengths(self) -> np.ndarray:
        lengths = np.linspace(self.time, max(1, self.time // 2), self.batch).round().astype("int64")
        return np.random.default_rng(0).permutation(lengths)

    @cached_property
    def x(self) -> np.ndarray:
        return np.random.default_rng(1).normal(size=(self.batch, self.time, self.features)).astype("float32")

    @cached_property
    def mask(self) -> np.ndarray:
        return np.arange(self.time) < self.lengths[:, np.newaxis]

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        return {"x": self.x, "mask": self.mask} if self.masked else {"x": self.x}

    def layer(self, library: object) -> keras.Layer:
        """The layer, from `keras_seq` or `keras.layers`."""
        layer = getattr(library, self.cell)(self.units, return_sequences=True)
        return library.Bidirectional(layer) if self.bidirectional else layer

    def model(self, library: object) -> keras.Model:
        """A model of this layer alone; its weights are the same for either library."""
        x = keras.Input((None, self.features), name="x")
        if not self.masked:
            model = keras.Model(x, self.layer(library)(x))
        else:
            mask = keras.Input((None,), dtype="bool", name="mask")
            model = keras.Model([x, mask], self.layer(library)(x, mask=mask))
        random = np.random.default_rng(2)
        model.set_weights([random.uniform(-0.08, 0.08, size=w.shape).astype("float32") for w in model.get_weights()])
        return model


def reference(case: Case) -> np.ndarray:
    """What every candidate must return, computed by Keras' own layer where it has one. (batch, time, units)."""
    library = keras.layers if hasattr(keras.layers, case.cell) else keras_seq
    return np.asarray(case.model(library)(list(case.inputs.values()) if case.masked else case.x))


def candidates(case: Case, folder: Path, threads: int) -> tuple[dict[str, Run], dict[str, str]]:
    """All the ways to run `case`.

    Args:
        case: What to run.
        folder: An empty folder, for the files.
        threads: For each of them.

    Returns:
        The ways that can be had, by name; and for the others the reason.
    """
    ways = {
        SESSION: _session,
        PREDICTOR: _predictor,
        KERAS: _keras,
        SAVED_MODEL: _saved_model,
        KERAS_ONNX: _keras_onnx,
        TORCH: _torch,
        OPENVINO: _openvino,
        OPENVINO_FIXED: _openvino_fixed,
    }
    if case.cell == "PeepholeLSTM":
        ways[PLAIN_LSTM] = _plain_lstm
    ready: dict[str, Run] = {}
    left_out: dict[str, str] = {}
    _export(case, folder / "bundle")
    for name, make in ways.items():
        try:
            ready[name] = make(case, folder, threads)
        except Exception as error:  # noqa: BLE001  whatever an opponent fails at is told in its place
            left_out[name] = reason(error)
    return ready, left_out


def reason(error: Exception) -> str:
    """Why a candidate was left out, on one line."""
    text = str(error) if isinstance(error, _NoSuchLayerError) else f"{type(error).__name__}: {error}"
    return text.splitlines()[0][:160]


class _NoSuchLayerError(Exception):
    """The library has nothing that computes the same."""


def _export(case: Case, path: Path) -> None:
    with _quiet():
        export_model(case.model(keras_seq), path, verify=False)


def _run_session(model: str | bytes, options: ort.SessionOptions, case: Case) -> Run:
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feeds = dict(zip([value.name for value in session.get_inputs()], case.inputs.values(), strict=True))
    return lambda: session.run(None, feeds)[0]


def _session(case: Case, folder: Path, threads: int) -> Run:
    return _run_session(str(folder / "bundle" / "model.onnx"), session_options(threads), case)


def _predictor(case: Case, folder: Path, threads: int) -> Run:
    predictor = Predictor(folder / "bundle", num_threads=threads)
    (output,) = (spec.name for spec in predictor.outputs)
    return lambda: predictor.predict(case.inputs)[output]


def _plain_lstm(case: Case, folder: Path, threads: int) -> Run:
    lstm = Case(
        case.kind.replace("PeepholeLSTM", "LSTM"), case.batch, case.time, case.features, case.units, case.masked
    )
    _export(lstm, folder / "lstm")
    return _run_session(str(folder / "lstm" / "model.onnx"), session_options(threads), case)


def _keras(case: Case, folder: Path, threads: int) -> Run:
    model = case.model(keras.layers if hasattr(keras.layers, case.cell) else keras_seq)
    function = tf.function(model, reduce_retracing=True)
    tensors = [tf.constant(value) for value in case.inputs.values()]
    argument = tensors if case.masked else tensors[0]
    return lambda: function(argument).numpy()


def _saved_model(case: Case, folder: Path, threads: int) -> Run:
    loaded = tf.saved_model.load(str(folder / "bundle" / "saved_model"))
    function = loaded.signatures["serving_default"]
    tensors = {name: tf.constant(value) for name, value in case.inputs.items()}

    def run(loaded=loaded):  # the signature holds its variables weakly
        return next(iter(function(**tensors).values())).numpy()

    return run


def _keras_onnx(case: Case, folder: Path, threads: int) -> Run:
    if not hasattr(keras.layers, case.cell):
        raise _NoSuchLayerError(f"Keras has no {case.cell}.")
    path = folder / "keras.onnx"
    model = case.model(keras.layers)
    model(list(case.inputs.values()) if case.masked else case.x)  # Keras refuses a model that was never called
    with _quiet():
        model.export(str(path), format="onnx", verbose=False)
    proto = onnx.load(path)
    proto.ir_version = min(proto.ir_version, 10)  # Keras writes the newest, which ONNX Runtime may refuse
    options = ort.SessionOptions()  # as a user has them who sets the threads and nothing else
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return _run_session(proto.SerializeToString(), options, case)


def _torch(case: Case, folder: Path, threads: int) -> Run:
    import torch

    if not hasattr(torch.nn, case.cell):
        raise _NoSuchLayerError(f"PyTorch has no {case.cell}.")
    torch.set_num_threads(threads)
    layer = getattr(torch.nn, case.cell)(
        case.features, case.units, batch_first=True, bidirectional=case.bidirectional
    ).eval()
    weights = iter(case.model(keras_seq).get_weights())
    with torch.no_grad():
        for direction in ("", "_reverse")[: 1 + case.bidirectional]:
            kernel, recurrent_kernel, bias = next(weights), next(weights), next(weights)
            bias, recurrent_bias = bias if case.cell == "GRU" else (bias, np.zeros_like(bias))
            for name, value in (
                ("weight_ih", kernel.T),
                ("weight_hh", recurrent_kernel.T),
                ("bias_ih", bias),
                ("bias_hh", recurrent_bias),
            ):
                if case.cell == "GRU":  # z r h in Keras, r z h here; both have the LSTM's as i f c o
                    z, r, h = np.split(value, 3)
                    value = np.concatenate([r, z, h])
                getattr(layer, f"{name}_l0{direction}").copy_(torch.tensor(value))
    x, lengths = torch.tensor(case.x), torch.tensor(case.lengths)

    def run() -> np.ndarray:
        with torch.inference_mode():
            return layer(x)[0].numpy()

    def run_packed() -> np.ndarray:
        with torch.inference_mode():
            packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            steps, _ = torch.nn.utils.rnn.pad_packed_sequence(
                layer(packed)[0], batch_first=True, total_length=case.time
            )
            return steps.numpy()

    return run_packed if case.masked else run


def _openvino(case: Case, folder: Path, threads: int, *, fixed: bool = False) -> Run:
    import openvino

    core = openvino.Core()
    model = core.read_model(str(folder / "bundle" / "model.onnx"))
    if fixed:
        model.reshape({name: list(value.shape) for name, value in case.inputs.items()})
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
    }
    compiled = core.compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    return lambda: request.infer(case.inputs)[compiled.output(0)]


def _openvino_fixed(case: Case, folder: Path, threads: int) -> Run:
    return _openvino(case, folder, threads, fixed=True)


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
