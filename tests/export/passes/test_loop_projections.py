"""Products of what each step reads become one product in front of the loop."""

import numpy as np
import pytest

from keras_seq.export.passes.dead_code import dead_code
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.identities import identities
from keras_seq.export.passes.loop_projections import loop_projections
from keras_seq.export.passes.outer_constants import outer_constants
from tests.export.passes.loops import bodies, check_same, copy_of, main, model_of, random_array

STEPS, BATCH, FEATURES, UNITS = 5, 2, 3, 7
CONSTANTS = {"W": random_array(FEATURES, UNITS, seed=5), "V": random_array(UNITS, seed=6), "none": np.array(0)}


def looped(trips="Shape(x) t = Gather(sizes, none)", step="x_i = Gather(x, i)", lines="", done="Identity(c)"):
    lines = lines or "p = MatMul(x_i, W) a = Add(V, p)"
    constants = {name: value for name, value in CONSTANTS.items() if name in trips + lines}
    return model_of(
        f"""
        steps (float[k,b,3] x, int64 n, bool yes, float[b,7] h0) => (float[b,7] h) {{
            sizes = {trips}
            h = Loop<body = inner (int64 i, bool c, float[b,7] s) => (bool c2, float[b,7] s2) {{
                {step}
                {lines}
                q = Add(s, a)
                s2 = Tanh(q)
                c2 = {done}
            }}>(t, yes, h0)
        }}
        """,
        **constants,
    )


def moved(proto):
    after, total = copy_of(proto), 0
    while count := loop_projections(GraphIndex(after)):
        total += count
        identities(after.graph)
        dead_code(after.graph)
    return total, after


def check(before, after, steps=STEPS, n=STEPS):
    feed = {"x": random_array(steps, BATCH, FEATURES), "n": np.array(n), "yes": np.array(True)}
    check_same(before, after, {**feed, "h0": random_array(BATCH, UNITS, seed=2)}, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("steps", [0, 1, STEPS])
def test_product_and_bias_move(steps):
    before = looped()
    total, after = moved(before)
    assert total == 2
    assert main(after) == ["Shape", "Gather", "MatMul", "Add", "Loop"]
    assert bodies(after) == [["Gather", "Add", "Tanh", "Identity"]]
    check(before, after, steps)


def test_input_read_backwards():
    ends = "first = Constant<value_ints = [-1]>() far = Constant<value_ints = [-2000000000]>() "
    axis = "start = Constant<value_ints = [0]>() "
    trips = f"Shape(x) t = Gather(sizes, none) {ends}{axis} y = Slice(x, first, far, start, first)"
    before = looped(trips=trips, step="x_i = Gather(y, i)")
    outer_constants(before.graph)
    total, after = moved(before)
    assert total == 2
    check(before, after)


STAYING = {
    "loop that may end early": {"done": "Less(i, none)"},
    "trip count from elsewhere": {"trips": "Shape(x) t = Identity(n)"},
    "another index": {"step": "j = Sub(i, i) x_i = Gather(x, j)"},
    "slice that is read again": {"lines": "p = MatMul(x_i, W) r = ReduceSum<keepdims = 0>(x_i) a = Add(p, r)"},
    "another axis": {"step": "y = Transpose<perm = [1, 0, 2]>(x) x_i = Gather<axis = 1>(y, i)"},
}


@pytest.mark.parametrize("reason", STAYING)
def test_product_stays(reason):
    before = looped(**STAYING[reason])
    total, after = moved(before)
    assert total == 0
    check(before, after)
