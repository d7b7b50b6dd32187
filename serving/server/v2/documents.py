"""What OpenAPI says of the protocol's requests and answers.

The routes read requests themselves, which is faster; so what they take is written down here.
"""

from typing import Any

from pydantic import BaseModel, Field, JsonValue

from keras_seq.serving.server.v2.datatypes import BYTES, NUMBERS

TAG = "Open Inference Protocol v2"
"""The heading of these routes."""

_DATATYPES = [*NUMBERS, BYTES]
_HEADER = "Inference-Header-Content-Length"


class ServerLive(BaseModel):
    """The server answers."""

    live: bool


class ServerReady(BaseModel):
    """There are models to ask."""

    ready: bool


class ServerMetadata(BaseModel):
    """What the server is."""

    name: str
    version: str
    extensions: list[str] = Field(description="Names of Triton's extensions of the protocol that it has.")


class ModelReady(BaseModel):
    """The model can be asked."""

    name: str
    ready: bool


class TensorMetadata(BaseModel):
    """One tensor of a model."""

    name: str
    datatype: str = Field(json_schema_extra={"enum": _DATATYPES})
    shape: list[int] = Field(description="-1 for sizes that vary.")


class OptionMetadata(BaseModel):
    """One option of a model, which goes into a request's `parameters`."""

    datatype: str = Field(json_schema_extra={"enum": _DATATYPES})
    default: bool | int | float
    minimum: bool | int | float | None
    maximum: bool | int | float | None


class ModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str
    versions: list[str] = Field(description="Those that can be asked for; the last answers where none is named.")
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: dict[str, OptionMetadata] = Field(description="The model's options.")


class ModelIndexEntry(BaseModel):
    """How one version of a model stands."""

    name: str
    version: str
    state: str = Field(json_schema_extra={"enum": ["READY", "LOADING", "UNAVAILABLE"]})
    reason: str = Field(description="Why it is in this state; empty where it is ready.")


class OutputTensor(BaseModel):
    """One tensor of an answer."""

    name: str
    datatype: str = Field(json_schema_extra={"enum": _DATATYPES})
    shape: list[int]
    data: list[JsonValue] = Field(None, description="The values, flat in row-major order; not for binary data.")
    parameters: dict[str, int] = Field(None, description="`binary_data_size`, for binary data.")


class InferAnswer(BaseModel):
    """The answer to an inference request."""

    model_name: str
    model_version: str
    id: str = Field(None, description="That of the request, if it had one.")
    outputs: list[OutputTensor]


INFER_ANSWER: dict[str, Any] = {
    "model": InferAnswer,
    "description": "The outputs. As binary data they stand behind the JSON, in its order.",
    "headers": {_HEADER: {"description": "Bytes of the JSON, with binary data.", "schema": {"type": "integer"}}},
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
"""The answer of the routes of inference."""

_NAME = {"type": "string", "minLength": 1}
_DATA = {
    "type": "array",
    "description": "Values, flat in row-major order, or in lists nested as the shape says.",
    "items": {"anyOf": [{"type": kind} for kind in ("number", "boolean", "string", "array")]},
}
_INPUT = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": _NAME,
        "shape": {"type": "array", "maxItems": 32, "items": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}},
        "datatype": {"type": "string", "enum": _DATATYPES},
        "data": _DATA,
        "parameters": {
            "type": "object",
            "properties": {"binary_data_size": {"type": "integer", "minimum": 0}},
        },
    },
}
_OUTPUT = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": _NAME,
        "parameters": {
            "type": "object",
            "properties": {
                "binary_data": {"type": "boolean"},
                "classification": {
                    "type": "integer",
                    "minimum": 0,
                    "description": "So many of the best classes, as strings `value:index:label`, in place of scores.",
                },
            },
        },
    },
}
_REQUEST = {
    "title": "InferRequest",
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string", "description": "Comes back with the answer."},
        "inputs": {"type": "array", "minItems": 1, "items": _INPUT},
        "outputs": {"type": "array", "items": _OUTPUT, "description": "Those that are wanted; by default all."},
        "parameters": {
            "type": "object",
            "properties": {
                "timeout": {"type": "integer", "minimum": 0, "description": "Microseconds that it may take."},
                "binary_data_output": {"type": "boolean", "description": "All outputs as binary data."},
            },
            "additionalProperties": {
                "anyOf": [{"type": "number"}, {"type": "boolean"}],
                "description": "Options of the model, which its metadata lists.",
            },
        },
    },
    "example": {
        "inputs": [{"name": "words", "datatype": "INT32", "shape": [1, 3], "data": [4, 8, 15]}],
        "outputs": [{"name": "tags"}],
    },
}

INFER: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"JSON; or JSON and binary data behind it, with the JSON's bytes in the header {_HEADER}.",
        "content": {
            "application/json": {"schema": _REQUEST},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
"""The body that the routes of inference take."""


def path_parameters(version: bool) -> list[dict[str, Any]]:
    """The parameters in the address of a model.

    Args:
        version: Whether it names a version.
    """
    model = {"description": "A model, or one of its signatures: `tagger`, `tagger.text`.", "schema": _NAME}
    named = [{"name": "model_name", "in": "path", "required": True, **model}]
    if version:
        named.append({"name": "model_version", "in": "path", "required": True, "schema": _NAME})
    return named


def infer_parameters(version: bool) -> list[dict[str, Any]]:
    """The parameters of a route of inference: those of the address, and headers.

    Args:
        version: Whether the address names a version.
    """
    size = {"description": "Bytes of the JSON, with binary data.", "schema": {"type": "integer", "minimum": 0}}
    seconds = {"description": "Seconds that it may take.", "schema": {"type": "number", "exclusiveMinimum": 0}}
    return [
        *path_parameters(version),
        {"name": _HEADER, "in": "header", "required": False, **size},
        {"name": "X-Timeout-Seconds", "in": "header", "required": False, **seconds},
    ]


def json_body(properties: dict[str, Any]) -> dict[str, Any]:
    """A body that may be left out.

    Args:
        properties: Those of the JSON object.
    """
    schema = {"type": "object", "properties": properties}
    return {"requestBody": {"required": False, "content": {"application/json": {"schema": schema}}}}
