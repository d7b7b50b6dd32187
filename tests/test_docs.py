"""The Python blocks of the pages about decoding run, one after the other, as a reader would type them."""

import re

import pytest

from tests.repository import ROOT


@pytest.mark.parametrize(("page", "blocks"), [("decoding.md", 7)])
def test_the_page_runs(page, blocks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = ROOT / "docs" / page
    found = re.findall(r"^```python\n(.*?)^```$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(found) == blocks
    names: dict = {}
    for block in found:
        exec(compile(block, str(path), "exec"), names)
    assert names["answer"]["ids"][0].shape[0] == 2
    assert all(result.passed for result in names["report"].parity)
    assert (tmp_path / "out" / "reverse" / "generate.onnx").is_file()
