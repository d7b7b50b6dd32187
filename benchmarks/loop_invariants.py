"""What the passes over exported graphs are worth: recurrent loops as the converter writes them, and after the passes.

    python benchmarks/loop_invariants.py [--rounds N] [--threads N]

The layers are Keras' own, converted without this project's lowering, which would make native nodes of them: loops as
any cell gets that has no native node. "Invariants" takes nothing but the invariant states out; "all passes" is what
every exported graph gets. Only the ratios of one run mean something, best those of the 10th percentiles.
"""

import argparse
import os
from dataclasses import dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from timing import markdown_table, measure, speed_rows

SIZES = ((1, 1, 256, 512), (1, 50, 64, 128), (1, 100, 256, 512), (16, 100, 256, 512))
CONVERTED = "as converted"


@dataclass(frozen=True)
class Case:
    """A layer and its sizes."""

    layer: str
    masked: bool
    batch: int
    time: int
    features: int
    units: int

    @property
    def title(self) -> str:
        masked = "masked " if self.masked else ""
        return f"{masked}{self.layer}, ({self.batch}, {self.time}, {self.features} -> {self.units})"


def convert(case: Case) -> dict:
    """The ONNX model of a layer by what was done to it."""
    import keras
    import onnx
    import tensorflow as tf

    from keras_seq.export import onnx_graph
    from keras_seq.export.lowering.markers import Markers
    from keras_seq.export.passes.identities import identities
    from keras_seq.export.passes.loop_invariants import loop_invariants
    from keras_seq.export.passes.optimise import optimise
    from keras_seq.export.passes.outer_constants import outer_constants
    from keras_seq.export.passes.unique_names import unique_names

    source = keras.Input((None, case.features))
    layer = getattr(keras.layers, case.layer)(case.units, return_sequences=True, bias_initializer="random_normal")
    model = keras.Model(source, layer(keras.layers.Masking()(source) if case.masked else source))
    specs = [tf.TensorSpec([None, None, case.features], name="x")]
    onnx_graph.optimise, kept = lambda proto: {}, onnx_graph.optimise
    try:
        converted = onnx_graph.convert(lambda x: [tf.identity(model(x, training=False))], specs, Markers())
    finally:
        onnx_graph.optimise = kept
    converted.ir_version = onnx_graph.IR_VERSION
    protos = {CONVERTED: converted, "invariants": onnx.ModelProto(), "all passes": onnx.ModelProto()}
    for proto in list(protos.values())[1:]:
        proto.CopyFrom(converted)
    hoisted = protos["invariants"].graph
    for apply in (unique_names, outer_constants, loop_invariants, identities):
        apply(hoisted)
    optimise(protos["all passes"])
    return protos


def run_case(case: Case, threads: int, rounds: int) -> str:
    """Converts, checks and times one case; returns its table."""
    import onnxruntime

    x = np.random.default_rng(0).normal(size=(case.batch, case.time, case.features)).astype("float32")
    candidates, nodes, expected = {}, {}, None
    for name, proto in convert(case).items():
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        feed = {session.get_inputs()[0].name: x}
        (output,) = session.run(None, feed)
        expected = output if expected is None else expected
        np.testing.assert_allclose(output, expected, rtol=1e-3, atol=1e-4, err_msg=f"{case.title}: {name}")
        candidates[name] = lambda session=session, feed=feed: session.run(None, feed)
        nodes[name] = sum(len(a.g.node) for node in proto.graph.node for a in node.attribute if a.name == "body")
    rows = speed_rows(measure(candidates, rounds=rounds), base=CONVERTED)
    header = [case.title, "ms", "× as fast", "× by p10", "nodes in the body"]
    return markdown_table(header, [[*row, str(nodes[row[0]])] for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="blocks of calls of each candidate")
    parser.add_argument("--threads", type=int, default=2, help="threads of each session")
    arguments = parser.parse_args()
    for layer, masked in (("GRU", False), ("GRU", True), ("LSTM", True)):
        for size in SIZES:
            print(run_case(Case(layer, masked, *size), arguments.threads, arguments.rounds), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
