"""The next token from the logits of a step: `Greedy` and `Sampling` of `keras_seq.decoding`, in NumPy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from keras_seq.serving.errors import BundleError
from keras_seq.serving.fields import Fields
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.uniform_stream import UniformStream

_IMPOSSIBLE = np.float32(-1e9)  # as keras_seq.decoding has it
_STRATEGIES = ("Greedy", "Sampling")


@dataclass(frozen=True, kw_only=True)
class TokenChoice:
    """How to choose among the tokens.

    Attributes:
        start_id: What is put in for the first step.
        end_id: What ends a text.
        pad_id: What fills up prompts, which is never chosen; None for nothing.
        sampling: Whether to draw; otherwise the likeliest token is taken.
        max_length: The most tokens, the end token counted.
        min_length: The fewest; the end token cannot come earlier.
        banned_ids: Ids that are never chosen.
        temperature: What the logits are divided by.
        top_k: How many of the likeliest tokens to draw from; None for all.
        top_p: Draw from the likeliest that together have at least this probability; None for all.
        min_p: Draw from those that are at least this many times as likely as the likeliest; None for all.
        seed: Of the random numbers.
    """

    start_id: int
    end_id: int
    pad_id: int | None = None
    sampling: bool = False
    max_length: int = 64
    min_length: int = 0
    banned_ids: tuple[int, ...] = ()
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    seed: int = 0

    @classmethod
    def of_graph(cls, graph: GraphSpec, options: Mapping[str, np.ndarray], where: str) -> "TokenChoice":
        """The choice that a graph makes, as its manifest records it.

        Args:
            graph: The graph that generates.
            options: A value for each of its options.
            where: Path of its entry in the manifest.

        Raises:
            BundleError: If it chooses otherwise, or a setting is not what it must be.
        """
        fields = Fields(graph.decoding or {}, f"{where}.decoding")
        strategy = fields.text("strategy")
        if strategy not in _STRATEGIES:
            raise BundleError(
                f"stream() gives tokens away one by one, and those of {strategy}, by which the bundle searches, are "
                "settled at its end. Call generate(), or export the model with generate=Sampling() or Greedy()."
            )
        settings = {name: value.item() for name, value in options.items() if name in cls.__dataclass_fields__}
        top_k = fields.integer("top_k", minimum=1, optional=True)
        return cls(
            start_id=fields.integer("start_id"),
            end_id=fields.integer("end_id"),
            sampling=strategy == "Sampling",
            min_length=fields.integer("min_length", optional=True) or 0,
            pad_id=_padding(graph),
            banned_ids=tuple(_ids(fields)),
            top_k=top_k,
            **settings,
        )

    def chooser(self) -> Callable[[np.ndarray], tuple[int, float]]:
        """A function for one text: called with the logits of each step, `(vocabulary,)` float32.

        It gives the id chosen and its log-probability under the model, whatever the temperature.
        """
        stream = UniformStream(self.seed)
        choose = self._draw if self.sampling else self._likeliest
        steps = 0

        def next_token(logits: np.ndarray) -> tuple[int, float]:
            nonlocal steps
            steps += 1
            logits = logits.astype("float32")
            logits[self._never] += _IMPOSSIBLE
            if steps < self.min_length:
                logits[self.end_id] += _IMPOSSIBLE
            log_probs = _log_softmax(logits)
            index = choose(log_probs, stream)
            return index, float(log_probs[index])

        return next_token

    @property
    def _never(self) -> list[int]:
        return [*self.banned_ids, *([] if self.pad_id is None else [self.pad_id])]

    def _likeliest(self, log_probs: np.ndarray, stream: UniformStream) -> int:
        return int(log_probs.argmax())

    def _draw(self, log_probs: np.ndarray, stream: UniformStream) -> int:
        ids = None
        if self.top_k is not None or self.top_p is not None:
            ids = np.argsort(-log_probs, kind="stable")[: self.top_k]  # of equals the first comes first
            log_probs = log_probs[ids]
        probs = np.exp(_log_softmax(log_probs / np.float32(self.temperature)))
        allowed = probs
        if self.top_p is not None:
            before = probs.cumsum() - probs  # of all that are likelier
            allowed = allowed * (before < max(np.float32(self.top_p), np.float32(1e-9)))  # the first always
        if self.min_p is not None:
            allowed = allowed * (probs >= np.float32(self.min_p) * probs.max())
        ends = allowed.cumsum()
        # Just below the sum: rounding must not carry a draw past the last token that has any probability.
        drawn = stream.next() * ends[-1] * np.float32(1 - 1e-6)
        index = int((ends <= drawn).sum())
        return index if ids is None else int(ids[index])


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max()
    return shifted - np.log(np.exp(shifted).sum())


def _ids(fields: Fields) -> list[int]:
    banned = fields.get("banned_ids", list, optional=True) or []
    if not all(type(token) is int and token >= 0 for token in banned):
        fields.refuse("banned_ids", "a list of ids", banned)
    return banned


def _padding(graph: GraphSpec) -> int | None:
    return next((int(spec.pad_value) for spec in graph.inputs if spec.pad_value is not None), None)
