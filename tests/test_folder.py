"The index folder: its life, its deaths, and folders from strangers."
import hashlib, json, os, pickle, shutil, signal, subprocess, sys, threading, time
from pathlib import Path

import numpy as np, pytest, torch

from rag_nb.store import folder as mod
from rag_nb.store.folder import IndexFolder, IndexFolderError, build_folder, read_manifest
from rag_nb.core.passages import Passages

D = 8
ENCODER = {"name": "hashes", "spec": {"pooling": "mean"}, "probe": [.1, -.2, .3]}


def vector(text):
    "A fixed pseudo-random vector of a text, of length one."
    v = np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")).standard_normal(D)
    return (v/np.linalg.norm(v)).astype(np.float32)


def encode(rows): return np.stack([vector(r["text"]) for r in rows])
def some(n, start=0): return Passages.from_documents([{"id": f"d{i}", "title": f"T{i}", "text": f"document number {i}"} for i in range(start, start+n)])
def create(path, n=20, **kw): return IndexFolder.create(path, some(n), encode(some(n)), ENCODER, **kw)
def finds(folder, i, **kw): return folder.index(**kw).search(vector(f"document number {i}")[None], 1).with_passages(folder.passages).documents()
def snapshot(path): return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(Path(path).rglob("*")) if p.is_file() and p.name != ".lock"}


def whole(folder, ids):
    "The folder holds exactly these documents, each found by its own vector, and its files fit the manifest."
    again = IndexFolder.open(folder.path, verify=True)
    alive = [i for i in range(len(again)) if again.deleted is None or not again.deleted[i]]
    assert sorted(again.passages[i]["document"] for i in alive) == sorted(f"d{i}" for i in ids)
    np.testing.assert_allclose(np.concatenate([np.asarray(v, np.float32) for v in again.vectors]), encode(list(again.passages)), atol=5e-3)
    for i in list(ids)[:3]: assert finds(again, i)[0]["title"] == f"T{i}"
    return True


def rewrite(path, change):
    "Change a folder's manifest and give it a fitting checksum, as a forger would."
    m = json.loads((path/"manifest.json").read_text())
    m = change(m) or m
    m["checksum"] = mod._checksum(m)
    (path/"manifest.json").write_text(json.dumps(m))


# life

@pytest.mark.parametrize("kind,params", [("exact", {}), ("faiss-flat", {}), ("hnsw", {"ef_search": 64}), ("faiss", {"factory": "HNSW16"})])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_life_of_a_folder(tmp_path, kind, params, dtype):
    f = create(tmp_path/"f", index_kind=kind, dtype=dtype, **params)
    assert f.manifest["index"]["kind"] == kind and f.manifest["index"]["params"] == params and f.vectors[0].dtype == dtype and whole(f, range(20))
    f.append(some(5, 20), encode(some(5, 20)))
    assert len(f) == 25 and len(f.vectors) == 2 and f.vectors[1].dtype == dtype and whole(f, range(25))
    f.delete(f.passages.rows_of(["d3", "d21"]))
    assert whole(f, set(range(25)) - {3, 21}) and all(finds(f, i)[0]["title"] != f"T{i}" for i in (3, 21))
    f.append(some(1, 30), encode(some(1, 30))).delete([0])
    assert f.deleted.sum() == 3 and len(f.deleted) == 26
    f.compact()
    assert len(f) == 23 and f.deleted is None and len(f.vectors) == 1 and whole(f, [i for i in range(25) if i not in (0, 3, 21)] + [30])
    assert f.manifest["index"]["params"] == params and len(os.listdir(f.path)) == 4 + bool(f.manifest["index"]["files"])


def test_the_same_folder_twice_is_the_same_bytes(tmp_path):
    a, b = create(tmp_path/"a"), build_folder(tmp_path/"b", some(20), encode, ENCODER, shard_size=6, progress=False)
    a, b = snapshot(a.path), snapshot(b.path)
    assert {n: a[n] for n in a if n != "manifest.json"} == {n: b[n] for n in b if n != "manifest.json"}


def test_moved_copied_and_read_only(tmp_path):
    f = create(tmp_path/"f", index_kind="hnsw")
    os.rename(f.path, tmp_path/"elsewhere")
    assert whole(IndexFolder.open(tmp_path/"elsewhere"), range(20))
    assert str(tmp_path) not in (tmp_path/"elsewhere/manifest.json").read_text()
    (tmp_path/"link").symlink_to(tmp_path/"elsewhere")
    assert len(IndexFolder.open(tmp_path/"link")) == 20
    assert len(IndexFolder.open(os.path.relpath(tmp_path/"elsewhere"))) == 20


def test_other_files_in_the_folder_are_left_alone(tmp_path):
    (tmp_path/"f").mkdir()
    for n in ("config.json", "passages.parquet", "notes.g2.txt"): (tmp_path/"f"/n).write_text("mine")
    f = create(tmp_path/"f")
    f.append(some(2, 20), encode(some(2, 20))).delete([1]).compact()
    f = create(tmp_path/"f", n=5, overwrite=True)
    assert whole(f, range(5)) and all((tmp_path/"f"/n).read_text() == "mine" for n in ("config.json", "passages.parquet", "notes.g2.txt"))
    assert len([n for n in os.listdir(f.path) if n.startswith(("passages", "embeddings"))]) == 3


def test_overwriting_is_asked_for_and_replaces_everything(tmp_path):
    f = create(tmp_path/"f")
    with pytest.raises(IndexFolderError, match="overwrite=True"): create(tmp_path/"f")
    with pytest.raises(IndexFolderError, match="overwrite=True"): build_folder(tmp_path/"f", some(3), encode, ENCODER)
    new = create(tmp_path/"f", n=3, index_kind="hnsw", overwrite=True)
    assert whole(new, range(3)) and sorted(os.listdir(new.path)) == [".lock", "embeddings.g2.npy", "index.g2.faiss", "manifest.json", "passages.g2.parquet"]
    with pytest.raises(IndexFolderError, match="open it again"): f.delete([15])
    (tmp_path/"file").write_text("x")
    with pytest.raises(IndexFolderError, match="a file is in the way"): create(tmp_path/"file")


