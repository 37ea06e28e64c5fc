"The published index by its files: what is read, what is kept, what is said, and what goes wrong."
# ruff: noqa: F811 (a fixture is imported, and then is a parameter)
import json, os, subprocess, sys, threading

import faiss, numpy as np, pyarrow as pa, pyarrow.parquet as pq, pytest, torch
from hypothesis import HealthCheck, given, settings, strategies as st

import rag_nb.store.hub as index_hub
from hub import ROOT, build_indexes, build_wiki_dpr, hub, online, wiki  # noqa: F401 (fixtures)
from rag_nb.core.index import ExactIndex
from rag_nb.store.hub import HubFiles, HubPassages, WikiDPRIndex, open_hub_index
from rag_nb.core.passages import Passages

torch.set_num_threads(1); faiss.omp_set_num_threads(1)
quiet = lambda text: None


def questions(vectors, n=4, noise=.3):
    return torch.from_numpy(vectors[:n*9:9] + noise*np.random.default_rng(1).standard_normal((n, vectors.shape[1]), dtype=np.float32))
def published(folder, which="nq", name="IVF4096_HNSW128_PQ128"):
    return faiss.read_index(str(folder/f"index/psgs_w100.{which}.{name}-IP-train.faiss"))
def files_of(hub): return [path for method, path, span in hub.requests if "/resolve/" in path]
def sums(hits): return sorted(hits.ids.flatten().tolist())


@pytest.mark.parametrize("name, file", [("compressed", "IVF4096_HNSW128_PQ128"), ("exact", "HNSW128_SQ8")])
@pytest.mark.parametrize("which", ["nq", "multiset"])
def test_the_published_index_finds_what_faiss_finds_with_exact_scores(wiki, tmp_path, name, file, which):
    index = open_hub_index("wiki_dpr", index_name=name, which=which, say=quiet)
    q = questions(wiki.vectors)
    hits = index.search(q, 3, return_vectors=True)
    _, ids = published(tmp_path/"wiki_dpr", which, file).search(q.numpy(), 3)
    assert [set(r) for r in hits.ids.tolist()] == [set(r) for r in ids.tolist()]
    truth = np.concatenate([np.stack(pq.read_table(p)["embeddings"].to_numpy())
        for p in sorted((tmp_path/f"wiki_dpr/data/psgs_w100/{which}").iterdir())])
    assert np.array_equal(hits.vectors.numpy(), truth[hits.ids]) and torch.allclose(hits.scores,
        torch.einsum("bd,bkd->bk", q, hits.vectors), atol=1e-5)
    assert (hits.scores.diff(dim=1) <= 0).all() and len(index) == 96 and index.dim == 32


