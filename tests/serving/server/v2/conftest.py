"""A server with a bundle of each kind: asked in this process, and behind a real socket."""

import asyncio
import shutil

import httpx
import pytest

from keras_seq.serving.server import ModelRepository, ServerSettings, create_app
from tests.serving.server.live_server import live_server
from tests.serving.server.v2.toy_types import write_types
from tests.serving.toy_text import document, write_language_model, write_tagger

LIMITS = {"num_threads": 1, "max_body_bytes": 2**20, "max_rows": 29}


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, masked_path, unmasked_path, decoder_path):
    """A model folder: a tagger in two versions, one that takes texts, two that generate, one with every type."""
    root = tmp_path_factory.mktemp("models")
    shutil.copytree(masked_path, root / "tagger" / "1")
    shutil.copytree(unmasked_path, root / "tagger" / "2")
    shutil.copytree(decoder_path, root / "dates")
    write_tagger(root / "pos")
    options = {"max_length": 7, "temperature": 1.0, "seed": 0}
    decoding = {"strategy": "Sampling", "start_id": 1, "end_id": 2}
    write_language_model(root / "stories", decoding, options, document())
    write_types(root / "types")
    return root


@pytest.fixture(scope="module")
def ask(model_folder):
    """Asks the application in this process: `ask("POST", "/v2/...", json=...)` gives the response."""
    with asyncio.Runner() as runner:
        repository = ModelRepository(folder=model_folder, settings=ServerSettings(**LIMITS))
        runner.run(repository.load_all())
        transport = httpx.ASGITransport(create_app(repository))
        client = httpx.AsyncClient(transport=transport, base_url="http://test")
        yield lambda method, path, **request: runner.run(client.request(method, path, **request))
        runner.run(client.aclose())
        runner.run(repository.close())


@pytest.fixture
def infer(ask):
    """Asks for an inference: `infer("tagger", {"inputs": [...]})`, or with body and headers."""

    def post(model, request=None, *, body=None, headers=None, version=None):
        path = f"/v2/models/{model}{'' if version is None else f'/versions/{version}'}/infer"
        return ask("POST", path, **({"json": request} if body is None else {"content": body, "headers": headers}))

    return post


@pytest.fixture(scope="module")
def server(model_folder):
    """A live server on all of them."""
    with live_server(folder=model_folder, **LIMITS) as live:
        yield live
