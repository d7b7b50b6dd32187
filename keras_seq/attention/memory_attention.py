"""What all kinds of attention over a memory share: masks, softmax, context."""

from typing import Any

import keras
from keras import ops

from keras_seq.attention.known import axis_size
from keras_seq.attention.memory import Memory
from keras_seq.recurrent.cell import Tensor
from keras_seq.recurrent.layer import as_time_mask

MASK_BIAS = -1e30
"""Added to the scores of steps that are left out. So large that a score beside it is lost in rounding: a row without a
step to look at has even scores, whatever they were. Finite, and so are a few times as much in float32 and bfloat16."""


class MemoryAttention(keras.layers.Layer):
    """Base class of attention in which one query at a time looks at a memory, the outputs of an encoder.

        alpha<t,t'> = softmax over the valid t' of e<t,t'>
        context<t> = sum over t' of alpha<t,t'> a<t'>

    with the query s of step t, the values a<t'> of the memory and the scores e, which are a subclass' own: see
    `keras_seq.BahdanauAttention` and `keras_seq.LuongAttention`. A subclass defines `build`, `project_keys`, `compare`
    and, where it has weights that `compare` needs, `step_weights`.

    There are two ways to use it. Called as a layer, on all queries at once, it does what `keras.layers.Attention` does.
    A decoder calls `prepare` once a source and `attend` at each step: the same arithmetic.

    A masked step of the values has attention scores of exactly zero, whatever it holds as long as it is finite. A row
    without one valid step has scores and a context of zero. The softmax is taken in float32 where the layer computes in
    float16 or bfloat16.

    Call arguments:
        query: `(batch, query_features)`, or `(batch, queries, query_features)`.
        values: `(batch, steps, features)`.
        values_mask: booleans `(batch, steps)`, `False` at the steps to leave out; Keras fills in the mask that `values`
            carry.
        return_attention_scores: whether to return the scores too.

    Output shape:
        The context `(batch, features)`, or `(batch, queries, features)`; with `return_attention_scores` followed by
        the scores `(batch, steps)`, or `(batch, queries, steps)`.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True  # the mask of the query is that of the output

    def project_keys(self, values: Tensor) -> Tensor:
        """The keys of `Memory`, made from the values `(batch, steps, features)`."""
        raise NotImplementedError(f"{type(self).__name__} must define `project_keys`.")

    def compare(
        self, query: Tensor, keys: Tensor, weights: tuple[Tensor | None, ...], queries_per_source: Any
    ) -> Tensor:
        """The scores e before the softmax.

        Args:
            query: `(batch * queries_per_source, query_features)`.
            keys: what `project_keys` gave.
            weights: what `step_weights` gave.
            queries_per_source: how many queries a row of the memory has.

        Returns:
            `(batch, queries_per_source, steps)`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `compare`.")

    def step_weights(self) -> tuple[Tensor | None, ...]:
        """The weights of `attend`, read and cast to the compute dtype once for a whole loop."""
        return ()

    def new_initializer(self, initializer: Any) -> Any:
        """One of its own for each weight: an initialiser gives the same numbers whenever it is asked for a shape."""
        return initializer.clone() if hasattr(initializer, "clone") else initializer

    def read(self, weight: Any) -> Tensor | None:
        """A weight as a tensor of the compute dtype; `None` stays `None`."""
        return None if weight is None else ops.cast(ops.convert_to_tensor(weight), self.compute_dtype)

    def prepare(self, values: Tensor, mask: Tensor | None = None) -> Memory:
        """Does once a source what all queries have in common: projects the keys, turns the mask into numbers.

        Args:
            values: `(batch, steps, features)`.
            mask: booleans `(batch, steps)`, `False` at the steps to leave out; `None` where all are valid.

        Raises:
            ValueError: for values with another number of axes.
        """
        if len(values.shape) != 3:
            raise ValueError(
                f'Layer "{self.name}" attends to values of (batch, steps, features), such as the outputs of an encoder '
                f"with return_sequences=True. Received: values of shape {tuple(values.shape)}"
            )
        values = ops.cast(values, self.compute_dtype)
        keys = self.project_keys(values)
        mask = as_time_mask(mask)
        if mask is None:
            return Memory(values, keys)
        valid = ops.cast(ops.expand_dims(mask, axis=1), self._softmax_dtype)
        values = values * ops.cast(ops.expand_dims(mask, axis=2), values.dtype)
        return Memory(values, keys, bias=(1.0 - valid) * MASK_BIAS, valid=valid)

    def attend(
        self,
        query: Tensor,
        memory: Memory,
        weights: tuple[Tensor | None, ...] | None = None,
        *,
        queries_per_source: Any = 1,
    ) -> tuple[Tensor, Tensor]:
        """One look at the memory.

        Args:
            query: `(rows, query_features)`, where `rows = batch * queries_per_source` and the rows of one source are
                neighbours, as the hypotheses of a beam search are.
            memory: what `prepare` gave.
            weights: what `step_weights` gave; read here if left out.
            queries_per_source: how many queries share a row of the memory.

        Returns:
            The context `(rows, features)` and the attention scores `(rows, steps)`.
        """
        weights = self.step_weights() if weights is None else weights
        scores = self.compare(ops.cast(query, self.compute_dtype), memory.keys, weights, queries_per_source)
        scores = ops.cast(scores, self._softmax_dtype)
        # The bias is finite: infinities would make NaN of a row without a valid step, here in the gradient and in an
        # exported graph already in the value. Such a row has even scores over values that are zero.
        scores = ops.softmax(scores if memory.bias is None else scores + memory.bias, axis=-1)
        context = ops.matmul(ops.cast(scores, self.compute_dtype), memory.values)
        scores = ops.cast(scores if memory.valid is None else scores * memory.valid, self.compute_dtype)
        # The number of steps comes from the memory, not from the scores, so that it is known before a loop.
        return _as_rows(context, context.shape[2]), _as_rows(scores, axis_size(memory.values, 1))

    def call(
        self,
        query: Tensor,
        values: Tensor,
        values_mask: Tensor | None = None,
        return_attention_scores: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Attends with all queries at once; see the class for the shapes."""
        if len(query.shape) not in (2, 3):
            raise ValueError(
                f'Layer "{self.name}" takes a query of (batch, features) or (batch, queries, features). '
                f"Received: a query of shape {tuple(query.shape)}"
            )
        memory = self.prepare(values, values_mask)
        if len(query.shape) == 2:
            context, scores = self.attend(query, memory)
        else:
            queries = axis_size(query, 1)
            context, scores = self.attend(_as_rows(query, query.shape[2]), memory, queries_per_source=queries)
            context = ops.reshape(context, (-1, queries, context.shape[-1]))
            scores = ops.reshape(scores, (-1, queries, axis_size(values, 1)))
        return (context, scores) if return_attention_scores else context

    @property
    def _softmax_dtype(self) -> str:
        return "float32" if self.compute_dtype in ("float16", "bfloat16") else self.compute_dtype


def _as_rows(tensor: Tensor, size: Any) -> Tensor:
    """`(batch, queries, size)` as `(batch * queries, size)`."""
    return ops.squeeze(tensor, axis=1) if tensor.shape[1] == 1 else ops.reshape(tensor, (-1, size))


def additive_scores(query: Tensor, keys: Tensor, score_kernel: Tensor, queries_per_source: Any) -> Tensor:
    """The scores v . tanh(query + key) for each query and each step.

    Args:
        query: `(batch * queries_per_source, units)`.
        keys: `(batch, 1, steps, units)`.
        score_kernel: v as a row, `(1, units)`.
        queries_per_source: how many queries a row of the keys has.

    Returns:
        `(batch, queries_per_source, steps)`.
    """
    units = query.shape[-1]
    hidden = ops.tanh(ops.reshape(query, (-1, queries_per_source, 1, units)) + keys)
    # The hidden layer as the second factor of a product of matrices: measured in ONNX Runtime, 1.8 times as fast for
    # many rows as `sum(hidden * v)`. A product of rank 4 by rank 2 is wrong in TensorFlow under oneDNN, and
    # `ops.matmul` goes round that with shapes computed in each step.
    scores = ops.matmul(score_kernel, ops.transpose(ops.reshape(hidden, (-1, units))))
    return ops.reshape(scores, (-1, queries_per_source, axis_size(keys, 2)))
