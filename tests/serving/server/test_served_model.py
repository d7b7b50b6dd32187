"""One bundle before many callers: limits, tasks, and answers that are those of the runtime."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_seq.serving import BundleError, DeadlineExceeded, Generator, InputError, NotFound, Predictor, Unavailable
from keras_seq.serving.server import ServedModel, ServerSettings
from tests.serving.toy_text import document, write_language_model, write_tagger

TEXTS = ["the dog barks !", "it rains", "", "the naïve dog"]


@pytest.fixture
def serve():
    """Makes served models: `serve(path, observe_batch=None, **settings)`."""
    executor = ThreadPoolExecutor(2)

    def make(path, observe_batch=None, **settings):
        settings = ServerSettings(num_threads=1, **settings)
        return ServedModel("toy", "1", path, settings=settings, executor=executor, observe_batch=observe_batch)

    yield make
    executor.shutdown()


def test_texts_are_answered_as_the_runtime_answers_them(serve, tmp_path):
    path = write_tagger(tmp_path / "tagger")
    model = serve(path)

    async def main():
        return await asyncio.gather(*(model.predict_text("model", [text]) for text in TEXTS))

    with Predictor(path) as predictor:
        for text, answer in zip(TEXTS, asyncio.run(main()), strict=True):
            alone = predictor.predict_text([text])
            assert answer.keys() == alone.keys()
            assert answer["tokens"] == alone["tokens"]
            assert answer["tags.labels"] == alone["tags.labels"]
            np.testing.assert_allclose(answer["mood"], alone["mood"], atol=1e-6)
            np.testing.assert_allclose(answer["tags"][0], alone["tags"][0], atol=1e-6)


def test_what_can_be_asked_has_a_name(serve, tmp_path, masked_path, decoder_path):
    tagger, numbers, decoder = serve(write_tagger(tmp_path / "tagger")), serve(masked_path), serve(decoder_path)
    assert list(tagger.signatures) == ["toy", "toy.text"]
    assert tagger.signatures["toy.text"].takes_text
    assert tagger.signatures["toy.text"].text_inputs == ("words",)
    assert tagger.signatures["toy"].labels == ("tags", "mood")
    assert list(numbers.signatures) == ["toy"]
    assert list(decoder.signatures) == ["toy"]  # it has this graph alone
    assert decoder.signatures["toy"].graph == "generate"
    assert "max_length" in {option.name for option in decoder.signatures["toy"].options}


def test_generated_texts_are_those_of_the_generator(serve, tmp_path):
    decoding = {"strategy": "Sampling", "start_id": 1, "end_id": 2}
    path = write_language_model(tmp_path / "stories", decoding, {"max_length": 7, "seed": 0}, document())
    model = serve(path)
    answers = asyncio.run(model.generate_text(["the dog"], {"max_length": 5}))
    with Generator(path) as generator:
        expected = generator.generate_text(["the dog"], max_length=5)
    assert [[one.text for one in row] for row in answers] == [[one.text for one in row] for row in expected]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_rows": 1}, r"may have 1 rows at most\. Received: 2"),
        ({"max_length": 2}, r"may have 2 steps in a row at most\. Received: 3"),
        ({"max_tokens": 5}, r"may have 5 steps, rows times the longest, at most\. Received: 6"),
    ],
)
def test_a_request_beyond_the_limits_is_refused(serve, masked_path, settings, message):
    model = serve(masked_path, **settings)
    inputs = {"words": [[4, 2, 3], [5]], "shapes": [np.ones((3, 3)), np.zeros((1, 3))]}
    with pytest.raises(InputError, match=message):
        asyncio.run(model.predict("model", inputs))


def test_texts_beyond_the_limit_are_refused_before_they_are_read(serve, tmp_path):
    model = serve(write_tagger(tmp_path / "tagger"), max_text_characters=29)
    for texts in (["the dog"] * 5, {"words": ["the dog"] * 5}):
        with pytest.raises(InputError, match=r"may have 29 characters of text in all\. Received: 35"):
            asyncio.run(model.predict_text("model", texts))
    assert asyncio.run(model.predict_text("model", ["the dog"] * 4))["tokens"][3] == ["the", "dog"]


def test_long_texts_are_read_beside_the_event_loop(serve, tmp_path):
    model = serve(write_tagger(tmp_path / "tagger"), max_rows=2000)
    answer = asyncio.run(model.predict_text("model", ["the dog barks"] * 1500))
    assert len(answer["tokens"]) == 1500
    assert answer["tags.labels"][0] == answer["tags.labels"][1499]


def test_a_deadline_is_kept_and_never_longer_than_the_settings(serve, masked_path):
    model = serve(masked_path, max_wait_seconds=5, timeout_seconds=0.02)
    inputs = {"words": [[4]], "shapes": np.zeros((1, 1, 3))}
    for timeout in (None, 0.01, 1000):
        with pytest.raises(DeadlineExceeded, match=f"within {0.02 if timeout != 0.01 else 0.01} seconds"):
            asyncio.run(model.predict("model", inputs, timeout=timeout))


def test_a_graph_that_is_not_there_is_named(serve, masked_path, tmp_path):
    model = serve(masked_path)
    with pytest.raises(NotFound, match=r"'toy' has no graph 'generate'\. It has: 'model'"):
        asyncio.run(model.predict("generate", [[1]]))
    with pytest.raises(NotFound, match="generate"):
        asyncio.run(model.generate_text(["the dog"]))
    with pytest.raises(InputError, match="no tokenizer"):
        asyncio.run(model.predict_text("model", ["the dog"]))


def test_each_call_is_noted_under_the_name_of_what_was_asked(serve, masked_path):
    seen = []
    model = serve(masked_path, observe_batch=lambda *note: seen.append(note))
    asyncio.run(model.predict("model", {"words": [[4, 2], [5]], "shapes": [np.zeros((2, 3)), np.zeros((1, 3))]}))
    [(name, stats)] = seen
    assert (name, stats.requests, stats.rows, stats.tokens, stats.padded_tokens) == ("toy", 1, 2, 3, 4)


def test_a_closed_model_refuses(serve, masked_path):
    model = serve(masked_path)

    async def main():
        await model.close()
        with pytest.raises(Unavailable):
            await model.predict("model", {"words": [[4]], "shapes": np.zeros((1, 1, 3))})

    asyncio.run(main())


def test_a_bundle_without_a_graph_is_refused(serve, write_bundle, edit_manifest):
    path = write_bundle()

    def without_graphs(manifest):
        manifest["graphs"] = {}

    edit_manifest(path, without_graphs)
    with pytest.raises(BundleError, match=r"has no graph to serve\. It has: none"):
        serve(path)
