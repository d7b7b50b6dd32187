"""Requests and answers of the protocol, put together and taken apart by hand."""

import json
import struct

import numpy as np

SIZES = {"BOOL": 1, "INT8": 1, "INT16": 2, "INT32": 4, "INT64": 8, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8}
SIZES |= {"FP16": 2, "FP32": 4, "FP64": 8}
DTYPES = {"BOOL": "?", "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "u1", "UINT16": "<u2"}
DTYPES |= {"UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}


def tensor(name: str, datatype: str, values, shape=None) -> dict:
    """An input with its values in the JSON."""
    values = np.asarray(values)
    return {
        "name": name,
        "datatype": datatype,
        "shape": list(values.shape if shape is None else shape),
        "data": values.ravel().tolist(),
    }


def strings(texts: list[bytes]) -> bytes:
    """Texts as binary data."""
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def binary_request(inputs: list[tuple[str, str, list[int], bytes]], **fields) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request with binary data: name, datatype, shape and bytes of each input."""
    tensors = [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(data)}}
        for name, datatype, shape, data in inputs
    ]
    head = json.dumps({"inputs": tensors, **fields}).encode()
    return head + b"".join(data for *_, data in inputs), {"Inference-Header-Content-Length": str(len(head))}


def read_answer(response) -> dict[str, np.ndarray]:
    """The outputs of an answer, whichever way they came."""
    size = response.headers.get("Inference-Header-Content-Length")
    size = len(response.content) if size is None else int(size)
    head, data = json.loads(response.content[:size]), response.content[size:]
    outputs = {}
    for output in head["outputs"]:
        if "data" in output:
            array = np.array(output["data"], DTYPES.get(output["datatype"], object))
        else:
            length = output["parameters"]["binary_data_size"]
            own, data = data[:length], data[length:]
            array = np.frombuffer(own, DTYPES[output["datatype"]]) if output["datatype"] in DTYPES else _texts(own)
        outputs[output["name"]] = array.reshape(output["shape"])
    assert not data
    return outputs


def _texts(data: bytes) -> np.ndarray:
    texts = []
    while data:
        (length,) = struct.unpack("<I", data[:4])
        texts.append(data[4 : 4 + length].decode())
        data = data[4 + length :]
    return np.array(texts, object)
