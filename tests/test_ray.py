"An index and a build spread over a Ray cluster of several nodes: workers, nodes and whole builds are killed on the way, and one process is the measure."
import io, json, os, signal, subprocess, sys, tempfile, textwrap, time
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch

from rag_nb import IndexFolder, IndexFolderError, Passages, RayIndex, build_folder, build_folder_with_ray, merge_hits
from rag_nb.core.index import make_index
from rag_nb.scale.ray import _Shard, _pieces
from rag_nb.core.passages import Hits
from rag_nb.core.encoder import TextEncoder
from rag_nb.core.retriever import encoder_record
from rag_nb.core.toy import toy_documents, toy_encoder

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = {"RAY_TMPDIR": "", "RAY_memory_monitor_refresh_ms": "0", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0",
    "RAY_AUTH_MODE": "disabled",
           "RAY_health_check_period_ms": "500", "RAY_health_check_failure_threshold": "4", "RAY_health_check_timeout_ms": "4000",
           "RAY_raylet_start_wait_time_s": "120",
           "RAY_enable_worker_prestart": "0", "RAY_prestart_worker_first_driver": "0"}
HERE = """
import os, sys, time
sys.path[:0] = [{root!r}, {tests!r}]
"""


# Without Ray

def tied(n, seed=0):
    "Vectors of which many are equal, and questions."
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 8), dtype=np.float32)[rng.integers(0, n//8, n)], torch.from_numpy(rng.standard_normal((3, 8),
        dtype=np.float32))

@pytest.mark.parametrize("k", [1, 7, 90])
@pytest.mark.parametrize("seed", range(5))
def test_merging_is_exact(k, seed):
    "However the rows are cut: ids, order of ties, scores to the last bit, vectors, and masks where there are fewer than asked for."
    d, q = tied(80, seed)
    ends = [0, *sorted(np.random.default_rng(seed).choice(80, 4, replace=False).tolist()), 80]
    gone = np.random.default_rng(seed).random(80) < .2
    parts = []
    for a, b in zip(ends, ends[1:]):
        h = make_index("exact", d[a:b]).search(q, k, exclude=gone[a:b], return_vectors=True)
        parts.append(Hits(torch.where(h.mask, h.ids + a, -1), h.scores, vectors=h.vectors))
    same(merge_hits(parts, k), make_index("exact", d).search(q, k, exclude=gone, return_vectors=True))

def test_pieces_cover_every_row_once(tmp_path):
    folders = [folder_of(tmp_path/str(n), n) for n in (3, 50, 20)]
    for shards in (1, 2, 7, 200):
        pieces = _pieces(folders, shards, "cpu")
        assert [p["first"] for p in pieces] == np.cumsum([0] + [p["stop"] - p["start"] for p in pieces])[:-1].tolist()
        for f in folders:
            rows = [(p["start"], p["stop"]) for p in pieces if p["folder"] == str(f.path)]
            assert rows[0][0] == 0 and rows[-1][1] == len(f) and all(a[1] == b[0] and a[0] < a[1] for a, b in zip(rows, rows[1:]))

@pytest.mark.parametrize("kind", ["exact", "hnsw"])
def test_a_shard_leaves_out_what_the_one_who_asks_has_deleted(tmp_path, kind):
    "Not what the folder says when the shard opens it: who opened it before a deletion finds the row, and who opened it after does not."
    folder = folder_of(tmp_path/"x", 40, kind)
    q, (piece,) = folder.vectors[0][:3], _pieces([folder], 1, "cpu")
    first = IndexFolder.open(folder.path)
    folder.delete([1])
    folder.append(Passages({"text": ["late"]*2}), np.asarray(q[:2]) * 2)
    for shard in (_Shard(piece), _Shard(dict(piece))):
        ids, scores = shard.search(q, 40, None, False)
        assert sorted(i for i in ids[1] if i >= 0) == list(range(40)) and first.deleted is None
        ids, scores = shard.search(q, 40, folder.deleted[:40], False)
        assert sorted(i for i in ids[1] if i >= 0) == [i for i in range(40) if i != 1]

