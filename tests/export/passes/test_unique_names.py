"""Every value gets a name of its own, and the model keeps those that are seen from outside."""

import numpy as np

from keras_seq.export.passes.scopes import graphs
from keras_seq.export.passes.unique_names import unique_names
from tests.export.passes.loops import check_same, copy_of, model_of, random_array

HIDING = """
    steps (int64 n, float[3] x, float[3] y) => (float[3] z, float[3] last) {
        yes = Constant<value = bool {1}>()
        sum = Add(x, y)
        z = Loop<body = first (int64 i, bool c, float[3] x) => (bool c2, float[3] sum2) {
            c2 = Identity(c)
            product = Mul(x, y)
            sum2 = Add(product, sum)
        }>(n, yes, sum)
        product = Loop<body = second (int64 i, bool c, float[3] y) => (bool c2, float[3] last) {
            c2 = Identity(c)
            last = Sub(y, x)
        }>(n, yes, z)
        last = Neg(product)
    }
"""


def test_names_that_hide_others():
    before = model_of(HIDING)
    after = copy_of(before)
    assert unique_names(after.graph) == 7  # x; product, last; y; and the second body's i, c, c2
    defined = []
    for graph in graphs(after.graph):
        defined += [value.name for value in (*graph.input, *graph.initializer)]
        defined += [name for node in graph.node for name in node.output]
    assert len(defined) == len(set(defined))
    feed = {"n": np.array(2), "x": random_array(3), "y": random_array(3, seed=2)}
    check_same(before, after, feed)


def test_second_run_changes_nothing():
    proto = model_of(HIDING)
    unique_names(proto.graph)
    once = copy_of(proto)
    assert unique_names(proto.graph) == 0
    assert proto == once


def test_default_of_an_input_stays_with_it():
    proto = model_of("scaled (float[3] x, float factor) => (float[3] y) { y = Mul(x, factor) }", factor=np.float32(2))
    assert unique_names(proto.graph) == 0
    assert proto.graph.initializer[0].name == proto.graph.input[1].name == "factor"
