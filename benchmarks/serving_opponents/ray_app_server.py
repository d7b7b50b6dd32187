"""Our own application on Ray Serve, two replicas: `python ray_app_server.py BUNDLE PORT`."""

import sys
import threading

import ray
from ray import serve

from keras_seq.serving.ray_app import RayAppSettings, build

REPLICAS = 2

if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(build(RayAppSettings(bundle=sys.argv[1], replicas=REPLICAS)), route_prefix="/")
    threading.Event().wait()
