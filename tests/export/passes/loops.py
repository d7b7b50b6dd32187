"""Loops written in ONNX's text form, and two runtimes that run them before and after a pass."""

import numpy as np
import onnx
import onnxruntime
from onnx import parser
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from keras_seq.export.passes.scopes import graphs


class Loop(OpRun):
    """ONNX' `Loop` to the letter. The reference implementation in onnx 1.23 joins what it collects along the first axis
    instead of stacking it, does nothing without a condition, and lets names outside hide those of the body."""

    op_domain = ""

    def need_context(self):
        return True

    def _run(self, trips, condition, *states, context=None, body=None, attributes=None, bindings=None):
        body = self.body
        count = len(body.input_names) - 2
        states, collected = list(states), [[] for _ in body.output_names[1 + count :]]
        iteration, alive = 0, condition is None or bool(condition)
        while alive and (trips is None or iteration < int(np.reshape(trips, ()))):
            given = [np.array(iteration), np.array(alive), *states]
            inputs = {**(context or {}), **dict(zip(body.input_names, given, strict=True))}
            outputs = self._run_body(inputs, attributes=attributes, bindings=bindings)
            alive = bool(outputs[0])
            states = list(outputs[1 : 1 + count])
            for values, output in zip(collected, outputs[1 + count :], strict=True):
                values.append(output)
            iteration += 1
        return tuple(states + [np.stack(values) if values else np.empty((0,)) for values in collected])


def model_of(text: str, **constants: np.ndarray) -> onnx.ModelProto:
    """A model at opset 18 from the text of its graph, with these weights."""
    proto = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 18]>\n{text}')
    for name, value in constants.items():
        proto.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), name))
    onnx.checker.check_model(proto, full_check=True)
    return proto


def bodies(proto: onnx.ModelProto) -> list[list[str]]:
    """The operations of each graph inside the model, in order."""
    return [[node.op_type for node in graph.node] for graph in list(graphs(proto.graph))[1:]]


def main(proto: onnx.ModelProto) -> list[str]:
    """The operations of the outermost graph, in order."""
    return [node.op_type for node in proto.graph.node]


def copy_of(proto: onnx.ModelProto) -> onnx.ModelProto:
    """An independent copy."""
    return onnx.ModelProto.FromString(proto.SerializeToString())


def random_array(*shape: int, seed: int = 1) -> np.ndarray:
    """Normally distributed, float32."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def check_same(
    before: onnx.ModelProto,
    after: onnx.ModelProto,
    *feeds: dict,
    rtol: float = 0.0,
    atol: float = 0.0,
    runtimes: tuple[str, ...] = ("onnxruntime", "reference"),
) -> None:
    """Fails unless both models are sound and give the same on two runtimes, for each of the inputs."""
    onnx.checker.check_model(after, full_check=True)
    for kind in ("input", "output"):
        names = [[value.name for value in getattr(proto.graph, kind)] for proto in (before, after)]
        assert names[0] == names[1]
    for runtime in runtimes:
        run = {"onnxruntime": _runtime, "reference": _reference}[runtime]
        for feed in feeds:
            for expected, received in zip(run(before, feed), run(after, feed), strict=True):
                if expected.size or received.size:  # the reference knows no dimensions of what was never collected
                    np.testing.assert_allclose(received, expected, rtol=rtol, atol=atol)
                    assert received.dtype == expected.dtype


def _runtime(proto: onnx.ModelProto, feed: dict) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feed)


def _reference(proto: onnx.ModelProto, feed: dict) -> list[np.ndarray]:
    return ReferenceEvaluator(proto, new_ops=[Loop]).run(None, feed)