def test_without_ray_the_error_says_what_to_install():
    "Importing costs nothing, and needs no Ray."
    code = """
        import sys; sys.modules["ray"] = None
        import rag_nb.scale.ray
        from rag_nb import RayIndex, build_folder_with_ray, merge_hits
        assert "transformers" not in sys.modules
        try: build_folder_with_ray("x", [], None)
        except ImportError as e: print(e)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=ROOT)
    assert "pip install rag_nb[ray]" in done.stdout, done.stderr

def test_importing_it_leaves_ray_alone():
    code = "import sys, rag_nb.scale.ray; print(sorted({'ray', 'transformers', 'datasets'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout.strip() == "[]"


# What is compared

ENCODER = {"name": "none", "spec": {}, "probe": None}

def folder_of(path, n, kind="exact", seed=0):
    d, _ = tied(max(n, 16), seed)
    return IndexFolder.create(path, Passages({"text": [f"{path.name} {i}" for i in range(n)]}), d[:n], ENCODER, index_kind=kind)

def same(a, b):
    assert torch.equal(a.ids, b.ids) and torch.equal(a.scores, b.scores) and torch.equal(a.mask, b.mask)
    assert (a.vectors is None) == (b.vectors is None) and (a.vectors is None or torch.equal(a.vectors, b.vectors))

def same_folder(a, b):
    "Every file, byte for byte; in the manifest, but for the way from the index to its documents, and the checksum over it."
    names = sorted(p.name for p in Path(a).iterdir() if p.name != ".lock")
    assert names == sorted(p.name for p in Path(b).iterdir() if p.name != ".lock")
    for n in names:
        if n != "manifest.json": assert (Path(a)/n).read_bytes() == (Path(b)/n).read_bytes(), n
    said = [json.loads((Path(x)/"manifest.json").read_text()) for x in (a, b)]
    for m in said: m.pop("checksum"); m["reading"] = m["reading"] and {**m["reading"], "folder": bool(m["reading"]["folder"])}
    assert said[0] == said[1]

class Noted(TextEncoder):
    "The toy encoder, which notes in a file what it was asked for, and can be held up at a passage."
    def __init__(self, notes="/dev/null"):
        toy = toy_encoder()
        super().__init__(toy.model, toy.tokenizer, toy.spec, name=toy.name)
        self.notes = str(notes)

    def encode(self, rows, kind="question", **kwargs):
        if kind == "passage" and "id" in rows[0]:
            with open(self.notes, "a") as f: f.write(f"{rows[0]['id']} {os.getpid()}\n")
            while os.path.exists(self.notes + ".hold") and rows[0]["id"] in Path(self.notes + ".hold").read_text().split(): time.sleep(.05)
        return super().encode(rows, kind, **kwargs)

def noted(path): return [l.split() for l in Path(path).read_text().splitlines()] if Path(path).exists() else []

def wait_for(what, seconds=300):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(.05)
    return found

def corpus(n=8):
    return [{"id": f"{d['id']}{i}", "title": d["title"], "text": d["text"], "year": 1900 + i} for i in range(n) for d in toy_documents()]

SIZE = 64   # passages a shard

def by_value():
    "The workers have no tests to import: what is defined here travels whole."
    import ray.cloudpickle
    ray.cloudpickle.register_pickle_by_value(sys.modules[Noted.__module__])

@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    "The same corpus in a folder made by one process, and as a file."
    path = tmp_path_factory.mktemp("alone")
    with open(path/"corpus.jsonl", "w") as f: f.writelines(json.dumps(d) + "\n" for d in corpus())
    encoder = toy_encoder()
    build_folder(path/"index", Passages.from_documents(path/"corpus.jsonl", n_words=8), lambda rows: encoder.encode(rows, "passage"),
        encoder_record(encoder), shard_size=SIZE, progress=False)
    return path


# The cluster: a head and another node, of one core each; tests add more, and take them away

def add_node(cluster, **kwargs):
    "A node with as few processes as can be, and several tries: Ray gives them 15 seconds to start, which is short on a busy machine."
    for tries in range(6):
        try:
            return cluster.add_node(object_store_memory=80*2**20, include_dashboard=False, include_log_monitor=False, no_monitor=True,
                **kwargs)
        except Exception:
            if tries == 5: raise

def one_more(cluster, **kwargs):
    import ray
    node = add_node(cluster, **kwargs)
    wait_for(lambda: any(n["Alive"] and n["NodeID"] == node.node_id for n in ray.nodes()))
    return node

@pytest.fixture(scope="module")
def cluster():
    before = {k: os.environ.get(k) for k in OPTIONS}
    os.environ.update(OPTIONS)
    import ray
    from ray.cluster_utils import Cluster
    home = os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="rn", dir="/tmp")   # short, since sockets' names are
    cluster = Cluster()
    try:
        add_node(cluster, num_cpus=1)
        add_node(cluster, num_cpus=1)
        by_value()
        ray.init(cluster.address, log_to_driver=False, logging_level="ERROR", namespace="tests")
        yield cluster
    finally:
        ray.shutdown(); cluster.shutdown()
        for k, v in before.items(): os.environ.pop(k, None) if v is None else os.environ.update({k: v})
        import shutil; shutil.rmtree(home, ignore_errors=True)

@pytest.fixture
def quiet():
    with redirect_stdout(io.StringIO()): yield


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_an_embedding_that_loses_a_worker_and_then_its_driver(cluster, alone, tmp_path):
    "A worker is killed in the middle, then the whole job; what was finished is not embedded again, and the folder has the same bytes."
    notes, out = tmp_path/"notes", tmp_path/"index"
    job = HERE.format(root=str(ROOT), tests=str(ROOT/"tests")) + f"""
