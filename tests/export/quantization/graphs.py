"""Graphs of few nodes to quantise, and what ONNX Runtime makes of them."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from keras_seq.export.passes.scopes import graphs
from keras_seq.export.quantization.quantized_graph import quantized_graph


class NoOwners:
    """Of graphs that no Keras model is behind: a weight is called after its node."""

    def of(self, arrays):
        return ""


def array(*shape, seed=0, scale=1.0):
    return np.random.default_rng(seed).normal(size=shape, scale=scale).astype("float32")


def value(name, shape, dtype="float32"):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)


def make_model(nodes, inputs, outputs, constants):
    """A model. `inputs` are names with a list of dimensions, or such a list and a dtype; `outputs` with ranks."""
    given = [value(name, *(spec if isinstance(spec, tuple) else (spec,))) for name, spec in inputs.items()]
    ranks = {name: spec if isinstance(spec, tuple) else (spec, "float32") for name, spec in outputs.items()}
    made = [value(name, [None] * rank, dtype) for name, (rank, dtype) in ranks.items()]
    tensors = [numpy_helper.from_array(np.asarray(number), name) for name, number in constants.items()]
    graph = helper.make_graph(nodes, "toy", given, made, tensors)
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def quantized(proto, bits=8, owners=None, wanted=lambda layer: True):
    return quantized_graph(proto, bits, owners or NoOwners(), wanted)[0]


def decisions(proto, bits=8, owners=None, wanted=lambda layer: True):
    return quantized_graph(proto, bits, owners or NoOwners(), wanted)[1]


def operators(proto):
    """Operators in the graph and within, in order."""
    return [node.op_type for scope in graphs(proto.graph) for node in scope.node]


def run(proto, feeds, names=None):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(names, feeds)


def constants(proto):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}


def as_loaded(proto, folder: Path):
    """The model as ONNX Runtime runs it, after its optimisations of the kind that is valid everywhere."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # it warns that the file is of this machine
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "loaded.onnx")
    onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return onnx.load(folder / "loaded.onnx")
