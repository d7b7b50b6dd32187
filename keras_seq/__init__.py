"""Sequence layers for Keras 3.

Every public name is `keras_seq.Name`. Nothing heavy is imported before a name is used: `keras_seq.serving`, of which
this is the parent package, runs where neither Keras nor TensorFlow is installed.
"""

import lazy_loader

from keras_seq._extras import naming_extra
from keras_seq._registration import register_with_keras

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "attention",
        "decoding",
        "embeddings",
        "metrics",
        "models",
        "recurrent",
        "text",
        "training",
        "transformer",
    ],
    submod_attrs={
        "attention": [
            "AttentionDecoder",
            "BahdanauAttention",
            "KeyValues",
            "LuongAttention",
            "Memory",
            "MemoryAttention",
            "MultiHeadAttention",
        ],
        "decoding": [
            "BeamSearch",
            "Decoding",
            "Greedy",
            "Hypotheses",
            "Sampling",
            "beam_search",
            "generate",
            "greedy",
            "sample",
            "stream_tokens",
        ],
        "embeddings": ["GloVe", "SkipGram", "WordVectors"],
        "metrics": ["BitsPerCharacter", "Perplexity", "SequenceAccuracy"],
        "models": ["LanguageModel", "Seq2Seq", "StateBridge", "Transformer", "TransformerLM"],
        "recurrent": [
            "GRU",
            "LSTM",
            "Bidirectional",
            "GRUCell",
            "KernelChoice",
            "LSTMCell",
            "PeepholeLSTM",
            "PeepholeLSTMCell",
            "SimpleRNN",
            "SimpleRNNCell",
            "StackedRNN",
            "load_tfa_peephole_weights",
            "portable_kernels",
        ],
        "text": ["CharTokenizer", "WordCharacterTokenizer", "WordPieceTokenizer", "WordTokenizer", "load_tokenizer"],
        "training": [
            "GradientError",
            "GradientMonitor",
            "SequenceCrossentropy",
            "TextWindows",
            "WarmupSchedule",
            "text_windows",
        ],
        "transformer": [
            "FeedForward",
            "LearnedPositionalEncoding",
            "RotaryEmbedding",
            "SinusoidalPositionalEncoding",
            "TransformerDecoder",
            "TransformerDecoderBlock",
            "TransformerEncoder",
            "TransformerEncoderBlock",
            "load_torch_weights",
            "torch_weights",
        ],
    },
)

__getattr__ = naming_extra(__getattr__, "train", ["keras", "tensorflow"])
register_with_keras(
    "keras_seq.recurrent",
    "keras_seq.attention",
    "keras_seq.transformer",
    "keras_seq.models",
    "keras_seq.embeddings.glove",
    "keras_seq.embeddings.skip_gram",
    "keras_seq.text",
    "keras_seq.training",
    "keras_seq.metrics.perplexity_metric",
    "keras_seq.metrics.sequence_accuracy_metric",
)