def test_an_empty_folder_is_a_place_to_build(tmp_path):
    (tmp_path/"f").mkdir()
    assert sorted(os.listdir(create(tmp_path/"f").path)) == ["embeddings.npy", "manifest.json", "passages.parquet"]


def test_unusable_arguments(tmp_path):
    p, v = some(3), encode(some(3))
    for kw, says in ((dict(vectors=v[:2]), "3 passages and 2 vectors"), (dict(dtype="int8"), "float32 or float16"), (dict(index_kind="nonsense"), "no index of kind"),
                     (dict(vectors=np.full_like(v, np.nan)), "vector 0 holds NaN"), (dict(vectors=v*1e6, dtype="float16"), "too large for float16"), (dict(encoder={}), "names its encoder"),
                     (dict(index_kind="faiss", factory="bad!"), "makes no index"), (dict(encoder={"name": "x", "probe": [float("nan")]}), "Out of range|JSON")):
        with pytest.raises(ValueError, match=says): IndexFolder.create(tmp_path/"f", **{**dict(passages=p, vectors=v, encoder=ENCODER), **kw})
        assert os.listdir(tmp_path) == []                                              # and nothing is left lying about
    f = create(tmp_path/"f")
    before = snapshot(f.path)
    for bad, says in ((v[:2], "3 passages and 2"), (v[:, :4], "4 numbers"), (v*np.nan, "NaN")):
        with pytest.raises(ValueError, match=says): f.append(p, bad)
    with pytest.raises(IndexError): f.delete([20])
    with pytest.raises(ValueError, match="cannot be empty"): f.delete(np.arange(20)).compact()
    with pytest.raises(ValueError, match="no passages"): build_folder(tmp_path/"g", Passages({"text": []}), encode, ENCODER)
    assert {n: b for n, b in snapshot(f.path).items() if n in before and n != "manifest.json"} == {n: b for n, b in before.items() if n != "manifest.json"}


def test_encoder_mismatch(tmp_path):
    f = create(tmp_path/"f")
    f.check_encoder("hashes", [.1, -.2, .3]); f.check_encoder("moved/to/hashes", [.1001, -.2002, .2999]); f.check_encoder("hashes")
    with pytest.raises(IndexFolderError, match="built by the encoder 'hashes', and this one is 'other'"): f.check_encoder("other", [.3, .1, .2])
    with pytest.raises(IndexFolderError, match="'other'"): f.check_encoder("other")
    with pytest.raises(IndexFolderError, match="other weights or another pooling"): f.check_encoder("hashes", [.3, .1, .2])
    with pytest.raises(IndexFolderError, match="other weights"): f.check_encoder("hashes", [.1, -.2])


def test_a_growing_graph_is_taken_in_from_time_to_time(tmp_path, monkeypatch):
    f = create(tmp_path/"f", index_kind="hnsw")
    f.append(some(2, 20), encode(some(2, 20)))
    assert f.manifest["index"]["files"] == ["index.faiss"] and finds(f, 21)[0]["title"] == "T21"
    monkeypatch.setattr(mod, "BESIDE", 0)
    f.append(some(4, 22), encode(some(4, 22)))
    assert f.manifest["index"] == {"kind": "hnsw", "files": ["index.g3.faiss"], "params": {}, "count": 26} and not (f.path/"index.faiss").exists() and whole(f, range(26))


def test_memory_mapped(tmp_path):
    f = create(tmp_path/"f")
    assert isinstance(f.vectors[0], np.memmap) and not f.vectors[0].flags.writeable
    assert isinstance(f.index().stored.segments[0], np.memmap)
    g = create(tmp_path/"g", index_kind="hnsw")
    assert g.index().path is not None                                                  # mapped, not read


# several at once

def test_readers_go_on_while_a_writer_writes(tmp_path):
    f = create(tmp_path/"f", index_kind="hnsw")
    reader, index = IndexFolder.open(f.path), IndexFolder.open(f.path).index()
    f.append(some(3, 20), encode(some(3, 20))).delete([2]).compact()
    create(tmp_path/"f", n=2, overwrite=True)
    assert len(reader) == 20 and reader.passages[2]["title"] == "T2" and reader.passages[19]["title"] == "T19"
    assert index.search(vector("document number 2")[None], 1).ids.tolist() == [[2]]
    late = reader.index()                                                                # its graph was not read yet, and has no name any more
    assert late.search(vector("document number 2")[None], 1).ids.tolist() == [[2]]
    late.add(encode(some(1, 90)))                                                        # what is added is taken into the graph, which is read again for it
    assert late.search(vector("document number 90")[None], 1).ids.tolist() == [[20]]


def test_many_readers_and_a_busy_writer(tmp_path):
    f, errors, stop = create(tmp_path/"f"), [], threading.Event()
    def read():
        while not stop.is_set():
            try:
                g = IndexFolder.open(f.path)
                assert len(g) == len(g.passages) == sum(map(len, g.vectors)) and g.passages[len(g)-1]["text"]
                assert finds(g, 19)[0]["title"] == "T19"
            except Exception as e: errors.append(e)
    threads = [threading.Thread(target=read) for _ in range(3)]
    for t in threads: t.start()
    for i in range(12):
        f.append(some(2, 100+2*i), encode(some(2, 100+2*i)))
        if i % 3 == 2: f.delete([0]); f.compact()
    stop.set()
    for t in threads: t.join()
    assert errors == []


def test_a_graph_that_does_not_open_is_named(tmp_path):
    f = create(tmp_path/"f", index_kind="hnsw")
    g = IndexFolder.open(f.path)
    assert len(pickle.loads(pickle.dumps(g)).index()) == 20                               # in another process it is read by its name
    os.truncate(f.path/"index.faiss", 100)
    with pytest.raises(IndexFolderError, match=str(f.path/"index.faiss")): g.index()


def test_a_full_disk_under_the_graph_is_no_runtime_error(tmp_path, monkeypatch):
    from rag_nb.store.faiss import FaissIndex
    def full(self, *a): raise RuntimeError("Error in faiss::FileIOWriter: Error: 'f' failed: could not open index.faiss for writing: No space left on device")
    monkeypatch.setattr(FaissIndex, "save", full)
    with pytest.raises(OSError, match="the index could not be written .*No space left on device"): create(tmp_path/"f", index_kind="hnsw")
    assert os.listdir(tmp_path) == []


