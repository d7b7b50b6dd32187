"""The decoder of a transformer."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import keras
from keras.src.backend import get_keras_mask

from keras_seq.attention.attention_bias import padding_bias
from keras_seq.attention.key_values import KeyValues
from keras_seq.recurrent.cell import Tensor
from keras_seq.transformer.block import TransformerBlock
from keras_seq.transformer.stack import TransformerStack
from keras_seq.transformer.transformer_decoder_block import TransformerDecoderBlock


class DecoderMemory(NamedTuple):
    """What the blocks of a decoder attend to, prepared once a source.

    Attributes:
        key_values: keys and values of each block.
        bias: `(batch, 1, 1, memory steps)`, that of the padding; `None` where there is none.
    """

    key_values: tuple[KeyValues, ...]
    bias: Tensor | None = None


@keras.saving.register_keras_serializable(package="keras_seq")
class TransformerDecoder(TransformerStack):
    """A stack of `TransformerDecoderBlock`, positions included (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).

        x = dropout(inputs + positions)
        x = block(x, memory)                    num_layers times
        outputs = norm(x)                       with norm_first=True alone

    Output t depends on the inputs up to t alone. With `cross_attention=False` it is the network of a language model,
    and any causal sequence model: it needs no future, so it streams.

    `fit` calls it on whole targets. To generate, `step` runs the next steps over caches of the keys and values of those
    before; it is the same computation:

        cache, memory = decoder.empty_cache(batch), decoder.prepare(encoder_outputs, mask)          once
        outputs, cache = decoder.step(inputs, cache, bias, positions, memory)

    Args:
        num_layers: how many blocks.
        num_heads: how many attention heads.
        feed_forward_units: size of the hidden layers of the feed-forward networks.
        cross_attention: whether the blocks attend to a memory.
        **kwargs: those of `keras_seq.TransformerEncoder`.

    Call arguments:
        inputs: `(batch, steps, features)`.
        memory: `(batch, memory steps, memory features)`, the outputs of an encoder.
        mask: booleans `(batch, steps)`, `False` at the padding. Keras fills it in.
        memory_mask: booleans `(batch, memory steps)`. Keras fills it in.
        training: whether dropout applies.

    Output shape:
        That of the inputs, the mask going on.

    Raises:
        ValueError: for heads that do not divide the features, sequences longer than `max_length`, a memory that is
            missing or not looked at, or arguments that do not go together.

    Example:
    >>> import keras, keras_seq
    >>> decoder = keras_seq.TransformerDecoder(num_layers=2, num_heads=3, feed_forward_units=13)
    >>> tuple(decoder(keras.ops.ones((2, 7, 6)), keras.ops.ones((2, 11, 5))).shape)
    (2, 7, 6)
    """

    block_class: ClassVar[type[TransformerBlock]] = TransformerDecoderBlock

    def __init__(
        self, num_layers: int, num_heads: int, feed_forward_units: int, *, cross_attention: bool = True, **kwargs: Any
    ):
        super().__init__(num_layers, num_heads, feed_forward_units, cross_attention=cross_attention, **kwargs)
        self.cross_attention = cross_attention

    def build(self, inputs_shape: tuple[int | None, ...], memory_shape: tuple[int | None, ...] | None = None) -> None:
        """Makes the weights for the features of inputs and memory."""
        self.build_stack(inputs_shape, memory_shape)

    def call(
        self,
        inputs: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        """The outputs; see the class for the shapes."""
        mask = get_keras_mask(inputs) if mask is None else mask  # Keras fills it in for calls with one tensor alone
        others = () if memory is None else (memory,)
        x = self.start(inputs, training)
        for block in self.blocks:
            x = self.run_block(block, x, *others, mask=mask, memory_mask=memory_mask, training=training)
        return self.end(x)

    def compute_attention_scores(
        self,
        inputs: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """What each block attends to.

        Returns:
            Of the inputs, `(batch, num_heads, steps, steps)` a block; of the memory where it attends to one, `(batch,
            num_heads, steps, memory steps)` a block.
        """
        x, of_inputs, of_memory = self.start(inputs, training=False), [], []
        for block in self.blocks:
            x, scores, *cross = block(
                x, memory, mask=mask, memory_mask=memory_mask, return_attention_scores=True, training=False
            )
            of_inputs.append(scores)
            of_memory += cross
        return of_inputs, of_memory

    def prepare(self, memory: Tensor, memory_mask: Tensor | None = None) -> DecoderMemory:
        """What `step` attends to: once a source.

        Args:
            memory: `(batch, memory steps, memory features)`.
            memory_mask: booleans `(batch, memory steps)`.
        """
        bias = None if memory_mask is None else padding_bias(memory_mask)
        return DecoderMemory(tuple(block.prepare(memory) for block in self.blocks), bias)

    def empty_cache(self, batch: int | Tensor) -> tuple[KeyValues, ...]:
        """Keys and values of no steps for each block, which `step` starts from."""
        return tuple(block.empty_cache(batch) for block in self.blocks)

    def step(
        self,
        inputs: Tensor,
        cache: Sequence[KeyValues],
        bias: Tensor | None = None,
        positions: Tensor | None = None,
        memory: DecoderMemory | None = None,
        encoded: Any = None,
    ) -> tuple[Tensor, tuple[KeyValues, ...]]:
        """The next steps, one or many.

        Args:
            inputs: `(batch, new steps, features)`, without positions.
            cache: keys and values of the steps before, a pair for each block.
            bias: of the self-attention, broadcastable to `(batch, num_heads, new steps, past + new steps)`; `None`
                where all new steps are to see all, each other included.
            positions: of the new steps, integers that broadcast to `(batch, new steps)`; by default from 0.
            memory: what `prepare` gave.
            encoded: in the place of `positions`, their rows of `position_table`, which broadcast to `(batch, new steps,
                size)`.

        Returns:
            The outputs `(batch, new steps, features)`, and the cache with the new steps behind.
        """
        if len(cache) != self.num_layers:
            raise ValueError(
                f"The cache of layer {self.name!r} has one pair of keys and values for each of its {self.num_layers} "
                f"blocks. Received: {len(cache)}. It is another model's: start from `empty_cache`."
            )
        memories = (None,) * self.num_layers if memory is None else memory.key_values
        x, new = self.start(inputs, False, positions, encoded), []
        if self.position == "rotary" and encoded is not None:
            positions = encoded
        for block, past, looked_at in zip(self.blocks, cache, memories, strict=True):
            x, kept = block.step(x, past, bias, positions, looked_at, None if memory is None else memory.bias)
            new.append(kept)
        return self.end(x), tuple(new)
