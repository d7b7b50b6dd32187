"""The examples of docs/serving.md, section "Streams", run: one against a live server, one in this process."""

import re
import shutil
from pathlib import Path

import numpy as np

from tests.serving.server.live_server import live_server

PAGE = Path(__file__).parents[3] / "docs" / "serving.md"


def examples(kind):
    section = re.search(r"^## Streams$(.*?)^## ", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)[1]
    return re.findall(rf"^```{kind}$(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def test_the_client_runs(masked_path, masked):
    (program,) = examples("py")
    names: dict = {}
    with live_server({"tagger": masked_path}) as live:
        exec(compile(program.replace("localhost:8000", live.host), str(PAGE), "exec"), names)
    assert (names["first"]["steps"], names["second"]["steps"]) == (2, 3)
    whole = masked.predict({"words": [[4, 8, 15]], "shapes": np.zeros((1, 3, 3))})
    np.testing.assert_allclose(names["second"]["outputs"]["sentence"], whole["sentence"][0], atol=1e-6)


def test_the_program_runs(masked_path, masked, tmp_path, monkeypatch):
    shutil.copytree(masked_path, tmp_path / "out" / "tagger")
    monkeypatch.chdir(tmp_path)
    (program,) = examples("python")
    names: dict = {}
    exec(compile(program, str(PAGE), "exec"), names)
    whole = masked.predict({"words": [[word] * 3 for word in range(1, 20)], "shapes": [np.zeros((3, 3))] * 19})
    np.testing.assert_allclose(np.concatenate(names["sentences"]), whole["sentence"], atol=1e-6)
