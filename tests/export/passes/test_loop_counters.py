"""Step counters become iteration numbers, and their bounds trip counts, without a step more or less."""

import numpy as np
import pytest

from keras_seq.export.passes.dead_code import dead_code
from keras_seq.export.passes.graph_index import GraphIndex
from keras_seq.export.passes.loop_counters import loop_counters
from keras_seq.export.passes.outer_constants import outer_constants
from tests.export.passes.loops import bodies, check_same, copy_of, model_of, random_array


def counted(proto):
    after = copy_of(proto)
    outer_constants(after.graph)
    count = loop_counters(GraphIndex(after))
    dead_code(after.graph)
    return count, after


def loop_of(proto):
    return next(node for node in proto.graph.node if node.op_type == "Loop")


def looped(trips="", condition="more", bound="n", kind="int64", body="", extra=""):
    """A loop with a counter t, whose steps add the counter to the state; `bound` stops it."""
    return model_of(
        f"""
        steps ({kind} n, int64 m, float[3] h0, bool go) => (float[3] h {extra and ", " + extra}) {{
            zero = Constant<value = {kind} {{0}}>()
            one = Constant<value = {kind} {{1}}>()
            four = Constant<value = {kind} {{4}}>()
            last, h = Loop<body = inner (int64 i, bool c, {kind} t, float[3] s) => (bool c2, {kind} t2, float[3] s2) {{
                t2 = Add(t, one)
                step = Cast<to = 1>(t)
                s2 = Add(s, step)
                more = Less(t2, {bound})
                {body}
                c2 = Identity({condition})
            }}>({trips}, go, zero, h0)
            {extra and "final = Identity(last)"}
        }}
        """
    )


FEEDS = [(n, m, go) for n in (-1, 0, 1, 3) for m in (0, 2, 5) for go in (True, False)]


def feeds(kind):
    h0 = random_array(3)
    return [{"n": np.array(n, kind), "m": np.array(m), "h0": h0, "go": np.array(go)} for n, m, go in FEEDS]


@pytest.mark.parametrize("kind", ["int32", "int64"])
@pytest.mark.parametrize("trips", ["", "m"])
@pytest.mark.parametrize("bound", ["n", "four"])
def test_bound_becomes_the_trip_count(kind, trips, bound):
    before = looped(trips=trips, bound=bound, kind=kind)
    count, after = counted(before)
    assert count == 2
    assert loop_of(after).input[0] not in ("", "m")
    assert len(loop_of(after).input) == 3
    assert "Less" not in bodies(after)[0]
    check_same(before, after, *feeds(kind))


@pytest.mark.parametrize("condition", ["i", "t"])
def test_counter_that_is_not_raised_yet(condition):
    before = looped(condition="later", body=f"later = Less({condition}, n)")
    count, after = counted(before)
    assert count == 2
    check_same(before, after, *feeds("int64"))


def test_rest_of_the_condition_stays():
    body = """
        sum = ReduceSum<keepdims = 0>(s2)
        limit = Constant<value = float {2.5}>()
        low = Less(sum, limit)
        both = And(low, more)
    """
    before = looped(condition="both", body=body)
    count, after = counted(before)
    assert count == 2
    assert bodies(after)[0].count("Less") == 1
    assert "And" not in bodies(after)[0]
    check_same(before, after, *feeds("int64"))


def test_trip_count_that_is_the_bound_stays_as_it_is():
    before = looped(trips="n")
    count, after = counted(before)
    assert count == 2
    assert loop_of(after).input[0] == "n"
    check_same(before, after, *feeds("int64"))


def test_counter_whose_final_value_is_read_stays():
    before = looped(extra="int64 final")
    count, after = counted(before)
    assert count == 1  # the bound alone
    assert len(loop_of(after).input) == 4
    check_same(before, after, *feeds("int64"))


def test_final_value_is_the_number_of_collected_values():
    before = model_of(
        """
        steps (int64 n, bool go, float[3] h0) => (float[3] h, float[k,3] all, int32 twice) {
            zero = Constant<value = int32 {0}>()
            one = Constant<value = int32 {1}>()
            last, h, all = Loop<body = inner (int64 i, bool c, int32 t, float[3] s)
                => (bool c2, int32 t2, float[3] s2, float[3] out) {
                t2 = Add(t, one)
                step = Cast<to = 1>(t)
                s2 = Add(s, step)
                out = Neg(s2)
                c2 = Identity(c)
            }>(n, go, zero, h0)
            twice = Add(last, last)
        }
        """
    )
    count, after = counted(before)
    assert count == 1
    assert len(loop_of(after).input) == 3
    feed = {"go": np.array(True), "h0": random_array(3)}
    check_same(before, after, *({"n": np.array(n), **feed} for n in (0, 1, 4)))


REFUSALS = {
    "bound made in the body": {"bound": "grown", "body": ""},
    "another comparison": {"condition": "low", "body": "low = LessOrEqual(t2, n)"},
    "either of two": {"condition": "any", "body": "other = Equal(t2, four)  any = Or(more, other)"},
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_condition_stays(reason):
    arguments = dict(REFUSALS[reason])
    if arguments.get("bound") == "grown":
        arguments = {"condition": "less", "body": "grown = Sub(n, t)  less = Less(t2, grown)"}
    before = looped(**arguments)
    count, after = counted(before)
    assert count == 1  # the counter alone
    assert loop_of(after).input[0] == ""
    check_same(before, after, *feeds("int64"))


@pytest.mark.parametrize(("start", "step"), [(1, 1), (0, 2), (0, -1)])
def test_counter_of_another_kind_stays(start, step):
    before = model_of(
        f"""
        steps (int64 n, float[3] h0) => (float[3] h) {{
            start = Constant<value = int64 {{{start}}}>()
            step = Constant<value = int64 {{{step}}}>()
            yes = Constant<value = bool {{1}}>()
            last, h = Loop<body = inner (int64 i, bool c, int64 t, float[3] s) => (bool c2, int64 t2, float[3] s2) {{
                t2 = Add(t, step)
                number = Cast<to = 1>(t)
                s2 = Add(s, number)
                c2 = Identity(c)
            }}>(n, yes, start, h0)
        }}
        """
    )
    count, after = counted(before)
    assert count == 0
    check_same(before, after, {"n": np.array(3), "h0": random_array(3)})
