"""The toy decoder with tokenizers: it takes sources of letters, and what it finds are words."""

import json
from pathlib import Path

from keras_seq.serving import FileSpec
from tests.serving.toy_decoder import VOCABULARY, write_decoder
from tests.serving.toy_text import SPECIAL, document

LETTERS = [*SPECIAL, *"abcdefghijklmnopqrs"]
WORDS = [*SPECIAL, *(f"w{i}" for i in range(4, VOCABULARY))]


def write_translator(folder: Path, *, attends: bool = True, metadata: dict | None = None) -> Path:
    """Writes the bundle; with an alignment or without."""
    write_decoder(folder, attends=attends)
    (folder / "tokenizers").mkdir()
    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    tokenizers = {"source": document("char", vocabulary=LETTERS), "target": document("word", vocabulary=WORDS)}
    for name, content in tokenizers.items():
        file = f"tokenizers/{name}.json"
        (folder / file).write_text(json.dumps(content), encoding="utf-8")
        manifest["files"][file] = FileSpec.of(folder / file).to_dict()
    manifest["tokenizers"] = {name: {"file": f"tokenizers/{name}.json"} for name in tokenizers}
    manifest["metadata"] = metadata or {}
    (folder / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder
