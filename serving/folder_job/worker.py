"""Runs the parts of a batch job, one after the other; what a Ray worker holds."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_seq.serving.bundle import Bundle
from keras_seq.serving.errors import InputError, ServingError, listed
from keras_seq.serving.folder_job.inputs import parse_line, read_lines, read_rows
from keras_seq.serving.folder_job.output import json_lines, npz_bytes, write_part
from keras_seq.serving.folder_job.part import BatchPart
from keras_seq.serving.generator import Generator
from keras_seq.serving.options import check_options
from keras_seq.serving.predict_request import PredictRequest
from keras_seq.serving.predictor import Predictor

_MOST_FAULTS = 20  # of one part: who has more bad rows has something else to mend


class BatchWorker:
    """Runs parts of a batch job. Its answers are those of each row alone.

    Args:
        bundle: The bundle's folder.
        inputs: Folder of the inputs.
        output: Folder of the outputs.
        job: Digest of bundle and options, for the records.
        graph: Which of the bundle's graphs to run.
        options: Of that graph.
        keep: Names of the outputs to write; None for all.
        max_batch_tokens: Rows that are run together have so many steps at most, padding included; one row may have
            more.
        num_threads: Threads of a call.

    Raises:
        BundleError: If the bundle is no use.
        InputError: If it has no such option, or no output of a name in `keep`.
    """

    def __init__(
        self,
        bundle: str | Path,
        inputs: str | Path,
        output: str | Path,
        job: str,
        *,
        graph: str = "model",
        options: Mapping[str, Any] | None = None,
        keep: Sequence[str] | None = None,
        max_batch_tokens: int = 2048,
        num_threads: int = 1,
    ):
        loaded = Bundle.load(bundle, check_files=False)  # they were, once, before the workers came
        decodes = loaded.graph(graph).decoding is not None
        self._generator = Generator(loaded, graph=graph, num_threads=num_threads) if decodes else None
        predictor = self._generator.predictor if decodes else Predictor(loaded, graph=graph, num_threads=num_threads)
        self._predictor = predictor
        self._inputs, self._output = Path(inputs), Path(output)
        self._job, self._options, self._keep = job, dict(options or {}), keep
        self._max_batch_tokens = max_batch_tokens
        check_options(self._options, predictor.options)
        self._check_kept()

    def pid(self) -> int:
        """The process that this is in."""
        return os.getpid()

    def run(self, part: BatchPart) -> dict[str, Any]:
        """Runs a part and writes it.

        Args:
            part: What to run.

        Returns:
            `{"output": path, "rows": n}`; or `{"output": path, "faults": [messages]}` where a row, or the whole file,
            is no use: then nothing was written.
        """
        try:
            data, faults = self._texts(part) if part.is_text else self._arrays(part)
            if faults:
                return {"output": part.output, "faults": faults}
            write_part(self._output, part, self._job, data)
        except ServingError as error:  # the others shall go on; who started the job is told of all
            message = str(error)
            return {"output": part.output, "faults": [message if part.source in message else f"{part.source}: {error}"]}
        return {"output": part.output, "rows": part.num_rows}

    def _texts(self, part: BatchPart) -> tuple[bytes, list[str]]:
        lines = read_lines(self._inputs, part)
        rows, requests, faults = [], [], []
        for i, line in enumerate(lines):
            where = part.row_name(i)
            try:
                row = parse_line(line, where) if part.source.endswith(".jsonl") else line
                rows.append(row)
                requests.append(self._read(row))
            except InputError as error:
                message = str(error)
                faults.append(message if message.startswith(where) else f"{where}: {message}")
        if faults:
            return b"", _shortened(faults)
        answers = self._run(requests)
        return json_lines([self._text_row(row, answer) for row, answer in zip(rows, answers, strict=True)]), []

    def _read(self, row: Any) -> PredictRequest:
        """A line's value as a request of one row."""
        if isinstance(row, str):
            return self._predictor.read_text([row], self._options)
        values = {name: [value] for name, value in row.items()}
        read = self._predictor.read_text if any(isinstance(v, str) for v in row.values()) else self._predictor.read
        return read(values, self._options)

    def _text_row(self, row: Any, answer: Mapping[str, Any]) -> dict[str, Any]:
        if self._generator is None:
            return {"text": row, **{name: value[0] for name, value in self._kept(answer).items()}}
        (hypotheses,) = self._generator.hypotheses(answer, with_text=isinstance(row, str))
        found = [
            {"text": one.text, "score": one.score, "finished": bool(one.finished), "ids": one.ids} for one in hypotheses
        ]
        return {"text": row, "hypotheses": found}

    def _arrays(self, part: BatchPart) -> tuple[bytes, list[str]]:
        values = read_rows(self._inputs, part)
        if "" in values:  # of a .npy file, which names nothing
            names = [spec.name for spec in self._predictor.inputs]
            if len(names) > 1:
                raise InputError(
                    f"{part.source} has no names, and the graph takes {listed(names)}. Save them with np.savez."
                )
            values = {names[0]: values[""]}
        requests, faults = [], []
        for i in range(part.num_rows):
            try:
                row = {name: [value[i]] for name, value in values.items()}
                requests.append(self._predictor.read(row, self._options))
            except InputError as error:
                faults.append(f"{part.row_name(i)}: {error}")
        if faults:
            return b"", _shortened(faults)
        answers = [self._kept(answer) for answer in self._run(requests)]
        rows = {name: [answer[name][0] for answer in answers] for name in answers[0]}
        return npz_bytes(rows, {name: isinstance(value, list) for name, value in answers[0].items()}), []

    def _run(self, requests: Sequence[PredictRequest]) -> list[dict[str, Any]]:
        """Answers in the order of the requests, which are run in that of their lengths."""
        answers: list[dict[str, Any]] = [{} for _ in requests]
        for indices in _batches([request.length for request in requests], self._max_batch_tokens):
            found = self._predictor.run([requests[i] for i in indices])
            for i, answer in zip(indices, found, strict=True):
                answers[i] = answer
        return answers

    def _kept(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        return dict(answer) if self._keep is None else {name: answer[name] for name in self._keep if name in answer}

    def _check_kept(self):
        outputs = [spec.name for spec in self._predictor.outputs]
        texts = (
            [*(f"{name}.tokens" for name in self._predictor.tokenizers), "tokens"] if self._predictor.tokenizers else []
        )
        valid = [*outputs, *(f"{name}.labels" for name in self._predictor.labels), *texts]
        unknown = [name for name in self._keep or () if name not in valid]
        if unknown:
            raise InputError(f"`keep` must have names of outputs: {listed(valid)}. Received: {listed(unknown)}.")


def _batches(lengths: Sequence[int], max_tokens: int) -> Iterator[list[int]]:
    """Indices of rows to run together: sorted by length, at most `max_tokens` steps with padding.

    >>> [batch for batch in _batches([3, 9, 2, 3], max_tokens=9)]
    [[2, 0, 3], [1]]
    """
    batch: list[int] = []
    for i in np.argsort(lengths, kind="stable").tolist():
        if batch and (len(batch) + 1) * lengths[i] > max_tokens:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _shortened(faults: list[str]) -> list[str]:
    more = len(faults) - _MOST_FAULTS
    return faults if more <= 0 else [*faults[:_MOST_FAULTS], f"… and {more} more rows of the same part"]
