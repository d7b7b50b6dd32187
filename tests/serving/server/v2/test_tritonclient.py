"""Triton's own client, which nobody here wrote, over a real socket."""

import shutil

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from keras_seq.serving import Predictor
from tests.serving.server.live_server import live_server
from tests.serving.server.v2.toy_types import DATATYPES, extremes

WORDS = np.array([[4, 8, 15], [16, 3, 0]], "int32")
SHAPES = np.random.default_rng(1).normal(size=(2, 3, 3)).astype("float32")
TEXTS = np.array([b"The dog barks!", "naïve".encode()], object)


@pytest.fixture(scope="module")
def client(server):
    with triton.InferenceServerClient(server.host, concurrency=3) as client:
        yield client


def given(name, array, binary=True):
    """An input with its values."""
    tensor = triton.InferInput(name, list(array.shape), DATATYPES.get(array.dtype.name, "BYTES"))
    return tensor.set_data_from_numpy(array, binary_data=binary)


def asked(*names, binary=True, **settings):
    return [triton.InferRequestedOutput(name, binary_data=binary, **settings) for name in names]


def tagged(path):
    with Predictor(path) as predictor:
        return predictor.predict({"words": WORDS, "shapes": SHAPES})


def test_the_server_and_its_models_are_well(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tagger")
    assert client.is_model_ready("tagger", "1")
    assert not client.is_model_ready("tagger", "3")
    assert not client.is_model_ready("nobody")


def test_metadata_says_all_that_a_client_needs(client):
    assert client.get_server_metadata()["name"] == "keras_seq"
    about = client.get_model_metadata("pos.text")
    inputs = [triton.InferInput(one["name"], [2], one["datatype"]) for one in about["inputs"]]
    inputs[0].set_data_from_numpy(TEXTS)
    result = client.infer(about["name"], inputs)
    assert [one["name"] for one in result.get_response()["outputs"]] == [one["name"] for one in about["outputs"]]


@pytest.mark.parametrize("binary_in", [False, True])
@pytest.mark.parametrize("binary_out", [False, True])
def test_arrays_come_as_the_predictor_gives_them(client, unmasked_path, binary_in, binary_out):
    inputs = [given("words", WORDS, binary_in), given("shapes", SHAPES, binary_in)]
    result = client.infer("tagger", inputs, outputs=asked("sentence", "tags", binary=binary_out), request_id="7")
    assert result.get_response()["id"] == "7"
    for name, array in tagged(unmasked_path).items():
        np.testing.assert_array_equal(result.as_numpy(name), array, strict=True)


def test_a_version_is_asked_by_its_number(client, masked_path):
    inputs = [given("words", WORDS), given("shapes", SHAPES)]
    result = client.infer("tagger", inputs, model_version="1")
    assert result.get_response()["model_version"] == "1"
    np.testing.assert_array_equal(result.as_numpy("tags"), tagged(masked_path)["tags"])


@pytest.mark.parametrize("binary", [False, True])
def test_every_type_comes_back(client, binary):
    values = {name: extremes(name) for name in DATATYPES}
    inputs = [given(f"{name}_in", array, binary) for name, array in values.items()]
    result = client.infer("types", inputs, outputs=asked(*(f"{name}_out" for name in values), binary=binary))
    for name, array in values.items():
        np.testing.assert_array_equal(result.as_numpy(f"{name}_out"), array, strict=True)


@pytest.mark.parametrize("binary", [False, True])
def test_strings_go_and_come(client, binary):
    result = client.infer(
        "pos.text", [given("text", TEXTS, binary)], outputs=asked("tokens", "mood.labels", binary=binary)
    )
    tokens = result.as_numpy("tokens")
    if binary:  # where the client leaves bytes as they are
        tokens = np.array([token.decode() for token in tokens.ravel()], object).reshape(tokens.shape)
    assert tokens.tolist() == [["The", "dog", "barks", "!"], ["naïve", "", "", ""]]
    assert result.as_numpy("mood.labels").shape == (2,)


def test_options_are_parameters_of_the_request(client):
    source = given("source", np.array([[4, 4, 5]], "int32"))
    result = client.infer("dates", [source], parameters={"max_length": 4, "alpha": 2.0})
    assert result.as_numpy("lengths").tolist() == [[3, 4, 4]]
    assert result.as_numpy("scores").tolist() == [[-9, -16, -16]]


def test_classes_are_asked_for_by_their_number(client):
    result = client.infer("pos.text", [given("text", TEXTS)], outputs=asked("mood", class_count=2))
    assert result.as_numpy("mood").shape == (2, 2)
    assert result.as_numpy("mood")[0, 0].decode().count(":") == 2


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_requests_may_be_packed(client, unmasked_path, algorithm):
    inputs = [given("words", WORDS), given("shapes", SHAPES)]
    result = client.infer("tagger", inputs, request_compression_algorithm=algorithm)
    np.testing.assert_array_equal(result.as_numpy("tags"), tagged(unmasked_path)["tags"])


def test_requests_under_way_together_get_each_its_own(client, unmasked_path):
    rng = np.random.default_rng(2)
    rows = [rng.integers(1, 23, (1, int(n))).astype("int32") for n in rng.integers(1, 30, 60)]
    waiting = [
        client.async_infer("tagger", [given("words", row), given("shapes", np.ones((*row.shape, 3), "float32"))])
        for row in rows
    ]
    with Predictor(unmasked_path) as predictor:
        for row, answer in zip(rows, waiting, strict=True):
            expected = predictor.predict({"words": row, "shapes": np.ones((*row.shape, 3), "float32")})
            np.testing.assert_allclose(answer.get_result().as_numpy("tags"), expected["tags"], atol=1e-6)


def test_errors_carry_status_and_message(client):
    with pytest.raises(InferenceServerException, match=r"There is no model 'nobody'. There are: 'dates'") as error:
        client.infer("nobody", [given("words", WORDS)])
    assert error.value.status() == "404"
    with pytest.raises(InferenceServerException, match="ids run from 0 to 22, and the one at") as error:
        client.infer("tagger", [given("words", WORDS + 100), given("shapes", SHAPES)])
    assert error.value.status() == "400"
    with pytest.raises(InferenceServerException, match=r"'sequence_id' is not for this server.*WebSocket"):
        client.infer("tagger", [given("words", WORDS)], sequence_id=7, sequence_start=True)


def test_shared_memory_is_refused(client):
    tensor = triton.InferInput("words", [2, 3], "INT32")
    tensor.set_shared_memory("region", 24)
    with pytest.raises(InferenceServerException, match="Shared memory is not for this server: send binary data"):
        client.infer("tagger", [tensor])


def test_models_are_loaded_and_unloaded(tmp_path, masked_path):
    shutil.copytree(masked_path, tmp_path / "tagger")
    with live_server(folder=tmp_path) as live, triton.InferenceServerClient(live.host) as client:
        assert client.get_model_repository_index() == [
            {"name": "tagger", "version": "1", "state": "READY", "reason": ""}
        ]
        client.unload_model("tagger")
        assert not client.is_model_ready("tagger")
        assert client.get_model_repository_index()[0]["state"] == "UNAVAILABLE"
        with pytest.raises(InferenceServerException, match="Model 'tagger' is not loaded"):
            client.infer("tagger", [given("words", WORDS)])
        client.load_model("tagger")
        assert client.is_model_ready("tagger")
        with pytest.raises(InferenceServerException, match=r"There is no model 'nobody' to load. There are: 'tagger'"):
            client.load_model("nobody")
