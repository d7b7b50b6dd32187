"""What every public layer of transformers must do; a new one that is not listed here fails a test."""

import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_seq
from tests.keras_seq.attention.cases import with_random_weights
from tests.keras_seq.gradients import gradients_of
from tests.keras_seq.recurrent.cases import assert_all_close, numpy
from tests.keras_seq.transformer.cases import BATCH, FEATURES, FEED_FORWARD_UNITS, HEADS, MASK, TIME, inputs

INITIALIZER = keras.initializers.RandomNormal(stddev=0.3, seed=4)
# name: makes one with the given arguments, in a form that differs from the defaults
LAYERS = {
    "FeedForward": lambda **kwargs: keras_seq.FeedForward(
        FEED_FORWARD_UNITS, "swiglu", dropout=0.1, use_bias=False, kernel_initializer=INITIALIZER, **kwargs
    ),
    "LearnedPositionalEncoding": lambda **kwargs: keras_seq.LearnedPositionalEncoding(
        17, embeddings_initializer=INITIALIZER, **kwargs
    ),
    "MultiHeadAttention": lambda **kwargs: keras_seq.MultiHeadAttention(
        HEADS,
        4,
        value_dim=5,
        num_key_value_heads=3,
        dropout=0.1,
        output_size=FEATURES,
        rotary=keras_seq.RotaryEmbedding(base=50.0),
        bias_initializer="ones",
        kernel_initializer=INITIALIZER,
        kernel_regularizer="l2",
        **kwargs,
    ),
    "SinusoidalPositionalEncoding": lambda **kwargs: keras_seq.SinusoidalPositionalEncoding(base=50.0, **kwargs),
    "TransformerDecoder": lambda **kwargs: keras_seq.TransformerDecoder(
        1, HEADS, FEED_FORWARD_UNITS, cross_attention=False, position="learned", max_length=17, norm="rms", **kwargs
    ),
    "TransformerDecoderBlock": lambda **kwargs: keras_seq.TransformerDecoderBlock(
        HEADS,
        FEED_FORWARD_UNITS,
        cross_attention=False,
        key_dim=6,
        rotary=keras_seq.RotaryEmbedding(base=50.0),
        attention_dropout=0.1,
        **kwargs,
    ),
    "TransformerEncoder": lambda **kwargs: keras_seq.TransformerEncoder(
        1, HEADS, FEED_FORWARD_UNITS, position="rotary", norm_first=True, gradient_checkpointing=True, **kwargs
    ),
    "TransformerEncoderBlock": lambda **kwargs: keras_seq.TransformerEncoderBlock(
        HEADS, FEED_FORWARD_UNITS, activation="gelu", epsilon=1e-3, dropout=0.1, use_bias=False, **kwargs
    ),
}
WITHOUT_WEIGHTS = ("SinusoidalPositionalEncoding",)
# Its inputs have another rank; the tests of positions and attention go through it.
INSIDE_OTHERS = {"RotaryEmbedding": lambda: keras_seq.RotaryEmbedding(base=50.0)}
FOR_XLA = ("MultiHeadAttention", "TransformerDecoderBlock", "TransformerEncoder")
"""One with each kind of sublayer: XLA takes seconds for every branch."""
# PyTorch's compiler needs a C++ compiler; JAX outside `jit` compiles every operation by itself.
JIT_COMPILE = {"tensorflow": [False, True], "jax": [True], "torch": [False]}[keras.backend.backend()]


def branches(names=LAYERS, **kwargs):
    """One model with layers side by side; `time` stays open, and steps of nines are masked."""
    given = keras.Input((None, FEATURES), name="sequences")
    masked = keras.layers.Masking(mask_value=9.0)(given)
    return keras.Model(given, {name: LAYERS[name](name=name, **kwargs)(masked) for name in names})


def masked_inputs():
    return np.where(MASK[:, :, None], inputs(), 9.0).astype("float32")


def valid(array):
    """A result where the inputs are no padding: what stands there elsewhere means nothing."""
    return numpy(array)[MASK]


def test_every_public_layer_is_listed_here():
    public = {name: getattr(keras_seq.transformer, name) for name in keras_seq.transformer.__all__}
    public["MultiHeadAttention"] = keras_seq.MultiHeadAttention
    layers = {name for name, item in public.items() if isinstance(item, type) and issubclass(item, keras.layers.Layer)}
    assert layers == set(LAYERS) | set(INSIDE_OTHERS)
    assert layers <= set(keras_seq.__all__)


@pytest.mark.parametrize("name", [*LAYERS, *INSIDE_OTHERS])
def test_the_config_holds_every_argument_and_goes_round(name):
    layer = (LAYERS | INSIDE_OTHERS)[name]()
    config = layer.get_config()
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is type(layer)
    assert type(layer).from_config(config).get_config() == copy.get_config() == config
    assert keras.saving.get_registered_name(type(layer)) == f"keras_seq>{name}"


