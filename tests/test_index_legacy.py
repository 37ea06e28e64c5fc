"Indexes from elsewhere: pickles that must not run, DPR's files, datasets, and classes written for Transformers."
# ruff: noqa: F811 (a fixture is imported, and then is a parameter)
import copyreg, json, os, pickle, pickletools, re, struct, subprocess, sys
from pathlib import Path

import datasets, faiss, numpy as np, pytest, torch
from hypothesis import HealthCheck, given, settings, strategies as st

from hub import ROOT, hub, online, wiki  # noqa: F401 (fixtures)
from rag_nb.core.index import ExactIndex
from rag_nb.store.hub import WikiDPRIndex
from rag_nb.store.legacy import AdaptedIndex, CanonicalHFIndex, CustomHFIndex, LegacyIndex, PickleRefused, adapt_index, load_plain_pickle

torch.set_num_threads(1); faiss.omp_set_num_threads(1); datasets.disable_progress_bars()
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
D = 16


@pytest.fixture
def read(tmp_path):
    def read(data):
        (tmp_path/"file.pkl").write_bytes(data)
        return load_plain_pickle(tmp_path/"file.pkl")
    return read


# --- plain data ------------------------------------------------------------------------------------------------------------------

keys = st.one_of(st.text(max_size=5), st.integers(-2**63, 2**64-1), st.booleans(), st.none(), st.floats(allow_nan=False))
plain = st.recursive(st.one_of(keys, st.integers(), st.floats(allow_nan=False), st.text()),
                     lambda x: st.one_of(st.lists(x, max_size=4), st.dictionaries(keys, x, max_size=4), st.tuples(x, x), st.tuples(x, x, x, x), st.sets(keys, max_size=4)), max_leaves=12)


@settings(suppress_health_check=list(HealthCheck), max_examples=150, deadline=None)
@given(x=plain, protocol=st.sampled_from([*PROTOCOLS]), shared=st.booleans(), small=st.booleans())
def test_plain_data_comes_back_as_it_was(read, x, protocol, shared, small):
    if protocol < 4 and "set" in repr(x): x = repr(x)          # before protocol 4 a set was written as a call
    x = [x, x] if shared else x
    data = pickle.dumps(x, protocol)
    if small: data = pickletools.optimize(data)
    try: back = read(data)
    except PickleRefused as e: assert protocol < 4 and "set" in str(e); return
    assert back == x and type(back) is type(x)
    if shared: assert repr(back[0]) == repr(back[1]) and (not isinstance(x[0], (list, dict)) or back[0] is back[1])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_list_that_contains_itself_and_many_items(read, protocol):
    loop = []; loop.append(loop)
    back = read(pickle.dumps(loop, protocol))
    assert back[0] is back
    passages = {str(i): (f"text {i} ä€😀\n\\", f"title {i}") for i in range(3000)}
    assert read(pickle.dumps(passages, protocol)) == passages
    assert read(pickle.dumps([str(i) for i in range(3000)], protocol)) == [str(i) for i in range(3000)]


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_bytes(read, protocol): assert read(pickle.dumps([b"", b"x"*300, bytes(70000)], protocol)) == [b"", b"x"*300, bytes(70000)]


# --- nothing runs ----------------------------------------------------------------------------------------------------------------

def canary(path): return f"open({str(path)!r}, 'w').close()"

class Calls:
    "Pickles as a call of a function."
    def __init__(self, *call): self.call = call
    def __reduce__(self): return self.call

class Appends:
    "Pickles as a list with an item by way of the iterators that __reduce__ may return."
    def __init__(self, path): self.path = path
    def __reduce__(self): return list, (), None, iter([Calls(exec, (canary(self.path),))])

class State:
    def __init__(self, path): self.path = path
    def __setstate__(self, state): open(state["path"], "w").close()

class Slots:
    __slots__ = ("a",)
    def __init__(self): self.a = 1

class NewArgs:
    def __new__(cls, path): open(path, "w").close(); return object.__new__(cls)
    def __getnewargs__(self): return (self.path,)

def new_args(path):
    x = object.__new__(NewArgs); x.path = str(path)
    return x

