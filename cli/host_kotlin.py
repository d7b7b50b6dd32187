"""A graph in Kotlin, with the Java API of ONNX Runtime: the package `com.microsoft.onnxruntime:onnxruntime-android`."""

from textwrap import indent

from keras_seq.cli.host_graph import HostGraph

_TYPES = {"float32": "Float", "float64": "Double", "int32": "Int", "int64": "Long", "bool": "Byte"}
_PROGRAM = """\
{imports}

fun main() {{
    val env = OrtEnvironment.getEnvironment()
    val options = OrtSession.SessionOptions().apply {{ setIntraOpNumThreads(1) }}
    // In an app: env.createSession(assets.open({file}).readBytes(), options)
    val session = env.createSession({file}, options)

{lines}
}}
"""


def kotlin(graph: HostGraph) -> str:
    """The program.

    Raises:
        CommandError: The graph takes a type that there are no tensors of.
    """
    graph.check((*_TYPES, "string"), "ONNX Runtime's Java API")
    lines = [f"val {dim} = {size}L" for dim, size in graph.sizes.items()]
    lines += [f"// {remark}" for remark in graph.remarks]
    imports = {f"ai.onnxruntime.{name}" for name in ("OnnxTensor", "OrtEnvironment", "OrtSession")}
    feeds = []
    for tensor in graph.given:
        dims = ", ".join(dim if isinstance(dim, str) else f"{dim}L" for dim in tensor.shape)
        if tensor.dtype == "string":
            value = 'arrayOf("a text")'
        else:
            kind = _TYPES[tensor.dtype]
            count = f"({tensor.count}).toInt()" if any(isinstance(dim, str) for dim in tensor.shape) else tensor.count
            lines.append(f"val {tensor.variable} = {kind}Array({count}) // {tensor.comment}")
            value = f"{kind}Buffer.wrap({tensor.variable})"
            imports.add(f"java.nio.{kind}Buffer")
        last = ""
        if tensor.dtype == "bool":
            imports.add("ai.onnxruntime.OnnxJavaType")
            last = ", OnnxJavaType.BOOL"
        feeds.append(
            f"    {_literal(tensor.name)} to OnnxTensor.createTensor(env, {value}, longArrayOf({dims}){last}),"
        )
    lines += ["val inputs = mutableMapOf(", *feeds, ")"]
    results = [tensor.name for tensor in graph.outputs] + [tensor.next_name for tensor in graph.states]
    call = [f"val outputs = session.run(inputs, setOf({', '.join(map(_literal, results))}))"]
    for tensor in graph.outputs:
        value = f"outputs.get({_literal(tensor.name)}).get()"
        if tensor.dtype == "string":
            call.append(f"val {tensor.variable} = {value}.value // arrays of strings")
        else:
            buffer = f"{_TYPES[tensor.dtype].lower()}Buffer"
            call.append(f"val {tensor.variable} = ({value} as OnnxTensor).{buffer} // {tensor.comment}")
    for state in graph.states:
        value = f"outputs.get({_literal(state.next_name)}).get() as OnnxTensor"
        call.append(f"inputs.put({_literal(state.name)}, {value})?.close()")
    call += [] if graph.states else ["outputs.close()"]
    lines += graph.repeated("repeat(2) {", call, "}", "    ")
    return _PROGRAM.format(
        file=_literal(graph.file),
        imports="\n".join(f"import {name}" for name in sorted(imports)),
        lines=indent("\n".join(lines), "    "),
    )


def _literal(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'
