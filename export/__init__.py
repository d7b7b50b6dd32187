"""From a trained Keras model to a verified bundle: native ONNX graphs, a SavedModel, a manifest."""

import lazy_loader

from keras_seq._extras import naming_extra

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["lowering"],
    submod_attrs={
        "errors": ["ExportError", "MetricDropError", "NotNativeError", "ParityError", "StreamingError"],
        "explain": ["Explanation", "LayerExplanation", "explain"],
        "export_model": ["export_model"],
        "parity": ["Parity", "Tolerance"],
        "quantization.decision": ["Decision"],
        "quantization.quantization_report": ["QuantizationReport"],
        "report": ["ExportReport"],
        "triton_settings": ["TritonSettings"],
        "verify_bundle": ["verify_bundle"],
    },
)
__getattr__ = naming_extra(__getattr__, "export", ["keras", "onnx", "tensorflow", "tf2onnx"])
