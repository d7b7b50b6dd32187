"""Exported language models: what is streamed is what generate.onnx writes, for every seed, from texts and from ids."""

import numpy as np
import pytest

from keras_seq.serving import Generator, Predictor
from tests.unicode_torture import TEXTS

pytestmark = pytest.mark.backend("tensorflow")

LINES = ["the dog barks at the cat", "it rains all day", "the cat sleeps", "John walks the dog!"]
PROMPTS = ["the dog", "John, it rains a", ""]


def recurrent(keras_seq):
    tokenizer = keras_seq.CharTokenizer.from_lines(LINES)
    model = keras_seq.LanguageModel(
        vocabulary_size=tokenizer.vocabulary_size, features=5, units=7, num_layers=1, tokenizer=tokenizer
    )
    return model, keras_seq.Sampling(max_length=11, min_p=0.02, top_p=0.97, banned_ids=[3])


def transformer(keras_seq):
    tokenizer = keras_seq.WordTokenizer.from_lines(LINES, lowercase=True, add_end=True)
    sizes = {"features": 6, "num_heads": 3, "feed_forward_units": 7, "num_layers": 1, "max_length": 31}
    model = keras_seq.TransformerLM(vocabulary_size=tokenizer.vocabulary_size, tokenizer=tokenizer, **sizes)
    return model, keras_seq.Sampling(max_length=11, temperature=0.9, top_k=9, min_length=3)


@pytest.fixture(scope="module", params=[recurrent, transformer], ids=lambda make: make.__name__)
def bundle(request, tmp_path_factory):
    """Folder of a language model's bundle, and the model."""
    import keras_seq
    from keras_seq.export import export_model
    from tests.export.graphs import with_random_weights

    model, strategy = request.param(keras_seq)
    model(np.ones((1, 2), "int32"))
    with_random_weights(model, seed=3)
    path = tmp_path_factory.mktemp("bundles") / "lm"
    # What is verified here is not the graphs but what the runtime makes of them.
    export_model(model, path, formats=("onnx",), streaming=True, generate=strategy, verify=False)
    return path, model, strategy


def test_what_is_streamed_is_what_the_graph_writes(bundle):
    path, _, _ = bundle
    written = set()
    with Generator(path) as generator:
        for prompt in PROMPTS:
            ids = generator.tokenizers["prompt"].encode(prompt).tolist()
            for seed in range(7):
                [[hypothesis]] = generator.generate_text([prompt], seed=seed)
                tokens = list(generator.stream(prompt, seed=seed))
                assert [token.id for token in tokens] == hypothesis.ids.tolist()
                assert sum(token.log_prob for token in tokens) == pytest.approx(hypothesis.score, abs=1e-4)
                assert "".join(token.text for token in tokens).strip() == hypothesis.text.strip()
                assert [token.id for token in generator.stream(ids, seed=seed)] == hypothesis.ids.tolist()
                written.add(hypothesis.text)
    assert len(written) > 10


def test_it_is_what_the_model_in_keras_writes(bundle):
    path, model, strategy = bundle
    with Generator(path) as generator:
        for prompt in PROMPTS[:2]:
            pieces = list(model.stream(prompt, strategy.replace(seed=5)))
            assert "".join(token.text for token in generator.stream(prompt, seed=5)) == "".join(pieces)


def test_texts_go_into_the_model_as_they_do_in_the_graph(bundle):
    path, _, _ = bundle
    texts = [text for text in TEXTS.values() if 0 < len(text) < 25]
    with Predictor(path) as predictor:
        answer = predictor.predict_text(texts)
        session = predictor._session._session
        values = session.run(["output", "tokens"], {"text": np.array(texts, object)})
    for i, tokens in enumerate(answer["tokens"]):
        np.testing.assert_allclose(answer["output"][i], values[0][i, : len(tokens)], rtol=1e-4, atol=1e-5)
        assert values[1][i, : len(tokens)].tolist() == tokens
