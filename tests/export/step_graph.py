"""The step graph of a model without a bundle around it, and ways of cutting what it is fed."""

import itertools

import keras
import numpy as np
import tensorflow as tf

from keras_seq.export import onnx_graph
from keras_seq.export.lowering.markers import Markers
from keras_seq.export.lowering.trace import Trace
from keras_seq.export.signature import model_signature
from keras_seq.export.streaming import check_streamable
from keras_seq.export.tracing import find_states, model_endpoints
from keras_seq.serving.tensor_spec import TensorSpec
from tests.export.graphs import open_session

BATCH, TIME = 5, 29

# A row each: all steps, gaps, nothing at the start, nothing at the end, nothing at all.
MASK = np.ones((BATCH, TIME), bool)
MASK[1] = np.random.default_rng(4).random(TIME) < 0.5
MASK[2, :17] = False
MASK[3, 13:] = False
MASK[4] = False


class Step:
    """The step function of a model, as ONNX Runtime or, as in a SavedModel, TensorFlow runs it.

    Args:
        model: A functional model whose inputs all have a time axis.
        onnx: Whether ONNX Runtime is to run it.
    """

    def __init__(self, model, onnx=True):
        signature = model_signature(model)
        check_streamable(model, signature)
        self.states = find_states(model, signature)
        outputs = keras.tree.flatten(model.output)
        shapes = [("batch", *("time" if size is None else size for size in output.shape[1:])) for output in outputs]
        specs = [TensorSpec(f"output_{index}", "float32", shape) for index, shape in enumerate(shapes)]
        _, endpoint = model_endpoints(model, signature, specs, self.states, notes=[])
        self.count = len(specs)
        if not onnx:
            function = endpoint.build(Trace(markers=None, streaming=True))
            compute = tf.function(function, input_signature=endpoint.tensor_specs(), autograph=False)
            self.compute = lambda feeds: [value.numpy() for value in compute(*map(tf.constant, feeds.values()))]
            return
        trace = Trace(Markers(), streaming=True)
        proto = onnx_graph.convert(endpoint.build(trace), endpoint.tensor_specs(), trace.markers)
        self.graph = onnx_graph.finish(proto, "step", endpoint.input_shapes(), endpoint.output_shapes())
        session = open_session(self.graph)
        self.compute = lambda feeds: session.run(None, feeds)

    def run(self, inputs, bounds):
        """Outputs put together along time, or the last ones where there is none."""
        batch = len(next(iter(inputs.values())))
        carried = {state.name: np.zeros(state.start_shape(batch), "float32") for state in self.states}
        pieces = []
        for start, stop in itertools.pairwise(bounds):
            chunk = {name: value[:, start:stop] for name, value in inputs.items()}
            results = self.compute(chunk | carried)
            carried = dict(zip(carried, results[self.count :], strict=True))
            pieces.append(results[: self.count])
        return [
            np.concatenate(parts, axis=1) if parts[0].ndim == 3 else parts[-1] for parts in zip(*pieces, strict=True)
        ]


def random_cuts(seed):
    """Bounds of eight chunks."""
    inner = np.random.default_rng(seed).choice(np.arange(1, TIME), size=7, replace=False)
    return [0, *sorted(inner.tolist()), TIME]


CUTS = {
    "step by step": list(range(TIME + 1)),
    "first step apart": [0, 1, TIME],
    "last step apart": [0, TIME - 1, TIME],
    **{f"random {seed}": random_cuts(seed) for seed in range(3)},
}
