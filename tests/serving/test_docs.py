"""The Python blocks of docs/runtime.md run, one after the other, on the toy bundles."""

import re
import shutil
from pathlib import Path

from tests.serving.toy_text import document, write_language_model, write_tagger

PAGE = Path(__file__).parents[2] / "docs" / "runtime.md"


def test_the_page_runs(masked_path, decoder_path, tmp_path, monkeypatch):
    shutil.copytree(masked_path, tmp_path / "out" / "tagger")
    shutil.copytree(decoder_path, tmp_path / "out" / "dates")
    write_tagger(tmp_path / "out" / "pos")
    decoding = {"strategy": "Sampling", "start_id": 1, "end_id": 2}
    options = {"max_length": 7, "temperature": 1.0, "seed": 0}
    write_language_model(tmp_path / "out" / "stories", decoding, options, document())
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 7
    names: dict = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    for name in ("predictor", "stream", "generator", "decoder", "tagger", "stories"):
        names[name].close()