GADGETS = {
    "os.system": lambda p: Calls(os.system, (f"touch {p}",)),
    "builtins.eval": lambda p: Calls(eval, (canary(p),)),
    "builtins.exec": lambda p: Calls(exec, (canary(p),)),
    "subprocess.Popen": lambda p: Calls(subprocess.Popen, (["touch", str(p)],)),
    "getattr": lambda p: Calls(getattr, ("x", "upper")),
    "the iterators of __reduce__": lambda p: Appends(p),
    "__setstate__": lambda p: State(str(p)),
    "__slots__": lambda p: Slots(),
    "__new__": lambda p: new_args(p),
    "a class": lambda p: Path,
    "a path": lambda p: Path(p),
    "a numpy number": lambda p: np.float32(1),
    "a numpy array": lambda p: np.zeros(3),
    "a tensor": lambda p: torch.zeros(2),
    "a complex number": lambda p: 1j,
    "a range": lambda p: range(3),
    "a bytearray": lambda p: bytearray(b"x"),
    "a frozenset": lambda p: frozenset([1]),
}
HIDE = {"alone": lambda x: x, "in lists": lambda x: [[1, [x]]], "as a passage": lambda x: {"1": (x, "title")}, "as a value": lambda x: {"1": ("text", "title"), "2": x},
        "in a tuple": lambda x: (1, 2, 3, 4, (x,)), "after plain data": lambda x: [*range(1000), x]}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("gadget", GADGETS)
def test_everything_that_is_more_than_data_is_refused_and_nothing_runs(read, tmp_path, gadget, protocol):
    path = tmp_path/"canary"
    for name, hide in HIDE.items():
        try: data = pickle.dumps(hide(GADGETS[gadget](path)), protocol)
        except TypeError: return                                # protocols 0 and 1 have no way to write some of them
        path.unlink(missing_ok=True)
        with pytest.raises(PickleRefused, match=r"file.pkl: at byte [\d,]+: the instruction \w+.* was refused and nothing in it was run"): read(data)
        assert not path.exists(), f"{gadget} {name} ran in protocol {protocol}"


def test_refusals_name_what_was_wanted(read):
    for data, words in {pickle.dumps(Calls(os.system, ("x",)), 0): "GLOBAL wants 'posix.system'", pickle.dumps(Calls(os.system, ("x",)), 2): "GLOBAL wants 'posix.system'",
                        pickle.dumps(Calls(os.system, ("x",)), 4): "STACK_GLOBAL wants 'posix.system'", b"(S'touch x'\nios\nsystem\n.": "the instruction STRING", b"(ios\nsystem\n.": "INST wants 'os.system'"}.items():
        with pytest.raises(PickleRefused, match=words.replace("posix", os.system.__module__)): read(data)


RAW = {   # instructions that no honest pickler writes like this
    "INST": b"(ios\nsystem\n.", "OBJ": b"(cos\nsystem\nX\x01\x00\x00\x00xo.", "REDUCE": b"]]R.", "REDUCE on a string": b"X\x02\x00\x00\x00os)R.", "BUILD": b"]}b.", "NEWOBJ": b"\x80\x02])\x81.",
    "NEWOBJ_EX": b"\x80\x04])}\x92.", "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "STACK_GLOBAL on lists": b"\x80\x04]]\x93.", "PERSID": b"Pcommand\n.", "BINPERSID": b"X\x01\x00\x00\x00xQ.",
    "EXT1": b"\x80\x02\x82\x01.", "EXT2": b"\x80\x02\x83\x01\x01.", "EXT4": b"\x80\x02\x84\x01\x01\x00\x00.", "NEXT_BUFFER": b"\x80\x05\x97.", "READONLY_BUFFER": b"\x80\x05]\x98.", "DUP": b"]2.",
    "BYTEARRAY8": b"\x80\x05\x96" + struct.pack("<Q", 1) + b"x.", "FROZENSET": b"\x80\x04(K\x01\x91.",
}

@pytest.mark.parametrize("name", RAW)
def test_refused_by_name(read, name):
    with pytest.raises(PickleRefused, match=name.split()[0] if name not in ("OBJ", "INST") else "GLOBAL|INST"): read(RAW[name])


