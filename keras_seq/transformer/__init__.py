"""Transformers: positions, blocks, and the stacks made of them."""

import keras  # noqa: F401  before the layers, see keras_seq/_registration.py

from keras_seq.transformer.feed_forward import FeedForward
from keras_seq.transformer.learned_positional_encoding import LearnedPositionalEncoding
from keras_seq.transformer.rotary_embedding import RotaryEmbedding
from keras_seq.transformer.sinusoidal_positional_encoding import SinusoidalPositionalEncoding
from keras_seq.transformer.stack import scale_embeddings
from keras_seq.transformer.torch_weights import load_torch_weights, torch_weights
from keras_seq.transformer.transformer_decoder import DecoderMemory, TransformerDecoder
from keras_seq.transformer.transformer_decoder_block import TransformerDecoderBlock
from keras_seq.transformer.transformer_encoder import TransformerEncoder
from keras_seq.transformer.transformer_encoder_block import TransformerEncoderBlock

__all__ = [
    "DecoderMemory",
    "FeedForward",
    "LearnedPositionalEncoding",
    "RotaryEmbedding",
    "SinusoidalPositionalEncoding",
    "TransformerDecoder",
    "TransformerDecoderBlock",
    "TransformerEncoder",
    "TransformerEncoderBlock",
    "load_torch_weights",
    "scale_embeddings",
    "torch_weights",
]
