"""What bundles weigh, load and take in a browser, beside ONNX Runtime on the same machine without one.

    python benchmarks/on_device_web.py [NAME=]BUNDLE ... [--variant int8] [--json]

Writes a site of the bundles (`keras-seq web`), serves it to Chromium with the headers that threads need, and measures:
the page's weight; the time from navigation until a model is ready, on a first visit and on one when the site is kept on
the device; and milliseconds a call through the page's own worker, tokenizing and labels included, in WebAssembly with
one thread and with two. `native` is the Python runtime with one thread on the same text. The ways take turns, so that
what else the machine does meets all of them; the figures are medians.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from timing import markdown_table

from keras_seq.cli.bundle_names import named_bundles
from keras_seq.serving import Bundle, Generator, Predictor
from keras_seq.serving.site import SiteReport, write_site
from keras_seq.serving.site.serve_site import site_server
from keras_seq.serving.text.text_task import TextTask, example_texts, text_tasks

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SENTENCE = "The dog barks at the mail carrier, and nobody has an umbrella."
WAYS = {"wasm, 1 thread": 1, "wasm, 2 threads": 2}
NATIVE = "native, 1 thread"
WAIT_MS = 120_000

# Makes a worker for each number of threads, loads a model into it, and calls it for a while: seconds of each call.
_OPEN = """async ({ model, variant, ways }) => {
  const { Answerer } = await import("./page/answerer.js");
  const site = await (await fetch("site.json")).json();
  const address = (path) => new URL(path, document.baseURI).href;
  const entry = site.models.find(({ card }) => card.name === model);
  globalThis.ways = {};
  for (const [name, threads] of Object.entries(ways)) {
    const answerer = new Answerer();
    const module = address(site.backends.wasm.module);
    answerer.use({ name, module, wasmPaths: address("onnxruntime/"), providers: ["wasm"], threads });
    await answerer.load(entry, variant);
    globalThis.ways[name] = (task, body) => answerer.ask({ entry, variant, task, body });
  }
}"""
_CALL = """async ({ way, task, body, seconds }) => {
  const found = [];
  const start = performance.now();
  do {
    found.push((await globalThis.ways[way](task, body)).seconds);
  } while (performance.now() - start < 1000 * seconds);
  return found;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", metavar="[NAME=]BUNDLE", help="folders that export_model wrote")
    parser.add_argument("--variant", action="append", default=[], help="variants to measure (default: all there are)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each way has its turn (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a turn takes (default: %(default)s)")
    parser.add_argument("--visits", type=int, default=3, help="visits of each kind (default: %(default)s)")
    parser.add_argument("--onnxruntime-web", type=Path, metavar="FOLDER", help="as in `keras-seq web`")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args()
    bundles = {name: path for name, path in named_bundles(options.bundles).items() if text_tasks(Bundle.load(path))}
    if not bundles:
        raise SystemExit("None of the bundles takes texts. Export them with tokenizer=.")
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        site = Path(folder) / "site"
        report = write_site(bundles, site, variants=options.variant, onnxruntime_web=options.onnxruntime_web)
        with served(site) as url:
            found = [
                measure(browser, url, name, bundles[name], variant, options)
                for name, variants in report.models.items()
                for variant in variants
            ]
    if options.json:
        print(json.dumps({"weight": report.to_dict(), "models": found}, indent=2))
    else:
        print_tables(report, found)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, or the one that Playwright keeps."""
    with sync_playwright() as playwright:
        path = next((path for path in map(shutil.which, CHROMIUM) if path), None)
        if path is None and not Path(playwright.chromium.executable_path).exists():
            raise SystemExit(
                "There is no Chromium. Install it, with `apt-get install chromium` or `playwright install`."
            )
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # which refuses to run as root
        browser = playwright.chromium.launch(executable_path=path, args=sandbox)
        yield browser
        browser.close()


@contextlib.contextmanager
def served(site: Path) -> Iterator[str]:
    """The address of the site."""
    with site_server(site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def measure(
    browser: Browser, url: str, name: str, path: Path, variant: str, options: argparse.Namespace
) -> dict[str, Any]:
    """Loading and calls of one model in one variant."""
    task = next(iter(text_tasks(Bundle.load(path)).values()))
    text = next(iter(example_texts(Bundle.load(path))), SENTENCE)
    first, kept = visit_times(browser, url, f"#model={name}&task={task.name}", options.visits)
    context = browser.new_context(service_workers="block")
    page = open_page(context, url)
    page.evaluate(_OPEN, {"model": name, "variant": variant, "ways": WAYS})
    ways: dict[str, Callable[[], list[float]]] = {
        way: lambda way=way: page.evaluate(
            _CALL, {"way": way, "task": task.name, "body": {"text": text}, "seconds": options.seconds}
        )
        for way in WAYS
    }
    ways[NATIVE] = native(path, task, text, None if variant == "float" else variant, options.seconds)
    seconds = take_turns(ways, options.rounds)
    context.close()
    return {
        "model": name,
        "variant": variant,
        "task": task.name,
        "characters": len(text),
        "first_visit_seconds": first,
        "kept_seconds": kept,
        "call_seconds": seconds,
    }


def visit_times(browser: Browser, url: str, place: str, visits: int) -> tuple[float, float]:
    """Median seconds from navigation until the model is ready: on a first visit, and on a later one."""
    times: dict[str, list[float]] = {"first": [], "kept": []}
    for _ in range(visits):
        context = browser.new_context()
        for kind in times:
            page = context.new_page()
            page.set_default_timeout(WAIT_MS)
            start = time.perf_counter()
            page.goto(f"{url}/{place}")
            page.locator("#weight", has_text=" in ").wait_for()
            times[kind].append(time.perf_counter() - start)
            page.locator("#network", has_text="Works").wait_for()
            page.close()
        context.close()
    return statistics.median(times["first"]), statistics.median(times["kept"])


def open_page(context: BrowserContext, url: str) -> Page:
    """A page of the site in which nothing happens by itself."""
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.route("**/empty.html", lambda route: route.fulfill(body="", headers=isolated(), content_type="text/html"))
    page.goto(f"{url}/empty.html")
    if not page.evaluate("crossOriginIsolated"):
        raise SystemExit("The page is not isolated, so there are no threads to measure.")
    return page


def isolated() -> dict[str, str]:
    """Headers that threads need."""
    return {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


def native(path: Path, task: TextTask, text: str, variant: str | None, seconds: float) -> Callable[[], list[float]]:
    """The same calls through the Python runtime."""
    if task.graph == "generate":
        call = Generator(path, variant=variant, num_threads=1).generate_text
    else:
        call = Predictor(path, graph=task.graph, variant=variant, num_threads=1).predict_text

    def turn() -> list[float]:
        found, end = [], time.perf_counter() + seconds
        while not found or time.perf_counter() < end:
            start = time.perf_counter()
            call([text])
            found.append(time.perf_counter() - start)
        return found

    return turn


def take_turns(ways: Mapping[str, Callable[[], Sequence[float]]], rounds: int) -> dict[str, float]:
    """Median seconds of a call of each way, which follow one another in every round; the first round is not counted."""
    found: dict[str, list[float]] = {way: [] for way in ways}
    for i in range(rounds + 1):
        for way, turn in ways.items():
            seconds = turn()
            if i:
                found[way] += seconds
    return {way: statistics.median(seconds) for way, seconds in found.items()}


def print_tables(report: SiteReport, found: Sequence[Mapping[str, Any]]) -> None:
    """Two tables: what is loaded, and how long it takes."""
    weights = {
        "page (HTML, CSS, programs)": report.page,
        "client (keras_seq in JavaScript)": report.client,
        f"onnxruntime-web {report.runtime_version}": report.runtime,
        **{
            f"{name}, {variant}": weight
            for name, variants in report.models.items()
            for variant, weight in variants.items()
        },
    }
    rows = [[what, f"{one.bytes / 1e6:.2f}", f"{one.gzip_bytes / 1e6:.2f}"] for what, one in weights.items()]
    print(markdown_table(["what is loaded", "MB", "MB as gzip"], rows))
    print()
    ways = [*WAYS, NATIVE]
    header = ["model", "variant", "task", "ready, first visit, s", "ready, kept, s"]
    header += [f"{way}, ms a call" for way in ways] + ["wasm, 1 thread / native"]
    rows = [
        [
            one["model"],
            one["variant"],
            one["task"],
            f"{one['first_visit_seconds']:.2f}",
            f"{one['kept_seconds']:.2f}",
            *(f"{1e3 * one['call_seconds'][way]:#.3g}".rstrip(".") for way in ways),
            f"{one['call_seconds'][ways[0]] / one['call_seconds'][NATIVE]:.1f}",
        ]
        for one in found
    ]
    print(markdown_table(header, rows))


if __name__ == "__main__":
    main()