def test_a_question_reads_a_few_groups_and_nothing_else(wiki, tmp_path):
    index = open_hub_index("wiki_dpr:compressed", say=quiet)
    wiki.forget()
    hits = index.search(questions(wiki.vectors, 2), 3).with_passages(index.passages)
    groups = {i//8 for i in hits.ids.flatten().tolist()}
    asked = [(path, span) for _, path, span in wiki.requests if "/resolve/" in path]
    assert len(asked) == 2*len(groups) and all(span for _, span in asked) and all(p.endswith(".parquet") for p, _ in asked)
    whole = sum(p.stat().st_size for p in (tmp_path/"wiki_dpr/data/psgs_w100/nq").iterdir())
    assert wiki.sent < whole/3 and hits.passages[0][0]["text"] == f"What passage {hits.ids[0, 0]+1} says."
    wiki.forget()
    again = index.search(questions(wiki.vectors, 2), 3).with_passages(index.passages)
    assert not wiki.requests and torch.equal(again.scores, hits.scores) and again.passages == hits.passages


def test_what_is_found_needs_no_text_and_text_needs_no_vectors(wiki):
    passages = HubPassages(HubFiles("wiki_dpr"), "data/psgs_w100/nq")
    wiki.forget(); passages.vectors([0]); vectors = wiki.sent
    wiki.forget(); passages[0]; text = wiki.sent
    wiki.forget(); passages[1:8]; passages.vectors([7])
    assert wiki.sent == 0 and 0 < text < vectors < 2000


def test_the_script_is_never_asked_for_and_never_runs(wiki, tmp_path, monkeypatch):
    monkeypatch.setenv("CANARY", str(tmp_path/"canary"))
    for how in (dict(index_name="compressed"), dict(index_name="exact"), dict(dummy=True)):
        open_hub_index("wiki_dpr", say=quiet, **how).search(wiki.vectors[:1], 2)
    assert not (tmp_path/"canary").exists() and not [p for p in files_of(wiki) if p.endswith(".py")]


@pytest.mark.parametrize("how, words", [
    (dict(index_name="compressed"), ["IVF4096_HNSW128_PQ128-IP-train.faiss, 1 MB, once", "in 3 files) stay on the Hub",
    "a few MB a passage"]),
    (dict(index_name="exact"), ["HNSW128_SQ8-IP-train.faiss",
    "'exact' is its published name: it is an approximate graph (HNSW) over 8-bit codes"]),
    (dict(dummy=True), ["dummy.nq/train-00000-of-00001.parquet, 1 MB, once."]),
])
def test_what_will_be_downloaded_is_said_before_and_only_then(wiki, capsys, how, words):
    said = []
    open_hub_index("wiki_dpr", say=lambda text: said.append((text, wiki.sent)), **how)
    assert len(said) == 1 and said[0][1] == 0 and wiki.sent > 0
    assert all(w in said[0][0] for w in ["facebook/wiki_dpr: downloading", *words]), said
    open_hub_index("wiki_dpr", say=said.append, **how)
    assert len(said) == 1, "what is here already needs no announcement"
    open_hub_index("wiki_dpr", which="multiset", **how)
    out = capsys.readouterr()
    assert "facebook/wiki_dpr: downloading" in out.err and not out.out


def test_sizes_are_said_as_people_say_them():
    assert [index_hub._size(n) for n in (1, 31e6, 2.9e9, 38.04e9, 78.4e9)] == ["1 MB", "31 MB", "2.9 GB", "38.0 GB", "78.4 GB"]


def test_no_room_is_an_error_before_anything_moves(wiki, monkeypatch):
    monkeypatch.setattr(index_hub.shutil, "disk_usage", lambda path: type("Usage", (), dict(free=10)))
    with pytest.raises(OSError, match="HNSW128_SQ8.* is 1 MB, and .* has room for 1 MB; set HF_HOME"):
        open_hub_index("wiki_dpr", index_name="exact")
    assert wiki.sent == 0


def test_the_dummy_set_is_searched_exactly(wiki):
    index = open_hub_index("wiki_dpr", dummy=True, say=quiet)
    q = questions(wiki.vectors)
    hits, truth = index.search(q, 30), ExactIndex(wiki.vectors[:20]).search(q, 30)
    assert torch.equal(hits.ids, truth.ids) and torch.equal(hits.scores, truth.scores) and hits.mask.sum(1).tolist() == [20]*4
    assert [p["title"] for p in index.passages[[0, 4, -1]]] == ['"Article 0"', "Article 1", "Article 4"]
    assert not any(p.endswith(".faiss") for p in files_of(wiki)) and open_hub_index("wiki_dpr:dummy", say=quiet).search(q,
        3).ids.tolist() == hits.ids[:, :3].tolist()


def test_offline_afterwards(wiki):
    q = questions(wiki.vectors, 2)
    first = {n: (i := open_hub_index("wiki_dpr", index_name=n, say=quiet)).search(q, 3).with_passages(i.passages)
        for n in ("compressed", "exact")}
    open_hub_index("wiki_dpr", dummy=True, say=quiet)
    wiki.forget()
    with wiki.here(offline=True):
        for name, hits in first.items():
            index = open_hub_index("wiki_dpr", index_name=name, say=lambda text: pytest.fail(text))
            again = index.search(q, 3).with_passages(index.passages)
            assert torch.equal(again.scores, hits.scores) and again.passages == hits.passages
        assert open_hub_index("wiki_dpr", dummy=True).search(q, 1).mask.all()
        unread = next(i for i in range(0, 96, 8) if i//8 not in {j//8 for h in first.values() for j in h.ids.flatten().tolist()})
        with pytest.raises(FileNotFoundError, match=r"train-0000\d-of-00003.parquet of facebook/wiki_dpr was not read before.*HF_HUB_OFFLINE is set"):
            index.passages[unread]
        with pytest.raises(FileNotFoundError, match="multiset.*was not read before.*HF_HUB_OFFLINE"):
            open_hub_index("wiki_dpr", which="multiset")
        with pytest.raises(FileNotFoundError, match="someone/else was not read before"): open_hub_index("someone/else")
    assert not wiki.requests


def test_offline_with_an_index_that_was_not_downloaded(wiki):
    HubPassages(HubFiles("wiki_dpr"), "data/psgs_w100/nq"); HubFiles("wiki_dpr").listing("index")
    with wiki.here(offline=True), pytest.raises(FileNotFoundError, match="PQ128-IP-train.faiss of facebook/wiki_dpr was not read before"):
        open_hub_index("wiki_dpr:compressed")


def test_a_repository_that_was_downloaded_is_read_where_it_is(wiki):
    "As `hf download` or snapshot_download leave it: nothing of ours was there before, and nothing is copied."
    from huggingface_hub import snapshot_download
    snapshot_download("facebook/wiki_dpr", repo_type="dataset", allow_patterns=["data/psgs_w100/nq/*", "index/psgs_w100.nq*"])
    with wiki.here(offline=True):
        index = open_hub_index("wiki_dpr:compressed", say=lambda text: pytest.fail(text))
        hits = index.search(questions(wiki.vectors), 3).with_passages(index.passages)
        assert hits.mask.all() and index.passages.column("id") == [str(i+1) for i in range(96)]
    assert not list((wiki.home/"assets").rglob("*.parquet"))


def test_a_folder_with_the_layout_needs_no_hub(wiki, tmp_path):
    wiki.forget()
    index = open_hub_index(tmp_path/"wiki_dpr", index_name="exact", say=lambda text: pytest.fail(text))
    assert sums(index.search(wiki.vectors[5:6], 1)) == [5] and not wiki.requests and not wiki.home.exists()


def test_the_hub_may_be_down(wiki):
    q = questions(wiki.vectors, 1)
    first = open_hub_index("wiki_dpr:compressed", say=quiet).search(q, 3)
    wiki.broken = 500
    assert torch.equal(open_hub_index("wiki_dpr:compressed", say=quiet).search(q, 3).scores, first.scores)
    with pytest.raises(FileNotFoundError, match="facebook/other was not read before, and the Hub cannot be reached now"):
        HubFiles("facebook/other")


def test_revisions(wiki, tmp_path):
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
    first = wiki.repos["dataset", "facebook/wiki_dpr"].commit
    assert HubFiles("wiki_dpr", first).commit == HubFiles("facebook/wiki_dpr").commit == HubFiles("wiki_dpr", "main").commit == first
    with pytest.raises(RevisionNotFoundError): open_hub_index("wiki_dpr", revision="v9")
    with pytest.raises(RepositoryNotFoundError): open_hub_index("facebook/wiki_drp")
    old = open_hub_index("wiki_dpr:compressed", say=quiet)
    old.passages[0]
    fresh = build_wiki_dpr(tmp_path/"new", rows=40, seed=7)
    wiki.add_repo("facebook/wiki_dpr", tmp_path/"new", "dataset")
    new = open_hub_index("wiki_dpr:compressed", say=quiet)
    assert (len(old), len(new)) == (96, 40) and np.array_equal(new.passages.vectors([3])[0].numpy(),
        fresh[3]) and np.array_equal(old.passages.vectors([3])[0].numpy(), wiki.vectors[3])


def test_other_repositories_say_what_they_lack(wiki, tmp_path):
    (tmp_path/"other/data").mkdir(parents=True); (tmp_path/"other/data/train-00000-of-00001.parquet").write_bytes(b"")
    wiki.add_repo("someone/docs", tmp_path/"other", "dataset")
    with pytest.raises(ValueError, match="someone/docs has no file index/psgs_w100.nq"): open_hub_index("someone/docs")
    with pytest.raises(ValueError, match="someone/docs/data/psgs_w100/dummy.nq has no files of passages; only repositories laid out like"):
        open_hub_index("someone/docs", dummy=True)
    with pytest.raises(ValueError, match="no index 'flat'; there are 'exact', 'compressed'"): open_hub_index("wiki_dpr:flat")
    with pytest.raises(ValueError, match="'nq' or 'multiset', not 'trivia'"): open_hub_index("wiki_dpr", which="trivia")
    with pytest.raises(ValueError, match="no passages for the split 'validation'; it has 'train'"):
        open_hub_index("wiki_dpr", "validation", dummy=True, say=quiet)
    with pytest.raises(ValueError, match="passages without vectors"):
        HubPassages(HubFiles("wiki_dpr"), "data/psgs_w100/no_embeddings").vectors([0])
    assert open_hub_index("wiki_dpr", index_name="psgs_w100.multiset.compressed",
        say=quiet).index_file == "index/psgs_w100.multiset.IVF4096_HNSW128_PQ128-IP-train.faiss"


def test_missing_files_and_files_of_another_set(tmp_path):
    build_wiki_dpr(tmp_path)
    nq = tmp_path/"data/psgs_w100/nq"
    (nq/"train-00001-of-00003.parquet").rename(tmp_path/"aside")
    with pytest.raises(ValueError, match="there are 2 files of 3"): open_hub_index(tmp_path)
    (tmp_path/"aside").rename(nq/"train-00001-of-00003.parquet")
    (nq/"train-00001-of-00002.parquet").write_bytes(b"")
    with pytest.raises(ValueError, match="files of 2/3"): open_hub_index(tmp_path)
    (nq/"train-00001-of-00002.parquet").unlink()
    build_indexes(tmp_path, np.random.default_rng(0).standard_normal((90, 32), dtype=np.float32), "nq")
    with pytest.raises(ValueError, match="holds 90 vectors of 32 numbers, and there are 96 passages with 32: they do not belong together"):
        open_hub_index(tmp_path)
    faiss.write_index(faiss.IndexFlatL2(32), str(tmp_path/"l2.faiss")); index = faiss.read_index(str(tmp_path/"l2.faiss"))
    index.add(np.zeros((96, 32), np.float32))
    faiss.write_index(index, str(tmp_path/"l2.faiss"))
    with pytest.warns(UserWarning, match="l2.faiss ranks by distance"): open_hub_index(tmp_path, index_path=tmp_path/"l2.faiss")
    (tmp_path/"index/psgs_w100.nq.HNSW128_SQ8-IP-train.faiss").write_bytes(b"not FAISS")
    with pytest.raises(ValueError, match="not a readable FAISS index"): open_hub_index(tmp_path, index_name="exact")


def test_a_kept_group_that_was_cut_short_is_read_again(wiki):
    passages = HubPassages(HubFiles("wiki_dpr"), "data/psgs_w100/nq")
    passages[0]; passages.vectors([0])
    for path in (wiki.home/"assets").rglob("*.parquet"): path.write_bytes(path.read_bytes()[:-20])
    again = HubPassages(HubFiles("wiki_dpr"), "data/psgs_w100/nq")
    index_hub._texts.cache_clear()
    assert again[0]["id"] == "1" and np.array_equal(again.vectors([0])[0].numpy(), wiki.vectors[0])


def test_a_kept_group_with_flipped_bits_is_named(wiki):
    passages = HubPassages(HubFiles("wiki_dpr"), "data/psgs_w100/nq")
    passages.vectors([0])
    path = next((wiki.home/"assets").rglob("*.0.vectors.parquet"))
    data = bytearray(path.read_bytes()); data[len(data)//3] ^= 255; path.write_bytes(data)
    passages.recent.clear()
    with pytest.raises(ValueError, match=r"0.vectors.parquet: damaged Parquet file; delete it"): passages.vectors([0])


def test_a_damaged_file_on_the_hub_is_named(wiki, tmp_path):
    (tmp_path/"wiki_dpr/data/psgs_w100/nq/train-00002-of-00003.parquet").write_bytes(b"PAR1" + bytes(5000) + b"PAR1")
    wiki.add_repo("facebook/wiki_dpr", tmp_path/"wiki_dpr", "dataset")
    with pytest.raises(OSError, match="train-00002-of-00003.parquet of facebook/wiki_dpr could not be read from the Hub"):
        open_hub_index("wiki_dpr:compressed", say=quiet)


def test_a_connection_that_breaks_is_named_and_the_next_try_works(wiki):
    passages = HubPassages(HubFiles("wiki_dpr"), "data/psgs_w100/nq")
    passages[0]
    wiki.broken = 404
    with pytest.raises(OSError, match="of facebook/wiki_dpr could not be read from the Hub"): passages[90]
    wiki.broken = None
    assert passages[90]["id"] == "91"


def test_candidates_effort_and_rows_left_out(wiki):
    q = questions(wiki.vectors, 10, noise=1.)
    truth = ExactIndex(wiki.vectors).search(q, 5)
    def overlap(**how):
        return np.mean([len({*a} & {*b})/5 for a, b in zip(truth.ids.tolist(),
            open_hub_index("wiki_dpr", say=quiet, **how).search(q, 5).ids.tolist())])
    published, more, all_ = overlap(), overlap(candidates=20), overlap(candidates=96, nprobe=4)
    assert published < more < all_ == 1 and overlap(index_name="exact", ef_search=200) > .9
    exclude = torch.zeros(96, dtype=torch.bool); exclude[truth.ids[:, 0]] = True
    for how in (dict(candidates=96, nprobe=4), dict(dummy=True), dict(index_name="exact", candidates=96, ef_search=300)):
        index = open_hub_index("wiki_dpr", say=quiet, **how)
        n = len(index)
        hits, want = index.search(q, 5, exclude=exclude[:n]), ExactIndex(wiki.vectors[:n]).search(q, 5, exclude=exclude[:n])
        assert torch.equal(hits.ids, want.ids) and torch.allclose(hits.scores, want.scores)
    with pytest.raises(ValueError, match="finished and cannot be added to"): index.add(wiki.vectors[:1])
    with pytest.raises(ValueError, match="queries have 16 numbers"): index.search(torch.zeros(1, 16), 1)
    with pytest.raises(ValueError, match="NaN"): index.search(torch.full((1, 32), torch.nan), 1)


def test_more_documents_than_there_are(wiki):
    hits = open_hub_index("wiki_dpr", say=quiet, nprobe=4).search(wiki.vectors[:2],
        120).with_passages(WikiDPRIndex("wiki_dpr", say=quiet).passages)
    assert hits.shape == (2, 120) and hits.mask.sum(1).tolist() == [96,
        96] and sorted(hits.ids[0, :96].tolist()) == list(range(96)) and hits.passages[0][119] is None


def test_as_transformers_calls_it(wiki):
    index = WikiDPRIndex("wiki_dpr", say=quiet)
    assert not index.is_initialized() and not any(p.endswith(".faiss") for p in files_of(wiki))
    ids, vectors = index.get_top_docs(questions(wiki.vectors).numpy(), n_docs=2)
    assert index.is_initialized() and ids.shape == (4, 2) and vectors.shape == (4, 2, 32) and isinstance(vectors, np.ndarray)
    docs = index.get_doc_dicts(np.array([[0, -1], [95, 8]]))
    assert docs == [dict(id=["1", ""], title=['"Article 0"', ""], text=["What passage 1 says.", ""]),
        dict(id=["96", "9"], title=["Article 23", "Article 2"], text=["What passage 96 says.", "What passage 9 says."])]


@settings(suppress_health_check=list(HealthCheck), max_examples=30)
@given(rows=st.lists(st.integers(-96, 95), max_size=12), shape=st.sampled_from([(-1,), (2, -1), (1, 1, -1)]))
def test_passages_are_passages(plain, rows, shape):
    "Whatever rows are asked for: as if all files were one in memory."
    passages, table, vectors = plain
    assert [p["id"] for p in passages[rows]] == [table["id"][r] for r in rows]
    if len(rows) % 2 == 0:
        assert np.array_equal(passages.vectors(np.reshape(rows, shape) % 96).numpy(), vectors[np.reshape(rows, shape).astype(int) % 96])


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    vectors = build_wiki_dpr(folder := tmp_path_factory.mktemp("wiki"), indexes=False)
    passages = HubPassages(HubFiles(folder), "data/psgs_w100/nq", keep=2)
    return passages, {c: passages.column(c) for c in ("id", "title", "text")}, vectors


def test_the_ways_of_a_sequence(plain):
    passages, table, vectors = plain
    assert len(passages) == 96 and len(list(passages)) == 96 and [len(b) for b in passages.batches(40)] == [40, 40, 16]
    assert passages[-1] == passages[95] == passages[torch.tensor(95)] == passages[95:][0] and set(passages[0]) == {"id", "title", "text",
        "document", "start", "end", "meta"}
    mask = np.zeros(96, bool); mask[[3, 50]] = True
    assert [p["id"] for p in passages[mask]] == ["4", "51"] and passages.rows_of("51").tolist() == [50]
    for bad in (96, -97, [0, 200]):
        with pytest.raises(IndexError, match="outside the 96 passages"): passages[bad]
    for bad in ([96], [-2]):
        with pytest.raises(IndexError, match="outside the 96 passages"): passages.vectors(bad)
    assert torch.equal(passages.vectors([-1, 2]), torch.stack([torch.zeros(32),
        torch.from_numpy(vectors[2])])) and passages.vectors([]).shape == (0, 32)
    both = Passages.concat([passages, Passages({"text": ["one more"]})])
    assert len(both) == 97 and both[96]["text"] == "one more" and both[95]["id"] == "96"
    assert "96 in 3 files of" in repr(passages)


def test_a_whole_column_is_not_read_over_the_network(wiki):
    passages = HubPassages(HubFiles("wiki_dpr"), "data/psgs_w100/nq")
    wiki.forget()
    with pytest.raises(ValueError, match="read by their rows there, not a column 'document' of all of them"): passages.column("document")
    assert not wiki.requests


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float32()), pa.list_(pa.float32(), 4), pa.list_(pa.float64()),
    pa.list_(pa.float16())])
