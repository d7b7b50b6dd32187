import keras
import numpy as np
import pytest
from keras import ops

import keras_seq
from tests.keras_seq.attention import oracle
from tests.keras_seq.attention.cases import (
    ATTENTIONS,
    BATCH,
    CELLS,
    FEATURES,
    HALF,
    MEMORY_FEATURES,
    MEMORY_MASK,
    STEPS,
    TARGET_MASK,
    TIME,
    UNITS,
    assert_all_close,
    decoder,
    decoder_arguments,
    normal,
    numpy,
    values,
)
from tests.keras_seq.recurrent import oracle as recurrent_oracle
from tests.keras_seq.recurrent.test_contract import JIT_COMPILE

# name: (attention, arguments of the decoder)
WAYS = {
    "none": (None, {}),
    "before-bahdanau": ("bahdanau", {}),
    "before-general": ("luong-general", {}),
    "after-bahdanau": ("bahdanau", {"attend": "after"}),
    "after-dot": ("luong-dot", {"attend": "after"}),
    "after-concat-units": ("luong-concat", {"attend": "after", "attention_units": 19}),
    "after-general-not_fed": ("luong-general", {"attend": "after", "input_feeding": False}),
}

TRAINED = ("before-bahdanau", "after-dot")


def loop_of_steps(made, arguments, memory_mask=None, mask=None, hypotheses=1):
    """The decoder's outputs, scores and final state, by one `step` after the other in Python."""
    memory = made.prepare(arguments["memory_values"], memory_mask)
    rows = arguments["inputs"].shape[0]
    weights, state = made.step_weights(), made.initial_state(arguments["initial_state"], rows)
    projected = made.project_inputs(arguments["inputs"])
    size = made.output_size
    output, scores = np.zeros((rows, size)), np.zeros((rows, STEPS))
    outputs, all_scores = [], []
    for t in range(TIME):
        new_output, new_state, new_scores = made.step(
            projected[:, t], state, memory, weights, queries_per_source=hypotheses
        )
        valid = (np.ones((rows, TIME), bool) if mask is None else mask)[:, t, None]
        output = np.where(valid, numpy(new_output), output)
        scores = scores if new_scores is None else np.where(valid, numpy(new_scores), scores)
        state = {name: ops.where(valid, new_state[name], state[name]) for name in state}
        outputs.append(output)
        all_scores.append(scores)
    return np.stack(outputs, axis=1), np.stack(all_scores, axis=1), state


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cell", CELLS)
def test_the_call_is_a_loop_of_steps(cell, way, layers, masked):
    attention, options = WAYS[way]
    made = decoder(cell, attention, layers, **options)
    arguments = decoder_arguments(made)
    memory_mask, mask = (MEMORY_MASK if attention else None, TARGET_MASK) if masked else (None, None)
    expected, expected_scores, expected_state = loop_of_steps(made, arguments, memory_mask, mask)
    outputs, state, *scores = made(
        **arguments,
        mask=mask,
        memory_mask=memory_mask,
        return_state=True,
        return_attention_scores=attention is not None,
    )
    assert tuple(outputs.shape) == (BATCH, TIME, made.output_size)
    assert list(state) == list(expected_state)
    assert_all_close([numpy(outputs), *numpy(list(state.values()))], [expected, *numpy(list(expected_state.values()))])
    if attention:
        assert_all_close(numpy(scores), [expected_scores])


@pytest.mark.parametrize("name", [pytest.param("bahdanau", marks=pytest.mark.smoke), "bahdanau-bias"])
def test_a_gru_that_attends_before_is_that_of_the_equations(name):
    made = decoder("gru", name)
    arguments = decoder_arguments(made)
    outputs, state, scores = made(
        **arguments, mask=TARGET_MASK, memory_mask=MEMORY_MASK, return_state=True, return_attention_scores=True
    )
    expected, alphas, finals = oracle.decode(
        lambda x, s: [h[0] for h in recurrent_oracle.gru_reset_after(made.cells[0].get_weights())(x[None], s)],
        ATTENTIONS[name][1](made.attention.get_weights()),
        arguments["inputs"],
        arguments["memory_values"],
        MEMORY_MASK,
        TARGET_MASK,
        arguments["initial_state"],
    )
    assert_all_close(numpy([outputs, scores, state["0.h"]]), [expected, alphas, *finals], atol=1e-5)


