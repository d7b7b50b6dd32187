"""Checks of the arguments of `Seq2Seq`."""

from __future__ import annotations

from typing import Any

from keras_seq.attention.attention_decoder import AttentionDecoder
from keras_seq.models.argument_checks import check_dropout, check_sizes, check_start_and_end
from keras_seq.models.encoder_outputs import check_encoder


def check_arguments(model: Any, encoder: Any, decoder: Any) -> None:
    """Checks the arguments of a `Seq2Seq`, of which all but the layers are its attributes already.

    Raises:
        TypeError: for an encoder or a decoder of another kind.
        ValueError: for arguments that are out of range, or do not go together.
    """
    if not isinstance(decoder, AttentionDecoder):
        raise TypeError(
            "`decoder` must be a keras_seq.AttentionDecoder, with attention=None for one that does not attend. "
            f"Received: decoder={decoder!r}"
        )
    check_encoder(encoder, decoder.attention is not None)
    check_sizes(
        model, "target_vocabulary_size", "embedding_dim", optional=("source_vocabulary_size", "max_source_length")
    )
    check_start_and_end(model, "target_vocabulary_size")
    _check_source(model, encoder)
    check_dropout(model)
    probability = model.initial_sampling_probability
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"`sampling_probability` must be from 0 to 1. Received: sampling_probability={probability}")
    if model.tie_output and decoder.output_size != model.embedding_dim:
        raise ValueError(
            "`tie_output=True` needs outputs of the decoder of the size of the embeddings. Received: "
            f"embedding_dim={model.embedding_dim} and a decoder with outputs of {decoder.output_size} features. "
            'Make them equal, for one with `attention_units` of a decoder with attend="after".'
        )


def _check_source(model: Any, encoder: Any) -> None:
    if encoder is not None:
        return
    for name in ("source_vocabulary_size", "max_source_length"):
        if getattr(model, name) is not None:
            raise ValueError(
                f"`{name}` needs an `encoder`: without one the source is a vector, (batch, features). Received: "
                f"{name}={getattr(model, name)}, encoder=None"
            )
