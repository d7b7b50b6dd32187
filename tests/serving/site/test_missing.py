"""What a browser lacks is said in words, and what to do about it."""

import functools
import hashlib
import json
import re

import onnx
import pytest

pytest.importorskip("playwright", reason="THE SITE IS NOT TESTED: install playwright, which the extra dev has.")

from playwright.sync_api import expect

from tests.serving.server.chromium import chromium
from tests.serving.site.site_visit import SiteVisit, served, write_or_skip
from tests.serving.toy_text import write_tagger

REFUSED = "Failed to load resource"


@pytest.fixture(scope="module")
def browser():
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def site(tmp_path_factory, browser):
    folder = tmp_path_factory.mktemp("it's a site")
    return write_or_skip({"tagger": write_tagger(folder / "tagger")}, folder / "site")


@pytest.fixture(scope="module")
def url(site):
    with served(site) as address:
        yield address


@pytest.fixture
def damaged(browser, url):
    """A visitor of a site in which files are not what they were: `damaged({path: content, or None})` gives the page."""
    visitor = SiteVisit(browser, url)
    visitor.context.add_init_script("delete Navigator.prototype.serviceWorker")  # which would see nothing of it

    def answer(content, route):
        route.fulfill(status=404) if content is None else route.fulfill(body=content)

    def visit(files):
        for path, content in files.items():
            visitor.context.route(f"**/{path}", functools.partial(answer, content))
        visitor.page.goto(url)
        return visitor.page

    yield visit
    own = re.compile("wasm|ArrayBuffer|Aborted")  # what the runtime says in its way
    visitor.complaints = [text for text in visitor.complaints if not own.search(text)]
    visitor.close(complaints=REFUSED)


def test_a_page_that_was_opened_as_a_file_says_how_to_serve_it(browser, site):
    context = browser.new_context()
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("This page was opened as a file")
    expect(alert).to_contain_text("python -m http.server -d '" + str(site).replace("'", r"'\''") + "'")
    context.close()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("delete globalThis.WebAssembly", "This browser has no WebAssembly, or it is switched off"),
        ("globalThis.Worker = function () {}", "This browser has no workers that are modules"),
        ("delete globalThis.Worker", "This browser has no workers that are modules"),
        ("delete HTMLScriptElement.prototype.noModule", "This browser knows no JavaScript modules"),
    ],
)
def test_what_a_browser_lacks_is_named(browser, url, change, text):
    visitor = SiteVisit(browser, url)
    visitor.context.add_init_script(change)
    page = visitor.page
    page.goto(url)
    expect(page.get_by_role("alert")).to_contain_text(text)
    expect(page.locator("#run")).to_be_disabled()
    visitor.close()


def test_without_service_workers_nothing_is_kept_and_all_else_works(browser, url):
    visitor = SiteVisit(browser, url)
    visitor.context.add_init_script("delete Navigator.prototype.serviceWorker")
    page = visitor.run("tagger", "tag", "the dog")
    expect(page.locator(".token")).to_have_count(2)
    expect(page.locator("#network")).to_have_text("No not kept on this device")
    page.locator("#notes summary").click()
    expect(page.locator("#notes")).to_contain_text("This browser keeps no sites.")
    visitor.close()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("page/tags.js", "A program of this page could not be loaded: page/page.js. Is the site whole"),
        ("keras_seq/index.js", "The worker that models run in ended. Is the site whole"),
        ("onnxruntime/ort.wasm.min.mjs", "ONNX Runtime cannot be loaded: "),
        ("onnxruntime/ort-wasm-simd-threaded.wasm", "ONNX Runtime could not start 'wasm': "),
        ("site.json", "site.json has status 404"),
    ],
)
def test_a_file_of_the_site_that_is_missing_is_said_to_be(damaged, file, text):
    expect(damaged({file: None}).get_by_role("alert")).to_contain_text(text)


@pytest.mark.parametrize(
    ("file", "content", "text"),
    [
        ("bundle.json", None, "it has no bundle.json"),
        ("bundle.json", '{"schema_version": 97}', "schema version 97"),
        ("model.onnx", b"cut short", "'model.onnx' is truncated"),
        ("tokenizers/words.json", None, "lacks its file 'tokenizers/words.json'"),
    ],
)
def test_a_model_that_cannot_be_loaded_says_why(damaged, file, content, text):
    page = damaged({f"models/tagger/{file}": content})
    expect(page.get_by_role("alert")).to_contain_text(text)
    expect(page.locator("#weight")).to_contain_text("Failed")


def test_an_operator_that_the_runtime_lacks_is_named_with_its_layer(damaged, site):
    """The writer would refuse it; a site may be put together by hand."""
    graph = onnx.load(site / "models/tagger/model.onnx")
    graph.graph.node[0].op_type, graph.graph.node[0].name = "Fancy", "tagger_1/lookup_1/Fancy"
    content = graph.SerializeToString()
    manifest = json.loads((site / "models/tagger/bundle.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256(content).hexdigest()
    manifest["files"]["model.onnx"] = {"sha256": digest, "bytes": len(content)}
    page = damaged({"models/tagger/bundle.json": json.dumps(manifest), "models/tagger/model.onnx": content})
    expect(page.get_by_role("alert")).to_contain_text("Fancy")
    expect(page.get_by_role("alert")).to_contain_text("lookup")
