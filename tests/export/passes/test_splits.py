"""A split of a part of a split becomes one split."""

import numpy as np
import pytest

from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.splits import splits
from tests.export.passes.loops import check_same, copy_of, main, model_of, random_array

FEED = {"x": random_array(2, 7)}


def graph(lines, outputs="float[2,1] c, float[2,3] d, float[2,3] b"):
    sizes = {"outer": [4, 3], "inner": [1, 3], "rows": [1, 1]}
    constants = {name: np.array(value, "int64") for name, value in sizes.items() if name in lines}
    return model_of(f"parts (float[2,7] x) => ({outputs}) {{ {lines} }}", **constants)


def joined(proto):
    after = copy_of(proto)
    count = splits(GraphIndex(after))
    return count, after


@pytest.mark.parametrize("axis", [1, -1])
def test_parts_of_a_part_are_parts_of_the_whole(axis):
    before = graph(f"a, b = Split<axis = 1>(x, outer) c, d = Split<axis = {axis}>(a, inner)")
    count, after = joined(before)
    assert count == 1
    assert main(after) == ["Split"]
    check_same(before, after, FEED)


def test_equal_parts_of_a_part_whose_size_is_known():
    before = graph(
        "a, b = Split<axis = 1>(x, outer) c, d = Split<axis = 1, num_outputs = 2>(a)",
        "float[2,2] c, float[2,2] d, float[2,3] b",
    )
    count, after = joined(before)
    assert (count, main(after)) == (1, ["Split"])
    check_same(before, after, FEED)


@pytest.mark.parametrize(
    ("lines", "outputs"),
    [
        (
            "a, b = Split<axis = 1>(x, outer) c, d = Split<axis = 0>(a, rows)",  # another axis
            "float[1,4] c, float[1,4] d, float[2,3] b",
        ),
        (
            "a, b = Split<axis = 1>(x, outer) c, d = Split<axis = 1>(a, inner) e = Tanh(a)",  # a is read twice
            "float[2,1] c, float[2,3] d, float[2,3] b, float[2,4] e",
        ),
        (
            "a, b = Split<axis = 1>(x, outer) c, d = Split<axis = 1>(a, inner)",  # a comes out
            "float[2,1] c, float[2,3] d, float[2,3] b, float[2,4] a",
        ),
    ],
)
def test_others_are_left_alone(lines, outputs):
    before = graph(lines, outputs)
    count, after = joined(before)
    assert count == 0
    check_same(before, after, FEED)
