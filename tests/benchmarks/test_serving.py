"""What `benchmarks/serving.py` measures with: it reads every answer, and hides neither errors nor queues."""

import json
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
STEPS, TAGS, CHARACTERS = 5, 3, 2


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def questions():
    from serving_parts.questions import Question

    rng = np.random.default_rng(1)
    return [
        Question(
            {
                "words": rng.integers(1, 9, (1, steps)).astype("int32"),
                "characters": rng.integers(1, 9, (1, steps, CHARACTERS)).astype("int32"),
            },
            {"tags": rng.random((1, steps, TAGS)).astype("float32")},
        )
        for steps in (STEPS, 2)
    ]


def as_json(answer):
    data = {"name": "tags", "datatype": "FP32", "shape": answer.shape, "data": answer.ravel().tolist()}
    return json.dumps({"outputs": [data]}).encode()


def as_binary(answer):
    output = {"name": "tags", "shape": answer.shape, "parameters": {"binary_data_size": answer.nbytes}}
    return json.dumps({"outputs": [output]}).encode() + answer.tobytes()


def as_row(answer):
    return json.dumps({"tags": answer[0].tolist()}).encode()


@pytest.mark.parametrize(("form", "spell"), [("JSONForm", as_json), ("BinaryForm", as_binary), ("PlainForm", as_row)])
def test_wrong_answers_are_counted_whatever_the_form(questions, form, spell):
    from serving_parts import questions as module

    first, second = (question.answers["tags"] for question in questions)
    bodies = [spell(first), spell(second), spell(first + 2e-7), spell(first + 2e-6), spell(second), b"{}", b"no answer"]
    found = module.wrong_answers(getattr(module, form)(), questions, [0, 1, 0, 0, 0, 1, 1], bodies)
    assert found[0] == 4  # another's answer, one that is off, one without outputs, one of another kind
    assert found[1] == pytest.approx(2e-7, rel=0.5)


@pytest.mark.parametrize("form", ["JSONForm", "BinaryForm", "PlainForm"])
def test_a_request_carries_the_question(questions, form):
    from serving_parts import questions as module

    request = getattr(module, form)().request(questions[0])
    head, _, body = request.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    words = questions[0].inputs["words"]
    if form == "BinaryForm":
        assert body.endswith(questions[0].inputs["characters"].tobytes())
        content = json.loads(body[: int(head.rpartition(b"Inference-Header-Content-Length: ")[2].split()[0])])
        assert [one["parameters"]["binary_data_size"] for one in content["inputs"]] == [
            words.nbytes,
            words.nbytes * CHARACTERS,
        ]
    elif form == "JSONForm":
        content = json.loads(body)["inputs"][0]
        assert content == {"name": "words", "shape": [1, STEPS], "datatype": "INT32", "data": words[0].tolist()}
    else:
        assert json.loads(body)["words"] == words[0].tolist()


class Wire:
    """A transport that keeps what is written."""

    def __init__(self):
        self.written = []

    def write(self, data):
        self.written.append(data)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_answers_are_read_however_they_are_cut(size):
    from serving_parts.load import Connection, Record

    record, freed = Record(), []
    connection = Connection(record, freed.append)
    connection.connection_made(Wire())
    chunked = (
        b"HTTP/1.1 429 Too Many\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n11\r\ndefghijklmnopqrst\r\n0\r\n\r\n"
    )
    plain = b"HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 5\r\n\r\nhello"
    for index, answer in enumerate((plain, chunked, plain)):
        connection.send(index, b"ask", due=1.0)
        for start in range(0, len(answer), size):
            connection.data_received(answer[start : start + size])
    assert record.bodies == [b"hello", b"abcdefghijklmnopqrst", b"hello"]
    assert record.statuses == [200, 429, 200]
    assert record.indices == [0, 1, 2]
    assert len(freed) == 3
    assert connection.transport.written == [b"ask"] * 3


def test_a_connection_that_the_server_closes_counts_as_a_failure():
    from serving_parts.load import Connection, Record

    record = Record()
    for closing in (False, True):
        connection = Connection(record, None)
        connection.closing = closing
        connection.connection_lost(None)
    assert record.broken == 1


def test_latency_counts_from_when_a_request_was_due(questions):
    from serving_parts.measuring import figures_of
    from serving_parts.questions import JSONForm

    bodies = [as_json(questions[0].answers["tags"])] * 4 + [b"", b""]
    result = {
        "window": (10.0, 12.0),
        "due": [9.0, 10.0, 10.5, 12.5, 11.0, 11.0],
        "sent": [9.0, 10.5, 11.0, 12.5, 11.0, 11.0],
        "done": [9.5, 11.0, 11.5, 12.7, 11.5, 11.6],
        "statuses": [200, 200, 200, 200, 429, 500],
        "indices": [0] * 6,
        "bodies": bodies,
        "broken": 1,
        "own_cpu": 0.4,
        "server_cpu": 1.2,
    }
    figures = figures_of(result, questions, JSONForm())
    assert figures.per_second == 1.0  # two of the four right ones ended in these two seconds
    assert figures.p50_seconds == pytest.approx(1.0)  # half a second of it before they were sent
    assert figures.late_seconds == pytest.approx(0.5)
    assert (figures.shed, figures.failed, figures.wrong) == (1, 2, 0)
    assert figures.server_cpu_seconds == pytest.approx(0.3)  # of all four that ended then
    assert figures.load_cores == pytest.approx(0.2)


def test_rows_sorted_over_more_calls_are_padded_less(questions):
    from serving_parts.raw_limit import cut_into_calls, share_of_padding

    rows = [questions[i % 2] for i in range(8)]
    mixed, sorted_first = cut_into_calls(rows, 2, 1), cut_into_calls(rows, 2, 2)
    assert [[question.length for question in call] for call in mixed] == [[2, STEPS]] * 4
    assert [[question.length for question in call] for call in sorted_first] == [[2, 2], [STEPS, STEPS]] * 2
    assert share_of_padding(mixed) == pytest.approx(1 - 7 / 10)
    assert share_of_padding(sorted_first) == 0