@pytest.mark.parametrize("name", LAYERS)
def test_symbolic_and_eager_results_have_the_same_shapes_and_dtypes(name):
    layer = LAYERS[name]()
    for time in (None, TIME):
        symbolic = layer(keras.Input((time, FEATURES), batch_size=BATCH))
        assert tuple(symbolic.shape) == (BATCH, time, FEATURES) == layer.compute_output_shape((BATCH, time, FEATURES))
    result = layer(inputs())
    assert tuple(result.shape) == (BATCH, TIME, FEATURES)
    assert symbolic.dtype == keras.backend.standardize_dtype(result.dtype) == "float32"
    assert bool(layer.weights) == (name not in WITHOUT_WEIGHTS)


@pytest.mark.parametrize("name", ["MultiHeadAttention", "TransformerDecoderBlock", "TransformerEncoderBlock"])
def test_symbolic_and_eager_scores_have_the_same_shapes(name):
    layer = LAYERS[name]()
    symbolic = layer(keras.Input((TIME, FEATURES), batch_size=BATCH), return_attention_scores=True)
    results = layer(inputs(), return_attention_scores=True)
    assert [tuple(tensor.shape) for tensor in symbolic] == [tuple(tensor.shape) for tensor in results]


def test_masks_go_on():
    x = ops.convert_to_tensor(masked_inputs())
    masked = keras.layers.Masking(mask_value=9.0)(x)
    for name, make in LAYERS.items():
        received = keras.src.backend.get_keras_mask(make()(masked))
        assert received is not None, name
        np.testing.assert_array_equal(ops.convert_to_numpy(received), MASK)


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("dtype", "jit_compile", "names"),
    [("float32", JIT_COMPILE[0], tuple(LAYERS)), ("mixed_bfloat16", JIT_COMPILE[-1], FOR_XLA)],
    ids=["float32", "mixed_bfloat16"],
)
def test_fit_learns_and_moves_every_weight(dtype, jit_compile, names):
    model = branches(names, dtype=dtype)
    weights = [weight for weight in model.trainable_weights if not weight.path.endswith("key_bias")]
    before = [numpy(weight.value) for weight in weights]
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=jit_compile)
    x = np.tile(masked_inputs(), (2, 1, 1))
    y = {name: np.flip(x, axis=-1).clip(-1, 1) for name in names}
    history = model.fit(x, y, batch_size=BATCH, epochs=3, verbose=0).history
    assert {weight.dtype for weight in weights} == {"float32"}
    for name in names:
        losses = history[f"{name}_loss"]
        assert np.isfinite(losses).all()
        assert name in WITHOUT_WEIGHTS or losses[-1] < 0.97 * losses[0], (name, losses)
    for weight, old in zip(weights, before, strict=True):
        assert np.isfinite(numpy(weight.value)).all()
        assert (numpy(weight.value) != old).any(), weight.path


def test_mixed_precision_computes_in_bfloat16_near_the_float32_result():
    exact, mixed = branches(), branches(dtype="mixed_bfloat16")
    mixed.set_weights(exact.get_weights())
    expected, received = exact(masked_inputs()), mixed(masked_inputs())
    for name in LAYERS:
        assert keras.backend.standardize_dtype(received[name].dtype) == "bfloat16"
        reference = valid(expected[name])
        np.testing.assert_allclose(valid(received[name]), reference, atol=0.04 * np.abs(reference).max(), err_msg=name)


