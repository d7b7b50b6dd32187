"""Exported models in JavaScript: native recurrent nodes, fused attention, decode loops and strings in the graph."""

import keras
import numpy as np
import pytest

from tests.serving.web.node import check, run_tests, write_cases
from tests.serving.web.test_generator import generator_case
from tests.serving.web.test_predictor import predictor_case

pytestmark = pytest.mark.backend("tensorflow")

LINES = ["the dog barks at the cat", "it rains all day", "the cat sleeps", "John walks the dog!"]
PROMPTS = ["the dog", "John, it rains a", ""]
SEEDS = range(4)


def _tagger(keras_seq):
    words = keras_seq.WordTokenizer.from_lines(LINES)
    text = keras.Input((), dtype="string", name="text")
    embedded = keras.layers.Embedding(words.vocabulary_size, 7, mask_zero=True)(words(text))
    states = keras_seq.Bidirectional(keras_seq.GRU(5, return_sequences=True))(embedded)
    states = keras_seq.PeepholeLSTM(6, return_sequences=True)(states)
    tags = keras.layers.Dense(3, activation="softmax", name="tags")(states)
    return keras.Model(text, tags), {"labels": ["O", "PERSON", "PLACE"]}


def _recurrent(keras_seq):
    letters = keras_seq.CharTokenizer.from_lines(LINES)
    sizes = {"features": 5, "units": 7, "num_layers": 1}
    model = keras_seq.LanguageModel(vocabulary_size=letters.vocabulary_size, tokenizer=letters, **sizes)
    model(np.ones((1, 2), "int32"))
    strategy = keras_seq.Sampling(max_length=11, min_p=0.02, top_p=0.97, banned_ids=[3])
    return model, {"generate": strategy, "streaming": True}


def _transformer(keras_seq):
    words = keras_seq.WordTokenizer.from_lines(LINES, lowercase=True, add_end=True)
    sizes = {"features": 6, "num_heads": 3, "feed_forward_units": 7, "num_layers": 1, "max_length": 31}
    model = keras_seq.TransformerLM(vocabulary_size=words.vocabulary_size, tokenizer=words, **sizes)
    model(np.ones((1, 2), "int32"))
    strategy = keras_seq.Sampling(max_length=11, temperature=0.9, top_k=9, min_length=3)
    return model, {"generate": strategy, "streaming": True}


def _integers(keras_seq):
    words = keras.Input((None,), dtype="int32", name="words")
    hidden = keras.layers.Embedding(41, 64, mask_zero=True)(words)
    hidden = keras_seq.TransformerEncoderBlock(num_heads=2, feed_forward_units=67)(hidden)
    hidden = keras_seq.Bidirectional(keras_seq.GRU(23, return_sequences=True))(hidden)
    hidden = keras_seq.PeepholeLSTM(67, return_sequences=True)(hidden)
    return keras.Model(words, keras.layers.Dense(29, name="tags")(hidden))


@pytest.mark.parametrize("variant", ["int8", "fp16"])
def test_quantised_graphs_answer_as_in_python(tmp_path, subtests, monkeypatch, variant):
    import keras_seq
    from keras_seq.export import export_model
    from keras_seq.export.quantization import choice

    monkeypatch.setattr(choice, "PRODUCT_ELEMENTS", 1024)
    monkeypatch.setattr(choice, "SCAN_UNITS", 23)
    keras.utils.set_random_seed(5)
    export_model(
        _integers(keras_seq), tmp_path / "out", formats="onnx", quantize=variant, ort_format=True, verify=False
    )
    rng = np.random.default_rng(7)
    rows = [rng.integers(1, 41, length).astype("int32") for length in (11, 3, 1, 17)]
    batches = [{"inputs": {"words": rows}}, {"inputs": {"words": rng.integers(0, 41, (5, 13)).astype("int32")}}]
    names = (variant, f"{variant}.ort")
    # One thread, as there: DynamicQuantizeLSTM shares rows out among threads, each of which takes a scale of its own.
    cases = [predictor_case(name, tmp_path / "out", batches, variant=name, num_threads=1) for name in names]
    write_cases(tmp_path, predictors=cases, generators=[])
    check(subtests, run_tests("predictor.test.js", tmp_path))


def test_exported_models_answer_as_in_python(tmp_path, subtests):
    import keras_seq
    from keras_seq.export import export_model
    from tests.export.graphs import with_random_weights

    predictors, generators = [], []
    for make in (_tagger, _recurrent, _transformer):
        model, options = make(keras_seq)
        with_random_weights(model, seed=3)
        path = tmp_path / make.__name__.strip("_")
        variants = [None] if make is _transformer else [None, "ort"]
        # What is verified here is not the graphs but what the client makes of them.
        export_model(model, path, formats=("onnx",), ort_format="ort" in variants, verify=False, **options)
        for variant in variants:
            texts = [{"texts": texts} for texts in (LINES, PROMPTS, ["naïve \U0001f600", "  "])]
            predictors.append(predictor_case(f"{path.name} {variant}", path, texts, variant=variant))
            if "generate" in options:
                prompts = [(prompt, {"seed": seed}) for prompt in PROMPTS for seed in SEEDS]
                batches = [([prompt], settings) for prompt, settings in prompts]
                generators.append(generator_case(f"{path.name} {variant}", path, batches, prompts, variant))
    write_cases(tmp_path, predictors=predictors, generators=generators)
    check(subtests, run_tests("predictor.test.js", tmp_path))
    check(subtests, run_tests("generator.test.js", tmp_path))
