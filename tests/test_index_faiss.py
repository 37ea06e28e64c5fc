"FAISS against exact search: recall, exact scores, exclusion, growth, files."
import numpy as np, pytest, torch

pytest.importorskip("faiss")
import faiss
from rag_nb.index import ExactIndex, make_index
from rag_nb.index_faiss import FaissIndex, FlatIndex, HNSWIndex, IVFPQIndex, _ivfpq

FACTORIES = ["Flat", "HNSW16", "HNSW16_SQ8", "IVF32,Flat", "IVF32,PQ8", "OPQ8,IVF32,PQ8", "PCA24,Flat", "SQ8", "IVF32_HNSW16,PQ8x4fs"]


@pytest.fixture(autouse=True)
def one_thread():
    before = faiss.omp_get_max_threads(); faiss.omp_set_num_threads(1); yield; faiss.omp_set_num_threads(before)


def data(n=3000, d=32, b=50, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((60, d))
    make = lambda n: (lambda x: (x/np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32))(centres[rng.integers(60, size=n)] + .4*rng.standard_normal((n, d)))
    return make(n), make(b)


def recall(a, b): return np.mean([len(set(x) & set(y))/len(x) for x, y in zip(a.ids.tolist(), b.ids.tolist())])


@pytest.mark.parametrize("factory", FACTORIES)
def test_recall_scores_exclusion_and_file(factory, tmp_path):
    x, q = data()
    index, exact = FaissIndex(x, factory), ExactIndex(x)
    a, b = index.search(q, 10, return_vectors=True), exact.search(q, 10)
    assert recall(a, b) > (.999 if factory == "Flat" else .85)
    np.testing.assert_array_equal(a.scores.numpy(), (torch.from_numpy(q)[:, None]*torch.from_numpy(x)[a.ids]).sum(-1).numpy())      # to the last bit
    out = torch.zeros(3000, dtype=torch.bool); out[b.ids[:, :3].flatten()] = True
    left = index.search(q, 10, exclude=out)
    assert left.mask.all() and not out[left.ids].any() and recall(left, exact.search(q, 10, exclude=out)) > .8
    names = index.save(tmp_path, "index.g7")
    assert names == ["index.g7.faiss"]
    again = FaissIndex.load(tmp_path, names, [x[:2000], x[2000:]], **index.params)
    assert torch.equal(again.search(q, 10).ids, a.ids) and torch.equal(again.search(q, 10).scores, a.scores)


def test_the_largest_inner_product_not_the_smallest_distance():
    x, q = data()
    x[100] = 20*q[0]                                                                   # far away, and the best
    for kind in ("faiss-flat", "hnsw"): assert make_index(kind, x).search(q[:1], 1).ids.tolist() == [[100]]


@pytest.mark.parametrize("factory", ["Flat", "HNSW16", "IVF32,PQ8"])
def test_almost_everything_excluded(factory):
    x, q = data()
    index, few = FaissIndex(x, factory, nprobe=1 if "IVF" in factory else None), np.ones(3000, bool)
    few[[3, 1500, 2999]] = False
    h = index.search(q, 5, exclude=few)
    assert torch.equal(h.ids, ExactIndex(x).search(q, 5, exclude=few).ids) and h.mask.sum() == 150
    assert not index.search(q, 5, exclude=np.ones(3000, bool)).mask.any()


def test_more_documents_than_there_are():
    x, q = data(20)
    for kind in (FlatIndex(x), HNSWIndex(x)):
        h = kind.search(q, 50)
        assert h.shape == (50, 50) and h.mask.sum(1).tolist() == [20]*50 and torch.equal(h.ids, ExactIndex(x).search(q, 50).ids)


def test_a_small_collection_of_codes_is_flat():
    x, q = data(100)
    with pytest.warns(UserWarning, match="100 vectors are too few"): index = IVFPQIndex(x)
    assert torch.equal(index.search(q, 5).ids, ExactIndex(x).search(q, 5).ids)


def test_lists_and_codes_by_size():
    assert _ivfpq(21_015_300, 768) == "IVF16384,PQ128" and _ivfpq(2067, 384) == "IVF53,PQ64"
    assert _ivfpq(5000, 7).endswith(",PQ1") and _ivfpq(5000, 30).endswith(",PQ5")
    x, q = data()
    assert recall(IVFPQIndex(x).search(q, 10), ExactIndex(x).search(q, 10)) > .9


def test_growing(tmp_path):
    x, q = data()
    index = HNSWIndex(x[:2000])
    index.add(x[2000:2500])
    assert index.index.ntotal == 2500
    mapped = HNSWIndex.load(tmp_path, index.save(tmp_path), x[:2600])
    mapped.add(x[2600:])                                                               # the mapped file stays as it is
    assert mapped.index.ntotal == 2500 and len(mapped) == 3000
    exact = ExactIndex(x).search(q, 10)
    assert recall(mapped.search(q, 10), exact) > .95 and {i for i in exact.ids.flatten().tolist() if i >= 2500} <= set(mapped.search(q, 10).ids.flatten().tolist())
    out = np.arange(3000) % 2 == 0
    assert recall(mapped.search(q, 10, exclude=out), ExactIndex(x).search(q, 10, exclude=out)) > .95
    assert mapped.absorb().index.ntotal == 3000 and recall(mapped.search(q, 10), exact) > .95
    mapped.save(tmp_path, "more")
    assert HNSWIndex.load(tmp_path, ["more.faiss"], x).index.ntotal == 3000


def test_nothing_of_the_index_is_changed_by_a_search():
    x, q = data()
    index = FaissIndex(x, "IVF32,Flat", nprobe=2)
    before = faiss.extract_index_ivf(index.index).nprobe
    index.search(q, 5, exclude=np.arange(3000) > 10)
    assert faiss.extract_index_ivf(index.index).nprobe == before


@pytest.mark.parametrize("factory,n,says", [("HNSW-32", 3000, "makes no index"), ("", 3000, "needs a factory"), ("IVF64,PQ7", 3000, "makes no index|too few"), ("IVF4096,Flat", 3000, "3,000 vectors are too few"), ("LSH", 3000, "makes no index")])
def test_unusable_recipes(factory, n, says):
    with pytest.raises(ValueError, match=says): FaissIndex(data(n)[0], factory)


def test_unusable_files(tmp_path):
    x, _ = data()
    HNSWIndex(x).save(tmp_path, "h")
    for vectors in (x[:2999], x[:, :16]):
        with pytest.raises(ValueError, match="does not fit"): HNSWIndex.load(tmp_path, ["h.faiss"], vectors)
    l2 = faiss.IndexFlatL2(32); l2.add(x); faiss.write_index(l2, str(tmp_path/"l2.faiss"))
    with pytest.raises(ValueError, match="does not fit"): FlatIndex.load(tmp_path, ["l2.faiss"], x)
    for content in (b"", b"junk", (tmp_path/"h.faiss").read_bytes()[:-1], b"IxFI" + b"\xff"*200):
        (tmp_path/"bad.faiss").write_bytes(content)
        with pytest.raises(ValueError, match="bad.faiss: not a readable FAISS index"): HNSWIndex.load(tmp_path, ["bad.faiss"], x)
    with pytest.raises(ValueError, match="one file"): HNSWIndex.load(tmp_path, [], x)


@pytest.mark.parametrize("factory", ["HNSW16", "IVF32,PQ8", "Flat"])
def test_a_small_file_that_claims_to_be_huge(factory, tmp_path):
    "Every 8-byte length in the file's beginning, replaced by a large one, is refused before memory is asked for."
    x, q = data(1500)
    FaissIndex(x, factory).save(tmp_path, "f")
    content = (tmp_path/"f.faiss").read_bytes()
    for at in range(0, 160, 4):
        (tmp_path/"g.faiss").write_bytes(content[:at] + (2**38).to_bytes(8, "little") + content[at+8:])
        try: FaissIndex.load(tmp_path, ["g.faiss"], x, factory=factory)
        except ValueError: pass