def test_a_workshop_that_was_half_removed_is_known_as_ours(tmp_path, monkeypatch):
    "Its lock goes last, so that a kill in the middle of tidying up leaves nothing that is in the way."
    rmtree, seen = shutil.rmtree, []
    def stop(path, **kw):
        seen.append(str(path))
        if Path(path).name == "shards": (Path(path)/os.listdir(path)[0]).unlink(); raise Killed
        rmtree(path, **kw)
    with monkeypatch.context() as m:
        m.setattr(shutil, "rmtree", stop)
        with pytest.raises(Killed): build_folder(tmp_path/"f", some(20), encode, ENCODER, shard_size=4, progress=False)
    assert (tmp_path/"f.building/.lock").exists()
    assert whole(build_folder(tmp_path/"f", some(20), encode, ENCODER, shard_size=4, progress=False), range(20)) and not (tmp_path/"f.building").exists()


def test_a_second_writer_waits_outside(tmp_path):
    f, g = create(tmp_path/"f"), IndexFolder.open(tmp_path/"f")
    with mod._locked(f.path):
        for write in (lambda: g.append(some(1, 20), encode(some(1, 20))), lambda: g.delete([0]), lambda: g.compact(), lambda: create(tmp_path/"f", overwrite=True)):
            with pytest.raises(IndexFolderError, match="is writing to it"): write()
    f.append(some(1, 20), encode(some(1, 20)))
    g.append(some(1, 21), encode(some(1, 21)))                                         # onto the latest state, not its own
    assert whole(g, range(22)) and len(f) == 21 and len(g) == 22
    f.delete([20])                                                                     # appending does not renumber
    assert whole(f, [i for i in range(22) if i != 20])


def test_a_lock_ends_with_its_process(tmp_path):
    create(tmp_path/"f")
    code = f"import time; from rag_nb.store.folder import _locked; from pathlib import Path\nwith _locked(Path({str(tmp_path/'f')!r})): print('locked', flush=True); time.sleep(60)"
    p = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "locked\n"
    f = IndexFolder.open(tmp_path/"f")
    with pytest.raises(IndexFolderError, match="another process"): f.delete([0])
    p.kill(); p.wait()
    assert f.delete([0]).deleted.sum() == 1


def test_two_builds_of_one_folder(tmp_path):
    inside = []
    def slow(rows):
        with pytest.raises(IndexFolderError, match="is writing"): build_folder(tmp_path/"f", some(3), encode, ENCODER, progress=False)
        inside.append(1); return encode(rows)
    assert whole(build_folder(tmp_path/"f", some(3), slow, ENCODER, progress=False), range(3)) and inside


# deaths

class Killed(BaseException): "Stands for a signal: nothing catches it."


@pytest.mark.parametrize("after", range(5))
def test_a_build_killed_in_the_encoder_goes_on(tmp_path, after):
    asked = []
    def dying(rows):
        if len(asked) == after: raise Killed
        asked.append(rows[0]["document"]); return encode(rows)
    with pytest.raises(Killed): build_folder(tmp_path/"f", some(47), dying, ENCODER, shard_size=10, progress=False)
    assert not (tmp_path/"f").exists()
    with pytest.raises(IndexFolderError, match="was interrupted"): IndexFolder.open(tmp_path/"f")
    rest = lambda rows: (asked.append(rows[0]["document"]), encode(rows))[1]
    f = build_folder(tmp_path/"f", some(47), rest, ENCODER, shard_size=10, progress=False)
    assert asked == [f"d{i}" for i in range(0, 47, 10)] and whole(f, range(47)) and os.listdir(tmp_path) == ["f"]
    build_folder(tmp_path/"g", some(47), encode, ENCODER, shard_size=10, progress=False)
    assert snapshot(tmp_path/"f") == snapshot(tmp_path/"g")


def test_a_shard_is_made_again_when_what_it_was_made_of_has_changed_or_it_is_damaged(tmp_path):
    def dying(rows):
        if rows[0]["document"] == "d40": raise Killed
        return encode(rows)
    with pytest.raises(Killed): build_folder(tmp_path/"f", some(47), dying, ENCODER, shard_size=10, progress=False)
    shards = sorted((tmp_path/"f.building/shards").iterdir())
    b = bytearray(shards[1].read_bytes()); b[-3] ^= 1; shards[1].write_bytes(b)
    shards[2].write_bytes(shards[2].read_bytes()[:-10])
    docs, asked = [dict(d) for d in some(47)], []
    docs[5]["text"] += " changed"
    count = lambda rows: (asked.append(rows[0]["document"]), encode(rows))[1]
    f = build_folder(tmp_path/"f", Passages({c: [d[c] for d in docs] for c in ("id", "title", "text", "document")}), count, ENCODER, shard_size=10, progress=False)
    assert asked == ["d0", "d10", "d20", "d40"] and whole(f, range(47))


def test_another_encoder_starts_again(tmp_path):
    def dying(rows):
        if rows[0]["document"] == "d10": raise Killed
        return np.zeros((len(rows), D), np.float32)
    with pytest.raises(Killed): build_folder(tmp_path/"f", some(20), dying, {**ENCODER, "name": "zeros"}, shard_size=10, progress=False)
    assert whole(build_folder(tmp_path/"f", some(20), encode, ENCODER, shard_size=10, progress=False), range(20))


def die_at(monkeypatch, n, error=Killed):
    "Raise at the n-th time that something is made durable: a sync, a rename, a new file."
    seen = []
    def wrap(f):
        def g(*args, **kw):
            seen.append(f.__name__)
            if len(seen) == n: raise error
            return f(*args, **kw)
        return g
    for owner, name in ((os, "fsync"), (os, "replace"), (os, "rename"), (shutil, "rmtree"), (mod, "_write_vectors"), (Passages, "save"), (Path, "write_bytes"), (Path, "write_text"), (Path, "unlink")):
        monkeypatch.setattr(owner, name, wrap(getattr(owner, name)))
    return seen


