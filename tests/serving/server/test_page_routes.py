"""The page's files: whole, kept by browsers for as long as they are good, and allowed to do little."""

import asyncio
import re

import httpx
import pytest

from keras_seq.serving.server import ModelRepository, ServerSettings, create_app
from keras_seq.serving.server.page_routes import page_files


@pytest.fixture(scope="module")
def get():
    """Asks a server that has no model and wants a token: `get("/", headers={})`."""
    with asyncio.Runner() as runner:
        repository = ModelRepository(settings=ServerSettings(tokens=("s3cret",)))
        client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(repository)), base_url="http://test")
        yield lambda path, method="GET", **further: runner.run(client.request(method, path, **further))
        runner.run(client.aclose())
        runner.run(repository.close())


def test_everybody_may_have_the_page_but_not_what_it_asks_for(get):
    assert get("/").status_code == 200
    assert get("/page/page.js").status_code == 200
    assert get("/v1/models").status_code == 401


def test_docs_lead_to_a_page_that_loads_nothing_from_elsewhere(get):
    answer = get("/docs")
    assert (answer.status_code, answer.headers["location"]) == (307, "page/api.html")
    assert get("/page/api.html").status_code == 200


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/page.js", "text/javascript; charset=utf-8"),
        ("/page/page.css", "text/css; charset=utf-8"),
        ("/page/icon.svg", "image/svg+xml"),
    ],
)
def test_files_come_with_their_type_and_with_strict_rules(get, path, media_type):
    headers = get(path).headers
    assert headers["content-type"] == media_type
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-cache"
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}


def test_a_browser_that_has_a_file_is_not_sent_it_again(get):
    first = get("/")
    tag = first.headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        again = get("/", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
    assert get("/", headers={"If-None-Match": '"other"'}).content == first.content


def test_head_gives_the_headers_alone(get):
    head, whole = get("/", "HEAD"), get("/")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


def test_what_is_no_file_of_the_page_is_not_found(get):
    response = get("/page/secrets.txt")
    assert response.status_code == 404
    assert "no file 'secrets.txt'. It has: 'answers.css'" in response.json()["error"]
    for path in ("/page/..%2Fsettings.py", "/page/%2e%2e/settings.py", "/page/"):
        assert get(path).status_code == 404


def test_the_page_names_no_other_place_and_has_no_script_of_its_own():
    for name, content in page_files().items():
        text = content.decode("utf-8")
        others = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {"http://www.w3.org/2000/svg"}
        assert others == set(), name
    for name, folder in (("index.html", "page/"), ("api.html", "")):
        page = page_files()[name].decode("utf-8")
        assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son\w+=", page) == []
        for path in re.findall(rf'(?:src|href)="{folder}([\w.]+\.\w+)"', page):
            assert path in page_files()


def test_modules_import_what_is_there():
    files = page_files()
    for name, content in files.items():
        for path in re.findall(r'from "\./([^"]+)"', content.decode("utf-8")):
            assert path in files, f"{name} imports {path}"
