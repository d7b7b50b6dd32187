"""What is the same in every iteration leaves the loop; what could fail or belongs to a branch stays."""

import numpy as np
import pytest
from onnx import TensorProto

from keras_seq.export.passes.loop_motion import loop_motion
from tests.export.passes.loops import bodies, check_same, copy_of, main, model_of, random_array


def moved(proto, expected, types=None):
    after = copy_of(proto)
    assert loop_motion(after.graph, types) == expected
    return after


@pytest.mark.parametrize("trips", [0, 1, 3])
def test_chain_moves_in_order(trips):
    before = model_of(
        """
        steps (int64 n, float[2,3] h0, float[3,2] keys) => (float[2,3] h) {
            yes = Constant<value = bool {1}>()
            h = Loop<body = inner (int64 i, bool c, float[2,3] s) => (bool c2, float[2,3] s2) {
                turned = Transpose<perm = [1, 0]>(keys)
                p = Mul(s, turned)
                squared = Mul(turned, turned)
                s2 = Add(p, squared)
                c2 = Identity(c)
            }>(n, yes, h0)
        }
        """
    )
    after = moved(before, 2)
    assert main(after) == ["Constant", "Transpose", "Mul", "Loop"]
    assert bodies(after) == [["Mul", "Add", "Identity"]]
    check_same(before, after, {"n": np.array(trips), "h0": random_array(2, 3), "keys": random_array(3, 2, seed=2)})


def test_out_of_two_loops():
    before = model_of(
        """
        steps (int64 n, float[3] h0, float[3] a) => (float[3] h) {
            yes = Constant<value = bool {1}>()
            h = Loop<body = outer (int64 i, bool c, float[3] s) => (bool c2, float[3] s2) {
                c2 = Identity(c)
                s2 = Loop<body = inner (int64 j, bool d, float[3] t) => (bool d2, float[3] t2) {
                    d2 = Identity(d)
                    b = Exp(a)
                    e = Tanh(s)
                    f = Add(b, e)
                    t2 = Add(t, f)
                }>(n, c, s)
            }>(n, yes, h0)
        }
        """
    )
    after = moved(before, 4)  # b twice; e and f once: they read the state of the outer loop
    assert main(after) == ["Constant", "Exp", "Loop"]
    assert bodies(after) == [["Identity", "Tanh", "Add", "Loop"], ["Identity", "Add"]]
    feed = {"h0": random_array(3), "a": random_array(3, seed=2)}
    check_same(before, after, *({"n": np.array(n), **feed} for n in (0, 2)), rtol=1e-6)


def test_out_of_a_scan():
    before = model_of(
        """
        steps (float[k,3] x, float[3] h0, float[3] a) => (float[3] h) {
            h = Scan<num_scan_inputs = 1, body = inner (float[3] s, float[3] x_t) => (float[3] s2) {
                b = Neg(a)
                p = Mul(s, b)
                s2 = Add(p, x_t)
            }>(h0, x)
        }
        """
    )
    after = moved(before, 1)
    assert main(after) == ["Neg", "Scan"]
    check_same(before, after, {"x": random_array(5, 3), "h0": random_array(3, seed=2), "a": random_array(3, seed=3)})


STAYING = {
    "random numbers": "noise = RandomNormalLike<seed = 1.0>(a)  same = Mul(noise, zero)",
    "an index that may be out of range": "same = Gather(a, k)",
    "a division of integers": "q = Div(k, k)  same = Cast<to = 1>(q)",
}


@pytest.mark.parametrize("lines", STAYING.values(), ids=STAYING)
def test_what_might_fail_or_differ_stays(lines):
    proto = model_of(
        f"""
        steps (int64 n, float[3] h0, float[3] a, int64 k, float zero) => (float[3] h) {{
            yes = Constant<value = bool {{1}}>()
            h = Loop<body = inner (int64 i, bool c, float[3] s) => (bool c2, float[3] s2) {{
                {lines}
                s2 = Add(s, same)
                c2 = Identity(c)
            }}>(n, yes, h0)
        }}
        """
    )
    before = bodies(proto)
    after = copy_of(proto)
    loop_motion(after.graph, {"k": TensorProto.INT64})
    assert bodies(after)[0][0] == before[0][0]


def test_division_of_floats_moves_once_it_is_known_to_be_one():
    text = """
        steps (int64 n, float[3] h0, float[3] a) => (float[3] h) {
            yes = Constant<value = bool {1}>()
            h = Loop<body = inner (int64 i, bool c, float[3] s) => (bool c2, float[3] s2) {
                q = Div(a, a)
                s2 = Add(s, q)
                c2 = Identity(c)
            }>(n, yes, h0)
        }
        """
    moved(model_of(text), 0)
    moved(model_of(text), 1, {"a": TensorProto.FLOAT})


def test_output_of_the_body_and_branch_of_a_condition_stay():
    before = model_of(
        """
        steps (int64 n, float[3] h0, float[3] a) => (float[3] h, float[k,3] all) {
            yes = Constant<value = bool {1}>()
            two = Constant<value = int64 {2}>()
            h, all = Loop<body = inner (int64 i, bool c, float[3] s) => (bool c2, float[3] s2, float[3] out) {
                out = Neg(a)
                early = Less(i, two)
                s2 = If(early) <
                    then_branch = grow () => (float[3] y) { e = Exp(a)  y = Add(s, e) },
                    else_branch = same () => (float[3] z) { z = Identity(s) }
                >
                c2 = Identity(c)
            }>(n, yes, h0)
        }
        """
    )
    after = moved(before, 0)
    check_same(before, after, {"n": np.array(3), "h0": random_array(3), "a": random_array(3, seed=2)})
