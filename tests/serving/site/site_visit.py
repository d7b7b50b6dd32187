"""A site, served to a browser, and a visitor of it."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from keras_seq.serving import ServingError
from keras_seq.serving.site import write_site
from keras_seq.serving.site.serve_site import ISOLATION, SiteHandler, site_server
from tests.serving.server.chromium import WAIT_MS, Visit

expect.set_options(timeout=WAIT_MS)  # on a machine with much to do, a runtime of 14 MB is not compiled in five seconds

# What the page's own worker answers, without the page around it: as the routes of plain text, their bodies as JSON.
_ANSWER = """async ({ model, variant, backend, requests }) => {
  const { Answerer } = await import("./page/answerer.js");
  const site = await (await fetch("site.json")).json();
  const entry = site.models.find(({ card }) => card.name === model);
  const address = (path) => new URL(path, document.baseURI).href;
  const answerer = (globalThis.answererOfTests ??= new Answerer()); // what it has compiled serves the next models too
  answerer.use({
    name: backend, module: address(site.backends.wasm.module), wasmPaths: address("onnxruntime/"), providers: ["wasm"],
    threads: backend === "wasm-n" ? 2 : 1,
  });
  const answers = [];
  for (const { task, body } of requests) {
    const asked = { entry, variant: variant ?? entry.variants[0], task, body };
    try {
      if (body.stream) {
        const events = [];
        for await (const { name, data } of answerer.events(asked)) events.push({ name, data });
        answers.push(events);
      } else answers.push(await answerer.ask(asked));
    } catch (error) {
      answers.push({ error: error.message, code: error.code });
    }
  }
  return answers;
}"""


def write_or_skip(bundles: Mapping[str, Path], path: Path, **options: Any) -> Path:
    """Writes a site. Where onnxruntime-web is neither installed nor to be fetched, the tests that ask are skipped."""
    try:
        write_site(bundles, path, **options)
    except ServingError as error:
        if "onnxruntime-web" not in str(error) or "npm" not in str(error):
            raise
        pytest.skip(f"THE SITE IS NOT TESTED: {error}")
    return path


@contextlib.contextmanager
def served(folder: Path, *, isolated: bool = True, asked: list[str] | None = None) -> Iterator[str]:
    """The site's address, for the time of a `with` block.

    Without `isolated` it is served as by any server of files. Paths that are asked for are added to `asked`.
    """

    class Handler(SiteHandler):
        def send_header(self, name: str, value: str):
            if isolated or name not in ISOLATION:
                super().send_header(name, value)

        def log_request(self, code: int | str = "-", size: int | str = "-"):
            if asked is not None:
                asked.append(self.path)

    with site_server(folder) as server:
        server.RequestHandlerClass = partial(Handler, directory=str(folder))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class SiteVisit(Visit):
    """A visitor of a site; see `Visit`."""

    def __init__(self, browser: Browser, url: str, **context: Any):
        super().__init__(browser, url, **context)
        self.context, self.url = self._context, url

    def open(self, model: str = "", task: str = "") -> Page:
        """Opens the page; returns once the model and the task are chosen, which within a page takes a moment."""
        page = super().open(model, task)
        if model:
            page.locator("#run", has_text=task.capitalize()).wait_for()
            page.wait_for_function("(model) => document.getElementById('model').value === model", arg=model)
        return page

    def ready(self, model: str = "", task: str = "") -> Page:
        """Opens the page, and returns once the model is loaded and the site is kept on the device."""
        page = self.open(model, task)
        page.locator("#device[aria-busy=false]").wait_for()
        page.locator("#network", has_text="Works").wait_for()
        return page

    def answers(self, model: str, requests: list[dict], variant: str | None = None, backend: str = "wasm-1") -> list:
        """What the worker answers to requests: each has `task` and `body`, as those of the server."""
        given = {"model": model, "variant": variant, "backend": backend, "requests": requests}
        return self.page.evaluate(_ANSWER, given)
