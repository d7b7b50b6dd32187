"""The runtime: runs a bundle on ONNX Runtime with NumPy alone; needs neither Keras nor TensorFlow.

`Bundle` reads and checks what the exporter wrote.
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
        "tensor_spec": ["StateSpec", "TensorSpec"],
    },
)
