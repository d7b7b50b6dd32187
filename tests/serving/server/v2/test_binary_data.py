"""Tensors as bytes."""

import numpy as np
import pytest

from keras_seq.serving.server.v2.binary_data import read_binary, write_binary
from tests.serving.server.v2.toy_types import DATATYPES, extremes


@pytest.mark.parametrize("dtype", DATATYPES)
def test_every_type_is_read_from_any_place_and_written_back(dtype):
    expected = extremes(dtype)
    little = np.dtype(dtype).newbyteorder("<")
    for offset in range(8):
        data = b"x" * offset + expected.astype(little).tobytes()
        array = read_binary(memoryview(data)[offset:], little, [2, 3], "x")
        np.testing.assert_array_equal(array, expected, strict=True)
        assert array.flags.aligned
    assert write_binary(expected.astype(np.dtype(dtype).newbyteorder(">"))) == expected.astype(little).tobytes()


def test_rows_are_written_in_their_order():
    array = np.arange(6, dtype="int8").reshape(2, 3)
    assert write_binary(array.T) == bytes([0, 3, 1, 4, 2, 5])


def test_strings_come_back():
    texts = np.array([["", "é"], ["a" * 300, "\0"]], object)
    np.testing.assert_array_equal(read_binary(memoryview(write_binary(texts)), None, [2, 2], "x"), texts)


def test_a_lone_surrogate_is_no_utf_8_and_becomes_a_question_mark():
    assert write_binary(np.array(["\ud800"], object)) == b"\1\0\0\0?"
