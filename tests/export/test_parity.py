import numpy as np
import pytest

from keras_seq.export.battery import Case
from keras_seq.export.errors import ParityError
from keras_seq.export.parity import Tolerance, check_parity, compare

pytestmark = pytest.mark.backend("tensorflow")

CASES = [Case("first", {"x": np.array([1.0])}), Case("second", {"x": np.array([2.0])})]


def compared(expected, received, tolerance=Tolerance(atol=0.01, rtol=0.1)):  # noqa: B008 (frozen)
    """One output in one case."""
    (result,) = compare(
        "keras", "model.onnx", [{"y": np.array(expected)}], lambda _: {"y": np.array(received)}, CASES[:1], tolerance
    )
    return result


def test_difference_within_the_tolerance_passes():
    result = compared([1.0, 100.0], [1.1, 109.9])
    assert result.passed
    assert result.max_abs_diff == pytest.approx(9.9)
    assert result.max_rel_diff == pytest.approx(0.099)
    assert (result.reference, result.candidate, result.output, result.cases) == ("keras", "model.onnx", "y", 1)
    assert (result.atol, result.rtol) == (0.01, 0.1)


def test_tolerance_is_that_of_each_element_not_of_the_largest():
    assert not compared([0.1, 100.0], [0.2, 100.0]).passed


@pytest.mark.parametrize(
    ("expected", "received", "passed"),
    [
        ([np.nan, 1.0], [np.nan, 1.0], True),
        ([np.nan, 1.0], [1.0, 1.0], False),
        ([1.0, 1.0], [np.nan, 1.0], False),
        ([np.inf, -np.inf], [np.inf, -np.inf], True),
        ([np.inf], [-np.inf], False),
        ([np.inf], [1e30], False),
        ([1.0], [np.inf], False),
        ([np.nan], [np.inf], False),
    ],
)
def test_nan_equals_nan_only_and_infinity_itself_only(expected, received, passed):
    result = compared(expected, received)
    assert result.passed is passed
    assert np.isfinite(result.max_abs_diff)  # JSON has no infinities


@pytest.mark.parametrize("received", [[[1.0, 2.0]], [1.0], [1.0, 2.0, 3.0]])
def test_another_shape_differs_even_where_it_would_broadcast(received):
    result = compared([1.0, 2.0], received)
    assert not result.passed
    assert result.max_abs_diff > 1e38


def test_integers_and_booleans_are_compared():
    assert compared([1, 2], [1, 2]).passed
    assert not compared([1, 2], [1, 3]).passed
    assert not compared([True, False], [True, True]).passed


def test_empty_output_passes():
    assert compared(np.zeros((0, 3)), np.zeros((0, 3))).passed


def test_every_output_has_a_result_over_all_cases_with_the_worst_named():
    expected = [{"y": np.ones(2), "z": np.zeros(3)}, {"y": np.ones(2), "z": np.zeros(3)}]

    def run(inputs):
        return {"z": np.zeros(3), "y": np.full(2, inputs["x"][0])}

    y, z = compare("keras", "model.onnx", expected, run, CASES, Tolerance())
    assert (y.output, y.cases, y.max_abs_diff, y.passed, y.worst_case) == ("y", 2, 1.0, False, "second")
    assert (z.output, z.cases, z.max_abs_diff, z.passed) == ("z", 2, 0.0, True)


def test_worst_case_is_one_that_failed_even_if_another_is_further_off_within_its_tolerance():
    expected = [{"y": np.array([1000.0])}, {"y": np.array([0.0])}]

    def run(inputs):
        return {"y": np.array([1001.0 if inputs["x"][0] == 1.0 else 0.5])}

    (result,) = compare("keras", "model.onnx", expected, run, CASES, Tolerance(atol=0.1, rtol=0.01))
    assert (result.passed, result.worst_case, result.max_abs_diff) == (False, "second", 1.0)


def test_one_error_lists_all_that_differs_and_nothing_else():
    results = [compared([1.0], [1.0]), compared([1.0], [2.5]), compared([0.0], [-3.0])]
    with pytest.raises(ParityError, match="2 of 3 comparisons with the Keras model differ") as raised:
        check_parity(results)
    assert raised.value.results == results
    assert "output 'y', 1 cases: largest difference 1.50e+00, allowed 1e-02 + 1e-01 * |value|" in str(raised.value)
    assert "DIFFERS (worst case: first)" in str(raised.value)
    assert ": ok" not in str(raised.value)


def test_nothing_is_raised_if_all_pass():
    check_parity([compared([1.0], [1.0])])
    check_parity([])
