"""Which input is read by which tokenizer, and what its outputs are called: `tokenizer=` and `labels=`, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras

from keras_seq.export.endpoint import Endpoint
from keras_seq.export.errors import ExportError
from keras_seq.export.generation import Generation
from keras_seq.export.signature import Signature, named_inputs
from keras_seq.export.text.graph_text import GraphText
from keras_seq.export.text.hard_texts import hard_texts
from keras_seq.export.text.label_output import LabelOutput
from keras_seq.export.text.reading import Reading
from keras_seq.export.text.text_input import TextInput
from keras_seq.serving.tensor_spec import TensorSpec
from keras_seq.serving.text import load_tokenizer
from keras_seq.serving.text_spec import TokenizerSpec
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.tokenizer_file import write_document

__all__ = ["TARGET", "TextPlan", "text_plan"]

TARGET = "target"
"""What a decode loop generates, among the tokenizers of a bundle."""


@dataclass(frozen=True)
class TextPlan:
    """What a bundle does with text.

    Attributes:
        readings: By input name, of every graph, how its texts become ids; under `"target"` how ids that are generated
            become texts, where that differs from how they were read.
        written: How generated ids are written; None where nothing is generated, or as ids alone.
        labels: Output name to one label a class.
        names: By input name, what its string input is called, where that is not for this plan to choose.
    """

    readings: dict[str, Reading] = field(default_factory=dict)
    written: Reading | None = None
    labels: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def of(self, endpoint: Endpoint) -> GraphText:
        """The strings that an endpoint takes and gives."""
        if endpoint.states:  # a chunk may end in the middle of a word
            return GraphText()
        if endpoint.decoding is not None:
            return GraphText(self._inputs(endpoint), written=self.written)
        inputs = self._inputs(endpoint)
        labels = []
        for spec in endpoint.outputs:
            if spec.name in self.labels:
                name = "labels" if len(self.labels) == 1 else f"{spec.name}.labels"
                steps = [given.ids for given in inputs if spec.shape[:-1] == given.ids.shape[:2]]
                ids = min(steps, key=lambda given: len(given.shape), default=None)
                which = () if ids is None else (ids.name, len(ids.shape) > 2)
                labels.append(LabelOutput(name, spec, self.labels[spec.name], *which))
        return GraphText(inputs, tuple(labels))

    def _inputs(self, endpoint: Endpoint) -> tuple[TextInput, ...]:
        read = [spec for spec in endpoint.inputs if spec.name in self.readings]
        dims = {dim for spec in endpoint.outputs for dim in spec.shape[1:]} if endpoint.decoding is None else set()
        whole = {spec.shape[1] for spec in read if len(spec.shape) == 2}  # characters of words have the words' tokens
        followed = [s.name for s in read if s.shape[1] in dims and (len(s.shape) == 2 or s.shape[1] not in whole)]
        taken = {spec.name for spec in endpoint.inputs}
        alone = len(read) == 1 and "text" not in taken
        inputs = []
        for spec in read:
            name = self.names.get(spec.name, "text" if alone else f"{spec.name}_text")
            tokens = None
            if spec.name in followed:
                tokens = "tokens" if len(followed) == 1 else f"{spec.name}_tokens"
            inputs.append(TextInput(name, spec, self.readings[spec.name], tokens))
        return tuple(inputs)

    def write(self, folder: Path) -> dict[str, TokenizerSpec]:
        """Writes the tokenizers' files, one for each way in which an input reads.

        Args:
            folder: The bundle.

        Returns:
            By input name, as the manifest holds them.
        """
        specs: dict[str, TokenizerSpec] = {}
        written: dict[str, dict] = {}
        for name, reading in self.readings.items():
            file = next((file for file, known in written.items() if known == reading.document), None)
            if file is None:
                file = f"tokenizers/{name.replace('/', '_')}.json"
                (folder / file).parent.mkdir(exist_ok=True)
                write_document(folder / file, reading.document)
                written[file] = reading.document
            specs[name] = TokenizerSpec(file)
        return specs

    def with_outputs(self, outputs: Sequence[TensorSpec]) -> TextPlan:
        """Compares the labels with a model's outputs.

        Args:
            outputs: What the model gives.

        Returns:
            The plan with the labels by output name.

        Raises:
            ExportError: There is no such output, or its last axis has another number of classes.
        """
        known = {spec.name: spec for spec in outputs}
        if None in self.labels and len(known) > 1:
            raise ExportError(
                f"`labels` must say of which output they are: {{name: [label, ...]}} with {list(known)}. "
                f"Received: a list of {len(self.labels[None])}."
            )
        labels = {next(iter(known)) if name is None else name: value for name, value in self.labels.items()}
        unknown = sorted(set(labels) - set(known))
        if unknown:
            raise ExportError(f"`labels` names outputs {unknown} that the model lacks. It has: {list(known)}.")
        for name, value in labels.items():
            spec = known[name]
            scores = spec.shape[-1] if len(spec.shape) > 1 else None
            if scores != len(value) and (scores, len(value)) != (1, 2):
                raise ExportError(
                    f"`labels` must have one label for each class of output {name!r}, which is {spec}, or two for a "
                    f"single score, the probability of the second. Received: {len(value)} labels."
                )
        return TextPlan(self.readings, self.written, labels, self.names)


def text_plan(
    model: keras.Model,
    signature: Signature,
    generation: Generation | None,
    tokenizer: Tokenizer | Mapping[str, Tokenizer] | None,
    labels: Sequence[str] | Mapping[str, Sequence[str]] | None,
    names: Mapping[str, str],
) -> TextPlan:
    """Finds out which inputs take text.

    Args:
        model: The model. Without `tokenizer` its own is taken, if it has one.
        signature: Of the model.
        generation: How it generates, if it does.
        tokenizer: As given to `export_model`.
        labels: As given to `export_model`.
        names: By input name, what its string input is to be called.

    Raises:
        ExportError: A tokenizer or a list of labels is none, or of an input that is not there, or a tokenizer does not
            suit the input's vocabulary.
    """
    own = getattr(model, "tokenizer", None)
    if tokenizer is None and isinstance(own, Tokenizer):  # a model of somebody else's may have any other there
        tokenizer = own
    given_labels = _checked_labels(labels)
    if tokenizer is None:
        return TextPlan(labels=given_labels)
    called = {spec.name: spec for spec in signature.inputs}
    decoded = {spec.name: spec for spec in _decoding_inputs(model)}
    taken = called | ({spec.name: spec for spec in generation.inputs} if generation else {})
    by_input = _by_input(tokenizer, called, decoded, generation is not None)
    readings = {}
    for name, chosen in by_input.items():
        if name in taken:
            _check_suits(chosen, taken[name])
            readings[name] = _reading(chosen, name, called, decoded)
    _check_steps({name: reading for name, reading in readings.items() if name in called}, called)
    written = None
    if generation is not None:
        prompts = [name for name in by_input if name in decoded and name not in called]
        writer = by_input.get(TARGET, by_input[prompts[0]] if prompts else None)
        if writer is not None:
            _check_writes(writer, model)
            written = readings.get(TARGET) or Reading(writer)
            if all(reading.tokenizer is not writer for reading in readings.values()):
                readings[TARGET] = written
    if not readings:
        raise ExportError(
            f"`tokenizer` has nothing to read: no input of model {model.name!r} is of ids, (batch, time). "
            f"It takes: {', '.join(f'{name}: {spec}' for name, spec in taken.items())}. Ids are an input such as "
            "keras.Input((None,), dtype='int32')."
        )
    return TextPlan(readings, written, given_labels, dict(names))


def _checked_labels(labels) -> dict:
    if labels is None:
        return {}
    by_output = dict(labels) if isinstance(labels, Mapping) else {None: labels}
    for name, value in by_output.items():
        if isinstance(value, str) or not isinstance(value, Sequence) or not value:
            raise ExportError(f"`labels` must be a list of strings, or one for each output. Received: {value!r}.")
        wrong = [entry for entry in value if not isinstance(entry, str) or not entry]
        if wrong:
            raise ExportError(f"`labels` must be strings that are not empty. Received: {wrong[0]!r}.")
        by_output[name] = list(value)
    return by_output


def _decoding_inputs(model: keras.Model) -> tuple[TensorSpec, ...]:
    return named_inputs(model, model.decoding_specs) if hasattr(model, "start_decoding") else ()


def _by_input(
    tokenizer: Tokenizer | Mapping[str, Tokenizer],
    called: Mapping[str, TensorSpec],
    decoded: Mapping[str, TensorSpec],
    generates: bool,
) -> dict[str, Tokenizer]:
    """The tokenizer of each input, of calls and of decode loops."""
    known = called | decoded
    if not isinstance(tokenizer, Mapping):
        _check_kind("tokenizer", tokenizer)
        return {name: tokenizer for name, spec in known.items() if _takes_ids(spec, tokenizer)}
    allowed = [*known, *[TARGET] * (generates and TARGET not in known)]
    unknown = sorted(set(tokenizer) - set(allowed))
    if unknown:
        raise ExportError(f"`tokenizer` names inputs {unknown} that the model lacks. It has: {allowed}.")
    for name, chosen in tokenizer.items():
        _check_kind(f"tokenizer[{name!r}]", chosen)
        if name in known and not _takes_ids(known[name], chosen):
            shape = (None, *chosen.step_shape)
            raise ExportError(
                f"`tokenizer` names input {name!r}, which takes {known[name]}. Text becomes ids "
                f"({', '.join(map(str, ('batch', 'time', *chosen.step_shape)))}), of any length: make it "
                f"keras.Input({shape}, dtype='int32')."
            )
    by_input = dict(tokenizer)
    prompts = [name for name in decoded if name not in called]
    if len(prompts) == 1 and len(called) == 1:  # of a language model: what it reads and what it goes on from
        (prompt,), (read,) = prompts, called
        either = by_input.get(prompt, by_input.get(read))
        by_input |= {prompt: by_input.get(prompt, either), read: by_input.get(read, either)}
    return by_input


def _check_kind(what: str, tokenizer) -> None:
    if not isinstance(tokenizer, Tokenizer):
        raise ExportError(
            f"`{what}` must be a tokenizer of keras_seq: CharTokenizer, WordTokenizer, WordPieceTokenizer or "
            f"WordCharacterTokenizer. Received: {tokenizer!r} of type {type(tokenizer).__name__}."
        )


def _takes_ids(spec: TensorSpec, tokenizer: Tokenizer) -> bool:
    of_ids = spec.maximum is not None or spec.dtype.startswith(("int", "uint"))
    suits = len(spec.shape) > 1 and isinstance(spec.shape[1], str) and spec.shape[2:] == tokenizer.step_shape
    return of_ids and suits


def _reading(tokenizer: Tokenizer, name: str, called: Mapping, decoded: Mapping) -> Reading:
    if not decoded or (name in called and name in decoded):
        return Reading(tokenizer)
    if name in decoded:  # a prompt: the decode loop puts the start token itself, and what goes on has not ended
        return Reading(tokenizer, add_start=False, add_end=False)
    return Reading(tokenizer, add_start=True, add_end=False)  # read one step late, to predict the next token


def _check_suits(tokenizer: Tokenizer, spec: TensorSpec) -> None:
    if spec.maximum is not None and spec.maximum + 1 != tokenizer.vocabulary_size:
        raise ExportError(
            f"the tokenizer of input {spec.name!r} has a vocabulary of {tokenizer.vocabulary_size}, but the model has "
            f"embeddings for {spec.maximum + 1} ids. Make the model with vocabulary_size=tokenizer.vocabulary_size, or "
            "export it with the tokenizer that it was trained with."
        )


def _check_steps(readings: Mapping[str, Reading], specs: Mapping[str, TensorSpec]) -> None:
    """Refuses characters of words that are not the words of the inputs beside them."""
    for name in [name for name in readings if len(specs[name].shape) > 2]:
        spelling = load_tokenizer(readings[name].document)
        for other in [other for other in readings if other != name and specs[other].shape[1] == specs[name].shape[1]]:
            words = load_tokenizer(readings[other].document)
            for text in hard_texts(readings[other].document):
                counts = len(spelling.encode(text)), len(words.encode(text))
                if counts[0] != counts[1]:
                    raise ExportError(
                        f"inputs {name!r} and {other!r} share their steps, so their tokenizers must cut texts alike. "
                        f"Received: {text[:40]!r}, {counts[0]} steps of {name!r} and {counts[1]} of {other!r}. Make "
                        "both tokenizers of words, with the same `split`, `punctuation`, `rules`, `add_start`, "
                        "`add_end` and `max_length`."
                    )


def _check_writes(tokenizer: Tokenizer, model: keras.Model) -> None:
    said = tokenizer.vocabulary_size, tokenizer.start_id, tokenizer.end_id
    wanted = model.vocabulary_size, model.start_id, model.end_id
    if said != wanted:
        raise ExportError(
            f"the tokenizer of what is generated has vocabulary_size, start_id, end_id = {said}, but model "
            f"{model.name!r} has {wanted}. Export it with the tokenizer that it was trained with."
        )
