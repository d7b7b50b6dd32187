"""Each local rule: what it makes, and that it holds back where it would not be right."""

import numpy as np
import pytest

from keras_seq.export.passes.casts import CAST_RULES
from keras_seq.export.passes.dead_code import dead_code
from keras_seq.export.passes.flattened_products import PRODUCT_RULES
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.identities import identities
from keras_seq.export.passes.logic import LOGIC_RULES
from keras_seq.export.passes.outer_constants import outer_constants
from keras_seq.export.passes.rewrite import rewrite
from keras_seq.export.passes.shapes import SHAPE_RULES
from tests.export.passes.loops import check_same, copy_of, main, model_of, random_array

RULES = {"casts": CAST_RULES, "logic": LOGIC_RULES, "shapes": SHAPE_RULES, "products": PRODUCT_RULES}

X = {"x": random_array(2, 3, 5)}
M = {"x": random_array(2, 6)}
I = {"i": np.array([[3, -1, 2], [0, 1, 5]])}  # noqa: E741
B = {"b": np.array([True, False, True])}
IN_X, IN_M, IN_I, IN_B = "float[2,3,5] x", "float[p,6] x", "int64[2,3] i", "bool[3] b"

# Rules, inputs, output, lines, what is left, an example. `k` are constants: [a, b] of integers, numbers as they are.
FITS = {
    "cast to its own type": ("casts", IN_I, "int64[2,3] y", "y = Cast<to = 7>(i)", ["Identity"], I),
    "cast of a cast that keeps everything": (
        "casts",
        IN_B,
        "float[3] y",
        "a = Cast<to = 6>(b) y = Cast<to = 1>(a)",
        ["Cast"],
        B,
    ),
    "position through 32 bits": (
        "casts",
        IN_M,
        "int64[p] y",
        "a = ArgMax<axis = 1, keepdims = 0>(x) c = Cast<to = 6>(a) d = Cast<to = 7>(c) y = Neg(d)",
        ["ArgMax", "Neg"],
        M,
    ),
    "integers compared as floats": (
        "casts",
        IN_I,
        "bool[2,3] y",
        "a = Cast<to = 1>(i) c = Neg(i) d = Cast<to = 1>(c) y = LessOrEqual(a, d)",
        ["Neg", "LessOrEqual"],
        I,
    ),
    "integers compared with a whole float": (
        "casts",
        IN_I,
        "bool[2,3] y",
        "a = Cast<to = 1>(i) y = Greater(a, two)",
        ["Greater"],
        I,
    ),
    "index in 32 bits": (
        "casts",
        IN_M,
        "float[p,6] y",
        "a = ArgMax<axis = 0, keepdims = 0>(x) c = Cast<to = 6>(a) y = Gather(x, c)",
        ["ArgMax", "Gather"],
        {"x": random_array(6, 6)},
    ),
    "double negation": ("logic", IN_B, "bool[3] y", "a = Not(b) y = Not(a)", ["Identity"], B),
    "and of one": ("logic", IN_B, "bool[3] y", "y = And(b, b)", ["Identity"], B),
    "and true": ("logic", IN_B, "bool[3] y", "y = And(yes, b)", ["Identity"], B),
    "or false": ("logic", IN_B, "bool[3] y", "y = Or(b, no)", ["Identity"], B),
    "product with one": ("logic", IN_M, "float[p,6] y", "y = Mul(one, x)", ["Identity"], M),
    "power of one": ("logic", IN_M, "float[p,6] y", "y = Pow(x, one)", ["Identity"], M),
    "sum with no integer": ("logic", IN_I, "int64[2,3] y", "y = Add(i, none)", ["Identity"], I),
    "choice by a negation": ("logic", IN_B, "float[3] y", "a = Not(b) y = Where(a, one, two)", ["Where"], B),
    "slice of everything": ("shapes", IN_X, "float[2,3,5] y", "y = Slice(x, zeros, ends, axes02)", ["Identity"], X),
    "reshape to the same": ("shapes", IN_M, "float[p,6] y", "y = Reshape(x, rows6)", ["Identity"], M),
    "reshape of a reshape": (
        "shapes",
        IN_X,
        "float[6,5] y",
        "a = Reshape(x, flat) y = Reshape(a, rows5)",
        ["Reshape"],
        X,
    ),
    "reshape of a new axis": (
        "shapes",
        IN_X,
        "float[6,5] y",
        "a = Unsqueeze(x, axis1) y = Reshape(a, rows5)",
        ["Reshape"],
        X,
    ),
    "new axis of a reshape": (
        "shapes",
        IN_X,
        "float[6,1,5] y",
        "a = Reshape(x, rows5) y = Unsqueeze(a, axis1)",
        ["Reshape"],
        X,
    ),
    "axis of a reshape less": (
        "shapes",
        IN_X,
        "float[30] y",
        "a = Reshape(x, column) y = Squeeze(a, axis1)",
        ["Reshape"],
        X,
    ),
    "axis added and dropped": (
        "shapes",
        IN_X,
        "float[2,3,5] y",
        "a = Unsqueeze(x, axis1) y = Squeeze(a, axis1)",
        ["Identity"],
        X,
    ),
    "axis dropped and added": (
        "shapes",
        "float[2,1,5] x",
        "float[2,1,5] y",
        "a = Squeeze(x, axis1) y = Unsqueeze(a, axis1)",
        ["Identity"],
        {"x": random_array(2, 1, 5)},
    ),
    "turned twice": (
        "shapes",
        IN_X,
        "float[5,2,3] y",
        "a = Transpose<perm = [1, 2, 0]>(x) y = Transpose<perm = [1, 2, 0]>(a)",
        ["Transpose"],
        X,
    ),
    "turned there and back": (
        "shapes",
        IN_X,
        "float[2,3,5] y",
        "a = Transpose<perm = [1, 2, 0]>(x) y = Transpose<perm = [2, 0, 1]>(a)",
        ["Identity"],
        X,
    ),
    "shape of element by element": ("shapes", IN_X, "int64[3] y", "a = Tanh(x) y = Shape(a)", ["Shape"], X),
    "element of each row": (
        "shapes",
        f"{IN_M}, int64[p,2] j",
        "float[p,2] y",
        "a = Unsqueeze(j, last) y = GatherND<batch_dims = 1>(x, a)",
        ["GatherElements"],
        {**M, "j": np.array([[5, 0], [3, 3]])},
    ),
    "flattened product": (
        "products",
        "float[p,q,5] x",
        "float[p,q,4] y",
        "a = Reshape(x, rows5) p0 = MatMul(a, W) s = Shape(x) f = Gather(s, first2) t = Concat<axis = 0>(f, four) "
        "y = Reshape(p0, t)",
        ["MatMul"],
        X,
    ),
    "flattened product of an activation": (
        "products",
        "float[p,3,5] x0",
        "float[p,3,4] y",
        "x = Tanh(x0) a = Reshape(x, rows5) p0 = MatMul(a, W) y = Reshape(p0, open34)",
        ["Tanh", "MatMul"],
        {"x0": X["x"]},
    ),
    "slices that are all of it": (
        "products",
        IN_M,
        "float[p,6] y",
        "c = Slice(x, at4, end, axis1) a = Slice(x, at0, at3, axis1) b = Slice(x, at3, at4, axis1) "
        "y = Concat<axis = 1>(c, a, b)",
        ["Split", "Concat"],
        M,
    ),
}

