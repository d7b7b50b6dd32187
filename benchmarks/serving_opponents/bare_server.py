"""HTTP alone: reads the protocol's binary form, computes nothing, answers zeros. `python bare_server.py BUNDLE PORT`.

A bare ASGI application without framework, checks or batching: more than this gives, no server on uvicorn can.
"""

import json
import sys

import numpy as np
import uvicorn

from keras_seq.serving import Bundle


class Application:
    """Answers every request with zeros, of the shape that the bundle's first output would have."""

    def __init__(self, bundle: str):
        (self._output, *_) = Bundle.load(bundle).graph("model").outputs

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        if scope["method"] == "GET":
            await _answer(send, b"", b"")
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        size = int(dict(scope["headers"])[b"inference-header-content-length"])
        tensors, start = {}, size
        for tensor in json.loads(body[:size])["inputs"]:
            end = start + tensor["parameters"]["binary_data_size"]
            tensors[tensor["name"]] = np.frombuffer(body[start:end], np.int32).reshape(tensor["shape"])
            start = end
        shape = (*next(iter(tensors.values())).shape[:2], *self._output.shape[2:])
        data = np.zeros(shape, np.float32).tobytes()
        output = {"name": self._output.name, "shape": shape, "parameters": {"binary_data_size": len(data)}}
        await _answer(send, json.dumps({"outputs": [output]}).encode(), data)


async def _answer(send, head: bytes, data: bytes):
    headers = [(b"content-length", str(len(head) + len(data)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": head + data})


if __name__ == "__main__":
    uvicorn.run(Application(sys.argv[1]), port=int(sys.argv[2]), log_level="warning", access_log=False)
