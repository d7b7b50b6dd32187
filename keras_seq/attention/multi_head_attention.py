"""Multi-head attention: of a sequence to itself, to another one, and step by step over a cache."""

import functools
from typing import Any

import keras
from keras import ops
from keras.src.backend import get_keras_mask

from keras_seq.attention.attention_bias import causal_bias, mask_bias, padding_bias
from keras_seq.attention.backend_kernel import backend_dot_product, flash_attention_obstacle, has_backend_kernel
from keras_seq.attention.key_values import KeyValues
from keras_seq.attention.known import axis_size
from keras_seq.attention.multi_head_arguments import (
    check_arguments,
    check_attention_mask,
    check_memory,
    check_padding_mask,
)
from keras_seq.attention.scaled_dot_product import scaled_dot_product
from keras_seq.recurrent.cell import Identifier, Tensor
from keras_seq.recurrent.kernel_choice import KernelChoice


@keras.saving.register_keras_serializable(package="keras_seq")
class MultiHeadAttention(keras.layers.Layer):
    """Multi-head attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.2.2).

        head_h = softmax(Q W^Q_h (K W^K_h)^T / sqrt(key_dim) + bias) V W^V_h
        outputs = [head_1; …; head_H] W^O

    Called on one sequence it attends to itself (self-attention), with `value` to another (cross-attention). It is
    called like `keras.layers.MultiHeadAttention`, gives its outputs and has its weights, in that order, so weights go
    both ways by `get_weights` and `set_weights`; of the constructor's arguments `attention_axes`, gate and sliding
    window are left out, and the size of the outputs is `output_size`. Beyond that layer it has

    - fewer heads of keys and values than of queries (`num_key_value_heads`: grouped-query attention, Ainslie et al.
      2023, https://arxiv.org/abs/2305.13245; 1 is multi-query attention, Shazeer 2019,
      https://arxiv.org/abs/1911.02150);
    - positions by rotation (`rotary`, see `keras_seq.RotaryEmbedding`);
    - the same arithmetic in parts, for decoding: `project_memory` once a source and `attend` at each step for
      cross-attention; `step` for self-attention over a cache that grows.

    What is visible: a step that `value_mask` (or `key_mask`, or `attention_mask`) leaves out has no weight; with
    `use_causal_mask` query i sees the steps up to i. A query that sees nothing attends evenly to the steps that it
    might have seen, and gives no NaN. The output at a masked query means nothing, and carries the mask on.

    Weights: `query_kernel` `(features, num_heads, key_dim)`, `query_bias` `(num_heads, key_dim)`, `key_kernel`
    `(key features, num_key_value_heads, key_dim)`, `key_bias`, `value_kernel` `(value features, num_key_value_heads,
    value_dim)`, `value_bias`, `output_kernel` `(num_heads, value_dim, output_size)`, `output_bias` `(output_size,)`;
    the biases with `use_bias` alone.

    Args:
        num_heads: how many heads.
        key_dim: size of a head's queries and keys.
        value_dim: size of a head's values; by default `key_dim`.
        num_key_value_heads: how many heads of keys and values, a divisor of `num_heads`; by default `num_heads`.
        dropout: fraction of the attention scores to drop in training.
        use_bias: whether the four projections have biases.
        output_size: features of the outputs; by default as many as the query has.
        rotary: a `keras_seq.RotaryEmbedding` that queries and keys are turned by, or `None`.
        flash_attention: `True` to insist on the flash attention of JAX or PyTorch: training fails where device or masks
            do not allow it. `False` to do without, `None` to take it where all allow. TensorFlow, under which models
            are exported, has none and computes the same without it.
        kernel_initializer: initialiser of the kernels.
        bias_initializer: initialiser of the biases.
        kernel_regularizer: regulariser of the kernels.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        query: `(batch, queries, features)`.
        value: `(batch, steps, value features)`; by default the query.
        key: `(batch, steps, key features)`; by default the value.
        query_mask: booleans `(batch, queries)`; in self-attention the mask of the steps too. Keras fills in the masks
            that the tensors carry.
        value_mask: booleans `(batch, steps)`, `False` at the steps to leave out.
        key_mask: likewise.
        attention_mask: booleans, `True` where a query may see a step: `(queries, steps)`, `(batch, queries, steps)` or
            `(batch, heads, queries, steps)`; an axis may be 1.
        return_attention_scores: whether to return the scores too.
        training: whether dropout applies.
        use_causal_mask: whether query i sees the steps up to i alone.

    Output shape:
        `(batch, queries, output_size)`; with `return_attention_scores` followed by `(batch, num_heads, queries,
        steps)`.

    Raises:
        ValueError: for sizes that are not positive or do not divide, masks of another shape, or a cache of another
            layer.

    Example:
    >>> import keras, keras_seq
    >>> attention = keras_seq.MultiHeadAttention(num_heads=3, key_dim=5)
    >>> x = keras.random.normal((2, 7, 11))
    >>> outputs, scores = attention(x, use_causal_mask=True, return_attention_scores=True)
    >>> tuple(outputs.shape), tuple(scores.shape)
    ((2, 7, 11), (2, 3, 7, 7))
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        num_key_value_heads: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_size: int | None = None,
        rotary: keras.layers.Layer | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Identifier = "glorot_uniform",
        bias_initializer: Identifier = "zeros",
        kernel_regularizer: Identifier = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = key_dim if value_dim is None else value_dim
        self.num_key_value_heads = num_heads if num_key_value_heads is None else num_key_value_heads
        self.dropout = dropout
        self.use_bias = use_bias
        self.output_size = output_size
        self.rotary = rotary
        self.flash_attention = flash_attention
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        check_arguments(self)
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout") if dropout else None
        self.supports_masking = True  # the mask of the query is that of the output

    def build(
        self,
        query_shape: tuple[int | None, ...],
        value_shape: tuple[int | None, ...] | None = None,
        key_shape: tuple[int | None, ...] | None = None,
    ) -> None:
        """Makes the weights for the features of query, value and key."""
        value_shape = value_shape or query_shape
        key_shape = key_shape or value_shape
        output_size = self.output_size or query_shape[-1]
        groups = self.num_key_value_heads
        self.query_kernel, self.query_bias = self._weights("query", (query_shape[-1], self.num_heads, self.key_dim))
        self.key_kernel, self.key_bias = self._weights("key", (key_shape[-1], groups, self.key_dim))
        self.value_kernel, self.value_bias = self._weights("value", (value_shape[-1], groups, self.value_dim))
        self.output_kernel, self.output_bias = self._weights(
            "output", (self.num_heads, self.value_dim, output_size), bias_axes=1
        )
        self.built = True

    def _weights(self, name: str, shape: tuple[int, int, int], bias_axes: int = 2) -> tuple[Any, Any]:
        """Kernel and bias of one projection; the bias has the last axes of the kernel."""
        initializer = self.kernel_initializer
        if hasattr(initializer, "clone"):
            initializer = initializer.clone()  # the same one gives the same numbers again for the same shape
        kernel = self.add_weight(
            shape=shape, name=f"{name}_kernel", initializer=initializer, regularizer=self.kernel_regularizer
        )
        if not self.use_bias:
            return kernel, None
        return kernel, self.add_weight(shape=shape[-bias_axes:], name=f"{name}_bias", initializer=self.bias_initializer)

    def call(
        self,
        query: Tensor,
        value: Tensor | None = None,
        key: Tensor | None = None,
        query_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        key_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Attends with all queries at once; see the class for the shapes."""
        if value is None:
            # Of a call with a single tensor, Keras fills in an argument `mask` alone.
            query_mask = get_keras_mask(query) if query_mask is None else query_mask
            value, value_mask = query, query_mask if value_mask is None else value_mask
        check_attention_mask(self, attention_mask, query, value)
        check_padding_mask(self, "value_mask", value_mask, value)
        check_padding_mask(self, "key_mask", key_mask, value)
        return self.attend(
            query,
            self.project_memory(value, key),
            self.visibility_bias(value_mask, key_mask, attention_mask),
            causal=use_causal_mask,
            return_attention_scores=return_attention_scores,
            training=training,
        )

    def visibility_bias(
        self, value_mask: Tensor | None, key_mask: Tensor | None = None, attention_mask: Tensor | None = None
    ) -> Tensor | None:
        """All masks of a call but the causal one as one bias, `None` where there are none."""
        biases = [padding_bias(mask) for mask in (value_mask, key_mask) if mask is not None]
        if attention_mask is not None:
            axes = (0,) * (len(attention_mask.shape) == 2) + (1,) * (len(attention_mask.shape) < 4)
            biases.append(mask_bias(ops.expand_dims(attention_mask, axis=axes) if axes else attention_mask))
        # The least instead of the sum: a step that is hidden twice stays above the future, which is hidden below it.
        return functools.reduce(ops.minimum, biases) if biases else None

    def project_memory(self, value: Tensor, key: Tensor | None = None, positions: Tensor | None = None) -> KeyValues:
        """Keys and values of a sequence, which no query changes: for cross-attention made once a source.

        Args:
            value: `(batch, steps, value features)`.
            key: `(batch, steps, key features)`; by default the value.
            positions: of the steps, integers that broadcast to `(batch, steps)`, from 0 by default; they matter with
                `rotary` alone.
        """
        keys = self._heads(value if key is None else key, self.key_kernel, self.key_bias)
        return KeyValues(self._turned(keys, positions), self._heads(value, self.value_kernel, self.value_bias))

    def attend(
        self,
        query: Tensor,
        memory: KeyValues,
        bias: Tensor | None = None,
        positions: Tensor | None = None,
        causal: bool = False,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Attends to what `project_memory` gave.

        Args:
            query: `(batch, queries, features)`.
            memory: keys and values.
            bias: added to the scores before the softmax, 0 where a query sees a step; broadcastable to `(batch,
                num_heads, queries, steps)`.
            positions: of the queries, as in `project_memory`.
            causal: whether query i sees the steps up to i alone.
            return_attention_scores: whether to return the scores too.
            training: whether dropout applies.
        """
        check_memory(self, memory)
        query = self._turned(self._heads(query, self.query_kernel, self.query_bias), positions)
        drops = self.dropout_layer is not None and bool(training)
        if not drops and not return_attention_scores and has_backend_kernel(query, memory.values, bias):
            if causal and bias is not None:
                bias, causal = bias + causal_bias(axis_size(query, 2), axis_size(memory.keys, 2)), False
            context = backend_dot_product(query, *memory, bias, causal, self.flash_attention)
            return self._merge(context)
        if causal:
            hidden = causal_bias(axis_size(query, 2), axis_size(memory.keys, 2))
            bias = hidden if bias is None else bias + hidden
        dropout = (lambda scores: self.dropout_layer(scores, training=training)) if drops else None
        context, scores = scaled_dot_product(query, *memory, bias, dropout)
        outputs = self._merge(context)
        return (outputs, scores) if return_attention_scores else outputs

    def step(
        self, inputs: Tensor, past: KeyValues, bias: Tensor | None = None, positions: Tensor | None = None
    ) -> tuple[Tensor, KeyValues]:
        """Self-attention of the next steps of a sequence, one or many, to themselves and all before.

        Args:
            inputs: `(batch, new steps, features)`.
            past: keys and values of the steps before; `empty_cache` at the start.
            bias: broadcastable to `(batch, num_heads, new steps, past + new steps)`; `None` where all are to see all,
                the later ones of `inputs` included: see `keras_seq.attention.causal_bias`.
            positions: of the new steps, as in `project_memory`.

        Returns:
            The outputs `(batch, new steps, output_size)`, and the keys and values with those of `inputs` behind.
        """
        check_memory(self, past, inputs)
        new = self.project_memory(inputs, positions=positions)
        cache = KeyValues(*(ops.concatenate([old, add], axis=2) for old, add in zip(past, new, strict=True)))
        return self.attend(inputs, cache, bias, positions), cache

    def empty_cache(self, batch: int | Tensor) -> KeyValues:
        """Keys and values of no steps, which `step` starts from."""
        return KeyValues(
            *(
                ops.zeros((batch, self.num_key_value_heads, 0, size), self.compute_dtype)
                for size in (self.key_dim, self.value_dim)
            )
        )

    def training_kernel(self, masked: bool = False) -> KernelChoice:
        """The kernel that `fit` takes for this layer on this machine, and why not a faster one.

        Args:
            masked: whether the layer is called with masks other than the causal one.
        """
        obstacle = flash_attention_obstacle(self.flash_attention, self.compute_dtype, self.dropout, masked)
        return KernelChoice("plain", obstacle) if obstacle else KernelChoice("flash")

    def _heads(self, inputs: Tensor, kernel: Any, bias: Any) -> Tensor:
        """Projects `(batch, steps, features)` and splits it into heads, `(batch, heads, steps, size)`."""
        features, heads, size = kernel.shape
        inputs = ops.cast(inputs, self.compute_dtype)
        projected = ops.matmul(inputs, ops.reshape(self._read(kernel), (features, heads * size)))
        if bias is not None:
            projected = projected + ops.reshape(self._read(bias), (heads * size,))
        projected = ops.reshape(projected, (-1, axis_size(inputs, 1), heads, size))
        return ops.transpose(projected, (0, 2, 1, 3))

    def _turned(self, heads: Tensor, positions: Any) -> Tensor:
        """Heads with their positions where those are rotary. The embedding has a dtype policy of its own."""
        return heads if self.rotary is None else ops.cast(self.rotary(heads, positions), self.compute_dtype)

    def _merge(self, context: Tensor) -> Tensor:
        """The outputs of all heads together, projected: `(batch, queries, output_size)`."""
        size = self.num_heads * self.value_dim
        context = ops.reshape(ops.transpose(context, (0, 2, 1, 3)), (-1, axis_size(context, 2), size))
        outputs = ops.matmul(context, ops.reshape(self._read(self.output_kernel), (size, -1)))
        return outputs if self.output_bias is None else outputs + self._read(self.output_bias)

    def _read(self, weight: Any) -> Tensor:
        # A cast of its own: the methods beside `call` run outside Keras' autocast scope.
        return ops.cast(ops.convert_to_tensor(weight), self.compute_dtype)

    def compute_output_shape(
        self,
        query_shape: tuple[int | None, ...],
        value_shape: tuple[int | None, ...] | None = None,
        key_shape: tuple[int | None, ...] | None = None,
    ) -> tuple[int | None, ...]:
        """The shape of the outputs."""
        return (*query_shape[:-1], self.output_size or query_shape[-1])

    def compute_output_spec(
        self,
        query: Tensor,
        value: Tensor | None = None,
        key: Tensor | None = None,
        return_attention_scores: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Shape and dtype of the outputs, and of the scores where they are asked for."""
        outputs = keras.KerasTensor(self.compute_output_shape(query.shape), dtype=self.compute_dtype)
        if not return_attention_scores:
            return outputs
        steps = (query if value is None else value).shape[1]
        shape = (query.shape[0], self.num_heads, query.shape[1], steps)
        return outputs, keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "num_key_value_heads": self.num_key_value_heads,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "output_size": self.output_size,
            "rotary": keras.saving.serialize_keras_object(self.rotary),
            "flash_attention": self.flash_attention,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MultiHeadAttention":
        """A layer made from what `get_config` gave."""
        return cls(**{**config, "rotary": keras.saving.deserialize_keras_object(config["rotary"])})
