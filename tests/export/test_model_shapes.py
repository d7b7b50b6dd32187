"""Models of every shape: what they are called with and return, and layers in unusual places."""

import keras
import numpy as np
import onnx
import pytest

import keras_seq
from keras_seq.export import export_model
from tests.export.graphs import recurrent_nodes, run_onnx, with_random_weights

pytestmark = pytest.mark.backend("tensorflow")

BATCH, TIME, FEATURES, UNITS, VOCABULARY = 5, 7, 3, 11, 23


def floats(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def words(*shape, seed=0):
    """Ids with rows of several lengths, padded on the right by 0, and one row of nothing else."""
    ids = np.random.default_rng(seed).integers(1, VOCABULARY, shape).astype("int32")
    for row in range(len(ids)):
        ids[row, shape[1] - row * 2 :] = 0 if row else ids[row, shape[1] :]
    ids[-1] = 0
    return ids


@pytest.fixture
def exported(tmp_path):
    """Exports a model, compares it with Keras on inputs that the export itself has not seen, and returns the graph.

    `keras_inputs` is what the model is called with, `inputs` the same by the names in the graph; `reference` is called
    in its place where it is not the same in float32.
    """

    def export(model, keras_inputs, inputs, recurrent, reference=None, **options):
        with_random_weights(model)
        for variable in model.variables:
            if "variance" in variable.path:
                variable.assign(variable**2)
        export_model(model, tmp_path / "bundle", formats="onnx", verify=False, **options)
        graph = onnx.load(tmp_path / "bundle" / "model.onnx")
        onnx.checker.check_model(graph, full_check=True)
        assert recurrent_nodes(graph) == recurrent
        assert [value.name for value in graph.graph.input] == list(inputs)
        expected = (reference or model)(keras_inputs, training=False)
        for received, value in zip(run_onnx(graph, inputs), keras.tree.flatten(expected), strict=True):
            np.testing.assert_allclose(received, value, rtol=1e-5, atol=2e-6)
        return graph

    return export


def dims(values):
    """Name to dimensions, of a graph's inputs or outputs."""
    return {value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim] for value in values}


def test_sequential(exported):
    model = keras.Sequential(
        [
            keras.Input((None, FEATURES), name="signal"),
            keras_seq.LSTM(UNITS, return_sequences=True),
            keras.layers.Dense(2),
        ],
        name="tagger",
    )
    x = floats(BATCH, TIME, FEATURES)
    graph = exported(model, x, {"signal": x}, {"LSTM": 1})
    assert dims(graph.graph.input) == {"signal": ["batch", "time", FEATURES]}
    assert dims(graph.graph.output) == {model.layers[-1].name: ["batch", "time", 2]}
    assert graph.graph.name == "tagger"


def test_versions_suit_old_runtimes(exported):
    model = keras.Sequential([keras.Input((None, FEATURES), name="signal"), keras_seq.GRU(UNITS)])
    x = floats(BATCH, TIME, FEATURES)
    graph = exported(model, x, {"signal": x}, {"GRU": 1})
    assert graph.ir_version == 8
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", 18)]


def test_embedding_that_masks(exported):
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32", name="words"),
            keras.layers.Embedding(VOCABULARY, FEATURES, mask_zero=True),
            keras_seq.Bidirectional(keras_seq.PeepholeLSTM(UNITS, return_sequences=True)),
            keras.layers.LSTM(UNITS),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    ids = words(BATCH, TIME)
    graph = exported(model, ids, {"words": ids}, {"LSTM": 2})
    assert dims(graph.graph.input) == {"words": ["batch", "time"]}


def test_masking(exported):
    model = keras.Sequential(
        [
            keras.Input((None, FEATURES), name="signal"),
            keras.layers.Masking(-1.0),
            keras.layers.GRU(UNITS, return_sequences=True),
            keras_seq.SimpleRNN(UNITS),
        ]
    )
    x = floats(BATCH, TIME, FEATURES)
    x[words(BATCH, TIME) == 0] = -1.0
    exported(model, x, {"signal": x}, {"GRU": 1, "RNN": 1})


