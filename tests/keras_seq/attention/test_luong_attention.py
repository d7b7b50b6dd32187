import pytest

import keras_seq
from tests.keras_seq.attention.cases import (
    HIDDEN,
    MEMORY_FEATURES,
    UNITS,
    attention_with_random_weights,
    normal,
    values,
)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("luong-dot", {}),
        ("luong-general", {"memory_kernel": (MEMORY_FEATURES, UNITS)}),
        (
            "luong-concat",
            {
                "query_kernel": (UNITS, HIDDEN),
                "memory_kernel": (MEMORY_FEATURES, HIDDEN),
                "score_kernel": (HIDDEN,),
            },
        ),
    ],
)
def test_weights_have_the_documented_names_and_shapes(name, shapes):
    layer = attention_with_random_weights(name)
    assert {weight.name: tuple(weight.shape) for weight in layer.weights} == shapes


def test_dot_wants_queries_and_values_of_one_size():
    layer = keras_seq.LuongAttention(name="looking")
    with pytest.raises(ValueError, match=r'score="dot" of layer "looking".*queries of 11 and values of 13 features'):
        layer(normal(5, UNITS), values())


def test_scores_have_names():
    with pytest.raises(ValueError, match=r"`score` must be one of dot, general, concat\. Received: score='additive'"):
        keras_seq.LuongAttention("additive")


@pytest.mark.parametrize("score", ["dot", "general"])
def test_units_are_for_concat(score):
    with pytest.raises(ValueError, match=r'`units` goes with score="concat" alone\. Received: units=3'):
        keras_seq.LuongAttention(score, units=3)


@pytest.mark.parametrize("units", [None, 0, 2.5])
def test_concat_needs_units(units):
    with pytest.raises(ValueError, match='score="concat" needs `units`, a positive integer'):
        keras_seq.LuongAttention("concat", units=units)
