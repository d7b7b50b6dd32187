import hmac

import pytest

from keras_seq.serving.server.access import Access

TOKENS = ("first", "second", "third")
PRIVATE = "/v2/models/tagger/infer"


def test_without_tokens_everybody_may_ask():
    assert Access(()).allows(PRIVATE, None)
    assert not Access(()).required


@pytest.mark.parametrize("header", [b"Bearer second", b"bearer second", b"BEARER  second "])
def test_any_of_the_tokens_will_do(header):
    assert Access(TOKENS).required
    assert Access(TOKENS).allows(PRIVATE, header)


@pytest.mark.parametrize(
    "header",
    [None, b"", b"Bearer", b"Bearer ", b"Bearer secon", b"Bearer seconds", b"Basic second", b"second", b"\xff"],
)
def test_nothing_else_will(header):
    assert not Access(TOKENS).allows(PRIVATE, header)


@pytest.mark.parametrize(
    "path", ["/", "/favicon.ico", "/page/page.js", "/v2/health/live", "/v2/health/ready", "/v2/models/a/ready"]
)
def test_health_and_the_page_need_none(path):
    assert Access(TOKENS).allows(path, None)


@pytest.mark.parametrize("path", ["/openapi.json", "/metrics", "/v2", "/v2/models/a", "/v1/a/tag", "/pages", "//"])
def test_everything_else_does(path):
    assert not Access(TOKENS).allows(path, None)


def test_a_token_in_the_query_counts_where_it_is_handed_over():
    assert Access(TOKENS).allows(PRIVATE, None, b"version=3&token=third")
    assert not Access(TOKENS).allows(PRIVATE, None, b"token=fourth")
    assert not Access(TOKENS).allows(PRIVATE, b"Bearer wrong", b"token=third")  # a header is not ignored


def test_every_token_is_compared_whatever_came(monkeypatch):
    compared = []

    def compare(one, other):
        compared.append((len(one), len(other)))
        return hmac_compare(one, other)

    hmac_compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", compare)
    for guess in (b"first", b"third", b"x", b"a much longer guess"):
        Access(TOKENS).allows(PRIVATE, b"Bearer " + guess)
    assert compared == [(32, 32)] * 12
