"""One block of a transformer's decoder."""

from typing import Any

import keras
from keras import ops

from keras_seq.attention.key_values import KeyValues
from keras_seq.recurrent.cell import Tensor
from keras_seq.transformer.block import TransformerBlock


@keras.saving.register_keras_serializable(package="keras_seq")
class TransformerDecoderBlock(TransformerBlock):
    """Causal self-attention, attention to a memory, and a feed-forward network.

    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.1. With `norm_first=False`, as in the paper:

        x = self_attention_norm(x + causal_self_attention(x))
        x = cross_attention_norm(x + cross_attention(x, memory))
        x = feed_forward_norm(x + feed_forward(x))

    and with `norm_first=True` each sublayer as x + sublayer(norm(x)). With `cross_attention=False` the second line is
    left out: a block of a language model.

    `fit` calls it on whole targets. To generate, `step` runs the next steps over a cache of the keys and values before
    them; it is the same computation:

        past, memory = block.empty_cache(batch), block.prepare(encoder_outputs)          once
        outputs, past = block.step(inputs, past, bias, memory=memory)

    Args:
        num_heads: how many attention heads.
        feed_forward_units: size of the hidden layer of the feed-forward network.
        cross_attention: whether it attends to a memory.
        **kwargs: those of `keras_seq.TransformerEncoderBlock`; `rotary` turns the self-attention alone.

    Call arguments:
        inputs: `(batch, steps, features)`.
        memory: `(batch, memory steps, memory features)`, the outputs of an encoder.
        mask: booleans `(batch, steps)`, `False` at the padding. Keras fills it in.
        memory_mask: booleans `(batch, memory steps)`. Keras fills it in.
        return_attention_scores: whether to return the scores too.
        training: whether dropout applies.

    Output shape:
        That of the inputs, the mask going on; with `return_attention_scores` followed by `(batch, num_heads, steps,
        steps)` and, with cross-attention, `(batch, num_heads, steps, memory steps)`.

    Raises:
        ValueError: for heads that do not divide the features, a memory that is missing or not looked at, or a cache of
            another block.

    Example:
    >>> import keras, keras_seq
    >>> block = keras_seq.TransformerDecoderBlock(num_heads=3, feed_forward_units=13)
    >>> tuple(block(keras.ops.ones((2, 7, 6)), keras.ops.ones((2, 11, 5))).shape)
    (2, 7, 6)
    """

    def __init__(self, num_heads: int, feed_forward_units: int, *, cross_attention: bool = True, **kwargs: Any):
        super().__init__(num_heads, feed_forward_units, **kwargs)
        self.attends_to_memory = cross_attention

    def build(self, inputs_shape: tuple[int | None, ...], memory_shape: tuple[int | None, ...] | None = None) -> None:
        """Makes the weights for the features of inputs and memory."""
        self._check_memory(memory_shape)
        features = inputs_shape[-1]
        self.self_attention = self.new_attention("self_attention", features, self.rotary)
        self.self_attention_norm = self.new_norm("self_attention_norm")
        self.cross_attention = self.cross_attention_norm = None
        if self.attends_to_memory:
            self.cross_attention = self.new_attention("cross_attention", features)
            self.cross_attention_norm = self.new_norm("cross_attention_norm")
            self.cross_attention.build(inputs_shape, memory_shape)
            self.cross_attention_norm.build(inputs_shape)
        for layer in (self.self_attention, self.self_attention_norm, self.feed_forward, self.feed_forward_norm):
            layer.build(inputs_shape)
        self.built = True

    def call(
        self,
        inputs: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        """The outputs; see the class for the shapes."""
        self._check_memory(memory)
        scores = []

        def first(outputs: Any) -> Tensor:
            if not return_attention_scores:
                return outputs
            scores.append(outputs[1])
            return outputs[0]

        kwargs = {"return_attention_scores": return_attention_scores, "training": training}

        def attend_to_self(x: Tensor) -> Tensor:
            return first(self.self_attention(x, query_mask=mask, use_causal_mask=True, **kwargs))

        def attend_to_memory(x: Tensor) -> Tensor:
            return first(self.cross_attention(x, memory, query_mask=mask, value_mask=memory_mask, **kwargs))

        x = self.residual(inputs, self.self_attention_norm, attend_to_self, training)
        if self.cross_attention is not None:
            x = self.residual(x, self.cross_attention_norm, attend_to_memory, training)
        x = self.residual(x, self.feed_forward_norm, self.feed_forward, training)
        return (x, *scores) if return_attention_scores else x

    def prepare(self, memory: Tensor) -> KeyValues | None:
        """Keys and values of a memory `(batch, memory steps, memory features)`, for `step`: once a source."""
        return None if self.cross_attention is None else self.cross_attention.project_memory(memory)

    def empty_cache(self, batch: int | Tensor) -> KeyValues:
        """Keys and values of no steps, which `step` starts from."""
        return self.self_attention.empty_cache(batch)

    def step(
        self,
        inputs: Tensor,
        past: KeyValues,
        bias: Tensor | None = None,
        positions: Tensor | None = None,
        memory: KeyValues | None = None,
        memory_bias: Tensor | None = None,
    ) -> tuple[Tensor, KeyValues]:
        """The next steps, one or many.

        Args:
            inputs: `(batch, new steps, features)`.
            past: keys and values of the steps before.
            bias: of the self-attention; see `keras_seq.MultiHeadAttention.step`.
            positions: of the new steps, integers that broadcast to `(batch, new steps)`; for `rotary` alone.
            memory: what `prepare` gave.
            memory_bias: broadcastable to `(batch, num_heads, new steps, memory steps)`.

        Returns:
            The outputs `(batch, new steps, features)`, and `past` with the new steps behind.
        """
        self._check_memory(memory)
        inputs = ops.cast(inputs, self.compute_dtype)  # as Keras does of what goes to `call`
        cache = []

        def attend_to_self(x: Tensor) -> Tensor:
            outputs, new = self.self_attention.step(x, past, bias, positions)
            cache.append(new)
            return outputs

        def attend_to_memory(x: Tensor) -> Tensor:
            return self.cross_attention.attend(x, memory, memory_bias)

        x = self.residual(inputs, self.self_attention_norm, attend_to_self, training=False)
        if self.cross_attention is not None:
            x = self.residual(x, self.cross_attention_norm, attend_to_memory, training=False)
        return self.residual(x, self.feed_forward_norm, self.feed_forward, training=False), *cache

    def _check_memory(self, memory: Any) -> None:
        if (memory is not None) != self.attends_to_memory:
            expected = "needs a `memory` to attend to" if self.attends_to_memory else "looks at no `memory`"
            raise ValueError(
                f"Layer {self.name!r}, made with cross_attention={self.attends_to_memory}, {expected}. "
                f"Received: memory={'None' if memory is None else 'a tensor'}"
            )

    def compute_output_spec(
        self, inputs: Tensor, memory: Tensor | None = None, return_attention_scores: bool = False, **kwargs: Any
    ) -> Any:
        """Shape and dtype of the outputs, and of the scores where they are asked for."""
        outputs = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return outputs
        batch, steps = inputs.shape[:2]
        looked_at = [steps] if memory is None else [steps, memory.shape[1]]
        return outputs, *(
            keras.KerasTensor((batch, self.num_heads, steps, size), dtype=self.compute_dtype) for size in looked_at
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "cross_attention": self.attends_to_memory}
