"""What stands around the tokens of a text: start, end, a largest length, one column at least."""

from __future__ import annotations

from dataclasses import dataclass

from keras_seq.export.text.nodes import Nodes

__all__ = ["Framing"]

_START, _END = 1, 2
_NAMES = {_START: "<start>", _END: "<end>"}


@dataclass(frozen=True)
class Framing:
    """What is done to the tokens of each text before they are a batch.

    Attributes:
        add_start: Whether the id 1 is put before them.
        add_end: Whether the id 2 is put behind them.
        max_length: The most ids of a text, those two counted; None for any number.
    """

    add_start: bool = False
    add_end: bool = False
    max_length: int | None = None

    def add(self, nodes: Nodes, ids: str, tokens: str) -> tuple[str, str]:
        """Tokens `(batch, time)` as int64 ids and as strings, 0 and "" behind them, into the same with the frame.

        Args:
            nodes: Takes the nodes.
            ids: Name of the ids.
            tokens: Name of the strings.
        """
        if self.max_length is not None:
            room = nodes.constant([self.max_length - self.add_start - self.add_end], "int64")
            ids, tokens = (
                nodes.add("Slice", x, nodes.constant([0], "int64"), room, nodes.constant([1], "int64"))
                for x in (ids, tokens)
            )
        rows = nodes.add("Shape", ids, start=0, end=1)
        if self.add_start:
            column = nodes.add("Concat", rows, nodes.constant([1], "int64"), axis=0)
            ids, tokens = self._beside(nodes, column, (_START, ids), (_NAMES[_START], tokens), before=True)
        if self.add_end:
            column = nodes.add("Concat", rows, nodes.constant([1], "int64"), axis=0)
            ids, tokens = self._beside(nodes, column, (0, ids), ("", tokens), before=False)
            is_end = self._behind_the_last(nodes, ids)
            ids = nodes.add("Where", is_end, nodes.constant(_END, "int64"), ids)
            tokens = nodes.add("Where", is_end, nodes.constant(_NAMES[_END]), tokens)
        if not (self.add_start or self.add_end):
            # Texts without a single token are a column of padding.
            missing = nodes.add("Sub", nodes.constant([1], "int64"), nodes.add("Shape", ids, start=1, end=2))
            missing = nodes.add("Max", missing, nodes.constant([0], "int64"))
            column = nodes.add("Concat", rows, missing, axis=0)
            ids, tokens = self._beside(nodes, column, (0, ids), ("", tokens), before=False)
        return ids, tokens

    @staticmethod
    def _beside(
        nodes: Nodes, shape: str, id_and_ids: tuple[int, str], name_and_tokens: tuple[str, str], before: bool
    ) -> tuple[str, str]:
        """Columns of one id, and of one string, before or behind those there are."""
        results = []
        for (value, array), dtype in ((id_and_ids, "int64"), (name_and_tokens, None)):
            column = nodes.add("Expand", nodes.constant([[value]], dtype), shape)
            results.append(nodes.add("Concat", *((column, array) if before else (array, column)), axis=1))
        return results[0], results[1]

    @staticmethod
    def _behind_the_last(nodes: Nodes, ids: str) -> str:
        """Where in each row the padding begins: one place, for the last column is padding everywhere."""
        is_token = nodes.add("Cast", nodes.add("Cast", ids, to=9), to=7)  # bool, int64
        lengths = nodes.add("ReduceSum", is_token, nodes.constant([1], "int64"), keepdims=1)
        width = nodes.add("Shape", ids, start=1, end=2)
        last = nodes.add("Squeeze", width, nodes.constant([0], "int64"))
        places = nodes.add("Range", nodes.constant(0, "int64"), last, nodes.constant(1, "int64"))
        return nodes.add("Equal", places, lengths)
