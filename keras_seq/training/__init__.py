"""Training aids: what watches a recurrent network learn."""

from keras_seq.training.gradient_error import GradientError
from keras_seq.training.gradient_monitor import GradientMonitor

__all__ = ["GradientError", "GradientMonitor"]
