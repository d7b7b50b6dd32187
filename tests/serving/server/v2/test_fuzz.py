"""Requests that nobody would send: whatever comes, it is answered or refused, and never a fault of the server's own."""

import copy
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_seq.serving import InputError
from keras_seq.serving.server.v2.infer_request import read_request
from tests.serving.server.v2.messages import DTYPES, SIZES, binary_request, strings, tensor

# The same examples in every run, and as many as take a few seconds.
BOUNDED = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

DATATYPES = st.sampled_from([*SIZES, "BYTES", "BF16", "FP31", ""])
NUMBERS = st.sampled_from(
    [-(2**70), -(2**63), -1, 0, 1, 2, 3, 7, 64, 2**30, 2**31 - 1, 2**31, 2**32, 2**62, 2**63, 2**64, 10**30]
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.floats(), st.text(max_size=4))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=9,
)
HEADERS = st.one_of(
    st.none(), st.integers(-3, 400).map(str), NUMBERS.map(str), st.text(max_size=4), st.sampled_from(["1e2", "٣", " 7"])
)


def is_refused_or_sound(body: bytes, header: str | None):
    """A request is read with all its parts in order, or refused with a message."""
    try:
        inputs, message = read_request(body, header).inputs, None
    except InputError as error:
        inputs, message = {}, str(error)
    assert inputs or 20 < len(message) < 2000
    for array in inputs.values():
        assert array.dtype == object or str(array.dtype) in {str(np.dtype(dtype)) for dtype in DTYPES.values()}


@BOUNDED
@given(body=st.binary(max_size=64), header=HEADERS)
def test_any_bytes(body, header):
    is_refused_or_sound(body, header)


@BOUNDED
@given(
    inputs=st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from(["x", "y", ""]), "datatype": DATATYPES, "shape": st.lists(NUMBERS, max_size=3)},
            optional={"data": VALUES, "parameters": st.fixed_dictionaries({"binary_data_size": SCALARS})},
        ),
        max_size=3,
    ),
    data=st.binary(max_size=40),
    header=st.one_of(HEADERS, st.just("right")),
)
def test_inputs_that_contradict_themselves(inputs, data, header):
    text = json.dumps({"inputs": inputs}).encode()
    is_refused_or_sound(text + data, str(len(text)) if header == "right" else header)


@BOUNDED
@given(draw=st.data())
def test_binary_data_of_every_type_with_one_lie(draw):
    count = draw.draw(st.integers(0, 3))
    datatype = draw.draw(st.sampled_from([*SIZES, "BYTES"]))
    if datatype == "BYTES":
        data = strings(draw.draw(st.lists(st.binary(max_size=3), min_size=count, max_size=count)))
    else:
        size = SIZES[datatype] * count
        data = draw.draw(st.binary(min_size=size, max_size=size))
    body, headers = binary_request([("x", datatype, [count], data), ("y", "BOOL", [2], b"\0\1")])
    head, lie = (
        json.loads(body[: -len(data) - 2]),
        draw.draw(st.sampled_from(["size", "shape", "data", "cut", "header"])),
    )
    header = headers["Inference-Header-Content-Length"]
    if lie == "header":
        is_refused_or_sound(body, str(int(header) + draw.draw(st.integers(-4, 4))))
        return
    item = head["inputs"][draw.draw(st.integers(0, 1))]
    if lie == "size":
        item["parameters"]["binary_data_size"] = draw.draw(NUMBERS)
    elif lie == "shape":
        item["shape"] = draw.draw(st.lists(NUMBERS, max_size=3))
    elif lie == "data":
        item["data"] = draw.draw(VALUES)
    text = json.dumps(head).encode()
    rest = data + b"\0\1"
    is_refused_or_sound(text + (rest[: draw.draw(st.integers(0, len(rest)))] if lie == "cut" else rest), str(len(text)))


TEMPLATES = {
    "tagger": {
        "inputs": [tensor("words", "INT32", [[4, 5]]), tensor("shapes", "FP32", np.ones((1, 2, 3)))],
        "outputs": [{"name": "tags", "parameters": {"binary_data": True}}],
        "parameters": {"timeout": 10**7, "binary_data_output": False},
    },
    "pos.text": {
        "inputs": [tensor("text", "BYTES", ["it rains"])],
        "outputs": [{"name": "mood", "parameters": {"classification": 2, "binary_data": False}}, {"name": "tokens"}],
        "id": "7",
    },
    "dates": {
        "inputs": [tensor("source", "INT32", [[4, 5]])],
        "parameters": {"alpha": 0.5, "max_length": 3},
    },
}


def places(value, path=()):
    """Every place in parsed JSON, as a path of keys."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


@BOUNDED
@given(draw=st.data())
def test_a_good_request_with_one_thing_changed(infer, draw):
    model = draw.draw(st.sampled_from(sorted(TEMPLATES)))
    request = copy.deepcopy(TEMPLATES[model])
    *path, last = draw.draw(st.sampled_from([path for path in places(request) if path]))
    place = request
    for key in path:
        place = place[key]
    if draw.draw(st.booleans()):
        place[last] = draw.draw(VALUES)
    elif isinstance(place, dict):
        del place[last]
    else:
        place.insert(last, copy.deepcopy(place[last]))
    body = json.dumps(request).encode()
    header = draw.draw(st.sampled_from([None, None, None, str(len(body)), str(len(body) - 1), "-1"]))
    headers = {} if header is None else {"Inference-Header-Content-Length": header}
    response = infer(model, body=body, headers=headers)
    assert response.status_code in (200, 400, 504), response.text  # 504: a timeout of a microsecond
    if response.status_code == 400:
        assert set(response.json()) == {"error", "code", "request_id"}


@pytest.mark.parametrize("size", [0, 1, 4095])
def test_templates_are_good(infer, size):
    for model, request in TEMPLATES.items():
        assert infer(model, body=json.dumps(request).encode() + b" " * size, headers={}).status_code == 200
