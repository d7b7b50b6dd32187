"""What a site's folder holds, and when there is none."""

import base64
import hashlib
import json
import re

import pytest

from keras_seq.serving import Bundle, BundleError, InputError, ServingError
from keras_seq.serving.site import write_site
from keras_seq.serving.site.runtime_files import WASM, WEBGPU
from tests.serving.server.toy_translator import write_translator
from tests.serving.site.test_runtime_files import write_package
from tests.serving.site.test_site_model import add_variants
from tests.serving.toy_decoder import write_decoder
from tests.serving.toy_text import write_tagger


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """An onnxruntime-web that weighs nothing."""
    return write_package(tmp_path_factory.mktemp("package") / "package", (*WASM, *WEBGPU))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    tagger = add_variants(write_tagger(folder / "tagger"), ["int8", "ort"])
    return {"tagger": tagger, "letters": write_translator(folder / "letters"), "dates": write_decoder(folder / "dates")}


@pytest.fixture(scope="module")
def written(bundles, package, tmp_path_factory):
    """A site with everything, what it weighs, and what was said while it was written."""
    path, said = tmp_path_factory.mktemp("sites") / "site", []
    report = write_site(bundles, path, onnxruntime_web=package, webgpu=True, say=said.append)
    return path, report, said


def files_of(path):
    return {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}


def kept_files(path):
    """What the service worker was told: path to digest and whether it is kept."""
    text = (path / "service_worker.js").read_text(encoding="utf-8")
    return json.loads(re.search(r"const FILES = (\{.*?\n\});", text, re.DOTALL)[1])


def test_nothing_of_a_bundle_is_there_that_the_page_does_not_need(written):
    path, _, said = written
    models = {file for file in files_of(path) if file.startswith("models/")}
    assert models == {
        *(
            f"models/tagger/{name}"
            for name in ("bundle.json", "model.onnx", "model.int8.onnx", "tokenizers/words.json")
        ),
        *(f"models/letters/{name}" for name in ("bundle.json", "generate.onnx")),
        *(f"models/letters/tokenizers/{name}.json" for name in ("source", "target")),
    }
    for name in ("tagger", "letters"):
        Bundle.load(path / "models" / name)
    assert said[-4:] == ["writing the page", "writing tagger", "writing letters", "measuring"]


def test_the_page_is_that_of_the_server_with_its_own_head(written):
    path, _, _ = written
    html = (path / "index.html").read_text(encoding="utf-8")
    assert html.index("page/before.js") < html.index("Content-Security-Policy") < html.index("page/page.js")
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son\w+=", html) == []
    for name in re.findall(r'(?:src|href)="([\w./]+\.\w+)"', html):
        assert (path / name).is_file()
    policy = dict(rule.strip().split(" ", 1) for rule in re.search(r'content="(default-src[^"]*)"', html)[1].split(";"))
    assert policy["default-src"] == "'none'"
    assert {word for rule in policy.values() for word in rule.split()} <= {"'none'", "'self'", "'wasm-unsafe-eval'"}


def test_no_program_names_another_place_and_each_imports_what_is_there(written):
    path, _, _ = written
    for file in [*path.glob("*.*"), *(path / "page").iterdir(), *(path / "keras_seq").rglob("*.js")]:
        text = file.read_text(encoding="utf-8")
        others = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {"http://www.w3.org/2000/svg"}
        assert others == set(), file
        for name in re.findall(r'^(?:import|export)\b.* from "(\.[^"]+)"', text, re.MULTILINE):
            assert (file.parent / name).is_file(), f"{file} imports {name}"


def test_the_page_is_told_what_there_is(written):
    path, report, _ = written
    told = json.loads((path / "site.json").read_text(encoding="utf-8"))
    assert [model["card"]["name"] for model in told["models"]] == ["tagger", "letters", "dates"]
    assert told["models"][0]["variants"] == ["float", "int8"]
    assert told["models"][2]["card"]["tasks"] == []
    for backend in told["backends"].values():
        assert (path / backend["module"]).is_file()
    assert told["backends"]["wasm"]["bytes"] == report.runtime.bytes
    assert told["onnxruntime_web"] == report.runtime_version


def test_the_service_worker_knows_every_file_and_keeps_what_a_visit_needs(written):
    path, _, _ = written
    files = kept_files(path)
    assert set(files) == files_of(path) - {"service_worker.js"}
    for name, entry in files.items():
        digest = hashlib.sha256((path / name).read_bytes()).digest()
        assert entry["integrity"] == f"sha256-{base64.b64encode(digest).decode()}"
    others = {name for name, entry in files.items() if not entry["kept"]}
    assert others == {"models/tagger/model.int8.onnx", *(f"onnxruntime/{name}" for name in WEBGPU)}


def test_sizes_are_those_of_the_files(written):
    path, report, _ = written
    files = files_of(path)
    size = sum((path / name).stat().st_size for name in files)
    parts = [report.page, report.client, report.runtime, report.webgpu, report.models["letters"]["float"]]
    both = {(path / f"models/tagger/{name}").stat().st_size for name in ("model.onnx", "model.int8.onnx")}
    [graph] = both  # they are copies
    assert size == sum(part.bytes for part in parts) + report.models["tagger"]["float"].bytes + graph
    assert report.models["dates"] == {}
    assert report.models["tagger"]["int8"] == report.models["tagger"]["float"]
    assert 0 < report.page.gzip_bytes < report.page.bytes
    assert report.first_visit.bytes == size - report.webgpu.bytes - graph


def test_a_site_is_written_whole_or_not_at_all(bundles, package, tmp_path):
    (bundles["letters"] / "bundle.json").rename(tmp_path / "away")
    try:
        with pytest.raises(BundleError, match=r"letters is not a bundle"):
            write_site(bundles, tmp_path / "site", onnxruntime_web=package)
    finally:
        (tmp_path / "away").rename(bundles["letters"] / "bundle.json")
    with pytest.raises(ServingError, match="does not hold onnxruntime-web"):
        write_site(bundles, tmp_path / "site", onnxruntime_web=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_site_is_replaced_when_asked_and_nothing_else_is(bundles, package, tmp_path):
    chosen = {"tagger": bundles["tagger"]}
    write_site(chosen, tmp_path / "site", onnxruntime_web=package)
    with pytest.raises(ServingError, match=r"site exists already\. Pass overwrite=True"):
        write_site(chosen, tmp_path / "site", onnxruntime_web=package)
    write_site(chosen, tmp_path / "site", variants=["int8"], overwrite=True, onnxruntime_web=package)
    assert not (tmp_path / "site/models/tagger/model.onnx").exists()
    with pytest.raises(ServingError, match=r"is not a site \(it has no site\.json\)"):
        write_site(chosen, bundles["tagger"], overwrite=True, onnxruntime_web=package)


def test_names_are_those_that_a_server_takes(bundles, package, tmp_path):
    with pytest.raises(InputError, match=r"made of letters, .*Received: '\.\./tagger'\. Give .*NAME="):
        write_site({"../tagger": bundles["tagger"]}, tmp_path / "site", onnxruntime_web=package)
    with pytest.raises(InputError, match="needs a bundle at least"):
        write_site({}, tmp_path / "site", onnxruntime_web=package)
