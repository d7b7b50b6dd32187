"""Questions with the lengths of a real corpus, their right answers, and how they travel."""

import json
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_seq.serving import Predictor

EXAMPLES = Path(__file__).parents[2] / "examples"
TOLERANCE = 1e-6  # of a probability, between a row alone and the same in company


@dataclass(frozen=True)
class Question:
    """One row and its answer.

    Attributes:
        inputs: Input name to array `(1, time, ...)`.
        answers: Output name to array `(1, time, ...)`, as the predictor answers the row alone.
    """

    inputs: dict[str, np.ndarray]
    answers: dict[str, np.ndarray]

    def answered_with_zeros(self) -> "Question":
        """The same, with what a server answers that computes nothing."""
        return Question(self.inputs, {name: np.zeros_like(value) for name, value in self.answers.items()})

    @property
    def length(self) -> int:
        return next(iter(self.inputs.values())).shape[1]


def corpus_lengths(data: Path | None) -> tuple[str, np.ndarray]:
    """How long sentences are: those of the CoNLL-U files of a folder, or the lines of the standard library's source.

    Args:
        data: A folder with `*-train.conllu`; None takes Python source, as `make demo` does.

    Returns:
        What was read, in words, and the lengths.
    """
    sys.path.insert(0, str(EXAMPLES))
    from tagging.conllu import read_conllu
    from tagging.python_source import read_python

    if data is not None:
        (path,) = sorted(data.glob("*-train.conllu"))
        return f"the sentences of {path.name}", np.array([len(sentence) for sentence in read_conllu(path)])
    paths = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[::4]
    lengths = [len(sentence) for path in paths for sentence in read_python(path)]
    return f"the logical lines of {len(paths)} modules of the standard library", np.array(lengths)


def draw_questions(predictor: Predictor, lengths: np.ndarray, count: int, seed: int = 0) -> list[Question]:
    """Rows of random ids, their lengths drawn from the corpus.

    Args:
        predictor: Takes ids that have a `maximum`, as a tagger's inputs do, and answers.
        lengths: To draw from.
        count: How many.
        seed: Of the generator.
    """
    rng, questions = np.random.default_rng(seed), []
    for length in rng.choice(lengths, count):
        inputs = {}
        for spec in predictor.inputs:
            shape = (1, int(length), *spec.shape[2:])
            inputs[spec.name] = rng.integers(1, spec.maximum + 1, shape).astype(spec.dtype)
        questions.append(Question(inputs, predictor.predict(inputs)))
    return questions


def http(path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """A whole POST request, ready to be sent."""
    lines = {"Host": "localhost", "Content-Type": "application/json", **(headers or {}), "Content-Length": len(body)}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


class JSONForm:
    """Open Inference Protocol v2, tensors as lists in the JSON."""

    def __init__(self, path: str = "/v2/models/tagger/infer"):
        self._path = path

    def request(self, question: Question) -> bytes:
        inputs = [
            {"name": name, "shape": value.shape, "datatype": _datatype(value), "data": value.ravel().tolist()}
            for name, value in question.inputs.items()
        ]
        return http(self._path, json.dumps({"inputs": inputs}).encode())

    def read(self, body: bytes) -> dict[str, np.ndarray]:
        outputs = json.loads(body)["outputs"]
        return {one["name"]: np.asarray(one["data"], np.float32).reshape(one["shape"]) for one in outputs}


class BinaryForm(JSONForm):
    """Open Inference Protocol v2 with the binary tensor extension, there and back."""

    def request(self, question: Question) -> bytes:
        raw = [(name, value, value.tobytes()) for name, value in question.inputs.items()]
        inputs = [
            {
                "name": name,
                "shape": value.shape,
                "datatype": _datatype(value),
                "parameters": {"binary_data_size": len(data)},
            }
            for name, value, data in raw
        ]
        head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
        headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
        return http(self._path, head + b"".join(data for _, _, data in raw), headers)

    def read(self, body: bytes) -> dict[str, np.ndarray]:
        head, end = json.JSONDecoder().raw_decode(body.decode("latin-1"))  # one character a byte
        answers, position = {}, end
        for one in head["outputs"]:
            size = one["parameters"]["binary_data_size"]
            data = body[position : position + size]
            answers[one["name"]] = np.frombuffer(data, np.float32).reshape(one["shape"])
            position += size
        if position != len(body):
            raise ValueError(f"An answer must end with its last tensor, after {position} bytes. Received: {len(body)}.")
        return answers


class PlainForm:
    """What a small service of one's own takes and gives: one row, `{"words": [...]}`, and `{"tags": [...]}`."""

    def __init__(self, path: str = "/predict"):
        self._path = path

    def request(self, question: Question) -> bytes:
        row = {name: value[0].tolist() for name, value in question.inputs.items()}
        return http(self._path, json.dumps(row).encode())

    def read(self, body: bytes) -> dict[str, np.ndarray]:
        return {name: np.asarray(value, np.float32)[np.newaxis] for name, value in json.loads(body).items()}


def _datatype(value: np.ndarray) -> str:
    return value.dtype.name.upper().replace("FLOAT", "FP")


def wrong_answers(
    form, questions: Sequence[Question], indices: Sequence[int], bodies: Sequence[bytes]
) -> tuple[int, float]:
    """Compares answers with the right ones.

    Args:
        form: How they travelled.
        questions: All that were asked.
        indices: Which of them each body answers.
        bodies: The answers.

    Returns:
        How many differ by more than `TOLERANCE` or in shape, and the largest difference found.
    """
    wrong, largest, right = 0, 0.0, {}
    for index, body in zip(indices, bodies, strict=True):
        if right.get(index) == body:  # looked at before, to the byte
            continue
        try:
            answers = form.read(body)
            expected = questions[index].answers
            same = answers.keys() == expected.keys() and all(
                value.shape == expected[name].shape for name, value in answers.items()
            )
            difference = max(float(np.abs(answers[n] - v).max()) for n, v in expected.items()) if same else np.inf
        except (ValueError, KeyError, IndexError):  # no answer of this form
            difference = np.inf
        if difference > TOLERANCE:
            wrong += 1
        else:
            right[index] = body
            largest = max(largest, difference)
    return wrong, largest