STEPS = {"append": (lambda f: f.append(some(3, 20), encode(some(3, 20))), range(20), range(23)),
         "delete": (lambda f: f.delete([0, 1]), range(20), range(2, 20)),
         "compact": (lambda f: f.compact(), [i for i in range(20) if i != 7], [i for i in range(20) if i != 7]),
         "overwrite": (lambda f: create(f.path, n=4, index_kind="hnsw", overwrite=True), range(20), range(4)),
         "rebuild": (lambda f: build_folder(f.path, some(4), encode, ENCODER, shard_size=2, progress=False, overwrite=True), range(20), range(4))}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [Killed, OSError(28, "No space left on device")], ids=["killed", "disk full"])
def test_a_change_that_fails_anywhere_leaves_the_old_state_or_the_new(tmp_path, monkeypatch, step, error):
    change, old, new = STEPS[step]
    points, states = 0, set()
    while True:
        points += 1
        path = tmp_path/f"f{points}"
        f = create(path, index_kind="hnsw")
        if step == "compact": f.delete([7])
        with monkeypatch.context() as m:
            seen = die_at(m, points, error)
            try: change(f)
            except (Killed, OSError): pass
            if len(seen) < points: break
        now = IndexFolder.open(path, verify=True)
        alive = len(now) if now.deleted is None else int((~now.deleted).sum())
        state = new if alive == len(new) else old
        assert whole(now, state), f"{step}, point {points}: {seen[-1]}"
        states.add(alive)
        if step != "append" or alive == len(old): now = change(IndexFolder.open(path))     # and the change can be made again
        else: now = now.delete([0])
        assert whole(now, new if alive == len(old) or step != "append" else range(1, 23))
        assert not [n for n in os.listdir(path) if n not in read_manifest(path)["files"] and n not in (".lock", "manifest.json", "manifest.json.new")]
    assert points >= 8 and states == {len(old), len(new)}


def spelled(rows): return [[ord(c) for c in r["text"]] if not r["text"].endswith("7") else None for r in rows]


def told(folder, key="letters", rows=None):
    "The tokens that a folder has, as text."
    rows = range(len(folder)) if rows is None else rows
    return [None if t is None else "".join(map(chr, t)) for t in folder.tokens_of(key, rows, [folder.passages[i] for i in rows])]


def test_tokens_belong_to_their_passages(tmp_path):
    f = create(tmp_path/"f").store_tokens("letters", spelled)
    want = [None if i % 10 == 7 else f"document number {i}" for i in range(26)]
    assert told(f) == told(IndexFolder.open(f.path, verify=True)) == want[:20] and told(f, "other") == [None]*20
    before = f.manifest["tokens"]["parts"]
    f.append(some(6, 20), encode(some(6, 20)))
    assert told(f) == want[:20] + [None]*6 and told(f.store_tokens("letters", spelled)) == want and f.manifest["tokens"]["parts"][:1] == before
    assert told(f.delete([0, 3])) == want                                                # rows keep their numbers
    shutil.copytree(f.path, tmp_path/"moved")
    assert told(IndexFolder.open(tmp_path/"moved")) == want
    other = some(1, 5)[0]
    assert f.tokens_of("letters", [4, 5, 5, -1, 26, 5], [other, other, {**other, "title": "T6"}, other, other, None]) == [None, pytest.approx(np.array([ord(c) for c in other["text"]])), None, None, None, None]
    reader = IndexFolder.open(f.path)
    f.store_tokens("other", lambda rows: [[1]]*len(rows))
    assert told(f) == [None]*26 and f.tokens_of("other", [2], [f.passages[2]])[0].tolist() == [1] and told(reader) == want
    assert not [n for n in os.listdir(f.path) if n not in f.manifest["files"] and n not in (".lock", "manifest.json")]
    f.compact()
    assert "tokens" not in f.manifest and told(f) == [None]*24 and told(f.store_tokens("letters", spelled))[:3] == [want[1], want[2], want[4]]


def test_a_library_that_knows_no_tokens_reads_and_changes_the_folder(tmp_path):
    "What version 1 did before there were tokens: files and parts that are not its own stay in the manifest, unlisted after a change."
    f = create(tmp_path/"f").store_tokens("letters", spelled)
    rewrite(f.path, lambda m: m.update(files={n: x for n, x in m["files"].items() if not n.startswith(("tokens", "places"))}))
    again = IndexFolder.open(f.path, verify=True)
    assert told(again) == [None]*20 and whole(again, range(20))
    assert told(again.append(some(1, 20), encode(some(1, 20))).store_tokens("letters", spelled))[:2] == ["document number 0", "document number 1"]


@pytest.mark.parametrize("error", [Killed, OSError(28, "No space left on device")], ids=["killed", "disk full"])
def test_storing_tokens_is_all_or_nothing(tmp_path, monkeypatch, error):
    points, states = 0, set()
    while True:
        points += 1
        f = create(tmp_path/f"f{points}").append(some(3, 20), encode(some(3, 20)))
        with monkeypatch.context() as m:
            seen = die_at(m, points, error)
            try: f.store_tokens("letters", spelled)
            except (Killed, OSError): pass
            if len(seen) < points: break
        now = IndexFolder.open(f.path, verify=True)
        states.add(tuple(told(now)))
        assert whole(now, range(23)) and told(now.store_tokens("letters", spelled))[22] == "document number 22"
        assert not [n for n in os.listdir(f.path) if n not in read_manifest(f.path)["files"] and n not in (".lock", "manifest.json", "manifest.json.new")]
    assert points >= 6 and len(states) == 2


@pytest.mark.parametrize("change,says", [
    (lambda m: m.update(tokens=[]), "tokens"), (lambda m: m["tokens"].pop("key"), "tokens"), (lambda m: m["tokens"].update(parts=[None]*3), "tokens"), (lambda m: m["tokens"]["parts"].append({"ids": "x"}), "tokens"),
    (lambda m: m["tokens"]["parts"][0].update(ids="embeddings.npy"), "one file twice"), (lambda m: m["tokens"]["parts"][0].update(places=m["tokens"]["parts"][0]["ids"]), "one file twice")])
def test_forged_tokens(tmp_path, change, says):
    f = create(tmp_path/"f").store_tokens("letters", spelled)
    def forge(m): change(m)
    rewrite(f.path, forge)
    with pytest.raises(IndexFolderError, match=says): IndexFolder.open(f.path)


