"""Models turned into ONNX graphs by the exporter's own steps, without a bundle around them: quick enough for many."""

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf

from keras_seq.export import onnx_graph
from keras_seq.export.lowering.markers import Markers
from keras_seq.export.lowering.trace import Trace
from keras_seq.export.signature import model_signature
from keras_seq.export.tracing import traceable

BATCH, TIME, FEATURES, UNITS = 7, 5, 3, 2

# A row each: all steps, padding on the right, on the left, gaps, the last one only, the first one only, none at all.
MASK = np.array(
    [
        [1, 1, 1, 1, 1],
        [1, 1, 1, 0, 0],
        [0, 0, 1, 1, 1],
        [0, 1, 0, 1, 0],
        [0, 0, 0, 0, 1],
        [1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ],
    bool,
)


def with_random_weights(model: keras.Layer, seed: int = 0) -> keras.Layer:
    """Gives every weight random values: biases and peepholes would otherwise be zeros, in whatever order."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=weight.shape, scale=0.7) for weight in model.get_weights()])
    return model


def random_array(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


class Recorder(Markers):
    """Markers that also note which nodes and constants each of them will write."""

    def __init__(self):
        super().__init__()
        self.written = []

    def place(self, emit, inputs, outputs):
        writer = _Notes()
        emit(writer, [f"input_{i}" for i in range(len(inputs))])
        self.written += writer.notes
        return super().place(emit, inputs, outputs)


class _Notes:
    def __init__(self):
        self.notes = []

    def node(self, op_type, inputs, num_outputs=1, **attributes):
        self.notes.append((op_type, list(inputs), attributes))
        return [f"{len(self.notes)}:{i}" for i in range(num_outputs)]

    def contrib(self, op_type, inputs, shapes, **attributes):
        return self.node(op_type, inputs, len(shapes), **attributes)

    def constant(self, value, name="constant"):
        value = np.asarray(value)
        self.notes.append((name, value.dtype, value.tolist()))
        return name


class Traced:
    """One tracing of a model.

    Attributes:
        signature: Of the model.
        written: What its markers stand for.
    """

    def __init__(self, model: keras.Model):
        self.signature = model_signature(model)
        markers = Recorder()
        self._trace = Trace(markers)
        self._function = traceable(model, self.signature, self._trace)
        self._graphs = []
        self.written = markers.written

    def _traceable(self, *tensors):
        self._graphs.append(tf.compat.v1.get_default_graph())
        return self._function(*tensors)

    def trace(self) -> "Traced":
        tf.function(self._traceable, autograph=False).get_concrete_function(*self.signature.tensor_specs())
        return self

    def operations(self) -> list[str]:
        """The TensorFlow operations, written out, without the number that each marker has to itself."""
        (graph,) = self._graphs
        nodes = []
        for node in graph.as_graph_def().node:
            node.attr.pop("token", None)
            nodes.append(str(node))
        return nodes

    def convert(self, output_shapes=None) -> onnx.ModelProto:
        proto = onnx_graph.convert(self._traceable, self.signature.tensor_specs(), self._trace.markers)
        inputs = [(spec.name, spec.shape) for spec in self.signature.inputs]
        shapes = output_shapes or [_dims(value) for value in proto.graph.output]
        outputs = [(f"output_{i}", shape) for i, shape in enumerate(shapes)]
        return onnx_graph.finish(proto, "model", inputs, outputs)


def _dims(value: onnx.ValueInfoProto) -> tuple:
    names = {0: "batch", 1: "time"}
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else names[axis] for axis, dim in enumerate(dims))


def to_onnx(model: keras.Model) -> onnx.ModelProto:
    """The finished ONNX graph of a model; outputs are `output_0`, `output_1`, …"""
    return Traced(model).convert()


def open_session(proto: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A graph on ONNX Runtime, with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run_onnx(proto: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Runs a graph once."""
    return open_session(proto).run(None, inputs)


def run_keras(model: keras.Model, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Calls a functional model."""
    outputs = model([inputs[tensor.name] for tensor in model.inputs], training=False)
    return [value.numpy() for value in keras.tree.flatten(outputs)]


def recurrent_nodes(proto: onnx.ModelProto) -> dict[str, int]:
    """Counts of recurrent nodes and of loops, in the graph and its subgraphs."""
    wanted = ("RNN", "GRU", "LSTM", "Loop", "Scan", "If")
    return {op: count for op, count in onnx_graph.operators(proto).items() if op in wanted}
