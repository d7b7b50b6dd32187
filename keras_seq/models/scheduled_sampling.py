"""Tokens of the model's own in the place of the teacher's."""

from __future__ import annotations

import keras
from keras import ops

from keras_seq.attention.attention_decoder import AttentionDecoder, Feedback
from keras_seq.models.token_projection import TokenProjection
from keras_seq.recurrent.cell import Tensor


def scheduled_sampling(
    decoder: AttentionDecoder,
    projection: TokenProjection,
    table: Tensor,
    probability: Tensor,
    shape: tuple[int | Tensor, int | Tensor],
    seed: keras.random.SeedGenerator,
) -> Feedback:
    """The feedback that gives a decoder, now and then, a token drawn from what it predicted.

    Bengio et al. 2015, https://arxiv.org/abs/1506.03099. Each step of each row decides by itself. No gradient flows
    through the choice of a token.

    Args:
        decoder: reads the tokens.
        projection: makes logits of its outputs.
        table: the embeddings of the tokens, `(vocabulary, features)`.
        probability: of a token of the model's own, a scalar.
        shape: `(batch, time)` of the target.
        seed: of the random numbers.

    Returns:
        What `AttentionDecoder.call` takes as `feedback`.
    """
    # Drawn before the loop: a seed cannot change inside one on every backend.
    chosen = keras.random.uniform(shape, seed=seed) < ops.cast(probability, "float32")
    draws = keras.random.uniform(shape, seed=seed)
    kernel, bias = projection.read(table)
    weights = kernel, without_padding(bias)

    def feedback(output: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        logits = projection.project(ops.stop_gradient(output), weights)
        tokens = draw_tokens(ops.softmax(logits), ops.take(draws, t, axis=1))
        own = decoder.project_inputs(ops.take(table, tokens, axis=0))
        return own, ops.expand_dims(ops.take(chosen, t, axis=1), axis=-1)

    return feedback


def draw_tokens(probabilities: Tensor, draws: Tensor) -> Tensor:
    """Draws one id a row, by the inverse of the distribution function.

    Args:
        probabilities: `(rows, vocabulary)`.
        draws: numbers from 0 to 1, `(rows,)`.

    Returns:
        `(rows,)` int32. An id without probability is never drawn.
    """
    below = ops.cumsum(probabilities, axis=-1) <= ops.expand_dims(draws, axis=-1)
    tokens = ops.sum(ops.cast(below, "int32"), axis=-1)
    return ops.minimum(tokens, probabilities.shape[-1] - 1)  # the sum of all may be a little less than 1


def without_padding(logits: Tensor) -> Tensor:
    """Logits, or their bias, with -1e9 added at id 0: the padding is no token that could be predicted."""
    return logits - 1e9 * ops.cast(ops.equal(ops.arange(logits.shape[-1]), 0), "float32")
