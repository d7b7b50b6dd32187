"""The weighted mean of two values takes one product less."""

import numpy as np
import pytest

from keras_seq.export.passes.dead_code import dead_code
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.interpolations import INTERPOLATION_RULES
from keras_seq.export.passes.outer_constants import outer_constants
from keras_seq.export.passes.rewrite import rewrite
from tests.export.passes.loops import check_same, copy_of, main, model_of, random_array

FEED = {"z": random_array(2, 3, seed=1), "a": random_array(2, 3, seed=2), "b": random_array(2, 3, seed=3)}


def graph(lines):
    text = f"mean (float[2,3] z, float[2,3] a, float[2,3] b) => (float[2,3] y) {{ {lines} }}"
    return model_of(text, **{n: v for n, v in {"one": np.float32(1), "two": np.float32(2)}.items() if n in lines})


def rewritten(proto):
    after = copy_of(proto)
    outer_constants(after.graph)
    count = rewrite(GraphIndex(after), INTERPOLATION_RULES)
    dead_code(after.graph)
    return count, after


@pytest.mark.parametrize("kept", ["Mul(z, a)", "Mul(a, z)"])
@pytest.mark.parametrize("renewed", ["Mul(r, b)", "Mul(b, r)"])
@pytest.mark.parametrize("total", ["Add(k, n)", "Add(n, k)"])
def test_all_orders_fit(kept, renewed, total):
    before = graph(f"k = {kept} r = Sub(one, z) n = {renewed} y = {total}")
    count, after = rewritten(before)
    assert count == 1
    assert main(after) == ["Sub", "Mul", "Add"]
    check_same(before, after, FEED, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "lines",
    [
        "k = Mul(z, a) r = Sub(two, z) n = Mul(r, b) y = Add(k, n)",  # weights that make two
        "k = Mul(z, a) r = Sub(one, b) n = Mul(r, z) y = Add(k, n)",  # the complement of another value
        "k = Mul(z, a) r = Sub(one, z) n = Mul(r, b) s = Add(k, n) y = Add(s, n)",  # a term that is read twice
        "k = Mul(z, a) r = Sub(z, one) n = Mul(r, b) y = Add(k, n)",
    ],
)
def test_others_are_left_alone(lines):
    before = graph(lines)
    count, after = rewritten(before)
    assert count == 0
    check_same(before, after, FEED)
