"""Inference over HTTP, against the predictor on the same bundle."""

import asyncio
import gzip
import json
import zlib

import httpx
import numpy as np
import pytest

from keras_seq.serving import Generator, Predictor
from keras_seq.serving.server import ModelRepository, ServerSettings, create_app
from tests.serving.server.v2.messages import binary_request, read_answer, strings, tensor
from tests.serving.server.v2.toy_types import DATATYPES, extremes
from tests.serving.toy_decoder import decode
from tests.serving.toy_text import write_spelling_tagger

WORDS = np.array([[4, 8, 15, 16, 3], [5, 7, 0, 0, 0]], "int32")
SHAPES = np.random.default_rng(1).normal(size=(2, 5, 3)).astype("float32")
INPUTS = [tensor("words", "INT32", WORDS), tensor("shapes", "FP32", SHAPES)]
TEXTS = ["The dog barks!", "it", "naïve rains"]


def by_predictor(path):
    with Predictor(path) as predictor:
        return predictor.predict({"words": WORDS, "shapes": SHAPES})


def assert_same(outputs, expected):
    assert list(outputs) == list(expected)
    for name, array in outputs.items():
        np.testing.assert_array_equal(array, expected[name], strict=True)


@pytest.mark.parametrize("binary", [False, True])
def test_an_answer_is_that_of_the_predictor_to_the_last_bit(infer, unmasked_path, binary):
    response = infer("tagger", {"inputs": INPUTS, "parameters": {"binary_data_output": binary}})
    assert response.status_code == 200
    kind = "application/octet-stream" if binary else "application/json"
    assert response.headers["content-type"] == kind
    assert_same(read_answer(response), by_predictor(unmasked_path))


def test_versions_answer_each_for_itself_and_the_highest_where_none_is_named(infer, masked_path, unmasked_path):
    for version, path in (("1", masked_path), ("2", unmasked_path)):
        response = infer("tagger", {"inputs": INPUTS}, version=version)
        assert response.json()["model_version"] == version
        assert_same(read_answer(response), by_predictor(path))
    assert infer("tagger", {"inputs": INPUTS}).json()["model_version"] == "2"


def test_binary_inputs_stand_behind_json_of_any_length(infer, unmasked_path):
    for length in range(8):  # so that numbers begin at any place in memory
        body, headers = binary_request(
            [("words", "INT32", [2, 5], WORDS.tobytes()), ("shapes", "FP32", [2, 5, 3], SHAPES.tobytes())],
            id="x" * length,
        )
        response = infer("tagger", body=body, headers=headers)
        assert response.json()["id"] == "x" * length
        assert_same(read_answer(response), by_predictor(unmasked_path))


def test_binary_and_json_inputs_may_stand_side_by_side(infer, unmasked_path):
    head = {"inputs": [{**INPUTS[0]}, {**INPUTS[1], "parameters": {"binary_data_size": SHAPES.nbytes}}]}
    del head["inputs"][1]["data"]
    text = json.dumps(head).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    response = infer("tagger", body=text + SHAPES.tobytes(), headers=headers)
    assert_same(read_answer(response), by_predictor(unmasked_path))


def test_nested_data_is_taken_as_flat_data_is(infer, unmasked_path):
    nested = [{**INPUTS[0], "data": WORDS.tolist()}, {**INPUTS[1], "data": SHAPES.tolist()}]
    assert_same(read_answer(infer("tagger", {"inputs": nested})), by_predictor(unmasked_path))


@pytest.mark.parametrize("binary", [False, True])
def test_every_type_comes_back_as_it_went(infer, binary):
    values = {name: extremes(name) for name in DATATYPES}
    outputs = [{"name": f"{name}_out", "parameters": {"binary_data": binary}} for name in DATATYPES]
    if binary:
        inputs = [(f"{name}_in", DATATYPES[name], [2, 3], array.tobytes()) for name, array in values.items()]
        body, headers = binary_request(inputs, outputs=outputs)
        response = infer("types", body=body, headers=headers)
    else:
        inputs = [tensor(f"{name}_in", DATATYPES[name], array) for name, array in values.items()]
        response = infer("types", {"inputs": inputs, "outputs": outputs})
    assert response.status_code == 200, response.text
    assert_same(read_answer(response), {f"{name}_out": array for name, array in values.items()})


