"""`benchmarks/quantization.py` on tiny models: what it times computes the same, and its tables say what was found."""

import functools
import re
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.backend("tensorflow")  # exporting is TensorFlow's


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def run(model, x):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("operator", ["MatMul", "LSTM", "GRU", "RNN"])
def test_the_integer_form_of_a_crossover_computes_what_the_float_form_does(operator):
    from quantization_parts.crossovers import integer_graph, product_chain, recurrent

    graph = product_chain(11, 17) if operator == "MatMul" else recurrent(operator, 13)
    integers = integer_graph(graph)
    x = np.random.default_rng(2).normal(size=(7, 11) if operator == "MatMul" else (5, 3, 13)).astype("float32")
    expected, found = run(graph, x), run(integers, x)
    assert 0 < np.abs(found - expected).max() < 0.1 * np.abs(expected).max()
    assert operator not in {node.op_type for node in integers.graph.node}


def test_equal_products_are_not_merged():
    from quantization_parts.crossovers import CHAIN, integer_graph, product_chain

    graph = integer_graph(product_chain(11, 17)).graph
    values = {tensor.name: tensor.raw_data for tensor in graph.initializer}
    weights = {values[node.input[1]] for node in graph.node if node.op_type == "DynamicQuantizeMatMul"}
    assert len(weights) == 2 * CHAIN


def test_the_limits_of_the_exporter_are_as_before_when_crossovers_are_made():
    from quantization_parts.crossovers import integer_graph, recurrent

    from keras_seq.export.quantization import choice

    before = choice.PRODUCT_ELEMENTS, choice.LSTM_UNITS, choice.SCAN_UNITS
    assert min(before) > 0
    integer_graph(recurrent("GRU", 13))
    assert before == (choice.PRODUCT_ELEMENTS, choice.LSTM_UNITS, choice.SCAN_UNITS)


def test_crossings_are_printed_with_those_that_are_slower(capsys):
    from quantization import print_crossings
    from quantization_parts.crossovers import Crossing

    slow, fast = Crossing("GRU", 512, 1, 2, 1.0, 1.25, True), Crossing("GRU", 512, 16, 2, 3.0, 1.0, True)
    print_crossings([slow, fast, Crossing("GRU", 64, 1, 2, 1.0, 2.0, False), Crossing("GRU", 64, 16, 2, 1, 2, False)])
    printed = capsys.readouterr().out
    assert "**0.80** ✗" in printed
    assert "**3.00** |" in printed
    assert " 0.50 |" in printed
    assert "The limits hold in 3 of 4 cases." in printed


@pytest.fixture(scope="module")
def setting():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        from quantization_parts.models import Setting

    sizes = {"units": 24, "features": 24, "heads": 2, "layers": 1, "characters": 20_000, "steps": 7}
    return Setting(seconds=0.1, **sizes)


def test_one_model_is_trained_once_judged_timed_and_told(setting, tmp_path, capsys, monkeypatch):
    import quantization
    from quantization import print_judged, print_timed, run_subject
    from quantization_parts.models import subject

    monkeypatch.setattr(
        quantization, "measure", functools.partial(quantization.measure, block_seconds=0, idle_seconds=0)
    )
    first = subject("GRU", setting, tmp_path / "cache")
    again = subject("GRU", setting, tmp_path / "cache")
    assert capsys.readouterr().out.count("training GRU") == 1
    for one, other in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    result = run_subject(again, tmp_path / "bundles", [1], rounds=1)
    assert [row["case"] for row in result["timed"]] == ["1 x 1", "1 x 7", "16 x 7"]
    for row in result["timed"]:
        assert {"float32", "int8", "fp16", "int8.ort", "quantize_dynamic, per channel"} <= row["timings"].keys()
        assert row["differences"]["float32"] == 0
        assert 0 < row["differences"]["int8"] < 0.1
    print_timed(result)
    print_judged([result])
    printed = capsys.readouterr().out
    assert "| GRU(24), int8 |" in printed
    assert re.search(r"\n\| 1 x 7, 1 thr\. +\| +[\d.]+ \(1\.00\) \|", printed)


def test_the_encoder_of_the_opponents_has_the_weights_of_the_model(setting, tmp_path):
    import keras
    from quantization_parts.models import subject
    from quantization_parts.ways import encoder_weights
    from transformer_opponents.encoder_graph import hand_encoder

    model = subject("encoder", setting, tmp_path).model
    ids = np.random.default_rng(3).integers(4, 40, (5, 13), "int32")
    expected = keras.Model(model.input, model.get_layer("encoder").output)(ids)
    np.testing.assert_allclose(hand_encoder(encoder_weights(model), 1)(ids), expected, rtol=1e-4, atol=1e-4)
