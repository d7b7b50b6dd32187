"""Multiplicative attention, and its relatives of the same paper."""

from typing import Any

import keras
from keras import ops

from keras_seq.attention.memory_attention import MemoryAttention, additive_scores
from keras_seq.recurrent.cell import Identifier, Tensor

SCORES = ("dot", "general", "concat")


@keras.saving.register_keras_serializable(package="keras_seq")
class LuongAttention(MemoryAttention):
    """Multiplicative attention (Luong, Pham & Manning 2015, https://arxiv.org/abs/1508.04025, equations 7 and 8).

        e<t,t'> = s . a<t'>                                     score="dot"
        e<t,t'> = s . (a<t'> W)                                 score="general"
        e<t,t'> = v . tanh(s W_s + a<t'> W_a)                   score="concat"
        alpha<t,t'> = softmax over the valid t' of e<t,t'>
        context<t> = sum over t' of alpha<t,t'> a<t'>

    with the query s, in a decoder its new state s<t>, and the values a<t'>, the outputs of the encoder (h_t and the
    h_s with a bar in the paper). The paper's tanh(W_c [context; s]) comes after the attention, see
    `keras_seq.AttentionDecoder`.

    Weights: none for `"dot"`; `memory_kernel` W `(features, query_features)` for `"general"`; `query_kernel` W_s
    `(query_features, units)`, `memory_kernel` W_a `(features, units)` and `score_kernel` v `(units,)` for `"concat"`,
    the two kernels together W_a of the paper. For masks see `keras_seq.MemoryAttention`.

    Args:
        score: `"dot"`, which needs queries and values of the same size and has no weights; `"general"`; or `"concat"`,
            which is `keras_seq.BahdanauAttention` under another name.
        units: the size of the hidden layer of `"concat"`; not for the others.
        kernel_initializer: initialiser of the kernels.
        kernel_regularizer: regulariser of the kernels.
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
        ValueError: for an unknown `score`, for `units` where it has no meaning or is not positive, or for `"dot"`
            with queries and values of different sizes.

    Example:
    >>> import keras, keras_seq
    >>> query, values = keras.ops.ones((2, 5)), keras.ops.ones((2, 7, 3))
    >>> tuple(keras_seq.LuongAttention("general")(query, values).shape)
    (2, 3)
    """

    def __init__(
        self,
        score: str = "dot",
        units: int | None = None,
        kernel_initializer: Identifier = "glorot_uniform",
        kernel_regularizer: Identifier = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if score not in SCORES:
            raise ValueError(f"`score` must be one of {', '.join(SCORES)}. Received: score={score!r}")
        if score != "concat" and units is not None:
            raise ValueError(f'`units` goes with score="concat" alone. Received: units={units!r}, score={score!r}')
        if score == "concat" and (not isinstance(units, int) or units < 1):
            raise ValueError(f'score="concat" needs `units`, a positive integer. Received: units={units!r}')
        self.score = score
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, query_shape: tuple[int | None, ...], values_shape: tuple[int | None, ...]) -> None:
        """Makes the weights for queries of `query_shape[-1]` and values of `values_shape[-1]` features."""
        query_features, features = query_shape[-1], values_shape[-1]
        if self.score == "dot" and query_features != features:
            raise ValueError(
                f'score="dot" of layer "{self.name}" needs queries and values of the same size. Received: queries of '
                f'{query_features} and values of {features} features. Use score="general", or make the sizes agree.'
            )
        shapes = {
            "dot": {},
            "general": {"memory_kernel": (features, query_features)},
            "concat": {
                "query_kernel": (query_features, self.units),
                "memory_kernel": (features, self.units),
                "score_kernel": (self.units,),
            },
        }
        for name, shape in shapes[self.score].items():
            weight = self.add_weight(
                shape=shape,
                name=name,
                initializer=self.new_initializer(self.kernel_initializer),
                regularizer=self.kernel_regularizer,
            )
            setattr(self, name, weight)
        self.built = True

    def project_keys(self, values: Tensor) -> Tensor:
        """The keys: `(batch, query_features, steps)`, or for `"concat"` `(batch, 1, steps, units)`."""
        keys = values if self.score == "dot" else ops.matmul(values, self.read(self.memory_kernel))
        if self.score == "concat":
            return ops.expand_dims(keys, axis=1)
        return ops.transpose(keys, (0, 2, 1))

    def step_weights(self) -> tuple[Tensor | None, ...]:
        """The query kernel and, as a row, the score kernel of `"concat"`; otherwise nothing."""
        if self.score != "concat":
            return ()
        return self.read(self.query_kernel), ops.expand_dims(self.read(self.score_kernel), axis=0)

    def compare(
        self, query: Tensor, keys: Tensor, weights: tuple[Tensor | None, ...], queries_per_source: Any
    ) -> Tensor:
        """See `MemoryAttention.compare`."""
        if self.score == "concat":
            query_kernel, score_kernel = weights
            return additive_scores(ops.matmul(query, query_kernel), keys, score_kernel, queries_per_source)
        return ops.matmul(ops.reshape(query, (-1, queries_per_source, query.shape[-1])), keys)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "score": self.score,
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
