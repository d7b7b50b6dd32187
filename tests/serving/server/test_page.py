"""The page in a real browser, before a real server."""

import re

import pytest

pytest.importorskip("playwright", reason="THE PAGE IS NOT TESTED: install playwright, which the extra dev has.")

from playwright.sync_api import expect

from tests.serving.server.chromium import Visit, chromium
from tests.serving.server.live_server import live_server
from tests.serving.server.text_models import EXAMPLES, write_text_models
from tests.serving.toy_decoder import ALPHA, BEAMS
from tests.serving.toy_text import TAGS, tag_scores

REFUSED = "Failed to load resource"  # what Chromium writes into its console at each answer of 400 and above
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}

# The least contrast between a text and what is behind it, over all elements of a selector (WCAG 2.2, 1.4.3).
CONTRAST = """(elements) => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const luminance = (colours) => {
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const colours = [];
    for (let at = element; at; at = at.parentElement) colours.unshift(getComputedStyle(at).backgroundColor);
    return ["white", ...colours];
  };
  return Math.min(...elements.filter((element) => element.textContent).map((element) => {
    const ground = behind(element);
    const [a, b] = [luminance(ground), luminance([...ground, getComputedStyle(element).color])];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
}"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_text_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def server(folder, browser):  # the browser first: without one there is nothing to serve
    with live_server(folder=folder, num_threads=1) as live:
        yield live


@pytest.fixture
def visit(browser, server):
    """A visitor; `visit.page` afterwards."""
    visitor = Visit(browser, server.url)
    yield visitor
    visitor.close()


@pytest.fixture
def refused_visit(browser, server):
    """A visitor who is refused something."""
    visitor = Visit(browser, server.url)
    yield visitor
    visitor.close(complaints=REFUSED)


def fits(page):
    """Whether the page is no wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_tokens_are_shown_with_their_labels(visit):
    page = visit.run("tagger", "tag", "The dog barks!")
    labels = [TAGS[k] for k in tag_scores()[[4, 5, 6, 9]].argmax(axis=-1)]
    expect(page.locator(".token .word")).to_have_text(["The", "dog", "barks", "!"])
    expect(page.locator(".token .label")).to_have_text(labels)
    expect(page.locator("#status")).to_have_text("4 tokens tagged.")
    expect(page.locator("#timing")).to_have_text(re.compile(r"^\d.* on the server · \d.* round trip$"))
    expect(page.locator(".legend .key")).to_have_count(len(set(labels)))
    page.locator(f'.key[data-label="{labels[0]}"]').click()
    expect(page.locator(".token.dim")).to_have_count(sum(label != labels[0] for label in labels))
    page.locator(".as-table summary").click()
    expect(page.locator(".as-table tbody tr").first).to_have_text(re.compile(f"^The{labels[0]}[0-9.]+ %$"))


def test_tokens_stand_in_the_lines_of_the_text(visit):
    page = visit.run("tagger", "tag", "the dog\n\n  barks !\n\tit rains")
    boxes = [token.bounding_box() for token in page.locator(".token").all()]
    assert len({box["y"] for box in boxes}) == 3
    lines = [[box["x"] for box in boxes[i : i + 2]] for i in (0, 2, 4)]
    assert lines[0][0] < lines[1][0] < lines[2][0]
    assert all(first < second for first, second in lines)


def test_classes_are_shown_as_bars(visit):
    page = visit.run("tagger", "classify", "it rains")
    expect(page.locator(".classes tr")).to_have_count(3)
    widths = page.locator(".classes .bar span").evaluate_all(
        "bars => bars.map((bar) => Number(getComputedStyle(bar).getPropertyValue('--p')))"
    )
    assert widths == sorted(widths, reverse=True)
    assert sum(widths) == pytest.approx(1, abs=1e-5)
    expect(page.locator("#status")).to_have_text(re.compile(r"^\w+, \d.* %\.$"))


