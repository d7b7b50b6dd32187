"""Collects the nodes and constants of a piece of graph, under names of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper

from keras_seq.export.lowering.target import CONTRIB

__all__ = ["ML", "Nodes"]

ML = "ai.onnx.ml"
"""The domain of the part of the standard that has `LabelEncoder`."""


class Nodes:
    """A piece of graph that grows by calls.

    Args:
        prefix: Of the names of all it makes, which nothing else in the graph has.

    Attributes:
        nodes: In the order in which they were made.
        constants: What they read, apart from one another's results.
        known: Types of results that ONNX cannot infer, and must know.

    Example:
    >>> nodes = Nodes("twice/")
    >>> nodes.add("Add", "x", "x")
    'twice/Add'
    >>> nodes.add("Add", "twice/Add", nodes.constant([1], "int64"))
    'twice/Add_1'
    """

    def __init__(self, prefix: str):
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.known: list[onnx.ValueInfoProto] = []
        self._made: dict[tuple, str] = {}
        self._taken: set[str] = set()

    def add(self, operator: str, *inputs: str, output: str | None = None, domain: str = "", **attributes) -> str:
        """Appends a node with one result.

        Args:
            operator: Its type.
            *inputs: Names of tensors.
            output: Name of its result; by default one of its own.
            domain: Of the operator.
            **attributes: Of the node.

        Returns:
            The name of its result.
        """
        return self.add_many(operator, *inputs, outputs=[output], domain=domain, **attributes)[0]

    def add_many(
        self, operator: str, *inputs: str, outputs: Sequence[str | None], domain: str = "", **attributes
    ) -> list[str]:
        """Appends a node with any number of results; `outputs` has a name for each, or None for one of its own."""
        name = self._name(operator)
        names = [self._name(operator) if given is None and i else given or name for i, given in enumerate(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, name=name, domain=domain, **attributes))
        return names

    def constant(self, value, dtype: str | None = None) -> str:
        """A constant; the same value twice is one.

        Args:
            value: Numbers, or a string, or a list of strings.
            dtype: NumPy name of its type; None for strings.

        Returns:
            Its name.
        """
        array = np.asarray(value, object if dtype is None else dtype)
        key = (dtype, array.shape, tuple(array.ravel()) if dtype is None else array.tobytes())
        if key not in self._made:
            name = self._name("constant")
            if dtype is None:
                tensor = onnx.TensorProto(name=name, data_type=onnx.TensorProto.STRING, dims=array.shape)
                tensor.string_data.extend(text.encode() for text in array.ravel())  # `make_tensor` would cut a last NUL
            else:
                tensor = onnx.numpy_helper.from_array(array, name)
            self.constants.append(tensor)
            self._made[key] = name
        return self._made[key]

    def tokenizer(self, texts: str, **attributes) -> str:
        """Cuts strings with ONNX Runtime's `Tokenizer`: one axis more, "" behind the tokens."""
        tokens = self.add("Tokenizer", texts, domain=CONTRIB, mark=0, mincharnum=1, pad_value="", **attributes)
        self.known.append(helper.make_tensor_value_info(tokens, onnx.TensorProto.STRING, None))
        return tokens

    def lookup(self, keys: str, table: dict, default: int) -> str:
        """Replaces strings or int64 by int64 according to a table, in which an absent key stands for `default`."""
        kind = "keys_int64s" if isinstance(next(iter(table)), int) else "keys_strings"
        attributes = {kind: list(table), "values_int64s": list(table.values()), "default_int64": default}
        return self.add("LabelEncoder", keys, domain=ML, **attributes)

    def _name(self, stem: str) -> str:
        number, name = 0, f"{self.prefix}{stem}"
        while name in self._taken:
            number += 1
            name = f"{self.prefix}{stem}_{number}"
        self._taken.add(name)
        return name
