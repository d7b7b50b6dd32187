"""A model in words."""

from __future__ import annotations

from typing import Any

import keras


def describe(model: Any) -> str:
    """What a `Seq2Seq` consists of, a line for each part."""
    lines = [f'{type(model).__name__} "{model.name}": {_source(model)} to ids of {model.vocabulary_size}']
    lines += [f"  {name:<17} {text}" for name, text in _parts(model)]
    if model.built:
        lines.append(f"  {model.count_params():,} weights, computed in {model.compute_dtype}")
    return "\n".join(lines)


def describe_transformer(model: Any) -> str:
    """What a `Transformer` or a `TransformerLM` consists of, a line for each part."""
    encodes = hasattr(model, "encoder")
    longest = model.max_target_length if encodes else model.max_length
    limit = "" if longest is None else f", at most {longest} steps"
    read = f"{_source(model)} to " if encodes else ""
    tied = ", tied to the embeddings" if model.tie_output else ""
    lines = [
        f'{type(model).__name__} "{model.name}": {read}ids of {model.vocabulary_size}{limit}',
        *(f"  {name:<17} {_stack(getattr(model, name))}" for name in ("encoder", "decoder") if hasattr(model, name)),
        f"  {'output':<17} {model.vocabulary_size} logits of {model.features} features{tied}",
    ]
    if model.built:
        lines.append(f"  {model.count_params():,} weights, computed in {model.compute_dtype}")
    return "\n".join(lines)


def describe_language_model(model: Any) -> str:
    """What a `LanguageModel` consists of, a line for each part."""
    between = "" if model.projection is None else f", projected to {model.features}"
    tied = ", tied to the embeddings" if model.tie_output else ""
    lines = [
        f'{type(model).__name__} "{model.name}": ids of {model.vocabulary_size}',
        f"  {'embedding':<17} {model.vocabulary_size} × {model.features}",
        f"  {'rnn':<17} {_layer(model.rnn)}{between}",
        f"  {'output':<17} {model.vocabulary_size} logits{tied}",
    ]
    if model.built:
        lines.append(f"  {model.count_params():,} weights, computed in {model.compute_dtype}")
    return "\n".join(lines)


def _stack(stack: Any) -> str:
    config = stack.get_config()
    groups = config["num_key_value_heads"]
    heads = f"{config['num_heads']} heads" + ("" if groups is None else f" ({groups} of keys and values)")
    norm = f"{config['norm']} norm {'before' if config['norm_first'] else 'behind'} each sublayer"
    position = f"{config['position'] or 'no'} positions"
    network = f"{config['activation']}({config['feed_forward_units']})"
    return f"{config['num_layers']} blocks: {heads}, {network}, {norm}, {position}"


def _source(model: Any) -> str:
    limit = "" if model.max_source_length is None else f", at most {model.max_source_length} steps"
    if model.source_vocabulary_size is not None:
        return f"ids of {model.source_vocabulary_size}{limit}"
    return "a vector" if model.encoder is None else f"features{limit}"


def _parts(model: Any) -> list[tuple[str, str]]:
    parts = []
    if model.source_embedding is not None:
        parts.append(("source_embedding", f"{model.source_vocabulary_size} × {model.embedding_dim}"))
    if model.encoder is not None:
        parts.append(("encoder", _layer(model.encoder)))
    parts += [("bridge", _bridge(model)), ("target_embedding", f"{model.vocabulary_size} × {model.embedding_dim}")]
    parts += [("decoder", _decoder(model.decoder)), ("output", _output(model))]
    if model.initial_sampling_probability:
        parts.append(("sampling", f"reads a token of its own with probability {model.sampling_probability:g}"))
    return parts


def _layer(layer: keras.layers.Layer) -> str:
    inner = [getattr(layer, name) for name in ("forward_layer", "backward_layer") if hasattr(layer, name)]
    inner = inner or list(getattr(layer, "layers", ()))
    if inner:
        return f"{type(layer).__name__}({', '.join(map(_layer, inner))})"
    return f"{type(layer).__name__}({getattr(layer, 'units', '')})"


def _bridge(model: Any) -> str:
    states = ", ".join(f"{name} ({size})" for name, size in model.decoder.state_sizes.items())
    if model.bridge is None:
        return f"to {states}"
    if not model.bridge.projects:
        return f"hands the encoder's states on as {states}"
    return f"projects what the encoder gives to {states}, {keras.activations.serialize(model.bridge_activation)}"


def _decoder(decoder: Any) -> str:
    cells = ", ".join(f"{type(cell).__name__}({cell.units})" for cell in decoder.cells)
    if decoder.attention is None:
        return f"{cells}, no attention"
    fed = " and fed to the next step" if decoder.attend == "after" and decoder.input_feeding else ""
    return f"{cells}, {type(decoder.attention).__name__} {decoder.attend} the cell{fed}"


def _output(model: Any) -> str:
    tied = ", tied to target_embedding" if model.tie_output else ""
    return f"{model.vocabulary_size} logits of {model.decoder.output_size} features{tied}"
