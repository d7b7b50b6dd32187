"""What can go wrong in an export, as a small tree of errors."""

__all__ = ["ExportError", "MetricDropError", "NotNativeError", "ParityError", "StreamingError"]


class ExportError(Exception):
    """The model cannot be exported as asked; the message says why and what to do."""


class NotNativeError(ExportError):
    """A layer or cell has no exact native ONNX form; the message is the reason, worded to follow the layer's name."""


class StreamingError(ExportError):
    """The model cannot run in chunks: some layer needs steps that have not come yet, or past ones nobody carries."""


class MetricDropError(ExportError):
    """Quantised, the model does its task worse than allowed; the message holds the scores and what each layer does."""


class ParityError(ExportError):
    """What was exported does not compute what the Keras model computes.

    Attributes:
        results: Every comparison made, passed or not, as `keras_seq.export.Parity` records.
    """

    def __init__(self, message: str, results: list) -> None:
        super().__init__(message)
        self.results = results
