"""What any model is asked that generates."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from keras_seq.decoding.beam_search import BeamSearch
from keras_seq.decoding.decoding import Decoding
from keras_seq.decoding.generate import generate
from keras_seq.decoding.hypotheses import Hypotheses
from keras_seq.decoding.strategy import Strategy
from keras_seq.recurrent.cell import Tensor


def start_decoding(model: Any, inputs: Any, strategy: Strategy) -> Decoding:
    """What `model.start_decoding` gives for a strategy; it is told `max_length` where it has such an argument."""
    takes_length = "max_length" in inspect.signature(model.start_decoding).parameters
    settings = {"max_length": strategy.max_length} if takes_length else {}
    return model.start_decoding(inputs, strategy.rows_per_source, **settings)


class GeneratingModel:
    """Mixin over a Keras model that has `vocabulary_size`, `start_id`, `end_id` and `start_decoding`."""

    def generate(self, source: Tensor, strategy: Strategy | None = None, **settings: Any) -> Hypotheses:
        """Generates targets.

        Args:
            source: what `start_decoding` takes.
            strategy: how to choose the tokens: a `keras_seq.BeamSearch`, which is the default, `Greedy` or `Sampling`.
            **settings: settings of the strategy to replace, such as `num_beams=8`.

        Returns:
            The hypotheses, the best of each source first.

        Raises:
            ValueError: if more tokens are asked for than the model has positions.
        """
        if not hasattr(source, "shape"):
            source = np.asarray(source)
        room = self.room_behind(source.shape[1] if len(source.shape) > 1 else None)
        strategy = self.settled_strategy(strategy, room, settings)
        return generate(start_decoding(self, source, strategy), strategy, start_id=self.start_id, end_id=self.end_id)

    def settled_strategy(self, strategy: Strategy | None, room: int | None, settings: dict[str, Any]) -> Strategy:
        """The strategy of a call, with the settings that it replaces.

        Args:
            strategy: what was asked for; `None` for the default.
            room: how many tokens can be generated; `None` for any number.
            settings: of the strategy, to replace.

        Raises:
            ValueError: if more tokens are asked for than there is room for.
        """
        if strategy is None:
            default = self.default_strategy()
            strategy = default if room is None else default.replace(max_length=max(1, min(room, default.max_length)))
        strategy = strategy.replace(**settings)
        self._check_room(strategy.max_length, room)
        return strategy

    def default_strategy(self) -> Strategy:
        """How to choose the tokens unless something else is asked for: a beam search."""
        return BeamSearch()

    def room_behind(self, steps: int | None) -> int | None:
        """How many tokens can be generated behind a source of so many steps; `None` for any number."""
        return None

    def generation_limits(self, max_length: int) -> tuple[int | None, dict[str, int]]:
        """What an exported decode loop can take if its `max_length` is to be so large.

        Args:
            max_length: the most tokens to generate.

        Returns:
            The largest `max_length` that can be asked of it, `None` for any; and the largest sizes of the dynamic axes
            of what `start_decoding` takes, by the axis' name.

        Raises:
            ValueError: if the model has not that many positions.
        """
        room = self.room_behind(1)
        self._check_room(max_length, room)
        return room, {name: size for name, size in self.size_limits.items() if name != "target"}

    def _check_room(self, max_length: Any, room: int | None) -> None:
        if room is not None and isinstance(max_length, int) and max_length > room:
            raise ValueError(self._no_room(max_length, room))

    def _no_room(self, max_length: int, room: int) -> str:
        return (
            f'Model "{self.name}" can generate {room} tokens at most. Received: max_length={max_length}. Ask for '
            "fewer, or make the model with a larger limit."
        )
