"""Decoders step by step over their caches, and what of the future reaches an output: nothing."""

import numpy as np
import pytest
from keras import ops

from keras_seq.attention.attention_bias import causal_bias, padding_bias
from tests.keras_seq.recurrent.cases import numpy
from tests.keras_seq.transformer import cases
from tests.keras_seq.transformer.cases import BATCH, MASK, MEMORY_MASK, TIME

CUTS = {"ones": [1] * TIME, "whole": [TIME], "uneven": [2, 1, 4]}
# Variant of the layer, its positions, whether it attends to a memory.
DECODERS = {
    "post_norm": ("post_norm", "sinusoidal", True),
    "pre_norm": ("pre_norm-gelu-grouped", "learned", True),
    "language_model": ("rms-swiglu-multi_query-no_bias", "rotary", False),
    "rotary": ("pre_norm-gelu-grouped", "rotary", True),
}


def decoder(name):
    variant, position, looks = DECODERS[name]
    length = {"max_length": TIME} if position == "learned" else {}
    memory_features = cases.MEMORY_FEATURES if looks else None
    stack = cases.decoder(variant, memory_features, position=position, dropout=0.3, attention_dropout=0.3, **length)
    return stack, (cases.memory(),) if looks else ()


def run(stack, x, memory, sizes, masked, table=None):
    """All outputs of the chunks of a sequence, one behind the other, and the final cache."""
    copies = len(x) // BATCH
    memory_mask = np.tile(MEMORY_MASK, (copies, 1)) if masked else None
    prepared = stack.prepare(*memory, memory_mask) if memory else None
    cache, outputs, start = stack.empty_cache(len(x)), [], 0
    for size in sizes:
        end = start + size
        bias = causal_bias(size, end, past=start)
        if masked:
            bias = bias + padding_bias(np.tile(MASK, (copies, 1))[:, :end])
        places = {"positions": np.arange(start, end)}
        if table is not None:
            rows = tuple(part[start:end] for part in table) if isinstance(table, tuple) else table[start:end]
            places = {"encoded": rows}
        chunk, cache = stack.step(x[:, start:end], cache, bias, memory=prepared, **places)
        outputs.append(chunk)
        start = end
    return numpy(ops.concatenate(outputs, axis=1)), cache


def whole(stack, x, memory, masked):
    masks = {"mask": MASK, **({"memory_mask": MEMORY_MASK} if memory else {})} if masked else {}
    copies = len(x) // BATCH
    return numpy(stack(x, *memory, **{name: np.tile(mask, (copies, 1)) for name, mask in masks.items()}))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("cuts", [pytest.param("uneven", marks=pytest.mark.smoke), *sorted({*CUTS} - {"uneven"})])
@pytest.mark.parametrize("name", DECODERS)
def test_steps_over_a_cache_give_what_the_call_gives(name, cuts, masked):
    (stack, memory), x = decoder(name), cases.inputs()
    received, cache = run(stack, x, memory, CUTS[cuts], masked)
    np.testing.assert_allclose(received, whole(stack, x, memory, masked), rtol=1e-4, atol=2e-5)
    assert len(cache) == cases.NUM_LAYERS
    heads = stack.blocks[0].num_key_value_heads or cases.HEADS
    assert {tuple(tensor.shape) for pair in cache for tensor in pair} == {(BATCH, heads, TIME, cases.KEY_DIM)}


@pytest.mark.parametrize("name", ["post_norm", "pre_norm", "language_model"])
def test_a_table_of_positions_stands_for_the_positions(name):
    (stack, memory), x = decoder(name), cases.inputs()
    table = stack.position_table(TIME)
    received, _ = run(stack, x, memory, CUTS["uneven"], True, table)
    np.testing.assert_allclose(received, whole(stack, x, memory, True), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", DECODERS)
def test_a_block_gives_by_steps_what_it_gives_at_once(name):
    variant, _, looks = DECODERS[name]
    block = cases.decoder_block(variant, cases.MEMORY_FEATURES if looks else None)
    x, memory = cases.inputs(), cases.memory()
    cache, outputs = block.empty_cache(BATCH), []
    for step in range(TIME):
        prepared = {"memory": block.prepare(memory), "memory_bias": padding_bias(MEMORY_MASK)} if looks else {}
        output, cache = block.step(x[:, step : step + 1], cache, padding_bias(MASK[:, : step + 1]), **prepared)
        outputs.append(output)
    masks = {"memory": memory, "memory_mask": MEMORY_MASK} if looks else {}
    expected = numpy(block(x, mask=MASK, **masks))
    np.testing.assert_allclose(numpy(ops.concatenate(outputs, axis=1)), expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("path", ["call", "step"])
@pytest.mark.parametrize("name", DECODERS)
def test_a_token_changes_no_output_before_it(name, path, masked):
    """For each token of a sequence, masked ones and those of rows that see nothing included."""
    stack, memory = decoder(name)
    x = np.tile(cases.inputs(), (TIME, 1, 1))  # as it is, and once more for each token but the first
    for token in range(1, TIME):
        x[token * BATCH : (token + 1) * BATCH, token] += cases.inputs(seed=8)[:, token]
    memory = tuple(np.tile(part, (TIME, 1, 1)) for part in memory)
    if path == "step":
        outputs, _ = run(stack, x, memory, CUTS["uneven"], masked)
    else:
        outputs = whole(stack, x, memory, masked)
    before, *others = np.split(outputs, TIME)
    for token, after in enumerate(others, start=1):
        np.testing.assert_allclose(after[:, :token], before[:, :token], rtol=0, atol=1e-5 * np.abs(before).max())
        assert np.abs(after[:, token] - before[:, token]).max() > 1e-2


def test_a_cache_of_another_model_is_refused():
    (stack, memory), x = decoder("post_norm"), cases.inputs()
    prepared = stack.prepare(*memory)
    with pytest.raises(ValueError, match=r"has one pair of keys and values for each of its 2 blocks\. Received: 1"):
        stack.step(x[:, :1], stack.empty_cache(BATCH)[:1], memory=prepared)
    other, _ = decoder("language_model")
    with pytest.raises(
        ValueError, match=r"must have the shape \(batch, 6, steps, 4\)\. Received: shape \(5, 1, 0, 4\)"
    ):
        stack.step(x[:, :1], other.empty_cache(BATCH), memory=prepared)
    with pytest.raises(ValueError, match="must be of the batch of its inputs, 5 sequences"):
        stack.step(x[:, :1], stack.empty_cache(3), memory=prepared)


def test_a_cache_that_is_full_is_refused():
    (stack, memory), x = decoder("pre_norm"), cases.inputs()
    with pytest.raises(ValueError, match=r"has learned 7 positions, 0 to 6\. Received: positions from 7 to 7"):
        stack.step(x[:, :1], stack.empty_cache(BATCH), positions=np.array([TIME]), memory=stack.prepare(*memory))


@pytest.mark.parametrize("kind", ["block", "stack"])
def test_a_memory_that_is_missing_or_not_looked_at_is_refused(kind):
    make = {"block": cases.decoder_block, "stack": cases.decoder}[kind]
    x, memory = cases.inputs(), cases.memory()
    with pytest.raises(
        ValueError, match=r"cross_attention=True, needs a `memory` to attend to\. Received: memory=None"
    ):
        make()(x)
    with pytest.raises(ValueError, match=r"cross_attention=False, looks at no `memory`\. Received: memory=a tensor"):
        make(memory_features=None)(x, memory)
