"""Plain text over HTTP: what comes back is what the runtime says, in words; what does not suit is refused in words."""

import asyncio
import gc
import json
import time
import weakref

import httpx
import numpy as np
import pytest

from keras_seq.serving import Generator
from keras_seq.serving.server import ModelRepository, ServerSettings, create_app
from keras_seq.serving.server.served_model import ServedModel
from keras_seq.serving.server.text_bodies import ClassifyAnswer, GenerateAnswer, ModelList, TagAnswer
from tests.serving.server.live_server import live_server
from tests.serving.server.text_models import EXAMPLES, OPTIONS, write_text_models
from tests.serving.server.toy_pair import LONG_WORDS, pair_scores, write_pair
from tests.serving.server.toy_translator import LETTERS, WORDS
from tests.serving.toy_decoder import decode
from tests.serving.toy_text import MOODS, TAGS, mood_scores, tag_scores, write_tagger

TEXTS = ["The dog barks!", "", "It RAINS", "Zebra"]
TOKENS = [["The", "dog", "barks", "!"], [], ["It", "RAINS"], ["Zebra"]]
IDS = [[4, 5, 6, 9], [], [7, 8], [3]]

DOCUMENTED = {
    "tag": TagAnswer,
    "classify": ClassifyAnswer,
    "generate": GenerateAnswer,
    "translate": GenerateAnswer,
    "models": ModelList,
}


def softmax(scores):
    exp = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_text_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def ask(folder):
    """Asks the application in this process: `ask("tagger/tag", {...})` posts, `ask("models")` gets."""
    with asyncio.Runner() as runner:
        repository = ModelRepository(folder=folder, settings=ServerSettings(num_threads=1, max_rows=29))
        runner.run(repository.load_all())
        client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(repository)), base_url="http://test")

        def request(path, body=None, **further):
            method = "GET" if body is None and "content" not in further else "POST"
            return runner.run(client.request(method, f"/v1/{path}", json=body, **further))

        yield request
        runner.run(client.aclose())
        runner.run(repository.close())


def ok(response):
    assert response.status_code == 200, response.text
    answer = response.json()
    task = response.request.url.path.rpartition("/")[2]
    documented = DOCUMENTED[task].model_validate(answer, strict=True, extra="forbid")
    assert documented.model_dump(mode="json") == answer
    return answer


def refused(response, status):
    assert response.status_code == status, response.text
    body = response.json()
    assert body.keys() == {"error", "code", "request_id"}
    return body["error"]


def events(text):
    """Name and data of each event; the data stand in one line."""
    found = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_every_token_has_its_label_and_how_likely_it_is(ask):
    answer = ok(ask("tagger/tag", {"texts": TEXTS}))
    assert (answer["model"], answer["version"], answer["output"]) == ("tagger", "2", "tags")
    assert answer["seconds"] > 0
    assert [result["text"] for result in answer["results"]] == TEXTS
    for result, tokens, ids in zip(answer["results"], TOKENS, IDS, strict=True):
        expected = softmax(tag_scores()[ids])
        assert [token["text"] for token in result["tokens"]] == tokens
        assert [token["label"] for token in result["tokens"]] == [TAGS[k] for k in expected.argmax(axis=-1)]
        found = [token["probability"] for token in result["tokens"]]
        np.testing.assert_allclose(found, expected.max(axis=-1) if ids else [], atol=1e-6)


def test_many_texts_are_answered_as_few_are(ask):
    texts = [("the dog barks it rains ! " * 8).strip()] * 29  # more than is made JSON of in the event loop
    assert 29 * 48 * len(TAGS) > 4096
    [expected] = ok(ask("tagger/tag", {"text": texts[0]}))["results"]
    assert ok(ask("tagger/tag", {"texts": texts}))["results"] == [expected] * 29


def test_a_text_alone_is_answered_as_in_company(ask):
    together = ok(ask("tagger/tag", {"texts": TEXTS}))["results"]
    assert [ok(ask("tagger/tag", {"text": text}))["results"][0] for text in TEXTS] == together