def test_places_that_lie_outside(tmp_path):
    f = create(tmp_path/"f").store_tokens("letters", spelled)
    name = f.manifest["tokens"]["parts"][0]["places"]
    for value in (10**9, -5):
        x = np.load(f.path/name); x[2, 0] = value; np.save(f.path/name, x)
        b = (f.path/name).read_bytes()
        rewrite(f.path, lambda m: m["files"].update({name: {"size": len(b), "sha256": hashlib.sha256(b).hexdigest()}}))
        with pytest.raises(IndexFolderError, match="tokens of passage 2 lie outside"): told(IndexFolder.open(f.path), rows=[2])


def test_a_build_that_fails_anywhere_goes_on(tmp_path, monkeypatch):
    points = 0
    while True:
        points += 1
        path, asked = tmp_path/f"f{points}", []
        count = lambda rows: (asked.append(rows[0]["document"]), encode(rows))[1]
        with monkeypatch.context() as m:
            seen = die_at(m, points)
            try: build_folder(path, some(12), count, ENCODER, shard_size=4, index_kind="hnsw", progress=False)
            except Killed: pass
            if len(seen) < points: break
        if path.exists(): whole(IndexFolder.open(path), range(12))
        f = build_folder(path, some(12), count, ENCODER, shard_size=4, index_kind="hnsw", progress=False) if not path.exists() or (path.parent/f"{path.name}.building").exists() else IndexFolder.open(path)
        assert whole(f, range(12)) and len(asked) <= 4 and not (path.parent/f"{path.name}.building").exists(), f"point {points}: {seen[-1]}"
    assert points > 20


@pytest.mark.parametrize("when", [.0, .15, .3, .6])
def test_sigkill(tmp_path, when):
    "A real SIGKILL while a child process builds, appends, deletes and compacts in turn; then all is whole, and the child's work can go on."
    code = f"""
import sys, time; sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_folder import *
path = Path({str(tmp_path/'f')!r})
slow = lambda rows: (time.sleep(.02), encode(rows))[1]
print('ready', flush=True)
f = build_folder(path, some(40), slow, ENCODER, shard_size=4, index_kind='hnsw', progress=False)
for i in range(1000): f.append(some(2, 1000+2*i), encode(some(2, 1000+2*i))); f.delete([len(f)-1]); f.compact()
"""
    p = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert p.stdout.readline() == "ready\n"
    time.sleep(when)
    p.send_signal(signal.SIGKILL); p.wait()
    if not (tmp_path/"f").exists() or (tmp_path/"f.building").exists(): build_folder(tmp_path/"f", some(40), encode, ENCODER, shard_size=4, index_kind="hnsw", progress=False)
    f = IndexFolder.open(tmp_path/"f", verify=True)
    alive = [d for i, d in enumerate(f.passages.column("document")) if f.deleted is None or not f.deleted[i]]
    assert alive[:40] == [f"d{i}" for i in range(40)] and whole(f, [int(d[1:]) for d in alive])
    f.append(some(1, 5000), encode(some(1, 5000))).compact()
    assert finds(f, 5000)[0]["title"] == "T5000"


def test_somebody_elses_folder_beside(tmp_path):
    (tmp_path/"f.building").mkdir(); (tmp_path/"f.building/thesis.txt").write_text("mine")
    with pytest.raises(IndexFolderError, match="in the way"): create(tmp_path/"f")
    assert (tmp_path/"f.building/thesis.txt").read_text() == "mine"
    shutil.rmtree(tmp_path/"f.building"); (tmp_path/"home").mkdir(); (tmp_path/"home/.lock").write_text(""); (tmp_path/"f.building").symlink_to(tmp_path/"home")
    with pytest.raises(IndexFolderError, match="in the way"): create(tmp_path/"f")


def test_a_bad_encoder_is_named(tmp_path):
    for bad, says in ((lambda r: encode(r)[:-1], "shape"), (lambda r: encode(r)[0], "shape"), (lambda r: encode(r)*np.where(np.arange(len(r)) == 2, np.nan, 1)[:, None], "NaN or infinity for passage 'd2#0'")):
        with pytest.raises(ValueError, match=says): build_folder(tmp_path/"f", some(5), bad, ENCODER, progress=False)


# damage and strangers

def test_every_file_truncated_flipped_missing_or_swapped(tmp_path):
    f = create(tmp_path/"f", index_kind="hnsw")
    f.append(some(3, 20), encode(some(3, 20))).delete([1]).store_tokens("letters", spelled)
    good, rng = snapshot(f.path), np.random.default_rng(0)
    for name in good:
        file = f.path/name
        for make in ("cut", "empty", "grown", *["flip"]*12):
            b = bytearray(good[name])
            if make == "flip": b[rng.integers(len(b))] ^= 1 << int(rng.integers(8))
            else: b = {"cut": b[:-1], "empty": b[:0], "grown": b + b"x"}[make]
            file.write_bytes(b)
            try: g = IndexFolder.open(f.path)
            except IndexFolderError as e: assert name in str(e), (name, make, e)
            else: assert name == "manifest.json" and g.manifest == f.manifest            # a changed space, say
        file.unlink()
        with pytest.raises(IndexFolderError, match=name): IndexFolder.open(f.path)
        file.symlink_to("/etc/hostname")
        with pytest.raises(IndexFolderError, match="link|no manifest"): IndexFolder.open(f.path)
        file.unlink(); file.write_bytes(good[name])
    assert whole(f, [i for i in range(23) if i != 1])


def test_large_folders_are_checked_by_size_and_whole_on_demand(tmp_path, monkeypatch):
    f = create(tmp_path/"f")
    b = bytearray((f.path/"embeddings.npy").read_bytes()); b[-2] ^= 1; (f.path/"embeddings.npy").write_bytes(b)
    with pytest.raises(IndexFolderError, match="embeddings.npy: damaged or tampered"): IndexFolder.open(f.path)
    monkeypatch.setattr(mod, "WHOLE", 10)
    IndexFolder.open(f.path)
    with pytest.raises(IndexFolderError, match="embeddings.npy: damaged or tampered"): IndexFolder.open(f.path, verify=True)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/b", "..", ".", "", "a\\b", ".hidden", "nul\0", "a\n", "manifest.json", "x"*300, "C:evil"])