@pytest.mark.parametrize("input_feeding", [True, False])
@pytest.mark.parametrize("name", ["luong-dot", "luong-general", "luong-concat"])
def test_an_lstm_that_attends_after_is_that_of_the_equations(name, input_feeding):
    made = decoder("lstm", name, attend="after", attention_units=19, input_feeding=input_feeding)
    arguments = decoder_arguments(made)
    outputs, state, scores = made(
        **arguments, mask=TARGET_MASK, memory_mask=MEMORY_MASK, return_state=True, return_attention_scores=True
    )
    expected, alphas, finals = oracle.decode(
        recurrent_oracle.lstm(made.cells[0].get_weights()),
        ATTENTIONS[name][1](made.attention.get_weights()),
        arguments["inputs"],
        arguments["memory_values"],
        MEMORY_MASK,
        TARGET_MASK,
        arguments["initial_state"],
        after=numpy(made.attentional_kernel.value),
        input_feeding=input_feeding,
    )
    assert_all_close(numpy([outputs, scores, state["0.h"], state["0.c"]]), [expected, alphas, *finals], atol=1e-5)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_without_attention_it_is_the_recurrent_layer(cell, layers):
    made = decoder(cell, None, layers)
    arguments = decoder_arguments(made)
    stack = keras_seq.StackedRNN(made.cells, return_sequences=True, return_state=True)
    expected = stack(arguments["inputs"], initial_state=arguments["initial_state"], mask=TARGET_MASK)
    outputs, state = made(arguments["inputs"], None, arguments["initial_state"], mask=TARGET_MASK, return_state=True)
    assert_all_close(numpy([outputs, *state.values()]), numpy(list(expected)))
    assert made.state_names == stack.state_names


@pytest.mark.parametrize("way", [way for way, (attention, _) in WAYS.items() if attention])
def test_rows_of_one_source_share_its_memory(way):
    attention, options = WAYS[way]
    made, hypotheses = decoder("lstm", attention, **options), 3
    arguments = {
        "inputs": normal(BATCH * hypotheses, TIME, FEATURES, seed=9),
        "memory_values": values(),
        "initial_state": [normal(BATCH * hypotheses, size, seed=10) for size in made.state_sizes.values()],
    }
    outputs, scores, state = loop_of_steps(made, arguments, MEMORY_MASK, hypotheses=hypotheses)
    arguments["memory_values"] = np.repeat(values(), hypotheses, axis=0)
    expected = loop_of_steps(made, arguments, np.repeat(MEMORY_MASK, hypotheses, axis=0))
    assert_all_close(
        [outputs, scores, *numpy(list(state.values()))], [*expected[:2], *numpy(list(expected[2].values()))]
    )


def test_a_table_of_embeddings_can_be_projected_as_a_whole():
    made = decoder("lstm", "bahdanau")
    table, ids = normal(23, FEATURES), np.array([[3, 0, 22], [5, 5, 1]])
    assert_all_close([numpy(made.project_inputs(table))[ids]], [numpy(made.project_inputs(table[ids]))], atol=1e-6)


def test_a_state_that_was_returned_goes_on_where_it_ended():
    made = decoder("gru", "luong-dot", attend="after")
    arguments = decoder_arguments(made)
    inputs = arguments.pop("inputs")
    expected = made(inputs, **arguments, memory_mask=MEMORY_MASK)
    first, state = made(inputs[:, :2], **arguments, memory_mask=MEMORY_MASK, return_state=True)
    assert list(state) == ["0.h", "attentional"]
    second = made(inputs[:, 2:], values(), state, memory_mask=MEMORY_MASK)
    assert_all_close([np.concatenate(numpy([first, second]), axis=1)], [numpy(expected)])


@pytest.mark.parametrize("way", WAYS)
def test_the_state_is_zero_where_none_is_given(way):
    attention, options = WAYS[way]
    made = decoder("lstm", attention, **options)
    arguments = decoder_arguments(made)
    zeros = [np.zeros_like(state) for state in arguments.pop("initial_state")]
    expected = made(**arguments, initial_state=zeros)
    np.testing.assert_array_equal(numpy(made(**arguments)), numpy(expected))


def test_the_masks_that_inputs_and_memory_carry_count():
    made = decoder("gru", "bahdanau")
    arguments = decoder_arguments(made)
    expected = made(**arguments, mask=TARGET_MASK, memory_mask=MEMORY_MASK)
    inputs, memory = keras.Input((None, FEATURES)), keras.Input((None, MEMORY_FEATURES))
    state = keras.Input((UNITS,))
    masking = keras.layers.Masking(mask_value=9.0)
    outputs = made(masking(inputs), masking(memory), [state])
    assert outputs._keras_mask is not None
    model = keras.Model([inputs, memory, state], outputs)
    received = model(
        [
            np.where(TARGET_MASK[:, :, None], arguments["inputs"], 9.0).astype("float32"),
            np.where(MEMORY_MASK[:, :, None], arguments["memory_values"], 9.0).astype("float32"),
            arguments["initial_state"][0],
        ]
    )
    assert_all_close([numpy(received)], [numpy(expected)])


