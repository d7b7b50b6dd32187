"""Signatures of a SavedModel that take texts, with the tokenizers inside."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from keras_seq.export.endpoint import Endpoint
from keras_seq.export.lowering.trace import Trace
from keras_seq.export.text.graph_text import TEXTS, GraphText
from keras_seq.export.text.text_input import TextInput
from keras_seq.text.tokenizer import Tokenizer

__all__ = ["SIGNATURES", "text_signature"]

SIGNATURES = {"model": "serve_text", "generate": "generate_text"}
"""What the signature of texts is called, by the endpoint that it puts them into."""
_SPECIAL = {1: "<start>", 2: "<end>"}


def text_signature(endpoint: Endpoint, text: GraphText) -> tuple[Callable, tf.Module]:
    """An endpoint as a traced function of texts.

    Args:
        endpoint: What it computes.
        text: Its strings; at least one input of text.

    Returns:
        The function, whose inputs and outputs have their names, and what holds the tables that it looks tokens up in.
    """
    function = endpoint.build(Trace(markers=None, streaming=False))
    by_ids = {given.ids.name: given for given in text.inputs}
    tokenizers = {given.name: given.reading.layer() for given in text.inputs}
    splitters = {given.name: given.reading.splitter() for given in text.inputs if given.tokens}
    writer = None if text.written is None else text.written.layer()
    names = [name for name, _ in endpoint.input_shapes()]
    outputs = [name for name, _ in endpoint.output_shapes()]

    def call(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        ids, tokens = {}, {}
        flat = []
        for name, tensor in zip(names, tensors, strict=True):
            given = by_ids.get(name)
            if given is not None:
                ids[name] = tf.identity(tokenizers[given.name](tensor))  # without the mask, which no model asks for
                if given.tokens:
                    tokens[given.tokens] = _tokens(tensor, ids[name], splitters[given.name], given)
                tensor = tf.cast(ids[name], given.ids.dtype)
            flat.append(tensor)
        results = dict(zip(outputs, function(*flat), strict=True)) | tokens
        for output in text.labels:
            scores = results[output.scores.name]
            index = tf.cast(scores[..., 0] > 0.5, "int64") if output.single else tf.argmax(scores, axis=-1)
            best = tf.gather(tf.constant(output.labels), index)
            results[output.name] = best if output.ids is None else tf.where(output.is_step(ids[output.ids]), best, "")
        if writer is not None:
            results[TEXTS] = writer.to_text(results["ids"])
        return results

    specs = [
        tf.TensorSpec([None], tf.string, name=by_ids[name].name) if name in by_ids else spec
        for name, spec in zip(names, endpoint.tensor_specs(named=True), strict=True)
    ]
    traced = tf.function(call, input_signature=specs, autograph=False)
    traced.get_concrete_function()
    tables = tf.Module()
    tables.layers = [*tokenizers.values(), *splitters.values(), *[writer] * (writer is not None)]
    return traced, tables


def _tokens(texts: tf.Tensor, ids: tf.Tensor, splitter: Tokenizer, given: TextInput) -> tf.Tensor:
    """The tokens as they stand in the texts, one for each step of ids; "" where there is padding."""
    framing = given.reading.framing
    ids = ids[..., 0] if ids.shape.rank == 3 else ids
    tokens = splitter.split(texts).to_tensor("")
    start = tf.fill([tf.shape(ids)[0], int(framing.add_start)], "")
    # As wide as the ids: what they were cut by goes, and for what they have more there is room.
    tokens = tf.concat([start, tokens, tf.fill(tf.shape(ids), "")], axis=1)[:, : tf.shape(ids)[1]]
    tokens = tf.where(ids == 0, "", tokens)
    for special, name in _SPECIAL.items():
        tokens = tf.where(ids == special, name, tokens)
    return tokens
