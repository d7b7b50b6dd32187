"""The ways to run one model: its bundle's graphs, and what others make of the same weights."""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnxruntime as ort
from onnx import TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformer_opponents.weights import Attention, Layer, Linear, Norm, Sizes, Weights, sinusoids

import keras_seq
from keras_seq.export import ExportReport, export_model
from keras_seq.serving import Bundle
from keras_seq.serving.session import Session, session_options
from quantization_parts.models import TARGET, Subject

FLOAT, INT8, FP16, ORT_INT8 = "float32", "int8", "fp16", "int8.ort"
DYNAMIC = "quantize_dynamic, per channel"
OPENVINO, OPENVINO_BF16 = "OpenVINO f32", "OpenVINO bf16"
CT2, CT2_INT8 = "CTranslate2 f32", "CTranslate2 int8"
TOLERANCE = 1e-3  # of outputs that are to be those of float32: long recurrences amplify rounding
_EXACT = (ORT_INT8, OPENVINO, CT2)

Run = Callable[[dict[str, np.ndarray]], np.ndarray]


class Bundles:
    """The bundles of one model: quantised and judged, and one to be timed, which may generate longer.

    Args:
        subject: The model.
        folder: An empty folder.

    Attributes:
        reports: By variant, what quantising did; the graphs are those that are judged.
        timed: By variant, the bundle whose graph is timed.
    """

    def __init__(self, subject: Subject, folder: Path):
        self.reports: dict[str, ExportReport] = {}
        self.timed: dict[str, Path] = {}
        judging = {"validation_data": subject.validation_data, "metric": subject.metric}
        for variant in (INT8, FP16):
            path = folder / variant
            self.reports[variant] = _export(subject, path, variant, subject.search, **judging)
            self.timed[variant] = path
            if subject.search is not None:  # hypotheses of a trained model end too early to compare their times
                path = folder / f"{variant}, {TARGET} tokens"
                _export(subject, path, variant, subject.search.replace(min_length=TARGET))
                self.timed[variant] = path


def _export(
    subject: Subject, path: Path, variant: str, search: keras_seq.BeamSearch | None, **settings: object
) -> ExportReport:
    with quiet():
        return export_model(
            subject.model,
            path,
            formats="onnx",
            verify=False,
            generate=search,
            quantize=variant,
            ort_format=variant == INT8,
            **settings,
        )


def ways(subject: Subject, bundles: Bundles, threads: int, folder: Path) -> tuple[dict[str, Run], dict[str, str]]:
    """All ways to run a model.

    Args:
        subject: The model.
        bundles: Of it.
        threads: For each way.
        folder: For files; it may hold those of other numbers of threads.

    Returns:
        The ways that can be had, by name, and for the others the reason.
    """
    bundle = Bundle.load(bundles.timed[INT8])
    model = bundle.file(bundle.graph(subject.graph).file)
    makers: dict[str, Callable[[], Run]] = {
        FLOAT: lambda: _session(bundle, subject.graph, None, threads),
        INT8: lambda: _session(bundle, subject.graph, INT8, threads),
        ORT_INT8: lambda: _session(bundle, subject.graph, ORT_INT8, threads),
        FP16: lambda: _session(Bundle.load(bundles.timed[FP16]), subject.graph, FP16, threads),
        DYNAMIC: lambda: _quantize_dynamic(model, folder / "dynamic.onnx", threads),
        OPENVINO: lambda: _openvino(model, "f32", threads),
        OPENVINO_BF16: lambda: _openvino(model, "bf16", threads),
    }
    if subject.name == "encoder":
        weights = encoder_weights(subject.model)
        for name, kind in ((CT2, "float32"), (CT2_INT8, "int8")):
            path = folder / f"{name}, {threads} threads"
            makers[name] = lambda path=path, kind=kind: _ctranslate2(weights, path, kind, threads)
    ready, left_out = {}, {}
    for name, make in makers.items():
        try:
            with quiet():
                ready[name] = make()
        except Exception as error:
            if name in (FLOAT, INT8, FP16):
                raise
            left_out[name] = f"{type(error).__name__}: {error}".strip().splitlines()[0][:160]
    return ready, left_out


