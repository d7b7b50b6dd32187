"""Blocks and stacks beside NumPy."""

import keras
import numpy as np
import pytest

import keras_seq
from tests.keras_seq.recurrent.cases import numpy
from tests.keras_seq.transformer import cases, oracle
from tests.keras_seq.transformer.cases import MASK, MEMORY_MASK, VARIANTS
from tests.keras_seq.transformer.test_positions import sinusoids

TOLERANCE = {"rtol": 1e-4, "atol": 3e-5}
ORACLE_ARGUMENTS = ("activation", "norm_first", "epsilon")


def settings(variant):
    return {name: value for name, value in VARIANTS[variant].items() if name in ORACLE_ARGUMENTS}


@pytest.mark.parametrize("masked", [False, pytest.param(True, marks=pytest.mark.smoke)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_an_encoder_block_is_that_of_the_equations(variant, masked):
    block, x, mask = cases.encoder_block(variant), cases.inputs(), MASK if masked else None
    expected = oracle.encoder_block(block, x, mask, **settings(variant))
    np.testing.assert_allclose(numpy(block(x, mask=mask)), expected, **TOLERANCE)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("looks", [True, False], ids=["memory", "alone"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_decoder_block_is_that_of_the_equations(variant, looks, masked):
    block = cases.decoder_block(variant, cases.MEMORY_FEATURES if looks else None)
    tensors = (cases.inputs(), cases.memory()) if looks else (cases.inputs(),)
    masks = {"mask": MASK, **({"memory_mask": MEMORY_MASK} if looks else {})} if masked else {}
    expected = oracle.decoder_block(block, *tensors, **masks, **settings(variant))
    np.testing.assert_allclose(numpy(block(*tensors, **masks)), expected, **TOLERANCE)


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
@pytest.mark.parametrize("position", ["sinusoidal", "learned", "rotary", None])
@pytest.mark.parametrize("variant", ["post_norm", "pre_norm-gelu-grouped"])
def test_a_stack_is_its_positions_blocks_and_last_norm(variant, position, kind):
    length = {"max_length": cases.STEPS} if position == "learned" else {}
    stack = {"encoder": cases.encoder, "decoder": cases.decoder}[kind](variant, position=position, **length)
    x, memory = cases.inputs(), cases.memory()
    if position == "sinusoidal":
        expected = x + sinusoids(range(cases.TIME), cases.FEATURES)
    else:
        expected = x + (numpy(stack.position_encoding.embeddings.value)[: cases.TIME] if length else 0.0)
    rotary = 10000.0 if position == "rotary" else None
    for block in stack.blocks:
        if kind == "encoder":
            expected = oracle.encoder_block(block, expected, MASK, rotary, **settings(variant))
        else:
            masks = {"mask": MASK, "memory_mask": MEMORY_MASK}
            expected = oracle.decoder_block(block, expected, memory, **masks, rotary=rotary, **settings(variant))
    if settings(variant):
        expected = oracle.norm(stack.final_norm, expected, 1e-5)
    received = stack(x, mask=MASK) if kind == "encoder" else stack(x, memory, mask=MASK, memory_mask=MEMORY_MASK)
    np.testing.assert_allclose(numpy(received), expected, **TOLERANCE)
    assert (stack.final_norm is None) == (variant == "post_norm")


def test_the_scores_of_a_stack_are_those_of_its_blocks():
    encoder, decoder = cases.encoder("pre_norm-gelu-grouped"), cases.decoder("pre_norm-gelu-grouped")
    x, memory = cases.inputs(), cases.memory()
    scores = encoder.compute_attention_scores(x, MASK)
    own, cross = decoder.compute_attention_scores(x, memory, MASK, MEMORY_MASK)
    square = (cases.BATCH, cases.HEADS, cases.TIME, cases.TIME)
    assert [tuple(tensor.shape) for tensor in (*scores, *own)] == 2 * cases.NUM_LAYERS * [square]
    assert [tuple(tensor.shape) for tensor in cross] == cases.NUM_LAYERS * [(*square[:3], cases.STEPS)]
    for tensor in (*scores, *own, *cross):
        np.testing.assert_allclose(numpy(tensor).sum(axis=-1), 1.0, rtol=1e-5)
    assert not np.triu(numpy(own[1]), 1).any()
    rows = MEMORY_MASK.any(axis=1)
    hidden = np.where(MEMORY_MASK[rows][:, None, None], 0.0, numpy(cross[0])[rows])
    assert not hidden.any()
    own, cross = cases.decoder(memory_features=None).compute_attention_scores(x)
    assert (len(own), cross) == (cases.NUM_LAYERS, [])


def test_dropout_of_a_block_leaves_the_residual_path_alone():
    """With nearly everything dropped, a sublayer gives zeros, and the norms of the residuals are left."""
    block, x = cases.encoder_block("pre_norm-gelu-grouped", dropout=0.999999), cases.inputs()
    np.testing.assert_array_equal(numpy(block(x, training=True)), numpy(keras.ops.convert_to_tensor(x)))
    assert np.abs(numpy(block(x)) - x).max() > 0.1


def test_scaling_embeddings_is_by_the_root_of_their_features():
    received = keras_seq.transformer.scale_embeddings(keras.ops.ones((2, 3, 25)))
    np.testing.assert_allclose(numpy(received), 5.0)
