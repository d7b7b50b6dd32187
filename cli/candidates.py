"""The ways to run a bundle's model that `keras-seq bench` times, each as a function of named arrays."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_seq.cli.errors import one_line
from keras_seq.export.battery import random_inputs
from keras_seq.serving.bundle import Bundle
from keras_seq.serving.predictor import Predictor
from keras_seq.serving.stream import Stream

Run = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]

PREDICTOR = "bundle, Predictor"
_RAW = "bundle, plain onnxruntime"
_STREAM = "bundle, Stream, one chunk"
_SAVED_MODEL = "SavedModel"
_KERAS = "Keras, tf.function"
_KERAS_ONNX = "Keras' own ONNX export"


def bundle_candidates(bundle: Bundle, threads: int, graph: str = "model") -> dict[str, Run]:
    """The bundle's graphs, by name: through the runtime's classes, variants too, and a session with default options.

    Args:
        bundle: The bundle.
        threads: For each of them.
        graph: Which graph to run; beside `model` its form for streams is run too. Options have their defaults.

    Raises:
        BundleError: There is no such graph, or it cannot be loaded.
    """
    spec = bundle.graph(graph)
    candidates = {
        PREDICTOR: Predictor(bundle, graph=graph, num_threads=threads).predict,
        _RAW: _session(str(bundle.file(spec.file)), threads, spec.input_names, spec.output_names),
    }
    for variant in spec.variants:
        candidates[f"variant {variant}, Predictor"] = Predictor(
            bundle, graph=graph, variant=variant, num_threads=threads
        ).predict
    if graph == "model" and "step" in bundle.manifest.graphs:
        stream = Stream(bundle, num_threads=threads, keep_outputs=False)

        def feed(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            stream.reset()
            return stream.feed(inputs)

        candidates[_STREAM] = feed
    return candidates


def framework_candidates(
    bundle: Bundle, model: Any, threads: int, missing: Sequence[str], say: Callable[[str], None]
) -> tuple[dict[str, Run], dict[str, str]]:
    """The same model in TensorFlow, and as Keras exports it by itself.

    Args:
        bundle: The bundle.
        model: The `keras.Model`, or None.
        threads: For ONNX Runtime; TensorFlow has its number from the environment.
        missing: Packages of the extra `export` that are not installed.
        say: Takes lines about progress.

    Returns:
        What can be run, by name; and the reason for each that cannot.
    """
    ways = {_KERAS: _keras, _SAVED_MODEL: _saved_model, _KERAS_ONNX: _keras_onnx}
    if missing:
        reason = f"{', '.join(missing)} not installed: pip install 'keras_seq[export]'"
        return {}, dict.fromkeys(ways, reason)
    candidates: dict[str, Run] = {}
    left_out: dict[str, str] = {}
    for name, make in ways.items():
        if make is _saved_model and bundle.manifest.saved_model is None:
            left_out[name] = "the bundle has none: export with saved_model among --formats"
        elif make is not _saved_model and model is None:
            left_out[name] = "no model: give --model model.keras"
        else:
            say(f"preparing {name}")
            try:
                candidates[name] = make(bundle, model, threads)
            except Exception as error:  # noqa: BLE001  Whatever an opponent fails at is told in its place.
                left_out[name] = not_possible(error)
    return candidates, left_out


def not_possible(error: Exception) -> str:
    """The reason for leaving out a candidate that failed, on one line."""
    return one_line(f"not possible: {type(error).__name__}: {error}")[:300]


def _session(model: str | bytes, threads: int, inputs: Sequence[str], outputs: Sequence[str]) -> Run:
    """A session with the options a user gets who sets the number of threads and nothing else.

    Args:
        model: A file or its content.
        threads: Of the session.
        inputs: Names in the bundle of what the graph takes; by position where it has names of its own.
        outputs: Names in the bundle of what the graph gives, in order.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    # A text may be given instead of ids, and then has to be given, empty, beside them too.
    no_text = {value.name: np.empty(0, object) for value in session.get_inputs() if value.type == "tensor(string)"}
    own = [value.name for value in session.get_inputs() if value.name not in no_text]
    # Ids that a text may stand for are among those that may be left out.
    known = {*own, *(value.name for value in session.get_overridable_initializers())}
    names = dict(zip(inputs, inputs if known.issuperset(inputs) else own, strict=True))
    given = [value.name for value in session.get_outputs()]
    asked = list(outputs) if set(given).issuperset(outputs) else given

    def run(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        feeds = no_text | {names[n]: v for n, v in values.items()}
        return dict(zip(outputs, session.run(asked, feeds), strict=True))

    return run


def _keras(bundle: Bundle, model: Any, threads: int) -> Run:
    import keras
    import tensorflow as tf

    from keras_seq.export.signature import model_signature, output_names

    signature = model_signature(model)
    traced = tf.function(signature.call, reduce_retracing=True)

    def run(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = traced(*(tf.constant(values[spec.name]) for spec in signature.inputs))
        flat = [value.numpy() for value in keras.tree.flatten(outputs)]
        return dict(zip(output_names(model, outputs), flat, strict=True))

    return run


def _saved_model(bundle: Bundle, model: Any, threads: int) -> Run:
    from keras_seq.export.saved_model import saved_model_runner

    return saved_model_runner(bundle.file(bundle.manifest.saved_model["path"]))


def _keras_onnx(bundle: Bundle, model: Any, threads: int) -> Run:
    import onnx

    import keras_seq
    from keras_seq.export.onnx_graph import IR_VERSION

    spec = bundle.graph("model")
    _keras(bundle, model, threads)(random_inputs(spec.inputs, np.random.default_rng(0), 1, 2))  # Keras wants one call
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keras.onnx"
        with keras_seq.portable_kernels():  # the converter does not know the fast loops of training
            model.export(str(path), format="onnx", verbose=False)
        proto = onnx.load(path)
    proto.ir_version = min(proto.ir_version, IR_VERSION)  # Keras writes the newest, which ONNX Runtime may refuse
    return _session(proto.SerializeToString(), threads, spec.input_names, spec.output_names)
