"""Whole models, and what joins their parts."""

import keras  # noqa: F401  before the layers, see keras_seq/_registration.py

from keras_seq.models.language_model import LanguageModel
from keras_seq.models.seq2seq import Seq2Seq
from keras_seq.models.state_bridge import StateBridge
from keras_seq.models.transformer import Transformer
from keras_seq.models.transformer_lm import TransformerLM

__all__ = ["LanguageModel", "Seq2Seq", "StateBridge", "Transformer", "TransformerLM"]