def test_a_type_that_loses_nothing_is_taken_for_another(infer, unmasked_path):
    inputs = [tensor("words", "UINT8", WORDS), tensor("shapes", "FP64", SHAPES)]
    assert_same(read_answer(infer("tagger", {"inputs": inputs})), by_predictor(unmasked_path))


def ask_for_logarithm(infer, value, **output):
    values = {name: np.ones((1, 3), name) for name in DATATYPES}
    values["float32"][0, 1] = value
    inputs = [tensor(f"{name}_in", DATATYPES[name], array) for name, array in values.items()]
    return infer("types", {"inputs": inputs, "outputs": [{"name": "log", **output}]})


@pytest.mark.parametrize(("value", "result"), [(0, -np.inf), (-1, np.nan)])
def test_what_json_cannot_say_is_refused_and_goes_as_binary_data(infer, value, result):
    refused = ask_for_logarithm(infer, value)
    assert refused.status_code == 400
    assert "Output 'log' holds NaN or infinity, which JSON cannot say. Ask for it as binary" in refused.json()["error"]
    taken = ask_for_logarithm(infer, value, parameters={"binary_data": True})
    np.testing.assert_array_equal(read_answer(taken)["log"], np.array([[0, result, 0]], "float32"))


def test_outputs_come_in_the_order_and_form_in_which_they_are_asked_for(infer, unmasked_path):
    wanted = [{"name": "sentence", "parameters": {"binary_data": False}}, {"name": "tags"}]
    response = infer("tagger", {"inputs": INPUTS, "outputs": wanted, "parameters": {"binary_data_output": True}})
    size = int(response.headers["Inference-Header-Content-Length"])
    head = json.loads(response.content[:size])
    assert ["data" in output for output in head["outputs"]] == [True, False]
    expected = by_predictor(unmasked_path)
    assert_same(read_answer(response), {name: expected[name] for name in ("sentence", "tags")})
    assert list(read_answer(infer("tagger", {"inputs": INPUTS, "outputs": [{"name": "tags"}]}))) == ["tags"]


def test_an_id_comes_back_and_none_is_made_up(infer):
    body = json.dumps({"inputs": INPUTS, "id": "naïve \ud800 1"}).encode()
    assert infer("tagger", body=body).json()["id"] == "naïve \ud800 1"
    assert "id" not in infer("tagger", {"inputs": INPUTS}).json()


def test_parameters_are_options_of_the_graph(infer):
    source = np.array([4, 4, 5], "int32")
    request = {"inputs": [tensor("source", "INT32", source[None])], "parameters": {"max_length": 4, "alpha": 1}}
    outputs = read_answer(infer("dates", request))
    for name, array in decode(source, 4, 1.0).items():
        np.testing.assert_allclose(outputs[name][0], array, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alhpa": 1}, "a parameter 'alhpa' that the model does not have. Its options: 'max_length', 'alpha'; for"),
        ({"alpha": "much"}, "Option 'alpha' must be a single float32 value. Received: 'much'."),
        ({"max_length": 99}, "Option 'max_length' must be from 1 to 17. Received: 99."),
        ({"sequence_id": 7}, "'sequence_id' is not for this server. Requests know nothing of one another here: open"),
        ({"priority": 1}, "'priority' is not for this server. Requests of one kind are answered in the order"),
        ({"timeout": -1}, "`parameters.timeout` must be a whole number of microseconds. Received: -1."),
    ],
)
def test_wrong_parameters_are_refused(infer, parameters, message):
    response = infer("dates", {"inputs": [tensor("source", "INT32", [[4]])], "parameters": parameters})
    assert response.status_code == 400
    assert message in response.json()["error"]


