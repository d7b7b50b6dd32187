"""The errors of the runtime: one small tree, so that a caller can catch as widely or as narrowly as it needs."""


class ServingError(Exception):
    """Something went wrong while loading or running a bundle; the root of every error the runtime raises itself."""


class BundleError(ServingError):
    """The bundle cannot be used: missing, damaged, foreign, or written by a newer version."""


class InputError(ServingError, ValueError):
    """The inputs do not suit the graph. The message names the input, what it takes, what came and how to mend it."""


class NotFound(ServingError):
    """There is no model, version or graph of that name. The message lists those that there are, or says how to ask."""


class Overloaded(ServingError):
    """More is waiting than is worth waiting for.

    Attributes:
        retry_after_seconds: When it is worth another try.
    """

    def __init__(self, message: str, retry_after_seconds: float):
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DeadlineExceeded(ServingError):
    """The answer was not there in the time that the caller gave it."""


class Unavailable(ServingError):
    """Not now: the model is being taken away, or the server is shutting down."""


def listed(names) -> str:
    """Names for a message: quoted and in their own order, or a word that says there are none.

    >>> listed(["words", "characters"])
    "'words', 'characters'"
    >>> listed([])
    'none'
    """
    return ", ".join(repr(name) for name in names) or "none"
