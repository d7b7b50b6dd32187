"""What the routes of plain text take and give, as OpenAPI documents it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from keras_seq.serving.errors import listed
from keras_seq.serving.fields import shorten

_ONE_OF_THE_TWO = {"oneOf": [{"required": ["text"]}, {"required": ["texts"]}]}

Options = Annotated[
    dict[str, JsonValue],
    Field(
        description="Option name to number, for those that are not to have their default; `GET /v1/models` lists them.",
        json_schema_extra={"additionalProperties": {"anyOf": [{"type": "number"}, {"type": "boolean"}]}},
    ),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_ONE_OF_THE_TWO)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, value: Any) -> Any:
        """`extra="forbid"` would name the field, and none of those that there are."""
        unknown = [name for name in value if name not in cls.model_fields] if isinstance(value, dict) else []
        if unknown:
            message = f"there is no field {', '.join(map(shorten, unknown))}. Valid names: {listed(cls.model_fields)}"
            raise PydanticCustomError("unknown_field", "{message}", {"message": message})
        return value

    text: str = Field(None, description="One text. Give it or `texts`.", examples=["The dog barks!"])
    texts: list[str] = Field(None, description="Several texts, each answered by itself.", min_length=1)
    options: Options = {}


class LabelBody(_Body):
    """Texts to tag or to classify."""

    output: str = Field(None, description="Which output is to answer, where several have labels; by default the first.")


class GenerateBody(_Body):
    """Prompts to go on with, or sources."""

    stream: bool = Field(
        False, description="Give each token away as soon as it is chosen, as server-sent events. Takes one `text`."
    )


class TranslateBody(_Body):
    """Sources to translate."""

    stream: bool = Field(False, description="Refused: a translation is searched for and comes whole.")


class _Answer(BaseModel):
    model: str = Field(description="The model's name.")
    version: str = Field(description="The version that answered.")
    seconds: float = Field(description="From the checked request to the answer, waiting included.")


class TaggedToken(BaseModel):
    """A token and its likeliest label."""

    text: str = Field(description="The token as it stands in the text.")
    label: str
    probability: float | None = Field(description="Of that label; null where the model gives labels alone.")


class TaggedText(BaseModel):
    """A text and its tokens."""

    text: str
    tokens: list[TaggedToken]


class TagAnswer(_Answer):
    """Tagged texts, in the order of the request."""

    output: str = Field(description="The output that the labels are of.")
    results: list[TaggedText]


class ClassProbability(BaseModel):
    """A class and how likely it is."""

    label: str
    probability: float | None = Field(description="Null where the model gave no number.")


class ClassifiedText(BaseModel):
    """A text and its class."""

    text: str
    label: str = Field(description="The likeliest class.")
    probability: float | None = Field(description="Of that class; null where the model gives classes alone.")
    probabilities: list[ClassProbability] | None = Field(description="Of all classes, the likeliest first.")


class ClassifyAnswer(_Answer):
    """Classified texts, in the order of the request."""

    output: str = Field(description="The output that the classes are of.")
    results: list[ClassifiedText]


class FoundText(BaseModel):
    """One hypothesis."""

    text: str | None = Field(description="For a prompt, what comes behind it.")
    score: float | None = Field(description="What hypotheses are ranked by.")
    finished: bool = Field(description="False where it was cut at the largest length.")
    tokens: list[str] = Field(description="Its tokens, the end token included.")
    alignment: list[list[float]] | None = Field(
        None, description="How much each token (row) looks at each token of the source (column), where the model says."
    )


class GeneratedTexts(BaseModel):
    """A prompt or source, and its hypotheses."""

    text: str
    tokens: list[str] = Field(description="The tokens of the text, as the model read them.")
    hypotheses: list[FoundText] = Field(description="The best first.")


class GenerateAnswer(_Answer):
    """Hypotheses of each text, in the order of the request."""

    results: list[GeneratedTexts]


class OptionCard(BaseModel):
    """An option of a task."""

    name: str
    dtype: str = Field(description="NumPy name of its type.")
    default: bool | int | float
    minimum: bool | int | float | None
    maximum: bool | int | float | None


class OutputCard(BaseModel):
    """An output with labels."""

    name: str
    labels: list[str]


class TaskCard(BaseModel):
    """A task that a model can do."""

    task: str = Field(description="Also the last part of the address: `POST /v1/{model}/{task}`.")
    outputs: list[OutputCard] = Field(description="Outputs that may answer, the default first.")
    options: list[OptionCard]
    streams: bool = Field(description="Whether `stream` is taken.")
    aligned: bool = Field(description="Whether hypotheses come with an alignment.")
    longest: int | None = Field(description="The most tokens of a text; null for any number that the server takes.")


class ModelCard(BaseModel):
    """A model that is loaded, and what it can do with plain text."""

    name: str
    version: str = Field(description="The one that answers unless told otherwise.")
    versions: list[str] = Field(description="All that are loaded.")
    examples: list[str] = Field(description="Texts to try, where the exporter gave `metadata={'examples': [...]}`.")
    tasks: list[TaskCard] = Field(description="Empty for a model that takes numbers alone.")


class ModelList(BaseModel):
    """Every model that is loaded."""

    models: list[ModelCard]
