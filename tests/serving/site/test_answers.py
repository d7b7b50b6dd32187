"""What the page's worker answers is what the server answers: ids and words equal, numbers to 1e-4."""

import json

import httpx
import numpy as np
import pytest

pytest.importorskip("playwright", reason="THE SITE IS NOT TESTED: install playwright, which the extra dev has.")

from keras_seq.serving.server.text_answers import probabilities
from tests.serving.server.chromium import chromium
from tests.serving.server.live_server import live_server
from tests.serving.server.text_models import write_text_models
from tests.serving.site.site_visit import SiteVisit, served, write_or_skip
from tests.serving.site.test_site_model import add_variants
from tests.serving.site.toy_attention import write_attention_tagger
from tests.serving.toy_text import write_spelling_tagger

TEXTS = ["The dog barks!", "", "It RAINS", "Zebra naïve \U0001f600 x\u0301", "the\n\n\tdog\u3000it", "dog " * 40]
TOLERANCE = 1e-4  # of float32
CASES = {
    "tagger": [
        {"task": task, "body": body}
        for task in ("tag", "classify")
        for body in ({"text": TEXTS[0]}, {"texts": TEXTS}, {"text": ""})
    ],
    "pair": [{"task": "tag", "body": {"texts": TEXTS}}],
    "spelling": [{"task": "tag", "body": {"texts": TEXTS[:4]}}],
    "attention": [{"task": task, "body": {"texts": TEXTS[1:]}} for task in ("tag", "classify")],
    "letters": [
        {"task": "translate", "body": body}
        for body in (
            {"text": "abcd"},
            {"texts": ["a", "abcdefg", "sss"], "options": {"max_length": 3, "alpha": 1.5}},
            {"text": "a" * 14},
            {"text": "a", "options": {"max_length": 18}},
        )
    ],
    "plain": [{"task": "generate", "body": {"texts": ["abc", "d"]}}],
    "story": [
        {"task": "generate", "body": body}
        for body in (
            {"text": "the dog"},
            {"text": "the dog", "stream": True},
            {"text": "", "stream": True, "options": {"seed": 97, "temperature": 1.7}},
            {"text": "the", "stream": True, "options": {"max_length": 1}},
            {"text": "zebra", "stream": True},
        )
    ],
}


@pytest.fixture(scope="module")
def browser():
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def folder(tmp_path_factory, browser):  # the browser first: without one there is nothing to compare
    folder = write_text_models(tmp_path_factory.mktemp("models"))
    write_spelling_tagger(folder / "spelling")
    write_attention_tagger(folder / "attention")
    add_variants(folder / "tagger" / "2", ["int8"])
    return folder


@pytest.fixture(scope="module")
def expected(folder):
    """What the server answers: `expected(model, task, body)`."""

    def ask(model, task, body):
        answer = httpx.post(f"{server.url}/v1/{model}/{task}", json=body)
        if not body.get("stream") or answer.status_code != 200:
            return answer.json()
        blocks = (block.split("\n") for block in answer.text.split("\n\n")[:-1])
        named = [dict(line.split(": ", 1) for line in lines) for lines in blocks]
        return [{"name": block["event"], "data": json.loads(block["data"])} for block in named]

    with live_server(folder=folder, num_threads=1) as server:
        yield ask


@pytest.fixture(scope="module")
def visit(folder, browser, tmp_path_factory):
    bundles = {name: folder / name / "2" if name == "tagger" else folder / name for name in CASES}
    site = write_or_skip(bundles, tmp_path_factory.mktemp("site") / "site")
    with served(site) as url:
        visitor = SiteVisit(browser, url)
        visitor.open().locator("#device[aria-busy=false]").wait_for()
        yield visitor
        visitor.close()


def same(found, wanted, where=""):
    """Compares JSON: numbers to a tolerance, everything else exactly; times and versions aside."""
    if isinstance(wanted, dict):
        assert set(found) == set(wanted), where
        for key in set(wanted) - {"seconds", "version"}:
            same(found[key], wanted[key], f"{where}.{key}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), where
        for i, (one, other) in enumerate(zip(found, wanted, strict=True)):
            same(one, other, f"{where}[{i}]")
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=TOLERANCE, abs=TOLERANCE), where
    else:
        assert found == wanted, where


@pytest.mark.parametrize("model", CASES)
def test_the_worker_answers_what_the_server_answers(visit, expected, model):
    refused = 0
    for request, found in zip(CASES[model], visit.answers(model, CASES[model]), strict=True):
        wanted = expected(model, request["task"], request["body"])
        if "error" in wanted:
            assert found["error"].split(". ")[0] == wanted["error"].split(". ")[0]
            assert found["code"] == "InputError"
            refused += 1
        else:
            same(found, wanted, f"{model} {request}")
    assert refused == {"letters": 2, "story": 1}.get(model, 0)


def test_a_variant_is_another_file_and_threads_change_nothing(visit, expected):
    requests = CASES["tagger"][:2]
    for choice in ({"variant": "int8"}, {"backend": "wasm-n"}):
        before = len(visit.asked)
        for request, found in zip(requests, visit.answers("tagger", requests, **choice), strict=True):
            same(found, expected("tagger", request["task"], request["body"]))
        files = [url.rpartition("/")[2] for url in visit.asked[before:] if url.endswith(".onnx")]
        assert files == ["model.int8.onnx" if "variant" in choice else "model.onnx"]


@pytest.mark.parametrize(
    ("scores", "classes"),
    [
        (np.random.default_rng(3).normal(size=(5, 7)).astype("float32") * 30, 7),
        (np.random.default_rng(4).dirichlet(np.ones(7), 5).astype("float32"), 7),
        (np.array([[0.25], [0.875], [0.0], [1.0]], "float32"), 2),
        (np.array([[0.25], [1.5]], "float32"), 2),
        (np.array([[0.5, 0.496], [0.25, 0.75]], "float32"), 2),
        (np.array([[0.5, 0.494], [0.25, 0.75]], "float32"), 2),
        (np.array([[3, 1, 2]], "int32"), 7),
    ],
    ids=["logits", "probabilities", "single", "single-logit", "nearly", "not-quite", "indices"],
)
def test_probabilities_are_those_of_the_server(visit, scores, classes):
    found = visit.page.evaluate(
        """async ({ values, dims, dtype, classes }) => {
          const { probabilities } = await import("./page/answers.js");
          const data = dtype === "float32" ? Float32Array.from(values) : Int32Array.from(values);
          return probabilities({ data, dims, dtype }, classes);
        }""",
        {"values": scores.ravel().tolist(), "dims": scores.shape, "dtype": str(scores.dtype), "classes": classes},
    )
    wanted = probabilities(scores, classes)
    if wanted is None:
        assert found is None
    else:
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)
