"""The page has two that answer for it, a server and a worker: both have every name that it asks them by."""

import re

import pytest

from tests.repository import ROOT

PAGE = ROOT / "serving" / "page" / "page.js"
CLIENTS = [ROOT / "serving" / host / "page" / "client.js" for host in ("server", "site")]


def read(path):
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CLIENTS, ids=["server", "site"])
def test_a_client_has_what_the_page_asks_for(path):
    wanted = set(re.findall(r"\bclient\.(\w+)", read(PAGE).replace("client.js", "")))
    exported = set(re.findall(r"^export (?:const|class|(?:async )?function\*?) (\w+)", read(path), re.MULTILINE))
    assert {"ask", "events", "install", "models", "WORDS"} <= wanted <= exported


def test_clients_have_the_same_words():
    asked = set(re.findall(r"client\.WORDS\.(\w+)", read(PAGE)))
    for path in CLIENTS:
        [words] = re.findall(r"^export const WORDS = \{\n(.*?)^\};", read(path), re.MULTILINE | re.DOTALL)
        assert set(re.findall(r"^  (\w+):", words, re.MULTILINE)) == asked


def test_no_file_of_the_page_is_written_twice():
    names = [{path.name for path in folder.iterdir()} for folder in (PAGE.parent, *(path.parent for path in CLIENTS))]
    assert names[0].isdisjoint(names[1] | names[2])
