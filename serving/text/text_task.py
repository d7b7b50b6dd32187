"""What a model can do with plain text: tag, classify, generate, translate."""

from dataclasses import dataclass
from typing import Any

from keras_seq.serving.bundle import Bundle
from keras_seq.serving.errors import InputError, listed
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.option_spec import OptionSpec
from keras_seq.serving.ragged import row_dim
from keras_seq.serving.tensor_spec import TensorSpec
from keras_seq.serving.text.bundle_text import PROMPT, TARGET, BundleText

TASKS = ("tag", "classify", "generate", "translate")
"""Every task there is, in the order in which they are shown."""

_GIVEN_AWAY_AT_ONCE = ("Greedy", "Sampling")
_GRAPHS, _STEP = ("model", "generate"), "step"


@dataclass(frozen=True)
class TextTask:
    """One task that a model can do.

    Attributes:
        name: One of `TASKS`.
        graph: The graph that does it.
        inputs: The inputs that take the text: each of them the same one.
        outputs: For `tag` and `classify`, the outputs that have labels, the one that answers unless told otherwise
            first; empty for the others.
        labels: Output name to its labels.
        options: What a caller may set.
        streams: Whether tokens can be given away one by one.
        why_no_stream: If not, why.
        aligned: Whether hypotheses come with an alignment to the source.
        end_id: The id that ends a hypothesis; None where nothing is generated or nothing is known of it.
        longest: The most tokens of a text; None for any number.
    """

    name: str
    graph: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    options: tuple[OptionSpec, ...] = ()
    streams: bool = False
    why_no_stream: str = ""
    aligned: bool = False
    end_id: int | None = None
    longest: int | None = None

    def card(self) -> dict[str, Any]:
        """What `GET /v1/models` says of the task, as JSON has it."""
        return {
            "task": self.name,
            "outputs": [{"name": name, "labels": list(labels)} for name, labels in self.labels],
            "options": [option.to_dict() for option in self.options],
            "streams": self.streams,
            "aligned": self.aligned,
            "longest": self.longest,
        }

    def output(self, name: str | None) -> str:
        """The output that is to answer.

        Args:
            name: One of `outputs`; None for the first.

        Raises:
            InputError: If there is none of that name.
        """
        if name is None:
            return self.outputs[0]
        if name not in self.outputs:
            raise InputError(f"`output` must be one of those with labels: {listed(self.outputs)}. Received: {name!r}.")
        return name


def text_tasks(bundle: Bundle) -> dict[str, TextTask]:
    """What a bundle can do with plain text.

    A graph takes a text where its input has a tokenizer, or each of its inputs one of its own. It then tags if an
    output with labels has the time axis of the inputs, and classifies if one has none. A graph that decodes generates;
    where its input is a source and no prompt to go on with, it translates too.

    Args:
        bundle: The bundle.

    Returns:
        Name of the task to the task, in the order of `TASKS`; empty for a bundle of numbers alone.
    """
    found: dict[str, TextTask] = {}
    for name in _GRAPHS:
        graph = bundle.manifest.graphs.get(name)
        if graph is None or not _takes_a_text(bundle, name, graph):
            continue
        tasks = _generating(bundle, name, graph) if graph.decoding is not None else _labelling(bundle, name, graph)
        for task in tasks:
            found.setdefault(task.name, task)
    return {name: found[name] for name in TASKS if name in found}


def example_texts(bundle: Bundle) -> list[str]:
    """Texts to try, where the exporter gave some in `metadata["examples"]`.

    Args:
        bundle: The bundle.
    """
    given = bundle.metadata.get("examples")
    return [text for text in given if isinstance(text, str)] if isinstance(given, list) else []


def _takes_a_text(bundle: Bundle, name: str, graph: GraphSpec) -> bool:
    if len(graph.inputs) == 1:
        return graph.inputs[0].name in bundle.manifest.tokenizers
    return BundleText(bundle, name).one_text


def _common(graph: GraphSpec) -> dict:
    limits = [graph.limits[dim] for spec in graph.inputs if (dim := row_dim(spec)) in graph.limits]
    return {
        "inputs": tuple(spec.name for spec in graph.inputs),
        "options": graph.options,
        "longest": min(limits, default=None),
    }


def _labelling(bundle: Bundle, name: str, graph: GraphSpec) -> list[TextTask]:
    times = {row_dim(spec) for spec in graph.inputs} - {None}
    labels = {
        spec.name: bundle.manifest.labels[spec.name] for spec in graph.outputs if spec.name in bundle.manifest.labels
    }
    outputs: dict[str, list[str]] = {"tag": [], "classify": []}
    for spec in graph.outputs:
        if spec.name in labels:
            axes = _axes_before_labels(spec)
            if len(axes) == 1 and axes[0] in times:
                outputs["tag"].append(spec.name)
            elif not axes:
                outputs["classify"].append(spec.name)
    return [
        TextTask(task, name, outputs=tuple(names), labels=tuple((n, tuple(labels[n])) for n in names), **_common(graph))
        for task, names in outputs.items()
        if names
    ]


def _axes_before_labels(spec: TensorSpec) -> tuple[int | str, ...]:
    """The axes of an output between the batch and the labels: scores have an axis of labels, indices have none."""
    return spec.shape[1:-1] if spec.dtype.startswith("float") else spec.shape[1:]


def _generating(bundle: Bundle, name: str, graph: GraphSpec) -> list[TextTask]:
    prompted = [spec.name for spec in graph.inputs] == [PROMPT]
    if not prompted and TARGET not in bundle.manifest.tokenizers:
        return []  # it would be ids and no text that comes out
    strategy = (graph.decoding or {}).get("strategy")
    if strategy not in _GIVEN_AWAY_AT_ONCE:
        why = f"it searches by {strategy}, which settles every token at its end only"
    elif not prompted or _STEP not in bundle.manifest.graphs:
        why = "its bundle has no step of a language model, which `streaming=True` exports beside `generate=`"
    else:
        why = ""
    end_id = (graph.decoding or {}).get("end_id")
    settings = {
        "streams": not why,
        "why_no_stream": why,
        "aligned": any(spec.name == "alignments" for spec in graph.outputs),
        "end_id": end_id if isinstance(end_id, int) else None,
        **_common(graph),
    }
    names = ["generate"] if prompted else ["generate", "translate"]
    return [TextTask(task, name, **settings) for task in names]
