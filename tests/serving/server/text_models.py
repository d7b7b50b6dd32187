"""A model folder with a toy of every kind that takes texts."""

import json
from pathlib import Path

from tests.serving.server.toy_pair import write_pair
from tests.serving.server.toy_translator import write_translator
from tests.serving.toy_text import document, write_language_model, write_tagger

DECODING = {"strategy": "Sampling", "start_id": 1, "end_id": 2}
OPTIONS = {"max_length": 7, "temperature": 0.8, "seed": 3}
ENDLESS = 200_000
EXAMPLES = ["the dog", "it rains"]


def write_text_models(root: Path) -> Path:
    """Writes `tagger` (tags and moods, in two versions), `pair`, `story`, `endless` (a text that goes on for long),
    `letters` (translates, with attention), `plain` (without).
    """
    for version in ("1", "2"):
        write_tagger(root / "tagger" / version)
    write_pair(root / "pair")
    write_language_model(root / "story", DECODING, OPTIONS, document())
    write_language_model(root / "endless", {**DECODING, "min_length": ENDLESS}, {"max_length": ENDLESS}, document())
    manifest = root / "endless" / "bundle.json"
    value = json.loads(manifest.read_text(encoding="utf-8"))
    del value["graphs"]["step"]["limits"]
    manifest.write_text(json.dumps(value), encoding="utf-8")
    write_translator(root / "letters", metadata={"examples": EXAMPLES})
    write_translator(root / "plain", attends=False)
    return root
