"""Training aids: the loss of sequences, a learning rate, and what watches a recurrent network learn."""

from keras_seq.training.gradient_error import GradientError
from keras_seq.training.gradient_monitor import GradientMonitor
from keras_seq.training.sequence_crossentropy import SequenceCrossentropy
from keras_seq.training.text_windows import TextWindows, text_windows
from keras_seq.training.warmup_schedule import WarmupSchedule

__all__ = ["GradientError", "GradientMonitor", "SequenceCrossentropy", "TextWindows", "WarmupSchedule", "text_windows"]
