"""The repository over HTTP."""

import asyncio
import json
import shutil

import httpx
import pytest

from keras_seq.serving.server import ModelRepository, ServerSettings, create_app


@pytest.fixture
def ask(tmp_path, model_folder):
    """Asks an application whose model folder the test may change: `ask("index", json=...)`."""
    folder = tmp_path / "models"
    shutil.copytree(model_folder / "tagger", folder / "tagger")
    shutil.copytree(model_folder / "pos", folder / "pos")
    with asyncio.Runner() as runner:
        repository = ModelRepository(folder=folder, settings=ServerSettings(num_threads=1))
        runner.run(repository.load_all())
        client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(repository)), base_url="http://test")

        def post(what, method="POST", **request):
            return runner.run(client.request(method, f"/v2/{what}", **request))

        post.folder = folder
        yield post
        runner.run(client.aclose())
        runner.run(repository.close())


def states(response):
    return {(one["name"], one["version"]): one["state"] for one in response.json()}


READY = {("pos", "1"): "READY", ("tagger", "1"): "READY", ("tagger", "2"): "READY"}


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b'{"ready": false}', b"null"])
def test_the_index_has_every_version_of_every_model(ask, body):
    response = ask("repository/index", content=body)
    assert response.status_code == 200
    assert states(response) == READY


def test_an_unloaded_model_is_in_the_index_and_cannot_be_asked(ask):
    assert ask("repository/models/tagger/unload", json={"parameters": {"unload_dependents": False}}).json() == {}
    index = ask("repository/index")
    assert states(index) == {**READY, ("tagger", "1"): "UNAVAILABLE", ("tagger", "2"): "UNAVAILABLE"}
    assert [one["reason"] for one in index.json()] == ["", "unloaded", "unloaded"]
    assert states(ask("repository/index", json={"ready": True})) == {("pos", "1"): "READY"}
    response = ask("models/tagger/ready", "GET")
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert ask("repository/models/tagger/load").json() == {}
    assert ask("models/tagger/ready", "GET").status_code == 200


def test_a_new_version_is_there_after_a_load(ask):
    shutil.copytree(ask.folder / "tagger" / "1", ask.folder / "tagger" / "7")
    assert ask("repository/models/tagger/load", json={}).status_code == 200
    assert ask("models/tagger", "GET").json()["versions"] == ["1", "2", "7"]


def test_a_damaged_model_says_why_without_its_path_and_the_old_one_stays(ask):
    (ask.folder / "pos" / "model.onnx").write_bytes(b"damaged")
    response = ask("repository/models/pos/load")
    assert (response.status_code, response.json()["code"]) == (500, "bundle_error")
    assert "model.onnx" in response.json()["error"]
    assert str(ask.folder) not in response.text
    assert ask("models/pos/ready", "GET").status_code == 200


@pytest.mark.parametrize("name", ["nobody", "tagger.text", "%2e%2e", "..%2f..", "tagger%2f1"])
def test_a_model_that_is_not_there_is_404(ask, name):
    for verb in ("load", "unload"):
        assert ask(f"repository/models/{name}/{verb}").status_code == 404


@pytest.mark.parametrize(
    ("what", "body", "message"),
    [
        ("index", [], "`body` must be an object. Received: a list."),
        ("index", {"ready": "yes"}, "`body.ready` must be true or false. Received: 'yes'."),
        (
            "models/tagger/load",
            {"parameters": {"config": "{}"}},
            "`parameters` may have none. Received: 'config'. A mod",
        ),
        (
            "models/tagger/unload",
            {"parameters": {"now": 1}},
            "`parameters` may have 'unload_dependents'. Received: 'now",
        ),
        ("models/tagger/load", {"parameters": 3}, "`parameters` must be an object. Received: 3."),
    ],
)
def test_a_request_that_is_not_as_the_extension_says_is_refused(ask, what, body, message):
    response = ask(f"repository/{what}", content=json.dumps(body))
    assert response.status_code == 400
    assert message in response.json()["error"]
    assert states(ask("repository/index")) == READY
