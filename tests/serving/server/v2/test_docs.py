"""The examples of docs/serving.md, section "The protocol", run against a live server."""

import json
import re
from pathlib import Path

import requests

from tests.serving.server.live_server import live_server

PAGE = Path(__file__).parents[4] / "docs" / "serving.md"


def test_the_examples_run(model_folder):
    section = re.search(r"^## The protocol$(.*?)^## ", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)[1]
    with live_server(folder=model_folder, num_threads=1) as live:
        asked = re.findall(r"^curl localhost:8000(\S+) --json '(.*?)'$", section, re.DOTALL | re.MULTILINE)
        assert len(asked) == 2
        for path, body in asked:
            response = requests.post(live.url + path, json=json.loads(body), timeout=30)
            assert response.status_code == 200, response.text
        (program,) = re.findall(r"^```py$(.*?)^```$", section, re.DOTALL | re.MULTILINE)
        names: dict = {}
        exec(compile(program.replace("localhost:8000", live.host), str(PAGE), "exec"), names)
        names["client"].close()
        assert names["tags"].shape == (2, 3, 11)


def test_every_address_of_the_table_is_in_the_document(ask):
    text = PAGE.read_text(encoding="utf-8").partition("## The protocol")[2].partition("\n## ")[0]
    paths = set(ask("GET", "/openapi.json").json()["paths"])
    rows = re.findall(r"^\| `(?:GET|POST) (\S+)`(?:, `(\S+)`)?", text, re.MULTILINE)
    named = {rows[0][0], rows[0][1], *(first for first, _ in rows[1:])}
    named |= {f"{first.rpartition('/')[0]}{second}" for first, second in rows[1:] if second}
    spelt = {
        path.replace("{model}", "{model_name}").replace("[/versions/{version}]", version)
        for path in named
        for version in ("", "/versions/{model_version}")
    }
    assert spelt == {path for path in paths if path.startswith("/v2")}
