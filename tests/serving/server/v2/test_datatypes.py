"""The names of types."""

import numpy as np
import pytest

from keras_seq.serving import InputError
from keras_seq.serving.server.v2.datatypes import datatype_of, datatype_of_array, read_datatype
from keras_seq.serving.tensor_spec import DTYPES
from tests.serving.server.v2.toy_types import DATATYPES


def test_every_type_of_a_bundle_has_a_datatype():
    assert {dtype: datatype_of(dtype) for dtype in DTYPES} == DATATYPES
    assert {name: read_datatype(name, "x") for name in DATATYPES.values()} == {
        name: np.dtype(dtype) for dtype, name in DATATYPES.items()
    }


def test_strings_are_bytes():
    assert datatype_of("string") == datatype_of_array(np.array(["a"], object)) == "BYTES"
    assert read_datatype("BYTES", "x") is None


def test_bf16_is_refused_with_the_way_out():
    with pytest.raises(InputError, match=r"`x` must be one of BOOL.*Received: 'BF16'. NumPy has no BF16: send FP32"):
        read_datatype("BF16", "x")
