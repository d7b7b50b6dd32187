"""Sinusoidal, learned and rotary positions beside their formulas."""

import keras
import numpy as np
import pytest

import keras_seq
from tests.keras_seq.attention.cases import normal
from tests.keras_seq.attention.multi_head_oracle import rotated
from tests.keras_seq.recurrent.cases import numpy

BATCH, HEADS, STEPS, FEATURES, SIZE = 3, 5, 7, 13, 6


def sinusoids(positions, features, base=10000.0):
    """Vaswani et al. 2017, section 3.5, as printed."""
    encoding = np.zeros((len(positions), features))
    for row, position in enumerate(positions):
        for feature in range(features):
            angle = position / base ** (feature // 2 * 2 / (features + features % 2))
            encoding[row, feature] = np.cos(angle) if feature % 2 else np.sin(angle)
    return encoding


@pytest.mark.smoke
@pytest.mark.parametrize("features", [1, 6, FEATURES])
def test_sinusoidal_positions_are_those_of_the_paper(features):
    x = normal(BATCH, STEPS, features)
    received = numpy(keras_seq.SinusoidalPositionalEncoding()(x))
    np.testing.assert_allclose(received, x + sinusoids(range(STEPS), features), atol=2e-6)


def test_sinusoidal_positions_know_another_base_and_any_length():
    far = np.array([0, 1, 511, 4095, 20011])
    received = numpy(keras_seq.SinusoidalPositionalEncoding(base=50.0).encode(far, 6))
    # Beside large angles float32 has about three digits less than beside small ones.
    np.testing.assert_allclose(received, sinusoids(far, 6, base=50.0), atol=2e-3)


LAYERS = {
    "sinusoidal": keras_seq.SinusoidalPositionalEncoding,
    "learned": lambda **kwargs: keras_seq.LearnedPositionalEncoding(max_length=17, **kwargs),
}


@pytest.mark.parametrize("name", LAYERS)
def test_positions_may_be_given_to_all_rows_or_to_each(name):
    layer, x = LAYERS[name](), normal(BATCH, STEPS, FEATURES)
    whole = numpy(layer(np.zeros((1, 17, FEATURES), "float32")))[0]
    one, each = np.array([3, 1, 4, 1, 5, 9, 2]), np.random.default_rng(1).integers(0, 17, (BATCH, STEPS))
    np.testing.assert_allclose(numpy(layer(x, positions=one)), x + whole[one], atol=2e-6)
    np.testing.assert_allclose(numpy(layer(x, positions=each)), x + whole[each], atol=2e-6)
    np.testing.assert_allclose(numpy(layer.encode(each, FEATURES)), whole[each], atol=2e-6)


def test_learned_positions_are_rows_of_their_table():
    layer, x = LAYERS["learned"](), normal(BATCH, STEPS, FEATURES)
    layer.build(x.shape)
    assert [tuple(weight.shape) for weight in layer.weights] == [(17, FEATURES)]
    table = normal(17, FEATURES, seed=2)
    layer.set_weights([table])
    np.testing.assert_allclose(numpy(layer(x)), x + table[:STEPS], atol=1e-6)
    assert layer.trainable_weights


def test_positions_past_the_learned_ones_are_refused():
    layer = keras_seq.LearnedPositionalEncoding(max_length=STEPS, name="places")
    message = r"Layer 'places' has learned 7 positions, 0 to 6\. Received: {}\. Shorten the sequence"
    with pytest.raises(ValueError, match=message.format("11 steps")):
        layer(normal(BATCH, 11, FEATURES))
    with pytest.raises(ValueError, match=message.format("positions from 5 to 7")):
        layer(normal(BATCH, 3, FEATURES), positions=np.array([5, 6, 7]))
    with pytest.raises(ValueError, match=message.format("positions from -1 to 1")):
        layer(normal(BATCH, 3, FEATURES), positions=np.array([-1, 0, 1]))
    with pytest.raises(ValueError, match=message.format("11 steps")):
        keras.Sequential([keras.Input((11, FEATURES)), layer])


@pytest.mark.smoke
def test_rotary_positions_turn_complex_numbers():
    heads = normal(BATCH, HEADS, STEPS, SIZE)
    received = numpy(keras_seq.RotaryEmbedding(base=50.0)(heads))
    for row, head, step in np.ndindex(BATCH, HEADS, STEPS):
        expected = rotated(heads[row, head, step].astype("float64"), step, 50.0)
        np.testing.assert_allclose(received[row, head, step], expected, atol=2e-6)


def test_rotary_positions_may_be_given_to_all_rows_or_to_each():
    layer, heads = keras_seq.RotaryEmbedding(), normal(BATCH, HEADS, STEPS, SIZE)
    each = np.random.default_rng(1).integers(0, 1000, (BATCH, STEPS))
    for positions in (each, each[:1], each[0]):
        received = numpy(layer(heads, positions=positions))
        for row, step in np.ndindex(BATCH, STEPS):
            place = np.broadcast_to(positions, (BATCH, STEPS))[row, step]
            expected = rotated(heads[row, 4, step].astype("float64"), place)
            np.testing.assert_allclose(received[row, 4, step], expected, atol=2e-4)


def test_products_of_rotated_vectors_depend_on_the_distance_alone():
    layer = keras_seq.RotaryEmbedding()
    query, key = normal(1, 1, 1, SIZE), normal(1, 1, 1, SIZE, seed=1)

    def product(query_position, key_position):
        return float(
            numpy(layer(query, positions=np.array([query_position]))).ravel()
            @ numpy(layer(key, positions=np.array([key_position]))).ravel()
        )

    near = [product(start + 3, start) for start in (0, 11, 101, 1009)]
    np.testing.assert_allclose(near, near[0], atol=1e-3)
    assert abs(product(0, 0) - near[0]) > 0.1
    assert product(0, 0) == pytest.approx(float(query.ravel() @ key.ravel()), rel=1e-5)


def test_rotation_keeps_lengths_and_needs_pairs():
    heads = normal(BATCH, HEADS, STEPS, SIZE)
    received = numpy(keras_seq.RotaryEmbedding()(heads))
    np.testing.assert_allclose(np.linalg.norm(received, axis=-1), np.linalg.norm(heads, axis=-1), rtol=1e-5)
    with pytest.raises(ValueError, match=r"turn pairs of features: `size` must be even\. Received: size=5"):
        keras_seq.RotaryEmbedding()(normal(BATCH, HEADS, STEPS, 5))


@pytest.mark.parametrize("layer", [keras_seq.SinusoidalPositionalEncoding, keras_seq.RotaryEmbedding])
@pytest.mark.parametrize("base", [1.0, 0.0, -3.0])
def test_the_base_is_above_one(layer, base):
    with pytest.raises(ValueError, match=rf"`base` must be above 1\. Received: base={base}"):
        layer(base=base)


@pytest.mark.parametrize("max_length", [0, -1, 2.5, None])
def test_the_number_of_learned_positions_is_a_positive_integer(max_length):
    with pytest.raises(
        ValueError, match=rf"`max_length` must be a positive integer\. Received: max_length={max_length}"
    ):
        keras_seq.LearnedPositionalEncoding(max_length)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", LAYERS)
def test_far_positions_stay_exact_in_half_precision(name, dtype):
    """Integers above 256 are not all numbers in bfloat16, nor above 2048 in float16."""
    settings = {} if name == "sinusoidal" else {"max_length": 5003}
    kind = type(LAYERS[name]())
    layer, exact = kind(dtype=dtype, **settings), kind(**settings)
    positions, x = np.array([2049, 4095, 4097, 5001]), np.zeros((1, 4, FEATURES), "float32")
    for one in (layer, exact):
        one.build(x.shape)
    if name == "learned":
        layer.set_weights(exact.get_weights())
    received = layer(x, positions=positions)
    assert keras.backend.standardize_dtype(received.dtype) == dtype.removeprefix("mixed_")
    np.testing.assert_allclose(numpy(received), numpy(exact(x, positions=positions)), atol=1e-2)
