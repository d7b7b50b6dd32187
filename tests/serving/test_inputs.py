"""Input checks: what is cast, what is refused, and what the message says."""

import numpy as np
import pytest

from keras_seq.serving import InputError, TensorSpec
from keras_seq.serving.inputs import check_array

IDS = TensorSpec("ids", "int32", ("batch", "time"), pad_value=0, maximum=16)
COUNTS = TensorSpec("counts", "int8", ("batch", 2))
FRAMES = TensorSpec("frames", "float32", ("batch", "time", 3))
HALF = TensorSpec("half", "float16", ("batch",))
MASK = TensorSpec("mask", "bool", ("batch", "time"))


@pytest.mark.parametrize(
    ("value", "spec"),
    [
        (np.array([[1, 16]], "int64"), IDS),
        ([[0, 16]], IDS),
        (np.array([[True, False]]), IDS),
        (np.array([[200 - 256, 127]], "int64"), COUNTS),
        (np.array([[0.1, 2, 3]])[np.newaxis], FRAMES),
        (np.array([[[2**24, -(2**24), 3]]]), FRAMES),
        (np.array([[[True, False, True]]]), FRAMES),
        (np.array([2048]), HALF),
        ([[1, 0]], MASK),
        (np.array([[True, False]]), MASK),
    ],
)
def test_casts_where_no_value_changes(value, spec):
    array = check_array(value, spec)
    assert array.dtype == spec.dtype
    assert array.flags.c_contiguous
    np.testing.assert_allclose(array, np.asarray(value), rtol=1e-7)


@pytest.mark.parametrize(
    ("value", "spec", "message"),
    [
        (
            np.ones((1, 2)),
            IDS,
            r"^Input 'ids': float64 is not cast to int32, as fractions would be lost. Expected: int32 \(batch, time\). "
            r"Received: float64 \(1, 2\). If all values are whole, cast them: x.astype\('int32'\).$",
        ),
        (
            np.array([["the"]]),
            IDS,
            "strings or mixed objects are no numbers.*Received: <U3 .*look strings up in the voc",
        ),
        ([[2**70, 1]], IDS, "strings or mixed objects"),
        (np.ones((1, 2), "complex64"), IDS, "complex64 is not a type of real numbers"),
        (np.ones((1, 2), "datetime64[s]"), IDS, "is not a type of real numbers"),
        ([[1, 2**31]], IDS, "int32 holds values from -2147483648 to 2147483647, not 2147483648"),
        ([[1, -129]], COUNTS, "int8 holds values from -128 to 127, not -129"),
        ([[2, 0]], MASK, "bool holds values from 0 to 1, not 2"),
        ([[0.0, 1.0]], MASK, "float64 is not cast to bool"),
        ([[[2**24 + 1, 0, 0]]], FRAMES, "float32 holds all integers from -16777216 to 16777216, not 16777217"),
        (np.full((1, 1, 3), 1e39), FRAMES, "a value is too large for float32.*Scale the input"),
        (np.array([70000.0], "float32"), HALF, "a value is too large for float16"),
        ([[1, 17]], IDS, r"ids run from 0 to 16, and the one at \(0, 1\) is 17.* unknown token"),
        ([[1, 2], [-1, 2]], IDS, r"the one at \(1, 0\) is -1"),
        ([[[0, 1, np.nan]]], FRAMES, r"the value at \(0, 0, 2\) is nan"),
        ([[[0, -np.inf, 0]]], FRAMES, r"the value at \(0, 0, 1\) is -inf"),
        (np.ones(3, "int32"), IDS, r"has 1 dimensions, not 2.*int32 \(3,\).*add the batch dimension: x\[np.newaxis\]"),
        (np.ones((2, 3, 4, 3)), FRAMES, "has 4 dimensions, not 3.* It must have 3 dimensions.$"),
        (np.ones((1, 2, 5)), FRAMES, r"axis 2 has size 5, not 3. Expected: float32 \(batch, time, 3\)"),
        (np.ones((0, 2, 3)), FRAMES, "the batch is empty"),
        (np.ones((2, 0, 3)), FRAMES, r"axis 1 \('time'\) has length zero"),
        ([[1], [1, 2]], IDS, "cannot be made an array .*Give a NumPy array or nested lists"),
    ],
)
def test_refuses_with_name_expected_received_and_remedy(value, spec, message):
    with pytest.raises(InputError, match=message):
        check_array(value, spec)


def test_infinite_float64_is_called_infinite_not_too_large():
    with pytest.raises(InputError, match=r"the value at \(0, 0, 0\) is inf"):
        check_array(np.full((1, 1, 3), np.inf), FRAMES)


def test_takes_whatever_numpy_can_read():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return np.array([[3, 5]], "int64")

    np.testing.assert_array_equal(check_array(Tensor(), IDS), [[3, 5]])


def test_a_tensor_numpy_cannot_read_is_named():
    class OnDevice:
        def __array__(self, dtype=None, copy=None):
            raise TypeError("copy it to the host first")

    with pytest.raises(InputError, match=r"'ids': cannot be made an array .copy it to the host first.*OnDevice"):
        check_array(OnDevice(), IDS)