def test_texts_give_numbers_filled_up_tokens_and_labels(infer, model_folder):
    with Predictor(model_folder / "pos") as predictor:
        expected = predictor.predict_text(TEXTS)
    outputs = read_answer(infer("pos.text", {"inputs": [tensor("text", "BYTES", TEXTS)]}))
    assert list(outputs) == ["tags", "mood", "tokens", "tags.labels", "mood.labels"]
    np.testing.assert_array_equal(outputs["mood"], expected["mood"], strict=True)
    assert outputs["mood.labels"].tolist() == expected["mood.labels"]
    assert outputs["tokens"].shape == outputs["tags.labels"].shape == outputs["tags"].shape[:2] == (3, 4)
    for i, row in enumerate(expected["tags"]):
        np.testing.assert_array_equal(outputs["tags"][i, : len(row)], row, strict=True)
        assert not outputs["tags"][i, len(row) :].any()
        for name in ("tokens", "tags.labels"):
            assert outputs[name][i].tolist() == expected[name][i] + [""] * (4 - len(row))


@pytest.mark.parametrize("change", [{}, {"characters": {"punctuation": "keep"}, "punctuation": "remove"}])
def test_one_text_goes_into_every_input_that_shares_its_steps(tmp_path, change):
    path = write_spelling_tagger(tmp_path / "spelling", **change)  # with the change, tokens of the inputs differ
    with Predictor(path) as predictor:
        expected = predictor.predict_text(["it", "the dog!"])

    async def main():
        repository = ModelRepository({"spelling": path}, settings=ServerSettings(num_threads=1))
        await repository.load_all()
        transport = httpx.ASGITransport(create_app(repository))
        request = {"inputs": [tensor("text", "BYTES", ["it", "the dog!"])]}
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            response = await client.post("/v2/models/spelling.text/infer", json=request)
        await repository.close()
        return read_answer(response)

    outputs = asyncio.run(main())
    for i, row in enumerate(expected["tags"]):
        np.testing.assert_array_equal(outputs["tags"][i, : len(row)], row, strict=True)
    tokens = expected.get("tokens", expected.get("characters.tokens"))
    assert [[token for token in row if token] for row in outputs["tokens"].tolist()] == tokens


def test_texts_go_as_binary_data_both_ways(infer):
    by_json = read_answer(infer("pos.text", {"inputs": [tensor("text", "BYTES", TEXTS)]}))
    data = strings([text.encode() for text in TEXTS])
    body, headers = binary_request([("text", "BYTES", [3], data)], parameters={"binary_data_output": True})
    assert_same(read_answer(infer("pos.text", body=body, headers=headers)), by_json)


def test_a_text_without_tokens_has_an_empty_row(infer):
    outputs = read_answer(infer("pos.text", {"inputs": [tensor("text", "BYTES", ["", " "])]}))
    assert outputs["tokens"].shape == (2, 0)
    assert outputs["tags"].shape == (2, 0, 5)
    assert outputs["mood.labels"].shape == (2,)


def test_prompts_give_texts_with_scores(infer, model_folder):
    request = {"inputs": [tensor("text", "BYTES", ["the dog", "it"])], "parameters": {"seed": 7}}
    outputs = read_answer(infer("stories.generate_text", request))
    with Generator(model_folder / "stories") as generator:
        expected = generator.generate_text(["the dog", "it"], seed=7)
    assert outputs["text"].tolist() == [[one.text for one in row] for row in expected] == [["the dog"]] * 2
    assert outputs["ids"].tolist() == [[one.ids.tolist() for one in row] for row in expected]
    assert outputs["lengths"].tolist() == [[3], [3]]
    assert outputs["scores"].tolist() == [[-1.5], [-1.5]]
    assert outputs["finished"].tolist() == [[True], [True]]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([tensor("words", "BYTES", ["it"])], "(unknown: 'words'; missing: 'text'). Valid names: 'text'."),
        ([tensor("text", "INT32", [4])], "Input 'text' must be BYTES of one axis, a text a row. Received: INT32 of"),
        ([tensor("text", "BYTES", [["it"]])], "Input 'text' must be BYTES of one axis, a text a row. Received: BYTES"),
    ],
)
def test_inputs_that_are_no_texts_are_refused(infer, inputs, message):
    response = infer("pos.text", {"inputs": inputs})
    assert response.status_code == 400
    assert message in response.json()["error"]


