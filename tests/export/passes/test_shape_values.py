"""Sizes are followed to where they come from, and no further."""

import numpy as np
import pytest

from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.shape_values import Dimension, dimension, shape_value
from tests.export.passes.loops import model_of, random_array

CONSTANTS = {
    "W": random_array(5, 3),
    "V": random_array(3),
    "zero": np.array([0]),
    "one": np.array([1]),
    "last": np.array([-1]),
    "second": np.array([-2]),
    "far": np.array([-(2**31)]),
    "end": np.array([2**31 - 1]),
    "k": np.array(0),
}

FOLLOWED = {
    "element by element": ("y = Tanh(x)", 0, Dimension("x", 0)),
    "with a constant of fewer axes": ("p = MatMul(x, W) y = Add(V, p)", 1, Dimension("x", 1)),
    "turned": ("y = Transpose<perm = [1, 2, 0]>(x)", 2, Dimension("x", 0)),
    "cut along another axis": ("y = Slice(x, one, end, zero)", 1, Dimension("x", 1)),
    "in reverse": ("y = Slice(x, last, far, zero, last)", 0, Dimension("x", 0)),
}
NOT_FOLLOWED = {
    "last axis of a product": ("y = MatMul(x, W)", 2),
    "constant of as many axes": ("p = MatMul(x, W) y = Add(p, V3)", 0),
    "cut": ("y = Slice(x, one, end, zero)", 0),
    "in reverse, not from the end": ("y = Slice(x, second, far, zero, last)", 0),
    "every other one": ("y = Slice(x, last, far, zero, second)", 0),
    "sum of two that vary": ("a = Neg(x) y = Add(x, a)", 0),
}


def index_of(lines):
    constants = {**CONSTANTS, "V3": random_array(1, 1, 3)}
    words = set(lines.replace("(", " ").replace(")", " ").replace(",", " ").split())
    used = {name: value for name, value in constants.items() if name in words}
    return GraphIndex(model_of(f"sizes (float[a,b,5] x) => (float[c,d,e] y) {{ {lines} }}", **used))


@pytest.mark.parametrize("name", FOLLOWED)
def test_dimension_comes_through(name):
    lines, axis, expected = FOLLOWED[name]
    assert dimension("y", axis, index_of(lines)) == expected


@pytest.mark.parametrize("name", NOT_FOLLOWED)
def test_dimension_ends_here(name):
    lines, axis = NOT_FOLLOWED[name]
    assert dimension("y", axis, index_of(lines)).value != "x"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("s = Shape(x)", [Dimension("x", 0), Dimension("x", 1), 5]),
        ("s = Shape<start = 1>(x)", [Dimension("x", 1), 5]),
        ("r = Shape(x) c = Cast<to = 6>(r) s = Slice(c, one, end)", [Dimension("x", 1), 5]),
        ("r = Shape(x) c = Gather(r, k) u = Unsqueeze(c, zero) s = Concat<axis = 0>(u, last)", [Dimension("x", 0), -1]),
        ("r = Shape(x) s = Slice(r, last, far, zero, last)", None),
        ("r = Shape(x) s = Add(r, one)", None),
    ],
)
def test_vector_of_sizes(lines, expected):
    assert shape_value("s", index_of(f"{lines} y = Neg(x)")) == expected
