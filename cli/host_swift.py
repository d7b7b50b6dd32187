"""A graph in Swift, with the Objective-C API of ONNX Runtime: the pod `onnxruntime-objc`, or its Swift package."""

from keras_seq.cli.host_graph import HostGraph

_TYPES = {"float32": "Float", "int32": "Int32", "int64": "Int64"}
_HELPERS = {
    "tensor": """
func tensor<T>(_ values: [T], _ type: ORTTensorElementDataType, _ shape: [Int]) throws -> ORTValue {
    let data = values.withUnsafeBytes { NSMutableData(data: Data($0)) }
    return try ORTValue(tensorData: data, elementType: type, shape: shape.map { NSNumber(value: $0) })
}
""",
    "values": """
func values<T>(_ tensor: ORTValue, _ type: T.Type) throws -> [T] {
    let data = try tensor.tensorData() as Data
    return data.withUnsafeBytes { Array($0.bindMemory(to: type)) }
}
""",
}
_PROGRAM = """\
import Foundation
import OnnxRuntimeBindings
{helpers}
let env = try ORTEnv(loggingLevel: .warning)
let options = try ORTSessionOptions()
try options.setIntraOpNumThreads(1)
// In an app, the path is that of a resource: Bundle.main.path(forResource: {stem}, ofType: {suffix})!
let session = try ORTSession(env: env, modelPath: {file}, sessionOptions: options)

{lines}
"""


def swift(graph: HostGraph) -> str:
    """The program. Outputs of types that there are no tensors of are not asked for.

    Raises:
        CommandError: The graph takes such a type.
    """
    graph.check((*_TYPES, "string"), "ONNX Runtime's Objective-C API")
    lines = [f"let {dim} = {size}" for dim, size in graph.sizes.items()]
    lines += [f"// {remark}" for remark in graph.remarks]
    feeds, helpers = [], set()
    for tensor in graph.given:
        if tensor.dtype == "string":
            value = 'try ORTValue(tensorStringData: ["a text"], shape: [1])'
        else:
            kind = _TYPES[tensor.dtype]
            lines.append(f"let {tensor.variable} = [{kind}](repeating: 0, count: {tensor.count}) // {tensor.comment}")
            value = f"try tensor({tensor.variable}, .{kind.lower()}, [{', '.join(map(str, tensor.shape))}])"
            helpers.add("tensor")
        feeds.append(f"    {_literal(tensor.name)}: {value},")
    lines += [f"{'var' if graph.states else 'let'} inputs: [String: ORTValue] = [", *feeds, "]"]
    outputs = [tensor for tensor in graph.outputs if tensor.dtype in (*_TYPES, "string")]
    left_out = [f"{tensor.name} ({tensor.dtype})" for tensor in graph.outputs if tensor not in outputs]
    lines += [f"// not asked for, as this API has no such tensors: {', '.join(left_out)}"] if left_out else []
    results = [tensor.name for tensor in outputs] + [state.next_name for state in graph.states]
    names = ", ".join(map(_literal, results))
    call = ["let outputs = try session.run(withInputs: inputs, outputNames: [", f"    {names},", "], runOptions: nil)"]
    for tensor in outputs:
        value = f"outputs[{_literal(tensor.name)}]!"
        if tensor.dtype == "string":
            call.append(f"let {tensor.variable} = try {value}.tensorStringData()")
        else:
            helpers.add("values")
            kind = _TYPES[tensor.dtype]
            call.append(f"let {tensor.variable} = try values({value}, {kind}.self) // {tensor.comment}")
    call += [f"inputs[{_literal(state.name)}] = outputs[{_literal(state.next_name)}]" for state in graph.states]
    lines += graph.repeated("for _ in 0..<2 {", call, "}", "    ")
    stem, _, suffix = graph.file.rpartition(".")
    return _PROGRAM.format(
        file=_literal(graph.file),
        stem=_literal(stem),
        suffix=_literal(suffix),
        helpers="".join(code for helper, code in _HELPERS.items() if helper in helpers),
        lines="\n".join(lines),
    )


def _literal(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
