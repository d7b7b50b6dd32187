"""Models that run in chunks: any way of cutting a sequence gives the same, and what looks ahead is refused by name."""

import itertools

import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.export import ParityError, StreamingError, Tolerance, export_model
from keras_seq.export.signature import model_signature
from keras_seq.export.tracing import find_states
from keras_seq.serving import Predictor, Stream
from tests.export.graphs import random_array, recurrent_nodes, with_random_weights
from tests.export.kinds import OURS, STOCK
from tests.export.models import FEATURES, TAGS, UNITS, VOCABULARY, signal_model, tagger
from tests.export.step_graph import BATCH, CUTS, MASK, TIME, Step, random_cuts

pytestmark = pytest.mark.backend("tensorflow")


def masked_model(make):
    """A layer that returns every step, one that returns the last and one whose masked outputs are zeros."""
    signal, mask = keras.Input((None, FEATURES), name="signal"), keras.Input((None,), dtype="bool", name="mask")
    layers = [
        make(return_sequences=True, name="lstm_1"),
        make(name="lstm_2"),
        make(return_sequences=True, zero_output_for_mask=True, name="lstm_3"),
    ]
    outputs = [layer(signal, mask=mask) for layer in layers]
    outputs.append(layers[0](signal))  # the second call of a layer has states of its own
    return with_random_weights(keras.Model([signal, mask], outputs))


MAKERS = {name: kind.make_layer for name, kind in {**OURS, **STOCK}.items()}
MAKERS |= {
    f"stack of {name}": lambda kind=OURS[name], **options: keras_seq.StackedRNN(
        [kind.make_cell(), keras_seq.GRUCell(2)], residual=True, **options
    )
    for name in ("PeepholeLSTM", "SimpleRNN-relu")
}
MAKERS["RNN of cells"] = lambda **options: keras.layers.RNN([keras.layers.LSTMCell(2), keras_seq.GRUCell(3)], **options)


@pytest.mark.parametrize("name", MAKERS)
def test_any_way_of_cutting_gives_what_the_whole_gives(name):
    model = masked_model(MAKERS[name])
    step = Step(model)
    assert not {"Loop", "Scan"} & recurrent_nodes(step.graph).keys()
    inputs = {"signal": random_array(BATCH, TIME, FEATURES), "mask": MASK}
    whole = step.run(inputs, [0, TIME])
    for received, expected in zip(whole, model(list(inputs.values())), strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-5, atol=3e-6)
    for label, bounds in CUTS.items():
        for received, expected in zip(step.run(inputs, bounds), whole, strict=True):
            np.testing.assert_allclose(received, expected, rtol=1e-6, atol=1e-6, err_msg=label)


def test_states_are_called_by_their_layers():
    states = Step(masked_model(MAKERS["LSTM"])).states
    names = [f"lstm_{i}.{s}" for i in (1, 2, 3) for s in ("h", "c")]
    assert {state.name for state in states} == {*names, "lstm_1.call_2.h", "lstm_1.call_2.c"}
    assert {state.shape for state in states} == {(2,)}


def test_states_of_stacks_are_numbered_from_the_input_upwards():
    stack = keras_seq.StackedRNN([keras_seq.LSTMCell(5), keras_seq.GRUCell(3)], name="deep")
    cells = keras.layers.RNN([keras.layers.GRUCell(2), keras.layers.LSTMCell(7)], name="cells")
    x = keras.Input((None, FEATURES), name="signal")
    model = keras.Model(x, [stack(x), cells(x)])
    found = {state.name: state.shape[0] for state in find_states(model, model_signature(model))}
    assert found == {
        "deep.0.h": 5,
        "deep.0.c": 5,
        "deep.1.h": 3,
        "cells.0.h": 2,
        "cells.1.h": 7,
        "cells.1.c": 7,
    }


