"""The new code of docs/migration_tfa.md runs, and its model has learnt what the page says."""

import re

import numpy as np

import keras_seq
from tests.repository import ROOT

PAGE = ROOT / "docs" / "migration_tfa.md"


def test_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    names: dict = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    ids = np.array(names["hypotheses"].ids)
    assert ids.shape[:2] == (3, 4)
    np.testing.assert_array_equal(ids[:, 0, :6], names["target"][:3])
    assert names["outputs"].shape == (None, None, 32)


def test_every_name_on_the_page_exists():
    text = PAGE.read_text(encoding="utf-8").replace("```py\n", "```python\n")
    here = re.sub(r"^```python\n.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    rows = [row.split("|")[2] for row in here.splitlines() if row.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"\b([A-Z][A-Za-z0-9]+|load_\w+)[(.`]", row)}
    assert named > {"AttentionDecoder", "BeamSearch", "SequenceCrossentropy", "load_tfa_peephole_weights"}
    assert {name for name in named - {"True", "False"} if not hasattr(keras_seq, name)} == set()
