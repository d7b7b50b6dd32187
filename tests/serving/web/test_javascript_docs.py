"""The JavaScript blocks of docs/javascript.md run, one after the other, on the toy bundles."""

import re
import shutil

from tests.repository import ROOT
from tests.serving.toy_text import document, write_language_model, write_tagger
from tests.serving.web.node import WEB, node, run_program

PAGE = ROOT / "docs" / "javascript.md"
PRINTED = [
    "[ [ 'The', 'dog', 'barks', '!' ], [ 'it', 'rains' ] ]",
    "[ 2, 5 ]",
    "3 [ 1, 3, 11 ]",
    "the dog [ 4, 5, 2 ] -1.5 true",
    "[ [ 4, 5, 6, 9 ] ] [ [ 'The', 'dog', 'barks', '!' ] ] the dog barks !",
]


def test_the_page_runs(masked_path, tmp_path):
    node()
    shutil.copytree(masked_path, tmp_path / "out" / "tagger")
    write_tagger(tmp_path / "out" / "pos")
    options = {"max_length": 7, "temperature": 1.0, "seed": 0}
    decoding = {"strategy": "Sampling", "start_id": 1, "end_id": 2}
    write_language_model(tmp_path / "out" / "stories", decoding, options, document())
    blocks = re.findall(r"^```js\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "keras-seq").symlink_to(WEB, target_is_directory=True)
    (tmp_path / "page.mjs").write_text("\n".join(blocks), encoding="utf-8")
    done = run_program("--liftoff-only", "page.mjs", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = " ".join(done.stdout.split())
    assert [text for text in PRINTED if text not in lines] == []
