"""Hypotheses for sources, from a bundle whose graph holds the whole decode loop."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from keras_seq.serving.bundle import Bundle
from keras_seq.serving.errors import BundleError, listed
from keras_seq.serving.hypothesis import Hypothesis
from keras_seq.serving.option_spec import OptionSpec
from keras_seq.serving.predictor import Predictor
from keras_seq.serving.tensor_spec import TensorSpec

_OUTPUTS = ("ids", "lengths", "scores", "finished")


class Generator:
    """Sources in, hypotheses out: `Predictor` on the graph `generate`, with its answer taken apart.

    One generator serves any number of threads.

    Args:
        bundle: The bundle's folder, or a `Bundle` already loaded; exported with `generate=` and a strategy.
        graph: Which of its graphs to run.
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
        ```
    """

    def __init__(
        self,
        bundle: str | Path | Bundle,
        *,
        graph: str = "generate",
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
        self._predictor = Predictor(bundle, graph=graph, num_threads=num_threads, providers=providers)

    @property
    def bundle(self) -> Bundle:
        """The bundle this generator runs."""
        return self._predictor.bundle

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
        answer = self._predictor.predict(sources, options)
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

    def close(self):
        """Free the graph and its threads; `generate` is refused from now on."""
        self._predictor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info):
        self.close()

    def __repr__(self) -> str:
        takes = ", ".join(f"{spec.name}: {spec}" for spec in self.inputs)
        options = "".join(f", {option.name}={option.default}" for option in self.options)
        how = " ".join(f"{name}={value}" for name, value in self.decoding.items())
        return f"<Generator {self.bundle.manifest.name!r} ({takes}{options}){' ' + how if how else ''}>"
