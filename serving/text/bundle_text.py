"""The text of one graph of a bundle: its tokenizers and its labels."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from keras_seq.serving.bundle import Bundle
from keras_seq.serving.errors import BundleError, InputError, ServingError, listed
from keras_seq.serving.fields import shorten
from keras_seq.serving.ragged import row_dim
from keras_seq.serving.text.strings import read_texts
from keras_seq.serving.text.tokenizer import Tokenizer
from keras_seq.serving.text.tokenizer_file import load_tokenizer

PROMPT = "prompt"
"""The input that holds what a language model is to go on with."""
TARGET = "target"
"""Under this name stands the tokenizer of what a graph generates, where it is another than that of its prompts."""


class BundleText:
    """What turns texts into the inputs of a graph, and its outputs into words.

    Args:
        bundle: The bundle.
        graph: Name of the graph.

    Raises:
        BundleError: If there are labels of an output, and not as many as it has entries.
    """

    def __init__(self, bundle: Bundle, graph: str):
        self._bundle = bundle
        self._graph = graph
        self._spec = bundle.graph(graph)
        self.labels = {
            spec.name: bundle.manifest.labels[spec.name]
            for spec in self._spec.outputs
            if spec.name in bundle.manifest.labels
        }
        for spec in self._spec.outputs:
            labels = self.labels.get(spec.name, ())
            fits = spec.shape[-1] == len(labels) or (spec.shape[-1], len(labels)) == (1, 2)
            if labels and spec.dtype.startswith("float") and not fits:
                raise BundleError(
                    f"{bundle.path}: bundle.json has {len(labels)} labels for output {spec.name!r} of graph {graph!r}, "
                    f"which is {spec}. Export the model again, with a label for each entry of the last axis, or two "
                    "for a single score."
                )

    @cached_property
    def tokenizers(self) -> dict[str, Tokenizer]:
        """Input name to the tokenizer of its texts, for those inputs of the graph that have one.

        Raises:
            BundleError: If a tokenizer's file is missing or damaged.
        """
        return {spec.name: self._load(spec.name) for spec in self._spec.inputs if spec.name in self._files}

    @cached_property
    def target(self) -> Tokenizer | None:
        """The tokenizer of what the graph generates; None where nothing is known of it.

        Raises:
            BundleError: If its file is missing or damaged.
        """
        return self._load(TARGET) if TARGET in self._files else self.tokenizers.get(PROMPT)

    @cached_property
    def one_text(self) -> bool:
        """Whether one text is enough for a row: every input has a tokenizer of its own, and all have the same steps."""
        dims = {row_dim(spec) for spec in self._spec.inputs}
        files = {self._files.get(spec.name) for spec in self._spec.inputs}  # of one tokenizer they want several texts
        alike = len(dims) == 1 and None not in dims
        return alike and None not in files and len(files) == len(self._spec.inputs)

    @property
    def _files(self) -> dict[str, str]:
        return {name: spec.file for name, spec in self._bundle.manifest.tokenizers.items()}

    def _load(self, name: str) -> Tokenizer:
        return load_tokenizer(self._bundle.file(self._files[name]))

    def encode(
        self, texts: Any, limits: Mapping[str, int] | None = None
    ) -> tuple[dict[str, Any], dict[str, list[list[str]]]]:
        """Texts as what `Predictor.predict` takes.

        Args:
            texts: A list of texts, each of which goes into every input where `one_text` is true; with other inputs
                beside it, input name to a list of texts, and for an input without tokenizer to what `predict` takes.
            limits: The largest sizes of dimensions by name; by default the graph's.

        Returns:
            Input name to rows of ids, one id at least (padding, for a text without tokens); and input name to the
            tokens of each text. Where one text went into several inputs that see the same tokens, of the first alone.

        Raises:
            InputError: If the graph has no tokenizer, a name is wrong, something is no text, a prompt has nothing that
                the model knows, a text is longer than the model allows, or it has more tokens for one input than for
                another.
        """
        values, tokens = {}, {}
        limits = self._spec.limits if limits is None else limits
        for name, value in self._named(texts).items():
            tokenizer = self.tokenizers.get(name)
            if tokenizer is None:
                values[name] = value
                continue
            try:
                rows = read_texts(value)
            except InputError as error:
                raise InputError(f"Input {name!r}: {error}") from None
            values[name], tokens[name] = self._rows(name, rows, limits)
        if self.one_text and not isinstance(texts, Mapping):
            tokens = _agreed(values, tokens)
        return values, tokens

    def _named(self, texts: Any) -> dict[str, Any]:
        if not self.tokenizers:
            graphs = [name for name, graph in self._bundle.manifest.graphs.items() if self._has_text(graph)]
            mend = f"Graph {listed(graphs)} has one. " if graphs else ""
            raise InputError(
                f"Graph {self._graph!r} of {self._bundle.path} has no tokenizer, so it takes ids and no texts. {mend}"
                "Export the model with `tokenizer=`, or encode the texts as in training and call predict() or "
                "generate()."
            )
        if isinstance(texts, Mapping):
            return dict(texts)
        if len(self._spec.inputs) > 1 and not self.one_text:
            raise InputError(
                f"The graph takes {len(self._spec.inputs)} inputs ({listed(spec.name for spec in self._spec.inputs)}), "
                f"so texts must be given by name in a dict. Received: {type(texts).__name__}."
            )
        return {spec.name: texts for spec in self._spec.inputs}

    def _has_text(self, graph) -> bool:
        return any(spec.name in self._files for spec in graph.inputs)

    def _rows(
        self, name: str, texts: Sequence[str], limits: Mapping[str, int]
    ) -> tuple[list[np.ndarray], list[list[str]]]:
        tokenizer = self.tokenizers[name]
        rows, tokens = tokenizer.encode(texts), tokenizer.tokens(texts)
        spec = next(spec for spec in self._spec.inputs if spec.name == name)
        limit = limits.get(row_dim(spec))
        for i, (row, text) in enumerate(zip(rows, texts, strict=True)):
            if limit is not None and len(row) > limit:
                raise InputError(
                    f"Input {name!r}: text {i} has {len(row)} tokens, and the model takes {limit} at most. Cut it, or "
                    f"train and export a model that allows more. Received: {shorten(text)}."
                )
            if name == PROMPT and len(row) and (row == tokenizer.unknown_id).all():
                raise InputError(
                    f"Input {name!r}: text {i} has nothing that the model knows; unknown to its vocabulary of "
                    f"{tokenizer.vocabulary_size} tokens: {shorten_list(tokens[i])}. Begin with something from the "
                    "texts that it was trained on, or with an empty text."
                )
        pad = np.full((1, *tokenizer.step_shape), tokenizer.pad_id, "int32")
        return [row if len(row) else pad for row in rows], tokens

    def cut_empty(
        self, answers: Mapping[str, np.ndarray | list[np.ndarray]], tokens: Mapping[str, list[list[str]]]
    ) -> dict[str, np.ndarray | list[np.ndarray]]:
        """Answers without the steps of the padding that `encode` put in the place of texts without tokens.

        Args:
            answers: Output name to rows.
            tokens: What `encode` gave.
        """
        dims = {row_dim(spec): tokens[spec.name] for spec in self._spec.inputs if spec.name in tokens}
        cut = dict(answers)
        for spec in self._spec.outputs:
            for axis, dim in enumerate(spec.shape[1:]):
                if dim in dims and isinstance(cut.get(spec.name), list):
                    rows = zip(cut[spec.name], dims[dim], strict=True)
                    cut[spec.name] = [row if tokens else row.take([], axis) for row, tokens in rows]
        return cut

    def label(self, answers: Mapping[str, np.ndarray | list[np.ndarray]]) -> dict[str, list]:
        """The likeliest label of each entry of the outputs that have some.

        Args:
            answers: What the graph gave: scores with the labels along the last axis, or indices of labels.

        Returns:
            `"<output>.labels"` to nested lists of strings.

        Raises:
            ServingError: If an index is not that of a label.
        """
        found = {}
        for name, labels in self.labels.items():
            if name in answers:
                found[f"{name}.labels"] = [_spell(np.asarray(row), labels, name) for row in answers[name]]
        return found


def _agreed(values: Mapping[str, list[np.ndarray]], tokens: dict[str, list[list[str]]]) -> dict[str, list[list[str]]]:
    """The tokens of inputs that were made of the same texts, once if they are all the same."""
    first, *others = tokens
    for name in others:
        for i, (one, other) in enumerate(zip(values[first], values[name], strict=True)):
            if len(one) != len(other):
                raise InputError(
                    f"Text {i} has {len(one)} tokens for input {first!r}, but {len(other)} for input {name!r}: the "
                    "tokenizers of inputs that share their steps must cut texts alike. Export the model with such, or "
                    "give each input its own texts, by name in a dict."
                )
    return {first: tokens[first]} if all(tokens[name] == tokens[first] for name in others) else tokens


def _spell(row: np.ndarray, labels: Sequence[str], name: str) -> Any:
    indices = _likeliest(row, len(labels)) if row.dtype.kind == "f" else row
    if indices.size and not 0 <= indices.min() <= indices.max() < len(labels):
        raise ServingError(
            f"Output {name!r} gives indices of labels, and bundle.json has {len(labels)} for those from "
            f"{indices.min()} to {indices.max()}. Export the model again, with a label for each."
        )
    return np.array(labels, object)[indices].tolist() if indices.ndim else labels[int(indices)]


def _likeliest(scores: np.ndarray, classes: int) -> np.ndarray:
    """The index of the best class; of two with a single score that is the probability of the second."""
    single = scores.shape[-1] == 1 and classes == 2
    return (scores[..., 0] > 0.5).astype("int64") if single else scores.argmax(axis=-1)


def shorten_list(words: Sequence[str], most: int = 8) -> str:
    """Words for a message: quoted, the first few of them.

    >>> shorten_list(["a", "b", "c"], most=2)
    "'a', 'b', …"
    """
    return listed(words[:most]) + (", …" if len(words) > most else "")
