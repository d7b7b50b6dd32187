"""From what size on products of integers are faster: what the limits of `keras_seq.export.quantization.choice` rest on.

Graphs of random weights, of which the exporter's own rules make the integer ones, its limits set aside.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from timing import measure

from keras_seq.export.quantization import choice
from keras_seq.export.quantization.quantized_graph import quantized_graph
from keras_seq.serving.session import session_options

PRODUCTS = ((64, 64), (96, 96), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 2048))
LSTM_UNITS, SCAN_UNITS = (16, 32, 64, 128, 256, 512), (64, 128, 256, 512, 1024)
ROWS, BATCHES, STEPS, CHAIN = (1, 4, 16, 64), (1, 16), 50, 6
NEVER_SLOWER = 1 / 1.05  # that much two runs of one graph differ here
_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
_OPSET = 17


@dataclass(frozen=True)
class Crossing:
    """One size, integers against floats.

    Attributes:
        operator: `"MatMul"`, `"LSTM"`, `"GRU"` or `"RNN"`.
        size: Weights of a product, units of a recurrent layer.
        rows: Of a product's input, or the batch of a recurrent layer.
        threads: Of the session.
        float_seconds: Of one node.
        integer_seconds: Likewise.
        above: Whether the exporter takes integers for this size.
    """

    operator: str
    size: int
    rows: int
    threads: int
    float_seconds: float
    integer_seconds: float
    above: bool

    @property
    def ratio(self) -> float:
        """How many times as fast integers are."""
        return self.float_seconds / self.integer_seconds

    @property
    def holds(self) -> bool:
        """Whether the exporter's choice for this size is never the slower one."""
        return not self.above or self.ratio >= NEVER_SLOWER


def crossings(
    threads: Sequence[int], rounds: int, by: str, sizes: Callable[[Sequence], Sequence] = lambda given: given
) -> Iterator[Crossing]:
    """Times all sizes.

    Args:
        threads: Numbers of threads.
        rounds: Blocks of calls of each graph, taken in turn.
        by: Which of the figures of a `Timing` counts.
        sizes: Picks some of a row of sizes, for a quick look.
    """
    for inputs, outputs in sizes(PRODUCTS):
        graph = product_chain(inputs, outputs)
        above = inputs * outputs >= choice.PRODUCT_ELEMENTS
        for rows in ROWS:
            x = np.random.default_rng(1).normal(size=(rows, inputs)).astype("float32")
            for count, seconds in _timed(graph, x, threads, rounds, by).items():
                yield Crossing("MatMul", inputs * outputs, rows, count, *(s / 2 / CHAIN for s in seconds), above)
    limits = {"LSTM": choice.LSTM_UNITS, "GRU": choice.SCAN_UNITS, "RNN": choice.SCAN_UNITS}
    for operator, limit in limits.items():
        for units in sizes(LSTM_UNITS if operator == "LSTM" else SCAN_UNITS):
            graph = recurrent(operator, units)
            for batch in BATCHES:
                x = np.random.default_rng(1).normal(size=(STEPS, batch, units)).astype("float32")
                for count, seconds in _timed(graph, x, threads, rounds, by).items():
                    yield Crossing(operator, units, batch, count, *seconds, units >= limit)


def product_chain(inputs: int, outputs: int) -> onnx.ModelProto:
    """`2 * CHAIN` products with biases, there and back; each has weights of its own, as equal nodes are merged."""
    random, nodes, constants, value = np.random.default_rng(0), [], [], "x"
    for number in range(2 * CHAIN):
        shape = (inputs, outputs) if number % 2 == 0 else (outputs, inputs)
        kernel = random.normal(scale=shape[0] ** -0.5, size=shape).astype("float32")
        bias = random.normal(scale=0.1, size=shape[1]).astype("float32")
        constants += [numpy_helper.from_array(kernel, f"w{number}"), numpy_helper.from_array(bias, f"b{number}")]
        nodes.append(helper.make_node("MatMul", [value, f"w{number}"], [f"p{number}"], name=f"product{number}"))
        value = f"y{number}"
        nodes.append(helper.make_node("Add", [f"p{number}", f"b{number}"], [value], name=f"sum{number}"))
    return _model(nodes, constants, [None, inputs], value, [None, inputs])


def recurrent(operator: str, units: int) -> onnx.ModelProto:
    """One recurrent node over as many features as it has units, in the form that Keras' layers have."""
    random, gates = np.random.default_rng(0), _GATES[operator]
    shapes = {"W": (1, gates * units, units), "R": (1, gates * units, units), "B": (1, 2 * gates * units)}
    constants = [
        numpy_helper.from_array(random.uniform(-(units**-0.5), units**-0.5, shape).astype("float32"), name)
        for name, shape in shapes.items()
    ]
    settings = {"linear_before_reset": 1} if operator == "GRU" else {}
    node = helper.make_node(operator, ["x", *shapes], ["y"], name="layer", hidden_size=units, **settings)
    return _model([node], constants, [None, None, units], "y", [None, 1, None, units])


class _NoOwners:
    """In the place of `WeightOwners`: these weights are of no model."""

    @staticmethod
    def of(arrays: Sequence[np.ndarray]) -> str:
        return "layer"


def integer_graph(graph: onnx.ModelProto) -> onnx.ModelProto:
    """What the exporter makes of a graph if it takes integers whatever the size."""
    with _no_limits():
        return quantized_graph(graph, 8, _NoOwners())[0]


@contextlib.contextmanager
def _no_limits() -> Iterator[None]:
    names = ("PRODUCT_ELEMENTS", "LSTM_UNITS", "SCAN_UNITS")
    kept = {name: getattr(choice, name) for name in names}
    try:
        for name in names:
            setattr(choice, name, 0)
        yield
    finally:
        for name, value in kept.items():
            setattr(choice, name, value)


def _timed(
    graph: onnx.ModelProto, x: np.ndarray, threads: Sequence[int], rounds: int, by: str
) -> dict[int, tuple[float, float]]:
    """Seconds of a call of the float graph and of the integer one, by the number of threads."""
    forms = {"float": graph.SerializeToString(), "integer": integer_graph(graph).SerializeToString()}
    found = {}
    for count in threads:
        sessions = {
            name: ort.InferenceSession(form, session_options(count), providers=["CPUExecutionProvider"])
            for name, form in forms.items()
        }
        runs = {name: lambda session=session: session.run(None, {"x": x}) for name, session in sessions.items()}
        timings = measure(runs, rounds=rounds, block_seconds=0.05, idle_seconds=0.05)
        found[count] = getattr(timings["float"], by), getattr(timings["integer"], by)
    return found


def _model(
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    in_shape: list[int | None],
    output: str,
    out_shape: list[int | None],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "crossover",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, in_shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, out_shape)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
