"""How servers say that nobody is there any more to send to."""


def is_gone(error: OSError | RuntimeError) -> bool:
    """Whether what an ASGI server raised on sending means that the client left.

    Args:
        error: What was raised.

    Example:
        >>> is_gone(BrokenPipeError()), is_gone(RuntimeError("Response content longer than Content-Length"))
        (True, False)
    """
    # uvloop's way to say it, in the moment before the connection is reported lost.
    return isinstance(error, OSError) or "handler is closed" in str(error)
