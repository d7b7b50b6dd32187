"""States that no iteration changes become references, and nothing else does."""

import numpy as np
import pytest

from keras_seq.export.passes.dead_code import dead_code
from keras_seq.export.passes.identities import identities
from keras_seq.export.passes.loop_invariants import loop_invariants
from keras_seq.export.passes.unique_names import unique_names
from tests.export.passes.loops import bodies, check_same, copy_of, main, model_of, random_array

WEIGHTS = random_array(3, 3, seed=5)

RECURRENCE = """
    steps (int64 n, float[2,3] h0) => (float[2,3] h) {
        yes = Constant<value = bool {1}>()
        h, last = Loop<body = inner (int64 i, bool c, float[2,3] state, float[3,3] weights)
            => (bool c2, float[2,3] state2, float[3,3] weights2) {
            c2 = Identity(c)
            product = MatMul(state, weights)
            state2 = Tanh(product)
            weights2 = Identity(weights)
        }>(n, yes, h0, W)
    }
"""


def hoisted(proto, expected):
    """A copy without invariant states; `expected` is how many there were."""
    after = copy_of(proto)
    unique_names(after.graph)
    assert loop_invariants(after.graph) == expected
    assert loop_invariants(after.graph) == 0
    return after


def loop_of(proto):
    return next(node for node in proto.graph.node if node.op_type in ("Loop", "Scan"))


@pytest.mark.parametrize("trips", [0, 1, 5])
def test_weight_becomes_a_reference(trips):
    before = model_of(RECURRENCE, W=WEIGHTS)
    after = hoisted(before, 1)
    loop = loop_of(after)
    assert list(loop.input) == ["n", "yes", "h0"]
    assert len(loop.output) == 1
    body = loop.attribute[0].g
    assert [value.name for value in body.input] == ["i", "c", "state"]
    assert next(node for node in body.node if node.op_type == "MatMul").input[1] == "W"
    check_same(before, after, {"n": np.array(trips), "h0": random_array(2, 3)})


@pytest.mark.parametrize("trips", [0, 3])
def test_final_value_that_is_read_is_the_initial_one(trips):
    before = model_of(
        """
        steps (int64 n, float[3] h0, float[3] a) => (float[3] h, float[3] last, float[3] twice) {
            yes = Constant<value = bool {1}>()
            h, last = Loop<body = inner (int64 i, bool c, float[3] state, float[3] kept)
                => (bool c2, float[3] state2, float[3] kept) {
                c2 = Identity(c)
                state2 = Add(state, kept)
            }>(n, yes, h0, a)
            twice = Add(last, last)
        }
        """
    )
    after = hoisted(before, 1)
    assert main(after) == ["Constant", "Loop", "Add", "Identity"]
    check_same(before, after, {"n": np.array(trips), "h0": random_array(3), "a": random_array(3, seed=2)})


def test_chain_of_loops_passes_a_value_on():
    before = model_of(
        """
        steps (int64 n, float[3] h0, float[3] a) => (float[3] h2, float[3] a2) {
            yes = Constant<value = bool {1}>()
            h1, a1 = Loop<body = one (int64 i, bool c, float[3] s, float[3] k) => (bool c2, float[3] s2, float[3] k) {
                c2 = Identity(c)
                s2 = Add(s, k)
            }>(n, yes, h0, a)
            h2, a2 = Loop<body = two (int64 i, bool c, float[3] s, float[3] k) => (bool c2, float[3] s2, float[3] k) {
                c2 = Identity(c)
                s2 = Mul(s, k)
            }>(n, yes, h1, a1)
        }
        """
    )
    check_same(before, hoisted(before, 2), {"n": np.array(3), "h0": random_array(3), "a": random_array(3, seed=2)})


@pytest.mark.parametrize("trips", [0, 1, 2, 3])
def test_states_that_trade_places_stay(trips):
    before = model_of(
        """
        steps (int64 n, float[3] a0, float[3] b0) => (float[3] a, float[3] b) {
            yes = Constant<value = bool {1}>()
            a, b = Loop<body = inner (int64 i, bool c, float[3] x, float[3] y) => (bool c2, float[3] y2, float[3] x2) {
                c2 = Identity(c)
                x2 = Identity(x)
                y2 = Identity(y)
            }>(n, yes, a0, b0)
        }
        """
    )
    after = hoisted(before, 0)
    check_same(before, after, {"n": np.array(trips), "a0": random_array(3), "b0": random_array(3, seed=2)})


@pytest.mark.parametrize("trips", [0, 1, 2])
def test_state_that_takes_over_an_invariant_one_stays(trips):
    before = model_of(
        """
        steps (int64 n, float[3] a0, float[3] b0) => (float[3] a, float[3] b) {
            yes = Constant<value = bool {1}>()
            a, b = Loop<body = inner (int64 i, bool c, float[3] x, float[3] y) => (bool c2, float[3] x, float[3] x2) {
                c2 = Identity(c)
                x2 = Identity(x)
            }>(n, yes, a0, b0)
        }
        """
    )
    after = hoisted(before, 1)
    check_same(before, after, {"n": np.array(trips), "a0": random_array(3), "b0": random_array(3, seed=2)})


