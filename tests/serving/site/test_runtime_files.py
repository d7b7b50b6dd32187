"""Where onnxruntime-web is taken from, and what is said where it is not to be had. No registry is asked here."""

import base64
import functools
import hashlib
import io
import json
import os
import tarfile

import pytest

from keras_seq.serving import ServingError
from keras_seq.serving.site import RuntimeFiles, runtime_files
from keras_seq.serving.site.runtime_files import WASM, WEBGPU

VERSION = "7.11.13"


def write_package(folder, names=WASM, version=VERSION):
    (folder / "dist").mkdir(parents=True)
    for name in names:
        (folder / "dist" / name).write_text(f"{name} of {version}")
    (folder / "package.json").write_text(json.dumps({"name": "onnxruntime-web", "version": version}))
    return folder


@functools.cache
def packed():
    """The package as npm packs it, with more in it than is wanted."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        own = json.dumps({"name": "onnxruntime-web", "version": VERSION})
        files = {"package.json": own, "README.md": "much"} | {f"dist/{n}": n for n in (*WASM, *WEBGPU, "ort.all.js")}
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout whose lock file pins a package of this test's; nothing is installed in it, and the cache is empty."""
    web = tmp_path / "web"
    web.mkdir()
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(packed()).digest()).decode()
    entry = {"version": VERSION, "integrity": integrity}
    lock = {"packages": {"node_modules/onnxruntime-web": entry}}
    (web / "package-lock.json").write_text(json.dumps(lock))
    monkeypatch.setattr(runtime_files, "_web", lambda: web)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return web


@pytest.fixture
def npm(checkout, tmp_path):
    """Puts an `npm` in the way that gives `content`, or fails; gives the file in which it notes how it was called."""

    def install(content=None, says="ENOTFOUND"):
        (tmp_path / "given.tgz").write_bytes(content or b"")
        script = f'echo "$@" >> {tmp_path}/calls; while [ "$1" != --pack-destination ]; do shift; done; '
        script += f"/bin/cp {tmp_path}/given.tgz $2/onnxruntime-web.tgz" if content else f"echo {says} >&2; exit 1"
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / "npm").write_text(f"#!/bin/sh\n{script}\n")
        os.chmod(tmp_path / "bin" / "npm", 0o755)
        return tmp_path / "calls"

    return install


def test_a_folder_may_be_the_package_or_its_dist(tmp_path):
    package = write_package(tmp_path / "package")
    for folder in (package, package / "dist"):
        assert RuntimeFiles.find(folder) == RuntimeFiles(package / "dist", VERSION)
    (package / "package.json").unlink()
    assert RuntimeFiles.find(package / "dist").version == ""


def test_a_folder_that_lacks_a_file_is_refused(tmp_path):
    package = write_package(tmp_path / "package")
    with pytest.raises(ServingError, match=r"does not hold onnxruntime-web: there is no 'ort\.webgpu\.min\.mjs', "):
        RuntimeFiles.find(package, webgpu=True)
    with pytest.raises(ServingError, match=r"nowhere does not hold onnxruntime-web"):
        RuntimeFiles.find(tmp_path / "nowhere")


def test_what_is_installed_in_the_checkout_is_taken(checkout):
    package = write_package(checkout / "node_modules" / "onnxruntime-web")
    assert RuntimeFiles.find() == RuntimeFiles(package / "dist", VERSION)


def test_another_version_than_the_pinned_one_is_not_taken_unasked(checkout):
    write_package(checkout / "node_modules" / "onnxruntime-web", version="7.11.12")
    with pytest.raises(ServingError, match="there is no npm here"):
        RuntimeFiles.find()


def test_it_is_fetched_once_and_only_what_is_needed_is_kept(npm, tmp_path):
    calls, said = npm(packed()), []
    for _ in range(2):
        found = RuntimeFiles.find(webgpu=True, say=said.append)
    folder = tmp_path / "cache" / "keras_seq" / f"onnxruntime-web-{VERSION}"
    assert found == RuntimeFiles(folder / "dist", VERSION)
    assert sorted(path.name for path in (folder / "dist").iterdir()) == sorted((*WASM, *WEBGPU))
    assert [(folder / "dist" / name).read_text() for name in WASM] == list(WASM)
    assert said == [f"fetching onnxruntime-web {VERSION}"]
    [call] = calls.read_text().splitlines()
    assert call.startswith(f"pack onnxruntime-web@{VERSION} --ignore-scripts ")


def test_another_package_than_the_pinned_one_is_refused(npm, tmp_path):
    npm(packed() + b"\0")
    with pytest.raises(ServingError, match=r"another package .* expected sha512 \S+=, received \S+=\.") as caught:
        RuntimeFiles.find()
    assert "registry npm asks" in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_without_npm_both_ways_are_said(checkout):
    with pytest.raises(ServingError, match=r"no npm here .*Install Node\.js.* --onnxruntime-web FOLDER"):
        RuntimeFiles.find()


def test_what_npm_says_is_passed_on(npm):
    npm(says="network is down")
    with pytest.raises(ServingError, match=r"npm could not fetch .*network is down\. .*--onnxruntime-web FOLDER"):
        RuntimeFiles.find()


def test_the_pinned_version_is_that_of_the_package():
    package = json.loads((runtime_files._web() / "package.json").read_text(encoding="utf-8"))
    assert runtime_files._pinned()[0] == package["dependencies"]["onnxruntime-web"]
