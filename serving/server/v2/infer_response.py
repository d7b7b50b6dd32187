"""An answer as the protocol writes it: JSON, and the binary data behind it."""

from collections.abc import Sequence

import numpy as np
from fastapi import Response

from keras_seq.serving.server.v2.binary_data import write_binary
from keras_seq.serving.server.v2.datatypes import datatype_of_array
from keras_seq.serving.server.v2.json_data import encode_json, write_data

JSON, BINARY = "application/json", "application/octet-stream"


def write_response(
    model: str, version: str, request_id: str | None, outputs: Sequence[tuple[str, np.ndarray, bool]]
) -> Response:
    """The response to an inference request.

    Args:
        model: What was asked.
        version: The version that answered.
        request_id: The caller's own name for the request; None where it had none.
        outputs: Name, array and whether it goes as binary data, of each output.

    Raises:
        InputError: If an output that goes as JSON holds NaN or infinity.
    """
    tensors, binary = [], []
    for name, array, as_binary in outputs:
        tensor = f'"name":{encode_json(name)},"datatype":"{datatype_of_array(array)}","shape":{list(array.shape)}'
        if as_binary:
            data = write_binary(array)
            binary.append(data)
            tensors.append(f'{{{tensor},"parameters":{{"binary_data_size":{len(data)}}}}}')
        else:
            tensors.append(f'{{{tensor},"data":{write_data(array, name)}}}')
    own = "" if request_id is None else f'"id":{encode_json(request_id)},'
    head = f'"model_name":{encode_json(model)},"model_version":{encode_json(version)}'
    text = f'{{{head},{own}"outputs":[{",".join(tensors)}]}}'.encode()
    if not binary:
        return Response(text, media_type=JSON)
    return Response(
        b"".join([text, *binary]), media_type=BINARY, headers={"Inference-Header-Content-Length": str(len(text))}
    )
