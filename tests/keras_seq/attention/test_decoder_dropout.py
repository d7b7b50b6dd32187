"""The dropout of a decoder's cells, whose inputs come in two parts."""

import numpy as np
import pytest
from keras import ops

from tests.keras_seq.attention.cases import CELLS, MEMORY_MASK, decoder, decoder_arguments, numpy

BEFORE, AFTER = {"attend": "before"}, {"attend": "after"}


@pytest.mark.parametrize("options", [BEFORE, AFTER], ids=lambda options: options["attend"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", ["dropout", "recurrent_dropout"])
@pytest.mark.parametrize("cell", CELLS)
def test_dropout_applies_in_training_alone_and_anew_in_each_call(cell, kind, layers, options):
    made = decoder(cell, "bahdanau", layers, cell_arguments={kind: 0.5, "seed": 1}, **options)
    arguments = {**decoder_arguments(made), "memory_mask": MEMORY_MASK}
    plain, first, second = (numpy(made(**arguments, training=training)) for training in (False, True, True))
    assert np.isfinite(first).all()
    assert np.abs(first - plain).max() > 1e-3
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(plain, numpy(made(**arguments)))


@pytest.mark.parametrize("implementation", [1, 2])
@pytest.mark.parametrize("options", [BEFORE, AFTER], ids=lambda options: options["attend"])
def test_one_mask_covers_inputs_and_what_is_fed(options, implementation, monkeypatch):
    """Drops chosen features through the cell's own masks: as if they were zero at every step."""
    made = decoder("gru", "bahdanau", cell_arguments={"dropout": 0.5, "implementation": implementation}, **options)
    arguments = decoder_arguments(made)
    cell = made.cells[0]
    kept = np.ones(cell.kernel.shape[0], "float32")
    kept[[1, made.features + 3, made.features + 4]] = 0  # one of the inputs, two of what is fed

    def chosen_masks(inputs, training):
        mask = ops.zeros_like(inputs) + ops.convert_to_tensor(kept)
        return [mask] * 3 if implementation == 1 else mask

    with monkeypatch.context() as patch:
        patch.setattr(cell, "input_dropout_masks", chosen_masks)
        received = numpy(made(**arguments, training=True))
    cell.kernel.assign(ops.convert_to_numpy(cell.kernel) * kept[:, None])
    np.testing.assert_allclose(received, numpy(made(**arguments)), atol=1e-5)