def test_a_translation_shows_where_it_looks(visit):
    page = visit.run("letters", "translate", "abcd")
    expect(page.get_by_role("radio", name="score")).to_have_count(BEAMS)
    grid = page.get_by_role("grid")
    expect(grid.get_by_role("columnheader")).to_have_text(["", *"abcd"])
    expect(grid.get_by_role("rowheader").last).to_have_text("<end>")
    expect(grid.get_by_role("gridcell")).to_have_count(4 * 4)
    expect(grid.get_by_role("gridcell").first).to_have_text("25")
    grid.get_by_role("gridcell").nth(5).hover()
    expect(page.locator(".readout")).to_have_text(re.compile(r"^w\d+ looks at b: 25 %$"))
    page.get_by_role("radio", name="score").nth(1).check()
    expect(grid.get_by_role("gridcell")).to_have_count(5 * 4)


def test_without_attention_the_hypotheses_stand_alone(visit):
    page = visit.run("plain", "translate", "abc")
    expect(page.locator(".hypotheses li")).to_have_count(BEAMS)
    expect(page.get_by_role("grid")).to_have_count(0)


def test_a_text_is_written_as_it_comes(visit):
    page = visit.run("story", "generate", "the dog", streams=True)
    expect(page.locator("#status")).to_have_text(re.compile(r"^(Finished|Cut at the largest length): \d tokens?\.$"))
    expect(page.locator("#timing")).to_have_text(re.compile(r"^first token .* a second · .* in all$"))
    assert page.locator(".writing").inner_text().startswith("the dog ")
    assert visit.sent == [("/v1/story/generate", {"text": "the dog", "stream": True})]
    page = visit.run("story", "generate", "the dog", streams=False)
    expect(page.locator(".hypotheses .found")).to_have_text("the dog the dog")


def test_a_text_that_goes_on_and_on_can_be_stopped(visit, server):
    page = visit.open("endless", "generate")
    page.locator("#text").fill("the dog")
    page.locator("#run").click()
    page.locator(".written").nth(20).wait_for()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text(re.compile(r"^Stopped after \d+ tokens\.$"))
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(page.locator("#run")).to_be_focused()
    [model] = [model for model in server.repository.models if model.name == "endless"]
    for _ in range(100):
        if model.stream_gauges["open"] == 0:
            break
        page.wait_for_timeout(20)
    assert model.stream_gauges["open"] == 0


def test_the_keyboard_is_enough(visit):
    page = visit.open("letters", "translate")
    expect(page.locator("#text")).to_be_enabled()
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type("ab")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("gridcell")).to_have_count(2 * 2)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "gridcell":
            break
    expect(page.locator(".readout")).to_have_text(re.compile("looks at a: "))
    page.keyboard.press("ArrowRight")
    expect(page.locator(".readout")).to_have_text(re.compile("looks at b: "))
    page.keyboard.press("ArrowDown")
    expect(page.locator(".readout")).to_have_text(re.compile("^<end> looks at b: "))
    page.locator("#model").focus()
    page.keyboard.type("endless")
    expect(page.locator("#run")).to_have_text("Generate")
    page.locator("#text").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("the dog")
    page.keyboard.press("Control+Enter")
    page.locator(".written").first.wait_for()
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_text(re.compile("^Stopped after"))


def test_focus_can_be_seen(visit):
    page = visit.open("tagger", "tag")
    expect(page.locator("#text")).to_be_enabled()
    seen = []
    for _ in range(8):
        page.keyboard.press("Tab")
        ring = "e => [getComputedStyle(e), e.nextElementSibling && getComputedStyle(e.nextElementSibling)]"
        style = f"({ring})(document.activeElement).map((s) => s && s.outlineStyle)"
        seen.append("solid" in page.evaluate(style))
    assert all(seen)


