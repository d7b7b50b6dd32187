"""Every route as the OpenAPI document describes it, asked by Schemathesis."""

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.serving.server.live_server import live_server
from tests.serving.server.toy_translator import write_translator
from tests.serving.server.v2.messages import tensor
from tests.serving.toy_text import document, write_language_model, write_tagger

# The same requests in every run, and as many as take a few seconds.
BOUNDED = settings(
    max_examples=7,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
CHECKS = (content_type_conformance, response_schema_conformance, status_code_conformance)
MODELS = ["tagger", "pos", "pos.text", "stories", "stories.generate_text", "letters"]

WORDS = [tensor("text", "BYTES", ["it rains"])]
# End of a path to a model and a body that it answers: by chance alone nobody would name its inputs.
GOOD = {
    "/infer": ("pos.text", {"inputs": WORDS}),
    "/load": ("spare", {}),
    "/unload": ("spare", {}),
    "/tag": ("pos", {"text": "it rains"}),
    "/classify": ("pos", {"texts": ["it rains", "the dog"]}),
    "/generate": ("stories", {"text": "the dog"}),
    "/translate": ("letters", {"text": "abba"}),
    "/{model_version}": ("pos", None),
    "/ready": ("pos", None),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory, masked_path):
    """A server with models of each kind."""
    folder = tmp_path_factory.mktemp("bundles")
    decoding = {"strategy": "Sampling", "start_id": 1, "end_id": 2}
    options = {"max_length": 7, "temperature": 1.0, "seed": 0}
    bundles = {
        "tagger": masked_path,
        "spare": masked_path,
        "pos": write_tagger(folder / "pos"),
        "letters": write_translator(folder / "letters"),
        "stories": write_language_model(folder / "stories", decoding, options, document()),
    }
    with live_server(bundles, num_threads=1) as live:
        yield live


def make_good(case, path: str):
    """Puts a model and a body that it answers into a request."""
    for end, (model, body) in GOOD.items():
        if path.endswith(end):
            for name, value in (("model_name", model), ("model", model), ("model_version", "1")):
                if name in case.path_parameters:
                    case.path_parameters[name] = value
            if body is not None:
                case.body, case.media_type, case.headers, case.query = body, "application/json", {}, {}


def statuses_of(operation, session) -> set[int]:
    """Asks a route well, with whatever its document allows, and with what it does not; the statuses of its answers."""
    statuses = set()

    def check(case):
        response = case.call(session=session)
        statuses.add(response.status_code)
        assert response.status_code < 500 or response.status_code in (503, 504), response.text
        case.validate_response(response, checks=CHECKS)

    @BOUNDED
    @given(case=operation.as_strategy(), model=st.sampled_from([*MODELS, None]))
    def ask(case, model):
        for name in {"model_name", "model"} & case.path_parameters.keys():
            if model and not operation.path.endswith("/unload"):
                case.path_parameters[name] = model
        check(case)

    @settings(BOUNDED, max_examples=2)
    @given(case=operation.as_strategy())
    def ask_well(case):
        make_good(case, operation.path)
        check(case)

    ask_well()
    ask()
    if operation.body or operation.query:
        BOUNDED(given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))(check))()
    return statuses


def test_every_route_answers_as_its_document_says(server):
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [operation.ok() for operation in schema.get_all_operations()]
    with requests.Session() as session:
        found = {operation.label: statuses_of(operation, session) for operation in operations}
    assert {label: statuses for label, statuses in found.items() if 200 not in statuses} == {}
    assert {"POST /v2/models/{model_name}/infer", "GET /v2/health/live", "POST /v1/{model}/tag", "GET /metrics"} <= set(
        found
    )
