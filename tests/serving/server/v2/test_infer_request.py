"""What a request says of itself, true and false."""

import json

import numpy as np
import pytest

from keras_seq.serving import InputError
from keras_seq.serving.server.v2.infer_request import read_request
from tests.serving.server.v2.messages import binary_request, strings, tensor

GOOD = {"name": "x", "datatype": "INT16", "shape": [2], "data": [3, 5]}
BINARY = {"name": "x", "datatype": "INT16", "shape": [2], "parameters": {"binary_data_size": 4}}


def read(value, data=b"", header=None):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    if header is None and data:
        header = str(len(text))
    return read_request(text + data, header)


def refused(message, value, data=b"", header=None):
    with pytest.raises(InputError) as error:
        read(value, data, header)
    assert message in str(error.value)


def test_a_request_is_taken_apart():
    request = read({"id": "7", "inputs": [GOOD], "parameters": {"alpha": 1}, "outputs": [{"name": "y"}]})
    np.testing.assert_array_equal(request.inputs["x"], np.array([3, 5], "int16"), strict=True)
    assert (request.id, request.parameters, request.outputs) == ("7", {"alpha": 1}, [{"name": "y"}])


def test_binary_data_is_given_out_in_the_order_of_the_inputs():
    body, headers = binary_request(
        [
            ("a", "UINT8", [3], b"\1\2\3"),
            ("t", "BYTES", [1, 2], strings([b"", "é".encode()])),
            ("b", "BOOL", [1], b"\1"),
        ]
    )
    inputs = read_request(body, headers["Inference-Header-Content-Length"]).inputs
    assert {name: array.tolist() for name, array in inputs.items()} == {"a": [1, 2, 3], "t": [["", "é"]], "b": [True]}


def test_a_tensor_may_be_empty():
    for shape in ([3, 0], [0], [0, 7]):
        assert read({"inputs": [{**GOOD, "shape": shape, "data": []}]}).inputs["x"].shape == tuple(shape)
        item = {**BINARY, "shape": shape, "parameters": {"binary_data_size": 0}}
        header = str(len(json.dumps({"inputs": [item]})))
        assert read({"inputs": [item]}, header=header).inputs["x"].shape == tuple(shape)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "must be the number of bytes of the JSON. Received: ''."),
        ("-1", "must be the number of bytes of the JSON. Received: '-1'."),
        ("1e3", "must be the number of bytes of the JSON. Received: '1e3'."),
        ("4_0", "must be the number of bytes of the JSON. Received: '4_0'."),
        ("٤٠", "must be the number of bytes of the JSON. Received: '٤٠'."),
        ("9" * 5000, "must be the number of bytes of the JSON. Received: '999"),
        ("9" * 19, "at most the 100 that the body has. Received: 9999999999999999999."),
        ("101", "at most the 100 that the body has. Received: 101."),
        ("0", "The first 0 bytes must be JSON in UTF-8. Received: 0 bytes that are not"),
        ("17", "The first 17 bytes must be JSON in UTF-8. Received: 17 bytes that are not"),
        ("97", "must end with its JSON and 0 bytes of binary data, as the header"),
    ],
)
def test_a_header_that_lies_about_the_json_is_refused(header, message):
    body = json.dumps({"inputs": [GOOD]}).encode()
    refused(message, body + b" " * (97 - len(body)) + b"xyz", header=header)


@pytest.mark.parametrize(
    ("size", "data", "message"),
    [
        (4, b"abc", "`inputs[0].parameters.binary_data_size` must be at most the 3 bytes that the body still has"),
        (
            3,
            b"abc",
            "`inputs[0].parameters.binary_data_size` must be 4, for 2 values of int16, shape [2]. Received: 3.",
        ),
        (5, b"abcde", "`inputs[0].parameters.binary_data_size` must be 4, for 2 values of int16, shape [2]."),
        (
            4,
            b"abcde",
            "must end with its JSON and 4 bytes of binary data, as the header Inference-Header-Content-Length",
        ),
        (-4, b"abcd", "`inputs[0].parameters.binary_data_size` must be a number of bytes. Received: -4."),
        (4.0, b"abcd", "`inputs[0].parameters.binary_data_size` must be a number of bytes. Received: 4.0."),
        (True, b"a", "`inputs[0].parameters.binary_data_size` must be a number of bytes. Received: True."),
        (None, b"a", "`inputs[0].parameters.binary_data_size` must be a number of bytes. Received: null."),
        (10**30, b"a", "must be at most the 1 bytes that the body still has behind its JSON and the inputs before."),
    ],
)
def test_a_size_that_lies_about_the_binary_data_is_refused(size, data, message):
    refused(message, {"inputs": [{**BINARY, "parameters": {"binary_data_size": size}}]}, data)


def test_binary_data_without_the_header_is_refused():
    refused("must have the header Inference-Header-Content-Length, the number of bytes", {"inputs": [BINARY]})


