import keras
import pytest

import keras_seq
from keras_seq.export import ExportError, explain, export_model
from tests.export.models import FEATURES, UNITS, signal_model, tagger

pytestmark = pytest.mark.backend("tensorflow")


def row(model, name):
    (found,) = [row for row in explain(model).layers if row.name == name]
    return found


def test_every_layer_has_a_row_in_the_order_of_the_model():
    model = tagger()
    explanation = explain(model)
    assert [row.name for row in explanation.layers] == [layer.name for layer in model.layers]
    assert (explanation.model, explanation.backend) == ("tagger", "tensorflow")
    assert {row.name: row.lowering for row in explanation.layers if row.lowering == "native"} == {
        "lstm_1": "native",
        "gru_1": "native",
    }
    assert row(model, "tags").lowering == "traced"


def test_native_layers_say_their_operators():
    model = signal_model(
        keras_seq.Bidirectional(keras_seq.PeepholeLSTM(UNITS, return_sequences=True), name="both"),
        keras_seq.StackedRNN([keras_seq.GRUCell(UNITS), keras_seq.LSTMCell(2)], return_sequences=True, name="deep"),
        keras_seq.Bidirectional(keras_seq.GRU(2), backward_layer=keras_seq.LSTM(2, go_backwards=True), name="unlike"),
    )
    assert row(model, "both").lowering_reason == "1 LSTM, both directions in one node"
    assert row(model, "deep").lowering_reason == "1 GRU, 1 LSTM, one node a layer"
    assert row(model, "unlike").lowering_reason == "1 GRU, 1 LSTM, the two directions differ: a node each"


def test_loops_say_why():
    model = signal_model(keras_seq.LSTM(UNITS, activation="gelu", name="own"))
    assert row(model, "own").lowering == "loop"
    assert row(model, "own").lowering_reason.startswith("its activation 'gelu' is none of those")


def test_kernel_of_training_follows_the_layer_and_its_mask():
    signal = keras.Input((None, FEATURES), name="signal")
    masked = keras.layers.Masking()(signal)
    plain, under_mask = keras_seq.LSTM(2, name="plain"), keras_seq.LSTM(2, name="under_mask")
    slow = keras_seq.LSTM(2, recurrent_dropout=0.5, name="slow")
    model = keras.Model(signal, [plain(signal), under_mask(masked), slow(signal)])
    for layer, mask in ((plain, False), (under_mask, True), (slow, False)):
        choice = layer.training_kernel(masked=mask)
        assert (row(model, layer.name).kernel, row(model, layer.name).kernel_reason) == (choice.name, choice.reason)
    assert row(model, "plain").kernel == "fused"
    assert row(model, "slow").kernel == "loop"


def test_stock_layer_is_told_its_drop_in():
    model = signal_model(keras.layers.GRU(UNITS, name="stock"))
    assert row(model, "stock").kernel == "keras"
    assert "keras_seq.GRU is its drop-in" in row(model, "stock").kernel_reason


def test_parts_of_models_and_wrappers_stand_below_them():
    inner = keras.Sequential([keras.Input((None, UNITS)), keras_seq.LSTM(2, name="lstm")], name="inner")
    model = signal_model(keras_seq.GRU(UNITS, return_sequences=True, name="gru"), inner)
    assert [row.name for row in explain(model).layers] == ["gru", "inner", "inner/lstm"]
    assert row(model, "inner/lstm").lowering == "native"
    characters = keras.Input((None, 7, FEATURES))
    wrapped = keras.Model(
        characters, keras.layers.TimeDistributed(keras_seq.GRU(2, name="gru"), name="words")(characters)
    )
    assert row(wrapped, "words/gru").lowering == "native"


def test_table_has_a_line_a_layer_with_the_reasons():
    model = signal_model(keras_seq.LSTM(UNITS, name="lstm"), keras.layers.Dense(2, name="head"), name="tagger")
    lines = str(explain(model)).splitlines()
    assert lines[0] == "tagger on the tensorflow backend"
    assert lines[1].split() == ["layer", "class", "trains", "on", "exports", "to", "why"]
    assert lines[2].split()[:4] == ["lstm", "LSTM", "fused", "native"]
    assert lines[2].endswith("native: 1 LSTM, one node")
    assert lines[3].split() == ["head", "Dense", "keras", "traced"]
    assert lines[1].index("exports to") == lines[2].index("native")


