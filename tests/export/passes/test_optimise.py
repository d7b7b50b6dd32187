"""All passes together: on loops drawn at random, and on models with everything in them."""

import numpy as np
import onnx
import pytest

from keras_seq.export.passes.optimise import optimise
from tests.export.passes.loops import bodies, check_same, copy_of, main, model_of, random_array

UNARY = ["Tanh", "Neg", "Sigmoid", "Identity"]
BINARY = ["Add", "Mul", "Sub", "Min"]


def random_loop(rng: np.random.Generator) -> onnx.ModelProto:
    """A loop over states of two rows and three columns, some of which stay, trade places, or copy another one; with
    constants inside, values from outside, a counter, and sometimes an inner loop or a branch."""
    states = rng.integers(1, 4)
    pool = [f"s{j}" for j in range(states)] + ["outside", "x"]
    lines, fresh = [], iter(range(1000))

    def draw():
        return str(rng.choice(pool))

    def define(text):
        name = f"v{next(fresh)}"
        lines.append(f"{name} = {text}")
        pool.append(name)
        return name

    for _ in range(rng.integers(2, 9)):
        kind = rng.integers(0, 8)
        if kind < 2:
            define(f"{rng.choice(UNARY)}({draw()})")
        elif kind < 4:
            define(f"{rng.choice(BINARY)}({draw()}, {draw()})")
        elif kind == 4:
            define(f"MatMul({draw()}, {rng.choice(['W', 'U'])})")
        elif kind == 5:
            lines.append(f"k{next(fresh)} = Constant<value = float {{{rng.choice([1, 2])}}}>()")
            define(f"Mul({draw()}, {lines[-1].split(' ')[0]})")
        elif kind == 6:
            a, b, n = draw(), draw(), next(fresh)
            lines.append(f"early{n} = Less(i, two)")
            define(
                f"If(early{n}) <then_branch = yes{n} () => (float[2,3] y{n}) {{ y{n} = Add({a}, {b}) }},"
                f" else_branch = no{n} () => (float[2,3] z{n}) {{ z{n} = Tanh({a}) }}>"
            )
        else:
            a, b, n = draw(), draw(), next(fresh)
            w = f"w{n}"
            lines.append(
                f"v{n}, {w} = Loop<body = deep{n} (int64 i, bool d, float[2,3] s0, float[2,3] kept)"
                f" => (bool d{n}, float[2,3] p{n}, float[2,3] q{n})"
                f" {{ d{n} = Identity(d) p{n} = Sub(s0, kept) q{n} = Identity(kept) }}>(two, c, {a}, {b})"
            )
            pool += [f"v{n}", w]
    results = []
    for j in range(states):
        source = str(rng.choice([f"s{j}", f"s{(j + 1) % states}", draw(), draw()]))
        results.append(f"r{j}")
        lines.append(f"r{j} = Identity({source})")
    lines.append(f"out = Neg({draw()})")
    condition = str(rng.choice(["c2 = Identity(c)", "c2 = Less(t2, n)", "l = Less(t2, n) c2 = And(l, c)"]))
    trips = str(rng.choice(["m", "two", ""])) if "Less" in condition else "m"
    collected = rng.random() < 0.5
    inputs = ", ".join(f"float[2,3] s{j}" for j in range(states))
    outputs = ", ".join(f"float[2,3] r{j}" for j in range(states))
    finals = ", ".join(f"f{j}" for j in range(states))
    initial = ", ".join(str(rng.choice(["x", "outside", "h0"])) for _ in range(states))
    body = "\n".join(lines)
    return model_of(
        f"""
        drawn (float[2,3] x, float[2,3] h0, int64 n, int64 m, bool go)
            => ({", ".join(f"float[2,3] f{j}" for j in range(states))}{", float[k,2,3] all" if collected else ""}) {{
            two = Constant<value = int64 {{2}}>()
            zero = Constant<value = int64 {{0}}>()
            one = Constant<value = int64 {{1}}>()
            outside = Tanh(x)
            last, {finals}{", all" if collected else ""} = Loop<body = inner (int64 i, bool c, int64 t, {inputs})
                => (bool c2, int64 t2, {outputs}{", float[2,3] out" if collected else ""}) {{
                t2 = Add(t, one)
                {body}
                {condition}
            }}>({trips}, go, zero, {initial})
        }}
        """,
        W=random_array(3, 3, seed=5),
        U=random_array(3, 3, seed=6),
    )


