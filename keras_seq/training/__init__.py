"""Training aids: the loss of sequences, and what watches a recurrent network learn."""

from keras_seq.training.gradient_error import GradientError
from keras_seq.training.gradient_monitor import GradientMonitor
from keras_seq.training.sequence_crossentropy import SequenceCrossentropy

__all__ = ["GradientError", "GradientMonitor", "SequenceCrossentropy"]
