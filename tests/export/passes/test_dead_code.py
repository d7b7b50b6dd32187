"""What nothing reads goes; what something reads, by whatever detour, stays."""

import numpy as np

from keras_seq.export.passes.dead_code import dead_code
from tests.export.passes.loops import bodies, check_same, copy_of, main, model_of, random_array


def cleaned(proto):
    after = copy_of(proto)
    dead_code(after.graph)
    assert dead_code(after.graph) == 0
    return after


def test_nodes_and_constants_that_nothing_reads():
    before = model_of(
        "one (float[3] x) => (float[3] y) { a = Exp(x)  b = Neg(a)  y = Add(x, V) }",
        V=random_array(3),
        unread=random_array(3),
    )
    after = cleaned(before)
    assert main(after) == ["Add"]
    assert [tensor.name for tensor in after.graph.initializer] == ["V"]
    check_same(before, after, {"x": random_array(3)})


def test_states_that_only_serve_each_other():
    before = model_of(
        """
        steps (int64 n, bool yes, float[3] h0, float[3] a0) => (float[3] h) {
            h, a, b, all = Loop<body = inner (int64 i, bool c, float[3] s, float[3] p, float[3] q)
                => (bool c2, float[3] s2, float[3] p2, float[3] q2, float[3] out) {
                c2 = Identity(c)
                s2 = Tanh(s)
                p2 = Neg(q)
                q2 = Exp(p)
                out = Add(p2, s2)
            }>(n, yes, h0, a0, a0)
        }
        """
    )
    after = cleaned(before)
    assert bodies(after) == [["Identity", "Tanh"]]
    assert [len(after.graph.node[0].input), len(after.graph.node[0].output)] == [3, 1]
    check_same(before, after, {"n": np.array(2), "yes": np.array(True), "h0": random_array(3), "a0": random_array(3)})


def test_state_that_the_condition_or_another_state_needs():
    before = model_of(
        """
        steps (int64 n, bool yes, float[3] h0, float[3] a0, float b0) => (float[3] h) {
            limit = Constant<value = float {2.5}>()
            one = Constant<value = float {1}>()
            h, a, b = Loop<body = inner (int64 i, bool c, float[3] s, float[3] p, float t)
                => (bool c2, float[3] s2, float[3] p2, float t2) {
                t2 = Add(t, one)
                c2 = Less(t2, limit)
                s2 = If(c) <
                    then_branch = grow () => (float[3] y) { y = Add(s, p) },
                    else_branch = same () => (float[3] z) { z = Identity(s) }
                >
                p2 = Neg(p)
            }>(n, yes, h0, a0, b0)
        }
        """
    )
    after = cleaned(before)
    assert len(after.graph.node[-1].input) == 5
    feed = {
        "n": np.array(9),
        "yes": np.array(True),
        "h0": random_array(3),
        "a0": random_array(3),
        "b0": np.zeros((), "f"),
    }
    check_same(before, after, feed)


def test_collected_output_of_a_scan_that_nothing_reads_goes_with_its_axis():
    before = model_of(
        """
        steps (float[k,3] x, float[3] h0) => (float[3,k] y) {
            h, z, y = Scan<num_scan_inputs = 1, scan_output_axes = [0, 1], body = inner (float[3] s, float[3] x_t)
                => (float[3] s2, float[3] out1, float[3] out2) {
                s2 = Add(s, x_t)
                out1 = Exp(s2)
                out2 = Neg(s2)
            }>(h0, x)
        }
        """
    )
    after = cleaned(before)
    assert bodies(after) == [["Add", "Neg"]]
    scan = after.graph.node[0]
    assert next(list(a.ints) for a in scan.attribute if a.name == "scan_output_axes") == [1]
    feed = {"x": random_array(5, 3), "h0": random_array(3, seed=2)}
    check_same(before, after, feed, runtimes=("onnxruntime",))  # the reference knows no other axis than the first


def test_input_with_a_default_keeps_it():
    proto = model_of("one (float[3] x, float f) => (float[3] y) { y = Neg(x) }", f=np.float32(2))
    assert dead_code(proto.graph) == 0
