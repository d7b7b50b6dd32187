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