def test_the_best_classes_come_in_place_of_an_output(infer, model_folder):
    with Predictor(model_folder / "pos") as predictor:
        mood, labels = predictor.predict_text(TEXTS)["mood"], predictor.labels["mood"]
    asked = {"name": "mood", "parameters": {"classification": 2}}
    outputs = read_answer(infer("pos.text", {"inputs": [tensor("text", "BYTES", TEXTS)], "outputs": [asked]}))
    best = [sorted(range(3), key=lambda c, row=row: -row[c])[:2] for row in mood]
    assert outputs["mood"].tolist() == [[f"{mood[i, c]:f}:{c}:{labels[c]}" for c in row] for i, row in enumerate(best)]


def test_classes_of_each_step_end_with_the_text(infer):
    asked = {"name": "tags", "parameters": {"classification": 1}}
    request = {"inputs": [tensor("text", "BYTES", TEXTS)], "outputs": [asked, {"name": "tags.labels"}]}
    outputs = read_answer(infer("pos.text", request))
    assert outputs["tags"].shape == (3, 4, 1)
    spelt = [[text.rpartition(":")[2] for text in row] for row in outputs["tags"][..., 0]]
    assert spelt == outputs["tags.labels"].tolist()


def test_classes_are_of_numbers_alone(infer):
    for name in ("tokens", "mood.labels"):
        asked = {"name": name, "parameters": {"classification": 1}}
        response = infer("pos.text", {"inputs": [tensor("text", "BYTES", TEXTS)], "outputs": [asked]})
        assert response.status_code == 400
        assert f"Output '{name}' has no classes" in response.json()["error"]


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_packed_bodies_are_unpacked(infer, unmasked_path, encoding, pack):
    body = json.dumps({"inputs": INPUTS}).encode()
    response = infer("tagger", body=pack(body), headers={"Content-Encoding": encoding})
    assert_same(read_answer(response), by_predictor(unmasked_path))


def test_packed_binary_data_counts_as_unpacked(infer, unmasked_path):
    body, headers = binary_request(
        [("words", "INT32", [2, 5], WORDS.tobytes()), ("shapes", "FP32", [2, 5, 3], SHAPES.tobytes())]
    )
    response = infer("tagger", body=gzip.compress(body), headers={**headers, "Content-Encoding": "gzip"})
    assert_same(read_answer(response), by_predictor(unmasked_path))


def test_the_predictor_checks_what_the_protocol_does_not(infer):
    wrong = [tensor("words", "INT32", WORDS + 100), INPUTS[1]]
    response = infer("tagger", {"inputs": wrong})
    assert response.status_code == 400
    assert "ids run from 0 to 22, and the one at (0, 0) is 104" in response.json()["error"]


def test_a_deadline_that_is_over_at_once_is_504(infer):
    for _ in range(20):  # the answer may be there sooner
        response = infer("tagger", {"inputs": INPUTS, "parameters": {"timeout": 1}})
        if response.status_code == 504:
            break
    assert response.status_code == 504
    assert response.json()["code"] == "deadline_exceeded"


def test_more_rows_than_the_server_takes_are_refused(infer):
    rows = [tensor("words", "INT32", np.ones((31, 1), int)), tensor("shapes", "FP32", np.ones((31, 1, 3)))]
    response = infer("tagger", {"inputs": rows})
    assert response.status_code == 400
    assert "A request may have 29 rows at most. Received: 31." in response.json()["error"]
