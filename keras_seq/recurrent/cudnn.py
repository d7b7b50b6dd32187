"""The argument `use_cudnn`, and when a layer can take the backend's cuDNN kernel."""

from typing import Any

from keras.src import backend

from keras_seq.recurrent.cell import StepCell
from keras_seq.recurrent.layer import RecurrentLayer


class CudnnLayer(RecurrentLayer):
    """Mixin for the layers that have a cuDNN kernel in Keras, the LSTM and the GRU."""

    def run_cell(self, cell: StepCell, use_cudnn: bool | str = "auto", **kwargs: Any) -> None:
        """Initialises the layer around its cell; to be called by the constructors alone."""
        super().run_cell(cell, **kwargs)
        self.use_cudnn = use_cudnn
        if backend.backend() == "tensorflow" and self.training_kernel().name == "cudnn":
            self.supports_jit = False  # XLA cannot compile TensorFlow's cuDNN operations

    @property
    def use_cudnn(self) -> bool | str:
        """`"auto"`, `True` or `False`; `False` for good where cuDNN has no such cell.

        For good, because `keras.layers.Bidirectional` copies the value from one layer to another and runs both on cuDNN
        as plain LSTM or GRU unless it finds `False` here.
        """
        return False if self.cell.cudnn_obstacle else self._use_cudnn

    @use_cudnn.setter
    def use_cudnn(self, value: bool | str) -> None:
        if value not in ("auto", True, False):
            raise ValueError(f'`use_cudnn` must be "auto", True or False. Received: use_cudnn={value!r}')
        if value is True and self.cell.cudnn_obstacle:
            raise ValueError(
                f'`use_cudnn=True` is not possible for layer "{self.name}": {self.cell.cudnn_obstacle}. '
                'Pass use_cudnn="auto" or False.'
            )
        self._use_cudnn = value

    def cudnn_obstacle(self, masked: bool) -> str | None:
        """Why the backend's cuDNN kernel cannot run this layer here, or `None` where it can."""
        cell = self.cell
        if cell.cudnn_obstacle:
            return cell.cudnn_obstacle
        if self.use_cudnn is False:
            return "use_cudnn=False"
        if not cell.use_bias:
            return "cuDNN needs use_bias=True"
        if masked:
            return "cuDNN takes right-padded masks alone, and gives other outputs at the padding"
        if not backend.cudnn_ok(cell.activation, cell.recurrent_activation, self.unroll, cell.use_bias):
            return "no GPU with cuDNN"
        return None

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor; Keras leaves `use_cudnn` out."""
        return {**super().get_config(), "use_cudnn": self.use_cudnn}
