"Exact search against one line of NumPy, whatever the vectors lie in, and what an index refuses."
import os

import numpy as np, pytest, torch
from hypothesis import given, settings, strategies as st

from rag_nb.fast import scan
from rag_nb.core.index import ExactIndex, INDEX_KINDS, Index, Vectors, _top, _top_of_long, index_class, make_index, register_index


def data(n=500, d=12, b=7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d), dtype=np.float32), rng.standard_normal((b, d), dtype=np.float32)


def brute(x, q, k, exclude=None):
    "ids and scores (B, K), ties by lower id, -1 and -inf for nothing."
    s = q.astype(np.float64) @ x.astype(np.float64).T
    if exclude is not None: s[:, exclude] = -np.inf
    ids = np.argsort(-s, axis=1, kind="stable")[:, :k]
    s = np.take_along_axis(s, ids, 1)
    pad = ((0, 0), (0, k-ids.shape[1]))
    return np.pad(np.where(s == -np.inf, -1, ids), pad, constant_values=-1), np.pad(s, pad, constant_values=-np.inf)


def same(hits, ids, scores):
    assert hits.ids.tolist() == ids.tolist()
    np.testing.assert_allclose(hits.scores.numpy(), scores, rtol=1e-5, atol=1e-5)


@given(st.integers(1, 60), st.integers(1, 5), st.integers(0, 5), st.integers(1, 70), st.integers(1, 64), st.integers(0, 2**31), st.booleans())
@settings(max_examples=150)
def test_against_brute_force(n, d, b, k, chunk, seed, leave_out):
    rng = np.random.default_rng(seed)
    x, q = rng.integers(-2, 3, (n, d)).astype(np.float32), rng.integers(-2, 3, (b, d)).astype(np.float32)      # whole numbers: many ties, exact sums
    out = rng.random(n) < .5 if leave_out else None
    h = ExactIndex(x, chunk_size=chunk).search(q, k, exclude=out, return_vectors=True)
    same(h, *brute(x, q, k, out))
    assert h.shape == (b, k) and torch.equal(h.mask, h.ids >= 0)
    assert torch.equal(h.vectors[h.mask], torch.from_numpy(x)[h.ids[h.mask]]) and h.vectors[~h.mask].abs().sum() == 0


@pytest.mark.parametrize("make", ["array", "float64", "lists", "memmap", "half memmap", "tensor", "bf16", "segments", "Fortran", "strided"])
def test_whatever_the_vectors_lie_in(make, tmp_path):
    x, q = data()
    x, q = x.round(1), q.round(1)
    if make == "half memmap": x = x.astype(np.float16).astype(np.float32)
    if make == "bf16": x = torch.from_numpy(x).bfloat16().float().numpy()
    np.save(tmp_path/"x.npy", x); np.save(tmp_path/"h.npy", x.astype(np.float16))
    v = {"array": lambda: x, "float64": lambda: x.astype(np.float64), "lists": lambda: x.tolist(), "memmap": lambda: np.load(tmp_path/"x.npy", mmap_mode="r"),
         "half memmap": lambda: np.load(tmp_path/"h.npy", mmap_mode="r"), "tensor": lambda: torch.from_numpy(x), "bf16": lambda: torch.from_numpy(x).bfloat16(),
         "segments": lambda: [x[:100], torch.from_numpy(x[100:101]), np.load(tmp_path/"x.npy", mmap_mode="r")[101:], x[:0]],
         "Fortran": lambda: np.asfortranarray(x), "strided": lambda: np.repeat(x, 2, 0)[::2]}[make]()
    index = ExactIndex(v, chunk_size=64)
    same(index.search(q, 9), *brute(x, q, 9))
    rows = torch.tensor([[499, 0], [-1, 100]])
    assert torch.equal(index.vectors(rows)[0], torch.from_numpy(x[[499, 0]])) and index.vectors(rows)[1, 0].abs().sum() == 0
    index.add(x[:3])
    same(index.search(q, 9), *brute(np.concatenate([x, x[:3]]), q, 9))


def test_scores_do_not_depend_on_the_batch_the_pieces_or_the_kind():
    x, q = data(2000, 96, 40)
    x[1500:1520] = x[10]                                                              # copies far apart
    all_at_once = ExactIndex(x, chunk_size=2000).search(q, 30)
    for chunk in (1, 7, 333):
        h = ExactIndex(x, chunk_size=chunk).search(q, 30)
        assert torch.equal(h.ids, all_at_once.ids) and torch.equal(h.scores, all_at_once.scores)
    one_by_one = [ExactIndex(x).search(q[i:i+1], 30) for i in range(40)]
    assert torch.equal(torch.cat([h.scores for h in one_by_one]), all_at_once.scores) and torch.equal(torch.cat([h.ids for h in one_by_one]), all_at_once.ids)


def test_the_closest_twin_comes_first_by_number():
    x, q = data(300, 8)
    x[[250, 17, 90]] = 5*q[0]
    assert ExactIndex(x, chunk_size=50).search(q[:1], 3).ids.tolist() == [[17, 90, 250]]
    assert ExactIndex(x, chunk_size=50).search(q[:1], 2).ids.tolist() == [[17, 90]]


