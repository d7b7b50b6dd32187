"""Who may ask: bearer tokens."""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import parse_qs

_OPEN = frozenset({"/", "/docs", "/favicon.ico"})
_OPEN_BELOW = ("/page/", "/v2/health/")


class Access:
    """Tells whether a request may be answered.

    Whether the server lives and is ready, and the files of the page, are nobody's secret: those who watch over the
    server and browsers that open a page send no token. Everything else needs one, if there are any.

    Args:
        tokens: The tokens that are accepted; none: everybody may ask.

    Example:
        >>> access = Access(["s3cret"])
        >>> access.allows("/v2/models/tagger/infer", b"Bearer s3cret"), access.allows("/metrics", b"Bearer other")
        (True, False)
        >>> access.allows("/v2/health/ready", None)
        True
    """

    def __init__(self, tokens: Iterable[str]):
        self._digests = [_digest(token.encode()) for token in tokens]

    @property
    def required(self) -> bool:
        """Whether there are tokens at all."""
        return bool(self._digests)

    def allows(self, path: str, authorization: bytes | None, query: bytes = b"") -> bool:
        """Whether a request may be answered.

        Args:
            path: The path that is asked for.
            authorization: The header `Authorization`, if there is one.
            query: The query string, which may hold a `token`: for WebSockets, as browsers cannot give those a header.
                Do not pass it for other requests: addresses end up in logs.
        """
        if not self._digests or _is_open(path):
            return True
        scheme, _, token = (authorization or b"").partition(b" ")
        if scheme.lower() != b"bearer":
            token = parse_qs(query).get(b"token", [b""])[0]
        # Digests are of one length and every one is looked at, so the time taken says nothing of how near a guess was.
        digest = _digest(token.strip())
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def _is_open(path: str) -> bool:
    if path in _OPEN or path.startswith(_OPEN_BELOW):
        return True
    return path.startswith("/v2/models/") and path.endswith("/ready")


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()