from test_ray import *
from test_ray import by_value
by_value()
build_folder_with_ray({str(out)!r}, {str(alone/"corpus.jsonl")!r}, Noted({str(notes)!r}), {cluster.address!r}, workers=1, shard_size=SIZE, n_words=8, progress=False)
"""
    first = [Passages.from_documents(alone/"corpus.jsonl", n_words=8)[n]["id"]
        for n in range(0, len(IndexFolder.open(alone/"index")), SIZE)]
    assert len(first) >= 6
    Path(f"{notes}.hold").write_text(" ".join((first[2], first[4])))
    def process():
        return subprocess.Popen([sys.executable, "-c", job], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    running = process()
    try:
        held = wait_for(lambda: running.poll() is not None or next((n for n in noted(notes) if n[0] == first[2]), None))
        assert held is not True, running.stderr.read()
        Path(f"{notes}.hold").write_text(first[4])
        os.kill(int(held[1]), signal.SIGKILL)                                     # a worker
        # another one has taken its place
        wait_for(lambda: running.poll() is not None or [n for n in noted(notes) if n[0] == first[4] and n[1] != held[1]])
        wait_for(lambda: len(list((tmp_path/"index.building/shards").glob("*.npy"))) >= 2)
    finally: running.kill()                                                       # and the job
    running.wait()
    assert not out.exists()
    kept = sorted(p.name for p in (tmp_path/"index.building/shards").glob("*.npy"))
    os.remove(f"{notes}.hold"); Path(notes).unlink()
    again = process()
    assert again.wait(600) == 0, again.stderr.read()
    asked = [first.index(n[0]) for n in noted(notes)]
    assert kept and not {int(n[:6]) for n in kept} & set(asked) and len(asked) == len(set(asked)) == len(first) - len(kept)
    same_folder(out, alone/"index")
    assert not (tmp_path/"index.building").exists()


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_an_embedding_that_loses_a_node(cluster, alone, tmp_path, quiet):
    "The machine on which a shard is being embedded goes away for good; the rest of the cluster finishes it."
    notes, out = tmp_path/"notes", tmp_path/"index"
    import threading
    node = one_more(cluster, num_cpus=1)
    passages = Passages.from_documents(alone/"corpus.jsonl", n_words=8)
    Path(f"{notes}.hold").write_text(" ".join(passages[n]["id"] for n in range(0, len(passages), SIZE)))     # every shard
    def away():
        wait_for(lambda: len({pid for _, pid in noted(notes)}) == 3)              # one on each node
        cluster.remove_node(node, allow_graceful=False)
        wait_for(lambda: any(not Path(f"/proc/{pid}").exists() for _, pid in noted(notes)))     # its worker has noticed
        os.remove(f"{notes}.hold")
    taker = threading.Thread(target=away); taker.start()
    build_folder_with_ray(out, passages, Noted(notes), workers=3, shard_size=SIZE, progress=False)
    taker.join()
    shards = [n for n, _ in noted(notes)]
    assert len(shards) > len(set(shards))                                         # something was begun twice
    same_folder(out, alone/"index")


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_what_is_wrong_with_a_passage_ends_the_build_with_its_message(cluster, tmp_path, quiet):
    broken = Broken()
    with pytest.raises(ValueError, match="NaN or infinity for passage 'b#0'"):
        build_folder_with_ray(tmp_path/"x", [{"id": "a", "text": "fine"}, {"id": "b", "text": "not"}], broken, workers=1, progress=False)
    with pytest.raises(IndexFolderError, match="run it again, and it continues"): IndexFolder.open(tmp_path/"x")

class Broken(Noted):
    def encode(self, rows, kind="question", **kwargs):
        out = super().encode(rows, kind, **kwargs)
        if len(rows) > 1: out[[r["id"] == "b#0" for r in rows]] = np.nan
        return out


@pytest.fixture(scope="module")
def spread(cluster, tmp_path_factory):
    "Two folders with equal vectors in both, and one process's index over all of their rows."
    path = tmp_path_factory.mktemp("spread")
    folders = [folder_of(path/"a", 90), folder_of(path/"b", 45)]
    folders[1].delete([4, 5])
    whole = make_index("exact", np.concatenate([f.vectors[0] for f in folders]))
    whole.deleted = torch.arange(135).unsqueeze(1).eq(torch.tensor([94, 95])).any(1)
    return [f.path for f in folders], whole, tied(135)[1]


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_each_opening_searches_the_state_that_it_opened(cluster, tmp_path, quiet):
    "Two openings of one folder share their shards, with a deletion between them; from several threads at once."
    folder = folder_of(tmp_path/"x", 60)
    q = torch.from_numpy(np.array(folder.vectors[0][:2]))
    with RayIndex(folder.path, num_cpus=.1) as before:
        before.search(q, 60)
        folder.delete([0, 1])
        with RayIndex(folder.path, num_cpus=.1) as after, ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda i: set((after if i % 2 else before).search(q, 60).ids[0].tolist()) - {-1}, range(24)))
            assert found[::2] == [set(range(60))]*12 and found[1::2] == [set(range(2, 60))]*12
            left = after.search(q, 60, exclude=np.arange(60) == 5).ids
            assert not {0, 1, 5} & set(left.flatten().tolist())


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_a_search_is_that_of_one_process(spread, quiet):
    "Ids, ties, scores, masks and vectors; rows left out; more documents than rows; no questions at all; and through a retriever."
    paths, whole, q = spread
    with RayIndex(paths, shards=3, num_cpus=.1) as index:
        assert len(index) == 135 and index.dim == 8 and len(index.shards) == 3 and index.kind == "exact"
        for k in (1, 6, 200):
            for exclude in (None, np.arange(135) % 3 == 0, np.ones(135, bool)):
                same(index.search(q, k, exclude=exclude, return_vectors=True), whole.search(q, k, exclude=exclude, return_vectors=True))
        same(index.search(q[:0], 4), whole.search(q[:0], 4))
        same(index.search(q.numpy(), 4), whole.search(q, 4))
        assert torch.equal(index.vectors([[134, -1]]), whole.vectors([[134, -1]]))
        retriever = index.retriever(config=None)
        assert len(retriever) == 133 and retriever.search(q,
            2).passages[0][0]["text"] == [*index.passages][int(whole.search(q, 1).ids[0, 0])]["text"]
        for wrong, says in ((q[:, :3], "another encoder"), (q[0], r"queries\[None\]"), (q*float("nan"), "NaN")):
            with pytest.raises(ValueError, match=says): index.search(wrong)
        with pytest.raises(ValueError, match="n_docs"): index.search(q, 0)
        with pytest.raises(ValueError, match="append to a folder"): index.add(np.ones((1, 8), np.float32))


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_graphs_are_searched_as_one_after_the_other(cluster, tmp_path, quiet):
    "Folders of another kind are a shard each, with their own structure; beside one that can be cut."
    folders = [folder_of(tmp_path/"a", 60, "hnsw"), folder_of(tmp_path/"b", 60, "exact", seed=1),
        folder_of(tmp_path/"c", 40, "hnsw", seed=2)]
    _, q = tied(60)
    parts = [f.index().search(q, 9, return_vectors=True) for f in folders]
    firsts = [0, 60, 120]
    plain = merge_hits([Hits(torch.where(p.mask, p.ids + a, -1), p.scores, vectors=p.vectors) for p, a in zip(parts, firsts)], 9)
    with RayIndex([f.path for f in folders], shards=6, num_cpus=.1) as index:
        assert index.kind == "hnsw+exact" and 4 <= len(index.shards) <= 5
        same(index.search(q, 9, return_vectors=True), plain)
        folders[2].append(Passages({"text": ["new"]}), q[:1].numpy()*9)           # what comes later is not this index's
        index.close()
    with RayIndex([f.path for f in folders], shards=6, num_cpus=.1) as later: assert later.search(q[:1], 1).ids.tolist() == [[160]]


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_a_search_that_loses_a_worker_a_node_and_its_files(spread, cluster, quiet):
    "What can be started again is, and the hits are those of one process; what cannot is named."
    import ray
    paths, whole, q = spread
    node = one_more(cluster, num_cpus=4)
    with RayIndex(paths, shards=3, num_cpus=.3) as index:
        expected = whole.search(q, 6, return_vectors=True)
        same(index.search(q, 6, return_vectors=True), expected)
        at = lambda i: ray.get(index._actor(i).where.remote())[0]
        pid = at(1)
        os.kill(pid, signal.SIGSTOP)                                              # it has the question, and does not answer
        refs = [index._send(i, (ray.put(q.numpy()), 6, None, True)) for i in range(3)]
        os.kill(pid, signal.SIGKILL)
        ids = torch.cat([torch.tensor(index._answer(i, r, (ray.put(q.numpy()), 6, None, True))[0]) for i, r in enumerate(refs)], 1)
        assert all(set(e.tolist()) <= set(g.tolist()) for e, g in zip(expected.ids, ids)) and at(1) != pid
        ray.kill(index._actor(2))                                                 # for good: we start it ourselves
        same(index.search(q, 6, return_vectors=True), expected)
        cluster.remove_node(node, allow_graceful=False)                           # and with its machine, whichever were there
        same(index.search(q, 6, return_vectors=True), expected)
        assert at(0)
        away = Path(f"{paths[1]}.away")
        os.rename(paths[1], away)
        os.kill(at(2), signal.SIGKILL)
        with pytest.raises(IndexFolderError, match=rf"shard 2 \(rows 0 to 44 of {paths[1]}\) cannot be searched: .*no such folder"):
            index.search(q, 6)
        os.rename(away, paths[1])
        same(index.search(q, 6, return_vectors=True), expected)
    with RayIndex(paths, shards=3, num_cpus=99, timeout=2) as index:
        with pytest.raises(IndexFolderError, match=r"shard 0 .* did not answer for 2 seconds: it asks for 99 cores"): index.search(q, 6)


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_a_rewritten_folder_is_not_mistaken_for_the_old_one(cluster, tmp_path, quiet):
    folder = folder_of(tmp_path/"f", 40)
    _, q = tied(40)
    with RayIndex(folder.path, shards=1, num_cpus=.1) as index:
        one = index.search(q, 3)
        folder.append(Passages({"text": ["new"]}), q[:1].numpy()*9)
        os.kill(_pid(index, 0), signal.SIGKILL)
        same(index.search(q, 3), one)                                             # opened again: what was added is not ours
        folder.delete([0, 1]); folder.compact()
        os.kill(_pid(index, 0), signal.SIGKILL)
        with pytest.raises(IndexFolderError, match="was rewritten since this index was opened"): index.search(q, 3)

def _pid(index, i):
    import ray
    return ray.get(index._actor(i).where.remote())[0]


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_processes_share_their_shards(spread, cluster, quiet):
    "A second process finds the first one's shards; when their owner is killed, the survivor starts them anew; and nothing is left over."
    import ray
    from ray.util import list_named_actors
    paths, whole, q = spread
    code = HERE.format(root=str(ROOT), tests=str(ROOT/"tests")) + f"""
