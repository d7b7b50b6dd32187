"""Bodies that come packed."""

import asyncio
import gzip
import tracemalloc
import zlib

import pytest
from fastapi import HTTPException, Request

from keras_seq.serving import InputError
from keras_seq.serving.server.v2.body import read_body

LIMIT = 100_000


def read(body, encoding=None):
    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [] if encoding is None else [(b"content-encoding", encoding.encode())]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    return asyncio.run(read_body(request, LIMIT))


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        (None, bytes),
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
    ],
)
@pytest.mark.parametrize("size", [0, 11, LIMIT])
def test_a_body_comes_as_it_was_packed(encoding, pack, size):
    assert read(pack(b"x" * size), encoding) == b"x" * size


def test_a_large_body_is_unpacked_too():
    body = bytes(range(256)) * 300
    assert read(gzip.compress(body, 0), "gzip") == body  # level 0 packs nothing: larger than what stays in the loop


def test_a_body_that_grows_past_the_limit_is_413():
    bomb = gzip.compress(b"\0" * (300 * LIMIT), 1)
    tracemalloc.start()
    try:
        with pytest.raises(HTTPException, match="may have 100000 bytes, unpacked") as error:
            read(bomb, "gzip")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.value.status_code == 413
    assert most < 10 * LIMIT  # of what it would become, nothing but the beginning is ever in memory


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "", "x" * 500])
def test_another_way_of_packing_is_415(encoding):
    with pytest.raises(HTTPException, match="may be packed as 'gzip' or 'deflate', or not at all") as error:
        read(b"{}", encoding)
    assert error.value.status_code == 415


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "must be packed as 'gzip', as its header says. It is not: Error -3"),
        (zlib.compress(b"{}"), "must be packed as 'gzip', as its header says. It is not: Error -3"),
        (gzip.compress(b"{}", mtime=0)[:-4], "must be packed as 'gzip', as its header says. It ends too early."),
        (b"", "must be packed as 'gzip', as its header says. It ends too early."),
        (gzip.compress(b"{}", mtime=0) + b"xyz", "It goes on for 3 bytes behind its end."),
    ],
)
def test_a_body_that_is_not_packed_as_it_says_is_refused(body, message):
    with pytest.raises(InputError) as error:
        read(body, "gzip")
    assert message in str(error.value)
