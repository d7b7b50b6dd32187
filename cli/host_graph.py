"""What a program in another language must know of a graph, with a name for each variable."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Self

from keras_seq.cli.errors import CommandError
from keras_seq.serving.errors import listed
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.text_spec import TextSpec

_SIZES = {"batch": 1, "time": 3}  # of the example; a dimension of another name has 2
# What the lines call things of their own, and words that the languages keep.
_TAKEN = frozenset(
    {
        *("bool", "case", "char", "class", "const", "data", "default", "do", "double", "else", "enum", "env"),
        *("false", "feeds", "flags", "float", "for", "fun", "func", "if", "import", "in", "inputs", "int"),
        *("int32_t", "int64_t", "internal", "is", "let", "long", "main", "names", "new", "null", "object"),
        *("operator", "options", "outputs", "private", "protocol", "public", "repeat", "return", "session"),
        *("short", "signed", "static", "string", "struct", "super", "switch", "tensor", "texts", "this"),
        *("throw", "true", "try", "typealias", "uint8_t", "union", "unsigned", "using", "val", "values"),
        *("var", "void", "when", "where", "while"),
    }
)


@dataclass(frozen=True)
class HostTensor:
    """One thing to give or get.

    Attributes:
        name: Its name in the graph.
        variable: A name for it in any language.
        dtype: NumPy name of its type, or `"string"`.
        shape: Sizes and names of dimensions; of a state that grows 0 where it does. None for strings that come out.
        remark: What else is known of it.
        next_name: Of a state: the output that is to be fed back.
    """

    name: str
    variable: str
    dtype: str
    shape: tuple[int | str, ...] | None
    remark: str = ""
    next_name: str = ""

    @property
    def count(self) -> str:
        """Number of entries, as a product that every language reads."""
        return " * ".join(map(str, self.shape or ())) or "1"

    @property
    def comment(self) -> str:
        """Dimensions and remark."""
        if self.next_name:
            return "zeros at the start"
        dims = "strings" if self.shape is None else f"({', '.join(map(str, self.shape))})"
        return f"{dims}: {self.remark}" if self.remark else dims


@dataclass(frozen=True)
class HostGraph:
    """A graph as a program in another language sees it.

    Attributes:
        file: Its file.
        inputs: What is to be given; where the graph takes texts, those and not the ids that they stand for.
        states: What is to be fed back, from call to call.
        outputs: What comes out.
        sizes: Dynamic dimension to its size in the example.
        remarks: What else may be given.
    """

    file: str
    inputs: list[HostTensor]
    states: list[HostTensor]
    outputs: list[HostTensor]
    sizes: dict[str, int]
    remarks: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, graph: GraphSpec) -> Self:
        """Describes an entry of the manifest."""
        text = graph.text or TextSpec()
        numbers = [spec for spec in graph.inputs if spec.name not in text.inputs.values()]
        dims = ["batch", *[dim for spec in numbers for dim in spec.shape if isinstance(dim, str)]]
        sizes = {dim: _SIZES.get(dim, 2) for dim in dims}
        taken = set(_TAKEN | set(sizes))
        inputs = [HostTensor(name, _variable(name, taken), "string", ("batch",)) for name in text.inputs]
        for spec in numbers:
            remarks = [f"ids 0 to {spec.maximum}"] if spec.maximum is not None else []
            remarks += [f"rows are filled up with {spec.pad_value}"] if spec.pad_value is not None else []
            inputs.append(
                HostTensor(spec.name, _variable(spec.name, taken), spec.dtype, spec.shape, ", ".join(remarks))
            )
        states = []
        for state in graph.states:
            shape = tuple(0 if dim == state.growing_dim else dim for dim in state.shape)
            variable = _variable(state.input, taken)
            states.append(HostTensor(state.input, variable, state.dtype, shape, next_name=state.output))
        outputs = [HostTensor(spec.name, _variable(spec.name, taken), spec.dtype, spec.shape) for spec in graph.outputs]
        outputs += [HostTensor(name, _variable(name, taken), "string", None) for name in text.outputs]
        options = [f"may be given too: {option.name}, {option}" for option in graph.options]
        return cls(graph.file, inputs, states, outputs, sizes, options)

    @property
    def given(self) -> list[HostTensor]:
        """Inputs and states, in their order."""
        return [*self.inputs, *self.states]

    def check(self, dtypes: Collection[str], api: str) -> None:
        """Refuses a graph that takes what a language cannot give.

        Args:
            dtypes: The types that it can.
            api: What it is called.

        Raises:
            CommandError: There is an input of another type.
        """
        for tensor in self.given:
            if tensor.dtype not in dtypes:
                raise CommandError(
                    f"{api} has tensors of {listed(dtypes)}; the input {tensor.name!r} of {self.file} is of "
                    f"{tensor.dtype}. Export a model that takes one of those."
                )

    def repeated(self, start: str, call: list[str], end: str, step: str) -> list[str]:
        """The lines of a call, or where there are states a loop of it.

        Args:
            start: The line that the loop starts with.
            call: The lines of one call.
            end: The line that the loop ends with.
            step: What the lines of its body are moved by.
        """
        return [start, *[f"{step}{line}" for line in call], end] if self.states else call


def _variable(name: str, taken: set[str]) -> str:
    """A name that every language takes and nothing else has; it is taken from now on."""
    base = re.sub(r"\W", "_", name, flags=re.ASCII)
    base = f"_{base}" if not base or base[0].isdigit() else base
    while base in taken:
        base += "_"
    taken.add(base)
    return base