import torch, ray
from rag_nb.scale.ray import RayIndex
index = RayIndex({[str(p) for p in paths]!r}, {cluster.address!r}, shards=2, num_cpus=.1)
q = torch.tensor({q.tolist()!r})
print("IDS", index.search(q, 4).ids.tolist(), [ray.get(index._actor(i).where.remote())[0] for i in range(2)], flush=True)
time.sleep(600)
"""
    other = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        said = next(l for l in other.stdout if l.startswith("IDS"))
        index = RayIndex(paths, shards=2, num_cpus=.1)
        expected = whole.search(q, 4)
        same(index.search(q, 4), expected)
        pids = [_pid(index, i) for i in range(2)]
        assert said.split("IDS ")[1].strip() == f"{expected.ids.tolist()} {pids}" and not index.mine
        assert len([a for a in list_named_actors(all_namespaces=True) if a["namespace"] == "rag_nb"]) == 2
    finally: other.kill(); other.wait()
    wait_for(lambda: not any(Path(f"/proc/{p}").exists() for p in pids))          # they went with their owner
    same(index.search(q, 4), expected)
    assert index.mine == {0, 1}
    index.close(); index.close()
    wait_for(lambda: not [a for a in list_named_actors(all_namespaces=True) if a["namespace"] == "rag_nb"])
    assert ray.is_initialized()                                                   # the tests' own connection was left alone

@pytest.mark.ray
@pytest.mark.timeout(900)
def test_detached_and_per_node(spread, cluster, quiet):
    from ray.util import list_named_actors
    named = lambda: [a for a in list_named_actors(all_namespaces=True) if a["namespace"] == "rag_nb"]
    paths, whole, q = spread
    index = RayIndex(paths[0], shards=1, num_cpus=.1, detached=True, per_node=True)
    one = index.search(q, 3)
    index.close()
    assert len(named()) == 1                                                      # still warm
    index = RayIndex(paths[0], shards=1, num_cpus=.1, detached=True, per_node=True)
    same(index.search(q, 3), one)
    assert not index.mine
    index.close(everyone=True)
    wait_for(lambda: not named())

@pytest.mark.ray
@pytest.mark.timeout(900)
def test_pickled_it_joins_the_same_cluster(spread, cluster, quiet):
    import pickle
    paths, whole, q = spread
    with RayIndex(paths, shards=2, num_cpus=.1) as index:
        index.search(q, 2)
        other = pickle.loads(pickle.dumps(index))
        same(other.search(q, 2), whole.search(q, 2))
        assert not other.mine and other.shards == index.shards
        other.close()
        index.pid = -1
        with pytest.raises(RuntimeError, match="spawn"): index.search(q, 2)


def test_folders_of_two_encoders_are_refused(tmp_path):
    a = folder_of(tmp_path/"a", 20)
    b = IndexFolder.create(tmp_path/"b", Passages({"text": ["x"]}), np.ones((1, 8), np.float32), {**ENCODER, "name": "another"})
    with pytest.raises(ValueError, match="'none'.*'another'"): RayIndex([a.path, b.path])
    with pytest.raises(ValueError, match="no folders"): RayIndex([])


# A Ray of our own, in a process of its own

OWN = """
import json, os, socket, subprocess
os.environ["RAY_memory_monitor_refresh_ms"] = "0"
from rag_nb.cli import main
code = main(["index", {docs!r}, "--out", {out!r}, "--encoder", {encoder!r}, "--json", "--ray"])
import rag_nb.scale.ray as m
import ray
assert code == 0 and not ray.is_initialized() and m._OURS["home"] is None and "RAY_AUTH_TOKEN" not in os.environ
index = m.RayIndex({out!r}, shards=1, ray_options=dict(num_cpus=1, object_store_memory=100*2**20))
home = m._OURS["home"]
def family(pid): return [pid] + [p for c in subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split() for p in family(int(c))]
pids = family(os.getpid())
inodes = {{os.readlink(f"/proc/{{p}}/fd/{{f}}")[8:-1] for p in pids if os.path.exists(f"/proc/{{p}}/fd") for f in os.listdir(f"/proc/{{p}}/fd") if os.path.exists(f"/proc/{{p}}/fd/{{f}}") and os.readlink(f"/proc/{{p}}/fd/{{f}}").startswith("socket:")}}
ends = []
for name in ("tcp", "tcp6"):
    for line in open(f"/proc/net/{{name}}").read().splitlines()[1:]:
        cells = line.split()
        if cells[9] in inodes: ends.append((cells[3], cells[1].split(":")[0], cells[2].split(":")[0]))