def test_it_can_be_read_on_a_phone(browser, server):
    visitor = Visit(browser, server.url, **PHONE)
    for model, task, text in (
        ("tagger", "tag", "the dog barks " * 20 + "x" * 200),
        ("tagger", "classify", "it"),
        ("letters", "translate", "abcdefghijklm"),
        ("story", "generate", "the " * 5),
    ):
        page = visitor.run(model, task, text)
        page.locator("#request summary").click()
        assert fits(page), task
        assert page.locator("#result").evaluate("(e) => e.getBoundingClientRect().bottom > 0"), task
    visitor.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_light_and_dark(browser, server, scheme):
    visitor = Visit(browser, server.url, color_scheme=scheme)
    page = visitor.run("tagger", "tag", "the dog barks it rains ! naïve zebra")
    assert page.locator("body").evaluate_all(CONTRAST) > 7
    for selector in ("label", ".hint", ".keys", ".example", "#run", ".token .word", ".token .label", ".key", "#timing"):
        assert page.locator(selector).evaluate_all(CONTRAST) >= 4.5, selector
    hues = page.locator(".token").first.evaluate_all(  # of every label that there could be
        """async ([first], labels) => {
          const tokens = Array.from({ length: labels }, (_, i) => {
            const copy = first.cloneNode(true);
            copy.style.setProperty("--hue", (25 + i * 137.508) % 360);
            first.parentElement.append(copy);
            return copy;
          });
          return tokens.length;
        }""",
        40,
    )
    assert hues == 40
    assert page.locator(".token .label").evaluate_all(CONTRAST) >= 4.5
    page = visitor.run("letters", "translate", "ab")
    cell = page.get_by_role("gridcell").first
    for shade, weight in (("", 0.57), ("middle", 0.571), ("middle", 0.725), ("strong", 0.726), ("strong", 1)):
        cell.evaluate(f"(e) => {{ e.className = '{shade}'; e.style.setProperty('--w', {weight}); }}")
        assert cell.evaluate_all(CONTRAST) >= 4.5, (shade, weight)
    visitor.close()


def test_options_go_along_where_they_are_not_the_defaults(visit):
    page = visit.open("letters", "translate")
    page.locator("#options-box summary").click()
    length = page.get_by_label("max length")
    expect(length).to_have_attribute("max", "17")
    expect(page.locator("#option-max_length-range")).to_have_text("1 to 17; 11 unless changed")
    length.fill("3")
    expect(page.locator("#changed")).to_have_text("max length 3")
    page.locator("#text").fill("abcdefg")
    page.locator("#run").click()
    expect(page.locator(".cut")).to_have_text(["cut at the largest length"] * BEAMS)
    page.get_by_role("button", name="Back to the defaults").click()
    expect(page.get_by_label("alpha")).to_have_value(str(ALPHA))
    page.locator("#run").click()
    expect(page.locator(".cut")).to_have_count(0)
    assert [body for _, body in visit.sent] == [{"text": "abcdefg", "options": {"max_length": 3}}, {"text": "abcdefg"}]


def test_lines_and_versions_can_be_chosen(visit):
    page = visit.open("tagger", "tag")
    page.get_by_label("Version").select_option("1")
    page.get_by_label("Each line by itself").check()
    page.locator("#text").fill("the dog\n\nit rains !")
    page.locator("#run").click()
    expect(page.locator("#result article")).to_have_count(2)
    assert visit.sent == [("/v1/tagger/tag?version=1", {"texts": ["the dog", "it rains !"]})]
    expect(page.locator("#command")).to_contain_text("/v1/tagger/tag?version=1")


def test_examples_of_the_model_run_at_a_press(visit):
    page = visit.open("letters", "translate")
    expect(page.locator(".example")).to_have_text(EXAMPLES)
    page.locator(".example").first.click()
    expect(page.locator(".hypotheses")).to_be_visible()
    assert visit.sent == [("/v1/letters/translate", {"text": EXAMPLES[0]})]


