"""Checks of the arguments of `Seq2Seq`."""

from __future__ import annotations

from typing import Any

from keras_seq.attention.attention_decoder import AttentionDecoder
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
    _check_sizes(model)
    _check_ids(model)
    _check_source(model, encoder)
    for name in ("dropout", "initial_sampling_probability"):
        value = getattr(model, name)
        shown = name.removeprefix("initial_")
        if name == "dropout" and not 0.0 <= value < 1.0:
            raise ValueError(f"`dropout` must be at least 0 and less than 1. Received: dropout={value}")
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"`{shown}` must be from 0 to 1. Received: {shown}={value}")
    if model.tie_output and decoder.output_size != model.embedding_dim:
        raise ValueError(
            "`tie_output=True` needs outputs of the decoder of the size of the embeddings. Received: "
            f"embedding_dim={model.embedding_dim} and a decoder with outputs of {decoder.output_size} features. "
            'Make them equal, for one with `attention_units` of a decoder with attend="after".'
        )


def _check_sizes(model: Any) -> None:
    optional = ("source_vocabulary_size", "max_source_length")
    for name in ("target_vocabulary_size", "embedding_dim", *optional):
        value = getattr(model, name)
        if not (value is None and name in optional) and (type(value) is not int or value < 1):
            raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")


def _check_ids(model: Any) -> None:
    last = model.target_vocabulary_size - 1
    for name in ("start_id", "end_id"):
        value = getattr(model, name)
        if type(value) is not int or not 1 <= value <= last:
            raise ValueError(
                f"`{name}` must be from 1 to {last}, an id of the target's vocabulary that is not the padding's, 0. "
                f"Received: {name}={value!r}, target_vocabulary_size={model.target_vocabulary_size}"
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