def test_every_class_has_its_probability_the_likeliest_first(ask):
    answer = ok(ask("tagger/classify", {"texts": TEXTS}))
    assert answer["output"] == "mood"
    for result, text, ids in zip(answer["results"], TEXTS, IDS, strict=True):
        expected = softmax(mood_scores()[ids].sum(axis=0))
        assert result["text"] == text
        assert result["label"] == MOODS[expected.argmax()] == result["probabilities"][0]["label"]
        found = {one["label"]: one["probability"] for one in result["probabilities"]}
        np.testing.assert_allclose([found[mood] for mood in MOODS], expected, atol=1e-6)
        assert list(found.values()) == sorted(found.values(), reverse=True)
        assert result["probability"] == max(found.values())


def test_a_version_can_be_named(ask):
    assert ok(ask("tagger/tag", {"text": "it"}, params={"version": "1"}))["version"] == "1"
    assert "no version '3'. It has: '1', '2'" in refused(
        ask("tagger/tag", {"text": "it"}, params={"version": "3"}), 404
    )


def test_one_text_goes_into_every_input(ask):
    [result] = ok(ask("pair/tag", {"text": "The dog barks!"}))["results"]
    words, long = pair_scores()
    expected = softmax(words[[4, 5, 6, 9]] + long[[3, 3, LONG_WORDS.index("barks"), 3]])
    assert [token["text"] for token in result["tokens"]] == ["The", "dog", "barks", "!"]
    assert [token["label"] for token in result["tokens"]] == [TAGS[k] for k in expected.argmax(axis=-1)]


def test_a_translation_comes_with_its_tokens_and_where_they_look(ask):
    answer = ok(ask("letters/translate", {"texts": ["abba", "c"], "options": {"max_length": 5}}))
    for result, text in zip(answer["results"], ("abba", "c"), strict=True):
        ids = np.array([LETTERS.index(letter) for letter in text])
        expected = decode(ids, max_length=5)
        assert result["tokens"] == list(text)
        assert len(result["hypotheses"]) == len(expected["ids"])
        for k, one in enumerate(result["hypotheses"]):
            row = expected["ids"][k, : expected["lengths"][k]]
            assert one["tokens"] == [WORDS[i] for i in row]
            assert one["text"] == " ".join(WORDS[i] for i in row if i > 2)
            assert one["score"] == pytest.approx(expected["scores"][k], abs=1e-5)
            assert one["finished"] == expected["finished"][k]
            np.testing.assert_allclose(one["alignment"], expected["alignments"][k, : len(row)], atol=1e-5)


def test_without_attention_there_is_no_alignment(ask):
    [result] = ok(ask("plain/translate", {"text": "ab"}))["results"]
    assert {one["alignment"] for one in result["hypotheses"]} == {None}
    assert ok(ask("plain/generate", {"text": "ab"}))["results"] == [result]  # another word for the same


def test_a_prompt_comes_back_with_what_follows_it(ask):
    [first, _] = ok(ask("story/generate", {"texts": ["the dog", ""]}))["results"]
    assert first["tokens"] == ["the", "dog"]
    [one] = first["hypotheses"]
    assert one == {
        "text": "the dog",
        "score": -1.5,
        "finished": True,
        "tokens": ["the", "dog", "<end>"],
        "alignment": None,
    }


