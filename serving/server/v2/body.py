"""The body of a request, unpacked."""

import asyncio
import zlib

from fastapi import HTTPException, Request

from keras_seq.serving.errors import InputError

_ENCODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # to zlib's windowBits: with the header of gzip, or of zlib
_IN_A_THREAD = 64 * 1024  # bytes from which unpacking would hold up everybody else in the event loop


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body, unpacked if the header `Content-Encoding` says `gzip` or `deflate`.

    Args:
        request: The request.
        max_bytes: The most that a packed body may become. How large it may come is the gate's affair.

    Raises:
        HTTPException: 415 if it is packed in another way, 413 if it is too large unpacked. No more than that is ever
            unpacked.
        InputError: If it is not packed as the header says.
    """
    body = await request.body()
    encoding = request.headers.get("content-encoding")
    if encoding is None or encoding == "identity":
        return body
    bits = _ENCODINGS.get(encoding.strip().lower())
    if bits is None:
        raise HTTPException(
            415, f"The body may be packed as 'gzip' or 'deflate', or not at all. Received: {encoding[:50]!r}."
        )
    if len(body) > _IN_A_THREAD:
        return await asyncio.to_thread(_unpack, body, bits, encoding, max_bytes)
    return _unpack(body, bits, encoding, max_bytes)


def _unpack(body: bytes, bits: int, encoding: str, max_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(bits)
    try:
        unpacked = unpacker.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise InputError(f"The body must be packed as {encoding!r}, as its header says. It is not: {error}.") from None
    if len(unpacked) > max_bytes:
        raise HTTPException(413, f"The body of a request may have {max_bytes} bytes, unpacked. Send less at a time.")
    if not unpacker.eof or unpacker.unused_data:
        wrong = f"goes on for {len(unpacker.unused_data)} bytes behind its end" if unpacker.eof else "ends too early"
        raise InputError(f"The body must be packed as {encoding!r}, as its header says. It {wrong}.")
    return unpacked
