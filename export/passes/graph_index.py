"""What the passes ask about a model: who makes a value, who reads it, is it constant, its type and dimensions."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import onnx
from onnx import numpy_helper

from keras_seq.export.passes.inference import infer_types
from keras_seq.export.passes.scopes import Names, graphs, subgraphs, use_counts

__all__ = ["GraphIndex"]

_LARGEST_READ = 1 << 20
"""Constants above this many elements are weights: no rule looks into them."""


class GraphIndex:
    """An index of a model whose values have names of their own (`unique_names`) and whose constants are outside.

    It stays right as long as nodes are changed through its methods. The dimensions of values that were made later are
    unknown.

    Args:
        proto: The model.

    Attributes:
        graph: The outermost graph.
        opsets: The operator sets that the model imports.
        names: Makes free names.
        producers: The node that makes a value; none for inputs and constants.
        homes: The graph in which a value is defined.
        uses: How often a value is read, as an output of a graph too.
        outputs: The outputs of all graphs.
        iteration_numbers: What the bodies of `Loop`s call the number of the iteration.
    """

    def __init__(self, proto: onnx.ModelProto) -> None:
        self.graph = proto.graph
        self.opsets = proto.opset_import
        self.names = Names(proto.graph)
        self.producers: dict[str, onnx.NodeProto] = {}
        self.homes: dict[str, onnx.GraphProto] = {}
        self.uses = use_counts(proto.graph)
        self.outputs: set[str] = set()
        self.iteration_numbers: set[str] = set()
        self._consumers: dict[str, list[tuple[onnx.NodeProto, onnx.GraphProto]]] = defaultdict(list)
        self._tensors: dict[str, onnx.TensorProto] = {}
        self._arrays: dict[str, np.ndarray] = {}
        self._types = infer_types(proto)
        for scope in graphs(proto.graph):
            given = {value.name for value in scope.input}
            self.homes.update(dict.fromkeys(given, scope))
            self.outputs.update(value.name for value in scope.output)
            for tensor in scope.initializer:
                self.homes[tensor.name] = scope
                if tensor.name not in given:  # otherwise a caller may replace it
                    self._tensors[tensor.name] = tensor
            for node in scope.node:
                for name in filter(None, node.output):
                    self.producers[name] = node
                    self.homes[name] = scope
                for name in filter(None, node.input):
                    self._consumers[name].append((node, scope))
                if node.op_type == "Loop" and not node.domain:
                    self.iteration_numbers.update(body.input[0].name for body in subgraphs(node))

    def producer(self, name: str, *op_types: str) -> onnx.NodeProto | None:
        """The node that makes a value, if it is of one of these standard types (of any, where none is given)."""
        node = self.producers.get(name)
        if node is None or (op_types and (node.op_type not in op_types or node.domain)):
            return None
        return node

    def consumers(self, name: str) -> list[tuple[onnx.NodeProto, onnx.GraphProto]]:
        """The nodes that read a value, each with its graph."""
        return [(node, scope) for node, scope in self._consumers[name] if name in node.input]

    def is_constant(self, name: str) -> bool:
        """Whether a value is the same in every run."""
        return name in self._tensors

    def tensor(self, name: str) -> onnx.TensorProto | None:
        """A constant as it is stored."""
        return self._tensors.get(name)

    def constant(self, name: str) -> np.ndarray | None:
        """A constant's value; None if it is none, or too large for a rule to look at."""
        tensor = self._tensors.get(name)
        if tensor is None or np.prod(tensor.dims, dtype="int64") > _LARGEST_READ:
            return None
        if name not in self._arrays:
            self._arrays[name] = numpy_helper.to_array(tensor)
        return self._arrays[name]

    def integers(self, name: str) -> list[int] | None:
        """A constant of integers, flat; None if it is none."""
        value = self.constant(name) if name else None
        if value is None or value.dtype.kind not in "iu":
            return None
        return [int(entry) for entry in value.reshape(-1)]

    def dtype(self, name: str) -> int:
        """The element type as ONNX numbers them; 0 if unknown."""
        tensor = self._tensors.get(name)
        return tensor.data_type if tensor is not None else self._types.get(name, (0, None))[0]

    def shape(self, name: str) -> tuple[int | None, ...] | None:
        """The dimensions, None for each that is dynamic; None if not even their number is known."""
        tensor = self._tensors.get(name)
        return tuple(tensor.dims) if tensor is not None else self._types.get(name, (0, None))[1]

    def become(
        self, node: onnx.NodeProto, graph: onnx.GraphProto, op_type: str, inputs: list[str], **attributes
    ) -> bool:
        """Turns a node into another one with the same outputs, in its place. Returns True, for rules to return."""
        self.uses.subtract(name for name in node.input if name)
        outputs = list(node.output)
        node.CopyFrom(onnx.helper.make_node(op_type, inputs, outputs, name=node.name, **attributes))
        self._note_inputs(node, graph)
        return True

    def rewire(self, node: onnx.NodeProto, graph: onnx.GraphProto, position: int, name: str) -> bool:
        """Lets one input of a node be another value. Returns True, for rules to return."""
        self.uses.subtract([node.input[position]])
        node.input[position] = name
        self.uses.update([name])
        self._consumers[name].append((node, graph))
        return True

    def insert(
        self,
        before: onnx.NodeProto,
        graph: onnx.GraphProto,
        op_type: str,
        inputs: list[str],
        outputs: list[str] | None = None,
        **attributes,
    ) -> str:
        """Adds a node in front of another one; returns the name of its first output."""
        outputs = outputs or [self.names.fresh(f"{next(filter(None, before.output))}/{op_type}")]
        first = next(filter(None, before.output))
        position = next(i for i, node in enumerate(graph.node) if first in node.output)
        made = onnx.helper.make_node(op_type, inputs, outputs, name=self.names.fresh(outputs[0]), **attributes)
        graph.node.insert(position, made)
        self._note_node(graph.node[position], graph)
        return outputs[0]

    def insert_after(self, name: str, op_type: str, inputs: list[str], outputs: list[str], **attributes) -> None:
        """Adds a node to the graph in which a value is defined, right behind the node that makes it."""
        graph = self.homes[name]
        position = next((i for i, node in enumerate(graph.node) if name in node.output), -1)
        made = onnx.helper.make_node(op_type, inputs, outputs, name=self.names.fresh(outputs[0]), **attributes)
        graph.node.insert(position + 1, made)
        self._note_node(graph.node[position + 1], graph)

    def rename_output(self, node: onnx.NodeProto, old: str, new: str) -> None:
        """Gives a value another name where it is made; its readers keep the old one."""
        node.output[:] = [new if name == old else name for name in node.output]
        self.producers[new], self.homes[new] = self.producers.pop(old), self.homes[old]

    def add_constant(self, value: np.ndarray, base: str) -> str:
        """Adds a constant to the outermost graph; returns its name."""
        return self.define_constant(value, self.names.fresh(base))

    def define_constant(self, value: np.ndarray, name: str) -> str:
        """Adds a constant under a name that no value has, or the node does no longer that made it."""
        self.producers.pop(name, None)
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        self._tensors[name] = self.graph.initializer[-1]
        self.homes[name] = self.graph
        return name

    def _note_node(self, node: onnx.NodeProto, graph: onnx.GraphProto) -> None:
        for name in node.output:
            self.producers[name], self.homes[name] = node, graph
        self._note_inputs(node, graph)

    def _note_inputs(self, node: onnx.NodeProto, graph: onnx.GraphProto) -> None:
        for name in filter(None, node.input):
            self.uses[name] += 1
            self._consumers[name].append((node, graph))