@given(st.integers(1, 4), st.integers(1, 300), st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**31))
def test_the_largest_of_a_row(b, c, k, block, seed):
    rng = np.random.default_rng(seed)
    scores = torch.from_numpy(rng.integers(-3, 4, (b, c)).astype(np.float32))
    scores[torch.from_numpy(rng.random((b, c)) < .3)] = -torch.inf
    want = scores.sort(dim=1, descending=True, stable=True)
    n = (want.values[:, :k] > -torch.inf).sum(1)
    for s, i in (_top(scores, k), _top_of_long(scores, k, block)):
        assert s.shape == i.shape == (b, min(k, c)) and torch.equal(s, want.values[:, :k])
        for r in range(b): assert i[r, :n[r]].tolist() == want.indices[r, :n[r]].tolist()


def test_many_questions_go_in_blocks():
    x, q = data(50, 4, 2500)
    same(ExactIndex(x).search(q, 60), *brute(x, q, 60))
    assert ExactIndex(x).search(q[:0], 5, return_vectors=True).shape == (0, 5)


def test_deleted_rows_stay_away_and_new_ones_come():
    x, q = data()
    index = ExactIndex(x)
    index.deleted = torch.from_numpy(np.arange(500) % 2 == 0)
    out = np.arange(500) % 3 == 0
    same(index.search(q, 9, exclude=out), *brute(x, q, 9, out | (np.arange(500) % 2 == 0)))
    index.add(100*q)
    assert index.search(q, 1).ids.flatten().tolist() == list(range(500, 507))
    index.deleted[:] = True
    assert not index.search(q, 3).mask.any()


def test_dtype_on_demand():
    x, q = data()
    half = ExactIndex(x, dtype=torch.float16)
    assert half.stored.segments[0].dtype == torch.float16
    same(half.search(q, 5), *brute(x.astype(np.float16), q, 5))


@pytest.mark.parametrize("vectors,says", [
    (np.zeros((0, 3), np.float32), "no vectors"), ([], "no vectors"), (np.zeros(3, np.float32), "shape"), (np.zeros((2, 2, 2), np.float32), "shape"),
    (np.zeros((2, 0), np.float32), "shape"), (np.zeros((2, 2), np.int64), "not int64"), (np.array([["a"]]), "not <U1"), (np.array([[None]]), "not object"),
    ([np.zeros((2, 2), np.float32), np.zeros((2, 3), np.float32)], "different lengths"),
    (np.array([[0, 1], [np.nan, 0]], np.float32), "vector 1 holds NaN"), (torch.tensor([[0., 1], [torch.inf, 0]]), "vector 1 holds NaN or infinity")])
def test_unusable_vectors(vectors, says):
    with pytest.raises(ValueError, match=says): ExactIndex(vectors)


def test_unusable_calls():
    x, q = data()
    index = ExactIndex(x)
    for bad, says in ((q[:, :5], "another encoder"), (q[0], "queries"), (q*np.nan, "query 0 holds NaN"), (np.where(np.arange(7)[:, None] == 3, np.inf, q), "query 3")):
        with pytest.raises(ValueError, match=says): index.search(bad)
    for k in (0, -1, 2.5, "5", None):
        with pytest.raises(ValueError, match="n_docs"): index.search(q, k)
    for mask in (np.zeros(3, bool), np.zeros(500), [1, 2]):
        with pytest.raises(ValueError, match="mask of 500 bools"): index.search(q, exclude=mask)
    with pytest.raises(ValueError, match="new vectors have 3"): index.add(np.zeros((1, 3), np.float32))
    with pytest.raises(ValueError, match="NaN"): index.add(np.full((1, 12), np.nan, np.float32))
    with pytest.raises(IndexError): index.vectors([500])
    with pytest.raises(IndexError): index.vectors([-2])
    with pytest.raises(ValueError, match="overflow"): ExactIndex(np.full((1, 12), 3e38, np.float32)).search(np.full((1, 12), 3e38, np.float32))


def test_kinds():
    x, q = data()
    with pytest.raises(ValueError, match="no index of kind 'nonsense'; there are .*exact"): make_index("nonsense", x)
    assert index_class("hnsw").kind == "hnsw"                                            # imported when asked for

    @register_index("test-first")
    class First(Index):
        "Proposes the first rows: scores are exact, whatever is proposed."
        def _candidates(self, queries, k, exclude): return torch.arange(k).expand(len(queries), k)
    try:
        same(make_index("test-first", x).search(q, 3), *brute(x[:11], q, 3))
        assert make_index("test-first", x).save(".") == []
    finally: del INDEX_KINDS["test-first"]
    with pytest.raises(NotImplementedError, match="Index does not say how"): Index(x).search(q)


