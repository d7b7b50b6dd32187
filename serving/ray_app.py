"""The server as a Ray Serve application: the same routes, batching and limits, in as many replicas as are wanted.

```text
serve run keras_seq.serving.ray_app:build bundle=out/tagger replicas=2
```
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from keras_seq.serving.bundle import Bundle
from keras_seq.serving.errors import InputError, ServingError
from keras_seq.serving.ray_replica import RayReplica
from keras_seq.serving.ray_start import import_ray
from keras_seq.serving.server.settings import ServerSettings

DEPLOYMENT = "keras_seq"
_HEALTH_CHECK_SECONDS = 5.0
_UNUSED = ("host", "port", "max_connections")  # Ray Serve's proxy listens and has its own


class RayAppSettings(BaseModel):
    """What `build` takes: `name=value` on the command line of `serve run`, or `args` of a Serve config file.

    Besides what stands here, every setting of `ServerSettings` may be given by its name, such as
    `max_batch_tokens=4096`; they hold in each replica.

    Attributes:
        bundle: Folders of bundles, with commas between, each `PATH` or `NAME:PATH`; without a name, a model is called
            like its folder.
        folder: A model folder, as `keras-seq serve` takes it, besides or instead.
        replicas: How many replicas there are; with `max_replicas`, how many at least.
        max_replicas: How many replicas there may be; Ray Serve adds and takes away with the load.
        target_ongoing_requests: With `max_replicas`: how many requests each replica is to be busy with.
        max_ongoing_requests: How many requests a replica takes at a time, WebSockets among them; the rest wait in the
            proxy.
        max_queued_requests: How many may wait in each proxy; those beyond are answered with 503.
        num_cpus: Processors that Ray sets aside for a replica, and calls of a graph at a time, unless `workers` says
            otherwise.
    """

    model_config = ConfigDict(extra="allow")

    bundle: str = ""
    folder: str = ""
    replicas: int = Field(1, ge=1)
    max_replicas: int | None = Field(None, ge=1)
    target_ongoing_requests: float = Field(16.0, gt=0)
    max_ongoing_requests: int = Field(256, ge=1)
    max_queued_requests: int = Field(1024, ge=1)
    num_cpus: float = Field(1.0, gt=0)

    def bundles(self) -> dict[str, Path]:
        """Name to folder of the bundles.

        Raises:
            InputError: If a name comes twice.
        """
        found: dict[str, Path] = {}
        for text in filter(None, (part.strip() for part in self.bundle.split(","))):
            name, colon, path = text.partition(":")
            folder = Path(path if colon else text).resolve()
            name = name if colon else folder.name
            if name in found:
                raise InputError(f"`bundle` names {name!r} twice. Give each a name of its own: NAME:PATH.")
            found[name] = folder
        return found

    def server_settings(self) -> ServerSettings:
        """The settings of each replica's server.

        Raises:
            InputError: If there is no such setting, or a value does not suit.
        """
        given: dict[str, Any] = dict(self.model_extra or {})
        valid = [name for name in ServerSettings.__dataclass_fields__ if name not in _UNUSED]
        for name in given:
            if name not in valid:
                own = list(type(self).model_fields)
                raise InputError(f"There is no setting {name!r}. Valid names: {', '.join([*own, *valid])}.")
        given.setdefault("workers", max(1, int(self.num_cpus)))
        try:
            return TypeAdapter(ServerSettings).validate_python(given)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(f"{where or 'A setting'}: {first['msg']}. Received: {first['input']!r}.") from None


def build(settings: RayAppSettings) -> Any:
    """Makes the application, for `serve run`, a Serve config file, or `ray.serve.run`.

    Replicas are alike and know nothing of one another, so a route that would change the models of one of them alone is
    refused: models are changed by deploying anew. Streams live in the replica that the WebSocket is connected to. Each
    answer says in the header `X-Replica` whose it is; `/metrics` and `/v2/repository/index` speak of that one alone.

    Args:
        settings: What to serve, and how.

    Returns:
        A Ray Serve application.

    Raises:
        ServingError: If Ray is not installed, or there is nothing to serve.
        BundleError: If a bundle is no use.
        InputError: If a setting does not suit.

    Example:
        ```python
        from ray import serve

        serve.run(build(RayAppSettings(bundle="out/tagger", replicas=2)))
        ```
    """
    if isinstance(settings, Mapping):
        settings = RayAppSettings.model_validate(settings)
    bundles, server = settings.bundles(), settings.server_settings()
    folder = Path(settings.folder).resolve() if settings.folder else None
    if not bundles and folder is None:
        raise ServingError("There is nothing to serve. Give bundle=PATH, or folder=PATH.")
    if folder is not None and not folder.is_dir():
        raise ServingError(f"The model folder {folder} is no folder. Make it, or name another.")
    for path in bundles.values():
        Bundle.load(path)
    if settings.max_replicas is not None and settings.max_replicas < settings.replicas:
        raise InputError(
            f"`max_replicas` must be at least replicas={settings.replicas}. Received: {settings.max_replicas}."
        )
    serve = import_ray("ray.serve")
    scale: dict[str, Any] = {"num_replicas": settings.replicas}
    if settings.max_replicas is not None:
        scale = {
            "autoscaling_config": {
                "min_replicas": settings.replicas,
                "max_replicas": settings.max_replicas,
                "target_ongoing_requests": settings.target_ongoing_requests,
            }
        }
    replica = RayReplica({name: str(path) for name, path in bundles.items()}, folder, server)
    deployment = serve.deployment(
        name=DEPLOYMENT,
        max_ongoing_requests=settings.max_ongoing_requests,
        max_queued_requests=settings.max_queued_requests,
        ray_actor_options={"num_cpus": settings.num_cpus},
        health_check_period_s=_HEALTH_CHECK_SECONDS,
        graceful_shutdown_wait_loop_s=0.5,
        graceful_shutdown_timeout_s=server.drain_seconds,
        **scale,
    )
    return deployment(serve.ingress(replica)(_Health)).bind()


class _Health:
    """What Ray Serve asks of a replica besides requests."""

    def check_health(self):
        """Raises where there is nothing to ask: Ray Serve then puts another replica in the place of this one."""
        RayReplica.check_health()
