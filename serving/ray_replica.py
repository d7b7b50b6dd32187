"""One replica of the server under Ray Serve."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from keras_seq.serving.errors import InputError, ServingError
from keras_seq.serving.ray_start import import_ray
from keras_seq.serving.server.repository import ModelRepository
from keras_seq.serving.server.settings import ServerSettings


class RayReplica:
    """The application in a process of Ray Serve: made there, at its first call, as models cannot travel.

    Args:
        bundles: Name to folder of each bundle.
        folder: The model folder, if there is one.
        settings: Of the server.
    """

    _here: ClassVar["RayReplica | None"] = None  # Ray Serve gives each replica a process of its own

    def __init__(self, bundles: Mapping[str, str], folder: Path | None, settings: ServerSettings):
        self._bundles, self._folder, self._settings = dict(bundles), folder, settings
        self._app: Any = None
        self._repository: ModelRepository | None = None
        self._name = b""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any):
        """Serve a request, as ASGI has it."""
        if self._app is None:
            self._make()
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def named(message: dict[str, Any]):
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"x-replica", self._name)]}
            await send(message)

        await self._app(scope, receive, named)

    def _make(self):
        from keras_seq.serving.server.app import create_app

        self._repository = _FixedRepository(self._bundles, self._folder, settings=self._settings)
        self._app = create_app(self._repository)
        self._name = import_ray("ray.serve").get_replica_context().replica_id.unique_id.encode()
        RayReplica._here = self

    @classmethod
    def check_health(cls):
        """Looks after the replica in this process.

        Raises:
            ServingError: If it has no model that can be asked; with the reasons.
        """
        here = cls._here
        if here is None or here._repository.ready:
            return
        reasons = "; ".join(f"{state.name}: {state.reason}" for state in here._repository.index())
        raise ServingError(f"No model can be asked. {reasons}")


class _FixedRepository(ModelRepository):
    """Models that stay as they were at the start: of several replicas, a request reaches one and changes that alone."""

    _started = False

    async def load_all(self):
        """Load every model that there is."""
        await super().load_all()
        self._started = True

    async def load(self, name: str):
        """Load a model, at the start.

        Raises:
            InputError: Later.
        """
        if self._started:
            self._refuse(name)
        await super().load(name)

    async def unload(self, name: str):
        """Refuse to.

        Raises:
            InputError: Always.
        """
        self._refuse(name)

    def _refuse(self, name: str):
        raise InputError(
            f"Model {name!r} is served by several replicas, and this would change one of them alone. Deploy the "
            "application anew, with the models that it is to have: `serve deploy`, or `serve run` again."
        )