@pytest.mark.parametrize("cached", [False, True])
def test_extension_codes_are_refused_whoever_registered_them(read, tmp_path, cached):
    "The standard unpickler takes a registered code from a cache and never asks find_class."
    path = tmp_path/"canary"
    copyreg.add_extension("os", "system", 0x7a)
    try:
        data = b"\x80\x02\x82\x7aX" + struct.pack("<I", len(f"touch {path}")) + f"touch {path}".encode() + b"\x85R."
        if cached:
            assert pickle.loads(b"\x80\x02\x82\x7a.") is os.system
        with pytest.raises(PickleRefused, match="EXT1 wants '122'"): read(data)
        assert not path.exists()
    finally: copyreg.remove_extension("os", "system", 0x7a); copyreg.clear_extension_cache()


@settings(suppress_health_check=list(HealthCheck), max_examples=400, deadline=None)
@given(data=st.binary(max_size=60), start=st.sampled_from([b"", b"\x80\x04", b"(", b"]", b"}(", b"cos\nsystem\n", b"\x8c\x02os\x8c\x06system"]))
def test_any_bytes_give_data_or_a_clear_error(read, data, start):
    for ending in (b"", b".", b"R.", b"\x93."):
        try: back = read(start + data + ending)
        except ValueError as e: assert "file.pkl" in str(e)
        else: assert all(type(x) in (list, dict, tuple, set, str, bytes, int, float, bool, type(None)) for x in everything(back))


def everything(x, seen=None):
    seen = {} if seen is None else seen
    if id(x) in seen: return
    seen[id(x)] = x
    yield x
    for y in (x if isinstance(x, (list, tuple, set)) else [*x, *x.values()] if isinstance(x, dict) else ()): yield from everything(y, seen)


@settings(suppress_health_check=list(HealthCheck), max_examples=200, deadline=None)
@given(at=st.integers(0, 400), byte=st.integers(0, 255), protocol=st.sampled_from([*PROTOCOLS]))
def test_one_wrong_byte(read, at, byte, protocol):
    data = bytearray(pickle.dumps({str(i): (f"text {i}", f"title {i}") for i in range(8)}, protocol))
    data[at % len(data)] = byte
    try: read(bytes(data))
    except ValueError as e: assert "file.pkl" in str(e)


# --- bounded ---------------------------------------------------------------------------------------------------------------------

def laughs(depth, start=b"]"):
    "A tuple of two tuples of two tuples ..., in the memory under the last number: a few hundred bytes, 2**depth leaves."
    return start + b"\x94" + b"".join(b"0h" + bytes([i]) + b"h" + bytes([i]) + b"\x86\x94" for i in range(depth)) + b"0"

BOMBS = {   # name: the file, and whether it is refused
    "a string of 2**62 bytes": (b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b".", "announced"),
    "bytes of 2**40": (b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".", "announced"),
    "bytes of 4 GB": (b"\x80\x03B" + struct.pack("<I", 2**32-1) + b".", "announced"),
    "a number of 2 GB": (b"\x80\x02\x8b" + struct.pack("<i", 2**31-1) + b".", "announced"),
    "a number of negative length": (b"\x80\x02\x8b" + struct.pack("<i", -1) + b".", "damaged"),
    "a memory of 4,000 million places": (b"]r\xff\xff\xff\xff.", None),
    "a memory number of a hundred digits": (b"]p" + b"9"*100 + b"\n.", None),
    "a frame of 2**60 bytes": (b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"N.", None),
    "a protocol of the future": (b"\x80\xffN.", None),
    "a billion laughs": (b"\x80\x04" + laughs(90) + b"hZ.", None),
    "the hash of a billion laughs": (b"\x80\x04" + laughs(90, b")") + b"}hZK\x01s.", "tuple as a key"),
    "the same in a set": (b"\x80\x04" + laughs(90, b")") + b"\x8f(hZ\x90.", "tuple as a key"),
    "the name of a billion laughs": (b"\x80\x04" + laughs(90) + b"hZhZ\x93.", "STACK_GLOBAL wants 'tuple.tuple'"),
    "a name of a billion letters": (b"\x80\x04\x8d" + struct.pack("<Q", 10**6) + b"x"*10**6 + b"\x8c\x01y\x93.", "STACK_GLOBAL wants 'xxx"),
    "a key of a million digits": (b"\x80\x02}\x8b" + struct.pack("<i", 10**6) + b"\x01"*10**6 + b"Ns.", "int as a key"),
    "a decimal of a million digits": (b"L" + b"9"*10**6 + b"L\n.", "damaged"),
    "a million lists in each other": (b"]"*10**6 + b"a"*(10**6-1) + b".", None),
    "a million tuples in each other": (b")" + b"\x85"*10**6 + b".", None),
    "a million marks": (b"("*10**6 + b".", "left over|IndexError"),
    "a million lists that nobody wants": (b"]"*10**6 + b".", "left over"),
}

