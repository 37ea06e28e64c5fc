"FAISS against exact search: recall, exact scores, exclusion, growth, files."
import numpy as np, pytest, torch

pytest.importorskip("faiss")
import faiss
from rag_nb.core.index import ExactIndex, make_index
from rag_nb.store.faiss import FaissIndex, FlatIndex, HNSWIndex, IVFPQIndex, _ivfpq

FACTORIES = ["Flat", "HNSW16", "HNSW16_SQ8", "IVF32,Flat", "IVF32,PQ8", "OPQ8,IVF32,PQ8", "PCA24,Flat", "SQ8", "IVF32_HNSW16,PQ8x4fs"]


@pytest.fixture(autouse=True)
def one_thread():
    before = faiss.omp_get_max_threads(); faiss.omp_set_num_threads(1); yield; faiss.omp_set_num_threads(before)


def data(n=3000, d=32, b=50, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((60, d))
    make = lambda n: (lambda x: (x/np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32))(centres[rng.integers(60, size=n)] + .4
        *rng.standard_normal((n, d)))
    return make(n), make(b)


def recall(a, b): return np.mean([len(set(x) & set(y))/len(x) for x, y in zip(a.ids.tolist(), b.ids.tolist())])


@pytest.mark.parametrize("factory", FACTORIES)
def test_recall_scores_exclusion_and_file(factory, tmp_path):
    x, q = data()
    index, exact = FaissIndex(x, factory), ExactIndex(x)
    a, b = index.search(q, 10, return_vectors=True), exact.search(q, 10)
    assert recall(a, b) > (.999 if factory == "Flat" else .85)
    # to the last bit
    np.testing.assert_array_equal(a.scores.numpy(), (torch.from_numpy(q)[:, None]*torch.from_numpy(x)[a.ids]).sum(-1).numpy())
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
    assert recall(mapped.search(q, 10), exact) > .95 and {i for i in exact.ids.flatten().tolist()
        if i >= 2500} <= set(mapped.search(q, 10).ids.flatten().tolist())
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


@pytest.mark.parametrize("factory,n,says", [("HNSW-32", 3000, "makes no index"), ("", 3000, "needs a factory"),
    ("IVF64,PQ7", 3000, "makes no index|too few"), ("IVF4096,Flat", 3000, "3,000 vectors are too few"), ("LSH", 3000, "makes no index")])
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
        with pytest.raises(ValueError, match="bad.faiss: not a readable FAISS index|bad.faiss holds .* which does not fit"):
            HNSWIndex.load(tmp_path, ["bad.faiss"], x)
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


# Files that were made to harm

def _written(tmp_path, factory, n=300, d=8):
    import faiss
    from rag_nb.store.faiss import _plainly
    v = np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)
    index = faiss.index_factory(d, factory, faiss.METRIC_INNER_PRODUCT); _plainly(index)
    index.train(v); index.add(v)
    return index, v


@pytest.mark.parametrize("at, value, says", [(4, 9, "which does not fit"), (9, 61, "which does not fit"), (14, 1, "which does not fit"),
    (33, 1, "by another metric"), (0, 0, "not a readable FAISS index")])
def test_a_forged_header_is_refused_before_faiss_reads_it(tmp_path, monkeypatch, at, value, says):
    import faiss
    index, v = _written(tmp_path, "HNSW8")
    faiss.write_index(index, str(tmp_path/"i.faiss"))
    FaissIndex.load(tmp_path, ["i.faiss"], v)
    data = bytearray((tmp_path/"i.faiss").read_bytes()); data[at] = value
    (tmp_path/"i.faiss").write_bytes(data)
    monkeypatch.setattr(faiss, "read_index", lambda *a: pytest.fail("FAISS has read it"))
    with pytest.raises(ValueError, match=says): FaissIndex.load(tmp_path, ["i.faiss"], v)
    (tmp_path/"i.faiss").write_bytes(data[:20])
    with pytest.raises(ValueError, match="cut short"): FaissIndex.load(tmp_path, ["i.faiss"], v)


@pytest.mark.parametrize("factory", ["Flat", "HNSW8", "HNSW8_SQ8", "IVF4,Flat", "IVF4,PQ4x4", "PCA6,IVF2,SQ8", "IVF4_HNSW4,Flat",
    "IVF4,PQ4x4fs", "PQ4x4fs", "PQ4x4", "OPQ4_8,IVF2,PQ4x4"])
def test_every_kind_that_is_whole_is_sound(tmp_path, factory):
    import faiss
    from rag_nb.store.faiss import _sound
    index, v = _written(tmp_path, factory)
    _sound(index, "i")
    faiss.write_index(index, str(tmp_path/"i.faiss"))
    FaissIndex.load(tmp_path, ["i.faiss"], v).search(torch.from_numpy(v[:2]), 3)


def test_a_graph_that_leads_nowhere_is_refused():
    "Links, rows, levels and the entry of a graph, each made wrong in memory, where no checksum could see it."
    import faiss
    from rag_nb.store.faiss import _sound
    def harm(what):
        index, _ = _written(None, "HNSW8"); g = index.hnsw
        if what == "links": a = faiss.vector_to_array(g.neighbors); a[3] = 300; faiss.copy_array_to_vector(a, g.neighbors)
        if what == "negative": a = faiss.vector_to_array(g.neighbors); a[3] = -2; faiss.copy_array_to_vector(a, g.neighbors)
        if what == "rows": a = faiss.vector_to_array(g.offsets); a[5] += 10**6; faiss.copy_array_to_vector(a, g.offsets)
        if what == "levels": a = faiss.vector_to_array(g.levels); a[5] = 9; faiss.copy_array_to_vector(a, g.levels)
        if what == "entry": g.entry_point = 300
        if what == "storage": index.storage.ntotal = 299
        return index
    _sound(harm("nothing"), "i.faiss")
    for what in ("links", "negative", "rows", "levels", "entry", "storage"):
        with pytest.raises(ValueError, match="i.faiss: damaged FAISS index"): _sound(harm(what), "i.faiss")


def test_lists_with_rows_that_are_not_there(tmp_path):
    import faiss
    index, v = _written(tmp_path, "IVF4,Flat")
    faiss.write_index(index, str(tmp_path/"i.faiss"))
    data = (tmp_path/"i.faiss").read_bytes()
    for bad in (300, 2**40, 2**64 - 5):
        lists = faiss.extract_index_ivf(index).invlists
        some = faiss.rev_swig_ptr(lists.get_ids(0), lists.list_size(0)).astype("<i8").tobytes()
        spoilt = data.replace(some, (bad.to_bytes(8, "little"))*(len(some)//8))
        assert spoilt != data
        (tmp_path/"i.faiss").write_bytes(spoilt)
        with pytest.raises(ValueError, match="damaged"):
            FaissIndex.load(tmp_path, ["i.faiss"], v, nprobe=4).search(torch.from_numpy(v[:4]), 5)


@pytest.mark.parametrize("factory", ["HNSW8", "IVF4,PQ4x4"])
def test_a_file_that_ends_too_early_ends_no_process(tmp_path, factory):
    "FAISS's mapped reader crashes over some of these; small files are read by the plain one."
    index, v = _written(tmp_path, factory)
    faiss.write_index(index, str(tmp_path/"i.faiss"))
    data = (tmp_path/"i.faiss").read_bytes()
    for cut in [*range(0, 300, 7), *range(300, len(data), 211)]:
        (tmp_path/"i.faiss").write_bytes(data[:cut])
        with pytest.raises(ValueError, match="i.faiss"): FaissIndex.load(tmp_path, ["i.faiss"], v)
