"""Tensors as JSON."""

import json

import numpy as np
import pytest

from keras_seq.serving import InputError
from keras_seq.serving.server.v2.json_data import encode_json, parse_json, read_data, write_data
from tests.serving.server.v2.toy_types import DATATYPES, extremes


@pytest.mark.parametrize("dtype", DATATYPES)
@pytest.mark.parametrize("nested", [False, True])
def test_every_type_is_read_as_it_stands(dtype, nested):
    expected = extremes(dtype)
    data = json.loads(json.dumps((expected if nested else expected.ravel()).tolist()))
    np.testing.assert_array_equal(read_data(data, np.dtype(dtype), [2, 3], "x"), expected, strict=True)


@pytest.mark.parametrize("dtype", DATATYPES)
def test_every_type_is_written_so_that_it_comes_back(dtype):
    values = json.loads(write_data(extremes(dtype), "y"))
    np.testing.assert_array_equal(np.array(values, dtype), extremes(dtype).ravel(), strict=True)


@pytest.mark.parametrize(("dtype", "bits"), [("float16", "uint16"), ("float32", "uint32")])
def test_floats_come_back_as_they_were(dtype, bits):
    patterns = np.random.default_rng(1).integers(0, np.iinfo(bits).max, 50_000, bits, endpoint=True)
    floats = patterns.view(dtype)
    floats = floats[np.isfinite(floats)]
    values = np.array(json.loads(write_data(floats, "y")), "float64").astype(dtype)
    np.testing.assert_array_equal(values, floats, strict=True)


def test_nothing_is_an_empty_list():
    assert write_data(np.zeros((3, 0), "float32"), "y") == write_data(np.zeros(0, object), "y") == "[]"


def test_strings_are_read_and_written():
    texts = read_data([["a", "é"], ["", '"']], None, [2, 2], "x")
    assert texts.dtype == object
    assert json.loads(write_data(texts, "y")) == ["a", "é", "", '"']


@pytest.mark.parametrize(
    ("data", "dtype", "message"),
    [
        ([1, 2, "3"], "int32", "`x.data` must be whole numbers without a decimal point, as the datatype is int32. Rec"),
        ([1, 2.0, 3], "int32", "Received: a number with a decimal point among them."),
        ([1, True, 3], "int32", "Received: true or false among them."),
        (
            [1, None, {}],
            "float32",
            "`x.data` must be numbers, as the datatype is float32. Received: an object and null",
        ),
        ([1, 0, 1], "bool", "`x.data` must be true and false, as the datatype is bool. Received: an integer among"),
        ([1, [2], 3], "float32", "Received: a list among them."),
        (["1", "2", 3], None, "`x.data` must be strings, as the datatype is BYTES. Received: an integer among them."),
        ([1, 2, 128], "int8", "`x.data` must be int8 values, from -128 to 127. Received: 128."),
        ([1, 2, -1], "uint64", "`x.data` must be uint64 values, from 0 to 18446744073709551615. Received: -1."),
        ([1, 2**64, 2], "uint64", "Received: a number of 65 bits."),
        ([1, -(2**63) - 1, 2], "int64", "Received: -9223372036854775809."),
        ([1, -(10**40), 2], "int64", "Received: -a number of 133 bits."),
        ([1, 70000.0, 2], "float16", "`x.data` must be float16 values, up to 65504. Received: 70000."),
        ([1, 1e39, 2], "float32", "`x.data` must be float32 values, up to 3.40282e+38. Received: 1e+39."),
        ([1, 10**400, 2], "float64", "Received: an integer past every float."),
        ([1, 2], "int32", "`x.data` must have 3 values, as the shape is [1, 3]. Received: 2."),
        ([[1], [2], [3]], "int32", "or lists nested as the shape [1, 3] says. Received: lists nested as [3, 1]."),
        ([[1, 2], [3]], "int32", "Received: lists of different lengths, or values among them."),
        ([[1, 2, 3], 4], "int32", "Received: lists of different lengths, or values among them."),
    ],
)
def test_data_that_does_not_suit_is_refused(data, dtype, message):
    with pytest.raises(InputError) as error:
        read_data(data, dtype and np.dtype(dtype), [1, 3], "x")
    assert message in str(error.value)


def test_a_long_string_among_many_numbers_takes_no_memory():
    # NumPy would make every number a string of that length: 4 bytes a character, 400 GB in all.
    with pytest.raises(InputError, match="Received: a string among them"):
        read_data([0] * 10_000 + ["x" * 10_000_000], np.dtype("int32"), [10_001], "x")


def test_json_has_no_nan():
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_json([float("nan")])
    with pytest.raises(InputError, match="Output 'y' holds NaN or infinity, which JSON cannot say"):
        write_data(np.array([1, np.inf], "float16"), "y")


def test_json_is_utf_8():
    assert parse_json('{"é": 1}'.encode(), "The body") == {"é": 1}
    with pytest.raises(InputError, match="The body must be JSON in UTF-8"):
        parse_json('{"é": 1}'.encode("utf-16"), "The body")