def test_names_that_lead_elsewhere(tmp_path, name):
    f = create(tmp_path/"f")
    (tmp_path/"evil").write_bytes((f.path/"embeddings.npy").read_bytes())
    def escape(m):
        m["files"][name] = m["files"].pop("embeddings.npy"); m["segments"][0]["embeddings"] = name
    rewrite(f.path, escape)
    with pytest.raises(IndexFolderError, match="not a plain file name|missing"): IndexFolder.open(f.path)


@pytest.mark.parametrize("change,says", [
    (lambda m: m.update(version=2), "version 2 .* up to 1; update rag_nb"),
    (lambda m: m.update(format="other"), "not the manifest"),
    (lambda m: m.update(version="1"), "not the manifest"),
    (lambda m: [m], "not the manifest"),
    (lambda m: m.update(dim=9), "promises 20 vectors of 9"),
    (lambda m: m.update(dim=0), "no dimension"),
    (lambda m: m.update(dim=True), "no dimension"),
    (lambda m: m.update(metric="l2"), "metric"),
    (lambda m: m.update(count=19), "counts its passages wrongly"),
    (lambda m: m.update(segments=[]), "no segments"),
    (lambda m: m.update(segments=m["segments"]*2, count=40), "one file twice"),
    (lambda m: m["segments"][0].update(count=2**60), "no segments"),
    (lambda m: (m["segments"][0].update(count=10**12), m.update(count=10**12)), "promises"),
    (lambda m: m["segments"][0].update(passages="other.parquet"), "does not list"),
    (lambda m: m["segments"][0].update(passages=["x"]), "does not list"),
    (lambda m: m["segments"][0].update(passages="embeddings.npy", embeddings="passages.parquet"), "passages.parquet: not a file of vectors"),
    (lambda m: m.update(deleted="passages.parquet"), "one file twice"),
    (lambda m: m["index"].update(kind="pickle"), "no index of kind"),
    (lambda m: m["index"].update(kind=3), "describe its index"),
    (lambda m: m["index"].update(params={"x": []}), "plain value"),
    (lambda m: m["index"].update(params={"surprise": 1}), "does not open"),
    (lambda m: m["index"].update(params={"index": "x", "vectors": 3}), "does not open"),
    (lambda m: m["index"].update(kind="hnsw"), "does not open.*one file"),
    (lambda m: m.update(encoder="x"), "encoder"),
    (lambda m: m.update(files={n: {"size": -1, "sha256": ""} for n in m["files"]}), "size or checksum"),
    (lambda m: m.update(files=[1]), "plain file name"),
    (lambda m: m.update(generation=None), "generation"),
    (lambda m: m.pop("deleted"), "what is deleted"),
    (lambda m: m["encoder"].update(name="other encoder"), None),
])
def test_forged_manifests(tmp_path, change, says):
    f = create(tmp_path/"f")
    m = json.loads((f.path/"manifest.json").read_text())
    altered = change(m)
    (f.path/"manifest.json").write_text(json.dumps(altered if isinstance(altered, list) and altered and altered[0] is m else m))
    if says is None or "version 2" not in says and "not the manifest" not in says:
        with pytest.raises(IndexFolderError, match="manifest.json: damaged or tampered"): IndexFolder.open(f.path)      # without a new checksum
    if says is None: return
    if isinstance(altered, list) and altered and altered[0] is m: rewritten = lambda: None
    else: rewritten = lambda: rewrite(f.path, lambda m: None)
    rewritten()
    with pytest.raises(IndexFolderError, match=says): IndexFolder.open(f.path, verify=False).index()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b'{"format": "rag_nb.index", "version": 1, "x": NaN}', b'{"format": "rag_nb.index", "version": 1' + b"0"*5000 + b"}"])
def test_manifests_that_are_none(tmp_path, content):
    f = create(tmp_path/"f"); (f.path/"manifest.json").write_bytes(content)
    with pytest.raises(IndexFolderError, match="manifest.json"): IndexFolder.open(f.path)


def test_vectors_that_are_none(tmp_path):
    f = create(tmp_path/"f")
    good = (f.path/"embeddings.npy").read_bytes()
    def put(b):
        (f.path/"embeddings.npy").write_bytes(b)
        rewrite(f.path, lambda m: m["files"].update({"embeddings.npy": {"size": len(b), "sha256": hashlib.sha256(b).hexdigest()}}))
    np.save(tmp_path/"o.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for b in ((tmp_path/"o.npy").read_bytes(), good.replace(b"'<f4'", b"'|O4'"), good.replace(b"'<f4'", b"'<i4'"), good.replace(b"(20, 8)", b"(20, 9)"), good.replace(b"False", b"True "), good + b"x",
              good.replace(b"(20, 8)", b"(9**9)"), good.replace(b"{'descr'", b"['descr'"), b"\x93NUMPY\x01\x00\xff\xff" + b"("*65535, good[:30], b"PK\x03\x04"):
        put(b)
        with pytest.raises(IndexFolderError, match="embeddings.npy"): IndexFolder.open(f.path)
    put(good)
    assert len(IndexFolder.open(f.path)) == 20


def test_tombstones_that_are_none(tmp_path):
    f = create(tmp_path/"f").delete([1])
    name = f.manifest["deleted"]
    for b in (b"\xff"*3, b"\xff"*1000):                                                # bits beyond the twenty rows; too long
        (f.path/name).write_bytes(b)
        rewrite(f.path, lambda m: m["files"].update({name: {"size": len(b), "sha256": hashlib.sha256(b).hexdigest()}}))
        with pytest.raises(IndexFolderError, match=name): IndexFolder.open(f.path)


def test_no_folder_at_all(tmp_path):
    with pytest.raises(IndexFolderError, match="no such folder"): IndexFolder.open(tmp_path/"none")
    with pytest.raises(IndexFolderError, match="not an index folder, it has no manifest.json"): IndexFolder.open(tmp_path)
    (tmp_path/"file").write_text("")
    with pytest.raises(IndexFolderError, match="no such folder"): IndexFolder.open(tmp_path/"file")


# with a retriever around it