def test_vectors_however_they_are_written(tmp_path, kind):
    vectors = np.arange(40, dtype=np.float32).reshape(10, 4)
    column = pa.array([[np.float16(x) for x in v] for v in vectors],
        kind) if kind == pa.list_(pa.float16()) else pa.array(vectors.tolist(), kind)
    pq.write_table(pa.table({"id": list("abcdefghij"), "text": ["t"]*10, "title": ["T"]*10, "embeddings": column}),
        tmp_path/"train-00000-of-00001.parquet", row_group_size=3)
    passages = HubPassages(HubFiles(tmp_path), "")
    assert passages.dim == 4 and np.array_equal(passages.vectors(range(10)).numpy(), vectors) and passages[7]["id"] == "h"


@pytest.mark.parametrize("column, words", [([[1., 2.], [3.]], "different lengths"), ([[1., 2.], None], "missing|different"),
    (["a", "b"], "must be lists of numbers"), ([[1., None], [2., 3.]], "missing")])
def test_columns_that_are_no_vectors(tmp_path, column, words):
    pq.write_table(pa.table({"text": ["a", "b"], "embeddings": column}), tmp_path/"train-00000-of-00001.parquet")
    with pytest.raises(ValueError, match=words): HubPassages(HubFiles(tmp_path), "").vectors([0, 1])


