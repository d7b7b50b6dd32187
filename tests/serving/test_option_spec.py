"""Options: read from the manifest, checked against type and range."""

import numpy as np
import pytest

from keras_seq.serving import BundleError, InputError, OptionSpec

LENGTH = OptionSpec("max_length", "int32", 40, minimum=1, maximum=64)
ALPHA = OptionSpec("alpha", "float32", 0.7, minimum=0.0)
FAST = OptionSpec("fast", "bool", False)
SEED = OptionSpec("seed", "int8", 0)
SMALL = OptionSpec("small", "float16", 1.0, maximum=2.0)


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        (LENGTH, 64, 64),
        (LENGTH, np.int64(1), 1),
        (LENGTH, [7], 7),
        (LENGTH, np.array([[7]], "uint8"), 7),
        (ALPHA, 0, 0.0),
        (ALPHA, np.float64(0.3), np.float32(0.3)),
        (FAST, True, True),
        (FAST, np.bool_(True), True),
        (SEED, -128, -128),
        (SMALL, -3.5, -3.5),
    ],
)
def test_a_suitable_value_becomes_an_array_of_no_dimensions(spec, value, expected):
    array = spec.check(value)
    assert (array.shape, array.dtype) == ((), np.dtype(spec.dtype))
    assert array == expected


@pytest.mark.parametrize(
    ("spec", "value", "message"),
    [
        (LENGTH, 0, r"^Option 'max_length' must be from 1 to 64. Received: 0.$"),
        (LENGTH, 65, "must be from 1 to 64. Received: 65"),
        (LENGTH, 2**40, "within what int32 holds, from -2147483648 to 2147483647. Received: 1099511627776"),
        (LENGTH, 2.0, "must be a single int32 value. Received: 2.0"),
        (LENGTH, True, "must be a single int32 value. Received: True"),
        (LENGTH, "20", "must be a single int32 value. Received: '20'"),
        (LENGTH, None, "must be a single int32 value. Received: None"),
        (LENGTH, [1, 2], r"must be a single int32 value. Received: int64 \(2,\)"),
        (LENGTH, [[1], [1, 2]], r"must be a single int32 value. Received: list \("),
        (LENGTH, [], "must be a single int32 value"),
        (ALPHA, -0.1, "must be at least 0.0. Received: -0.1"),
        (ALPHA, float("nan"), "'alpha' must be a finite number. Received: nan"),
        (ALPHA, np.inf, "must be a finite number. Received: inf"),
        (ALPHA, 1e39, "within what float32 holds"),
        (ALPHA, 1j, "must be a single float32 value"),
        (FAST, 1, "'fast' must be a single bool value. Received: 1"),
        (SEED, 128, "within what int8 holds, from -128 to 127"),
        (SMALL, 2.5, "must be at most 2.0. Received: 2.5"),
    ],
)
def test_what_does_not_suit_is_refused_by_name(spec, value, message):
    with pytest.raises(InputError, match=message):
        spec.check(value)


@pytest.mark.parametrize("spec", [LENGTH, ALPHA, FAST, SEED, SMALL])
def test_round_trip(spec):
    assert OptionSpec.from_dict(spec.to_dict()) == spec


def test_bounds_may_be_left_out():
    assert OptionSpec.from_dict({"name": "seed", "dtype": "int32", "default": 3}) == OptionSpec("seed", "int32", 3)


@pytest.mark.parametrize(
    ("spec", "change", "message"),
    [
        (LENGTH, {"name": ""}, "`option.name` must be a string that is not empty"),
        (LENGTH, {"dtype": "string"}, "`option.dtype` must be one of 'bool', 'int8'"),
        (LENGTH, {"default": None}, "`option.default` must be a int32 value. Received: None"),
        (LENGTH, {"default": 4.0}, "`option.default` must be a int32 value. Received: 4.0"),
        (LENGTH, {"default": True}, "`option.default` must be a int32 value. Received: True"),
        (LENGTH, {"default": 2**31}, "`option.default` must be a int32 value"),
        (LENGTH, {"default": 65}, "`option.default` must be from 1 to 64. Received: 65"),
        (LENGTH, {"minimum": 0.5}, "`option.minimum` must be a int32 value or null. Received: 0.5"),
        (LENGTH, {"maximum": "64"}, "`option.maximum` must be a number, true, false or null"),
        (FAST, {"default": 0}, "`option.default` must be a bool value. Received: 0"),
        (ALPHA, {"default": float("nan")}, "`option.default` must be a float32 value. Received: nan"),
    ],
)
def test_a_wrong_field_is_named(spec, change, message):
    with pytest.raises(BundleError, match=message):
        OptionSpec.from_dict(spec.to_dict() | change)


def test_an_option_tells_type_default_and_range():
    assert str(LENGTH) == "int32, 40 unless given, from 1 to 64"
    assert str(SEED) == "int8, 0 unless given"
