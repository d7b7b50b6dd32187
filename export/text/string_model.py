"""Models whose inputs are strings: the part behind their tokenizers, which is what an ONNX graph can compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import keras

from keras_seq.export.errors import ExportError
from keras_seq.text.tokenizer import Tokenizer

__all__ = ["StringModel", "behind_tokenizers"]


@dataclass(frozen=True)
class StringModel:
    """A model that was cut behind its tokenizers.

    Attributes:
        model: The part behind them, with an input of ids for each; or the whole model, where it takes no strings.
        tokenizers: By input of ids, the tokenizer before it; empty where the model takes no strings.
        names: By input of ids, the name of the string input.
    """

    model: keras.Model
    tokenizers: dict[str, Tokenizer] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def add_to(
        self, tokenizer: Tokenizer | Mapping[str, Tokenizer] | None
    ) -> Tokenizer | Mapping[str, Tokenizer] | None:
        """The tokenizers of all inputs.

        Args:
            tokenizer: Those of inputs that were ids from the start, as given to `export_model`.

        Raises:
            ExportError: There is one for an input whose tokenizer the model has inside.
        """
        if not self.tokenizers:
            return tokenizer
        others = dict(tokenizer) if isinstance(tokenizer, Mapping) else {}
        if set(others) & {*self.tokenizers, *self.names.values()} or (tokenizer is not None and not others):
            raise ExportError(
                f"the tokenizers of {list(self.names.values())} are layers of model {self.model.name!r}; `tokenizer` "
                f"is for inputs of ids alone. Received: tokenizer={tokenizer!r}. Leave it out."
            )
        return others | self.tokenizers


def behind_tokenizers(model: keras.Model) -> StringModel:
    """Cuts a functional or Sequential model behind the tokenizers that its string inputs go into.

    The layers and their weights stay the model's own. An input of strings that is called `words` becomes the input
    `ids`, or `words_ids` where there are several.

    Args:
        model: Any model.

    Raises:
        ExportError: A string input goes into anything but one tokenizer that pads.
    """
    functional = getattr(model, "_functional", model) if isinstance(model, keras.Sequential) else model
    if not isinstance(functional, keras.Model) or getattr(functional, "_inputs_struct", None) is None:
        return StringModel(model)
    texts = [tensor for tensor in functional.inputs if tensor.dtype == "string"]
    if not texts:
        return StringModel(model)
    inputs, tokenizers, names = [], {}, {}
    for tensor in functional.inputs:
        if tensor.dtype != "string":
            inputs.append(tensor)
            continue
        tokenizer, ids = _only_tokenizer(functional, tensor)
        name = "ids" if len(texts) == 1 else f"{tensor.name}_ids"
        inputs.append(ids)
        tokenizers[name], names[name] = tokenizer, tensor.name
    cut = keras.Model(inputs if len(inputs) > 1 else inputs[0], functional._outputs_struct, name=model.name)
    given = iter(tokenizers)
    for before, tensor in zip(inputs, cut.inputs, strict=True):
        if tensor is not before:  # Keras made a new input here, and named it after the tokenizer
            tensor.name = tensor._keras_history.operation.name = next(given)
    return StringModel(cut, tokenizers, names)


def _only_tokenizer(model: keras.Model, tensor: keras.KerasTensor) -> tuple[Tokenizer, keras.KerasTensor]:
    """The tokenizer that a string input goes into, and its ids."""
    users = [
        (operation, node)
        for operation in model.operations
        for node in operation._inbound_nodes
        if any(given is tensor for given in node.input_tensors)
    ]
    (operation, node), *others = users or [(None, None)]
    if others or not isinstance(operation, Tokenizer) or operation.ragged:
        found = [f"{op.name!r} ({type(op).__name__})" for op, _ in users if op is not None]
        raise ExportError(
            f"input {tensor.name!r} takes strings, which must go into one tokenizer of keras_seq with ragged=False and "
            f"nowhere else. It goes into: {', '.join(found) or 'nothing'}. Put the tokenizer there, or cut the model "
            "behind it and pass tokenizer=."
        )
    return operation, node.output_tensors[0]
