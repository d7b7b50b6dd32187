"""What every route of the server needs."""

from dataclasses import dataclass
from typing import Any

from keras_seq.serving.server.repository import ModelRepository
from keras_seq.serving.server.settings import ServerSettings


@dataclass(frozen=True)
class Context:
    """One server's parts.

    Attributes:
        settings: Limits, threads and batching.
        repository: The models.
        metrics: What is counted.
    """

    settings: ServerSettings
    repository: ModelRepository
    metrics: Any
