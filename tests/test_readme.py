"""Runs the README's Python blocks, in order, as one program."""

import re

import pytest

from tests.repository import ROOT

README = ROOT / "README.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)  # `[Float](repeating: 0)` is Swift


def test_python_blocks_run_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = README.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert blocks, "README.md has no ```python block."
    namespace = {"__name__": "__main__"}
    for block in blocks:
        # The empty lines before it give the traceback of a failure the line numbers of README.md.
        source = "\n" * text.count("\n", 0, block.start(1)) + block.group(1)
        exec(compile(source, str(README), "exec"), namespace)


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]
)
def test_links_lead_somewhere(document):
    path = ROOT / document
    targets = LINK.findall(CODE.sub("", path.read_text(encoding="utf-8")))
    assert [target for target in targets if not (path.parent / target).exists()] == []