STAYS = {
    "cast that loses something": (
        "casts",
        "float[2,3] x",
        "float[2,3] y",
        "a = Cast<to = 7>(x) y = Cast<to = 1>(a)",
        {"x": random_array(2, 3)},
    ),
    "number through 32 bits that may not fit": (
        "casts",
        IN_I,
        "int64[2,3] y",
        "a = Cast<to = 6>(i) y = Cast<to = 7>(a)",
        {"i": I["i"] * 2**33},
    ),
    "integers compared with a half": ("casts", IN_I, "bool[2,3] y", "a = Cast<to = 1>(i) y = Greater(a, half)", I),
    "index that may not fit": (
        "casts",
        f"{IN_M}, int64[2] j",
        "float[2,6] y",
        "a = Cast<to = 6>(j) y = Gather(x, a)",
        {**M, "j": np.array([1, 0])},
    ),
    "and of two": ("logic", f"{IN_B}, bool[3] b2", "bool[3] y", "y = And(b, b2)", {**B, "b2": ~B["b"]}),
    "neutral constant with more axes": ("logic", IN_M, "float[1,p,6] y", "y = Mul(x, one3)", M),
    "sum with 0.0": ("logic", IN_M, "float[p,6] y", "y = Add(x, nought)", {"x": np.full((2, 6), -0.0, "float32")}),
    "slice of a part": ("shapes", IN_X, "float[2,3,3] y", "y = Slice(x, at0, at3, axis2)", X),
    "slice backwards": ("shapes", IN_X, "float[2,3,5] y", "y = Slice(x, last, far, axis2, last)", X),
    "reshape to others": ("shapes", IN_M, "float[r,3] y", "y = Reshape(x, rows3)", M),
    "reshape that copies a size": ("shapes", IN_X, "float[6,5,1] y", "a = Reshape(x, rows5) y = Reshape(a, copy51)", X),
    "other axis dropped than added": (
        "shapes",
        "float[2,1,5] x",
        "float[1,2,5] y",
        "a = Unsqueeze(x, axis0) y = Squeeze(a, axis2)",
        {"x": random_array(2, 1, 5)},
    ),
    "elements of another axis": (
        "shapes",
        f"{IN_X}, int64[2,4,1] j",
        "float[2,4,5] y",
        "y = GatherND<batch_dims = 1>(x, j)",
        {**X, "j": np.array([[[2], [0], [1], [0]], [[1], [1], [2], [0]]])},
    ),
    "product that is restored otherwise": (
        "products",
        IN_X,
        "float[3,2,4] y",
        "a = Reshape(x, rows5) p0 = MatMul(a, W) y = Reshape(p0, other)",
        X,
    ),
    "slices with a gap": (
        "products",
        IN_M,
        "float[p,5] y",
        "a = Slice(x, at0, at3, axis1) b = Slice(x, at4, end, axis1) y = Concat<axis = 1>(a, b)",
        M,
    ),
    "slices that overlap": (
        "products",
        IN_M,
        "float[p,7] y",
        "a = Slice(x, at0, at4, axis1) b = Slice(x, at3, end, axis1) y = Concat<axis = 1>(a, b)",
        M,
    ),
    "slices along two axes": (
        "products",
        "float[6,6] x",
        "float[3,3] y",
        "a = Slice(x, at0, at3, axis0) b = Slice(x, at3, end, axis1) c = Slice(b, at0, at3, axis0) "
        "d = Slice(a, at0, at3, axis1) y = Add(c, d)",
        {"x": random_array(6, 6)},
    ),
}


