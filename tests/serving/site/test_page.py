"""The site in a real browser: nothing is asked of anybody else, and after the first visit nothing of anybody."""

import functools
import json
import re
from collections import Counter

import pytest

pytest.importorskip("playwright", reason="THE SITE IS NOT TESTED: install playwright, which the extra dev has.")

from playwright.sync_api import expect

from tests.serving.server.chromium import chromium
from tests.serving.server.test_page import CONTRAST, PHONE, fits
from tests.serving.server.text_models import EXAMPLES, write_text_models
from tests.serving.site.site_visit import SiteVisit, served, write_or_skip
from tests.serving.site.test_site_model import add_variants
from tests.serving.toy_decoder import BEAMS, write_decoder
from tests.serving.toy_text import TAGS, WORDS, tag_scores

MODELS = ("tagger", "letters", "story", "endless")
HEADERS = {"Cross-Origin-Opener-Policy: same-origin", "Cross-Origin-Embedder-Policy: require-corp"}


@pytest.fixture(scope="module")
def browser():
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def site(tmp_path_factory, browser):  # the browser first: without one there is nothing to write
    folder = write_text_models(tmp_path_factory.mktemp("models"))
    bundles = {name: folder / name for name in MODELS} | {"tagger": add_variants(folder / "tagger" / "1", ["int8"])}
    bundles["numbers"] = write_decoder(folder / "numbers")
    return write_or_skip(bundles, tmp_path_factory.mktemp("site") / "site")


@pytest.fixture(scope="module")
def url(site):
    with served(site) as address:
        yield address


@pytest.fixture(scope="module")
def regular(browser, url):
    """A visitor who has been here before."""
    visitor = SiteVisit(browser, url)
    visitor.ready("tagger", "tag")
    yield visitor
    visitor.close()


@pytest.fixture
def page(regular):
    """The page, left as after a first visit."""
    regular.page.goto("about:blank")
    return regular


def test_tags_are_there_while_one_types(page):
    shown = page.ready("tagger", "tag")
    shown.locator("#text").press_sequentially("The dog barks", delay=20)
    labels = [TAGS[k] for k in tag_scores()[[4, 5, 6]].argmax(axis=-1)]
    expect(shown.locator(".token .label")).to_have_text(labels)
    expect(shown.locator("#pace")).to_have_text(re.compile(r"^[\d.]+ ms a call, median of \d+$"))
    expect(shown.locator("#timing")).to_have_text(re.compile(r"^[\d.]+ ms on this device$"))
    expect(shown.locator("#text")).to_be_focused()
    expect(shown.locator("#status")).to_be_empty()  # nothing is said aloud at each letter
    shown.locator(".as-table summary").click()
    shown.locator("#text").press_sequentially(" it")
    expect(shown.locator(".token")).to_have_count(4)
    expect(shown.locator(".as-table")).to_have_attribute("open", "")
    shown.locator("#text").fill("")
    expect(shown.locator("#result")).to_contain_text("Write a text, or take an example")
    shown.get_by_label("While I type").uncheck()
    shown.locator("#text").press_sequentially("it rains")
    shown.wait_for_timeout(200)
    expect(shown.locator(".token")).to_have_count(0)
    shown.get_by_role("radio", name="Classify").check()
    shown.get_by_label("While I type").check()
    expect(shown.locator(".classes tr")).to_have_count(3)


def test_a_translation_shows_where_it_looks(page):
    shown = page.run("letters", "translate", "abcd")
    expect(shown.get_by_role("radio", name="score")).to_have_count(BEAMS)
    expect(shown.get_by_role("gridcell")).to_have_count(4 * 4)
    expect(shown.locator(".example")).to_have_text(EXAMPLES)
    expect(shown.get_by_label("While I type")).to_be_hidden()


def test_a_text_is_written_as_it_comes_and_can_be_stopped(page):
    shown = page.run("story", "generate", "the dog", streams=True)
    expect(shown.locator("#status")).to_have_text(re.compile(r"^(Finished|Cut at the largest length): \d tokens?\.$"))
    expect(shown.locator("#pace")).to_have_text(re.compile(r"^[\d.]+ ms a token"))
    shown = page.open("endless", "generate")
    shown.locator("#text").fill("the dog")
    shown.locator("#run").click()
    shown.locator(".written").nth(20).wait_for()
    shown.keyboard.press("Escape")
    expect(shown.locator("#status")).to_have_text(re.compile(r"^Stopped after \d+ tokens\.$"))
    expect(shown.locator("#run")).to_be_enabled()
    count = shown.locator(".written").count()
    shown.wait_for_timeout(100)
    assert shown.locator(".written").count() == count