def retriever(**kw):
    from rag_nb.core.retriever import RagRetriever
    from rag_nb.core.toy import toy_documents, toy_encoder, toy_tokenizer
    r = RagRetriever.from_documents(toy_documents(), toy_encoder(), progress=False, **kw)
    r.question_encoder_tokenizer, r.generator_tokenizer = toy_encoder().tokenizer, toy_tokenizer("bart")
    return r


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
@pytest.mark.parametrize("where", ["memory", "folder"])
def test_a_retriever_compacts(tmp_path, where, kind):
    r = retriever(index_kind=kind, **({"path": tmp_path/"f"} if where == "folder" else {}))
    r.delete(["tea", "moon"]); before = {d["title"] for d in r.find("Which shrub do green tea and black tea come from?", 10).documents()}
    r.compact()
    assert len(r.index) == len(r.passages) == len(r) == 10 and r.deleted is None and {d["title"] for d in r.find("Which shrub do green tea and black tea come from?", 10).documents()} == before
    assert r.index.kind == kind and r.find("How many hearts does an octopus have?", 1).documents()[0]["title"] == "Octopus"
    r.compact(); r.add([{"id": "tea", "text": "Green tea and black tea come from the same shrub."}])
    assert len(r) == 11 and r.find("green tea", 1).documents()[0]["id"] == "tea#0"
    if where == "folder": assert "moon" not in IndexFolder.open(tmp_path/"f", verify=True).passages.column("document")
    r.delete(sorted(set(r.passages.column("document"))))
    with pytest.raises(ValueError, match="cannot be empty"): r.compact()


def test_saving_is_all_or_nothing(tmp_path, monkeypatch):
    from rag_nb.core.retriever import RagRetriever
    from rag_nb.hf.tokenizer import RagTokenizer
    r = retriever()
    with monkeypatch.context() as m:
        def full(self, *a): raise Exception("No space left on device (os error 28)")          # as tokenizers raise it
        m.setattr(RagTokenizer, "_write", full)
        with pytest.raises(OSError, match="f could not be saved: No space left"): r.save_pretrained(tmp_path/"f")
    assert os.listdir(tmp_path) == []
    r.config.n_docs = 3; r.save_pretrained(tmp_path/"f")
    assert RagRetriever.from_pretrained(tmp_path/"f").config.n_docs == 3 and ".lock" not in os.listdir(tmp_path/"f")
    with pytest.raises(ValueError, match="overwrite=True"): r.save_pretrained(tmp_path/"f")
    (tmp_path/"f/notes.txt").write_text("mine")
    r.delete("tea"); r.config.n_docs = 2; r.save_pretrained(tmp_path/"f", overwrite=True)
    again = RagRetriever.from_pretrained(tmp_path/"f")
    assert len(again) == 11 and again.config.n_docs == 2 and (tmp_path/"f/notes.txt").read_text() == "mine" and os.listdir(tmp_path) == ["f"]
    (tmp_path/"g").write_text("")
    with pytest.raises(ValueError, match="g is a file"): r.save_pretrained(tmp_path/"g")
    (tmp_path/"h.saving").mkdir(); (tmp_path/"h.saving/thesis.txt").write_text("mine")
    with pytest.raises(IndexFolderError, match="in the way"): r.save_pretrained(tmp_path/"h")
    assert (tmp_path/"h.saving/thesis.txt").read_text() == "mine"


# saved together

def interrupted(monkeypatch, save):
    "Run a save that ends, as if killed, when it is complete and before its files come into their places."
    class Killed(BaseException): "As a kill does, it passes everything by."
    with monkeypatch.context() as m:
        def killed(place): raise Killed
        m.setattr(mod, "_recover", killed)
        with pytest.raises(Killed): save()


def saved_over(tmp_path, monkeypatch, **kw):
    "A retriever of 12 documents and n_docs 3, and over it an interrupted save of 11 and n_docs 2."
    r = retriever(**kw); r.config.n_docs = 3; r.save_pretrained(tmp_path/"f")
    r.delete("tea"); r.config.n_docs = 2
    interrupted(monkeypatch, lambda: r.save_pretrained(tmp_path/"f", overwrite=True))
    assert (tmp_path/"f/.saved/manifest.json").exists()


@pytest.mark.parametrize("door", ["folder", "retriever", "build", "copy"])
def test_an_interrupted_save_is_brought_to_its_end(tmp_path, monkeypatch, door):
    from rag_nb.core.retriever import RagRetriever
    saved_over(tmp_path, monkeypatch)
    f = tmp_path/"f"
    if door == "folder": assert len(IndexFolder.open(f)) == 11
    if door == "build":
        with pytest.raises(IndexFolderError, match="overwrite=True"): build_folder(f, some(3), encode, ENCODER)
    if door == "copy": f = Path(shutil.copytree(f, tmp_path/"g"))
    r = RagRetriever.from_pretrained(f, verify=True)
    assert (len(r), r.config.n_docs) == (11, 2) and ".saved" not in os.listdir(f)
    assert {n for n in os.listdir(f) if n.endswith((".npy", ".parquet"))} == {n for n in r.folder.manifest["files"] if n.endswith((".npy", ".parquet"))}, "files of the old index are left"


def test_a_writer_who_had_it_open_settles_first(tmp_path, monkeypatch):
    r = retriever(); r.save_pretrained(tmp_path/"f")
    opened = IndexFolder.open(tmp_path/"f")
    r.delete("tea"); interrupted(monkeypatch, lambda: r.save_pretrained(tmp_path/"f", overwrite=True))
    with pytest.raises(IndexFolderError, match="rows have other numbers"): opened.delete([0])
    assert len(IndexFolder.open(tmp_path/"f")) == 11


def test_what_was_added_meanwhile_is_not_taken_away(tmp_path, monkeypatch):
    r = retriever(); r.save_pretrained(tmp_path/"f")
    put = mod._put
    def late(new, path): IndexFolder.open(path).delete([0]); put(new, path)
    monkeypatch.setattr(mod, "_put", late)
    with pytest.raises(IndexFolderError, match="somebody else has changed it meanwhile; save again"): r.save_pretrained(tmp_path/"f", overwrite=True)
    monkeypatch.undo()
    assert IndexFolder.open(tmp_path/"f").deleted.sum() == 1 and not {".saved", ".saving"} & {*os.listdir(tmp_path/"f")}