@pytest.mark.parametrize("seed", range(150))
def test_loops_drawn_at_random(seed):
    rng = np.random.default_rng(seed)
    before = random_loop(rng)
    after = copy_of(before)
    optimise(after)
    assert optimise(copy_of(after)) == {}
    feed = {"x": random_array(2, 3), "h0": random_array(2, 3, seed=2)}
    limits = [(0, 2, True), (1, 1, True), (3, 4, True), (4, 0, True), (2, 3, False)]
    feeds = [{**feed, "n": np.array(n), "m": np.array(m), "go": np.array(go)} for n, m, go in limits]
    check_same(before, after, *feeds, rtol=1e-4, atol=1e-5)


def test_everything_at_once():
    before = model_of(
        """
        decode (int32 n, float[b,3] h0, float[b,5] memory) => (float[b,3] h, float[k,b,2] all) {
            zero = Constant<value = int32 {0}>()
            one = Constant<value = int32 {1}>()
            f = Cast<to = 1>(n)
            nought = Constant<value = float {0}>()
            go = Less(nought, f)
            last, h, w, u, all = Loop<body = inner (int64 i, bool c, int32 t, float[b,3] s, float[3,2] w, float[3,3] u)
                => (bool c2, int32 t2, float[b,3] s2, float[3,2] w2, float[3,3] u2, float[b,2] out) {
                step = Constant<value = int32 {1}>()
                t2 = Add(t, step)
                product = MatMul(s, w)
                other = MatMul(s, u)
                keys = Slice(memory, at1, at4, at1)
                sum = Add(other, keys)
                s2 = Tanh(sum)
                out = Neg(product)
                ft = Cast<to = 1>(t2)
                fn = Cast<to = 1>(n)
                c2 = Less(ft, fn)
                w2 = Identity(w)
                u2 = Identity(u)
            }>(, go, zero, h0, W, U)
        }
        """,
        W=random_array(3, 2, seed=5),
        U=random_array(3, 3, seed=6),
        at1=np.array([1]),
        at4=np.array([4]),
    )
    after = copy_of(before)
    counts = optimise(after)
    assert bodies(after) == [["MatMul", "Split", "Add", "Tanh", "Neg", "Identity"]]
    assert {"loop_invariants", "loop_counters", "merge_products", "loop_motion", "outer_constants"} <= set(counts)
    assert [len(after.graph.node[-1].input), len(after.graph.node[-1].output)] == [3, 2]
    feed = {"h0": random_array(2, 3), "memory": random_array(2, 5, seed=2)}
    check_same(before, after, *({"n": np.array(n, "int32"), **feed} for n in (0, 1, 4)), rtol=1e-5, atol=1e-6)


def test_options_of_a_caller_stay_options():
    before = model_of(
        "scaled (float[3] x, float factor) => (float[3] y) { f = Identity(factor) p = Mul(x, f) y = Identity(p) }",
        factor=np.float32(1),
    )
    after = copy_of(before)
    optimise(after)
    assert main(after) == ["Mul"]
    check_same(before, after, {"x": random_array(3)}, {"x": random_array(3), "factor": np.array(3, "float32")})


def test_types_of_values_that_are_gone_are_forgotten():
    proto = model_of("two (bool[3] x) => (bool[3] y) { a = Not(x) b = Not(a) y = Not(b) }")
    proto.graph.value_info.append(onnx.helper.make_tensor_value_info("b", onnx.TensorProto.BOOL, [3]))
    optimise(proto)
    assert not proto.graph.value_info


def test_opset_that_is_too_old():
    proto = model_of("one (float[3] x) => (float[3] y) { y = Neg(x) }")
    proto.opset_import[0].version = 12
    with pytest.raises(ValueError, match=r"must be at opset 13 or newer to be optimised\. Received: 12"):
        optimise(proto)
