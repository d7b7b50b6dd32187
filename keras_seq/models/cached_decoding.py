"""How a transformer decodes: one pool of keys and values a source, which all its hypotheses look into."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import ops, tree

from keras_seq.attention.attention_bias import mask_bias
from keras_seq.attention.key_values import KeyValues
from keras_seq.decoding.decoding import Decoding
from keras_seq.decoding.loop import gather_rows, repeat_rows
from keras_seq.recurrent.cell import Tensor
from keras_seq.transformer.stack import scale_embeddings
from keras_seq.transformer.transformer_decoder import DecoderMemory, TransformerDecoder


class Pool(NamedTuple):
    """What the steps carry on.

    The hypotheses of a source, say K of them, are neighbouring queries of one attention. Each step adds one entry for
    each of them to the source's pool; `bias` says which entries are whose. When the hypotheses of a source change
    places only the rows of `bias` follow them: the keys and values, a thousand times as large, stay where they are.

    Attributes:
        cache: keys and values of each block, `(batch, heads, entries, size)`.
        bias: `(batch * K, entries)`, 0 at the entries that a hypothesis goes back to and -1e30 at all others; `()`
            where every hypothesis sees every entry.
        position: of the tokens to come, a scalar, or `(batch, 1)` where the sources differ.
    """

    cache: tuple[KeyValues, ...]
    bias: Tensor | tuple[()]
    position: Tensor


class Prompt(NamedTuple):
    """What was read before the first step.

    Attributes:
        cache: keys and values of each block.
        seen: booleans `(batch, entries)`, `False` at the entries that are padding.
        position: `(batch, 1)` int32, of the tokens to come.
        first_tokens: `(batch,)` int32, what the first step reads.
    """

    cache: tuple[KeyValues, ...]
    seen: Tensor
    position: Tensor
    first_tokens: Tensor


class CachedDecoder:
    """The step of a decoding, and what all steps share.

    Args:
        decoder: the blocks.
        table: the embeddings, scaled, `(vocabulary, features)`.
        project: from outputs `(rows, features)` to logits.
        num_beams: K, how many hypotheses a source has.
        batch: the number of sources.
        memory: what the blocks attend to; `None` for a language model.
        num_positions: how many positions there will be at most; `None` where that is unknown.
    """

    def __init__(
        self,
        decoder: TransformerDecoder,
        table: Tensor,
        project: Callable[[Tensor], Tensor],
        num_beams: int,
        batch: int | Tensor,
        memory: DecoderMemory | None = None,
        num_positions: int | Tensor | None = None,
    ):
        self.decoder = decoder
        self.table = table
        self.project = project
        self.num_beams = num_beams
        self.batch = batch
        self.memory = memory
        self.positions = None if num_positions is None else decoder.position_table(num_positions)
        self.own = None  # which of the entries of a step each hypothesis sees: that of its own

    def start(self, prompt: Prompt | None = None) -> Decoding:
        """The decoding, before its first step."""
        beams = self.num_beams
        if prompt is None:
            cache, position, first = self.decoder.empty_cache(self.batch), ops.convert_to_tensor(0, "int32"), None
            bias = ops.zeros((self.batch * beams, 0)) if beams > 1 else ()
        else:
            cache, position, first = prompt.cache, prompt.position, prompt.first_tokens
            bias = repeat_rows(mask_bias(prompt.seen), beams)
        if beams > 1 or prompt is not None:
            own = mask_bias(ops.convert_to_tensor(np.eye(beams, dtype=bool)))
            self.own = ops.tile(own, (self.batch, 1))
        state = Pool(cache, bias, position)
        growing = Pool(tree.map_structure(lambda _: 2, cache), () if self.own is None else 1, None)
        return Decoding(self.step, state, self.batch, reorder=self.reorder, first_tokens=first, growing=growing)

    def step(self, tokens: Tensor, state: Pool) -> tuple[Tensor, Pool]:
        """Logits behind the last tokens `(batch * K,)`."""
        bias, seen = state.bias, None
        if self.own is not None:
            bias = ops.concatenate([bias, self.own], axis=1)  # (batch * K, entries)
            seen = ops.reshape(bias, (self.batch, 1, self.num_beams, -1))
        rows = gather_rows(self.table, tokens)
        inputs = ops.reshape(rows, (-1, self.num_beams, rows.shape[-1]))  # (batch, K, features)
        encoded = None
        if self.positions is not None:
            encoded = tree.map_structure(lambda table: gather_rows(table, state.position), self.positions)
        outputs, cache = self.decoder.step(inputs, state.cache, seen, state.position, self.memory, encoded)
        logits = self.project(ops.reshape(outputs, (-1, outputs.shape[-1])))
        return logits, Pool(cache, bias, state.position + 1)

    def reorder(self, state: Pool, parents: Tensor) -> Pool:
        """The state when row i goes on from row `parents[i]` of the same source."""
        return state._replace(bias=gather_rows(state.bias, parents))


def scaled_table(embedding: keras.layers.Embedding, dtype: str) -> Tensor:
    """All embeddings as the blocks read them, `(vocabulary, features)`: scaled once instead of in every step."""
    return scale_embeddings(ops.cast(ops.convert_to_tensor(embedding.embeddings), dtype))
