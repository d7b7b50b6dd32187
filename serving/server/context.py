"""What every route of the server needs."""

from dataclasses import dataclass, field
from typing import Any

from keras_seq.serving.server.repository import ModelRepository
from keras_seq.serving.server.settings import ServerSettings
from keras_seq.serving.server.traffic import Traffic


@dataclass(frozen=True)
class Context:
    """One server's parts.

    Attributes:
        settings: Limits, threads and batching.
        repository: The models.
        metrics: What is counted.
        traffic: Who is being served, and whether others are let in.
    """

    settings: ServerSettings
    repository: ModelRepository
    metrics: Any
    traffic: Traffic = field(default_factory=Traffic)
