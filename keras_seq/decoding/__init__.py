"""Decoding: the loop, the strategies, and what goes in and comes out."""

import keras  # noqa: F401  before the rest, see keras_seq/_registration.py

from keras_seq.decoding.beam_search import BeamSearch
from keras_seq.decoding.decoding import Decoding
from keras_seq.decoding.error_analysis import ErrorAnalysis, analyse_errors
from keras_seq.decoding.generate import beam_search, generate, greedy, sample
from keras_seq.decoding.greedy import Greedy
from keras_seq.decoding.hypotheses import Hypotheses
from keras_seq.decoding.length_term import length_term
from keras_seq.decoding.loop import gather_rows, run_steps
from keras_seq.decoding.sampling import Sampling
from keras_seq.decoding.strategy import Strategy
from keras_seq.decoding.stream_tokens import stream_tokens

__all__ = [
    "BeamSearch",
    "Decoding",
    "ErrorAnalysis",
    "Greedy",
    "Hypotheses",
    "Sampling",
    "Strategy",
    "analyse_errors",
    "beam_search",
    "gather_rows",
    "generate",
    "greedy",
    "length_term",
    "run_steps",
    "sample",
    "stream_tokens",
]
