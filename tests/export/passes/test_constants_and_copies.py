"""Constants outside and once each, computed ahead where that is safe; duplicates and copies gone."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from keras_seq.export.passes.casts import CAST_RULES
from keras_seq.export.passes.constant_folding import constant_folding
from keras_seq.export.passes.dead_code import dead_code
from keras_seq.export.passes.duplicates import duplicates
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.identities import identities
from keras_seq.export.passes.integer_widths import integer_widths
from keras_seq.export.passes.outer_constants import outer_constants
from keras_seq.export.passes.rewrite import rewrite
from tests.export.passes.loops import bodies, check_same, copy_of, main, model_of, random_array

LOOP = """
    steps (int64 n, bool yes, float[3] h0) => (float[3] h) {{
        {before}
        h = Loop<body = inner (int64 i, bool c, float[3] s) => (bool c2, float[3] s2) {{
            {inside}
            c2 = Identity(c)
        }}>(n, yes, h0)
    }}
"""
FEED = {"n": np.array(2), "yes": np.array(True), "h0": random_array(3)}


def test_constants_move_out_and_equal_ones_become_one():
    two = "Constant<value = float {2}>()"
    before = model_of(
        LOOP.format(
            before=f"k = {two}",
            inside=f"a = {two} b = Constant<value_float = 2.0>() p = Mul(s, a) q = Mul(p, b) s2 = Mul(q, k)",
        )
    )
    inner = before.graph.node[-1].attribute[0].g
    inner.initializer.append(numpy_helper.from_array(np.float32(2), "stored"))
    inner.node[-2].input[1] = "stored"
    after = copy_of(before)
    assert outer_constants(after.graph) == 7  # four moved, three of them merged with the first
    assert bodies(after) == [["Mul", "Mul", "Mul", "Identity"]]
    assert len(after.graph.initializer) == 1
    check_same(before, after, FEED)


def test_constants_differ_by_type_and_dimensions():
    constants = {"a": np.float32(0), "b": np.zeros(1, "float32"), "c": np.int32(0)}
    proto = model_of(
        "one (float[1] x, int32 i) => (float[1] y, int32 j) { p = Add(x, a) y = Add(p, b) j = Add(i, c) }", **constants
    )
    assert outer_constants(proto.graph) == 0


def test_defaults_of_inputs_stay_apart():
    proto = model_of(
        "one (float x, float f, float g) => (float y) { p = Mul(x, f) y = Mul(p, g) }", f=np.float32(2), g=np.float32(2)
    )
    assert outer_constants(proto.graph) == 0
    assert len(proto.graph.initializer) == 2


def folded(proto):
    after = copy_of(proto)
    outer_constants(after.graph)
    count = constant_folding(GraphIndex(after))
    dead_code(after.graph)
    return count, after


def test_bias_is_cut_ahead():
    inside = "r, u = Split<axis = 0, num_outputs = 2>(biases) r1 = Squeeze(r, first) "
    inside += "u1 = Squeeze(u, first) p = Mul(s, r1) s2 = Add(p, u1)"
    before = model_of(LOOP.format(before="", inside=inside), biases=random_array(2, 3), first=np.array([0]))
    count, after = folded(before)
    assert count == 3
    assert bodies(after) == [["Mul", "Add", "Identity"]]
    check_same(before, after, FEED)


def test_size_that_is_known():
    before = model_of(
        "sizes (float[n,5] x) => (int64[1] y) { s = Shape(x) e = Slice(s, at1, at2) y = Neg(e) }",
        at1=np.array([1]),
        at2=np.array([2]),
    )
    count, after = folded(before)
    assert count == 1
    assert main(after) == ["Neg"]
    check_same(before, after, {"x": random_array(2, 5)})


STAYING = {
    "not the same everywhere": ("a = Exp(v) s2 = Add(s, a)", {"v": random_array(3)}),
    "would make the file larger": (
        "a = Expand(v, sizes) b = ReduceSum<keepdims = 0>(a, axes) s2 = Add(s, b)",
        {"v": random_array(1), "sizes": np.array([2000, 3]), "axes": np.array([0])},
    ),
    "integers divided by zero": (
        "a = Div(v, zero) b = Cast<to = 1>(a) s2 = Add(s, b)",
        {"v": np.array(3), "zero": np.array(0)},
    ),
    "integers divided below zero": (
        "a = Div(v, two) b = Cast<to = 1>(a) s2 = Add(s, b)",
        {"v": np.array(-3), "two": np.array(2)},
    ),
    "float too large for an integer": (
        "a = Cast<to = 6>(v) b = Cast<to = 1>(a) s2 = Add(s, b)",
        {"v": np.float32(1e20)},
    ),
}


@pytest.mark.parametrize("reason", STAYING)
def test_what_is_not_computed_ahead(reason):
    lines, constants = STAYING[reason]
    before = model_of(LOOP.format(before="", inside=lines), **constants)
    count, after = folded(before)
    assert count == 0
    assert bodies(after)[0][0] == bodies(before)[0][0]


def test_duplicate_in_the_body_gives_way_to_one_outside():
    before = model_of(
        LOOP.format(before="a = Exp(h0)", inside="b = Exp(h0) e = Exp(h0) f = Add(b, e) g = Mul(f, s) s2 = Add(g, a)")
    )
    after = copy_of(before)
    assert duplicates(after.graph) == 2
    assert main(after) == ["Exp", "Loop"]
    check_same(before, after, FEED)


DIFFERENT = {
    "attributes": "a = Cast<to = 7>(x) b = Cast<to = 6>(x) c = Cast<to = 7>(b) y = Add(a, c)",
    "order": "a = Sub(x, k) b = Sub(k, x) p = Mul(a, b) y = Cast<to = 7>(p)",
    "random numbers": "a = RandomUniformLike(x) b = RandomUniformLike(x) p = Sub(a, b) y = Cast<to = 7>(p)",
}


@pytest.mark.parametrize("lines", DIFFERENT.values(), ids=DIFFERENT)
def test_nodes_that_differ_stay(lines):
    proto = model_of(f"two (float[3] x) => (int64[3] y) {{ {lines} }}", k=np.float32(2))
    assert duplicates(proto.graph) == 0


def test_duplicate_that_is_an_output_stays():
    before = model_of("two (float[3] x) => (float[3] y, float[3] z) { y = Neg(x) z = Neg(x) }")
    after = copy_of(before)
    assert duplicates(after.graph) == 0


def test_copies_stay_where_an_output_needs_one():
    before = model_of(
        """
        steps (int64 n, bool yes, float[3] x) => (float[3] h, float[k,3] all, float[k,3] outer, float[3] same) {
            h, all, outer = Loop<body = inner (int64 i, bool c, float[3] s)
                => (bool c2, float[3] s2, float[3] out, float[3] x2) {
                c2 = Identity(c)
                t = Tanh(s)
                u = Identity(t)
                s2 = Identity(u)
                out = Identity(s2)
                x2 = Identity(x)
            }>(n, yes, x)
            same = Identity(x)
        }
        """
    )
    after = copy_of(before)
    assert identities(after.graph) == 2
    assert bodies(after) == [["Identity", "Tanh", "Identity", "Identity"]]
    check_same(before, after, {"n": np.array(2), "yes": np.array(True), "x": random_array(3)})


def widened(proto):
    after = copy_of(proto)
    outer_constants(after.graph)
    count = integer_widths(GraphIndex(after))
    rewrite(GraphIndex(after), CAST_RULES)
    identities(after.graph)
    dead_code(after.graph)
    return count, after


def casts(proto):
    return sum(node.op_type == "Cast" for node in proto.graph.node)


def test_positions_stay_as_wide_as_they_are_made():
    before = model_of(
        """
        best (float[p,6] x, bool[p,2] done, int32[p,1] base) => (int64[p,2] y, float[q,6] rows) {
            v, k = TopK(x, two)
            n = Cast<to = 6>(k)
            t = Where(done, none, n)
            y = Cast<to = 7>(t)
            third = Div(n, three)
            m = Add(third, base)
            flat = Reshape(m, all)
            rows = Gather(x, flat)
        }
        """,
        two=np.array([2]),
        none=np.int32(0),
        three=np.int32(3),
        all=np.array([-1]),
    )
    count, after = widened(before)
    assert count == 1
    assert casts(after) == 1  # of the base, which comes in 32 bits
    feed = {
        "x": random_array(2, 6),
        "done": np.array([[True, False], [False, False]]),
        "base": np.array([[0], [0]], "int32"),
    }
    check_same(before, after, feed)


def test_narrow_output_is_still_narrow():
    before = model_of(
        """
        best (float[p,6] x) => (int32[p] narrow, int64[p] wide, int64[p] other) {
            k = ArgMax<axis = 1, keepdims = 0>(x)
            n = Cast<to = 6>(k)
            narrow = Mul(n, three)
            wide = Cast<to = 7>(narrow)
            m = Max(n, three)
            other = Cast<to = 7>(m)
        }
        """,
        three=np.int32(3),
    )
    count, after = widened(before)
    assert count == 1
    assert casts(after) == 1
    check_same(before, after, {"x": random_array(4, 6)})


@pytest.mark.parametrize(
    "lines",
    ["n = Cast<to = 6>(k) m = Mul(n, n) y = Cast<to = 7>(m)", "n = Cast<to = 6>(a) y = Neg(n)"],
    ids=["may not fit", "saves nothing"],
)
def test_narrow_numbers_that_stay(lines):
    kind = "int64" if lines.endswith("Cast<to = 7>(m)") else "int32"
    before = model_of(
        f"best (float[p,6] x, int64[p] k) => ({kind}[p] y) {{ a = ArgMax<axis = 1, keepdims = 0>(x) {lines} }}"
    )
    assert integer_widths(GraphIndex(copy_of(before))) == 0


def test_inference_sees_sizes_inside_bodies_by_constants_outside():
    proto = model_of(
        LOOP.format(before="", inside="a = Reshape(s, one3) b = Reshape(a, three) s2 = Neg(b)"),
        one3=np.array([1, 3]),
        three=np.array([3]),
    )
    index = GraphIndex(proto)
    assert (index.shape("a"), index.dtype("a")) == ((1, 3), onnx.TensorProto.FLOAT)