def test_a_call_that_does_not_end_is_ended_with_its_worker(page):
    shown = page.ready("tagger", "tag")
    shown.evaluate("globalThis.post = Worker.prototype.postMessage; Worker.prototype.postMessage = () => {};")
    shown.locator("#text").fill("it")  # which the worker does not hear of
    shown.locator("#run").click()
    with shown.expect_event("worker") as started:
        shown.locator("#stop").click()
        expect(shown.locator("#status")).to_have_text("Stopped.")
        expect(shown.locator("#run")).to_be_focused()
        shown.evaluate("void (Worker.prototype.postMessage = post)")
        shown.wait_for_timeout(1000)  # its patience is at an end
        shown.locator("#run").click()
    assert started.value.url.endswith("/page/worker.js")
    expect(shown.locator(".token")).to_have_count(1)


def test_a_first_visit_loads_each_file_once_and_then_the_network_may_be_cut(browser, site):
    asked = []
    with served(site, asked=asked) as address:
        visitor = SiteVisit(browser, address)
        visitor.ready("tagger", "tag")
    files = {f"/{path.relative_to(site).as_posix()}" for path in site.rglob("*") if path.is_file()}
    large = {path for path in files if path.startswith(("/models/", "/onnxruntime/")) and "int8" not in path}
    times = Counter(asked)
    assert {path: times[path] for path in large} == dict.fromkeys(large, 1)
    assert not any("int8" in path for path in asked)  # which nobody chose
    visitor.context.set_offline(True)  # and the server is gone
    shown = visitor.run("tagger", "tag", "The dog")
    expect(shown.locator(".token")).to_have_count(2)
    shown.reload()
    shown = visitor.run("letters", "translate", "ab")  # which was never looked at while there was a network
    expect(shown.get_by_role("gridcell")).to_have_count(2 * 2)
    shown = visitor.run("story", "generate", "the dog", streams=True)
    expect(shown.locator("#status")).to_have_text(re.compile("^(Finished|Cut)"))
    shown = visitor.ready("tagger", "tag")
    shown.get_by_label("Weights").select_option("int8")
    expect(shown.get_by_role("alert")).to_contain_text("is the network there")
    visitor.close(complaints="ERR_")  # of the weights, and of a newer service worker


def test_a_newer_site_is_offered_and_loads_only_what_is_new(browser, site, tmp_path):
    path, asked = tmp_path / "site", []
    write_or_skip({"one": site / "models/tagger"}, path)
    with served(path, asked=asked) as address:
        visitor = SiteVisit(browser, address)
        visitor.ready()
        write_or_skip({"one": site / "models/tagger", "two": site / "models/letters"}, path, overwrite=True)
        asked.clear()
        page = visitor.page
        page.reload()
        expect(page.locator("#summary")).to_have_text("1 model, and no server")  # until it is asked for
        page.get_by_role("button", name="A newer version is here").click()
        expect(page.locator("#summary")).to_have_text("2 models, and no server")
        visitor.ready("two", "translate")
        visitor.close()
    large = Counter(name for name in asked if name.startswith(("/models/", "/onnxruntime/")))
    assert {name.split("/")[2] for name in large} == {"two"}
    assert set(large.values()) == {1}


def test_weights_can_be_chosen(page):
    shown = page.run("tagger", "tag", "the dog")
    with shown.expect_request(re.compile(r"model\.int8\.onnx$")):
        shown.get_by_label("Weights").select_option("int8")
    expect(shown.locator(".token")).to_have_count(2)  # answered anew
    expect(shown.locator("#command")).to_contain_text('variant: "int8"')
    shown.locator("#model").select_option("letters")
    expect(shown.get_by_label("Weights")).to_be_hidden()


def test_threads_can_be_chosen_where_the_page_is_isolated(page):
    shown = page.run("tagger", "tag", "the dog")
    assert shown.evaluate("crossOriginIsolated")
    choice = shown.get_by_label("Runs on")
    if shown.evaluate("navigator.hardwareConcurrency") < 2:
        expect(choice).to_be_hidden()
        return
    choice.select_option("wasm-n")
    expect(shown.locator("#engine")).to_have_text(re.compile(r"^WebAssembly \d threads$"))
    expect(shown.locator(".token")).to_have_count(2)
    expect(shown.locator("#notes")).to_be_hidden()