@pytest.mark.parametrize("prompt", ["the dog", ""])
def test_a_stream_gives_the_tokens_of_the_runtime_and_then_the_whole(ask, folder, prompt):
    for seed in range(5):
        options = {"seed": seed, "temperature": 1.5}
        response = ask("story/generate", {"text": prompt, "stream": True, "options": options})
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        *tokens, (name, done) = events(response.text)
        with Generator(folder / "story") as generator:
            expected = list(generator.stream(prompt, **options))
        assert [name for name, _ in tokens] == ["token"] * len(expected)
        assert [data["id"] for _, data in tokens] == [token.id for token in expected]
        assert [data["text"] for _, data in tokens] == [token.text for token in expected]
        found = [data["log_prob"] for _, data in tokens]
        np.testing.assert_allclose(found, [token.log_prob for token in expected], atol=1e-5)
        assert name == "done"
        assert done["text"] == "".join(token.text for token in expected)
        assert done["tokens"] == len(expected)
        assert done["finished"] == (expected[-1].id == 2)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("letters/generate", {"text": "a", "stream": True}, "cannot generate as a stream: it searches by beam_search"),
        ("letters/translate", {"text": "a", "stream": True}, "Leave `stream` out, and the answer comes whole"),
        ("story/generate", {"texts": ["the", "dog"], "stream": True}, "goes on with one text. Received: 2"),
        ("story/generate", {"text": "zebra", "stream": True}, "has nothing that the model knows"),
        ("story/generate", {"text": "the " * 9, "stream": True}, "The model takes 13 steps at most"),
        ("story/generate", {"text": "the", "options": {"warmth": 1}}, "no option 'warmth'. Valid names: 'max_length'"),
        ("letters/translate", {"text": "a", "options": {"max_length": 99}}, "'max_length' must be from 1 to 17"),
        ("letters/translate", {"text": "a", "options": {"alpha": "much"}}, "'alpha' must be a single float32 value"),
        ("letters/translate", {"text": "a", "options": {"max_length": [[1, 2], [3]]}}, "'max_length' must be"),
        ("letters/translate", {"text": "a" * 14}, "has 14 tokens, and the model takes 13 at most"),
        ("tagger/tag", {}, "either `text`, a string, or `texts`, a list of strings. Received: neither"),
        ("tagger/tag", {"text": "a", "texts": ["b"]}, "Received: both"),
        ("tagger/tag", {"text": "a", "output": "mood"}, "must be one of those with labels: 'tags'. Received: 'mood'"),
        ("tagger/tag", {"texts": ["a"] * 30}, "29 rows at most. Received: 30"),
        ("tagger/generate", {"text": "a"}, "cannot generate texts. It can: 'tag', 'classify'."),
        ("story/tag", {"text": "a"}, "cannot tag texts. It can: 'generate'."),
    ],
)
def test_what_does_not_suit_is_refused_with_what_would(ask, path, body, message):
    assert message in refused(ask(path, body), 400)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"text": "a", "texst": ["b"]}, "there is no field 'texst'. Valid names: 'text', 'texts', 'options', 'output'"),
        ({"text": 4}, "body.text: Input should be a valid string"),
        ({"text": None}, "body.text: Input should be a valid string"),
        ({"texts": "a"}, "body.texts: Input should be a valid list"),
        ({"texts": []}, "body.texts: List should have at least 1 item"),
        ({"texts": ["a", 7]}, "body.texts.1: Input should be a valid string"),
        ({"text": "a", "options": []}, "body.options: Input should be a valid dictionary"),
        (["a"], "body: Input should be a valid dictionary"),
    ],
)
def test_a_body_of_another_form_is_refused_by_the_field(ask, body, message):
    assert message in refused(ask("tagger/tag", body), 422)


def test_half_a_pair_of_surrogates_becomes_the_replacement_character(ask):
    headers = {"Content-Type": "application/json"}
    [result] = ok(ask("tagger/tag", content=rb'{"text": "a\ud800"}', headers=headers))["results"]
    assert result["text"] == result["tokens"][0]["text"] == "a\ufffd"
    for body in (rb'{"text": "a", "output": "\ud800"}', rb'{"text": "a", "options": {"\ud800": 1}}'):
        assert r"'\ud800'" in refused(ask("tagger/tag", content=body, headers=headers), 400)
    assert r"'\ud800'" in refused(ask("tagger/tag", content=rb'{"\ud800": "a"}', headers=headers), 422)
    refused(ask("%ff/tag", {"text": "a"}), 404)
    refused(ask("tagger/tag?version=%ff", {"text": "a"}), 404)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"text": NaN}', b"[" * 5000])
def test_what_is_no_json_is_no_accident(ask, content):
    response = ask("tagger/tag", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422), response.text
    assert response.json()["code"]


def test_unknown_models_are_not_found(ask):
    for name in ("nobody", "..", "tagger.text", "a/b"):
        refused(ask(f"{name}/tag", {"text": "a"}), 404)


def test_the_header_bounds_the_time(ask):
    message = refused(ask("tagger/tag", {"text": "a"}, headers={"X-Timeout-Seconds": "soon"}), 400)
    assert "X-Timeout-Seconds must be a number of seconds above 0" in message


