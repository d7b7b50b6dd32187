"""Products of one left side become one product, in loops alone."""

import numpy as np
import pytest

from keras_seq.export.passes.dead_code import dead_code
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.identities import identities
from keras_seq.export.passes.merge_products import merge_products
from tests.export.passes.loops import bodies, check_same, copy_of, model_of, random_array

ROWS, UNITS = 2, 3
W, U = random_array(UNITS, 5, seed=5), random_array(UNITS, UNITS, seed=6)
V, A = random_array(5, seed=7), random_array(UNITS, seed=8)


def merged(proto):
    after = copy_of(proto)
    count = merge_products(GraphIndex(after))
    identities(after.graph)
    dead_code(after.graph)
    return count, after


def step_of(lines, **constants):
    """A loop whose step makes `a` (2, 5) and `b` (2, 3) of the state s."""
    return model_of(
        f"""
        steps (int64 n, bool yes, float[2,3] h0, float[3,3] given) => (float[2,3] h, float[k,2,5] all) {{
            h, all = Loop<body = inner (int64 i, bool c, float[2,3] s) => (bool c2, float[2,3] s2, float[2,5] out) {{
                {lines}
                out = Tanh(a)
                s2 = Tanh(b)
                c2 = Identity(c)
            }}>(n, yes, h0)
        }}
        """,
        **constants,
    )


def check(before, after):
    feed = {"n": np.array(3), "yes": np.array(True), "h0": random_array(2, 3), "given": random_array(3, 3, seed=2)}
    check_same(before, after, feed, rtol=1e-5, atol=1e-6)


def test_two_products_without_biases():
    before = step_of("a = MatMul(s, W)  b = MatMul(s, U)", W=W, U=U)
    count, after = merged(before)
    assert count == 1
    assert bodies(after) == [["MatMul", "Split", "Tanh", "Tanh", "Identity"]]
    assert sum(np.prod(t.dims) for t in after.graph.initializer) == W.size + U.size + 2  # two sizes to split at
    check(before, after)


@pytest.mark.parametrize("bias", ["Add(p, V)", "Add(V, p)"])
def test_bias_comes_along_and_the_other_gets_zeros(bias):
    before = step_of(f"p = MatMul(s, W)  a = {bias}  b = MatMul(s, U)", W=W, U=U, V=V)
    count, after = merged(before)
    assert count == 1
    assert bodies(after) == [["MatMul", "Add", "Split", "Tanh", "Tanh", "Identity"]]
    check(before, after)


def test_three_products_with_two_biases():
    lines = "p = MatMul(s, W)  a = Add(p, V)  q = MatMul(s, U)  r = Add(q, A)  t = MatMul(s, T)  b = Mul(r, t)"
    before = step_of(lines, W=W, U=U, V=V, A=A, T=random_array(UNITS, UNITS, seed=9))
    count, after = merged(before)
    assert count == 2
    assert bodies(after)[0][:3] == ["MatMul", "Add", "Split"]
    check(before, after)


def test_product_that_is_read_before_its_bias_keeps_the_addition():
    before = step_of("p = MatMul(s, W)  a0 = Add(p, V)  a = Mul(a0, p)  b = MatMul(s, U)", W=W, U=U, V=V)
    count, after = merged(before)
    assert count == 1
    assert bodies(after)[0] == ["MatMul", "Split", "Add", "Mul", "Tanh", "Tanh", "Identity"]
    check(before, after)


REFUSALS = {
    "matrix that is no constant": ("a = MatMul(s, W)  b = MatMul(s, given)", {"W": W}),
    "another left side": ("a = MatMul(s, W)  t = Neg(s)  b = MatMul(t, U)", {"W": W, "U": U}),
    "matrix that is read again": (
        "a = MatMul(s, W)  q = MatMul(s, U)  b = Add(q, A)  more = Add(U, U)",
        {"W": W, "U": U, "A": A},
    ),
    "matrix that was to be the same twice": (
        "a = MatMul(s, W)  q = MatMul(s, W)  b = MatMul(q, T)",
        {"W": W, "T": random_array(5, 3)},
    ),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_what_stays(reason):
    lines, constants = REFUSALS[reason]
    before = step_of(lines, **constants)
    assert merge_products(GraphIndex(copy_of(before))) == 0


def test_products_outside_of_loops_stay():
    proto = model_of(
        "two (float[n,3] x) => (float[n,5] a, float[n,3] b) { a = MatMul(x, W)  b = MatMul(x, U) }", W=W, U=U
    )
    assert merge_products(GraphIndex(proto)) == 0
