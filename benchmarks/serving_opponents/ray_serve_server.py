"""Ray Serve with `@serve.batch`, as its users write it: `python ray_serve_server.py BUNDLE PORT`."""

import sys
import threading

import numpy as np
import ray
from ray import serve

from keras_seq.serving import Predictor

MAX_BATCH_SIZE, BATCH_SECONDS, REPLICAS = 8, 0.001, 2


@serve.deployment(num_replicas=REPLICAS, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0.5})
class Tagger:
    """One replica: a predictor, and a queue before it."""

    def __init__(self, bundle: str):
        self._predictor = Predictor(bundle, num_threads=1)

    @serve.batch(max_batch_size=MAX_BATCH_SIZE, batch_wait_timeout_s=BATCH_SECONDS)
    async def _predict(self, inputs: list[dict]) -> list[dict]:
        answer = self._predictor.predict({name: [np.array(one[name]) for one in inputs] for name in inputs[0]})
        return [{name: rows[i].tolist() for name, rows in answer.items()} for i in range(len(inputs))]

    async def __call__(self, request) -> dict:
        if request.method == "GET":  # is it there yet?
            return {}
        return await self._predict(await request.json())


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(Tagger.bind(sys.argv[1]), route_prefix="/predict")
    threading.Event().wait()
