"""Writes the bundles that are served in a soak: `python models.py FOLDER`. Untrained, they answer as variedly."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

TEXTS = (
    "The dog barks!",
    "It rains, and the dog sleeps beside the stove.",
    "Zebras sleep",
    "the zebra and the dog, and it rains, and the stove",
    "it",
)
LABELS = [f"label {i}" for i in range(17)]
FLICKER = "flicker"
"""The one that is taken away now and then."""


def write_models(folder: Path) -> None:
    """Writes `tagger` and `flicker` (numbers, and streams), `reader` (texts, labels), `writer` (a language model)."""
    import keras

    import keras_seq
    from keras_seq.export import export_model

    def tagger(features: int, reads):
        ids = keras.Input((None,), dtype="int32", name="words")
        embedded = keras.layers.Embedding(tokenizer.vocabulary_size, features, mask_zero=True)(ids)
        return keras.Model(ids, keras.layers.Dense(17, activation="softmax", name="tags")(reads(embedded)))

    tokenizer = keras_seq.WordTokenizer.from_lines(TEXTS)
    settings = {"formats": ("onnx",), "verify": False}
    for seed, name in enumerate(("tagger", FLICKER)):
        keras.utils.set_random_seed(seed)
        model = tagger(32, keras_seq.LSTM(64, return_sequences=True))
        export_model(model, folder / name, streaming=True, **settings)
    model = tagger(48, keras_seq.Bidirectional(keras_seq.GRU(48, return_sequences=True)))
    export_model(model, folder / "reader", tokenizer=tokenizer, labels=LABELS, **settings)
    # Greedy: what is drawn by chance may turn on the last bit of a probability, which a call in company may change.
    model = keras_seq.LanguageModel(tokenizer=tokenizer, cell="gru", features=16, units=32)
    model.log_prob(list(TEXTS))  # builds it
    greedy = keras_seq.Greedy(max_length=24)
    export_model(model, folder / "writer", generate=greedy, streaming=True, tokenizer=tokenizer, **settings)


if __name__ == "__main__":
    write_models(Path(sys.argv[1]))
