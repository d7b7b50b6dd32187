"""The encoder and the whole model in CTranslate2, in float32 and with weights in int8."""

from collections.abc import Callable, Sequence
from pathlib import Path

import ctranslate2
import numpy as np
from ctranslate2.specs import TransformerSpec, common_spec, transformer_spec

from transformer_opponents.weights import END_ID, PAD_ID, START_ID, Linear, Norm, Weights

SPECIAL = {PAD_ID: "<blank>", START_ID: "<s>", END_ID: "</s>"}


def _token(index: int) -> str:
    return SPECIAL.get(index, f"w{index}")


def _index(token: str) -> int:
    return int(token.removeprefix("w"))


def ct2_encoder(weights: Weights, folder: Path, compute_type: str, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """The encoder alone.

    Args:
        weights: Of the model.
        folder: To write the converted model into.
        compute_type: `"float32"` or `"int8"`.
        threads: For one call.
    """
    spec = transformer_spec.TransformerEncoderModelSpec(
        transformer_spec.TransformerEncoderSpec(
            weights.sizes.num_layers, weights.sizes.num_heads, pre_norm=True, activation=common_spec.Activation.GELU
        )
    )
    _fill_encoder(spec.encoder, weights)
    spec.register_vocabulary([_token(index) for index in range(weights.sizes.vocabulary)])
    spec.config.unk_token = SPECIAL[PAD_ID]
    path = _saved(spec, folder, compute_type)
    encoder = ctranslate2.Encoder(path, device="cpu", compute_type=compute_type, intra_threads=threads)

    def run(ids: np.ndarray) -> np.ndarray:
        lengths = np.count_nonzero(ids, axis=1).astype("int32")
        view = ctranslate2.StorageView.from_array
        return np.array(encoder.forward_batch(view(ids), lengths=view(lengths)).last_hidden_state)

    return run


class Ct2Translator:
    """Search with the whole model.

    Args:
        weights: Of the model.
        folder: To write the converted model into.
        compute_type: `"float32"` or `"int8"`.
        num_beams: 1 for greedy search.
        max_length: The tokens of a hypothesis.
    """

    def __init__(self, weights: Weights, folder: Path, compute_type: str, num_beams: int, max_length: int):
        self._compute_type, self._num_beams, self._max_length = compute_type, num_beams, max_length
        sizes = weights.sizes
        spec = TransformerSpec.from_config(
            sizes.num_layers, sizes.num_heads, pre_norm=True, activation=common_spec.Activation.GELU
        )
        _fill_encoder(spec.encoder, weights)
        _fill_decoder(spec.decoder, weights)
        tokens = [_token(index) for index in range(sizes.vocabulary)]
        spec.register_source_vocabulary(tokens)
        spec.register_target_vocabulary(tokens)
        config = spec.config
        config.add_source_bos = config.add_source_eos = False
        config.bos_token = config.decoder_start_token = SPECIAL[START_ID]
        config.eos_token, config.unk_token = SPECIAL[END_ID], SPECIAL[PAD_ID]
        self._path = _saved(spec, folder, compute_type)

    def decode(self, threads: int, workers: int = 1) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]:
        """A way to run it.

        Args:
            threads: For one batch.
            workers: How many batches to run at a time; each call is cut into so many.
        """
        translator = ctranslate2.Translator(
            self._path,
            device="cpu",
            compute_type=self._compute_type,
            intra_threads=threads,
            inter_threads=workers,
        )

        def run(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
            found = translator.translate_batch(
                self._tokens(ids),
                beam_size=self._num_beams,
                max_decoding_length=self._max_length,
                min_decoding_length=self._max_length,  # all hypotheses are that long: nothing is to be won by an end
                length_penalty=1,
                max_batch_size=-(-len(ids) // workers) if workers > 1 else 0,
            )
            return np.array([[_index(token) for token in one.hypotheses[0]] for one in found]), None

        return run

    @staticmethod
    def _tokens(ids: np.ndarray) -> Sequence[Sequence[str]]:
        return [[_token(index) for index in row if index != PAD_ID] for row in ids]


def _saved(spec, folder: Path, compute_type: str) -> str:
    spec.validate()
    spec.optimize(quantization=None if compute_type == "float32" else compute_type)
    folder.mkdir(parents=True)
    spec.save(str(folder))
    return str(folder)


def _fill_encoder(spec, weights: Weights) -> None:
    (embeddings,) = spec.embeddings if isinstance(spec.embeddings, list) else [spec.embeddings]
    _fill_tables(spec, embeddings, weights.source_table, weights.positions)
    for layer, own in zip(spec.layer, weights.encoder, strict=True):
        _fill_self_attention(layer.self_attention, own)
        _fill_feed_forward(layer.ffn, own)
    _fill_norm(spec.layer_norm, weights.encoder_norm)


def _fill_decoder(spec, weights: Weights) -> None:
    _fill_tables(spec, spec.embeddings, weights.target_table, weights.positions)
    for layer, own in zip(spec.layer, weights.decoder, strict=True):
        _fill_self_attention(layer.self_attention, own)
        query, key, value, output = own.cross_attention
        _fill_norm(layer.attention.layer_norm, own.cross_attention_norm)
        for linear, part in zip(layer.attention.linear, (query, Linear.joined(key, value), output), strict=True):
            _fill_linear(linear, part)
        _fill_feed_forward(layer.ffn, own)
    _fill_norm(spec.layer_norm, weights.decoder_norm)
    _fill_linear(spec.projection, weights.output)


# What follows gives away copies: the conversion to int8 scales the arrays in place.
def _fill_tables(spec, embeddings, table: np.ndarray, positions: np.ndarray) -> None:
    embeddings.weight = table.copy()
    spec.scale_embeddings = False
    spec.position_encodings.encodings = positions.copy()


def _fill_self_attention(spec, layer) -> None:
    query, key, value, output = layer.attention
    _fill_norm(spec.layer_norm, layer.attention_norm)
    for linear, part in zip(spec.linear, (Linear.joined(query, key, value), output), strict=True):
        _fill_linear(linear, part)


def _fill_feed_forward(spec, layer) -> None:
    _fill_norm(spec.layer_norm, layer.feed_forward_norm)
    _fill_linear(spec.linear_0, layer.expand)
    _fill_linear(spec.linear_1, layer.contract)


def _fill_norm(spec, norm: Norm) -> None:
    spec.gamma, spec.beta = norm.gamma.copy(), norm.beta.copy()


def _fill_linear(spec, linear: Linear) -> None:
    spec.weight, spec.bias = np.array(linear.kernel.T, order="C"), linear.bias.copy()
