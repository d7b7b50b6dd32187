"""A bundle made by hand whose `step` attends to all steps so far, and a NumPy oracle of it. No exporter takes part."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from keras_seq.serving import FileSpec, GraphSpec, Manifest, StateSpec, TensorSpec

FEATURES, SIZE, LONGEST = 3, 5, 31

SIGNAL = TensorSpec("signal", "float32", ("batch", "time", FEATURES))
CONTEXT = TensorSpec("context", "float32", ("batch", "time", SIZE))
KEYS = StateSpec("look.keys", "look.keys", "look.keys.next", "float32", ("batch", "past", FEATURES))
VALUES = StateSpec("look.values", "look.values", "look.values.next", "float32", ("batch", "past", SIZE))
POSITION = StateSpec("where.position", "where.position", "where.position.next", "float32", ("batch", 1))


def _weights(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"table": (LONGEST, FEATURES), "query": (FEATURES,) * 2, "key": (FEATURES,) * 2, "value": (FEATURES, SIZE)}
    return {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}


def attended(signal: np.ndarray, seed: int = 1) -> np.ndarray:
    """The toy graph in plain NumPy: `(batch, time, FEATURES)` to `(batch, time, SIZE)`, each step alone."""
    w = _weights(seed)
    x = signal.astype("float64") + w["table"][: signal.shape[1]]
    outputs = []
    for step in range(signal.shape[1]):
        past = x[:, : step + 1]
        scores = np.einsum("bf,btf->bt", x[:, step] @ w["query"], past @ w["key"])
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        outputs.append(np.einsum("bt,bts->bs", scores / scores.sum(axis=1, keepdims=True), past @ w["value"]))
    return np.stack(outputs, axis=1)


def _step_graph(seed: int) -> bytes:
    make = helper.make_node
    nodes = [
        make("Shape", ["signal"], ["steps"], start=1, end=2),
        make("Shape", ["look.keys"], ["past"], start=1, end=2),
        make("Squeeze", ["steps"], ["count"]),
        make("Range", ["zero", "count", "one"], ["offsets"]),
        make("Cast", ["where.position"], ["reached"], to=TensorProto.INT64),
        make("Add", ["reached", "offsets"], ["positions"]),
        make("Gather", ["table", "positions"], ["encoding"]),
        make("Add", ["signal", "encoding"], ["x"]),
        make("MatMul", ["x", "query"], ["queries"]),
        make("MatMul", ["x", "key"], ["new_keys"]),
        make("MatMul", ["x", "value"], ["new_values"]),
        make("Concat", ["look.keys", "new_keys"], ["look.keys.next"], axis=1),
        make("Concat", ["look.values", "new_values"], ["look.values.next"], axis=1),
        make("Cast", ["steps"], ["added"], to=TensorProto.FLOAT),
        make("Add", ["where.position", "added"], ["where.position.next"]),
        make("Transpose", ["look.keys.next"], ["columns"], perm=[0, 2, 1]),
        make("MatMul", ["queries", "columns"], ["scores"]),
        make("Shape", ["scores"], ["square"], start=1),
        make("ConstantOfShape", ["square"], ["hidden"], value=numpy_helper.from_array(np.float32([-1e9]))),
        make("Add", ["past", "first"], ["diagonal"]),
        make("Squeeze", ["diagonal"], ["above"]),
        make("Trilu", ["hidden", "above"], ["bias"], upper=1),
        make("Add", ["scores", "bias"], ["visible"]),
        make("Softmax", ["visible"], ["weights"]),
        make("MatMul", ["weights", "look.values.next"], ["context"]),
    ]
    constants = dict(_weights(seed), zero=np.int64(0), one=np.int64(1), first=np.array([1]))
    specs = [(SIGNAL.name, SIGNAL.shape)] + [(state.input, state.shape) for state in (KEYS, VALUES, POSITION)]
    given = [(CONTEXT.name, CONTEXT.shape)]
    given += [
        (state.output, [f"{dim}.next" if dim == "past" else dim for dim in state.shape])
        for state in (KEYS, VALUES, POSITION)
    ]
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in tensors]
        for tensors in (specs, given)
    )
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "toy", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return model.SerializeToString()


def write_cache(folder: Path, *, seed: int = 1, limits: dict[str, int] | None = None) -> Path:
    """Writes the bundle; `limits` as its manifest is to have them, by default those of the positions' table."""
    folder.mkdir(parents=True)
    file = folder / "step.onnx"
    file.write_bytes(_step_graph(seed))
    limits = {"time": LONGEST} if limits is None else limits
    step = GraphSpec(file.name, [SIGNAL], [CONTEXT], [KEYS, VALUES, POSITION], 25, {"MatMul": 5}, limits=limits)
    manifest = Manifest(
        name="looker",
        created="2025-01-02T03:04:05+00:00",
        model={"class": "Functional", "parameters": 97, "dtype_policy": "float32"},
        versions={"python": "3.11.7"},
        graphs={"step": step},
        files={file.name: FileSpec.of(file)},
        onnx={"opset": 18, "ir_version": 8, "min_onnxruntime": "1.17"},
    )
    (folder / "bundle.json").write_text(manifest.to_json(), encoding="utf-8")
    return folder
