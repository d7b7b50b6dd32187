"""Additive attention."""

from typing import Any

import keras
from keras import ops

from keras_seq.attention.memory_attention import MemoryAttention, additive_scores
from keras_seq.recurrent.cell import Identifier, Tensor


@keras.saving.register_keras_serializable(package="keras_seq")
class BahdanauAttention(MemoryAttention):
    """Additive attention (Bahdanau, Cho & Bengio 2015, https://arxiv.org/abs/1409.0473, equations 5, 6 and A.1.2).

        e<t,t'> = v . tanh(s W + a<t'> U + b)                   b with use_bias=True alone
        alpha<t,t'> = softmax over the valid t' of e<t,t'>
        context<t> = sum over t' of alpha<t,t'> a<t'>

    with the query s, in a decoder its state s<t-1>, and the values a<t'>, the outputs of the encoder (h_j in the paper,
    W_a s_{i-1} + U_a h_j there). A small network with one hidden layer, as the course draws it.

    Weights: `query_kernel` W `(query_features, units)`, `memory_kernel` U `(features, units)`, `score_kernel` v
    `(units,)`, `bias` `(units,)`.

    The projected values a<t'> U are computed once a source. Called on several queries at once the layer holds a tensor
    of `(batch, queries, steps, units)`. For masks see `keras_seq.MemoryAttention`.

    Args:
        units: the size of the hidden layer.
        use_bias: whether it has a bias; not in the paper.
        kernel_initializer: initialiser of the three kernels.
        bias_initializer: initialiser of `bias`.
        kernel_regularizer: regulariser of the three kernels.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        query: `(batch, query_features)`, or `(batch, queries, query_features)`.
        values: `(batch, steps, features)`.
        values_mask: booleans `(batch, steps)`, `False` at the steps to leave out; Keras fills in the mask that `values`
            carry.
        return_attention_scores: whether to return the scores too.

    Output shape:
        The context `(batch, features)`, or `(batch, queries, features)`; with `return_attention_scores` followed by
        the scores `(batch, steps)`, or `(batch, queries, steps)`.

    Raises:
        ValueError: for `units` that is not positive.

    Example:
    >>> import keras, keras_seq
    >>> attention = keras_seq.BahdanauAttention(11)
    >>> query, values = keras.ops.ones((2, 5)), keras.ops.ones((2, 7, 3))
    >>> context, scores = attention(query, values, return_attention_scores=True)
    >>> tuple(context.shape), tuple(scores.shape)
    ((2, 3), (2, 7))
    """

    def __init__(
        self,
        units: int,
        use_bias: bool = False,
        kernel_initializer: Identifier = "glorot_uniform",
        bias_initializer: Identifier = "zeros",
        kernel_regularizer: Identifier = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"`units` must be a positive integer. Received: units={units!r}")
        self.units = units
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, query_shape: tuple[int | None, ...], values_shape: tuple[int | None, ...]) -> None:
        """Makes the weights for queries of `query_shape[-1]` and values of `values_shape[-1]` features."""
        shapes = {
            "query_kernel": (query_shape[-1], self.units),
            "memory_kernel": (values_shape[-1], self.units),
            "score_kernel": (self.units,),
        }
        for name, shape in shapes.items():
            weight = self.add_weight(
                shape=shape,
                name=name,
                initializer=self.new_initializer(self.kernel_initializer),
                regularizer=self.kernel_regularizer,
            )
            setattr(self, name, weight)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.units,), name="bias", initializer=self.bias_initializer)
        self.built = True

    def project_keys(self, values: Tensor) -> Tensor:
        """The projected values and the bias, `(batch, 1, steps, units)`."""
        keys = ops.matmul(values, self.read(self.memory_kernel))
        return ops.expand_dims(keys if self.bias is None else keys + self.read(self.bias), axis=1)

    def step_weights(self) -> tuple[Tensor | None, ...]:
        """The query kernel, and the score kernel as a row."""
        return self.read(self.query_kernel), ops.expand_dims(self.read(self.score_kernel), axis=0)

    def compare(
        self, query: Tensor, keys: Tensor, weights: tuple[Tensor | None, ...], queries_per_source: Any
    ) -> Tensor:
        """See `MemoryAttention.compare`."""
        query_kernel, score_kernel = weights
        return additive_scores(ops.matmul(query, query_kernel), keys, score_kernel, queries_per_source)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
