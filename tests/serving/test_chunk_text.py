"""Texts as chunks: joined, they are the whole where the tokenizer cuts between them; tokens and labels come along."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_seq.serving import Batcher, FileSpec, InputError, Predictor, Stream
from keras_seq.serving.stream_batch import StreamBatch
from tests.serving.toy_text import WORDS, document, write_language_model

LABELS = [f"tag{i}" for i in range(11)]
DECODING = {"strategy": "Sampling", "start_id": 1, "end_id": 2}


def add_tokenizer(folder, name, content, labels=None):
    """Gives a bundle a tokenizer of an input, and labels of an output."""
    file = f"tokenizers/{name}.json"
    (folder / "tokenizers").mkdir(exist_ok=True)
    (folder / file).write_text(json.dumps(content), encoding="utf-8")
    manifest = folder / "bundle.json"
    value = json.loads(manifest.read_text(encoding="utf-8"))
    value.setdefault("tokenizers", {})[name] = {"file": file}
    value["files"][file] = FileSpec.of(folder / file).to_dict()
    value["labels"] = labels or {}
    manifest.write_text(json.dumps(value), encoding="utf-8")
    return folder


@pytest.fixture
def tagger(write_bundle):
    """Words as a text beside features as numbers, to tags with labels."""
    return add_tokenizer(write_bundle(), "words", document(lowercase=True), {"tags": LABELS})


@pytest.fixture
def speaker(tmp_path):
    """One text alone: `speaker(**tokenizer)`."""

    def write(**tokenizer):
        folder = write_language_model(tmp_path / "lm", DECODING, {"max_length": 3})
        return add_tokenizer(folder, "ids", document(**tokenizer))

    return write


def feed(folder, *texts):
    """What a stream answers to texts, one after the other."""

    async def main():
        with ThreadPoolExecutor(1) as executor, Stream(folder) as graph:
            batch = StreamBatch(graph, Batcher(graph.run, executor=executor))
            stream = batch.open()
            answers = [await stream.feed_text(text) for text in texts]
            await batch.close(1)
            return answers, stream.steps

    return asyncio.run(main())


def test_chunks_of_words_are_the_whole_text(tagger):
    shapes = np.random.default_rng(0).normal(size=(1, 7, 3)).astype("float32")
    with Predictor(tagger) as predictor:
        whole = predictor.predict_text({"words": ["The dog, barks! it zebra"], "shapes": list(shapes)})
    cut = [("The dog,", 0, 3), (" barks! ", 3, 5), ("it zebra", 5, 7)]
    answers, steps = feed(tagger, *({"words": text, "shapes": shapes[:, a:b]} for text, a, b in cut))
    assert steps == 7
    for name in ("tokens", "tags.labels"):
        assert [row for answer in answers for row in answer[name][0]] == whole[name][0], name
    assert whole["tokens"][0] == ["The", "dog", ",", "barks", "!", "it", "zebra"]
    np.testing.assert_allclose(np.concatenate([a["tags"][0] for a in answers]), whole["tags"][0], atol=1e-6)
    np.testing.assert_allclose(answers[-1]["sentence"], whole["sentence"], atol=1e-6)


def test_a_border_within_a_word_makes_two_of_it(speaker):
    answers, steps = feed(speaker(), "the do", "g")
    assert [answer["tokens"] for answer in answers] == [[["the", "do"]], [["g"]]]
    assert steps == 3


def test_characters_may_be_cut_anywhere(speaker):
    folder, text = speaker(kind="char"), "ab a\nb"
    answers, _ = feed(folder, *text)
    (whole,), _ = feed(folder, text)
    np.testing.assert_allclose(np.concatenate([a["logits"] for a in answers], 1), whole["logits"], atol=1e-6)
    assert whole["tokens"] == [list(text)]


def test_a_text_without_tokens_changes_nothing(speaker):
    answers, steps = feed(speaker(), " ", "the", "")
    assert [set(answer) for answer in answers] == [{"tokens"}, {"tokens", "logits"}, {"tokens"}]
    assert steps == 1


def test_a_long_text_is_read_aside(speaker):
    text = " " * 20_000 + "the dog"
    (answer,), steps = feed(speaker(), text)
    assert (answer["tokens"], steps) == ([["the", "dog"]], 2)


@pytest.mark.parametrize(
    ("tokenizer", "text", "message"),
    [
        (
            {"add_start": True},
            "the dog",
            r"tokenizer of input 'ids' adds a start or end to each text, or cuts it, so a",
        ),
        ({"add_end": True}, "the dog", "adds a start or end"),
        ({"max_length": 5}, "the dog", r"or cuts it, so a text cannot come in chunks to graph 'step'. Send ids."),
        ({}, 3, "must be"),
        ({}, {"words": "the"}, r"unknown: 'words'; missing: 'ids'"),
        ({}, "the " * 14, r"'time' is 14 long, and the model takes 13 at most"),
    ],
)
def test_what_cannot_come_in_chunks_is_refused(speaker, tokenizer, text, message):
    with pytest.raises(InputError, match=message):
        feed(speaker(**tokenizer), text)


def test_without_tokenizer_there_is_no_text(masked_path):
    with pytest.raises(InputError, match=r"Graph 'step' of .* has no tokenizer, so it takes ids and no texts"):
        feed(masked_path, {"words": "the", "shapes": np.zeros((1, 1, 3))})


def test_words_of_the_toys_are_known(speaker):
    (answer,), _ = feed(speaker(), " ".join(WORDS[4:9]))
    assert answer["tokens"] == [WORDS[4:9]]
