"""Products of two activations and what is made of them, in fixed point: signal to noise against the float model; fixed and offline agree
bit for bit."""
import numpy as np
import pytest

pytest.importorskip("onnx")
from support import decibel, fixed_check, model, node, quantized, save  # noqa: E402

RNG = np.random.default_rng(17)
check = fixed_check(60)


def real(*shape):
    return np.asarray(RNG.uniform(-2, 2, shape), np.float32)


@pytest.mark.parametrize("a,b", [((4, 6), (6, 3)), ((2, 4, 6), (6, 3)), ((2, 4, 6), (2, 6, 3)), ((2, 1, 4, 6), (3, 6, 5)), ((1, 4, 6), (5, 6, 2)), ((6,), (6, 3)), ((4, 6), (6,)),
                                 ((2, 1, 3, 1, 4, 6), (2, 1, 5, 6, 7)), ((3, 2, 1, 200, 70), (3, 1, 2, 70, 33))])
def test_matmul(a, b, tmp_path):
    check(tmp_path, node("MatMul", "a b"), a=real(*a), b=real(*b) + np.float32(0.5))


@pytest.mark.parametrize("constant", [{"b": (3, 6, 5)}, {"a": (7, 4)}, {"a": (2, 3, 7, 4)}])
def test_matmul_by_a_constant(constant, tmp_path):
    """Which is no matrix of a fully connected operator."""
    feeds = {"a": real(3, 4, 6), "b": real(3, 4, 5)}
    inits = {name: real(*shape) for name, shape in constant.items()}
    check(tmp_path, node("MatMul", "a b"), inits, **{k: v for k, v in feeds.items() if k not in inits})


@pytest.mark.parametrize("ta,tb", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_gemm(ta, tb, tmp_path):
    check(tmp_path, node("Gemm", "a b c", alpha=0.5, beta=2.0, transA=ta, transB=tb), a=real(*((6, 4) if ta else (4, 6))), b=real(*((5, 6) if tb else (6, 5))), c=real(5))


@pytest.mark.parametrize("heads,tokens,depth,keys", [(1, 5, 8, 5), (3, 17, 16, 17), (2, 9, 32, 21)])
def test_attention(heads, tokens, depth, keys, tmp_path):
    """Heads split from and joined to rows, as transformers export it."""
    width = heads * depth
    nodes = []
    for name, rows in (("q", tokens), ("k", keys), ("v", keys)):
        nodes += [node("MatMul", f"{'x' if name == 'q' else 'm'} w{name}", name + "0"), node("Add", f"{name}0 b{name}", name + "1"), node("Reshape", f"{name}1 s{name}", name + "2"),
                  node("Transpose", name + "2", name + "3", perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3])]
    nodes += [node("MatMul", "q3 k3", "qk"), node("Mul", "qk scale", "logits"), node("Softmax", "logits", "p", axis=-1), node("MatMul", "p v3", "o"),
              node("Transpose", "o", "t", perm=[0, 2, 1, 3]), node("Reshape", "t join", "r"), node("MatMul", "r wo", "y")]
    inits = {f"w{n}": real(24, width) / np.float32(4) for n in "qkv"} | {f"b{n}": real(width) for n in "qkv"} | {"wo": real(width, 24), "scale": np.float32(depth ** -0.5)}
    inits |= {f"s{n}": np.array([2, tokens if n == "q" else keys, heads, depth]) for n in "qkv"} | {"join": np.array([2, tokens, width])}
    path = save(model(nodes, {"x": real(2, tokens, 24), "m": real(2, keys, 24)}, ["y", "p"], inits, 17), tmp_path)
    (want, _), (got, _) = quantized(path, [[real(2, tokens, 24)], [real(2, keys, 24)]], tmp_path, "--wide")
    assert decibel(want, got) >= 55


def test_product_with_itself(tmp_path):
    """One tensor on both sides, once as it is and once turned."""
    check(tmp_path, [node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t")], x=real(2, 5, 7))


@pytest.mark.parametrize("hidden", [-np.inf, np.finfo(np.float32).min, -65504, -100])
@pytest.mark.parametrize("how", ["add", "where", "both"])
def test_masked_attention(hidden, how, tmp_path):
    """What hides elements from a softmax takes no steps from those that are seen."""
    hides = np.triu(np.ones((9, 9), bool), 1)
    inits = {"m": np.where(hides, np.float32(hidden), real(9, 9)).astype(np.float32), "c": ~hides, "h": np.float32(hidden)}
    nodes = {"add": [node("Add", "qk m", "l")], "where": [node("Where", "c qk h", "l")],
             "both": [node("Where", "c qk h", "l0"), node("Reshape", "l0 s", "l1"), node("Add", "l1 m", "l")]}[how]
    nodes = [node("MatMul", "q k", "qk"), *nodes, node("Softmax", "l", "p", axis=-1), node("MatMul", "p v", "y")]
    check(tmp_path, nodes, inits | {"s": np.array([2, 3, 9, 9])}, 50, outputs=("p", "y"), q=real(2, 3, 9, 16), k=real(2, 3, 16, 9), v=real(2, 3, 9, 8))


@pytest.mark.parametrize("equation, shapes", [("bhwd,bhvd->bhwv", [(2, 3, 4, 5), (2, 3, 6, 5)]), ("i,j->ij", [(3,), (4,)]), ("bii->bi", [(2, 3, 3)]),
                                              ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)])])
def test_einsum(equation, shapes, tmp_path):
    feeds = {"x%d" % i: real(*s) for i, s in enumerate(shapes)}
    check(tmp_path, node("Einsum", " ".join(feeds), equation=equation), **feeds)
