import keras
import numpy as np

from classifying.pooling import MeanAndMax


def test_mean_and_largest_are_those_of_the_steps_that_count():
    inputs = np.random.default_rng(1).normal(size=(5, 7, 3)).astype("float32")
    mask = np.random.default_rng(2).random((5, 7)) < 0.5
    mask[0], mask[1] = True, False
    outputs = keras.ops.convert_to_numpy(MeanAndMax()(inputs, mask=mask))
    assert outputs.shape == (5, 6)
    for row, kept, pooled in zip(inputs, mask, outputs, strict=True):
        expected = np.concatenate([row[kept].mean(0), row[kept].max(0)]) if kept.any() else np.zeros(6)
        np.testing.assert_allclose(pooled, expected, atol=1e-6)


def test_without_a_mask_all_steps_count():
    inputs = np.random.default_rng(1).normal(size=(2, 5, 3)).astype("float32")
    outputs = keras.ops.convert_to_numpy(MeanAndMax()(inputs))
    np.testing.assert_allclose(outputs, np.concatenate([inputs.mean(1), inputs.max(1)], -1), atol=1e-6)
    assert MeanAndMax().compute_output_shape((2, None, 3)) == (2, 6)
