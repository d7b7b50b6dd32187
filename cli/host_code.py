"""The few lines that run a graph of a bundle in another language, with the names of the bundle's own tensors."""

from collections.abc import Callable

from keras_seq.cli.host_cpp import cpp
from keras_seq.cli.host_graph import HostGraph
from keras_seq.cli.host_kotlin import kotlin
from keras_seq.cli.host_swift import swift
from keras_seq.serving.graph_spec import GraphSpec

LANGUAGES: dict[str, Callable[[HostGraph], str]] = {"cpp": cpp, "kotlin": kotlin, "swift": swift}
"""The languages there are lines for, by the names that the command line takes."""


def host_code(language: str, graph: GraphSpec) -> str:
    """A small program that runs one graph with ONNX Runtime.

    Where the graph has states, it takes two chunks, one after the other; where it takes texts, a text.

    Args:
        language: One of `LANGUAGES`.
        graph: The graph's entry in the manifest, or that of a variant.

    Raises:
        CommandError: The language's package of ONNX Runtime has no tensors of a type that the graph takes.
    """
    return LANGUAGES[language](HostGraph.of(graph))
