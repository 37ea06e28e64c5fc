"The scan on real cards: kernels beside their plain twins, every type of number against the CPU, streaming, several cards."
import importlib.util
from pathlib import Path

import numpy as np, pytest, torch
from rag_nb.fast import scan
from rag_nb.core.index import ExactIndex

pytestmark = pytest.mark.gpu
spec = importlib.util.spec_from_file_location("cases_of_the_scan", Path(__file__).parent.parent/"test_scan.py")
cpu = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cpu)


@pytest.mark.parametrize("dtype", cpu.DTYPES)
@pytest.mark.parametrize("n,d,b", [(1, 1, 1), (130, 48, 3), (5000, 70, 17), (5000, 384, 64), (3000, 768, 200), (2000, 128, 600)])
def test_kernels_are_their_plain_twins(n, d, b, dtype):
    assert scan.has_triton(), "no Triton beside CUDA"
    torch.backends.cuda.matmul.allow_tf32 = False
    cpu.test_kernels_are_their_plain_twins(n, d, b, dtype, "cuda")


@pytest.mark.parametrize("dtype", cpu.DTYPES)
def test_a_promise_is_kept(dtype):
    "Also by the tensor cores' own sums, at the real size."
    torch.manual_seed(0)
    for d, spread in ((768, 0.), (768, 2.), (64, 3.)):
        x, q = ((torch.randn(n, d)*torch.exp(spread*torch.randn(d))).cuda() for n in (20_000, 70))
        if dtype == torch.float16: x = x.clamp(-6e4, 6e4)
        shard = scan.shard_of([x], len(x), dtype, "cuda")
        seen = x if dtype == torch.int8 else x.to(dtype)
        best = scan.by_block((q.double() @ seen.double().T).T, -torch.inf).T
        assert (scan.upper_bounds(shard, scan.asked(q, dtype)).double() >= best).all()


@pytest.mark.parametrize("dtype", [None, torch.float16, torch.bfloat16, torch.int8])
@pytest.mark.parametrize("b", [1, 16, 64, 200])
def test_index(dtype, b):
    "Whole numbers, so that sums are exact and ties many; ids as on the CPU."
    rng = np.random.default_rng(b)
    x, q = rng.integers(-4, 5, (30_000, 96)).astype(np.float32), torch.from_numpy(rng.integers(-4, 5, (b, 96)).astype(np.float32))
    out = rng.random(30_000) < .5
    slow, fast = ExactIndex(x), ExactIndex(x, device="cuda", dtype=dtype)
    assert fast.shards
    for kw in (dict(), dict(exclude=out)):
        want, got = slow.search(q, 10, **kw), fast.search(q.cuda(), 10, return_vectors=True, **kw)
        assert got.ids.is_cuda and torch.equal(got.ids.cpu(), want.ids) and torch.equal(got.scores.cpu(), want.scores)
        assert torch.equal(got.vectors.cpu(), slow.vectors(want.ids))


@pytest.mark.parametrize("dtype", [torch.float16, torch.int8])
def test_streaming_twice_the_room(dtype):
    "Half of the vectors wait in pinned memory; ten searches in a row, so that a place that is overwritten too early would show."
    g = torch.Generator().manual_seed(0)
    x = torch.randn(400_000, 128, generator=g).half()
    whole = ExactIndex(x, device="cuda", dtype=dtype)
    half = ExactIndex(x, device="cuda", dtype=dtype, room=whole.shards[0][1].x.nbytes//2, chunk_size=20_000)
    assert any(s.on_host and s.x.is_pinned() for _, s in half.shards)
    for i in range(10):
        q = torch.randn(1 + 7*i, 128, generator=g).cuda()
        a, b = whole.search(q, 10), half.search(q, 10)
        assert torch.equal(a.ids, b.ids) and torch.equal(a.scores, b.scores)


def test_real_numbers_against_float64():
    g = torch.Generator().manual_seed(1)
    x, q = torch.randn(200_000, 384, generator=g).half(), torch.randn(33, 384, generator=g)
    want = (q.double().cuda() @ x.double().cuda().T).topk(10).indices
    for dtype in (torch.float16, torch.int8):
        assert torch.equal(ExactIndex(x, device="cuda", dtype=dtype).search(q.cuda(), 10).ids, want)


def test_out_of_range_is_said_before_the_card_is_asked():
    index = ExactIndex(torch.randn(300, 8).cuda())
    with pytest.raises(IndexError, match="row 300"): index.vectors(torch.tensor([300]).cuda())
    assert index.vectors(torch.tensor([[5, -1]]).cuda()).shape == (1, 2, 8)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one GPU")
@pytest.mark.parametrize("dtype", [torch.float16, torch.int8])
def test_over_several_cards(dtype):
    g = torch.Generator().manual_seed(2)
    x, q = torch.randn(300_001, 96, generator=g).half(), torch.randn(20, 96, generator=g)
    cards = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    one, all_ = ExactIndex(x, device="cuda", dtype=dtype), ExactIndex(x, device=cards, dtype=dtype)
    assert {str(s.device) for _, s in all_.shards} == set(cards)
    for _ in range(3):
        a, b = one.search(q.cuda(), 10), all_.search(q.cuda(), 10)
        assert torch.equal(a.ids, b.ids) and torch.equal(a.scores, b.scores)


@pytest.mark.parametrize("dtype", [None, torch.float16, torch.int8])
@pytest.mark.parametrize("room", [None, 0, 10_000])
def test_a_filter_that_leaves_little(dtype, room):
    "One row in three, a few, one or none, on the card and in the host's memory: found is what brute force finds among them."
    g = torch.Generator().manual_seed(0)
    x, q = torch.randn(30_000, 64, generator=g), torch.randn(5, 64, generator=g)
    x /= x.norm(dim=1, keepdim=True)
    index = ExactIndex(x.numpy(), device="cuda", dtype=dtype, room=room)
    kept = (x if dtype is not torch.float16 else x.half().float()).double()
    rows = torch.arange(30_000)
    for left in (rows % 3 == 1, rows % 4_001 == 7, rows == 29_999, rows < 0):
        scores = (q.double() @ kept.T).masked_fill(~left, -torch.inf)
        best = scores.sort(dim=1, descending=True, stable=True)
        want = best.indices[:, :6].masked_fill(best.values[:, :6] == -torch.inf, -1)
        assert torch.equal(index.search(q, 6, exclude=~left).ids.cpu(), want), (dtype, room, int(left.sum()))
