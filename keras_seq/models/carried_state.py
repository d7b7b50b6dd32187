"""Truncated back-propagation through time: the state goes on from batch to batch, the gradient does not."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import ops, tree

from keras_seq.recurrent.cell import Tensor


class CarriedState:
    """Mixin over a Keras model whose `stateful` says whether `fit` and `evaluate` carry the state on.

    Williams & Peng 1990, "An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent Network
    Trajectories". The rows of one batch go on where those of the batch before stopped. A row that begins with the
    start token begins a new text, from a state of zeros: the first windows of an epoch do, see `text_windows`.
    """

    _carrying = False
    _carried: tuple[keras.Variable, ...] = ()

    def make_carried_state(self, rows: int, sizes: Sequence[int]) -> None:
        """Makes the variables, for so many rows; those there are stay.

        Raises:
            ValueError: if those there are have another number of rows.
        """
        if self._carried:
            self._check_rows(rows)
            return
        self._tracker.unlock()  # as Keras does to add to a layer that is built
        self._carried = tuple(
            self.add_weight(
                shape=(rows, size), initializer="zeros", trainable=False, autocast=False, name=f"carried_{index}"
            )
            for index, size in enumerate(sizes)
        )
        self._tracker.lock()

    def state_before(self, ids: Tensor) -> list[Tensor] | None:
        """The states that a batch goes on from, `None` for zeros.

        Raises:
            ValueError: in `fit` and `evaluate`, for a batch of another number of rows than the one before.
        """
        if not self._carrying:
            return None
        self._check_rows(ids.shape[0])
        goes_on = ops.cast(ops.not_equal(ids[:, :1], self.start_id), self.compute_dtype)
        return [ops.cast(ops.convert_to_tensor(state), self.compute_dtype) * goes_on for state in self._carried]

    def _check_rows(self, rows: int | None) -> None:
        expected = self._carried[0].shape[0] if self._carried else "a fixed number"
        if rows != expected and not (self._carried and rows is None):
            raise ValueError(
                f'Model "{self.name}" has stateful=True: row i of each batch goes on with row i of the batch before, '
                f"so that all batches must have the same rows. Expected: {expected}. Received: {rows}. Train and "
                "evaluate on keras_seq.text_windows of one `batch_size`, or drop the remainder of a tf.data pipeline."
            )

    def carry(self, states: Sequence[Tensor]) -> None:
        """Keeps the states behind a batch for the next one; no gradient goes back through them."""
        if self._carrying:
            for variable, state in zip(self._carried, states, strict=True):
                variable.assign(ops.cast(ops.stop_gradient(state), variable.dtype))

    def train_step(self, *arguments: Any) -> Any:
        """As of any Keras model, with the state carried where `stateful`."""
        with self._carry_on():
            return super().train_step(*arguments)

    def test_step(self, *arguments: Any) -> Any:
        """As of any Keras model, with the state carried where `stateful`."""
        with self._carry_on():
            return super().test_step(*arguments)

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """As of any Keras model; a stateful one takes the batches in their order.

        Raises:
            ValueError: for `shuffle=True` and a stateful model.
        """
        if not self.stateful:
            return super().fit(*args, **kwargs)
        given = inspect.signature(super().fit).bind_partial(*args, **kwargs)
        if given.arguments.get("shuffle"):
            raise ValueError(
                f'Model "{self.name}" has stateful=True: its batches go on with one another and cannot be shuffled. '
                "Received: shuffle=True"
            )
        given.arguments["shuffle"] = False
        self._prepare_rows(given.arguments)
        return super().fit(*given.args, **given.kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """As of any Keras model; a stateful one carries its state through the batches."""
        if self.stateful:
            self._prepare_rows(inspect.signature(super().evaluate).bind_partial(*args, **kwargs).arguments)
        return super().evaluate(*args, **kwargs)

    def _prepare_rows(self, arguments: dict[str, Any]) -> None:
        """Makes the variables for the rows of the data, where Keras will not say how many they are."""
        data = arguments.get("x")
        if isinstance(data, keras.utils.PyDataset):
            rows = len(tree.flatten(data[0])[0])
        elif hasattr(data, "shape"):
            rows = arguments.get("batch_size") or min(32, len(data))
        else:
            return
        self.build((rows, None))

    def count_params(self) -> int:
        """The number of weights; what is carried is none."""
        return super().count_params() - sum(math.prod(state.shape) for state in self._carried)

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Nothing: what is carried belongs to the run of `fit`."""

    def load_own_variables(self, store: dict[str, Any]) -> None:
        """Nothing, see `save_own_variables`."""

    @contextlib.contextmanager
    def _carry_on(self) -> Iterator[None]:
        self._carrying = self.stateful
        try:
            yield
        finally:
            self._carrying = False
