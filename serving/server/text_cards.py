"""What each loaded model does with text, for the page and for whoever asks `GET /v1/models`."""

from collections.abc import Callable

from keras_seq.serving.server.repository import ModelRepository
from keras_seq.serving.server.served_model import ServedModel
from keras_seq.serving.server.text_bodies import ModelCard, TaskCard
from keras_seq.serving.server.text_model import TextModel


def model_cards(
    repository: ModelRepository, look_up: Callable[[str, str | None], tuple[ServedModel, TextModel]]
) -> list[ModelCard]:
    """A card for each model that is ready, by name.

    Args:
        repository: The models.
        look_up: Finds a model, as `text_routes` does.
    """
    versions: dict[str, list[str]] = {}
    for served in repository.models:
        versions.setdefault(served.name, []).append(served.version)
    return [_card(versions[name], *look_up(name, None)) for name in sorted(versions)]


def _card(versions: list[str], served: ServedModel, model: TextModel) -> ModelCard:
    return ModelCard(
        name=served.name,
        version=served.version,
        versions=sorted(versions, key=int),
        examples=model.examples,
        tasks=[TaskCard(**task.card()) for task in model.tasks.values()],
    )
