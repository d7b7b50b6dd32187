"""What one caller wants of a graph: read and checked, and not run yet."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np

from keras_seq.serving.ragged import Rows

_RANDOM = "seed"  # the option of every graph that draws at random


@dataclass(frozen=True, eq=False)
class PredictRequest:
    """What `Predictor.read` and `Predictor.read_text` give, and `Predictor.run` takes.

    Attributes:
        rows: The inputs.
        settings: Option name to value, for every option of the graph.
        tokens: Input name to the tokens of each text; None where numbers were given.
    """

    rows: Rows
    settings: Mapping[str, np.ndarray]
    tokens: dict[str, list[list[str]]] | None = None

    @property
    def num_rows(self) -> int:
        """Rows of the batch."""
        return len(self.rows)

    @property
    def length(self) -> int:
        """Steps of the longest row."""
        return self.rows.length

    @property
    def num_tokens(self) -> int:
        """Steps of all rows together, without padding."""
        return self.rows.num_tokens

    @property
    def sizes(self) -> Hashable:
        """Equal for requests that can share a call, as nothing but the rows' number and lengths differs."""
        if _RANDOM in self.settings:
            return id(self)
        settings = tuple((name, value.item()) for name, value in self.settings.items())
        return settings, self.rows.sizes

    @property
    def key(self) -> Hashable:
        """Equal for requests that gain from sharing a call: those of `sizes`, and of lengths that suit each other."""
        return self.sizes, self.rows.fixed_lengths
