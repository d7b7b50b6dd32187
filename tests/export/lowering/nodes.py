"""Runs what an emitter writes, alone, on ONNX Runtime."""

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper


class Writer:
    """Collects nodes as `GraphWriter` does, into a graph of its own."""

    def __init__(self):
        self.nodes, self.constants = [], {}

    def node(self, op_type, inputs, num_outputs=1, **attributes):
        inputs = list(inputs)
        while inputs and not inputs[-1]:
            inputs.pop()
        outputs = [f"{op_type}_{len(self.nodes)}_{i}" for i in range(num_outputs)]
        self.nodes.append(helper.make_node(op_type, inputs, outputs, **attributes))
        return outputs

    def constant(self, value, name="constant"):
        name = f"{name}_{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name


def run_emitted(emit, inputs):
    """The outputs of the nodes that `emit(writer, names)` writes, given arrays."""
    writer = Writer()
    names = [f"input_{i}" for i in range(len(inputs))]
    outputs = emit(writer, names)
    graph = helper.make_graph(
        writer.nodes,
        "emitted",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
            for name, value in zip(names, inputs, strict=True)
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in writer.constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(outputs, dict(zip(names, inputs, strict=True)))
