"""The matrix products of one step, each alone: what the rest of a decode loop comes on top of."""

from collections.abc import Callable

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from decoding_opponents.weights import Weights
from keras_seq.serving.session import session_options

CALL_ALONE = "a call"


def product_runs(weights: Weights, batch: int, num_beams: int, time: int) -> dict[str, Callable[[], None]]:
    """Every product of a step as a graph of one node, with the weights as constants.

    Args:
        weights: Of the model.
        batch: Sources.
        num_beams: Rows of a source.
        time: Steps of the source.

    Returns:
        By name; and as `CALL_ALONE` a graph that computes next to nothing, whose time is to be taken off each.
    """
    rows, units = batch * num_beams, weights.units
    lean, random = weights.lean(), np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype("float32")

    return {
        CALL_ALONE: _run("Identity", normal(1, 1)),
        "query and recurrent kernel": _run("MatMul", normal(rows, units), lean["merged_kernel"]),
        "attention scores": _run("MatMul", normal(rows * time, units), weights.score_kernel[:, np.newaxis]),
        "context": _run("MatMul", normal(batch, num_beams, time), normal(batch, time, units), constant=False),
        "context kernel": _run("MatMul", normal(rows, units), lean["context_kernel"]),
        "output kernel": _run("MatMul", normal(rows, units), weights.output_kernel),
    }


def _run(operator: str, *factors: np.ndarray, constant: bool = True) -> Callable[[], None]:
    """One node, its inputs and output in buffers that are bound once; the second input a constant or a buffer."""
    inputs = {f"factor_{index}": value for index, value in enumerate(factors)}
    result = np.empty(np.matmul(*factors).shape if len(factors) == 2 else factors[0].shape, "float32")
    fixed = ["factor_1"] if constant and len(factors) == 2 else []
    graph = helper.make_graph(
        [helper.make_node(operator, list(inputs), ["result"])],
        operator,
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape)
            for name, value in inputs.items()
            if name not in fixed
        ],
        [helper.make_tensor_value_info("result", TensorProto.FLOAT, result.shape)],
        [numpy_helper.from_array(inputs[name], name) for name in fixed],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 18)])
    session = ort.InferenceSession(model.SerializeToString(), session_options(None), providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for name, value in inputs.items():
        if name not in fixed:
            binding.bind_input(name, "cpu", 0, value.dtype, value.shape, value.ctypes.data)
    binding.bind_output("result", "cpu", 0, result.dtype, result.shape, result.ctypes.data)

    def run(buffers=(inputs, result)) -> None:  # the binding holds addresses alone
        session.run_with_iobinding(binding)

    return run
