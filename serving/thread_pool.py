"""One pool of threads for all sessions of a process, for programs that run several sessions in turn."""

import os
import threading
from dataclasses import dataclass

import onnxruntime as ort

from keras_seq.serving.cpu_quota import cpu_quota
from keras_seq.serving.errors import ServingError


@dataclass(frozen=True)
class SharedPool:
    """The pool of this process.

    Attributes:
        num_threads: How many threads a call has, the caller's included; None where another library made the pool.
        process: Id of the process it was made in: threads do not survive a fork.
    """

    num_threads: int | None
    process: int


_lock = threading.Lock()
_pool: SharedPool | None = None


def share_threads(num_threads: int | None = None) -> bool:
    """Put all sessions that this process makes from now on on one pool of threads.

    By default each session has a pool of its own, whose threads sleep 100 µs after a call. On a busy machine it takes
    long to wake them, which counts where a program calls several sessions in turn many times, such as an encoder and a
    decoder's step. The threads of one pool are there for all.

    It is not the default, because it is a decision about the whole process that cannot be taken back: ONNX Runtime then
    refuses every session that wants threads of its own, **those of other libraries too** (they must set
    `SessionOptions.use_per_session_threads = False`), and `num_threads` of `Predictor` and `Stream` can only be left
    out. And the threads of the one pool spin for some 40 ms after each call before they sleep. docs/runtime.md has the
    measurements. Call it at the program's start, in each worker process, after any fork. Sessions made before it keep
    their threads. Any number of threads may call it; the first call counts.

    Args:
        num_threads: Threads for one call, the caller's included; by default as many as the process may use.

    Returns:
        True, or False where this ONNX Runtime (1.17, for one) has no such pool to offer Python: sessions keep pools of
        their own then, and nothing else changes.

    Raises:
        ServingError: If `num_threads` is no positive integer, the pool is there with another number of threads, or this
            ONNX Runtime wants to be told before the first session is made, and one was.

    Example:
        ```python
        share_threads()
        scores, hypotheses = Predictor("out/dates"), Predictor("out/dates", graph="generate")
        ```
    """
    global _pool
    check_num_threads(num_threads)
    make_pool = getattr(ort, "set_global_thread_pool_sizes", None)
    if make_pool is None:
        return False
    with _lock:
        if _pool is None:
            size = num_threads or cpu_quota()
            try:
                make_pool(size, 1)
            except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
                raise ServingError(
                    f"ONNX Runtime {ort.__version__} made no pool of threads to share: {error} Call share_threads() "
                    "once, before anything else in this process makes a session or such a pool."
                ) from error
            _pool = SharedPool(size, os.getpid())
        elif num_threads not in (None, _pool.num_threads):
            raise ServingError(
                f"The sessions of this process share a pool of {_pool.num_threads or 'unknown'} threads already, which "
                f"cannot be changed. Received: num_threads={num_threads}."
            )
    return True


def check_num_threads(num_threads: int | None):
    """Refuse what is no number of threads.

    Raises:
        ServingError: If it is neither a positive integer nor None.
    """
    if num_threads is not None and (not isinstance(num_threads, int) or num_threads < 1):
        raise ServingError(f"`num_threads` must be a positive integer or None. Received: {num_threads!r}.")


def shared_pool() -> SharedPool | None:
    """The pool that sessions of this process must use; None where each has its own.

    Raises:
        ServingError: If the pool was made before this process was forked off.
    """
    if _pool is not None and _pool.process != os.getpid():
        raise ServingError(
            "share_threads() was called before this process was forked, and threads do not survive a fork. Start "
            "worker processes first, or with multiprocessing's 'spawn', and call share_threads() in each of them."
        )
    return _pool


def adopt_pool(error: BaseException | None) -> SharedPool | None:
    """The pool that another library has made, if that is why ONNX Runtime refused a session with its own threads.

    Args:
        error: What ONNX Runtime raised.

    Returns:
        The pool, which is this process's from now on; None if the session was refused for another reason.
    """
    global _pool
    if "use_per_session_threads must be false" not in str(error):
        return None
    with _lock:
        _pool = _pool or SharedPool(None, os.getpid())
        return _pool
