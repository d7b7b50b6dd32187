"""The runtime: runs a bundle on ONNX Runtime with NumPy alone; needs neither Keras nor TensorFlow.

`Predictor` runs whole sequences, `Stream` takes them chunk by chunk, `Bundle` reads what a bundle says of itself.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bundle": ["Bundle"],
        "errors": ["BundleError", "InputError", "ServingError"],
        "file_spec": ["FileSpec"],
        "graph_spec": ["GraphSpec"],
        "manifest": ["Manifest"],
        "predictor": ["Predictor"],
        "stream": ["Stream"],
        "tensor_spec": ["StateSpec", "TensorSpec"],
    },
)