def test_a_card_says_what_a_model_can_do(ask):
    cards = {card["name"]: card for card in ok(ask("models"))["models"]}
    assert list(cards) == sorted(cards) == ["endless", "letters", "pair", "plain", "story", "tagger"]
    assert (cards["tagger"]["version"], cards["tagger"]["versions"]) == ("2", ["1", "2"])
    tag, classify = cards["tagger"]["tasks"]
    assert (tag["task"], tag["outputs"]) == ("tag", [{"name": "tags", "labels": TAGS}])
    assert (classify["task"], classify["outputs"]) == ("classify", [{"name": "mood", "labels": MOODS}])
    [generate] = cards["story"]["tasks"]
    assert {option["name"]: option["default"] for option in generate["options"]} == pytest.approx(OPTIONS)
    assert (generate["streams"], generate["aligned"], generate["longest"]) == (True, False, 5)
    assert cards["letters"]["examples"] == EXAMPLES
    translate = cards["letters"]["tasks"][-1]
    assert (translate["task"], translate["streams"], translate["aligned"]) == ("translate", False, True)
    bounds = {"name": "max_length", "dtype": "int32", "default": 11, "minimum": 1, "maximum": 17}
    assert translate["options"][0] == bounds
    assert not cards["plain"]["tasks"][-1]["aligned"]


def test_a_reloaded_model_has_the_tokenizer_that_it_came_with_and_nobody_keeps_the_old_one(tmp_path):
    write_tagger(tmp_path / "tagger")

    async def main():
        repository = ModelRepository(folder=tmp_path, settings=ServerSettings(num_threads=1))
        await repository.load_all()
        transport = httpx.ASGITransport(create_app(repository))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answers, old = [], weakref.ref(repository.get("tagger"))
            for add_end in (False, True):
                if add_end:
                    write_tagger(tmp_path / "fresh" / "tagger", add_end=True)
                    (tmp_path / "tagger").rename(tmp_path / "old")
                    (tmp_path / "fresh" / "tagger").rename(tmp_path / "tagger")
                    await repository.load("tagger")
                response = await client.post("/v1/tagger/tag", json={"text": "the dog"})
                answers.append([token["text"] for token in response.json()["results"][0]["tokens"]])
        gc.collect()
        assert old() is None
        await repository.close()
        return answers

    assert asyncio.run(main()) == [["the", "dog"], ["the", "dog", "<end>"]]


def test_inputs_whose_tokenizers_cut_otherwise_are_refused(tmp_path):
    with live_server({"pair": write_pair(tmp_path / "pair", same_cuts=False)}) as server:
        message = refused(httpx.post(f"{server.url}/v1/pair/tag", json={"text": "the dog!"}), 400)
    assert "has 3 tokens for input 'words', but 2 for input 'long'" in message


def test_what_breaks_in_mid_stream_is_the_last_event(folder, monkeypatch):
    real = ServedModel.stream_text

    def breaking(self, *arguments, **options):
        tokens = real(self, *arguments, **options)

        async def some():
            yield await anext(tokens)
            await tokens.aclose()
            raise RuntimeError("secret")

        return some()

    monkeypatch.setattr(ServedModel, "stream_text", breaking)
    with live_server({"story": folder / "story"}) as server:
        response = httpx.post(f"{server.url}/v1/story/generate", json={"text": "the dog", "stream": True})
    assert response.status_code == 200
    (first, _), (last, error) = events(response.text)
    assert (first, last, error["code"]) == ("token", "error", "internal")
    assert "secret" not in response.text
    assert error["request_id"] == response.headers["x-request-id"]


def test_a_token_that_is_late_ends_the_stream(folder, monkeypatch):
    async def late(self, *arguments, **options):
        await asyncio.sleep(60)
        yield

    monkeypatch.setattr(ServedModel, "stream_text", late)
    with live_server({"story": folder / "story"}) as server:
        body, headers = {"text": "the dog", "stream": True}, {"X-Timeout-Seconds": "0.05"}
        message = refused(httpx.post(f"{server.url}/v1/story/generate", json=body, headers=headers), 504)
    assert "The next token was not there within 0.05 s" in message


def test_a_reader_who_leaves_ends_the_stream(folder, monkeypatch):
    real, kept = ServedModel.stream_text, []  # what is kept is not ended by the garbage collector

    def keeping(*arguments):
        kept.append(real(*arguments))
        return kept[-1]

    monkeypatch.setattr(ServedModel, "stream_text", keeping)
    with live_server({"endless": folder / "endless"}) as server:
        body = {"text": "the dog", "stream": True}
        with httpx.stream("POST", f"{server.url}/v1/endless/generate", json=body) as response:
            assert next(response.iter_lines()) == "event: token"
            assert open_streams(server) == 1
        give_up = time.monotonic() + 20
        while open_streams(server) and time.monotonic() < give_up:
            time.sleep(0.02)
        assert open_streams(server) == 0


def open_streams(server):
    [model] = server.repository.models
    return model.stream_gauges["open"]
