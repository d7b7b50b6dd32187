"""Runs whole sequences through a bundle's graph."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from keras_seq.serving.bundle import Bundle
from keras_seq.serving.errors import BundleError, InputError, listed
from keras_seq.serving.inputs import name_inputs
from keras_seq.serving.option_spec import OptionSpec
from keras_seq.serving.options import check_options
from keras_seq.serving.predict_request import PredictRequest
from keras_seq.serving.ragged import read_rows, run_together
from keras_seq.serving.session import Session
from keras_seq.serving.tensor_spec import TensorSpec
from keras_seq.serving.text.bundle_text import BundleText
from keras_seq.serving.text.tokenizer import Tokenizer


class Predictor:
    """Whole sequences in, whole sequences out. One predictor serves any number of threads.

    Args:
        bundle: The bundle's folder, or a `Bundle` already loaded.
        graph: Which of its graphs to run.
        variant: Which of the graph's variants to run, `"int8"` for one; by default the graph as it was exported.
        num_threads: Threads for one call, the caller's included; by default as many as the process may use. With many
            callers at once, 1 gives the most answers a second. After `share_threads`, those of the one pool.
        providers: ONNX Runtime execution providers in order of preference; by default CUDA where there is one, then the
            CPU.

    Raises:
        BundleError: If the bundle is damaged, has no such graph or variant, or the graph carries states (use `Stream`).
        ServingError: If `num_threads` or `providers` cannot be had.

    Example:
        ```python
        with Predictor("out/tagger") as predictor:
            print(predictor.inputs)
            answer = predictor.predict({"words": [[4, 8, 15], [16, 23]]})
            answer["tags"]  # a list of two arrays, of 3 and of 2 steps
        with Predictor("out/dates", graph="generate") as predictor:
            answer = predictor.predict([[4, 8, 15], [16, 23]], options={"max_length": 20})
            answer["ids"][1]  # (hypotheses, target) of the second row; `Generator` takes such answers apart
        with Predictor("out/pos") as predictor:  # exported with `tokenizer=` and `labels=`
            answer = predictor.predict_text(["The dog barks.", "It rains."])
            print(answer["tokens"], answer["tags.labels"])
        ```
    """

    def __init__(
        self,
        bundle: str | Path | Bundle,
        *,
        graph: str = "model",
        variant: str | None = None,
        num_threads: int | None = None,
        providers: Sequence[str] | None = None,
    ):
        self._bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        if self._bundle.graph(graph).states:
            raise BundleError(f"Graph {graph!r} of {self._bundle.path} carries states: run it with `Stream`.")
        self._text = BundleText(self._bundle, graph)
        self._session = Session(self._bundle, graph, variant=variant, num_threads=num_threads, providers=providers)

    @property
    def bundle(self) -> Bundle:
        """The bundle this predictor runs."""
        return self._bundle

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What `predict` takes."""
        return self._session.spec.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What `predict` gives."""
        return self._session.spec.outputs

    @property
    def options(self) -> tuple[OptionSpec, ...]:
        """What `predict` takes as `options`, with the defaults; empty for most graphs."""
        return self._session.spec.options

    @property
    def tokenizers(self) -> dict[str, Tokenizer]:
        """Input name to the tokenizer of its texts; empty for a bundle that was exported without.

        Raises:
            BundleError: If a tokenizer's file is damaged.
        """
        return self._text.tokenizers

    @property
    def labels(self) -> dict[str, list[str]]:
        """Output name to what the entries of its last axis stand for, for the outputs where the bundle says it."""
        return self._text.labels

    @property
    def metadata(self) -> dict[str, Any]:
        """What the exporter's caller gave along: task, labels, vocabularies."""
        return self._bundle.metadata

    def predict(
        self, inputs: Any, options: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray | list[np.ndarray]]:
        """Run a batch.

        Values that come as arrays give arrays. As soon as one comes as a list of rows, each row has its own length: an
        output with a `time` dimension is then a list of arrays, each as long as its row, and the same as for that row
        alone. Rows are padded where the model masks padding, and otherwise run in groups of equal length. Where the
        graph decodes, each row's `target` dimension is cut to its longest hypothesis; what a graph draws at random
        depends on the other rows too.

        Args:
            inputs: Input name to value, an array (NumPy, or anything `np.asarray` takes) or a list of rows, each an
                array or nested lists. With a single input, the value itself will do. Values are cast where nothing is
                lost: any integers that fit, integers to float, float64 to float32.
            options: Option name to number, for those of `self.options` that are not to have their default.

        Returns:
            Output name to array of shape `outputs[i].shape`, or to a list of one array a row.

        Raises:
            InputError: If a name, rank, dimension, dtype or value does not suit, the batch is empty, a row has length
                zero, or an input is longer than the model allows. Nothing has been run then.
            ServingError: If the predictor is closed, or ONNX Runtime fails.
        """
        return self.run([self.read(inputs, options)])[0]

    def predict_text(self, texts: Any, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run a batch of texts: tokenizers of the bundle make ids of them, and labels of what comes out.

        Args:
            texts: A list of texts (strings, or bytes of UTF-8). With several inputs a dict: input name to a list of
                texts, or, for an input without tokenizer, to what `predict` takes.
            options: As in `predict`.

        Returns:
            What `predict` gives for the ids: outputs with a `time` dimension as lists, each as long as its text has
            ids. Besides, `"tokens"`: the tokens of each text as they were read, unknown ones too, start and end among
            them where the tokenizer adds them (with several texts a row, or an output of that name,
            `"<input>.tokens"`); and `"<output>.labels"`, the likeliest label of each step, or of each text, for
            outputs that have some.

        Raises:
            InputError: If the bundle has no tokenizer, a name is wrong, something is no text, a text is longer than
                the model allows, or `predict` refuses what was given. Nothing has been run then.
            BundleError: If a tokenizer's file is damaged.
            ServingError: If the predictor is closed, or ONNX Runtime fails.
        """
        return self.run([self.read_text(texts, options)])[0]

    def read(self, inputs: Any, options: Mapping[str, Any] | None = None) -> PredictRequest:
        """Read and check what `predict` takes, without running anything.

        Args:
            inputs: As in `predict`.
            options: As in `predict`.

        Returns:
            What `run` takes.

        Raises:
            InputError: As `predict` raises it.
        """
        try:
            values = name_inputs(inputs, self.inputs)
        except InputError as error:
            raise InputError(f"{error}{self._generates()}") from None
        spec = self._session.spec
        return PredictRequest(read_rows(values, spec), check_options(options, spec.options))

    def read_text(self, texts: Any, options: Mapping[str, Any] | None = None) -> PredictRequest:
        """Read and check what `predict_text` takes, without running anything.

        Args:
            texts: As in `predict_text`.
            options: As in `predict_text`.

        Returns:
            What `run` takes.

        Raises:
            InputError: As `predict_text` raises it.
            BundleError: If a tokenizer's file is damaged.
        """
        values, tokens = self._text.encode(texts)
        return replace(self.read(values, options), tokens=tokens)

    def run(self, requests: Sequence[PredictRequest]) -> list[dict[str, Any]]:
        """Run what several callers gave, in as few calls as there can be.

        Requests with other options, or of other sizes, run one after the other, and so do all where the graph draws at
        random, as what it draws for a row depends on those before it.

        Args:
            requests: What `read` and `read_text` gave.

        Returns:
            For each the answer that it gets alone from `predict`, or `predict_text`.

        Raises:
            ServingError: If the predictor is closed, or ONNX Runtime fails.
        """
        together: dict[Hashable, list[int]] = {}
        for i, request in enumerate(requests):
            together.setdefault(request.sizes, []).append(i)
        answers: list[dict[str, Any]] = [{}] * len(requests)
        for indices in together.values():
            settings = requests[indices[0]].settings
            found = run_together(
                [requests[i].rows for i in indices],
                lambda feeds, settings=settings: self._session.run({**feeds, **settings}),
            )
            for i, answer in zip(indices, found, strict=True):
                answers[i] = answer if requests[i].tokens is None else self._spell(answer, requests[i].tokens)
        return answers

    def _spell(self, answer: dict[str, Any], tokens: dict[str, list[list[str]]]) -> dict[str, Any]:
        """An answer for texts: without the steps that stand for none, and with tokens and labels."""
        answer = self._text.cut_empty(answer, tokens)
        alone = len(tokens) == 1 and "tokens" not in answer
        named = {"tokens" if alone else f"{name}.tokens": rows for name, rows in tokens.items()}
        return {**answer, **named, **self._text.label(answer)}

    def _generates(self) -> str:
        """A hint for who runs the model of an encoder-decoder and wants hypotheses."""
        if self._session.graph == "generate" or "generate" not in self._bundle.manifest.graphs:
            return ""
        taken = listed(spec.name for spec in self._bundle.graph("generate").inputs)
        return f" To get hypotheses from {taken} alone, make Predictor(..., graph='generate') or a Generator."

    def close(self):
        """Free the graph and its threads; `predict` is refused from now on."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info):
        self.close()

    def __repr__(self) -> str:
        takes = ", ".join(f"{spec.name}: {spec}" for spec in self.inputs)
        gives = ", ".join(f"{spec.name}: {spec}" for spec in self.outputs)
        options = "".join(f", {option.name}={option.default}" for option in self.options)
        also = "; it has the graph 'generate' too" if self._generates() else ""
        name, graph = self._bundle.manifest.name, self._session.graph
        return f"<Predictor {name!r} graph={graph!r} ({takes}{options}) -> ({gives}), {self._session.threads}{also}>"
