"""Bundles with quantised graphs."""

from collections.abc import Iterator

import pytest

from keras_seq.export import export_model
from keras_seq.export.quantization import choice


def quantise_small_weights() -> Iterator[None]:
    """For a fixture: until its end no weight is too small."""
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("LSTM_UNITS", "SCAN_UNITS", "STORED_ELEMENTS", "PRODUCT_ELEMENTS"):
            patch.setattr(choice, limit, 1)
        yield


def export(model, path, **settings):
    """Quantised to int8 whatever it loses, and not compared with Keras, which takes its time."""
    given = {"formats": "onnx", "verify": False, "quantize": "int8", "max_metric_drop": 9.0}
    return export_model(model, path, **(given | settings))