def test_values_come_one_way_or_the_other():
    refused(
        "must have `data` or `parameters.binary_data_size`. Received: both.", {"inputs": [{**BINARY, **GOOD}]}, b"1"
    )
    bare = {name: GOOD[name] for name in ("name", "datatype", "shape")}
    for item, received in ((bare, "nothing"), ({**bare, "data": 3}, "3"), ({**bare, "data": {"0": 3}}, "an object")):
        refused(
            f"`data`, or as binary data with `parameters.binary_data_size`. Received: {received}.", {"inputs": [item]}
        )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "must be 2 strings, each behind its length in 4 bytes, little-endian: 8 bytes or more. Received: 0."),
        (b"\1\0\0\0a\0\0\0", "Received: 8 bytes, of which string 1 would have its length at 5."),
        (b"\1\0\0\0a\1\0\0\0", "Received: string 1 with a length of 1, and 0 bytes that are left."),
        (b"\xff\xff\xff\xffabcd", "Received: string 0 with a length of 4294967295, and 4 bytes that are left."),
        (strings([b"a", b"b"]) + b"!", "Received: 1 bytes behind the last."),
        (strings([b"a", b"\xff\xfe"]), "must be strings of UTF-8. Received: string 1 that is not ('utf-8'"),
    ],
)
def test_strings_that_do_not_add_up_are_refused(data, message):
    item = {"name": "t", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": len(data)}}
    refused(message, {"inputs": [item]}, data, header=str(len(json.dumps({"inputs": [item]}))))


def test_more_strings_than_rows_are_ever_taken_are_refused():
    body, headers = binary_request([("t", "BYTES", [65537], b"\0" * 4 * 65537)])
    with pytest.raises(InputError, match=r"`inputs\[0\]` must be 65536 strings at most. Received: 65537. Send less"):
        read_request(body, headers["Inference-Header-Content-Length"])


def test_booleans_are_bytes_of_0_and_1():
    item = {"name": "x", "datatype": "BOOL", "shape": [2], "parameters": {"binary_data_size": 2}}
    refused("must be bytes of 0 and 1, as the datatype is BOOL. Received: one of 7.", {"inputs": [item]}, b"\1\7")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"datatype": "INT"}, "`inputs[0].datatype` must be one of BOOL, UINT8"),
        ({"datatype": "BF16"}, "Received: 'BF16'. NumPy has no BF16: send FP32, of which it is the upper half."),
        ({"datatype": ["INT16"]}, "`inputs[0].datatype` must be one of BOOL, UINT8"),
        ({"datatype": None}, "Received: null."),
        ({"shape": None}, "`inputs[0].shape` must be a list of at most 32 whole numbers. Received: nothing."),
        ({"shape": 2}, "`inputs[0].shape` must be a list of at most 32 whole numbers. Received: 2."),
        ({"shape": [1] * 33}, "`inputs[0].shape` must be a list of at most 32 whole numbers. Received: 33 of them."),
        ({"shape": [2.0]}, "`inputs[0].shape` must be whole numbers from 0 to 2147483647. Received: 2.0."),
        ({"shape": [-2]}, "`inputs[0].shape` must be whole numbers from 0 to 2147483647. Received: -2."),
        ({"shape": [True, 2]}, "`inputs[0].shape` must be whole numbers from 0 to 2147483647. Received: True."),
        ({"shape": [2**31]}, "`inputs[0].shape` must be whole numbers from 0 to 2147483647. Received: 2147483648."),
        ({"shape": [0] + [2**31 - 1] * 3}, "`inputs[0].shape` must be that of a tensor that fits into memory."),
        ({"shape": [2**31 - 1] * 3}, "`inputs[0].shape` must be that of a tensor that fits into memory."),
        (
            {"shape": [0, 2**30, 2**31 - 1], "data": []},
            "`inputs[0].shape` must be that of a tensor that fits into memo",
        ),
        (
            {"shape": [2**24, 2**24]},
            "must have 281474976710656 values, as the shape is [16777216, 16777216]. Received: 2",
        ),
        ({"shape": [3]}, "`inputs[0].data` must have 3 values, as the shape is [3]. Received: 2."),
        ({"name": ""}, "`inputs[0].name` must be the name of an input. Received: ''."),
        ({"name": 7}, "`inputs[0].name` must be the name of an input. Received: 7."),
        ({"parameters": [1]}, "`inputs[0].parameters` must be an object. Received: a list."),
        ({"parameters": {"shared_memory_region": "r"}}, "Shared memory is not for this server: send binary data."),
        ({"parameters": {"codec": "r"}}, "`inputs[0].parameters` may have 'binary_data_size'. Received: 'codec'."),
    ],
)
def test_an_input_that_is_not_as_the_protocol_says_is_refused(change, message):
    refused(message, {"inputs": [{**GOOD, **change}]})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "The request's JSON must be an object with `inputs`. Received: a list."),
        ({}, "`inputs` must be a list of at least one object. Received: nothing."),
        ({"inputs": []}, "`inputs` must be a list of at least one object. Received: an empty list."),
        ({"inputs": GOOD}, "`inputs` must be a list of at least one object. Received: an object."),
        ({"inputs": [3] * 257}, "`inputs` must be a list of at most 256 objects. Received: 257."),
        ({"inputs": [3]}, "`inputs[0]` must be an object. Received: 3."),
        ({"inputs": [GOOD, GOOD]}, "`inputs` must have each name once. Received: 'x' twice."),
        ({"inputs": [GOOD], "id": 7}, "`id` must be a string. Received: 7."),
        (b"", "The request's body must be JSON in UTF-8. Received: 0 bytes that are not"),
        (b'{"inputs": [', "The request's body must be JSON in UTF-8. Received: 12 bytes that are not"),
        (b'{"id": "\xff"}', "The request's body must be JSON in UTF-8. Received: 11 bytes that are not"),
        (b"[" * 100_000, "The request's body must be JSON of a reasonable depth."),
        (b'{"inputs": ' + b"9" * 5000 + b"}", "The request's body must be JSON in UTF-8. Received: 5012 bytes"),
    ],
)
def test_a_body_that_is_no_request_is_refused(value, message):
    refused(message, value)


def test_what_clients_add_for_themselves_is_left_alone():
    item = {**tensor("x", "INT16", [3]), "parameters": {"content_type": "np"}}
    assert read({"model_name": "m", "inputs": [item]}).inputs["x"].tolist() == [3]
