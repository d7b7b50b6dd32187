import itertools
import math

import numpy as np
import pytest

from keras_seq.embeddings import HuffmanTree


def smallest_total(counts):
    """The smallest sum of count times length over all codes: lengths that meet Kraft's inequality, by enumeration."""
    depth = len(counts) - 1
    return min(
        sum(count * length for count, length in zip(counts, lengths, strict=True))
        for lengths in itertools.product(range(1, depth + 1), repeat=len(counts))
        if sum(2.0**-length for length in lengths) <= 1.0
    )


@pytest.mark.parametrize("counts", [[1, 1], [5, 2, 1, 1], [7, 7, 7, 7, 7], [1, 2, 4, 8, 16], [11, 3, 3, 2, 1, 1]])
def test_no_code_is_shorter_on_average(counts):
    assert HuffmanTree(counts).lengths @ np.array(counts) == smallest_total(counts)


def test_a_large_tree_is_within_one_decision_of_the_entropy():
    counts = np.random.default_rng(3).integers(1, 1000, 997)
    shares = counts / counts.sum()
    entropy = -(shares * np.log2(shares)).sum()
    average = HuffmanTree(counts).lengths @ shares
    assert entropy <= average < entropy + 1


def test_each_path_begins_at_the_root_and_ends_at_a_leaf_of_its_own():
    tree = HuffmanTree(np.random.default_rng(5).integers(0, 50, 31))
    paths = set()
    for nodes, signs, length in zip(tree.nodes, tree.signs, tree.lengths, strict=True):
        assert nodes[0] == tree.num_nodes - 1 == 29
        assert set(np.abs(signs[:length])) == {1.0}
        assert not signs[length:].any()
        assert not nodes[length:].any()
        paths.add(tuple(signs[:length]))
    # No path begins with another one, and together they fill the tree.
    assert all(one == other or one != other[: len(one)] for one in paths for other in paths)
    assert math.fsum(2.0 ** -len(path) for path in paths) == 1.0


def test_a_node_has_one_place():
    tree = HuffmanTree(np.random.default_rng(7).integers(1, 50, 23))
    ways = {}
    for nodes, signs, length in zip(tree.nodes, tree.signs, tree.lengths, strict=True):
        for depth in range(length):
            assert ways.setdefault(nodes[depth], tuple(signs[:depth])) == tuple(signs[:depth])
    assert sorted(ways) == list(range(22))


@pytest.mark.parametrize("counts", [[], [3], [2, -1], [[1, 2]]])
def test_counts_that_make_no_tree_are_refused(counts):
    with pytest.raises(ValueError, match=r"`counts` must be at least two numbers that are not negative"):
        HuffmanTree(counts)
