"""Health and metadata."""

import asyncio

import httpx
import pytest

from keras_seq.serving.server import ModelRepository, create_app


@pytest.mark.parametrize(("path", "body"), [("live", {"live": True}), ("ready", {"ready": True})])
def test_the_server_is_well(ask, path, body):
    response = ask("GET", f"/v2/health/{path}")
    assert (response.status_code, response.json()) == (200, body)


def test_the_server_says_what_it_is(ask):
    about = ask("GET", "/v2").json()
    assert about["name"] == "keras_seq"
    assert {"binary_tensor_data", "classification", "model_repository", "parameters"} <= set(about["extensions"])


def test_a_model_says_what_it_takes_and_gives(ask):
    assert ask("GET", "/v2/models/tagger").json() == {
        "name": "tagger",
        "versions": ["1", "2"],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": "words", "datatype": "INT32", "shape": [-1, -1]},
            {"name": "shapes", "datatype": "FP32", "shape": [-1, -1, 3]},
        ],
        "outputs": [
            {"name": "tags", "datatype": "FP32", "shape": [-1, -1, 11]},
            {"name": "sentence", "datatype": "FP32", "shape": [-1, 7]},
        ],
        "parameters": {},
    }


def test_a_model_says_which_options_it_has(ask):
    assert ask("GET", "/v2/models/dates").json()["parameters"] == {
        "max_length": {"datatype": "INT32", "default": 11, "minimum": 1, "maximum": 17},
        "alpha": {"datatype": "FP32", "default": 0.5, "minimum": 0.0, "maximum": None},
    }


def test_texts_are_tensors_of_bytes(ask):
    about = ask("GET", "/v2/models/pos.text/versions/1").json()
    assert about["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    strings = [(one["name"], one["shape"]) for one in about["outputs"] if one["datatype"] == "BYTES"]
    assert strings == [("tokens", [-1, -1]), ("tags.labels", [-1, -1]), ("mood.labels", [-1])]
    about = ask("GET", "/v2/models/stories.generate_text").json()
    assert [one["name"] for one in about["outputs"]] == ["text", "ids", "lengths", "scores", "finished"]
    assert list(about["parameters"]) == ["max_length", "temperature", "seed"]


@pytest.mark.parametrize("model", ["tagger", "tagger/versions/1", "pos.text"])
def test_a_model_is_ready(ask, model):
    response = ask("GET", f"/v2/models/{model}/ready")
    assert (response.status_code, response.json()["ready"]) == (200, True)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nobody", "There is no model 'nobody'."),
        ("tagger/versions/3", "Model 'tagger' has no version '3'. It has: '1', '2'."),
        ("tagger.text", "Model 'tagger' has no 'tagger.text'. It has: 'tagger'"),
        ("tagger%2F..", None),
        ("%ED%A0%80", "There is no model"),
    ],
)
def test_what_is_not_there_is_404(ask, model, message):
    for path in (f"/v2/models/{model}", f"/v2/models/{model}/ready"):
        response = ask("GET", path)
        assert response.status_code == 404
        assert set(response.json()) == {"error", "code", "request_id"}
        assert message is None or message in response.json()["error"]


def test_a_server_without_models_is_not_ready(tmp_path):
    async def main():
        transport = httpx.ASGITransport(create_app(ModelRepository(folder=tmp_path)))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [await client.get(f"/v2/health/{path}") for path in ("live", "ready")]

    live, ready = asyncio.run(main())
    assert (live.status_code, ready.status_code) == (200, 503)
    assert ready.json()["code"] == "unavailable"
