"""Hypotheses for sources, from a bundle whose graph holds the whole decode loop."""

import dataclasses
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from keras_seq.serving.bundle import Bundle
from keras_seq.serving.errors import BundleError, ServingError, listed
from keras_seq.serving.generated_token import GeneratedToken
from keras_seq.serving.hypothesis import Hypothesis
from keras_seq.serving.option_spec import OptionSpec
from keras_seq.serving.options import check_options
from keras_seq.serving.predictor import Predictor
from keras_seq.serving.stream import Stream
from keras_seq.serving.tensor_spec import TensorSpec
from keras_seq.serving.text.bundle_text import BundleText
from keras_seq.serving.text.tokenizer import Tokenizer
from keras_seq.serving.token_choice import TokenChoice
from keras_seq.serving.token_graph import STEP, TokenGraph
from keras_seq.serving.token_steps import TokenSteps

_OUTPUTS = ("ids", "lengths", "scores", "finished")


class Generator:
    """Sources in, hypotheses out: `Predictor` on the graph `generate`, with its answer taken apart.

    One generator serves any number of threads.

    Args:
        bundle: The bundle's folder, or a `Bundle` already loaded; exported with `generate=` and a strategy.
        graph: Which of its graphs to run.
        variant: As in `Predictor`; where tokens are streamed, of the graph `step` too.
        num_threads: As in `Predictor`.
        providers: As in `Predictor`.

    Raises:
        BundleError: If the bundle is damaged, has no such graph, or the graph gives no hypotheses (use `Predictor`).
        ServingError: If `num_threads` or `providers` cannot be had.

    Example:
        ```python
        with Generator("out/dates") as generator:
            print(generator.options)
            for hypotheses in generator.generate([[4, 8, 15], [16, 23]], max_length=20, alpha=0.6):
                best = hypotheses[0]
                print(best.ids, best.score, best.finished)
        with Generator("out/stories") as generator:  # exported with `tokenizer=`, and `streaming=True` to stream
            print(generator.generate_text(["once upon a", "the"], seed=7)[0][0].text)
            for token in generator.stream("once upon a", seed=7):
                print(token.text, end="", flush=True)
        ```
    """

    def __init__(
        self,
        bundle: str | Path | Bundle,
        *,
        graph: str = "generate",
        variant: str | None = None,
        num_threads: int | None = None,
        providers: Sequence[str] | None = None,
    ):
        bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        outputs = [spec.name for spec in bundle.graph(graph).outputs]
        if not set(_OUTPUTS) <= set(outputs):
            raise BundleError(
                f"Graph {graph!r} of {bundle.path} gives no hypotheses, which are the outputs {listed(_OUTPUTS)}. "
                f"It gives: {listed(outputs)}. Run it with `Predictor`."
            )
        self._graph = graph
        self._settings = {"variant": variant, "num_threads": num_threads, "providers": providers}
        self._predictor = Predictor(bundle, graph=graph, **self._settings)
        self._text = BundleText(bundle, graph)
        self._stream: Stream | None = None  # made when it is first asked for
        self._lock = threading.Lock()
        self._closed = False

    @property
    def bundle(self) -> Bundle:
        """The bundle this generator runs."""
        return self._predictor.bundle

    @property
    def predictor(self) -> Predictor:
        """What runs the graph: its answers hold the hypotheses as arrays, and `hypotheses` takes them apart."""
        return self._predictor

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What `generate` takes as sources."""
        return self._predictor.inputs

    @property
    def options(self) -> tuple[OptionSpec, ...]:
        """What `generate` takes besides, with the defaults."""
        return self._predictor.options

    @property
    def decoding(self) -> dict[str, Any]:
        """How the graph searches: strategy, number of beams, start and end id, as the exporter wrote it."""
        return dict(self.bundle.graph(self._graph).decoding or {})

    @property
    def tokenizers(self) -> dict[str, Tokenizer]:
        """Input name to the tokenizer of its texts, and under `"target"` that of the hypotheses' texts.

        Raises:
            BundleError: If a tokenizer's file is damaged.
        """
        target = self._text.target
        return {**self._text.tokenizers, **({} if target is None else {"target": target})}

    @property
    def metadata(self) -> dict[str, Any]:
        """What the exporter's caller gave along, such as the vocabularies that ids stand for."""
        return self._predictor.metadata

    def generate(self, sources: Any, **options: Any) -> list[list[Hypothesis]]:
        """Decode a batch of sources.

        Args:
            sources: What `Predictor.predict` takes as inputs; with a single input, the list of rows itself. Give rows
                of different lengths as a list: in a padded array the alignments run over the padding too.
            **options: Numbers for those of `self.options` that are not to have their default.

        Returns:
            For each source its hypotheses, the best first.

        Raises:
            InputError: If the sources or an option do not suit. Nothing has been run then.
            ServingError: If the generator is closed, or ONNX Runtime fails.
        """
        return self.hypotheses(self._predictor.predict(sources, options))

    def generate_text(self, texts: Any, **options: Any) -> list[list[Hypothesis]]:
        """Decode a batch of texts: sources of an encoder-decoder, prompts of a language model.

        Args:
            texts: A list of texts (strings, or bytes of UTF-8); an empty prompt lets a language model begin by itself.
                With several inputs a dict, as in `Predictor.predict_text`.
            **options: As in `generate`.

        Returns:
            For each text its hypotheses, the best first, with their `text`: for a prompt, what comes behind it. It is
            None where the bundle has a tokenizer for the sources alone.

        Raises:
            InputError: If the bundle has no tokenizer, something is no text, a text is longer than the model allows, a
                prompt holds nothing but unknown words, or an option does not suit. Nothing has been run then.
            BundleError: If a tokenizer's file is damaged.
            ServingError: If the generator is closed, or ONNX Runtime fails.
        """
        return self.hypotheses(self._predictor.predict_text(texts, options), with_text=True)

    def hypotheses(self, answer: Mapping[str, Any], *, with_text: bool = False) -> list[list[Hypothesis]]:
        """Take an answer of the graph apart.

        Args:
            answer: What `predictor` gave.
            with_text: Decode the ids, where the bundle has a tokenizer of them.

        Returns:
            For each source its hypotheses, the best first.
        """
        found = _hypotheses(answer)
        target = self._text.target if with_text else None
        if target is None:
            return found
        return [[dataclasses.replace(one, text=target.decode(one.ids)) for one in several] for several in found]

    def stream(self, prompt: str | bytes | Sequence[int] | None = None, **options: Any) -> Iterator[GeneratedToken]:
        """Go on with one prompt, and give each token away as soon as it is chosen.

        The tokens are those that `generate` finds for the prompt alone, by the same options and seed. They are chosen
        here, from what the graph `step` says: the prompt goes in at once, then token by token. Nothing is computed
        beyond what is asked for, so whoever has read enough just stops. Texts may be streamed side by side, from
        several threads too.

        Args:
            prompt: A text, or ids of one axis without start token; None or an empty one to begin without.
            **options: Numbers for those of `self.options` that are not to have their default.

        Returns:
            An iterator of the tokens, up to the end token or to `max_length`.

        Raises:
            InputError: If prompt or options do not suit, or are too long for the model. Nothing has been run then.
            BundleError: If the bundle has no graph `step` that gives the logits of the next token, or its graph
                searches by beams.
            ServingError: If the generator is closed; from the iterator, also if it is closed meanwhile or ONNX Runtime
                fails.
        """
        steps = self.token_steps(prompt, **options)
        return _tokens(self.token_graph, steps, self._token_stream().new())

    def token_steps(self, prompt: str | bytes | Sequence[int] | None = None, **options: Any) -> TokenSteps:
        """What `stream` runs for a prompt, for those who run it otherwise: `text_stream` does, many texts at a time.

        Args:
            prompt: As in `stream`.
            **options: As in `stream`.

        Raises:
            InputError: As in `stream`.
            BundleError: As in `stream`.
        """
        spec = self.bundle.graph(self._graph)
        choice = TokenChoice.of_graph(spec, check_options(options, spec.options), f"graphs.{self._graph}")
        graph = self.token_graph
        if isinstance(prompt, (str, bytes)):
            name = spec.inputs[0].name
            values, tokens = self._text.encode([prompt], limits={})  # those of the graph `step` count here
            prompt = values[name][0] if tokens[name][0] else None
        return graph.steps([] if prompt is None else prompt, choice, self._text.target)

    @cached_property
    def token_graph(self) -> TokenGraph:
        """The graph that `token_steps` are steps of.

        Raises:
            BundleError: If the bundle has no graph `step` that gives the logits of the next token.
        """
        return TokenGraph(self.bundle)

    def _token_stream(self) -> Stream:
        with self._lock:
            if self._closed:
                raise ServingError(f"The generator of {self.bundle.path} is closed. Make a new one.")
            if self._stream is None:
                self._stream = Stream(self.bundle, graph=STEP, keep_outputs=False, **self._settings)
            return self._stream

    def close(self):
        """Free the graphs and their threads; `generate` is refused from now on, and texts being streamed end so too."""
        self._predictor.close()
        with self._lock:
            self._closed = True
            if self._stream is not None:
                self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info):
        self.close()

    def __repr__(self) -> str:
        takes = ", ".join(f"{spec.name}: {spec}" for spec in self.inputs)
        options = "".join(f", {option.name}={option.default}" for option in self.options)
        how = " ".join(f"{name}={value}" for name, value in self.decoding.items())
        return f"<Generator {self.bundle.manifest.name!r} ({takes}{options}){' ' + how if how else ''}>"


def _hypotheses(answer: dict[str, Any]) -> list[list[Hypothesis]]:
    """The outputs of the graph, taken apart by source and rank."""
    columns = [answer[name] for name in _OUTPUTS]
    alignments = answer.get("alignments", [None] * len(answer["ids"]))
    return [
        [
            Hypothesis(
                ids[i, :length].copy(),  # not a view that would keep the whole batch in memory
                float(scores[i]),
                bool(finished[i]),
                None if alignment is None else alignment[i, :length].copy(),
            )
            for i, length in enumerate(lengths)
        ]
        for ids, lengths, scores, finished, alignment in zip(*columns, alignments, strict=True)
    ]


def _tokens(graph: TokenGraph, steps: TokenSteps, stream: Stream) -> Iterator[GeneratedToken]:
    while steps.chunk is not None:
        yield steps.take(graph.logits(stream.feed(graph.feeds(steps.chunk))))
