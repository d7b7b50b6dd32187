"""The graphs on runtimes other than ONNX Runtime: what they say must not hang on one reading of the standard.

Transformers have a file of their own, test_portable.py.
"""

import keras
import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import keras_seq
from tests.export.graphs import (
    BATCH,
    FEATURES,
    MASK,
    TIME,
    UNITS,
    random_array,
    recurrent_nodes,
    run_keras,
    to_onnx,
    with_random_weights,
)
from tests.export.kinds import OURS

pytestmark = pytest.mark.backend("tensorflow")

# ONNX's own evaluator computes every LSTM and GRU with sigmoid and tanh, whatever `activations` says, and an RNN with
# tanh only. It takes no notice of `sequence_lens`.
KNOWN_TO_REFERENCE = ["SimpleRNN-tanh", "GRU-reset_after", "GRU-reset_before-simplified", "LSTM", "PeepholeLSTM"]
# OpenVINO refuses an `Affine` activation, and leaves peepholes out without a word.
KNOWN_TO_OPENVINO = ["SimpleRNN-relu", "GRU-reset_after", "GRU-reset_before", "GRU-reset_before-simplified", "LSTM"]


def model_of(kind, masks):
    """A layer each way, from states that are given, and one both ways: their outputs and final states."""
    sequences = keras.Input((None, FEATURES), name="sequences")
    mask = keras.Input((None,), dtype="bool", name="mask")
    states = [keras.Input((UNITS,), name=f"state_{i}") for i in range(kind.states)]
    options = {"return_sequences": True, "return_state": True}
    layers = [kind.make_layer(**options), kind.make_layer(go_backwards=True, **options)]
    both_ways = keras_seq.Bidirectional(kind.make_layer(**options))
    outputs = []
    for call in [{"mask": mask} if masked else {} for masked in masks]:
        for layer in layers:
            outputs += layer(sequences, initial_state=states, **call)
        outputs += both_ways(sequences, **call)
    inputs = [sequences, mask, *states] if any(masks) else [sequences, *states]
    return with_random_weights(keras.Model(inputs, outputs))


def inputs_of(model):
    arrays = {"sequences": random_array(BATCH, TIME, FEATURES), "mask": MASK}
    arrays |= {f"state_{i}": random_array(BATCH, UNITS, seed=2 + i) for i in range(2)}
    return {tensor.name: arrays[tensor.name] for tensor in model.inputs}


def assert_agree(received, expected):
    for a, b in zip(received, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", KNOWN_TO_REFERENCE)
def test_reference_evaluator_of_onnx_computes_what_keras_does(name):
    model = model_of(OURS[name], masks=[False])
    inputs, graph = inputs_of(model), to_onnx(model)
    assert recurrent_nodes(graph) == {OURS[name].operator: 3}
    assert_agree(ReferenceEvaluator(graph).run(None, inputs), run_keras(model, inputs))


@pytest.mark.parametrize("name", KNOWN_TO_OPENVINO)
def test_openvino_computes_what_keras_does(name, tmp_path):
    openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install 'keras_seq[dev]'")
    model = model_of(OURS[name], masks=[False, True])
    inputs = inputs_of(model)
    onnx.save(to_onnx(model), tmp_path / "model.onnx")
    core = openvino.Core()
    graph = core.read_model(tmp_path / "model.onnx")
    # Without fixed sizes OpenVINO takes no notice of `sequence_lens` either.
    graph.reshape({name: value.shape for name, value in inputs.items()})
    results = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(inputs)
    assert_agree([results[i] for i in range(len(graph.outputs))], run_keras(model, inputs))