def test_several_inputs_and_outputs(exported):
    ids = keras.Input((None,), dtype="int32", name="words")
    shapes = keras.Input((None, FEATURES), name="shapes")
    embedded = keras.layers.Embedding(VOCABULARY, 5, mask_zero=True)(ids)
    x = keras.layers.Concatenate()([embedded, shapes])
    y, h, c = keras_seq.LSTM(UNITS, return_sequences=True, return_state=True, name="lstm")(x)
    tags = keras.layers.Dense(2, name="tags")(y)
    style = keras.layers.Dense(3, name="style")(keras.layers.Concatenate()([h, c]))
    a, b = words(BATCH, TIME), floats(BATCH, TIME, FEATURES)
    graph = exported(keras.Model([ids, shapes], [tags, style]), [a, b], {"words": a, "shapes": b}, {"LSTM": 1})
    assert dims(graph.graph.output) == {"tags": ["batch", "time", 2], "style": ["batch", 3]}


def test_dict_inputs_and_dict_outputs(exported):
    inputs = {
        "words": keras.Input((None,), dtype="int32", name="words"),
        "features": keras.Input((None, FEATURES), name="features"),
    }
    embedded = keras.layers.Embedding(VOCABULARY, 5)(inputs["words"])
    y = keras_seq.GRU(UNITS, return_sequences=True)(keras.layers.Concatenate()([embedded, inputs["features"]]))
    model = keras.Model(inputs, {"tags": keras.layers.Dense(2)(y), "before": y})
    values = {"features": floats(BATCH, TIME, FEATURES), "words": words(BATCH, TIME)}
    graph = exported(model, values, values, {"GRU": 1})
    assert dims(graph.graph.output) == {"before": ["batch", "time", UNITS], "tags": ["batch", "time", 2]}


def test_nested_models(exported):
    inner = keras.Sequential(
        [keras.Input((None, UNITS)), keras.layers.LSTM(UNITS, return_sequences=True)], name="inner"
    )
    x = keras.Input((None, FEATURES), name="signal")
    y = inner(keras.layers.Dense(UNITS)(x))
    middle = keras.Model(x, keras_seq.SimpleRNN(UNITS, return_sequences=True)(y), name="middle")
    outer_x = keras.Input((None, FEATURES), name="outer")
    value = floats(BATCH, TIME, FEATURES)
    graph = exported(
        keras.Model(outer_x, keras_seq.GRU(2)(middle(outer_x))),
        value,
        {"outer": value},
        {"LSTM": 1, "RNN": 1, "GRU": 1},
    )
    assert dims(graph.graph.input) == {"outer": ["batch", "time", FEATURES]}


def test_layer_that_is_called_twice_is_two_nodes_over_one_set_of_weights(exported):
    left, right = keras.Input((None, FEATURES), name="left"), keras.Input((None, FEATURES), name="right")
    shared = keras_seq.LSTM(UNITS, name="shared")
    model = keras.Model([left, right], keras.layers.Subtract()([shared(left), shared(right)]))
    a, b = floats(BATCH, TIME, FEATURES), floats(BATCH, TIME, FEATURES, seed=1)
    graph = exported(model, [a, b], {"left": a, "right": b}, {"LSTM": 2})
    kernels = [tensor.name for tensor in graph.graph.initializer if list(tensor.dims) == [1, 4 * UNITS, FEATURES]]
    assert len(kernels) == 1