def test_collected_invariant_is_still_collected():
    before = model_of(
        """
        steps (int64 n, float[3] a0) => (float[3] a, float[k,3] all) {
            yes = Constant<value = bool {1}>()
            a, all = Loop<body = inner (int64 i, bool c, float[3] x) => (bool c2, float[3] x, float[3] out) {
                c2 = Identity(c)
                out = Identity(x)
            }>(n, yes, a0)
        }
        """
    )
    after = hoisted(before, 1)
    assert len(loop_of(after).output) == 1
    check_same(before, after, {"n": np.array(4), "a0": random_array(3)})


def test_loop_left_with_nothing_to_do_is_removed():
    before = model_of(
        """
        steps (int64 n, float[3] a0) => (float[3] b) {
            yes = Constant<value = bool {1}>()
            a = Loop<body = inner (int64 i, bool c, float[3] x) => (bool c2, float[3] x2) {
                c2 = Identity(c)
                x2 = Identity(x)
            }>(n, yes, a0)
            b = Neg(a)
        }
        """
    )
    after = hoisted(before, 1)
    assert main(after) == ["Constant", "Neg"]
    check_same(before, after, {"n": np.array(4), "a0": random_array(3)})


def test_invariants_of_nested_loops_leave_both():
    before = model_of(
        """
        steps (int64 n, float[2,3] h0) => (float[2,3] h) {
            yes = Constant<value = bool {1}>()
            h, w1 = Loop<body = outer (int64 i, bool c, float[2,3] s, float[3,3] w)
                => (bool c2, float[2,3] s2, float[3,3] w2) {
                c2 = Identity(c)
                s2, w2 = Loop<body = inner (int64 j, bool d, float[2,3] t, float[3,3] v)
                    => (bool d2, float[2,3] t2, float[3,3] v2) {
                    d2 = Identity(d)
                    p = MatMul(t, v)
                    t2 = Sin(p)
                    v2 = Identity(v)
                }>(n, c, s, w)
            }>(n, yes, h0, W)
        }
        """,
        W=WEIGHTS,
    )
    after = copy_of(before)
    while loop_invariants(after.graph):
        dead_code(after.graph)
        identities(after.graph)
    inner = loop_of(after).attribute[0].g.node[-1]
    assert [len(loop_of(after).input), len(inner.input)] == [3, 3]
    assert next(node for node in inner.attribute[0].g.node if node.op_type == "MatMul").input[1] == "W"
    check_same(before, after, *({"n": np.array(n), "h0": random_array(2, 3)} for n in (0, 2)))


def test_invariant_read_in_a_branch_inside_the_body():
    before = model_of(
        """
        steps (int64 n, float[3] h0, float[3] a) => (float[3] h) {
            yes = Constant<value = bool {1}>()
            two = Constant<value = int64 {2}>()
            h, last = Loop<body = inner (int64 i, bool c, float[3] s, float[3] k)
                => (bool c2, float[3] s2, float[3] k) {
                c2 = Identity(c)
                early = Less(i, two)
                s2 = If(early) <
                    then_branch = grow () => (float[3] y) { y = Add(s, k) },
                    else_branch = shrink () => (float[3] z) { z = Sub(s, k) }
                >
            }>(n, yes, h0, a)
        }
        """
    )
    after = hoisted(before, 1)
    check_same(before, after, {"n": np.array(5), "h0": random_array(3), "a": random_array(3, seed=2)})


def test_names_of_the_body_that_hide_those_outside():
    # The body's own `a` is a state; the invariant one comes from outside, where it is called `a` too.
    before = model_of(
        """
        steps (int64 n, float[3] s, float[3] a) => (float[3] h) {
            yes = Constant<value = bool {1}>()
            h, last = Loop<body = inner (int64 i, bool c, float[3] a, float[3] k) => (bool c2, float[3] h, float[3] k) {
                c2 = Identity(c)
                h = Mul(a, k)
            }>(n, yes, s, a)
        }
        """
    )
    after = hoisted(before, 1)
    x, a = random_array(3), random_array(3, seed=2)
    check_same(before, after, {"n": np.array(2), "s": x, "a": a})


def test_scan_gives_up_its_invariant_states():
    before = model_of(
        """
        steps (float[k,2,3] x, float[2,3] h0) => (float[2,3] h, float[k,2,3] y) {
            h, w2, y = Scan<num_scan_inputs = 1, body = inner (float[2,3] s, float[3,3] w, float[2,3] x_t)
                => (float[2,3] s2, float[3,3] kept, float[2,3] out) {
                p = MatMul(s, w)
                q = Add(p, x_t)
                kept = Identity(w)
                s2 = Tanh(q)
                out = Identity(s2)
            }>(h0, W, x)
        }
        """,
        W=WEIGHTS,
    )
    after = hoisted(before, 1)
    assert list(loop_of(after).input) == ["h0", "x"]
    assert bodies(after) == [["MatMul", "Add", "Identity", "Tanh", "Identity"]]
    check_same(before, after, {"x": random_array(5, 2, 3), "h0": random_array(2, 3, seed=2)})
