"""Runs everything in a bundle that takes texts on texts, and compares with the same on their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_seq.export.battery import Case, random_inputs
from keras_seq.export.endpoint import Endpoint
from keras_seq.export.errors import ParityError
from keras_seq.export.parity import Parity, Runner, Tolerance, compare
from keras_seq.export.saved_model import saved_model_runners
from keras_seq.export.text.graph_text import TEXTS, GraphText
from keras_seq.export.text.hard_texts import hard_texts, short_texts
from keras_seq.export.text.text_signature import SIGNATURES
from keras_seq.export.text.tokenizing_parity import compare_tokenizing
from keras_seq.export.verification import float_files, onnx_runner
from keras_seq.serving.graph_spec import GraphSpec
from keras_seq.serving.text import load_tokenizer

__all__ = ["verify_text"]

_SAME = Tolerance(atol=1e-6, rtol=1e-6)
"""The very same graph runs on the very same ids."""
_NUMBERS = {"model": "serving_default", "generate": "generate"}


def verify_text(
    folder: Path,
    endpoints: Mapping[str, Endpoint | GraphSpec],
    texts: Mapping[str, GraphText],
    has_onnx: bool,
    portable: bool,
    signatures: Sequence[str],
) -> list[Parity]:
    """Compares ids, tokens, labels and texts of everything in a bundle's folder that has any.

    Args:
        folder: The bundle.
        endpoints: By name, what the graphs and signatures take and give as numbers.
        texts: By the same names, what they take and give as strings.
        has_onnx: Whether there are ONNX graphs.
        portable: Whether those have numbers alone.
        signatures: Of the SavedModel, if there is one.

    Raises:
        ParityError: A text becomes other ids in one runtime than in another, or strings come out that the numbers do
            not stand for.
    """
    results = []
    for name, endpoint in endpoints.items():
        text = texts[name]
        onnx_text = text.in_onnx(portable) if has_onnx else None
        in_graph = {given.name for given in onnx_text.inputs} if onnx_text else set()
        for given in text.inputs:
            graph = folder / f"{name}.onnx" if given.name in in_graph else None
            results += compare_tokenizing(given, hard_texts(given.reading.document), graph)
        if onnx_text:
            for file in float_files(folder, name):
                run = onnx_runner(folder / file, strings=True)
                results += _compare_runs(file, endpoint, onnx_text, run, run)
        if SIGNATURES.get(name) in signatures:
            of_ids, of_texts = saved_model_runners(folder / "saved_model", (_NUMBERS[name], SIGNATURES[name]))
            results += _compare_runs(f"saved_model:{SIGNATURES[name]}", endpoint, text, of_ids, of_texts)
    return results


def _compare_runs(
    candidate: str, endpoint: Endpoint | GraphSpec, text: GraphText, of_ids: Runner, of_texts: Runner
) -> list[Parity]:
    """One graph on texts and on their ids: the numbers must be the same, and the strings what the numbers say."""
    cases, ids_by_case, texts_by_case = [], [], []
    for rows in (slice(0, 1), slice(1, 6)):
        texts, ids = _inputs(endpoint, text, rows)
        shown = ", ".join(repr(row[:20]) for given in text.inputs for row in texts[given.name])
        cases.append(Case(f"texts {shown}", texts))
        ids_by_case.append(ids)
        texts_by_case.append(of_texts(texts))
    expected = [{n: v for n, v in of_ids(ids).items() if n not in text.output_names} for ids in ids_by_case]
    for ids, numbers, strings in zip(ids_by_case, expected, texts_by_case, strict=True):
        _check_strings(candidate, text, ids, numbers, strings)
    outputs = {id(case.inputs): results for case, results in zip(cases, texts_by_case, strict=True)}
    return compare(f"{candidate} on ids", f"{candidate} on texts", expected, lambda x: outputs[id(x)], cases, _SAME)


def _inputs(
    endpoint: Endpoint | GraphSpec, text: GraphText, rows: slice
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Inputs with texts, and the same with ids in their place."""
    by_ids = {given.ids.name: given for given in text.inputs}
    texts, ids, sizes = {}, {}, {}
    spelt = {given.ids.shape[1] for given in text.inputs if len(given.ids.shape) > 2}
    candidates: dict[str, list[str]] = {}  # by input; by steps where characters of words go with the words
    for spec in sorted(endpoint.inputs, key=lambda spec: len(spec.shape)):  # the texts are those of the words
        if spec.name in by_ids:
            given = by_ids[spec.name]
            limit = endpoint.limits.get(spec.shape[1], np.inf)
            tokenizer = load_tokenizer(given.reading.document)
            of = spec.shape[1] if spec.shape[1] in spelt else spec.name
            chosen = candidates.setdefault(of, short_texts(given.reading.document))[rows]
            chosen = [row if len(tokenizer.encode(row)) <= limit else "" for row in chosen]
            encoded = tokenizer.encode(chosen)
            padded = np.zeros((len(chosen), max(1, *map(len, encoded)), *tokenizer.step_shape), spec.dtype)
            for values, row in zip(padded, encoded, strict=True):
                values[: len(row)] = row
            texts[given.name], ids[spec.name] = np.array(chosen, object), padded
            sizes |= dict(zip(spec.shape, padded.shape, strict=True))
    others = [spec for spec in endpoint.inputs if spec.name not in by_ids]
    other = next((size for dim, size in sizes.items() if dim not in ("batch", "time")), 3)
    rng = np.random.default_rng(7)
    shared = random_inputs(
        others, rng, sizes.get("batch", 3), sizes.get("time", 5), other=other, limits=endpoint.limits
    )
    shared |= {option.name: np.asarray(option.default, option.dtype) for option in endpoint.options}
    return texts | shared, ids | shared


def _check_strings(
    candidate: str,
    text: GraphText,
    ids: Mapping[str, np.ndarray],
    numbers: Mapping[str, np.ndarray],
    strings: Mapping[str, np.ndarray],
) -> None:
    """Compares labels and texts with what the numbers stand for."""
    expected = {}
    for output in text.labels:
        best = np.array(output.labels, object)[output.best(numbers[output.scores.name])]
        expected[output.name] = best if output.ids is None else np.where(output.is_step(ids[output.ids]), best, "")
    if text.written is not None:
        writer = load_tokenizer(text.written.document)
        expected[TEXTS] = np.array([[writer.decode(ids) for ids in row] for row in numbers["ids"]], object)
    for name, wanted in expected.items():
        received = strings[name]
        decoded = [value.decode() if isinstance(value, bytes) else value for value in received.ravel()]
        if received.shape != wanted.shape or decoded != wanted.ravel().tolist():
            raise ParityError(
                f"output {name!r} of {candidate} says {decoded[:5]}, but its numbers stand for "
                f"{wanted.ravel().tolist()[:5]}.",
                [],
            )
