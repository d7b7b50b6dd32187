import numpy as np
import pytest
from keras import ops

from keras_seq.training.gradient_probe import first_fault, global_norm


def tensors(*values):
    return [ops.convert_to_tensor(np.asarray(value, "float32")) for value in values]


def test_norm_is_that_of_all_numbers_together():
    random = np.random.default_rng(5)
    grads = [random.normal(size=shape) for shape in [(2, 3), (5,), (), (7, 1, 2)]]
    expected = np.linalg.norm(np.concatenate([np.ravel(grad) for grad in grads]))
    assert float(global_norm(tensors(*grads))) == pytest.approx(expected, rel=1e-6)


def test_norm_of_zeros_is_zero():
    assert float(global_norm(tensors([0, 0], [[0]]))) == 0


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_norm_neither_overflows_nor_vanishes(size):
    assert float(global_norm(tensors([3 * size], [4 * size, 0]))) == pytest.approx(5 * size, rel=1e-6)


def test_norm_of_what_is_no_number_is_none_either():
    assert np.isnan(float(global_norm(tensors([1, 2], [np.nan]))))
    assert float(global_norm(tensors([1, 2], [-np.inf]))) == np.inf


@pytest.mark.parametrize(
    ("grads", "index"),
    [
        (([1, 2], [3]), -1),
        (([1, 2], [np.nan, 3]), 1),
        (([np.inf], [1], [np.nan]), 0),
        (([1], [2], [[3, -np.inf]]), 2),
    ],
)
def test_first_fault_is_the_first_tensor_that_is_not_finite(grads, index):
    assert int(first_fault(tensors(*grads))) == index
