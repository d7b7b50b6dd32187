"""What the decoding strategies share: their settings, their checks, and what they owe the loop."""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from keras import ops

from keras_seq.recurrent.cell import Tensor

IMPOSSIBLE = -1e9
"""Added to what must not be chosen. Finite, so that nothing computed from it is NaN in any runtime."""


class Option(NamedTuple):
    """A setting that may still be changed when an exported model runs.

    Attributes:
        dtype: NumPy name of its type.
        minimum: The smallest value allowed.
        maximum: The largest, or `None`.
    """

    dtype: str
    minimum: float
    maximum: float | None = None


class Run(NamedTuple):
    """What a strategy knows about the call it works for.

    Attributes:
        batch: the number of sources, a number or a scalar tensor.
        end_id: the id that ends a hypothesis.
        margins: whether the steps record by how much the closest decision was decided.
        shared: what `Strategy.prepare` gave: the same for all steps, so that it is computed once.
    """

    batch: int | Tensor
    end_id: int
    margins: bool
    shared: Any = None


class Choice(NamedTuple):
    """What a strategy makes of one step.

    Attributes:
        tokens: the chosen ids, `(rows,)` int32.
        parents: the row that each row goes on from, `(rows,)`, or `None` where each goes on from itself.
        kept: what the strategy carries to the next step, a nest of tensors.
        record: what it keeps of this step, see `Strategy.records`.
        more: scalar boolean, whether anything is open yet.
    """

    tokens: Tensor
    parents: Tensor | None
    kept: Any
    record: dict[str, Tensor]
    more: Tensor


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """How to choose from the logits of each step.

    Args:
        max_length: the most tokens of a hypothesis, the end token counted.
        min_length: the fewest; the end token cannot come earlier.
        banned_ids: ids that are never chosen, such as that of unknown words.
    """

    max_length: int = 64
    min_length: int = 0
    banned_ids: tuple[int, ...] = ()

    options: ClassVar[dict[str, Option]] = {"max_length": Option("int32", 1)}

    def __post_init__(self):
        object.__setattr__(self, "banned_ids", tuple(self.banned_ids))
        for name, option in self.options.items():
            self._check_option(name, option)
        if self.min_length < 0 or (isinstance(self.max_length, int) and self.min_length > self.max_length):
            raise ValueError(
                "`min_length` must be from 0 to `max_length`. "
                f"Received: min_length={self.min_length}, max_length={self.max_length}"
            )

    def _check_option(self, name: str, option: Option) -> None:
        value = getattr(self, name)
        if value is None or not np.isscalar(value):
            return  # one that is switched off, or a tensor in a graph
        whole = option.dtype.startswith("int")
        low, high = option.minimum, option.maximum
        fits = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not fits or not (low <= value and (high is None or value <= high)):
            bounds = f"at least {low}" if high is None else f"from {low} to {high}"
            raise ValueError(
                f"`{name}` must be {'an integer' if whole else 'a number'} {bounds}. Received: {name}={value!r}"
            )

    def replace(self, **settings: Any) -> Self:
        """The same strategy with other settings.

        Example:
        >>> import keras_seq
        >>> keras_seq.BeamSearch(num_beams=4).replace(alpha=1.0, max_length=20).alpha
        1.0

        Raises:
            TypeError: for a setting that it does not have.
        """
        names = [field.name for field in dataclasses.fields(self)]
        unknown = [name for name in settings if name not in names]
        if unknown:
            raise TypeError(
                f"{type(self).__name__} has no {', '.join(unknown)}. It has {', '.join(names)}; other strategies are "
                "Greedy, Sampling and BeamSearch."
            )
        return dataclasses.replace(self, **settings)

    @property
    def rows_per_source(self) -> int:
        """How many hypotheses of one source are followed at a time."""
        return 1

    @property
    def num_results(self) -> int:
        """How many hypotheses of one source come out."""
        return self.rows_per_source

    def records(self) -> dict[str, tuple[str, int]]:
        """Dtype and number of axes of what each step records; `tokens` in another form than `Choice.tokens` as well."""
        raise NotImplementedError(f"{type(self).__name__} must define `records`.")

    def prepare(self, run: Run) -> Any:
        """What all steps need and none changes."""
        return None

    def start(self, run: Run) -> Any:
        """What is carried to the first step."""
        raise NotImplementedError(f"{type(self).__name__} must define `start`.")

    def choose(self, step: Tensor, logits: Tensor, kept: Any, run: Run) -> Choice:
        """Chooses the next token of each row.

        Args:
            step: scalar, counting from 0.
            logits: `(rows, vocabulary)` float32, with `IMPOSSIBLE` added where a token is not allowed.
            kept: from `start`, or the choice before.
            run: of `generate`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `choose`.")

    def path(self, kept: Any) -> Tensor | None:
        """The row of each hypothesis at every step, `(rows, steps)`, or `None` where none ever changed."""
        return None

    def score(self, log_probs: Tensor, lengths: Tensor) -> Tensor:
        """What hypotheses are ranked by, from `(rows,)` log-probabilities and lengths."""
        return log_probs

    def allow(self, logits: Tensor, step: Tensor, end_id: int) -> Tensor:
        """The logits with `IMPOSSIBLE` added to what may not be chosen at this step."""
        vocabulary = logits.shape[-1]
        if self.banned_ids:
            banned = np.zeros(vocabulary, "float32")
            banned[list(self.banned_ids)] = IMPOSSIBLE
            logits = logits + ops.convert_to_tensor(banned)
        if self.min_length > 1:
            end = np.zeros(vocabulary, "float32")
            end[end_id] = IMPOSSIBLE
            too_early = ops.cast(step + 1 < self.min_length, "float32")
            logits = logits + ops.convert_to_tensor(end) * too_early
        return logits

    def check(self, vocabulary: int, start_id: int, end_id: int) -> None:
        """Checks the settings against a vocabulary.

        Raises:
            ValueError: for an id that is not in it, or more hypotheses than it has tokens.
        """
        for name, value in (("start_id", start_id), ("end_id", end_id), *(("banned_ids", i) for i in self.banned_ids)):
            if not 0 <= value < vocabulary:
                raise ValueError(
                    f"`{name}` must be from 0 to {vocabulary - 1}, the vocabulary's ids. Received: {value}"
                )
        if end_id in self.banned_ids:
            raise ValueError(
                f"`banned_ids` must not hold the end token's id, {end_id}: nothing could end. To put the end off, set "
                f"`min_length`. Received: banned_ids={self.banned_ids}"
            )


def any_open(finished: Tensor) -> Tensor:
    """Whether any hypothesis is not finished, a scalar; in as few operations of a graph as it takes."""
    return ops.min(ops.cast(finished, "int32")) < 1
