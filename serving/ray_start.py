"""Ray, where it is installed: imported late, joined or started quietly."""

import contextlib
import importlib
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

from keras_seq.serving.errors import ServingError

_OBJECT_STORE_BYTES = 256 * 2**20  # what goes through it is small; Ray would take a third of the memory


def import_ray(module: str = "ray") -> Any:
    """Ray, or a module of it.

    Args:
        module: Its full name.

    Raises:
        ServingError: It is not installed; with the line that installs it.
    """
    # Before the import, after which it would be too late: nobody has been asked whether figures may be sent.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of Ray's own use of Pydantic
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "ray":
            raise
        raise ServingError(
            "this needs Ray, which is not installed. Install it with: pip install 'keras_seq[ray]'"
        ) from error


@contextlib.contextmanager
def ray_running(address: str | None = None, num_cpus: int | None = None) -> Iterator[Any]:
    """Within: a Ray that runs. One that this starts or joins is left again at the end; one that ran before stays.

    Args:
        address: Of a cluster to join, as `ray.init` takes it; by default that of the environment variable
            `RAY_ADDRESS`, and without it a Ray on this machine.
        num_cpus: How many processors a Ray on this machine may use; by default as many as there are.

    Yields:
        The module `ray`.

    Raises:
        ServingError: Ray is not installed, or there is no such cluster.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    address = address or os.environ.get("RAY_ADDRESS")
    local = {"num_cpus": num_cpus, "object_store_memory": _OBJECT_STORE_BYTES, "include_dashboard": False}
    try:
        ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **({} if address else local))
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        where = f"the cluster at {address} cannot be joined" if address else "Ray cannot be started here"
        raise ServingError(f"{where}: {str(error).strip()[:300]}") from error
    try:
        yield ray
    finally:
        ray.shutdown()