print("FOUND", json.dumps(dict(home=home, ends=ends, pids=pids)), flush=True)
import time; time.sleep({rest})
"""

@pytest.mark.ray
@pytest.mark.timeout(900)
def test_a_ray_of_our_own_keeps_to_itself_and_leaves_nothing(tmp_path, alone):
    "The command line builds with one; it listens and connects on 127.0.0.1 only, and neither processes nor files of it outlive a SIGKILL for long, or an end at all."
    encoder = toy_encoder(); encoder.model.save_pretrained(tmp_path/"enc"); encoder.tokenizer.save_pretrained(tmp_path/"enc")
    home = tmp_path/"home"; home.mkdir()
    env = {k: v for k, v in os.environ.items() if k not in OPTIONS} | {"TQDM_DISABLE": "1", "HOME": str(home), "HF_HUB_OFFLINE": "1"}
    code = OWN.format(docs=str(alone/"corpus.jsonl"), out=str(tmp_path/"own"), encoder=str(tmp_path/"enc"), rest=0)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(next(l for l in done.stdout.splitlines() if l.startswith("FOUND"))[6:])
    loop = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    listening = [e for e in found["ends"] if e[0] == "0A"]
    assert len(listening) > 3 and {e[1] for e in listening} <= loop and {e[2] for e in found["ends"] if e[0] == "01"} <= loop, found["ends"]
    assert not os.path.exists(found["home"]) and not list(home.glob(".ray*"))
    wait_for(lambda: not any(Path(f"/proc/{p}").exists() for p in found["pids"]))
    summary = json.loads(done.stdout.split("FOUND")[0])
    assert summary["kind"] == "exact" and summary["passages"] == len(IndexFolder.open(tmp_path/"own"))
    from rag_nb.cli import main
    with redirect_stdout(io.StringIO()):
        assert main(["index", str(alone/"corpus.jsonl"), "--out", str(tmp_path/"plain"), "--encoder", str(tmp_path/"enc")]) == 0
    same_folder(tmp_path/"own", tmp_path/"plain")
