"""A small model that was really exported: LSTM in both directions, attention and GRU, with its tokenizer inside."""

from pathlib import Path

VOCABULARY = ["<pad>", "<start>", "<end>", "<unk>", "the", "dog", "barks", "it", "rains", "!", "naïve"]
TAGS, MOODS = ["DET", "NOUN", "VERB", "PUNCT", "X"], ["calm", "loud", "wet"]


def write_attention_tagger(path: Path) -> Path:
    """Writes the bundle: tags of words and moods of sentences."""
    import keras

    import keras_seq
    from keras_seq.export import export_model

    keras.utils.set_random_seed(7)
    tokenizer = keras_seq.WordTokenizer(VOCABULARY, lowercase=True)
    words = keras.Input((None,), dtype="int32", name="words")
    hidden = keras.layers.Embedding(tokenizer.vocabulary_size, 11, mask_zero=True)(words)
    hidden = keras.layers.Bidirectional(keras_seq.LSTM(5, return_sequences=True))(hidden)
    hidden = hidden + keras_seq.MultiHeadAttention(2, 3, name="attention")(hidden, hidden)
    hidden = keras_seq.GRU(7, return_sequences=True)(hidden)
    tags = keras.layers.Dense(len(TAGS), name="tags")(hidden)
    mood = keras.layers.Dense(len(MOODS), name="mood")(keras_seq.LSTM(13)(hidden))
    model = keras.Model(words, {"tags": tags, "mood": mood})
    labels = {"tags": TAGS, "mood": MOODS}
    export_model(model, path, formats=["onnx"], tokenizer=tokenizer, labels=labels, verify=False)
    return path
