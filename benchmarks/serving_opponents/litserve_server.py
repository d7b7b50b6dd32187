"""LitServe with its batching switched on: `python litserve_server.py BUNDLE PORT`."""

import sys

import litserve
import numpy as np

from keras_seq.serving import Predictor

MAX_BATCH_SIZE, BATCH_SECONDS, WORKERS = 8, 0.001, 2  # the best of those tried, see docs/serving.md


class PredictorAPI(litserve.LitAPI):
    """Rows of differing lengths in one call: the predictor pads them and cuts the answers."""

    def __init__(self, bundle: str, **options):
        super().__init__(**options)
        self._bundle = bundle

    def setup(self, device):
        self._predictor = Predictor(self._bundle, num_threads=1)

    def decode_request(self, request):
        return {name: np.array(value) for name, value in request.items()}

    def batch(self, inputs):
        return {name: [one[name] for one in inputs] for name in inputs[0]}

    def predict(self, batch):
        return self._predictor.predict(batch)

    def unbatch(self, output):
        names = list(output)
        return [dict(zip(names, rows, strict=True)) for rows in zip(*output.values(), strict=True)]

    def encode_response(self, output):
        return {name: value.tolist() for name, value in output.items()}


if __name__ == "__main__":
    api = PredictorAPI(sys.argv[1], max_batch_size=MAX_BATCH_SIZE, batch_timeout=BATCH_SECONDS)
    server = litserve.LitServer(api, accelerator="cpu", devices=1, workers_per_device=WORKERS)
    server.run(port=int(sys.argv[2]), generate_client_file=False, log_level="warning", access_log=False)
