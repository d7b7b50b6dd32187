"""Which operators an ONNX file has, read without the `onnx` package: a walk over its protocol buffers.

The numbers of the fields are those of onnx.proto. Weights are stepped over, not read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keras_seq.serving.errors import BundleError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_IR_VERSION, _GRAPH, _OPSETS, _FUNCTIONS = 1, 7, 8, 25  # of a model
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_GRAPH_NODE, _FUNCTION_NAME, _FUNCTION_NODE, _FUNCTION_DOMAIN = 1, 1, 7, 10
_NODE_NAME, _OP_TYPE, _ATTRIBUTE, _DOMAIN = 3, 4, 5, 7  # of a node
_ATTRIBUTE_GRAPHS = (6, 11)  # one, several
_STANDARD = "ai.onnx"  # the long name of the domain ""


@dataclass(frozen=True)
class OnnxNode:
    """One node, at whatever depth.

    Attributes:
        name: Its name; may be empty.
        operator: Its operator.
        domain: The operator's domain; empty for standard ONNX.
    """

    name: str
    operator: str
    domain: str


@dataclass(frozen=True)
class OnnxFile:
    """What an ONNX file asks of whoever runs it.

    Attributes:
        ir_version: The version of the format.
        opsets: Domain to the version of its operators.
        nodes: All nodes, those of subgraphs among them; without calls of functions that the file defines itself.
    """

    ir_version: int
    opsets: dict[str, int]
    nodes: tuple[OnnxNode, ...]

    @classmethod
    def read(cls, path: Path) -> "OnnxFile":
        """Read the file at `path`.

        Raises:
            BundleError: If it is no ONNX file.
        """
        data = memoryview(path.read_bytes())
        ir_version, opsets, functions, nodes = 0, {}, set(), []
        try:
            for field, value in _fields(data):
                if field == _IR_VERSION and isinstance(value, int):
                    ir_version = value
                elif field == _OPSETS:
                    found = dict(_fields(value))
                    opsets[_domain(found.get(_OPSET_DOMAIN))] = found.get(_OPSET_VERSION, 0)
                elif field == _GRAPH:
                    nodes += _nodes(value, _GRAPH_NODE)
                elif field == _FUNCTIONS:
                    nodes += _nodes(value, _FUNCTION_NODE)
                    names = {number: text for number, text in _fields(value) if number != _FUNCTION_NODE}
                    functions.add((_domain(names.get(_FUNCTION_DOMAIN)), _text(names.get(_FUNCTION_NAME))))
        except (IndexError, ValueError, TypeError) as error:
            raise BundleError(f"{path} is no ONNX file, or a damaged one. Export the model again.") from error
        if not opsets or not nodes:
            raise BundleError(f"{path} is no ONNX file: it has no nodes. Export the model again.")
        return cls(ir_version, opsets, tuple(node for node in nodes if (node.domain, node.operator) not in functions))


def _nodes(graph: memoryview, node_field: int) -> Iterator[OnnxNode]:
    for field, value in _fields(graph):
        if field != node_field:
            continue
        name = operator = domain = None
        for part, content in _fields(value):
            if part == _NODE_NAME:
                name = content
            elif part == _OP_TYPE:
                operator = content
            elif part == _DOMAIN:
                domain = content
            elif part == _ATTRIBUTE:
                for kind, inner in _fields(content):
                    if kind in _ATTRIBUTE_GRAPHS:
                        yield from _nodes(inner, _GRAPH_NODE)
        yield OnnxNode(_text(name), _text(operator), _domain(domain))


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of one message: number and value; messages and strings as bytes."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
        else:
            if wire == _BYTES:
                length, at = _varint(data, at)
            elif wire in (_FIXED32, _FIXED64):
                length = 4 if wire == _FIXED32 else 8
            else:
                raise ValueError(f"wire type {wire}")
            if at + length > end:
                raise ValueError("a field goes on behind the end")
            value, at = data[at : at + length], at + length
        yield field, value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _text(value: memoryview | None) -> str:
    return "" if value is None else bytes(value).decode("utf-8")


def _domain(value: memoryview | None) -> str:
    text = _text(value)
    return "" if text == _STANDARD else text
