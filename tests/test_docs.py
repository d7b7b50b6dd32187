"""The Python blocks of the pages run, one after the other, as a reader would type them."""

import re
from typing import Any

import pytest

from tests.repository import ROOT


@pytest.fixture
def run_page(tmp_path, monkeypatch):
    """Runs a page in a folder of its own; gives the names that it leaves, and says how many blocks it has."""
    monkeypatch.chdir(tmp_path)

    def run(page: str, blocks: int) -> dict[str, Any]:
        path = ROOT / "docs" / page
        found = re.findall(r"^```python\n(.*?)^```$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        assert len(found) == blocks
        names: dict[str, Any] = {}
        for block in found:
            exec(compile(block, str(path), "exec"), names)
        return names

    return run


def test_the_page_on_decoding_runs(run_page, tmp_path):
    names = run_page("decoding.md", 7)
    assert names["answer"]["ids"][0].shape[0] == 2
    assert all(result.passed for result in names["report"].parity)
    assert (tmp_path / "out" / "reverse" / "generate.onnx").is_file()


def test_the_page_on_transformers_runs(run_page, tmp_path):
    names = run_page("transformer.md", 2)
    assert len(names["continued"]) == 2
    assert all(result.passed for result in names["report"].parity)
    assert (tmp_path / "out" / "lm" / "step.onnx").is_file()


def test_the_page_on_word_embeddings_runs(run_page, tmp_path):
    names = run_page("word_embeddings.md", 8)
    assert names["vectors"].analogy("man", "king", "woman")[0][0] == "queen"
    assert names["report"].direct_bias()[1] < 1e-6
    assert (tmp_path / "map.png").is_file()


def test_the_page_on_text_runs(run_page, tmp_path):
    names = run_page("text.md", 7)
    assert names["tokens"][0].tolist() == ["The", "CAT", "sat", "<end>"]
    assert (names["tags"] == names["same"]).all()
    assert (tmp_path / "tokenizer.json").is_file()
    assert names["spelling"](names["lines"]).shape == (3, 8, 5)
    assert names["answer"]["tokens"] == [["The", "dog", "barks", "."]]
    assert len(names["answer"]["tags.labels"][0]) == 4


def test_the_page_on_quantisation_runs(run_page, tmp_path):
    report = run_page("quantization.md", 1)["report"].quantization
    assert [score.metric for score in report.scores] == ["accuracy"]
    assert report.scores[0].before > 0.8
    assert {decision.form for decision in report.decisions["model"]} == {"int8", "float"}
    assert (tmp_path / "out" / "larger" / "model.int8.onnx").is_file()


def test_the_page_on_language_models_runs(run_page):
    names = run_page("language_models.md", 3)
    assert names["pear"] > 50 * names["pair"]
    assert names["written"].text == names["streamed"].strip()
