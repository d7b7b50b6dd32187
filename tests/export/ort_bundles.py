"""Bundles and graphs with files in ONNX Runtime's own format, made by hand."""

from dataclasses import replace

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from keras_seq.export.ort_format import write_ort
from keras_seq.serving import Bundle, FileSpec, GraphSpec, TensorSpec
from tests.serving import conftest as toy
from tests.serving.toy_cache import write_cache
from tests.serving.toy_decoder import write_decoder
from tests.serving.toy_text import write_tagger

ROWS, COLUMNS = 67, 71


def with_ort(folder):
    """The bundle with `.ort` files, noted in its manifest."""
    manifest = Bundle.load(folder).manifest
    graphs = write_ort(folder, manifest.graphs)
    new = [graph.variants["ort"].file for graph in graphs.values()] + ["required_operators.config"]
    files = manifest.files | {name: FileSpec.of(folder / name) for name in new}
    (folder / "bundle.json").write_text(replace(manifest, graphs=graphs, files=files).to_json(), encoding="utf-8")
    return folder


WRITERS = {
    "masked": toy._write_bundle,
    "dates": write_decoder,
    "pos": lambda folder: write_tagger(folder, strings=True),
    "looker": write_cache,
}


GRAPH = GraphSpec(
    "model.onnx",
    [TensorSpec("x", "float32", ("batch", "time", 3))],
    [TensorSpec("y", "float32", ("batch", "time", 5))],
)


def write_float_graph(folder, nodes, initializers, contrib=False, file="model.onnx"):
    values = [
        helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, list(spec.shape))
        for spec in (*GRAPH.inputs, *GRAPH.outputs)
    ]
    graph = helper.make_graph(nodes, "toy", values[:1], values[1:], initializers)
    imports = [helper.make_opsetid("", 18), *[helper.make_opsetid("com.microsoft", 1)] * contrib]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    (folder / file).write_bytes(model.SerializeToString())


def small_weights(kind, in_loop=False):
    """A graph whose weights are stored small: x @ (3, ROWS) @ (ROWS, COLUMNS) @ (COLUMNS, 5), the second one cast."""
    rng = np.random.default_rng(7)
    first, last = (rng.normal(size=s).astype("float32") for s in ((3, ROWS), (COLUMNS, 5)))
    stored = rng.integers(-127, 128, (ROWS, COLUMNS)).astype(kind)
    initializers = [numpy_helper.from_array(v, n) for v, n in ((first, "first"), (last, "last"), (stored, "stored"))]
    initializers.append(numpy_helper.from_array(np.float32(0.01), "scale"))
    make = helper.make_node
    widen = [make("Cast", ["stored"], ["wide"], to=TensorProto.FLOAT), make("Mul", ["wide", "scale"], ["weights"])]
    product = make("MatMul", ["a", "weights"], ["b"])
    nodes = [make("MatMul", ["x", "first"], ["a"]), *widen, product, make("MatMul", ["b", "last"], ["y"])]
    if in_loop:
        body = helper.make_graph(
            [
                *widen,
                make("MatMul", ["a", "weights"], ["b_inner"]),
                make("Add", ["carried", "b_inner"], ["carried_next"]),
                make("Identity", ["go"], ["go_on"]),
            ],
            "body",
            [
                helper.make_tensor_value_info("i", TensorProto.INT64, []),
                helper.make_tensor_value_info("go", TensorProto.BOOL, []),
                helper.make_tensor_value_info("carried", TensorProto.FLOAT, ["batch", "time", COLUMNS]),
            ],
            [
                helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
                helper.make_tensor_value_info("carried_next", TensorProto.FLOAT, ["batch", "time", COLUMNS]),
            ],
        )
        initializers += [numpy_helper.from_array(np.array(3), "three"), numpy_helper.from_array(np.array(True), "yes")]
        initializers.append(numpy_helper.from_array(np.zeros((1, 1, COLUMNS), "float32"), "start"))
        nodes = [
            nodes[0],
            make("MatMul", ["x", "first_columns"], ["begin"]),
            make("Loop", ["three", "yes", "begin"], ["b"], body=body),
            nodes[-1],
        ]
        initializers.append(numpy_helper.from_array(np.ones((3, COLUMNS), "float32"), "first_columns"))
    return nodes, initializers
