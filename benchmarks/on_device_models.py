"""The models of fixed sizes that `on_device.py` measures, exported with every file that a device may get."""

from pathlib import Path

import keras

import keras_seq
from keras_seq.export import export_model

VOCABULARY, TARGET_VOCABULARY, CLASSES = 5000, 4000, 17


def _ids(features: int):
    ids = keras.Input((None,), dtype="int32", name="words")
    return ids, keras.layers.Embedding(VOCABULARY, features, mask_zero=True)(ids)


def tagger() -> keras.Model:
    ids, x = _ids(128)
    x = keras_seq.LSTM(512, return_sequences=True)(x)
    return keras.Model(ids, keras.layers.Dense(CLASSES, name="tags")(x), name="tagger")


def classifier() -> keras.Model:
    ids, x = _ids(64)
    return keras.Model(ids, keras.layers.Dense(3, name="classes")(keras_seq.GRU(128)(x)), name="classifier")


def translator() -> keras.Model:
    model = keras_seq.Seq2Seq(
        encoder=keras_seq.Bidirectional(keras_seq.GRU(128, return_sequences=True, return_state=True)),
        decoder=keras_seq.AttentionDecoder(keras_seq.GRUCell(256), keras_seq.BahdanauAttention(128)),
        source_vocabulary_size=TARGET_VOCABULARY,
        target_vocabulary_size=TARGET_VOCABULARY,
        embedding_dim=128,
        name="translator",
    )
    model.build(((None, None), (None, None)))
    return model


def encoder() -> keras.Model:
    ids, x = _ids(256)
    x = keras_seq.TransformerEncoder(4, 8, 1024, activation="gelu", norm_first=True)(x)
    return keras.Model(ids, keras.layers.Dense(CLASSES, name="tags")(x), name="encoder")


# What makes each, and how it is exported.
MODELS = {
    "tagger": (tagger, {}),
    "classifier": (classifier, {}),
    "translator": (translator, {"generate": keras_seq.BeamSearch(num_beams=4, max_length=40)}),
    "encoder": (encoder, {}),
}


def export_all(folder: Path) -> None:
    """Writes a bundle of each model under `folder`."""
    for name, (make, settings) in MODELS.items():
        keras.utils.set_random_seed(1)
        # What is compared with Keras elsewhere is not compared again here.
        export_model(make(), folder / name, formats="onnx", quantize="int8", ort_format=True, verify=False, **settings)
