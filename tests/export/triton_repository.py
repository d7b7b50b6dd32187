"""A model repository on disk, as Triton reads it: with Triton's own description of `config.pbtxt`, and ONNX Runtime."""

import importlib.util
from pathlib import Path

import onnx
import onnxruntime
import pytest
from google.protobuf import text_format


def model_config_module():
    """Triton's `model_config.proto`, as its client has it; without the rest of that package, which wants gRPC."""
    found = importlib.util.find_spec("tritonclient")
    if found is None:
        pytest.skip("tritonclient is not installed: pip install 'keras_seq[dev]'")
    path = Path(found.submodule_search_locations[0]) / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Repository:
    """A model repository on disk, read as Triton reads it."""

    def __init__(self, folder):
        self.folder, self.pb = folder / "triton", model_config_module()
        self.names = sorted(path.name for path in self.folder.iterdir())

    def config(self, name):
        text = (self.folder / name / "config.pbtxt").read_text(encoding="utf-8")
        return text_format.Parse(text, self.pb.ModelConfig())

    def type_name(self, value):
        return self.pb.DataType.Name(value)

    def graph(self, name):
        return onnx.load(self.folder / name / "1" / "model.onnx").graph

    def session(self, name):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        path = self.folder / name / "1" / "model.onnx"
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def ask(self, name, **feeds):
        session = self.session(name)
        outputs = [output.name for output in session.get_outputs()]
        return dict(zip(outputs, session.run(outputs, feeds), strict=True))
