"""The tensors of a signature, as the protocol names them: texts are tensors of `BYTES`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_seq.serving.errors import InputError, listed
from keras_seq.serving.server.signature import Signature
from keras_seq.serving.server.v2.datatypes import BYTES, datatype_of
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


def text_names(signature: Signature) -> dict[str, str]:
    """Name of each input of texts to the graph's input that it is for: `"text"` where there is but one."""
    names = signature.text_inputs
    others = [spec.name for spec in signature.inputs if spec.name not in names]
    return {_TEXT: names[0]} if len(names) == 1 and _TEXT not in others else {name: name for name in names}


def input_tensors(signature: Signature) -> list[NamedTensor]:
    """What a request has as `inputs`."""
    if not signature.takes_text:
        return [NamedTensor.of(spec) for spec in signature.inputs]
    called = {graph_name: name for name, graph_name in text_names(signature).items()}
    return [
        NamedTensor(called[spec.name], BYTES, (-1,)) if spec.name in called else NamedTensor.of(spec)
        for spec in signature.inputs
    ]


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
    alone = len(signature.text_inputs) == 1 and all(tensor.name != "tokens" for tensor in numbers)
    tokens = ["tokens"] if alone else [f"{name}.tokens" for name in signature.text_inputs]
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


def texts_of(inputs: Mapping[str, np.ndarray], signature: Signature) -> dict[str, Any]:
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
        if name not in texts:
            values[name] = array
        elif array.dtype.kind != "O" or array.ndim != 1:
            received = f"{datatype_of(array.dtype.name)} of shape {list(array.shape)}"
            raise InputError(f"Input {name!r} must be {BYTES} of one axis, a text a row. Received: {received}.")
        else:
            values[texts[name]] = array.tolist()
    return values
