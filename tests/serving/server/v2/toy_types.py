"""A bundle with an input of every type of numbers, each given back as it came, and the logarithm of one of them."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from keras_seq.serving import FileSpec, GraphSpec, Manifest, TensorSpec

WIDTH = 3
DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
}


def extremes(dtype: str) -> np.ndarray:
    """Two rows with the least and the largest values of a type, and what is hard to write as a decimal."""
    if dtype == "bool":
        return np.array([[True, False, True], [False, False, True]])
    if dtype.startswith("float"):
        info = np.finfo(dtype)
        values = [info.min, info.max, info.tiny, 1 / 3, -np.pi, 0.1]
    else:
        info = np.iinfo(dtype)
        values = [info.min, info.max, info.max - 1, 0, 1, info.min + 1]
    return np.array(values, dtype).reshape(2, WIDTH)


def write_types(folder: Path) -> Path:
    """The bundle."""
    folder.mkdir(parents=True)
    kinds = {name: helper.np_dtype_to_tensor_dtype(np.dtype(name)) for name in DATATYPES}
    shape = ["batch", WIDTH]
    nodes = [helper.make_node("Identity", [f"{name}_in"], [f"{name}_out"]) for name in DATATYPES]
    nodes.append(helper.make_node("Log", ["float32_in"], ["log"]))
    outputs = [helper.make_tensor_value_info(f"{name}_out", kind, shape) for name, kind in kinds.items()]
    graph = helper.make_graph(
        nodes,
        "types",
        [helper.make_tensor_value_info(f"{name}_in", kind, shape) for name, kind in kinds.items()],
        [*outputs, helper.make_tensor_value_info("log", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    spec = GraphSpec(
        "model.onnx",
        [TensorSpec(f"{name}_in", name, shape) for name in DATATYPES],
        [*(TensorSpec(f"{name}_out", name, shape) for name in DATATYPES), TensorSpec("log", "float32", shape)],
    )
    manifest = Manifest(
        name="types",
        created="2025-01-02T03:04:05+00:00",
        model={"class": "Functional", "parameters": 0, "dtype_policy": "float32"},
        versions={"python": "3.11.7"},
        graphs={"model": spec},
        files={"model.onnx": FileSpec.of(folder / "model.onnx")},
        onnx={"opset": 18, "ir_version": 8, "min_onnxruntime": "1.17"},
    )
    (folder / "bundle.json").write_text(manifest.to_json(), encoding="utf-8")
    return folder