def test_a_slow_helper_takes_nothing_from_the_next_save(tmp_path, monkeypatch):
    "Another one brings the save to its end, and a second save to its moment, while this one is still moving files."
    with mod.atomic_save(tmp_path/"f") as new: (new/"a").write_text("0"); (new/"b").write_text("0")
    def complete(n, *names):
        (tmp_path/"next").mkdir()
        for name in names: (tmp_path/"next"/name).write_text(n)
        os.rename(tmp_path/"next", tmp_path/"f/.saved")
    complete("1", "a", "b")
    move, calls = mod._move, []
    def slow(file, place, name):
        calls.append(name)
        if len(calls) == 1: mod.recover(tmp_path/"f"); complete("2", "b", "c")
        move(file, place, name)
    monkeypatch.setattr(mod, "_move", slow)
    mod.recover(tmp_path/"f")
    assert {n: (tmp_path/"f"/n).read_text() for n in os.listdir(tmp_path/"f")} == {"a": "1", "b": "2", "c": "2"}


@pytest.mark.parametrize("how", ["link", "link to a folder", "pipe", "itself a link", "a link on the way", "itself a file"])
def test_a_forged_interrupted_save_stays_inside(tmp_path, how):
    create(tmp_path/"f")
    saved, out = tmp_path/"f/.saved", tmp_path/"out"
    out.mkdir(); (out/"x").write_text("mine"); before = snapshot(out)
    if how == "itself a link": saved.symlink_to(out)
    elif how == "itself a file": saved.write_text("")
    else: saved.mkdir()
    if how == "link": (saved/"x").symlink_to(out/"x")
    if how == "link to a folder": (saved/"x").symlink_to(out)
    if how == "pipe": os.mkfifo(saved/"x")
    if how == "a link on the way": (saved/"sub").mkdir(); (saved/"sub/x").write_text("theirs"); (tmp_path/"f/sub").symlink_to(out)
    with pytest.raises(IndexFolderError, match="not a plain file|not a folder|a link, which saving does not follow"): IndexFolder.open(tmp_path/"f")
    assert snapshot(out) == before


def test_a_save_beside_belongs_to_another_user(tmp_path):
    "In a folder that everybody can write to, a `.saved` of somebody else is not ours."
    if os.geteuid() != 0: pytest.skip("only root can give files away")
    create(tmp_path/"f")
    (tmp_path/".saved/f").mkdir(parents=True); (tmp_path/".saved/f/manifest.json").write_text("{}"); os.chown(tmp_path/".saved", 12345, -1)
    assert len(IndexFolder.open(tmp_path/"f")) == 20 and (tmp_path/".saved/f/manifest.json").exists()


def test_where_one_may_not_write(tmp_path, monkeypatch):
    saved_over(tmp_path, monkeypatch)
    def no(*a): raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(mod.os, "replace", no)
    with pytest.raises(IndexFolderError, match=r"f/\.saved: a save was interrupted when it was complete.*Permission denied.*with the right to write"): IndexFolder.open(tmp_path/"f")


def test_weights_in_parts_and_whole(tmp_path):
    "Weights in one file are opened before those in parts, so what an earlier save had left must go."
    from rag_nb.core.model import RagTokenForGeneration
    from rag_nb.core.toy import toy_encoder, toy_generator
    model = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=toy_generator("bart"))
    first = next(model.parameters())
    for i, size in enumerate(["50GB", "100KB", "300KB", "50GB"]):
        with torch.no_grad(): first.fill_(i)
        model.save_pretrained(tmp_path/"m", max_shard_size=size)
        weights = {n for n in os.listdir(tmp_path/"m") if "safetensors" in n}
        assert ("model.safetensors" in weights) == (size == "50GB") == (len(weights) == 1) and len({n.split("-of-")[-1] for n in weights if "-of-" in n}) <= 1
        assert (next(RagTokenForGeneration.from_pretrained(tmp_path/"m").parameters()) == i).all()


def test_an_index_elsewhere_stays_there(tmp_path):
    from rag_nb.core.answer import Rag
    from rag_nb.core.toy import toy_encoder, toy_generator, toy_tokenizer
    rag = Rag.from_parts(retriever(), toy_encoder(), (toy_generator("bart"), toy_tokenizer("bart")))
    rag.save_pretrained(tmp_path/"r")
    shutil.move(tmp_path/"r/index", tmp_path/"large"); (tmp_path/"r/index").symlink_to(tmp_path/"large")
    rag.retriever.delete("tea"); rag.save_pretrained(tmp_path/"r")
    assert (tmp_path/"r/index").is_symlink() and len(Rag.from_pretrained(tmp_path/"r").retriever) == len(IndexFolder.open(tmp_path/"large")) == 11


def test_a_dataset_is_saved_over_itself(tmp_path):
    from datasets import Dataset
    from rag_nb.core.config import RagConfig
    from rag_nb.core.retriever import RagRetriever
    from rag_nb.core.toy import toy_documents, toy_encoder
    docs = toy_documents()
    own = Dataset.from_dict(dict(title=[d["title"] for d in docs], text=[d["text"] for d in docs], embeddings=toy_encoder().encode(docs, "passage").tolist()))
    RagRetriever(RagConfig(retrieval_vector_size=32, index_name="custom"), index=own, encoder=toy_encoder()).save_pretrained(tmp_path/"d")
    for n in (2, 3):
        r = RagRetriever.from_pretrained(tmp_path/"d"); r.config.n_docs = n; r.save_pretrained(tmp_path/"d")
        again = RagRetriever.from_pretrained(tmp_path/"d")
        assert again.config.n_docs == n and len(again) == len(docs)


def test_a_workshop_left_beside_is_swept_up(tmp_path):
    "One who saves where nothing is, and is killed when all is there, leaves an empty workshop; a stranger's folder of that name stays."
    with mod.atomic_save(tmp_path/"f") as new: (new/"a").write_text("1")
    (tmp_path/"f.saving").mkdir(); (tmp_path/"f.saving/.lock").write_text("")
    with mod.atomic_save(tmp_path/"f") as new: (new/"a").write_text("2")
    assert os.listdir(tmp_path) == ["f"] and (tmp_path/"f/a").read_text() == "2"
    (tmp_path/"f.saving").mkdir(); (tmp_path/"f.saving/thesis.txt").write_text("mine")
    with mod.atomic_save(tmp_path/"f") as new: (new/"a").write_text("3")
    assert (tmp_path/"f.saving/thesis.txt").read_text() == "mine" and (tmp_path/"f/a").read_text() == "3"