def built(inputs, output, lines):
    values = {
        "zeros": [0, 0], "ends": [2**31 - 1, 5], "axes02": [0, 2], "rows6": [-1, 6], "rows5": [-1, 5], "rows3": [-1, 3],
        "flat": [-1], "column": [-1, 1], "copy51": [0, 5, 1], "axis0": [0], "axis1": [1], "axis2": [2], "last": [-1],
        "far": [-(10**9)], "first2": [0, 1], "four": [4], "open34": [-1, 3, 4], "other": [3, 2, 4], "at0": [0],
        "at3": [3], "at4": [4], "end": [2**31 - 1],
    }  # fmt: skip
    constants = {name: np.array(value, "int64") for name, value in values.items()}
    constants |= {"one": np.float32(1), "two": np.float32(2), "half": np.float32(0.5), "nought": np.float32(0)}
    constants |= {"one3": np.ones((1, 1, 1), "float32"), "none": np.array(0)}
    constants |= {"yes": np.array(True), "no": np.array(False)}
    constants["W"] = random_array(5, 4, seed=9)
    words = set(lines.replace("(", " ").replace(")", " ").replace(",", " ").split())
    used = {name: value for name, value in constants.items() if name in words}
    return model_of(f"rule ({inputs}) => ({output}) {{ {lines} }}", **used)


def apply(rules, proto):
    after = copy_of(proto)
    outer_constants(after.graph)
    count = rewrite(GraphIndex(after), RULES[rules])
    identities(after.graph)
    dead_code(after.graph)
    return count, after


@pytest.mark.parametrize("name", FITS)
def test_rule_fits(name):
    rules, inputs, output, lines, left, feed = FITS[name]
    before = built(inputs, output, lines)
    count, after = apply(rules, before)
    assert count
    assert main(after) == left
    check_same(before, after, feed, rtol=1e-5 * (rules == "products"), atol=1e-6 * (rules == "products"))


@pytest.mark.parametrize("name", STAYS)
def test_rule_holds_back(name):
    rules, inputs, output, lines, feed = STAYS[name]
    before = built(inputs, output, lines)
    count, after = apply(rules, before)
    assert count == 0
    check_same(before, after, feed)


def test_comparison_of_integers_that_are_one_float():
    """What the rule changes, and for the better: above 2**24 neighbours are the same float."""
    lines = "a = Cast<to = 1>(i) c = Add(i, four) d = Cast<to = 1>(c) y = Less(a, d)"
    before = built(IN_I, "bool[2,3] y", lines)
    _, after = apply("casts", before)
    assert main(after) == ["Add", "Less"]


def test_value_that_a_caller_may_replace_is_no_constant():
    proto = model_of("scaled (float[3] x, float factor) => (float[3] y) { y = Mul(x, factor) }", factor=np.float32(1))
    count, _ = apply("logic", proto)
    assert count == 0
