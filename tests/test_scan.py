"The scan against brute force: every type of number, ties, ragged sizes, streaming; its kernels against their plain twins in Triton's interpreter."
import os

import pytest, torch
from hypothesis import given, settings, strategies as st

from rag_nb.fast import scan
from rag_nb.fast.scan import BLOCK, asked, best_of, block_best, by_block, codes_of, look, upper_bounds, scan_all, shard_of

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.int8]


def truth(x, q, k, exclude=None):
    "ids (B, k) by float64 products, ties by lower id, -1 for none."
    s = q.double() @ x.double().T
    if exclude is not None: s[:, exclude] = -torch.inf
    s, i = s.sort(dim=1, descending=True, stable=True)
    return torch.nn.functional.pad(i.masked_fill(s == -torch.inf, -1)[:, :k], (0, max(0, k - len(x))), value=-1)


def exact_for(x, k):
    def exact(q):
        def rank(ids):
            s = (q.double()[:, None] * x.double()[ids.clamp(min=0)]).sum(-1).masked_fill(ids < 0, -torch.inf).float()
            at = best_of(s, ids.clamp(min=0), min(k, ids.shape[1]))
            return ids.gather(1, at), s.gather(1, at)
        return rank
    return exact


def shards(x, dtype, cuts=(), on_host=False, device="cpu"):
    "The rows as shards, and the vectors that these stand for."
    edges = [0, *cuts, len(x)]
    out = [(a, shard_of(x[a:b].split(300), b - a, dtype, device, on_host=on_host)) for a, b in zip(edges, edges[1:]) if b > a]
    return out, x if dtype == torch.int8 else x.to(dtype).float()


