"""The application as a whole: what holds for every route, and what its lifespan does."""

import asyncio

import httpx
import pytest

from keras_seq.serving.server import ModelRepository, create_app
from keras_seq.serving.server.logs import REQUESTS

UNKNOWN = {"inputs": [{"name": "words", "shape": [1, 1], "datatype": "INT32", "data": [1]}]}


def ask(app, method, path, **further):
    async def main():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **further)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/toy/tag", {"text": "a"}),
        ("POST", "/v2/models/toy/infer", UNKNOWN),
        ("GET", "/v2/models/toy", None),
    ],
)
def test_what_nobody_foresaw_is_logged_once_and_told_without_a_word_of_it(method, path, body, monkeypatch, caplog):
    repository = ModelRepository()
    app = create_app(repository)

    def fail(*arguments):
        raise RuntimeError("secret in /etc/shadow")

    monkeypatch.setattr(repository, "get", fail)
    monkeypatch.setattr(repository, "signature", fail)
    caplog.set_level("ERROR", "keras_seq")
    answer = ask(app, method, path, json=body)
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text
    assert len([record for record in caplog.records if record.exc_info]) == 1


@pytest.mark.parametrize("path", ["/nothing", "/v1/models/toy/else", "/v2/models/toy/versions/3/else"])
def test_addresses_that_are_not_there_get_an_answer_of_the_common_form(path):
    answer = ask(create_app(ModelRepository()), "GET", path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert answer.json()["request_id"]


def test_its_life_loads_the_models_and_closes_them(masked_path, caplog):
    repository = ModelRepository({"toy": masked_path})
    app = create_app(repository)

    async def main():
        events, sent = asyncio.Queue(), asyncio.Queue()
        life = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, events.get, sent.put))
        await events.put({"type": "lifespan.startup"})
        assert (await sent.get())["type"] == "lifespan.startup.complete"
        assert repository.ready
        await events.put({"type": "lifespan.shutdown"})
        assert (await sent.get())["type"] == "lifespan.shutdown.complete"
        await life
        assert not repository.ready

    asyncio.run(main())
    assert not [record for record in caplog.records if record.name == REQUESTS]
