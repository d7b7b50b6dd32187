"""The binary tree of the hierarchical softmax."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np


class HuffmanTree:
    """A Huffman tree: the leaves are words, and the more frequent a word, the shorter its path from the root.

    Hierarchical softmax (Morin & Bengio 2005; Mikolov et al. 2013b, https://arxiv.org/abs/1310.4546, section 2.1)
    takes the probability of a word for the product of the decisions along its path. No tree has a smaller average
    length of path, weighted by the counts, than this one (Huffman 1952), so none is faster to learn.

    Of nodes with equal counts the one made first is joined first; the tree is the same on every machine.

    Args:
        counts: how often each word occurs, `(words,)`, at least two.

    Attributes:
        nodes: int32 `(words, depth)`; the inner nodes from the root to each word, behind the end of a path 0. The root
            is `words - 2`, the largest number.
        signs: float32 `(words, depth)`; +1 where the path goes left, -1 where it goes right, behind its end 0.
        lengths: int32 `(words,)`; how many decisions lead to each word, the length of its code.

    Raises:
        ValueError: for fewer than two words, or negative counts.

    Example:
    >>> HuffmanTree([5, 2, 1, 1]).lengths.tolist()
    [1, 2, 3, 3]
    """

    def __init__(self, counts: Sequence[int] | np.ndarray):
        counts = np.asarray(counts)
        if counts.ndim != 1 or len(counts) < 2 or (counts < 0).any():
            raise ValueError(
                "`counts` must be at least two numbers that are not negative. "
                f"Received: shape {counts.shape}, smallest {counts.min() if counts.size else None}"
            )
        parents, signs = _join(counts.tolist())
        self.lengths, self.nodes, self.signs = _paths(len(counts), parents, signs)

    @property
    def num_nodes(self) -> int:
        """How many inner nodes there are, one less than words."""
        return len(self.nodes) - 1


def _join(counts: list[int]) -> tuple[list[int], list[float]]:
    """The parent of each node but the root, and on which side of it the node stands; leaves come first."""
    words = len(counts)
    parents, signs = [0] * (2 * words - 2), [0.0] * (2 * words - 2)
    heap = [(count, leaf) for leaf, count in enumerate(counts)]
    heapq.heapify(heap)
    for parent in range(words, 2 * words - 1):
        left_count, left = heapq.heappop(heap)
        right_count, right = heapq.heappop(heap)
        parents[left] = parents[right] = parent
        signs[left], signs[right] = 1.0, -1.0
        heapq.heappush(heap, (left_count + right_count, parent))
    return parents, signs


def _paths(words: int, parents: list[int], signs: list[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    depths = [0] * (2 * words - 1)
    for node in range(2 * words - 3, -1, -1):  # parents have larger numbers than their children
        depths[node] = depths[parents[node]] + 1
    lengths = np.array(depths[:words], "int32")
    nodes = np.zeros((words, lengths.max()), "int32")
    path_signs = np.zeros((words, lengths.max()), "float32")
    for word in range(words):
        node = word
        for depth in range(lengths[word] - 1, -1, -1):
            path_signs[word, depth] = signs[node]
            node = parents[node]
            nodes[word, depth] = node - words
    return lengths, nodes, path_signs