def find(x, q, k, dtype, cuts=(), exclude=None, **kw):
    made, seen = shards(x, dtype, cuts)
    return scan_all(made, q, k, exclude, exact_for(seen, k)(q) if dtype == torch.int8 else None, **kw), truth(seen, q, k, exclude)


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.integers(1, 700), st.integers(1, 70), st.integers(1, 6), st.integers(1, 20), st.integers(0, 2**31), st.booleans(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_against_brute_force(dtype, n, d, b, k, seed, whole, leave_out):
    "Whole numbers are full of ties; others are not."
    g = torch.Generator().manual_seed(seed)
    x, q = ((torch.randint(-2, 3, (m, d), generator=g).float() if whole else torch.randn(m, d, generator=g)) for m in (n, b))
    out = torch.rand(n, generator=g) < .5 if leave_out else None
    got, want = find(x, q, k, dtype, cuts=sorted({n//3, n//2} - {0}), exclude=out)
    if whole: assert torch.equal(got, want)
    else:                                                                   # float32 sums may swap two rows within their rounding
        s = lambda ids: (q.double()[:, None] * (x if dtype == torch.int8
            else x.to(dtype)).double()[ids.clamp(min=0)]).sum(-1).masked_fill(ids < 0, -torch.inf)
        torch.testing.assert_close(s(got), s(want), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_promise_is_kept(dtype):
    "No row exceeds its block's promise, also where rounding is at its worst: large and small numbers side by side, tiny and huge vectors."
    torch.manual_seed(0)
    for sizes in (torch.ones(40), 10.**torch.linspace(-6, 3, 40), 10.**torch.linspace(-30, -24, 40), 1e4*torch.ones(40)):
        x, q = torch.randn(1000, 40)*sizes, torch.randn(5, 40)*sizes.flip(0)
        if dtype == torch.float16 and sizes.max() > 1e3: x = x.clamp(-6e4, 6e4)
        (_, shard), = shards(x, dtype)[0]
        seen = x if dtype == torch.int8 else x.to(dtype).float()
        best = by_block((q.double() @ seen.double().T).T, -torch.inf).T
        assert (upper_bounds(shard, asked(q, dtype)).double() >= best - 1e-30).all()


def test_codes_are_as_far_off_as_they_say():
    torch.manual_seed(1)
    x = torch.cat([torch.randn(50, 30), torch.zeros(1, 30), torch.eye(30)*1e6, torch.full((1, 30), 1e-12)])
    codes, scale, off = codes_of(x)
    assert codes.dtype == torch.int8
    true = (x.double() - codes.double()*scale[:, None].double()).norm(dim=1)
    # the second is what a sum in float32 may lose, and the promise has room for it
    assert ((true - off).abs() <= 1e-3*true + 2**-23*x.norm(dim=1)).all()


@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_score_and_row_in_one_number(seed, c, k):
    g = torch.Generator().manual_seed(seed)
    s = torch.stack([torch.randint(-2, 3, (c,), generator=g)/2*0.1,
        torch.randn(c, generator=g)*10.**torch.randint(-38, 38, (c,), generator=g)]).clamp(-3e38, 3e38)
    s[:, ::5] = -torch.inf
    ids = torch.stack([torch.randperm(c, generator=g) for _ in range(2)]) * (2**32 // 40 - 1)
    for row in range(2):
        want = sorted(range(c), key=lambda i: (-s[row, i].item(), ids[row, i].item()))[:k]
        assert best_of(s, ids, min(k, c))[row].tolist() == want


@pytest.mark.parametrize("dtype", DTYPES)
def test_thousands_of_equal_rows(dtype):
    "Everything promises the same, so everything is looked into; with codes the shortlist overflows, and true scores decide."
    torch.manual_seed(2)
    x = torch.randn(1, 8).repeat(9000, 1)
    x[5000] *= 2
    q = x[:1].repeat(3, 1); q[1] *= -1
    got, want = find(x, q, 7, dtype, cuts=(4000,))
    assert torch.equal(got, want) and got[0].tolist() == [5000, 0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_that_wait_elsewhere(dtype):
    "Pieces of 256 rows, as they would be streamed, give what all rows together give."
    torch.manual_seed(3)
    x, q, out = torch.randn(2000, 20), torch.randn(4, 20), torch.arange(2000) % 3 == 0
    whole, (near, _seen), (far, _) = shards(x, dtype)[0], shards(x[:500], dtype), shards(x[500:], dtype, cuts=(1000,), on_host=True)
    exact = exact_for(x, 9)(q) if dtype == torch.int8 else None
    for kw in (dict(), dict(exclude=out)):
        want = scan_all(whole, q, 9, exact=exact, **kw)
        for rows in (1, 256, 10**6):
            assert torch.equal(scan_all([*near, *[(500 + a, s) for a, s in far]], q, 9, exact=exact, rows=rows, **kw), want)
    assert [s.on_host for _, s in far] == [True, True] and len(list(scan.streamed(far, 256))) == 6


def test_fewer_rows_than_wanted_and_none_at_all():
    x, q = torch.randn(3, 5), torch.randn(2, 5)
    for dtype in DTYPES:
        assert find(x, q, 10, dtype)[0][:, 3:].eq(-1).all()
        assert find(x, q, 10, dtype, exclude=torch.ones(3, dtype=torch.bool))[0].eq(-1).all()


@pytest.fixture
def interpreted(monkeypatch):
    if not scan.has_triton(): pytest.skip("Triton is not installed")
    if not os.environ.get("TRITON_INTERPRET") and not torch.cuda.is_available():
        pytest.skip("set TRITON_INTERPRET=1 to run the kernels without a GPU")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    monkeypatch.setattr(scan, "FUSED_ON", device)
    return device


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n,d,b", [(1, 1, 1), (130, 48, 3), (257, 70, 17), (300, 128, 40)])
def test_kernels_are_their_plain_twins(n, d, b, dtype, interpreted):
    torch.manual_seed(n)
    x, q, out = torch.randn(n, d), torch.randn(b, d), torch.rand(n) < .3
    (_, shard), = shards(x.to(interpreted), dtype, device=interpreted)[0]
    ask = asked(q.to(interpreted), dtype)
    near = dict(rtol=2e-3, atol=2e-3*d**.5) if interpreted == "cuda" and dtype == torch.float32 else dict(rtol=1e-4, atol=1e-4)   # TF32
    blocks = torch.stack([torch.randperm(-(-n//BLOCK))[:2] for _ in range(b)]).to(interpreted)
    for exclude in (None, out.to(interpreted)):
        if interpreted == "cuda" or dtype != torch.bfloat16:                    # the interpreter multiplies bfloat16 by its bits
            torch.testing.assert_close(scan.fused_block_best(shard.x, ask.seen, shard.scale, exclude),
                block_best(shard.x, ask.seen, shard.scale, exclude), **near)
        torch.testing.assert_close(scan.fused_look(shard.x, ask.q, blocks, shard.scale, exclude),
            look(shard.x, ask.q, blocks, shard.scale, exclude), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int8])
def test_the_search_with_kernels(dtype, interpreted):
    if interpreted == "cuda": pytest.skip("tests/gpu does more")
    torch.manual_seed(4)
    x, q = torch.randint(-2, 3, (700, 24)).float(), torch.randint(-2, 3, (5, 24)).float()
    for out in (None, torch.arange(700) % 2 == 0):
        got, want = find(x, q, 8, dtype, cuts=(300,), exclude=out)
        assert torch.equal(got, want)