def test_threads_share_one_index(wiki):
    index, q, out = WikiDPRIndex("wiki_dpr", say=quiet), questions(wiki.vectors, 8), [None]*8
    def ask(i): out[i] = index.search(q[i:i+1], 3).with_passages(index.passages)
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    [t.start() for t in threads]; [t.join() for t in threads]
    alone = index.search(q, 3).with_passages(index.passages)
    assert [o.ids[0].tolist() for o in out] == alone.ids.tolist() and [o.passages[0] for o in out] == alone.passages
    assert not [p for p in (wiki.home/"assets").rglob(".*") if p.is_file()], "nothing half written is left"


QUESTION = """
import json, sys, torch
torch.set_num_threads(1)
import rag_nb.store.legacy
from rag_nb.store.hub import open_hub_index
assert "datasets" not in sys.modules and "faiss" not in sys.modules
index = open_hub_index("wiki_dpr:compressed")
hits = index.search(torch.eye(32)[:3], 4).with_passages(index.passages)
assert "datasets" not in sys.modules
print(json.dumps([hits.ids.tolist(), hits.scores.tolist(), [p["text"] for p in hits.passages[0]]]))
"""


def test_in_fresh_processes_online_then_offline(wiki):
    first = json.loads(wiki.run(QUESTION))
    wiki.forget()
    assert json.loads(wiki.run(QUESTION, offline=True)) == first and not wiki.requests


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads /proc")
def test_opening_and_asking_does_not_read_files_whole(tmp_path):
    "A hundred thousand passages (300 MB) and codes of 768 bytes each (77 MB): a question takes a fraction of that."
    N, D, rng = 100_000, 768, np.random.default_rng(0)
    (tmp_path/"data/psgs_w100/nq").mkdir(parents=True); (tmp_path/"index").mkdir()
    schema = pa.schema([("id", pa.string()), ("text", pa.string()), ("title", pa.string()), ("embeddings", pa.list_(pa.float32()))])
    with pq.ParquetWriter(tmp_path/"data/psgs_w100/nq/train-00000-of-00001.parquet", schema, use_dictionary=False, compression="none") as w:
        for i in range(0, N, 1000):
            v = pa.ListArray.from_arrays(np.arange(0, 1001*D, D, dtype=np.int32), rng.random(1000*D, dtype=np.float32))
            w.write_table(pa.table([[str(j) for j in range(i, i+1000)], ["text "*100]*1000, ["title"]*1000, v], schema=schema),
                row_group_size=1000)
    quantizer = faiss.IndexFlatIP(D); quantizer.add(rng.standard_normal((64, D), dtype=np.float32))
    index = faiss.IndexIVFPQ(quantizer, D, 64, D, 8, faiss.METRIC_INNER_PRODUCT)
    faiss.copy_array_to_vector(rng.standard_normal(D*256, dtype=np.float32), index.pq.centroids)
    order = np.array_split(np.arange(N, dtype=np.int64), 64)
    for l, ids in enumerate(order):
        index.invlists.add_entries(l, len(ids), faiss.swig_ptr(ids), faiss.swig_ptr(rng.integers(0, 256, (len(ids), D), dtype=np.uint8)))
    index.is_trained, index.ntotal, index.nprobe = True, N, 2
    path = tmp_path/"index/psgs_w100.nq.IVF4096_HNSW128_PQ128-IP-train.faiss"
    faiss.write_index(index, str(path))
    assert path.stat().st_size > 77e6 and sum(p.stat().st_size for p in (tmp_path/"data/psgs_w100/nq").iterdir()) > 300e6
    code = f"""
import torch, faiss, pyarrow.parquet, numpy as np, rag_nb.store.faiss
from rag_nb.store.hub import open_hub_index
torch.set_num_threads(1); faiss.omp_set_num_threads(1)
def rss(what): return int(next(l for l in open("/proc/self/status") if l.startswith(what)).split()[1])/1024
torch.ones(2, 2) @ torch.ones(2, 2)
before = max(rss("VmRSS"), rss("VmHWM"))
index = open_hub_index({str(tmp_path)!r})
opened = rss("VmHWM") - before
def ask(seed): assert index.search(torch.randn(2, 768, generator=torch.Generator().manual_seed(seed)), 5).with_passages(index.passages).mask.all()
own = rss("RssAnon")                                    # not counting pages of mapped files, which the system takes back at will
ask(0)
asked, one = rss("VmHWM") - before, rss("RssAnon") - own
for seed in range(1, 40): ask(seed)
print(opened, asked, one, rss("RssAnon") - own)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    opened, asked, own, many = map(float, done.stdout.split())
    assert opened < 40 and asked < 190 and own < 120 and many < 220, f"of 377 MB: opening {opened:.0f}, first question {asked:.0f}, of it not mapped {own:.0f}, after forty {many:.0f}"


# A damaged table of contents

def test_the_length_of_vectors_is_what_pyarrow_says(tmp_path):
    "For files of several writers' settings, without asking PyArrow for a column."
    import pyarrow as pa, pyarrow.parquet as pq
    from rag_nb.store.hub import _values_in_first_group
    table = pa.table({"id": [str(i) for i in range(50)], "text": ["é" * 300] * 50, "title": [None] * 50,
        "embeddings": [[float(i), 2., 3.] for i in range(50)]})
    for i, kw in enumerate([{}, dict(row_group_size=7), dict(version="1.0", use_dictionary=False),
        dict(compression="zstd", write_statistics=False), dict(write_page_index=True, data_page_version="2.0")]):
        pq.write_table(table, tmp_path/f"{i}.parquet", **kw)
        assert _values_in_first_group(tmp_path/f"{i}.parquet",
            "embeddings") == pq.read_metadata(tmp_path/f"{i}.parquet").row_group(0).column(3).num_values


def test_a_damaged_table_of_contents_ends_no_process(tmp_path):
    "Four thousand damages of it: opened, or refused by a ValueError; with PyArrow's own columns some of them end the process."
    import io, random, pyarrow as pa, pyarrow.parquet as pq
    from rag_nb.store.hub import HubFiles, _Shard
    f = io.BytesIO()
    pq.write_table(pa.table({"id": ["a", "b"], "text": ["x", "y"], "title": ["", ""], "embeddings": [[1., 2.], [3., 4.]]}), f)
    good, rng, refused = f.getvalue(), random.Random(0), 0
    start = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    for _ in range(4000):
        b = bytearray(good)
        for _ in range(rng.choice([1, 1, 2, 4])):
            b[rng.randrange(start, len(b) - 8)] = rng.choice([0, 0x0c, 0x1c, 0x2c, 0x4c, 0xff, rng.randrange(256)])
        (tmp_path/"s.parquet").write_bytes(b)
        try: dim = _Shard(HubFiles(tmp_path), "s.parquet", len(b)).open().dim
        except ValueError as e: refused += 1; assert "s.parquet" in str(e)
        else: assert dim is None or 0 < dim <= 2**16
    assert refused > 1000
