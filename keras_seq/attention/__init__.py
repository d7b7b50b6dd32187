"""Attention over a memory, and the decoder that attends."""

import keras  # noqa: F401  before the layers, see keras_seq/_registration.py

from keras_seq.attention.attention_bias import causal_bias, padding_bias
from keras_seq.attention.attention_decoder import AttentionDecoder
from keras_seq.attention.bahdanau_attention import BahdanauAttention
from keras_seq.attention.key_values import KeyValues
from keras_seq.attention.luong_attention import LuongAttention
from keras_seq.attention.memory import Memory
from keras_seq.attention.memory_attention import MemoryAttention
from keras_seq.attention.multi_head_attention import MultiHeadAttention

__all__ = [
    "AttentionDecoder",
    "BahdanauAttention",
    "KeyValues",
    "LuongAttention",
    "Memory",
    "MemoryAttention",
    "MultiHeadAttention",
    "causal_bias",
    "padding_bias",
]