@pytest.mark.parametrize("jit_compile", JIT_COMPILE)
def test_eager_and_compiled_results_agree(jit_compile):
    names = FOR_XLA if jit_compile else tuple(LAYERS)
    model = branches(names)
    expected = model(masked_inputs())
    model.compile(jit_compile=jit_compile)
    received = model.predict(masked_inputs(), verbose=0)
    for name in names:
        np.testing.assert_allclose(received[name], numpy(expected[name]), rtol=1e-4, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("name", LAYERS)
def test_padded_rows_are_as_if_they_were_alone_and_cut(name):
    layer = LAYERS[name]()
    x = ops.convert_to_tensor(masked_inputs())
    together = numpy(layer(keras.layers.Masking(mask_value=9.0)(x)))
    for row in (0, 1):  # full, and padded on the right
        length = MASK[row].sum()
        alone = numpy(layer(inputs()[row : row + 1, :length]))
        np.testing.assert_allclose(together[row, :length], alone[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["TransformerEncoder", "TransformerDecoder"])
@pytest.mark.parametrize("masked", [False, True])
def test_checkpointed_gradients_are_the_gradients(kind, masked):
    def stack(checkpointed):
        looks = {"cross_attention": True} if kind == "TransformerDecoder" else {}
        made = getattr(keras_seq, kind)(
            2, HEADS, FEED_FORWARD_UNITS, dropout=0.0, gradient_checkpointing=checkpointed, **looks
        )
        made.build(*((None, None, FEATURES),) * (1 + len(looks)))
        return made

    tensors = (inputs(), inputs(seed=5)) if kind == "TransformerDecoder" else (inputs(),)
    masks = {"mask": MASK, "memory_mask": MASK[::-1].copy()} if masked else {}
    masks = {name: mask for name, mask in masks.items() if kind == "TransformerDecoder" or name == "mask"}
    plain, saving = with_random_weights(stack(False)), stack(True)
    saving.set_weights(plain.get_weights())
    expected, received = (
        gradients_of(layer, lambda layer=layer: layer(*tensors, training=True, **masks)) for layer in (plain, saving)
    )
    for gradient, other in zip(received, expected, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-3, atol=1e-4)


def test_checkpointed_gradients_are_those_of_what_was_dropped():
    """The slope of the loss, which with the seeds of before drops the same elements, is the gradient's."""
    stack = keras_seq.TransformerEncoder(
        1, HEADS, FEED_FORWARD_UNITS, dropout=0.5, activation="gelu", norm_first=True, gradient_checkpointing=True
    )
    stack.build((None, None, FEATURES))
    with_random_weights(stack)  # behind a norm of ones and zeros the loss would be the same for all weights
    generators = [part.seed_generator for part in stack._flatten_layers() if hasattr(part, "seed_generator")]
    assert len(generators) == 2
    seeds = [numpy(generator.state.value) for generator in generators]
    start, random = stack.get_weights(), np.random.default_rng(3)
    direction = [random.normal(size=weight.shape, scale=0.01) for weight in start]
    directions = dict(zip((weight.path for weight in stack.weights), direction, strict=True))

    def forward():
        keras.utils.set_random_seed(7)  # PyTorch's dropout draws from its own generator
        for generator, seed in zip(generators, seeds, strict=True):
            generator.state.assign(seed.astype("uint32"))
        return stack(inputs(), training=True)

    def loss(distance):
        stack.set_weights([old + distance * step for old, step in zip(start, direction, strict=True)])
        return (numpy(forward()) ** 2).sum()

    slope = (loss(1e-2) - loss(-1e-2)) / 2e-2
    stack.set_weights(start)
    gradients = gradients_of(stack, forward)
    expected = sum(
        (gradient * directions[weight.path]).sum()
        for gradient, weight in zip(gradients, stack.trainable_weights, strict=True)
    )
    assert slope == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("kind", ["stack", "checkpointed stack", "block"])
def test_the_masks_of_keras_reach_both_attentions_of_a_decoder(kind):
    if kind == "block":
        decoder = keras_seq.TransformerDecoderBlock(HEADS, FEED_FORWARD_UNITS)
    else:
        checkpointing = {"gradient_checkpointing": kind != "stack"}
        decoder = keras_seq.TransformerDecoder(2, HEADS, FEED_FORWARD_UNITS, dropout=0.0, **checkpointing)
    x, memory, memory_mask = inputs(), inputs(seed=5), MASK[[1, 2, 3, 0, 1]]
    reference = decoder(x, memory, mask=MASK, memory_mask=memory_mask, training=True)
    x, memory = (np.where(mask[:, :, None], part, 0.0) for mask, part in ((MASK, x), (memory_mask, memory)))
    received = decoder(*(keras.layers.Masking()(part.astype("float32")) for part in (x, memory)), training=True)
    plain = decoder(x.astype("float32"), memory.astype("float32"), training=True)
    np.testing.assert_allclose(valid(received), valid(reference), rtol=1e-4, atol=1e-5)
    assert np.abs(valid(plain) - valid(reference)).max() > 1e-2


SAVED_MODEL_TEST = """
import sys
import keras_seq
assert "keras" not in sys.modules
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
outputs = model.predict(np.load(sys.argv[2]), verbose=0)
np.savez(sys.argv[3], **outputs)
"""


def test_a_saved_model_is_read_in_a_fresh_process_by_importing_keras_seq(tmp_path):
    model = branches()
    random = np.random.default_rng(6)
    model.set_weights([random.normal(size=weight.shape, scale=0.5) for weight in model.get_weights()])
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", masked_inputs())
    paths = [str(tmp_path / name) for name in ("model.keras", "x.npy", "outputs.npz")]
    command = [sys.executable, "-c", SAVED_MODEL_TEST, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=pathlib.Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    received, expected = np.load(tmp_path / "outputs.npz"), model(masked_inputs())
    for name in LAYERS:
        assert_all_close([received[name]], [numpy(expected[name])], atol=2e-5)