def checked(
    ready: Mapping[str, Run], inputs: dict[str, np.ndarray], left_out: dict[str, str]
) -> tuple[dict[str, Run], dict[str, float]]:
    """Runs every way once; those that are to compute in float32 and give something else are left out.

    Args:
        ready: The ways.
        inputs: What to run them on.
        left_out: Where the reasons are added.

    Returns:
        The ways to time, and how far each is from float32: the largest difference, or of ids the share that differ.
    """
    expected = ready[FLOAT](inputs)
    good, differences = {}, {}
    for name, run in ready.items():
        try:
            found = run(inputs)
        except Exception as error:  # noqa: BLE001  likewise
            left_out[name] = f"{type(error).__name__}: {error}".strip().splitlines()[0][:160]
            continue
        reference = ready[INT8](inputs) if name == ORT_INT8 else expected
        difference = _difference(found, expected)
        if name in _EXACT and not name.startswith("CTranslate2") and not _difference(found, reference) <= TOLERANCE:
            left_out[name] = f"its answers differ by {_difference(found, reference):.1e}"
            continue
        good[name], differences[name] = run, difference
    return good, differences


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    if found.shape != expected.shape:
        return float("nan")
    if found.dtype.kind in "iu":
        return float(np.mean(found != expected))
    return float(np.abs(found - expected).max())


def _session(bundle: Bundle, graph: str, variant: str | None, threads: int) -> Run:
    session = Session(bundle, graph, variant=variant, num_threads=threads)
    output = session.spec.outputs[0].name
    return lambda inputs: session.run(inputs)[output]


def _quantize_dynamic(model: Path, path: Path, threads: int) -> Run:
    if not path.exists():
        # It knows no shapes behind operators of ONNX Runtime's own, and then asks for a type to assume.
        more = {"DefaultTensorType": TensorProto.FLOAT}
        quantize_dynamic(model, path, per_channel=True, weight_type=QuantType.QInt8, extra_options=more)
    session = ort.InferenceSession(path, session_options(threads), providers=["CPUExecutionProvider"])
    output = session.get_outputs()[0].name
    return lambda inputs: session.run([output], inputs)[0]


def _openvino(model: Path, precision: str, threads: int) -> Run:
    import openvino

    core = openvino.Core()
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise NoInstructionsError("this processor has no bf16")
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
    }
    request = core.compile_model(core.read_model(str(model)), "CPU", settings).create_infer_request()
    return lambda inputs: request.infer(inputs)[0].copy()


def _ctranslate2(weights: Weights, folder: Path, kind: str, threads: int) -> Run:
    from transformer_opponents.ctranslate2_models import ct2_encoder

    run = ct2_encoder(weights, folder, kind, threads)
    return lambda inputs: run(inputs["ids"])


class NoInstructionsError(Exception):
    """The processor cannot do that."""


def encoder_weights(model) -> Weights:
    """The weights of the encoder as its opponents take them; the product of the logits is not among them.

    Args:
        model: Of `quantization_parts.models`.
    """
    encoder, table = model.get_layer("encoder"), model.get_layer("embedding").get_weights()[0]
    vocabulary, features = table.shape
    first = encoder.blocks[0]
    sizes = Sizes(
        len(encoder.blocks),
        features,
        first.num_heads,
        first.feed_forward.expand.kernel.shape[1],
        vocabulary,
    )

    def attention(layer) -> Attention:
        values = [weight.numpy() for weight in layer.weights]
        kernels = [value.reshape(features, features) for value in values[::2]]
        return Attention(*(Linear(k, b.reshape(-1)) for k, b in zip(kernels, values[1::2], strict=True)))

    layers = tuple(
        Layer(
            Norm(*block.attention_norm.get_weights()),
            attention(block.attention),
            None,
            None,
            Norm(*block.feed_forward_norm.get_weights()),
            Linear(*block.feed_forward.expand.get_weights()),
            Linear(*block.feed_forward.contract.get_weights()),
        )
        for block in encoder.blocks
    )
    norm = Norm(*encoder.final_norm.get_weights())
    positions = sinusoids(sizes.max_length, features)
    return Weights(sizes, table, table, positions, layers, norm, (), norm, Linear(table.T, np.zeros(vocabulary)))


@contextlib.contextmanager
def quiet():
    """Keeps the exporters' remarks off the terminal."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
