import re

import pytest

import keras_seq
from tests.keras_seq.attention.cases import normal
from tests.keras_seq.transformer import cases
from tests.keras_seq.transformer.cases import BATCH, FEED_FORWARD_UNITS, HEADS, TIME

BLOCKS = {"encoder": keras_seq.TransformerEncoderBlock, "decoder": keras_seq.TransformerDecoderBlock}
STACKS = {"encoder": keras_seq.TransformerEncoder, "decoder": keras_seq.TransformerDecoder}


@pytest.mark.parametrize("kind", BLOCKS)
def test_heads_divide_the_features(kind):
    message = r"`num_heads` must divide the features of the inputs of layer 'mine'.*num_heads=6, 13 features"
    for layer in (BLOCKS[kind](HEADS, 7, name="mine"), STACKS[kind](1, HEADS, 7)):
        x = (normal(BATCH, TIME, 13),) * (2 if kind == "decoder" else 1)
        with pytest.raises(ValueError, match=message if layer.name == "mine" else "num_heads=6, 13 features"):
            layer(*x)
    assert tuple(BLOCKS["encoder"](HEADS, 7, key_dim=3)(normal(BATCH, TIME, 13)).shape) == (BATCH, TIME, 13)


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"norm": "batch"}, "`norm` must be one of layer, rms. Received: norm='batch'"),
        ({"num_heads": 0}, "`num_heads` must be a positive integer. Received: num_heads=0"),
        ({"feed_forward_units": 2.5}, "`units` must be a positive integer. Received: units=2.5"),
        ({"activation": "relish"}, "relish"),
    ],
    ids=["norm", "num_heads", "feed_forward_units", "activation"],
)
def test_arguments_that_mean_nothing_are_refused(kind, wrong, message):
    arguments = {"num_heads": HEADS, "feed_forward_units": FEED_FORWARD_UNITS, **wrong}
    with pytest.raises(ValueError, match=re.escape(message)):
        BLOCKS[kind](**arguments)
    with pytest.raises(ValueError, match=re.escape(message)):
        STACKS[kind](2, **arguments)


@pytest.mark.parametrize("kind", BLOCKS)
def test_groups_of_heads_divide_the_heads(kind):
    x = (normal(BATCH, TIME, cases.FEATURES),) * (2 if kind == "decoder" else 1)
    with pytest.raises(ValueError, match=r"must divide `num_heads`.*num_key_value_heads=4, num_heads=6"):
        BLOCKS[kind](HEADS, 7, num_key_value_heads=4)(*x)


@pytest.mark.parametrize("kind", STACKS)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_layers": 0}, "`num_layers` must be a positive integer. Received: num_layers=0"),
        ({"position": "relative"}, "Received: position='relative'"),
        ({"position": "learned"}, "Received: position='learned', max_length=None"),
        ({"max_length": 7}, "Received: position='sinusoidal', max_length=7"),
    ],
    ids=["num_layers", "position", "no max_length", "max_length"],
)
def test_arguments_of_stacks_go_together(kind, wrong, message):
    arguments = {"num_layers": 2, "num_heads": HEADS, "feed_forward_units": FEED_FORWARD_UNITS, **wrong}
    with pytest.raises(ValueError, match=re.escape(message)):
        STACKS[kind](**arguments)


def test_sequences_longer_than_the_learned_positions_are_refused():
    stack = cases.encoder(position="learned", max_length=3)
    with pytest.raises(ValueError, match=r"has learned 3 positions, 0 to 2\. Received: 7 steps"):
        stack(cases.inputs())


def test_a_stack_takes_embedded_tokens():
    with pytest.raises(
        ValueError, match=r"takes embedded tokens, \(batch, steps, features\).*Received: shape \(5, 7\)"
    ):
        keras_seq.TransformerEncoder(2, HEADS, FEED_FORWARD_UNITS)(normal(BATCH, TIME))
