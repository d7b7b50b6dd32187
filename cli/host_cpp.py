"""A graph in C++, with the header `onnxruntime_cxx_api.h`."""

from textwrap import indent

from keras_seq.cli.host_graph import HostGraph

_TYPES = {"float32": "float", "float64": "double", "int32": "int32_t", "int64": "int64_t", "bool": "uint8_t"}
_HELPERS = {
    "tensor": """
template <typename T>
Ort::Value tensor(std::vector<T>& values, const std::vector<int64_t>& shape) {
  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  return Ort::Value::CreateTensor<T>(memory, values.data(), values.size(), shape.data(), shape.size());
}
""",
    "flags": """
Ort::Value flags(std::vector<uint8_t>& values, const std::vector<int64_t>& shape) {
  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  return Ort::Value::CreateTensor(memory, values.data(), values.size(), shape.data(), shape.size(),
                                  ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL);
}
""",
    "texts": """
Ort::Value texts(const std::vector<const char*>& values) {
  Ort::AllocatorWithDefaultOptions allocator;
  const int64_t count = values.size();
  auto value = Ort::Value::CreateTensor(allocator, &count, 1, ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING);
  value.FillStringTensor(values.data(), values.size());
  return value;
}
""",
}
_PROGRAM = """\
#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>
{helpers}
int main() {{
  Ort::Env env;
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  Ort::Session session(env, ORT_TSTR({file}), options);

{lines}
}}
"""


def cpp(graph: HostGraph) -> str:
    """The program.

    Raises:
        CommandError: The graph takes a type that there are no tensors of.
    """
    graph.check((*_TYPES, "string"), "ONNX Runtime's C++ API")
    lines = ["const int64_t " + ", ".join(f"{dim} = {size}" for dim, size in graph.sizes.items()) + ";"]
    lines += [f"// {remark}" for remark in graph.remarks]
    feeds, helpers = [], set()
    for tensor in graph.given:
        helper = {"string": "texts", "bool": "flags"}.get(tensor.dtype, "tensor")
        helpers.add(helper)
        if helper == "texts":
            lines.append(f'std::vector<const char*> {tensor.variable}(batch, "a text");')
            feeds.append(f"inputs.push_back(texts({tensor.variable}));")
        else:
            lines.append(f"std::vector<{_TYPES[tensor.dtype]}> {tensor.variable}({tensor.count});  // {tensor.comment}")
            feeds.append(f"inputs.push_back({helper}({tensor.variable}, {{{', '.join(map(str, tensor.shape))}}}));")
    results = [tensor.name for tensor in graph.outputs] + [tensor.next_name for tensor in graph.states]
    lines += [
        "std::vector<Ort::Value> inputs;",
        *feeds,
        f"const char* input_names[] = {{{_literals([tensor.name for tensor in graph.given])}}};",
        f"const char* output_names[] = {{{_literals(results)}}};",
    ]
    call = [
        "std::vector<Ort::Value> outputs = session.Run(",
        f"    Ort::RunOptions{{}}, input_names, inputs.data(), inputs.size(), output_names, {len(results)});",
    ]
    for position, tensor in enumerate(graph.outputs):
        value = f"outputs[{position}]"
        if tensor.dtype == "string":
            call.append(f"std::string {tensor.variable} = {value}.GetStringTensorElement(0);  // the first of them")
        else:
            kind = "bool" if tensor.dtype == "bool" else _TYPES[tensor.dtype]
            call.append(f"const {kind}* {tensor.variable} = {value}.GetTensorData<{kind}>();  // {tensor.comment}")
    for position, state in enumerate(graph.states):
        source, target = len(graph.outputs) + position, len(graph.inputs) + position
        call.append(f"inputs[{target}] = std::move(outputs[{source}]);  // {state.name}")
    lines += graph.repeated("for (int chunk = 0; chunk < 2; ++chunk) {", call, "}", "  ")
    return _PROGRAM.format(
        file=_literals([graph.file]),
        helpers="".join(code for helper, code in _HELPERS.items() if helper in helpers),
        lines=indent("\n".join(lines), "  "),
    )


def _literals(names: list[str]) -> str:
    return ", ".join('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in names)