def test_bundle_streams_through_the_runtime(tmp_path):
    model = tagger()
    report = export_model(model, tmp_path / "bundle", formats="onnx", streaming=True)
    step = report.manifest.graphs["step"]
    assert [(s.name, s.input, s.output, s.dtype, s.shape) for s in step.states] == [
        (name, name, f"{name}.next", "float32", ("batch", UNITS)) for name in ("lstm_1.h", "lstm_1.c", "gru_1.h")
    ]
    assert [spec.name for spec in step.inputs] == ["words", "shapes"]
    rng = np.random.default_rng(0)
    words = rng.integers(0, 3, (BATCH, TIME)).astype("int32") * (VOCABULARY // 3)
    shapes = np.where(words[..., None] == 0, 0, random_array(BATCH, TIME, FEATURES)).astype("float32")
    stream = Stream(report.path)
    for start, stop in itertools.pairwise(random_cuts(11)):
        stream.feed({"words": words[:, start:stop], "shapes": shapes[:, start:stop]})
    whole = Predictor(report.path).predict({"words": words, "shapes": shapes})
    expected = dict(zip(("tags", "style"), model([words, shapes]), strict=True))
    for name, value in stream.result().items():
        np.testing.assert_allclose(value, whole[name], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=2e-6)
    assert stream.result()["tags"].shape == (BATCH, TIME, TAGS)


def test_layers_within_one_step_of_the_stream_may_do_as_they_like():
    characters = keras.Input((None, 7, FEATURES), name="characters")
    inner = [keras.layers.Conv1D(2, 3), keras_seq.Bidirectional(keras_seq.GRU(3)), keras.layers.RepeatVector(2)]
    x = keras.layers.TimeDistributed(keras.Sequential([keras.Input((7, FEATURES)), *inner]))(characters)
    x = keras.layers.TimeDistributed(keras.layers.Flatten())(x)
    y = keras_seq.LSTM(UNITS, return_sequences=True, name="words")(x)
    model = with_random_weights(keras.Model(characters, y))
    step = Step(model)
    assert [state.name for state in step.states] == ["words.h", "words.c"]
    inputs = {"characters": random_array(BATCH, TIME, 7, FEATURES)}
    expected = step.run(inputs, [0, TIME])[0]
    np.testing.assert_allclose(expected, model(inputs["characters"]), rtol=1e-5, atol=3e-6)
    np.testing.assert_allclose(step.run(inputs, random_cuts(5))[0], expected, rtol=1e-6, atol=1e-6)


def test_layer_that_trains_from_its_own_states_streams_from_zero(tmp_path):
    x = keras.Input(batch_shape=(3, None, FEATURES), name="signal")
    model = with_random_weights(keras.Model(x, keras_seq.GRU(UNITS, stateful=True, return_sequences=True)(x)))
    model(np.ones((3, 2, FEATURES), "float32"))
    assert export_model(model, tmp_path / "bundle", formats="onnx", streaming=True).manifest.graphs["step"].states


# Refusals.


def names_refused(model, tmp_path, **options):
    """Exports for streaming, which must be refused; returns the message, having seen that nothing was left behind."""
    with pytest.raises(StreamingError) as raised:
        export_model(model, tmp_path / "bundle", streaming=True, **options)
    assert not list(tmp_path.iterdir())
    message = str(raised.value)
    assert f"model {model.name!r} cannot stream" in message or "no state to carry" in message
    return message


LOOKING_AHEAD = {
    "both": (lambda: keras_seq.Bidirectional(keras_seq.LSTM(UNITS), name="both"), "from its end as well"),
    "stock_both": (lambda: keras.layers.Bidirectional(keras.layers.GRU(2), name="stock_both"), "from its end as well"),
    "back": (lambda: keras_seq.GRU(UNITS, go_backwards=True, name="back"), "go_backwards=True reads the sequence from"),
    "stack": (
        lambda: keras_seq.StackedRNN((UNITS, 2), go_backwards=True, name="stack"),
        "go_backwards=True reads the sequence from",
    ),
    "window": (lambda: keras.layers.Conv1D(2, 3, padding="same", name="window"), "mixes the steps around"),
    "pool": (lambda: keras.layers.MaxPooling1D(2, name="pool"), "mixes the steps around"),
    "mean": (lambda: keras.layers.GlobalAveragePooling1D(name="mean"), "needs the whole sequence at once"),
    "norm": (lambda: keras.layers.LayerNormalization(axis=1, name="norm"), "its axis=1 is the time axis"),
}


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask:UserWarning")
@pytest.mark.parametrize("name", LOOKING_AHEAD)
def test_layer_that_looks_ahead_is_refused_by_name(tmp_path, name):
    make, reason = LOOKING_AHEAD[name]
    layer = make()
    x = keras.Input((None, FEATURES), name="signal")
    y = keras_seq.LSTM(FEATURES, return_sequences=True, name="fine")(x)
    try:
        layer.build((None, None, FEATURES))
        model = keras.Model(x, layer(y), name="tagger")
    except ValueError:  # a normalisation over time needs to know its length
        x = keras.Input((7, FEATURES), name="signal")
        model = keras.Model(x, layer(keras_seq.LSTM(FEATURES, return_sequences=True, name="fine")(x)), name="tagger")
    message = names_refused(model, tmp_path)
    assert f"layer {name!r} ({type(layer).__name__}): " in message
    assert reason in message
    assert "'fine'" not in message
    assert "Export it with streaming=False" in message


def test_attention_is_refused_by_name(tmp_path):
    x = keras.Input((None, FEATURES), name="signal")
    y = keras_seq.LSTM(UNITS, return_sequences=True)(x)
    model = keras.Model(x, keras.layers.Attention(name="look")([y, y]))
    assert "layer 'look' (Attention): it needs the whole sequence at once" in names_refused(model, tmp_path)


def test_all_reasons_come_at_once(tmp_path):
    model = signal_model(
        keras.layers.Conv1D(2, 3, name="window"),
        keras_seq.GRU(2, go_backwards=True, name="back", return_sequences=True),
        keras.layers.GlobalMaxPooling1D(name="highest"),
    )
    message = names_refused(model, tmp_path)
    assert all(f"layer {name!r}" in message for name in ("window", "back", "highest"))


def test_state_that_the_model_computes_is_refused_by_name(tmp_path):
    x, style = keras.Input((None, FEATURES), name="signal"), keras.Input((UNITS,), name="style")
    y = keras_seq.GRU(UNITS, name="decoder")(x, initial_state=keras.layers.Dense(UNITS)(style))
    message = names_refused(keras.Model([x, style], y), tmp_path)
    assert "layer 'decoder' (GRU): its initial_state is computed by the model, anew for each chunk" in message


def test_model_without_a_recurrence_has_nothing_to_carry(tmp_path):
    message = names_refused(signal_model(keras.layers.Dense(2)), tmp_path)
    assert "has no recurrent layer and no causal attention, so there is no state to carry in a stream" in message


def test_fixed_length_is_refused(tmp_path):
    x = keras.Input((7, FEATURES), name="signal")
    message = names_refused(keras.Model(x, keras_seq.GRU(2)(x)), tmp_path)
    assert "no input has a dynamic time axis (signal: " in message


class Ahead(keras.layers.Layer):
    """Adds the next step, which no list of known layers can tell."""

    def call(self, x):
        return x + keras.ops.pad(x[:, 1:], [[0, 0], [0, 1], [0, 0]])


def test_unknown_layer_that_looks_ahead_is_found_by_its_numbers(tmp_path):
    model = signal_model(Ahead(), keras_seq.LSTM(UNITS, return_sequences=True, name="lstm"))
    with pytest.raises(ParityError, match=r"step\.onnx in chunks against step\.onnx at once, output 'lstm'"):
        export_model(model, tmp_path / "bundle", formats="onnx", streaming=True)
    assert not list(tmp_path.iterdir())


def test_a_wider_tolerance_holds_between_chunks_too(tmp_path):
    """A network that amplifies rounding does so from chunk to chunk as well; here what differs is plain to see."""
    model = signal_model(Ahead(), keras_seq.LSTM(UNITS, return_sequences=True))
    wide = Tolerance(atol=9.0, rtol=0.0)
    report = export_model(model, tmp_path / "bundle", formats="onnx", streaming=True, tolerance=wide)
    (row,) = (row for row in report.parity if row.candidate == "step.onnx in chunks")
    assert row.max_abs_diff > 1e-3
    assert (row.atol, row.rtol) == (9.0, 0.0)


def test_numbers_are_checked_even_without_verification(tmp_path):
    model = signal_model(Ahead(), keras_seq.LSTM(UNITS, return_sequences=True))
    with pytest.raises(ParityError):
        export_model(model, tmp_path / "bundle", formats="onnx", streaming=True, verify=False)
    assert not list(tmp_path.iterdir())
