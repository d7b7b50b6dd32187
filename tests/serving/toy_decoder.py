"""A bundle whose graph answers as a decode loop does, with options and limits, and the same in NumPy.

Nothing here uses the exporter. Hypothesis `k` of a source of `n` tokens is `n + k` long, its end token included, or cut
at `max_length`.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from keras_seq.serving import FileSpec, GraphSpec, Manifest, OptionSpec, TensorSpec

VOCABULARY, BEAMS, END, MAX_LENGTH, ALPHA, LIMIT = 23, 3, 2, 11, 0.5, 13

SOURCE = TensorSpec("source", "int32", ("batch", "time"), pad_value=0, maximum=VOCABULARY - 1)
OPTIONS = (
    OptionSpec("max_length", "int32", MAX_LENGTH, minimum=1, maximum=17),
    OptionSpec("alpha", "float32", ALPHA, minimum=0.0),
)
HYPOTHESES = (
    TensorSpec("ids", "int32", ("batch", "hypotheses", "target")),
    TensorSpec("lengths", "int32", ("batch", "hypotheses")),
    TensorSpec("scores", "float32", ("batch", "hypotheses")),
    TensorSpec("finished", "bool", ("batch", "hypotheses")),
    TensorSpec("alignments", "float32", ("batch", "hypotheses", "target", "time")),
)
DECODING = {"strategy": "beam_search", "num_beams": BEAMS, "start_id": 1, "end_id": END}


def decode(source: np.ndarray, max_length: int = MAX_LENGTH, alpha: float = ALPHA) -> dict[str, np.ndarray]:
    """The answer for one source `(time,)` without padding; a target is as long as the longest hypothesis."""
    wanted = len(source) + np.arange(BEAMS)
    lengths = np.minimum(wanted, max_length)
    ids = np.zeros((BEAMS, lengths.max()), "int32")
    alignments = np.zeros((*ids.shape, len(source)), "float32")
    for beam, length in enumerate(lengths):
        ids[beam, :length] = (source.sum() + beam + np.arange(length)) % 5 + 3
        alignments[beam, :length] = 1 / len(source)
        if wanted[beam] <= max_length:
            ids[beam, length - 1] = END
    scores = -np.power(lengths.astype("float32"), np.float32(alpha))
    return {
        "ids": ids,
        "lengths": lengths,
        "scores": scores,
        "finished": wanted <= max_length,
        "alignments": alignments,
    }


def onnx_graph(*, attends: bool = True) -> bytes:
    """The same as ONNX; `max_length` and `alpha` are initializers and inputs at once."""
    make = helper.make_node
    nodes = [
        make("Greater", ["source", "zero"], ["valid"]),  # (batch, time)
        make("Cast", ["valid"], ["ones"], to=TensorProto.INT32),
        make("ReduceSum", ["ones", "axis_1"], ["n"], keepdims=1),  # (batch, 1)
        make("ReduceSum", ["source", "axis_1"], ["total"], keepdims=1),
        make("Add", ["n", "beams"], ["wanted"]),  # (batch, hypotheses)
        make("Min", ["wanted", "max_length"], ["lengths"]),
        make("LessOrEqual", ["wanted", "max_length"], ["finished"]),
        make("ReduceMax", ["lengths"], ["target"], keepdims=0),
        make("Range", ["zero", "target", "one"], ["steps"]),  # (target,)
        make("Unsqueeze", ["lengths", "axis_2"], ["ends"]),  # (batch, hypotheses, 1)
        make("Less", ["steps", "ends"], ["within"]),  # (batch, hypotheses, target)
        make("Add", ["total", "beams"], ["shifted"]),
        make("Unsqueeze", ["shifted", "axis_2"], ["shifts"]),
        make("Add", ["shifts", "steps"], ["counted"]),
        make("Mod", ["counted", "five"], ["rest"]),
        make("Add", ["rest", "three"], ["tokens"]),
        make("Sub", ["ends", "one"], ["last"]),
        make("Equal", ["steps", "last"], ["at_end"]),
        make("Unsqueeze", ["finished", "axis_2"], ["ended"]),
        make("And", ["at_end", "ended"], ["is_end"]),
        make("Where", ["is_end", "end", "tokens"], ["written"]),
        make("Where", ["within", "written", "zero"], ["ids"]),
        make("Cast", ["lengths"], ["float_lengths"], to=TensorProto.FLOAT),
        make("Pow", ["float_lengths", "alpha"], ["penalties"]),
        make("Neg", ["penalties"], ["scores"]),
    ]
    if attends:
        nodes += [
            make("Cast", ["valid"], ["weights"], to=TensorProto.FLOAT),
            make("Cast", ["n"], ["float_n"], to=TensorProto.FLOAT),
            make("Div", ["weights", "float_n"], ["row"]),  # (batch, time)
            make("Unsqueeze", ["row", "axes_1_2"], ["rows"]),
            make("Cast", ["within"], ["float_within"], to=TensorProto.FLOAT),
            make("Unsqueeze", ["float_within", "axis_3"], ["on"]),
            make("Mul", ["rows", "on"], ["alignments"]),
        ]
    scalars = {"zero": 0, "one": 1, "three": 3, "five": 5, "end": END, "max_length": MAX_LENGTH}
    constants = {name: np.array(value, "int32") for name, value in scalars.items()}
    constants |= {"alpha": np.array(ALPHA, "float32"), "beams": np.arange(BEAMS, dtype="int32")}
    constants |= {f"axis_{axis}": np.array([axis]) for axis in (1, 2, 3)} | {"axes_1_2": np.array([1, 2])}
    kinds = {"int32": TensorProto.INT32, "float32": TensorProto.FLOAT, "bool": TensorProto.BOOL}
    outputs = HYPOTHESES if attends else HYPOTHESES[:-1]
    graph = helper.make_graph(
        nodes,
        "toy",
        [
            helper.make_tensor_value_info(SOURCE.name, TensorProto.INT32, SOURCE.shape),
            *(helper.make_tensor_value_info(option.name, kinds[option.dtype], []) for option in OPTIONS),
        ],
        [helper.make_tensor_value_info(spec.name, kinds[spec.dtype], spec.shape) for spec in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return model.SerializeToString()


def write_decoder(folder: Path, *, pads: bool = True, attends: bool = True) -> Path:
    """A bundle with the graph `generate`. Without `pads`, rows of different lengths are run in groups."""
    folder.mkdir(parents=True)
    file = folder / "generate.onnx"
    file.write_bytes(onnx_graph(attends=attends))
    source = SOURCE if pads else TensorSpec("source", "int32", SOURCE.shape, None, SOURCE.maximum)
    graph = GraphSpec(
        file.name,
        [source],
        HYPOTHESES if attends else HYPOTHESES[:-1],
        nodes=29,
        operators={"Range": 1},
        options=OPTIONS,
        limits={"time": LIMIT},
        decoding=DECODING,
    )
    manifest = Manifest(
        name="dates",
        created="2025-01-02T03:04:05+00:00",
        model={"class": "Seq2Seq", "parameters": 997, "dtype_policy": "float32"},
        versions={"python": "3.11.7"},
        graphs={"generate": graph},
        files={file.name: FileSpec.of(file)},
        onnx={"opset": 18, "ir_version": 8, "min_onnxruntime": "1.17"},
        layers=[{"name": "decoder", "class": "AttentionDecoder", "lowering": "decode_loop", "operators": {"Loop": 1}}],
    )
    (folder / "bundle.json").write_text(manifest.to_json(), encoding="utf-8")
    return folder
