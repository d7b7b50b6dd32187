"""The runtime: runs a bundle on ONNX Runtime with NumPy alone; needs neither Keras nor TensorFlow.

`Predictor` runs whole sequences, `Stream` takes them chunk by chunk, `Generator` gives the hypotheses of an
encoder-decoder, `Bundle` reads what a bundle says of itself, `share_threads` puts all sessions on one pool of threads.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "batching": ["Batcher"],
        "bundle": ["Bundle"],
        "errors": [
            "BundleError",
            "DeadlineExceeded",
            "InputError",
            "NotFound",
            "Overloaded",
            "ServingError",
            "Unavailable",
        ],
        "file_spec": ["FileSpec"],
        "generated_token": ["GeneratedToken"],
        "generator": ["Generator"],
        "graph_spec": ["GraphSpec"],
        "hypothesis": ["Hypothesis"],
        "manifest": ["Manifest"],
        "option_spec": ["OptionSpec"],
        "predictor": ["Predictor"],
        "served_stream": ["ServedStream"],
        "stream": ["Stream"],
        "stream_batch": ["StreamBatch"],
        "tensor_spec": ["StateSpec", "TensorSpec"],
        "text_spec": ["TextSpec", "TokenizerSpec"],
        "thread_pool": ["share_threads"],
        "variant_spec": ["VariantSpec"],
    },
)