def test_a_page_that_is_not_isolated_says_what_threads_need_and_isolates_itself(browser, site):
    with served(site, isolated=False) as address:
        visitor = SiteVisit(browser, address)
        shown = visitor.ready("tagger", "tag")
        assert not shown.evaluate("crossOriginIsolated")
        if shown.evaluate("navigator.hardwareConcurrency") > 1:
            expect(shown.get_by_label("Runs on").locator("option").nth(1)).to_be_disabled()
            shown.locator("#notes summary").click()
            for header in HEADERS:
                expect(shown.locator("#notes")).to_contain_text(header)
        shown.reload()  # now the service worker sends it
        shown.locator("#device[aria-busy=false]").wait_for()
        assert shown.evaluate("crossOriginIsolated")
        visitor.close()


def test_the_same_in_javascript_is_a_program_that_runs(page, browser):
    asked = [("tagger", "tag", 'it\'s "rains" \\', False), ("letters", "translate", "ab", False)]
    asked += [("story", "generate", "the", True)]
    programs = [page.run(*one).locator("#command").text_content() for one in asked]
    context = browser.new_context(service_workers="block")
    other, said = context.new_page(), []
    other.on("console", lambda message: said.append(message.text))
    other.on("pageerror", lambda error: said.append(str(error)))
    html = "".join(f'<script type="module" src="try{i}.js"></script>' for i in range(len(programs)))
    other.route("**/try.html", lambda route: route.fulfill(body=html, content_type="text/html"))

    def fulfill(text, route):
        route.fulfill(body=text, content_type="text/javascript")

    for i, program in enumerate(programs):
        text = f"{program}\nglobalThis.ended{i} = typeof answer === 'undefined' ? 'written' : JSON.stringify(answer);"
        other.route(f"**/try{i}.js", functools.partial(fulfill, text))
    other.goto(f"{page.url}/try.html")
    tagged, translated, written = (other.wait_for_function(f"globalThis.ended{i}").json_value() for i in range(3))
    context.close()
    assert len(json.loads(tagged)["tokens"][0]) == 7
    assert len(json.loads(translated)[0]) == BEAMS
    assert written == "written"
    assert 1 <= len(said) <= 7  # a token a line, and no complaint
    assert {word for line in said for word in line.split()} <= set(WORDS)


def test_numbers_alone_are_listed(page):
    shown = page.ready("tagger", "tag")
    numbers = shown.locator("#model option", has_text="numbers (numbers only)")
    expect(numbers).to_be_disabled()
    expect(shown.locator("#summary")).to_have_text("5 models, and no server")


def test_the_keyboard_is_enough(page):
    shown = page.ready("tagger", "tag")
    for _ in range(3):
        shown.keyboard.press("Tab")
    shown.locator(".skip").focus()
    shown.keyboard.press("Enter")
    expect(shown.locator("#text")).to_be_focused()
    shown.keyboard.type("it rains")
    shown.keyboard.press("Control+Enter")
    expect(shown.locator("#status")).to_have_text("2 tokens tagged.")
    shown.wait_for_timeout(200)
    expect(shown.locator("#status")).to_have_text("2 tokens tagged.")  # what was typed before is no news
    shown.get_by_label("Weights").focus()
    shown.keyboard.type("int8")
    expect(shown.get_by_label("Weights")).to_have_value("int8")
    expect(shown.locator(".token")).to_have_count(2)
    seen = []
    shown.locator("#model").focus()
    for _ in range(8):
        shown.keyboard.press("Tab")
        ring = "e => [getComputedStyle(e), e.nextElementSibling && getComputedStyle(e.nextElementSibling)]"
        seen.append("solid" in shown.evaluate(f"({ring})(document.activeElement).map((s) => s && s.outlineStyle)"))
    assert all(seen)


def test_it_can_be_read_on_a_phone(page):
    before = page.page.viewport_size
    page.page.set_viewport_size(PHONE["viewport"])
    for model, task, text in (
        ("tagger", "tag", "the dog barks " * 9 + "x" * 200),
        ("letters", "translate", "abcdefgh"),
    ):
        shown = page.run(model, task, text)
        shown.locator("#request summary").click()
        assert fits(shown), task
        assert shown.locator("#device").evaluate("(e) => e.getBoundingClientRect().height") < 200
        assert shown.locator("#answer").evaluate("(e) => e.getBoundingClientRect().top") < 100
    page.page.set_viewport_size(before)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_light_and_dark(page, scheme):
    page.page.emulate_media(color_scheme=scheme)
    shown = page.run("tagger", "tag", "the dog")
    for selector in (".tile dt", ".tile strong", ".tile span", "label", "#timing", ".token .label"):
        assert shown.locator(selector).evaluate_all(CONTRAST) >= 4.5, selector
    page.page.emulate_media(color_scheme=None)
