"""Rows of small tables are widened alone, to the very same numbers; ONNX Runtime computes both graphs here."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from keras_seq.export.ort_weights import gather_before_widening, hold_back_small_weights

ROWS, COLUMNS = 13, 5
make = helper.make_node


def model(kind, scale_shape, ids_shape, *, axis=0, also=False, in_branch=False):
    """Takes rows of a wide table by `ids`; with `also` something else reads the table as well."""
    rng = np.random.default_rng(3)
    table = rng.integers(-100, 100, (ROWS, COLUMNS)).astype(kind)
    initializers = [numpy_helper.from_array(table, "small")]
    nodes = [make("Cast", ["small"], ["cast"], to=TensorProto.FLOAT)]
    wide = "cast"
    if scale_shape is not None:
        initializers.append(numpy_helper.from_array(rng.random(scale_shape).astype("float32"), "scale"))
        nodes.append(make("Mul", ["cast", "scale"], ["wide"]))
        wide = "wide"
    gather = make("Gather", [wide, "ids"], ["rows"], **({"axis": axis} if axis else {}))
    outputs = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, None)]
    if in_branch:
        branches = {
            name: helper.make_graph([make("Gather", [wide, "ids"], [name])], name, [],
                                    [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])
            for name in ("then", "other")
        }  # fmt: skip
        initializers.append(numpy_helper.from_array(np.array(True), "yes"))
        gather = make("If", ["yes"], ["rows"], then_branch=branches["then"], else_branch=branches["other"])
    nodes.append(gather)
    if also:
        nodes.append(make("ReduceSum", [wide], ["sum"], keepdims=0))
        outputs.append(helper.make_tensor_value_info("sum", TensorProto.FLOAT, []))
    ids = helper.make_tensor_value_info("ids", TensorProto.INT32, ids_shape)
    graph = helper.make_graph(nodes, "toy", [ids], outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def run(proto, ids):
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"ids": ids})


def rewritten(proto):
    copy = onnx.ModelProto.FromString(proto.SerializeToString())
    count = gather_before_widening(copy.graph)
    return copy, count


@pytest.mark.parametrize("ids_shape", [(), (3,), (2, 7)])
@pytest.mark.parametrize("scale_shape", [None, (), (ROWS, 1), (1, COLUMNS), (ROWS, COLUMNS)])
@pytest.mark.parametrize("kind", ["int8", "float16"])
def test_rows_are_the_same_numbers(kind, scale_shape, ids_shape):
    proto = model(kind, scale_shape, ids_shape)
    changed, count = rewritten(proto)
    assert count == 1
    assert changed.graph.node[0].op_type == "Gather"  # the table itself is never widened
    ids = np.random.default_rng(4).integers(0, ROWS, ids_shape).astype("int32")
    np.testing.assert_array_equal(run(changed, ids)[0], run(proto, ids)[0])
    assert run(changed, ids)[0].shape == (*ids_shape, COLUMNS)


def test_what_else_reads_the_table_still_does():
    proto = model("int8", (ROWS, 1), (2,), also=True)
    changed, count = rewritten(proto)
    assert count == 1
    assert [n.op_type for n in changed.graph.node] == ["Cast", "Mul", "Gather", "Cast", "Gather", "Mul", "ReduceSum"]
    ids = np.array([3, 11], "int32")
    for found, expected in zip(run(changed, ids), run(proto, ids), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert hold_back_small_weights(changed.graph) == {"small"}


def test_rows_that_a_branch_takes():
    proto = model("int8", (1, COLUMNS), (2,), in_branch=True)
    changed, count = rewritten(proto)
    assert count == 2
    assert [node.op_type for node in changed.graph.node] == ["If"]
    ids = np.array([5, 2], "int32")
    np.testing.assert_array_equal(run(changed, ids)[0], run(proto, ids)[0])


@pytest.mark.parametrize(("kind", "axis"), [("int8", 1), ("int32", 0)])
def test_columns_and_tables_of_other_types_are_left_alone(kind, axis):
    proto = model(kind, (), (2,), axis=axis)
    assert rewritten(proto) == (proto, 0)


def test_what_a_caller_may_replace_or_wants_constants_is_not_held_back():
    proto = model("int8", None, (2,))
    graph = proto.graph
    graph.input.append(helper.make_tensor_value_info("small", TensorProto.INT8, [ROWS, COLUMNS]))
    assert hold_back_small_weights(graph) == set()
    graph = model("int8", None, (2,)).graph
    graph.node.append(make("Transpose", ["small"], ["turned"]))
    assert hold_back_small_weights(graph) == set()
    assert [value.name for value in graph.input] == ["ids"]