def test_the_address_keeps_what_was_chosen(visit):
    page = visit.open()
    expect(page.locator("#model option")).to_have_text(["endless", "letters", "pair", "plain", "story", "tagger"])
    page.locator("#model").select_option("tagger")
    page.get_by_role("radio", name="Classify").check()
    page.reload()
    expect(page.locator("#model")).to_have_value("tagger")
    expect(page.get_by_role("radio", name="Classify")).to_be_checked()


def test_a_text_is_never_markup(visit):
    text = "<img src=x onerror=alert(1)> <b>!</b>"
    page = visit.run("tagger", "tag", text)
    assert page.locator("#result img, #result b").count() == 0
    page = visit.run("tagger", "classify", text)
    assert page.locator("#command").text_content().endswith(f'--data \'{{"text":"{text}"}}\'')


def test_an_error_says_what_the_server_says(refused_visit):
    page = refused_visit.run("letters", "translate", "a" * 14)
    error = page.locator("#error[role=alert]")
    expect(error).to_contain_text("text 0 has 14 tokens, and the model takes 13 at most. Cut it")
    expect(error).to_contain_text("invalid_input · request ")
    page.locator("#text").fill("a")
    page.locator("#run").click()
    expect(error).to_be_empty()
    expect(page.locator(".hypotheses")).to_be_visible()


def test_a_stream_that_is_refused_says_so(refused_visit):
    page = refused_visit.run("story", "generate", "zebra", streams=True)
    expect(page.get_by_role("alert")).to_contain_text("has nothing that the model knows")


def test_a_server_that_is_gone_is_said_to_be(browser, folder):
    with live_server({"tagger": folder / "tagger" / "1"}) as server:
        visitor = Visit(browser, server.url)
        page = visitor.run("tagger", "tag", "the dog")
    page.locator("#run").click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer. Is it running")
    visitor.close(complaints=REFUSED)


def test_a_token_is_asked_for_and_kept_for_the_tab(browser, folder):
    with live_server({"tagger": folder / "tagger" / "1"}, tokens=("s3cret",)) as server:
        visitor = Visit(browser, server.url)
        page = visitor.open("tagger", "tag")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("This server asks for a token")
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        expect(dialog).to_contain_text("does not know the token that it was given")
        page.get_by_label("Bearer token").fill("s3cret")
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("#summary")).to_have_text("1 model loaded")
        page = visitor.run("tagger", "tag", "the dog")
        expect(page.locator(".token")).to_have_count(2)
        expect(page.locator("#command")).to_contain_text('--header "Authorization: Bearer $TOKEN"')
        assert "s3cret" not in page.content()
        page.get_by_role("link", name="API").click()
        expect(page.locator("details").first).to_be_visible()
        page.get_by_role("link", name="Page").click()
        expect(page.locator("#summary")).to_have_text("1 model loaded")
        page.get_by_role("button", name="Forget token").click()
        page.locator("#text").fill("the dog")
        page.locator("#run").click()
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("alert")).to_contain_text("unauthorized")
        visitor.close(complaints=REFUSED)


def test_the_routes_are_explained_without_the_internet(visit):
    page = visit.open("tagger", "tag")
    page.get_by_role("link", name="API").click()
    routes = page.locator("details")
    tag = routes.filter(has_text="/v1/{model}/tag")
    tag.locator("summary").click()
    expect(tag.get_by_role("listitem").filter(has_text="probability").last).to_contain_text("number or null")
    expect(tag).to_contain_text("504 The time of the request was over")
    document = page.evaluate("fetch('../openapi.json').then((response) => response.json())")
    expect(routes).to_have_count(sum(len(methods) for methods in document["paths"].values()))
    assert fits(page)


def test_where_there_is_nothing_to_ask_it_says_what_to_do(browser, decoder_path, tmp_path):
    for bundles, text in (
        ({}, "No model is loaded."),
        ({"dates": decoder_path}, "The models here take numbers alone."),
    ):
        with live_server(bundles) as server:
            visitor = Visit(browser, server.url)
            expect(visitor.open().locator("#result")).to_contain_text(text)
            expect(visitor.page.locator("#run")).to_be_disabled()
            visitor.close()