def test_memory_maps_are_neither_read_whole_nor_changed(tmp_path):
    "A scan over 200 MB of mapped vectors adds little to this process, and releases what it has read."
    n, d = 200_000, 256
    m = np.lib.format.open_memmap(tmp_path/"big.npy", "w+", dtype=np.float32, shape=(n, d))
    rng = np.random.default_rng(0)
    for i in range(0, n, 20_000): m[i:i+20_000] = rng.standard_normal((20_000, d), dtype=np.float32)
    q = m[[150_000]].copy(); m.flush(); del m
    def resident(): return int(next(l for l in open("/proc/self/status") if l.startswith("VmRSS")).split()[1])/1024
    index = ExactIndex(np.load(tmp_path/"big.npy", mmap_mode="r"), check=False)
    before = resident()
    h = index.search(q, 20)
    assert h.ids[0, 0] == 150_000 and torch.allclose(index.vectors(h.ids)[0, 0], torch.from_numpy(q[0]))
    assert resident() - before < 120
    assert np.array_equal(np.load(tmp_path/"big.npy", mmap_mode="r")[150_000], q[0])


def test_pages_are_given_back_only_from_within_the_map(tmp_path):
    x = np.random.default_rng(0).standard_normal((300_000, 64), dtype=np.float32)      # over 64 MB
    np.save(tmp_path/"x.npy", x)
    view = np.load(tmp_path/"x.npy", mmap_mode="r")[1001:250_003]
    assert torch.equal(torch.cat([c for _, c in Vectors(view, check=False).chunks(77_777)]), torch.from_numpy(x[1001:250_003]))
    assert torch.equal(Vectors(view, check=False).take([0, 249_001, 5]), torch.from_numpy(x[1001:250_003][[0, 249_001, 5]]))


@given(st.integers(1, 400), st.integers(1, 40), st.integers(0, 5), st.integers(1, 70), st.integers(0, 2**31), st.booleans(), st.integers(1, 3), st.integers(0, 20_000))
@settings(max_examples=60, deadline=None)
def test_codes_find_what_the_vectors_would(n, d, b, k, seed, leave_out, shares, room):
    "Eight bits, spread over several devices, some of it waiting to be streamed: ids and scores are those of full precision."
    rng = np.random.default_rng(seed)
    x, q = rng.integers(-2, 3, (n, d)).astype(np.float32), rng.integers(-2, 3, (b, d)).astype(np.float32)
    out = rng.random(n) < .5 if leave_out else None
    index = ExactIndex(x, device=["cpu"]*shares, dtype=torch.int8, room=room, chunk_size=128)
    same(index.search(q, k, exclude=out), *brute(x, q, k, out))
    assert index.stored.segments[0] is x and sum(len(s) for _, s in index.shards) == n
    index.add(x[:3]*2)
    same(index.search(q, k), *brute(np.concatenate([x, x[:3]*2]), q, k))


def test_codes_of_real_numbers_and_of_what_breaks_them(tmp_path):
    x, q = data(3000, 24, 9)
    x[:200] *= 1e-3; x[200:400] *= 1e3; x[400:900] = x[400]; x[900:910] = 0
    np.save(tmp_path/"x.npy", x)
    for vectors in (x, np.load(tmp_path/"x.npy", mmap_mode="r"), [x[:1000], torch.from_numpy(x[1000:]).half().float()]):
        a, b = ExactIndex(vectors, dtype=torch.int8).search(q, 12, return_vectors=True), ExactIndex(vectors).search(q, 12, return_vectors=True)
        assert torch.equal(a.ids, b.ids) and torch.equal(a.scores, b.scores) and torch.equal(a.vectors, b.vectors)


@pytest.mark.parametrize("dtype", [None, torch.float16, torch.int8])
def test_as_on_a_gpu_in_the_interpreter(dtype, monkeypatch):
    "Everything that a card does, but for the card."
    if not scan.has_triton() or torch.cuda.is_available() or not os.environ.get("TRITON_INTERPRET"): pytest.skip("set TRITON_INTERPRET=1 to run the kernels without a GPU")
    monkeypatch.setattr(scan, "FUSED_ON", "cpu")
    rng = np.random.default_rng(0)
    x, q = rng.integers(-3, 4, (900, 20)).astype(np.float32), rng.integers(-3, 4, (5, 20)).astype(np.float32)
    index = ExactIndex(x, device=["cpu", "cpu"], dtype=dtype, room=15_000, chunk_size=200)
    out = rng.random(900) < .5
    same(index.search(q, 8, exclude=out), *brute(x, q, 8, out))
    index.add(q*9)
    assert set(index.search(q, 1).ids.flatten().tolist()) == set(range(900, 905)) and index.shards and index.vectors([3, -1]).shape == (2, 20)


@pytest.mark.gpu
def test_on_a_gpu():
    x, q = data(20_000, 64, 50)
    for dtype in (None, torch.float16):
        index = ExactIndex(x, device="cuda", dtype=dtype, chunk_size=3000)
        seen = x if dtype is None else x.astype(np.float16)
        out = np.arange(20_000) % 5 == 0
        h = index.search(torch.from_numpy(q).cuda(), 10, exclude=out)
        assert h.ids.is_cuda
        same(h.to("cpu"), *brute(seen, q, 10, out))
        index.add(q)
        assert set(range(20_000, 20_050)) == set(index.search(10*q, 1).ids.flatten().tolist())