def test_programs_get_the_same():
    explanation = explain(signal_model(keras_seq.LSTM(UNITS, name="lstm")))
    described = explanation.to_dict()
    assert described["backend"] == "tensorflow"
    assert described["layers"][0]["name"] == "lstm"
    assert described["layers"][0]["lowering"] == "native"


def test_model_that_was_never_built_is_refused():
    with pytest.raises(ExportError, match="model 'empty' was never built"):
        explain(keras.Sequential([keras_seq.LSTM(2)], name="empty"))


def test_attention_says_its_kernel_and_its_operator():
    words = keras.Input((None,), dtype="int32", name="words")
    x = keras.layers.Embedding(23, 6, mask_zero=True)(words)
    x = keras_seq.TransformerEncoder(1, 2, 11, norm="rms", name="encoder")(x)
    x = keras.layers.LayerNormalization(name="norm")(x)
    x = keras_seq.MultiHeadAttention(2, 5, num_key_value_heads=1, name="shared")(x)
    model = keras.Model(words, keras.layers.MultiHeadAttention(2, 5, name="stock")(x, x))
    attention = row(model, "encoder/block_0/attention")
    assert (attention.kernel, attention.kernel_reason) == ("plain", "the tensorflow backend has no flash attention")
    assert (attention.lowering, attention.lowering_reason) == (
        "fused",
        "1 Attention, projections and attention in one node, where it attends to itself",
    )
    assert row(model, "shared").lowering == "plain"
    assert row(model, "shared").lowering_reason.startswith("its heads share keys")
    assert row(model, "stock").kernel_reason.endswith("keras_seq.MultiHeadAttention is its drop-in")
    assert (row(model, "norm").lowering, row(model, "norm").lowering_reason) == ("native", "1 LayerNormalization")
    assert row(model, "encoder").lowering == "traced"


def test_quantisation_says_what_it_makes_of_each_layer_and_why():
    words = keras.Input((None,), dtype="int32", name="words")
    x = keras.layers.Embedding(53, 67, name="embedding")(words)
    x = keras_seq.LSTM(71, return_sequences=True, name="wide_lstm")(x)
    x = keras_seq.Bidirectional(keras_seq.GRU(31, return_sequences=True), name="both")(x)
    x = keras.layers.Dense(541, name="wide")(x)
    model = keras.Model(words, keras.layers.Dense(1, name="narrow")(x))
    found = {row.name: row for row in explain(model, "int8").layers}
    assert {name: row.quantized for name, row in found.items()} == {
        "words": "",
        "embedding": "int8 weights",
        "wide_lstm": "int8",
        "both": "int8 weights",
        "wide": "int8",
        "narrow": "float",
    }
    assert found["wide_lstm"].quantized_reason == "one DynamicQuantizeLSTM"
    assert found["both"].quantized_reason == "below 512 units the float node is faster"
    assert {row.quantized for row in explain(model, "fp16").layers} == {"", "fp16 weights", "float"}
    assert {row.quantized for row in explain(model).layers} == {""}
    assert "quantised" in str(explain(model, "int8")).splitlines()[1]
    assert "quantised" not in str(explain(model)).splitlines()[1]


def test_what_quantisation_would_do_is_what_it_does(tmp_path):
    words = keras.Input((None,), dtype="int32", name="words")
    x = keras.layers.Embedding(53, 256, name="embedding")(words)
    x = keras_seq.TransformerEncoderBlock(num_heads=4, feed_forward_units=263, name="block")(x)
    x = keras_seq.PeepholeLSTM(73, return_sequences=True, name="lstm")(x)
    model = keras.Model(words, keras.layers.Dense(11, name="tags")(x), name="tagger")
    told = {row.name: row.quantized for row in explain(model, "int8").layers if row.quantized not in ("", "float")}
    report = export_model(model, tmp_path / "out", formats="onnx", verify=False, quantize="int8").quantization
    done = {}
    for decision in report.decisions["model"]:
        if decision.form != "float":
            done.setdefault(decision.layer.partition("/")[0], []).append(decision.form)
    # The block's own row stands for all its parts; its attention has one beside it.
    assert told.pop("block/attention") == "int8"
    assert told == {name: ", ".join(dict.fromkeys(forms)) for name, forms in done.items()}


def test_another_quantisation_is_refused():
    with pytest.raises(ExportError, match=r"`quantize` must be 'int8', 'fp16' or None. Received: 'int4'"):
        explain(tagger(), "int4")