class Subclassed(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.embedding = keras.layers.Embedding(VOCABULARY, FEATURES, mask_zero=True)
        self.recurrent = keras_seq.Bidirectional(keras.layers.GRU(UNITS, return_sequences=True))
        self.head = keras.layers.Dense(2)

    def call(self, inputs, training=False):
        return {"tags": self.head(self.recurrent(self.embedding(inputs["words"]))), "ids": inputs["words"]}


def test_subclassed_model_with_a_signature(exported):
    model = Subclassed(name="own")
    ids = words(BATCH, TIME)
    model({"words": ids})
    signature = {"words": keras.InputSpec(shape=(None, None), dtype="int32")}
    graph = exported(model, {"words": ids}, {"words": ids}, {"GRU": 1}, input_signature=signature)
    assert dims(graph.graph.output) == {"ids": ["batch", "time"], "tags": ["batch", "time", 2]}


class SubclassedOfFloats(keras.Model):
    def __init__(self):
        super().__init__()
        self.recurrent = keras_seq.LSTM(UNITS)
        self.head = keras.layers.Dense(2)

    def call(self, signal_and_style):
        signal, style = signal_and_style
        return self.head(keras.layers.concatenate([self.recurrent(signal), style]))


def test_subclassed_model_of_floats_says_itself_what_it_takes(exported):
    model = SubclassedOfFloats()
    signal, style = floats(BATCH, TIME, FEATURES), floats(BATCH, 2)
    model([signal, style])
    graph = exported(model, [signal, style], {"signal_and_style_0": signal, "signal_and_style_1": style}, {"LSTM": 1})
    assert list(dims(graph.graph.input).values()) == [["batch", "time", FEATURES], ["batch", 2]]


def test_time_distributed_recurrence_runs_over_batch_and_time_at_once(exported):
    x = keras.Input((None, 13, FEATURES), name="characters")
    y = keras.layers.TimeDistributed(keras_seq.LSTM(UNITS))(x)
    y = keras.layers.TimeDistributed(keras.layers.Dense(2))(keras.layers.GRU(UNITS, return_sequences=True)(y))
    value = floats(BATCH, TIME, 13, FEATURES)
    graph = exported(keras.Model(x, y), value, {"characters": value}, {"LSTM": 1, "GRU": 1})
    assert dims(graph.graph.output).popitem()[1] == ["batch", "time", 2]


def test_time_distributed_under_a_mask(exported):
    x = keras.Input((None, 13, FEATURES), name="characters")
    inner = keras.Sequential([keras.Input((13, FEATURES)), keras.layers.Masking(), keras_seq.GRU(UNITS)])
    value = floats(BATCH, TIME, 13, FEATURES)
    value[:, :, 4:6] = 0
    exported(keras.Model(x, keras.layers.TimeDistributed(inner)(x)), value, {"characters": value}, {"GRU": 1})


def test_encoder_and_decoder_over_lengths_of_their_own(exported):
    source, target = keras.Input((None, FEATURES), name="source"), keras.Input((None, 2), name="target")
    encoder = keras.layers.RNN([keras_seq.LSTMCell(UNITS), keras_seq.GRUCell(UNITS)], return_state=True, name="encoder")
    _, lstm_states, gru_state = encoder(source)
    decoder = keras.layers.RNN([keras_seq.LSTMCell(UNITS), keras_seq.GRUCell(UNITS)], return_sequences=True)
    y = decoder(target, initial_state=[lstm_states, gru_state])
    a, b = floats(BATCH, TIME, FEATURES), floats(BATCH, 13, 2)
    graph = exported(
        keras.Model([source, target], y),
        [a, b],
        {"source": a, "target": b},
        {"LSTM": 2, "GRU": 2},
        dynamic_dims={"target": {1: "target_time"}},
    )
    assert dims(graph.graph.input)["target"] == ["batch", "target_time", 2]
    assert dims(graph.graph.output).popitem()[1] == ["batch", "target_time", UNITS]


def test_bidirectional_over_two_different_layers_is_a_node_each_way(exported):
    layer = keras_seq.Bidirectional(
        keras_seq.GRU(UNITS, return_sequences=True),
        backward_layer=keras.layers.LSTM(2, return_sequences=True, go_backwards=True),
    )
    x = keras.Input((None, FEATURES), name="signal")
    value = floats(BATCH, TIME, FEATURES)
    exported(keras.Model(x, layer(keras.layers.Masking()(x))), value, {"signal": value}, {"GRU": 1, "LSTM": 1})


def test_stack_inside_bidirectional(exported):
    stack = keras_seq.StackedRNN(
        [keras_seq.GRUCell(UNITS), keras_seq.SimpleRNNCell(UNITS)], residual=True, return_sequences=True
    )
    x = keras.Input((None, FEATURES), name="signal")
    value = floats(BATCH, TIME, FEATURES)
    value[1, 4:] = value[2, :3] = 0
    model = keras.Model(x, keras_seq.Bidirectional(stack)(keras.layers.Masking()(x)))
    exported(model, value, {"signal": value}, {"GRU": 2, "RNN": 2})


def test_stateful_layer_starts_at_zero(exported):
    x = keras.Input(batch_shape=(BATCH, None, FEATURES), name="signal")
    layer = keras_seq.LSTM(UNITS, stateful=True)
    model = keras.Model(x, layer(x))
    value = floats(BATCH, TIME, FEATURES)
    graph = exported(model, value, {"signal": value}, {"LSTM": 1})
    assert dims(graph.graph.input) == {"signal": ["batch", "time", FEATURES]}


@pytest.mark.parametrize("layer_class", [keras.layers.GRU, keras_seq.GRU], ids=["keras", "keras_seq"])
def test_unrolled_layer_of_fixed_length(exported, layer_class):
    x = keras.Input((TIME, FEATURES), name="signal")
    value = floats(BATCH, TIME, FEATURES)
    model = keras.Model(x, layer_class(UNITS, unroll=True, return_sequences=True)(x))
    graph = exported(model, value, {"signal": value}, {"GRU": 1})
    assert dims(graph.graph.input) == {"signal": ["batch", TIME, FEATURES]}
    assert dims(graph.graph.output).popitem()[1] == ["batch", TIME, UNITS]


def test_layers_that_train_differently(exported):
    model = keras.Sequential(
        [
            keras.Input((None, FEATURES), name="signal"),
            keras.layers.GaussianNoise(0.5),
            keras.layers.BatchNormalization(),
            keras.layers.SpatialDropout1D(0.3),
            keras_seq.LSTM(UNITS, dropout=0.3, recurrent_dropout=0.2, return_sequences=True),
            keras.layers.LayerNormalization(),
            keras.layers.Dense(UNITS, activation="gelu"),
            keras.layers.Dropout(0.5),
            keras.layers.LSTM(UNITS, dropout=0.3, use_cudnn=False),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    x = floats(BATCH, TIME, FEATURES)
    exported(model, x, {"signal": x}, {"LSTM": 2})


def test_policies_of_the_parts_do_not_matter(exported):
    """Trained in bfloat16: the graph takes and gives float32, and so does the reference, with the same weights."""
    before = keras.config.dtype_policy()
    models = []
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            x = keras.Input((None, FEATURES), name="signal")
            y = keras_seq.Bidirectional(keras.layers.LSTM(UNITS, return_sequences=True))(keras.layers.Masking()(x))
            models.append(keras.Model(x, keras.layers.Dense(2, activation="softmax")(keras_seq.GRU(UNITS)(y))))
        finally:
            keras.config.set_dtype_policy(before)
    with_random_weights(models[0])
    value = floats(BATCH, TIME, FEATURES)
    value[1, 4:] = value[2, :3] = 0
    graph = exported(models[1], value, {"signal": value}, {"LSTM": 1, "GRU": 1}, reference=models[0])
    assert {value.type.tensor_type.elem_type for value in graph.graph.output} == {onnx.TensorProto.FLOAT}


def test_several_heads_of_one_name_get_names_of_their_own(tmp_path):
    x = keras.Input((None, FEATURES), name="signal")
    outputs = keras_seq.LSTM(UNITS, return_sequences=True, return_state=True, name="lstm")(x)
    report = export_model(keras.Model(x, list(outputs)), tmp_path / "bundle", formats="onnx", verify=False)
    assert [spec.name for spec in report.manifest.graphs["model"].outputs] == ["lstm", "lstm_1", "lstm_2"]
