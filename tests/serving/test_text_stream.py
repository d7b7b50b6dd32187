"""Texts in an event loop: the tokens of `Generator.stream`, whoever else is being told a story."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from keras_seq.serving import Batcher, BundleError, DeadlineExceeded, Generator, InputError, Stream, text_stream
from keras_seq.serving.session import Session
from keras_seq.serving.stream_batch import StreamBatch
from tests.serving.toy_text import document, write_language_model

SAMPLING = {"strategy": "Sampling", "num_samples": 1, "min_length": 0, "start_id": 1, "end_id": 2}
PROMPTS = ["the dog", "", None, [4, 5, 7], "it rains !", [9], "the"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Folder of a language model with words."""
    options = {"max_length": 8, "temperature": 1.0, "seed": 0}
    return write_language_model(tmp_path_factory.mktemp("bundles") / "lm", SAMPLING, options, document())


@pytest.fixture
def rows(monkeypatch):
    """The number of rows of each call of ONNX Runtime."""
    counted, run = [], Session.run
    monkeypatch.setattr(
        Session, "run", lambda self, feeds: counted.append(next(iter(feeds.values())).shape[0]) or run(self, feeds)
    )
    return counted


@pytest.fixture
def serve(path):
    """Runs `main(generator, streams)` in an event loop; gives what it returns."""

    def run(main):
        async def wrapped():
            with ThreadPoolExecutor(1) as executor, Generator(path) as generator:
                streams = StreamBatch(graph := Stream(path), Batcher(graph.run, executor=executor))
                try:
                    return await main(generator, streams)
                finally:
                    assert (streams.num_streams, streams.nbytes) == (0, 0)
                    await streams.close(5)

        return asyncio.run(wrapped())

    return run


async def collect(tokens):
    return [token async for token in tokens]


@pytest.mark.parametrize("large", [10**6, 1])
def test_many_texts_at_a_time_are_those_of_the_generator(path, serve, rows, monkeypatch, large):
    monkeypatch.setattr(text_stream, "_LARGE_VOCABULARY", large)
    asked = [(prompt, {"seed": seed}) for seed in range(6) for prompt in PROMPTS]
    with Generator(path) as generator:
        alone = [list(generator.stream(prompt, **options)) for prompt, options in asked]
    steps = len(rows)
    rows.clear()

    async def main(generator, streams):
        texts = (text_stream.stream_text(generator, streams, prompt, options) for prompt, options in asked)
        return await asyncio.gather(*map(collect, texts))

    received = serve(main)
    assert [[(t.id, t.text) for t in text] for text in received] == [[(t.id, t.text) for t in text] for text in alone]
    for text, expected in zip(received, alone, strict=True):
        assert [token.log_prob for token in text] == pytest.approx([token.log_prob for token in expected], abs=1e-5)
    assert sum(rows) == steps
    assert len(rows) < steps / 3


def test_what_does_not_suit_is_refused_at_the_call(serve, rows, tmp_path):
    async def main(generator, streams):
        with pytest.raises(InputError, match="has no option 'top_k'"):
            text_stream.stream_text(generator, streams, "the dog", {"top_k": 3})
        with pytest.raises(InputError, match="has nothing that the model knows"):
            text_stream.stream_text(generator, streams, "zebra")
        bare = write_language_model(tmp_path / "bare", SAMPLING, {"max_length": 8}, step=False)
        with Generator(bare) as whole, pytest.raises(BundleError, match=r"no graph 'step', which stream\(\) runs"):
            text_stream.stream_text(whole, streams, [4])

    serve(main)
    assert rows == []


def test_a_long_text_is_read_aside_and_refused_when_it_is_read(serve):
    long = " " * 10_000 + "the dog"

    async def main(generator, streams):
        expected = list(generator.stream("the dog", seed=3))
        assert [t.id for t in await collect(text_stream.stream_text(generator, streams, long, {"seed": 3}))] == [
            token.id for token in expected
        ]
        tokens = text_stream.stream_text(generator, streams, long + " zebra" * 20)
        with pytest.raises(InputError, match="The model takes 13 steps at most"):
            await anext(tokens)
        with pytest.raises(InputError, match="has no option 'top_k'"):
            text_stream.stream_text(generator, streams, long, {"top_k": 3})

    serve(main)


def test_who_leaves_stops_the_text_and_frees_it(serve, rows):
    async def main(generator, streams):
        tokens = text_stream.stream_text(generator, streams, "the dog", {"seed": 3})
        await anext(tokens)
        await anext(tokens)
        assert streams.num_streams == 1
        await tokens.aclose()
        assert streams.num_streams == 0
        assert len(rows) == 2

        seen = []

        async def read():
            async for token in text_stream.stream_text(generator, streams, "the dog", {"seed": 3}):
                seen.append(token)
                await asyncio.sleep(60)

        task = asyncio.create_task(read())
        while not seen:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task  # the last that holds the iterator
        async with asyncio.timeout(10):
            while streams.num_streams:
                await asyncio.sleep(0.001)

    serve(main)
    assert len(rows) == 3


def test_a_token_that_takes_too_long_ends_the_text(serve, monkeypatch):
    import time

    run = Session.run
    monkeypatch.setattr(Session, "run", lambda self, feeds: time.sleep(0.2) or run(self, feeds))

    async def main(generator, streams):
        with pytest.raises(DeadlineExceeded, match=r"no answer within 0.01 seconds"):
            await collect(text_stream.stream_text(generator, streams, "the dog", timeout=0.01))

    serve(main)