@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    "What each of them comes to, in a process that may take 2 GB of address space beyond what it starts with."
    folder = tmp_path_factory.mktemp("bombs")
    for i, (data, _) in enumerate(BOMBS.values()): (folder/f"{i}.pkl").write_bytes(data)
    code = f"""
import json, resource, sys, time
from rag_nb.store.legacy import load_plain_pickle
if sys.platform == "linux":
    used = int(next(l for l in open("/proc/self/status") if l.startswith("VmSize")).split()[1])*1024
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**31, used + 2**31))
def peak():   # of this program: ru_maxrss would remember the size of the process that started it
    if sys.platform != "linux": return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**20
    return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])/1024
for i in range({len(BOMBS)}):
    start = time.time()
    try: x = load_plain_pickle({str(folder)!r} + f"/{{i}}.pkl"); said = "read a " + type(x).__name__; del x
    except ValueError as e: said = str(e)
    print(json.dumps([said[:1000], time.time() - start, peak()]), flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=400, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
    return dict(zip(BOMBS, map(json.loads, done.stdout.splitlines())))


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_takes_little_time_and_memory(outcomes, name):
    (said, seconds, megabytes), error = outcomes[name], BOMBS[name][1]
    assert re.search(error, said) if error else said.startswith("read a "), said
    assert seconds < 20 and megabytes < 1200 and len(said) < 700


# --- DPR's files -----------------------------------------------------------------------------------------------------------------

def write_legacy(folder, n=60, seed=0, passages=None, ids=None, vectors=None):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, D), dtype=np.float32) if vectors is None else vectors
    phi = (vectors**2).sum(1).max()
    longer = np.hstack([vectors, np.sqrt(phi - (vectors**2).sum(1, keepdims=True))]).astype(np.float32)
    index = faiss.IndexHNSWSQ(D + 1, faiss.ScalarQuantizer.QT_8bit, 32); index.train(longer); index.add(longer)
    folder.mkdir(exist_ok=True)
    faiss.write_index(index, str(folder/f"{LegacyIndex.INDEX_FILENAME}.index.dpr"))
    (folder/LegacyIndex.PASSAGE_FILENAME).write_bytes(pickle.dumps({str(i+1): (f"Passage {i+1}.", f"Article {i//5}") for i in range(n)} if passages is None else passages, 3))
    (folder/f"{LegacyIndex.INDEX_FILENAME}.index_meta.dpr").write_bytes(pickle.dumps([str(n-i) for i in range(n)] if ids is None else ids, 3))
    return vectors


def test_legacy_files_find_what_transformers_finds(tmp_path, monkeypatch):
    from transformers.models.rag.retrieval_rag import LegacyIndex as Theirs
    vectors = write_legacy(tmp_path/"dpr")
    q = vectors[:6] + .1*np.random.default_rng(1).standard_normal((6, D), dtype=np.float32)
    monkeypatch.setenv("TRUST_REMOTE_CODE", "True")
    theirs = Theirs(D, str(tmp_path/"dpr")); theirs.init_index()
    ids, embeds = theirs.get_top_docs(q, 4)
    ours = LegacyIndex(D, tmp_path/"dpr")
    assert not ours.is_initialized()
    hits = ours.search(q, 4, return_vectors=True).with_passages(ours.passages)
    assert [{p["id"] for p in row} for row in hits.passages] == [set(map(str, row)) for row in ids.tolist()]
    titles = [dict(zip(d["text"], d["title"])) for d in theirs.get_doc_dicts(ids)]
    assert [{p["text"]: p["title"] for p in row} for row in hits.passages] == titles
    by_id = [{p["id"]: v for p, v in zip(row, vs)} for row, vs in zip(hits.passages, hits.vectors.numpy())]
    assert all(np.array_equal(by_id[b][str(i)], v) for b in range(6) for i, v in zip(ids[b], embeds[b]))
    assert torch.allclose(hits.scores, torch.einsum("bd,bkd->bk", torch.from_numpy(q), hits.vectors), atol=1e-5)


def test_legacy_index_is_an_index(tmp_path):
    vectors = write_legacy(tmp_path/"dpr")
    index = LegacyIndex(D, tmp_path/"dpr", candidates=60, ef_search=200)
    exclude = torch.zeros(60, dtype=torch.bool); exclude[::2] = True
    hits, truth = index.search(vectors[:5], 3, exclude=exclude), ExactIndex(vectors).search(vectors[:5], 3, exclude=exclude)
    assert torch.allclose(hits.scores, truth.scores, atol=.2) and (hits.ids == truth.ids).float().mean() > .7 and len(index) == 60 and index.dim == D
    assert index.search(vectors[:1], 80).mask.sum() == 60 and index.vectors([-1, 0]).shape == (2, D) and index.passages.column("id")[:2] == ["60", "59"]
    assert index.passages[0] == index.passages[-60] and index.passages[[0, 59]][1]["text"] == "Passage 1."
    with pytest.raises(IndexError, match="row 60 is outside the 60 passages"): index.vectors([60])
    with pytest.raises(ValueError, match="cannot be added to"): index.add(vectors)


def test_legacy_files_from_the_hub(online, tmp_path):
    write_legacy(tmp_path/"dpr"); said = []
    online.add_repo("huggingface/wiki_dpr", tmp_path/"dpr", "dataset")
    for place in (None, "https://storage.googleapis.com/huggingface-nlp/datasets/wiki_dpr/", "huggingface/wiki_dpr"):
        index = LegacyIndex(D, place, say=lambda text: said.append((text, online.sent)))
        assert index.search(np.ones((1, D), np.float32), 2).mask.all()
    assert len(said) == 1 and said[0][1] == 0 and "huggingface/wiki_dpr: downloading hf_bert_base" in said[0][0]
    write_legacy(tmp_path/"sub"); (tmp_path/"model").mkdir(); (tmp_path/"sub").rename(tmp_path/"model/sub")
    online.add_repo("me/old-index", tmp_path/"model", "model")
    assert LegacyIndex(D, "me/old-index", say=said.append).search(np.ones((1, D), np.float32), 2).mask.all()
    with online.here(offline=True): assert LegacyIndex(D).search(np.ones((1, D), np.float32), 2).mask.all()


def test_legacy_files_that_run_code_or_do_not_fit(tmp_path):
    path = tmp_path/"canary"
    for part in ("passages", "ids"):
        for protocol in PROTOCOLS:
            write_legacy(tmp_path/"dpr")
            name = LegacyIndex.PASSAGE_FILENAME if part == "passages" else f"{LegacyIndex.INDEX_FILENAME}.index_meta.dpr"
            (tmp_path/"dpr"/name).write_bytes(pickle.dumps({"1": Calls(os.system, (f"touch {path}",))}, protocol))
            with pytest.raises(PickleRefused, match=name): LegacyIndex(D, tmp_path/"dpr")
    assert not path.exists()
    for how, words in [(dict(ids=["1"]*60, passages={"2": ("a", "b")}), "has a passage '1', and the passages have none"), (dict(ids=[]), "ids a list"), (dict(passages=["x"]), "are a dict"),
                       (dict(ids=[["1"]]*60), "strings or numbers, not list")]:
        write_legacy(tmp_path/"dpr", **how)
        with pytest.raises(ValueError, match=words): LegacyIndex(D, tmp_path/"dpr")
    write_legacy(tmp_path/"dpr", passages={str(i+1): "only text" for i in range(60)})
    with pytest.raises(ValueError, match="passage '60' is no pair"): LegacyIndex(D, tmp_path/"dpr").passages[0]
    write_legacy(tmp_path/"dpr", passages={str(i+1): ("text", None) for i in range(60)}, ids=[*range(1, 61)])
    assert LegacyIndex(D, tmp_path/"dpr").passages[0]["title"] == ""
    with pytest.raises(ValueError, match=r"vectors of 17 numbers, which does not fit 60 passages and vectors of 768 \(retrieval_vector_size\)"): LegacyIndex(768, tmp_path/"dpr").init_index()
    with pytest.raises(FileNotFoundError, match="has no hf_bert_base.*; it has no files"): LegacyIndex(D, tmp_path_without(tmp_path))


def tmp_path_without(tmp_path): (tmp_path/"empty").mkdir(); return tmp_path/"empty"


# --- datasets --------------------------------------------------------------------------------------------------------------------

def make_dataset(n=50, seed=0, factory=None, **columns):
    vectors = np.random.default_rng(seed).standard_normal((n, D), dtype=np.float32)
    d = datasets.Dataset.from_dict({"title": [f"T{i//3}" for i in range(n)], "text": [f"text {i}" for i in range(n)], "embeddings": vectors, **columns})
    if factory: d.add_faiss_index("embeddings", string_factory=factory, metric_type=faiss.METRIC_INNER_PRODUCT)
    return d, vectors


@pytest.mark.parametrize("factory", ["Flat", "HNSW16"])
def test_a_dataset_finds_what_transformers_finds(factory):
    from transformers.models.rag.retrieval_rag import CustomHFIndex as Theirs
    dataset, vectors = make_dataset(factory=factory)
    q = vectors[:6] + .1
    ours = CustomHFIndex(D, dataset)
    hits = ours.search(q, 4, return_vectors=True).with_passages(ours.passages)
    assert dataset.format["type"] is None, "the user's dataset is left as it was"
    theirs = Theirs(D, dataset); theirs.init_index()
    ids, embeds = theirs.get_top_docs(q, 4)
    assert [set(r) for r in hits.ids.tolist()] == [set(r) for r in ids.tolist()]
    back_ids, back = ours.get_top_docs(q, 4)
    order, theirs_order = np.argsort(back_ids), np.argsort(ids)
    assert np.allclose(np.take_along_axis(back, order[..., None], 1), np.take_along_axis(embeds, theirs_order[..., None], 1))
    assert [d["text"] for d in ours.get_doc_dicts(ids)] == [list(d["text"]) for d in theirs.get_doc_dicts(ids)]


def test_a_dataset_without_an_index_is_searched_exactly_where_it_lies(tmp_path):
    dataset, vectors = make_dataset(500)
    dataset.save_to_disk(str(tmp_path/"d"))
    for d in (dataset, datasets.load_from_disk(str(tmp_path/"d")), dataset.shuffle(seed=0).select(range(200)), dataset.with_format("torch"), dataset.select([7])):
        order = [int(t.split()[1]) for t in d["text"]]
        index = CustomHFIndex(None, d)
        hits, truth = index.search(vectors[:9], 5).with_passages(index.passages), ExactIndex(vectors[order]).search(vectors[:9], 5)
        assert torch.equal(hits.ids, truth.ids) and torch.allclose(hits.scores, truth.scores)
        assert hits.passages[0][0]["text"] == f"text {order[int(hits.ids[0, 0])]}" and len(index.passages) == len(d)


def test_ids_titles_and_columns(tmp_path):
    dataset, vectors = make_dataset(6, id=[10, 20, 30, 40, 50, 60], extra=[{"a": 1}]*6)
    index = CustomHFIndex(D, dataset)
    assert [p["id"] for p in index.passages] == ["10", "20", "30", "40", "50", "60"] and index.passages.column("id") == [p["id"] for p in index.passages]
    assert CustomHFIndex(D, dataset.remove_columns("id")).passages[[5, 2]][0]["id"] == "5" and index.passages[-1]["title"] == "T1"
    assert index.passages.vectors([[0, -1], [5, 0]]).shape == (2, 2, D) and not index.passages.vectors([-1]).any()


def test_the_index_is_not_copied(tmp_path):
    "A copy of a dataset copies its index, and a published one has gigabytes."
    dataset, vectors = make_dataset(factory="Flat")
    index = CustomHFIndex(D, dataset)
    index.init_index()
    assert index.proposer is dataset.get_index("embeddings").faiss_index and dataset.list_indexes() == ["embeddings"]
    assert not index.passages.parts[0].texts.list_indexes() and not index.passages.numbers.list_indexes()


@pytest.mark.parametrize("factory", [None, "HNSW16"])
def test_save_move_and_open(tmp_path, factory):
    dataset, vectors = make_dataset(factory=factory)
    first = CustomHFIndex(D, dataset)
    (tmp_path/"a").mkdir()
    names = first.save(tmp_path/"a")
    assert names == ["hf_dataset", "hf_dataset_index.faiss"][:1 + bool(factory)] and dataset.list_indexes() == ["embeddings"]*bool(factory)
    (tmp_path/"a").rename(tmp_path/"b")
    again = CustomHFIndex.load_from_disk(D, *(tmp_path/"b"/n for n in names))
    assert torch.equal(again.search(vectors[:5], 3).scores, first.search(vectors[:5], 3).scores) and again.kind == "custom"
    from transformers.models.rag.retrieval_rag import CustomHFIndex as Theirs
    if factory:
        theirs = Theirs.load_from_disk(D, str(tmp_path/"b"/names[0]), str(tmp_path/"b"/names[1])); theirs.init_index()
        assert set(theirs.get_top_docs(vectors[:1], 3)[0][0]) == set(first.search(vectors[:1], 3).ids[0].tolist())


def test_datasets_that_do_not_fit(tmp_path):
    dataset, vectors = make_dataset()
    with pytest.raises(ValueError, match=r"16 numbers, and the configuration says 768 \(retrieval_vector_size\)"): CustomHFIndex(768, dataset)
    with pytest.raises(ValueError, match="no column 'title', 'embeddings'; it needs title, text and embeddings, and has text"): CustomHFIndex(D, dataset.select_columns(["text"]))
    with pytest.raises(TypeError, match=r"dataset\['train'\]"): CustomHFIndex(D, datasets.DatasetDict(train=dataset))
    with pytest.raises(TypeError, match="datasets.Dataset is needed, not list"): CustomHFIndex(D, [{"text": "x"}])
    with pytest.raises(ValueError, match="empty"): CustomHFIndex(D, dataset.select([]))
    with pytest.raises(ValueError, match="different lengths"): CustomHFIndex(None, datasets.Dataset.from_dict({"title": ["a"]*2, "text": ["b"]*2, "embeddings": [[1., 2.], [3.]]})).init_index()
    faiss.write_index(faiss.read_index(str(flat(tmp_path, vectors[:40]))), str(tmp_path/"short.faiss"))
    with pytest.raises(ValueError, match="short.faiss holds 40 vectors of 16 numbers, and there are 50 passages"): CustomHFIndex(D, dataset, tmp_path/"short.faiss").init_index()
    dataset.add_faiss_index("embeddings")
    with pytest.warns(UserWarning, match="the dataset's index ranks by distance"): CustomHFIndex(D, dataset).init_index()
    with pytest.raises(ValueError, match="an index 'custom' needs passages_path"): CustomHFIndex.load_from_disk(D, None)


def flat(tmp_path, vectors):
    index = faiss.IndexFlatIP(D); index.add(vectors); faiss.write_index(index, str(tmp_path/"flat.faiss"))
    return tmp_path/"flat.faiss"


# --- names and classes of Transformers -------------------------------------------------------------------------------------------

def test_the_canonical_name(wiki):
    index = CanonicalHFIndex(32, "wiki_dpr", index_name="compressed", say=lambda t: None)
    assert isinstance(index, WikiDPRIndex) and not index.is_initialized() and index.search(wiki.vectors[:1], 2).mask.all() and index.is_initialized()
    assert CanonicalHFIndex(32, use_dummy_dataset=True, index_name="exact", say=lambda t: None).search(wiki.vectors[:1], 20).ids.max() == 19
    with pytest.raises(ValueError, match="one of index_name and index_path"): CanonicalHFIndex(32)
    with pytest.raises(ValueError, match="vectors of 32 numbers, and the configuration says 768"): CanonicalHFIndex(index_name="compressed", say=lambda t: None)


def test_what_is_written_into_a_configuration_opens_the_same_index(wiki):
    from rag_nb.core.config import RagConfig
    for how in (dict(), dict(index_name="exact"), dict(index_name="multiset.compressed"), dict(dummy=True, revision="main")):
        index = WikiDPRIndex("wiki_dpr", say=lambda t: None, **how)
        config = RagConfig(retrieval_vector_size=32, **index.settings)
        again = CanonicalHFIndex(config.retrieval_vector_size, config.dataset, config.dataset_split, config.index_name, config.index_path, config.use_dummy_dataset, config.dataset_revision, say=lambda t: None)
        assert again.settings == index.settings and again.index_file == index.index_file and torch.equal(again.search(wiki.vectors[:2], 3).scores, index.search(wiki.vectors[:2], 3).scores)


class Theirs:
    "As somebody wrote it for Transformers: a subclass of its Index in the test below, and here without one."
    def __init__(self, vectors, texts): self.vectors, self.texts, self.opened = vectors, texts, False
    def is_initialized(self): return self.opened
    def init_index(self): self.opened = True
    def get_top_docs(self, question_hidden_states, n_docs=5):
        assert self.opened and isinstance(question_hidden_states, np.ndarray)
        ids = np.argsort(question_hidden_states @ self.vectors.T)[:, -n_docs:]                # worst first, on purpose
        short = np.full((len(ids), n_docs - ids.shape[1]), -1)
        ids = np.concatenate([ids, short], 1)
        return ids, np.where((ids < 0)[..., None], 0, self.vectors[ids])
    def get_doc_dicts(self, doc_ids): return [{"text": [self.texts[i] for i in row], "title": [f"T{i}" for i in row]} for row in doc_ids]


@pytest.mark.parametrize("base", [object, "transformers"])
def test_a_users_index_is_used_as_it_is(base):
    if base == "transformers": from transformers.models.rag.retrieval_rag import Index as base
    vectors = np.random.default_rng(0).standard_normal((7, D), dtype=np.float32)
    index = adapt_index(type("Mine", (Theirs, base) if base is not object else (Theirs,), {})(vectors, [f"text {i}" for i in range(7)]))
    assert isinstance(index, AdaptedIndex) and not index.is_initialized()
    hits, truth = index.search(vectors[:3], 4, return_vectors=True).with_passages(index.passages), ExactIndex(vectors).search(vectors[:3], 4, return_vectors=True)
    assert index.is_initialized() and torch.equal(hits.ids, truth.ids) and torch.allclose(hits.scores, truth.scores) and torch.equal(hits.vectors, truth.vectors)
    assert hits.documents()[0]["text"] == f"text {hits.ids[0, 0]}" and hits.documents()[0]["id"] == str(int(hits.ids[0, 0]))
    more = index.search(vectors[:1], 9).with_passages(index.passages)
    assert more.mask.sum() == 7 and more.passages[0][8] is None and more.scores[0, 8] == -torch.inf
    assert len(index) == sys.maxsize and repr(index) == "AdaptedIndex(Mine)"
    out = torch.arange(7) != 3
    assert index.search(vectors[:2], 2, exclude=out).ids.tolist() == [[3, -1]]*2 and not index.search(vectors[:1], 2, exclude=out | True).mask.any()
    some = torch.arange(7) % 2 == 0
    assert torch.equal(index.search(vectors[:3], 2, exclude=some).ids, ExactIndex(vectors).search(vectors[:3], 2, exclude=some).ids)
    with pytest.raises(ValueError, match="finite"): index.search(np.full((1, D), np.nan, np.float32), 2)
    with pytest.raises(ValueError, match="cannot be added to"): index.add(vectors)


def test_transformers_own_classes_are_adapted(tmp_path):
    from transformers.models.rag.retrieval_rag import CustomHFIndex as TheirCustom
    dataset, vectors = make_dataset(factory="Flat")
    theirs, ours = adapt_index(TheirCustom(D, make_dataset(factory="Flat")[0])), CustomHFIndex(D, dataset)
    a, b = theirs.search(vectors[:4], 3).with_passages(theirs.passages), ours.search(vectors[:4], 3).with_passages(ours.passages)
    assert torch.equal(a.ids, b.ids) and torch.allclose(a.scores, b.scores) and len(theirs) == 50 and theirs.dim == D
    assert [p["text"] for row in a.passages for p in row] == [p["text"] for row in b.passages for p in row]


def test_what_is_adapted_and_what_not():
    exact = ExactIndex(np.ones((2, D), np.float32))
    assert adapt_index(exact) is exact and isinstance(adapt_index(make_dataset()[0]), CustomHFIndex)
    for bad in (None, [], "wiki_dpr", np.ones((2, 2))):
        with pytest.raises(TypeError, match="is no index: it needs get_top_docs"): adapt_index(bad)
    class Wrong:
        def get_top_docs(self, question_hidden_states, n_docs=5): return np.zeros((1, 1), int), np.zeros((1, 1, 3))
        def get_doc_dicts(self, doc_ids): pass
    with pytest.raises(ValueError, match=r"get_top_docs of Wrong gave ids \(1, 1\) and vectors \(1, 1, 3\), not \(2, 5\) and \(2, 5, 16\)"): adapt_index(Wrong()).search(np.ones((2, D)), 5)
