"""The tensors of a signature, as the protocol names them: texts are tensors of `BYTES`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_seq.serving.errors import InputError, listed
from keras_seq.serving.server.signature import Signature
from keras_seq.serving.server.v2.datatypes import BYTES, datatype_of, datatype_of_array
from keras_seq.serving.tensor_spec import TensorSpec

_TEXT = "text"


@dataclass(frozen=True)
class NamedTensor:
    """One tensor of a signature.

    Attributes:
        name: Its name.
        datatype: Its datatype.
        shape: Its shape; -1 for sizes that vary.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, spec: TensorSpec) -> "NamedTensor":
        """The tensor of a graph."""
        return cls(spec.name, datatype_of(spec.dtype), _sizes(spec))


def _sizes(spec: TensorSpec) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else -1 for size in spec.shape)


def text_names(signature: Signature) -> list[str]:
    """Names of the inputs of texts: `"text"` where one text a row is enough, and otherwise those of the graph."""
    others = [spec.name for spec in signature.inputs if spec.name not in signature.text_inputs]
    enough = signature.one_text or len(signature.text_inputs) == 1
    return [_TEXT] if enough and _TEXT not in others else list(signature.text_inputs)


def input_tensors(signature: Signature) -> list[NamedTensor]:
    """What a request has as `inputs`."""
    if not signature.takes_text:
        return [NamedTensor.of(spec) for spec in signature.inputs]
    texts = [NamedTensor(name, BYTES, (-1,)) for name in text_names(signature)]
    return [*texts, *(NamedTensor.of(spec) for spec in signature.inputs if spec.name not in signature.text_inputs)]


def output_names(signature: Signature) -> list[str]:
    """Names of what an answer has as `outputs`."""
    if not signature.takes_text:
        return [spec.name for spec in signature.outputs]
    return [tensor.name for tensor in output_tensors(signature)]


def output_tensors(signature: Signature) -> list[NamedTensor]:
    """What an answer has as `outputs`."""
    numbers = [NamedTensor.of(spec) for spec in signature.outputs]
    if not signature.takes_text:
        return numbers
    if generates(signature):
        found = {tensor.name: tensor for tensor in numbers}
        texts = NamedTensor("text", BYTES, found["scores"].shape)
        return [texts, *(found[name] for name in ("ids", "lengths", "scores", "finished"))]
    read = signature.text_inputs[:1] if signature.one_text else signature.text_inputs
    alone = len(read) == 1 and all(tensor.name != "tokens" for tensor in numbers)
    tokens = ["tokens"] if alone else [f"{name}.tokens" for name in read]
    return [
        *numbers,
        *(NamedTensor(name, BYTES, (-1, -1)) for name in tokens),
        *(_labels(spec) for spec in signature.outputs if spec.name in signature.labels),
    ]


def _labels(spec: TensorSpec) -> NamedTensor:
    shape = _sizes(spec)
    return NamedTensor(f"{spec.name}.labels", BYTES, shape[:-1] if spec.dtype.startswith("float") else shape)


def generates(signature: Signature) -> bool:
    """Whether texts go in and hypotheses come out."""
    return signature.takes_text and signature.graph != "model"


def texts_of(inputs: Mapping[str, np.ndarray], signature: Signature) -> Any:
    """The inputs of a request as `ServedModel.predict_text` takes them.

    Args:
        inputs: Name to array, as the request has them.
        signature: What is asked; it takes texts.

    Raises:
        InputError: If a name is missing or unknown, or a text is no tensor of `BYTES` with one axis.
    """
    texts = text_names(signature)
    valid = [tensor.name for tensor in input_tensors(signature)]
    missing, unknown = [n for n in valid if n not in inputs], [n for n in inputs if n not in valid]
    if missing or unknown:
        parts = [f"unknown: {listed(unknown)}"] if unknown else []
        parts += [f"missing: {listed(missing)}"] if missing else []
        raise InputError(f"Inputs do not match the model's ({'; '.join(parts)}). Valid names: {listed(valid)}.")
    values: dict[str, Any] = {}
    for name, array in inputs.items():
        if name in texts and (array.dtype.kind != "O" or array.ndim != 1):
            received = f"{datatype_of_array(array)} of shape {list(array.shape)}"
            raise InputError(f"Input {name!r} must be {BYTES} of one axis, a text a row. Received: {received}.")
        values[name] = array.tolist() if name in texts else array
    if texts != [_TEXT]:
        return values
    text = values.pop(_TEXT)
    return text if not values else {signature.text_inputs[0]: text, **values}
