import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.recurrent.cell import StepCell, gate_matmul
from tests.keras_seq.recurrent.cases import (
    BATCH,
    FEATURES,
    TIME,
    UNITS,
    VARIANTS,
    numpy,
    sequences,
    with_random_weights,
)

GATES = 2


def as_tensor(value):
    return None if value is None else keras.ops.convert_to_tensor(value)


@pytest.mark.parametrize("time", [None, TIME], ids=["step", "sequence"])
def test_the_product_of_all_gates_takes_one_mask_or_one_for_each(time):
    random = np.random.default_rng(0)
    shape = (BATCH, FEATURES) if time is None else (BATCH, time, FEATURES)
    inputs = random.normal(size=shape).astype("float32")
    kernel = random.normal(size=(FEATURES, GATES * UNITS)).astype("float32")
    masks = [random.integers(2, size=(BATCH, FEATURES)).astype("float32") for _ in range(GATES)]
    spread = [mask if time is None else mask[:, None] for mask in masks]
    by_gate = [inputs * mask @ part for mask, part in zip(spread, np.split(kernel, GATES, axis=1), strict=True)]
    for given, expected in (
        (None, inputs @ kernel),
        (masks[0], inputs * spread[0] @ kernel),
        (masks, np.concatenate(by_gate, axis=-1)),
    ):
        tensors = keras.tree.map_structure(as_tensor, (inputs, kernel, given))
        np.testing.assert_allclose(numpy(gate_matmul(*tensors)), expected, atol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_sequence_is_projected_as_its_steps_are(variant):
    layer_class, arguments, _ = VARIANTS[variant]
    cell = with_random_weights(layer_class(UNITS, **arguments)).cell
    x = sequences()
    whole = numpy(cell.project(x))
    for t in range(TIME):
        np.testing.assert_allclose(numpy(cell.project(x[:, t])), whole[:, t], atol=1e-6)


def test_a_cell_without_a_step_says_so():
    with pytest.raises(NotImplementedError, match="StepCell must define `step`"):
        StepCell().step(None, [], ())


def test_dropout_masks_are_for_training_alone():
    cell = keras_seq.LSTMCell(UNITS, dropout=0.5, recurrent_dropout=0.5, seed=1)
    x, h = sequences()[:, 0], np.zeros((BATCH, UNITS), "float32")
    assert cell.input_dropout_masks(x, False) is None
    assert cell.recurrent_dropout_masks(h, None) is None
    assert len(cell.input_dropout_masks(x, True)) == len(cell.recurrent_dropout_masks(h, True)) == 4