@pytest.mark.parametrize("way", WAYS)
def test_symbolic_and_eager_results_have_the_same_shapes_and_dtypes(way):
    attention, options = WAYS[way]
    made = decoder("lstm", attention, 2, **options)
    arguments = decoder_arguments(made)
    wanted = {"return_state": True, "return_attention_scores": attention is not None}
    symbolic = made(
        keras.Input((None, FEATURES)), keras.Input((None, MEMORY_FEATURES)) if attention else None, **wanted
    )
    results = made(arguments["inputs"], arguments["memory_values"], **wanted)
    assert len(symbolic) == len(results)
    assert symbolic[0].shape[-1] == made.output_size
    for tensor, result in zip(keras.tree.flatten(symbolic), keras.tree.flatten(results), strict=True):
        assert len(tensor.shape) == len(result.shape)
        assert all(size in (None, known) for size, known in zip(tensor.shape, result.shape, strict=True))
        assert tensor.dtype == keras.backend.standardize_dtype(result.dtype)


@pytest.mark.parametrize("dtype", HALF)
def test_half_precision_is_near_float32_and_stays_half_outside_of_call(dtype):
    for way in ("before-bahdanau", "after-dot"):
        attention, options = WAYS[way]
        exact = decoder("lstm", attention, **options)
        keras.config.set_dtype_policy(f"mixed_{dtype}")
        try:
            mixed = decoder("lstm", attention, **options)
        finally:
            keras.config.set_dtype_policy("float32")
        arguments = decoder_arguments(exact)
        masks = {"mask": TARGET_MASK, "memory_mask": MEMORY_MASK}
        received = mixed(**arguments, **masks)
        assert keras.backend.standardize_dtype(received.dtype) == mixed.compute_dtype == dtype
        np.testing.assert_allclose(numpy(received), numpy(exact(**arguments, **masks)), atol=3 * HALF[dtype])
        _, scores, state = loop_of_steps(mixed, arguments, MEMORY_MASK)
        assert np.isfinite(scores).all()
        assert {keras.backend.standardize_dtype(tensor.dtype) for tensor in state.values()} == {dtype}


def test_fit_moves_every_weight_and_learns():
    model = trained_ways()
    # Eager under TensorFlow, which takes long to compile the gradient of a loop; the models' tests do that.
    model.compile(keras.optimizers.Adam(0.02), "mse", run_eagerly=keras.backend.backend() == "tensorflow")
    before = [numpy(weight.value) for weight in model.trainable_weights]
    inputs = [normal(BATCH, TIME, FEATURES, seed=3), values()]
    target = {name: np.tanh(values()[:, :TIME, :3]) for name in TRAINED}
    losses = model.fit(inputs, target, epochs=6, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.isfinite(numpy(weight.value)).all(), weight.path
        assert (numpy(weight.value) != old).any(), weight.path


@pytest.mark.parametrize("jit_compile", JIT_COMPILE)
def test_eager_and_compiled_results_agree(jit_compile):
    model = trained_ways()
    inputs = [normal(BATCH, TIME, FEATURES, seed=3), np.where(MEMORY_MASK[:, :, None], values(), 9.0).astype("float32")]
    expected = model(inputs)
    model.compile(jit_compile=jit_compile)
    for name, received in model.predict(inputs, verbose=0).items():
        assert_all_close([received], [numpy(expected[name])])


def trained_ways():
    inputs, memory = keras.Input((None, FEATURES)), keras.Input((None, MEMORY_FEATURES))
    masked = keras.layers.Masking(mask_value=9.0)(memory)
    outputs = {}
    for name in TRAINED:
        attention, options = WAYS[name]
        cells = [keras_seq.LSTMCell(7), keras_seq.GRUCell(MEMORY_FEATURES)]
        layer = keras_seq.AttentionDecoder(cells, attention and ATTENTIONS[attention][0](), **options)
        decoded = layer(inputs, masked)
        outputs[name] = keras.layers.Dense(3, name=name)(decoded)
    return keras.Model([inputs, memory], outputs)


def test_a_saved_model_gives_the_same_outputs(tmp_path):
    model = trained_ways()
    inputs = [normal(BATCH, TIME, FEATURES, seed=3), values()]
    model.save(tmp_path / "model.keras")
    received = keras.saving.load_model(tmp_path / "model.keras")(inputs)
    for name, expected in model(inputs).items():
        assert_all_close([numpy(received[name])], [numpy(expected)])


@pytest.mark.parametrize("way", WAYS)
def test_the_config_holds_every_argument_and_goes_round(way):
    attention, options = WAYS[way]
    cells = [keras_seq.LSTMCell(7, dropout=0.1), keras_seq.GRUCell(5, simplified=True)]
    made = keras_seq.AttentionDecoder(
        cells, attention and ATTENTIONS[attention][0](), kernel_initializer="ones", name="deco", **options
    )
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert copy.get_config() == made.get_config()
    assert copy.state_sizes == made.state_sizes == {"0.h": 7, "0.c": 7, "1.h": 5}
    assert copy.output_size == made.output_size
