"""An index of a million passages, end to end: build, open, search, add, delete, compact; time and peak memory of each.

    python bench/real_size.py --rows 1000000 --dim 384          (about ten minutes, 6 GB of disk in --folder)

Every step is a process of its own, so that no memory is counted twice. "Above" is the peak of resident memory (VmHWM, mapped files
included) beyond what the same process had with PyTorch and this library imported. The vectors are made, not encoded: what is measured
is the folder and the search, not a model.
"""
import argparse, json, os, shutil, subprocess, sys, time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))
WORDS, ENCODER = 40, {"name": "made", "spec": {}, "probe": None}


def memory(what): return int(next(l for l in open("/proc/self/status") if l.startswith(what)).split()[1])/1024   # MB

class Step:
    "Time and memory of what happens in a `with`."
    def __init__(self, **more): self.more = more
    def __enter__(self):
        open("/proc/self/clear_refs", "w").write("5")           # VmHWM starts again from here
        self.start = time.perf_counter(); return self
    def __exit__(self, *error):
        if error[0] is None: self.seconds = time.perf_counter() - self.start; self.peak = memory("VmHWM")


def vectors_of(rows, dim):
    "Vectors of length one, the same for the same passages: a few thousand topics, and something of each passage's own."
    import numpy as np
    numbers = np.array([int(r["document"] if "document" in r else r["id"]) for r in rows])
    topics = np.random.default_rng(1).standard_normal((4096, dim), dtype=np.float32)
    own = np.random.default_rng(int(numbers[0]) + 2).standard_normal((len(rows), dim), dtype=np.float32)
    v = topics[numbers % 4096] + .7*own
    return v/np.linalg.norm(v, axis=1, keepdims=True)

def documents(path, rows):
    import numpy as np
    words = np.array([f"word{i}" for i in range(5000)])
    rng = np.random.default_rng(0)
    with open(path, "w") as f:
        for i in range(0, rows, 10_000):
            drawn = words[rng.integers(0, 5000, (min(10_000, rows-i), WORDS))]
            for j, d in enumerate(drawn): f.write(json.dumps({"id": str(i+j), "title": f"Title {(i+j)//7}", "text": " ".join(d)}) + "\n")

def step(name, o):
    "Run in a child: print what was measured as JSON."
    import torch
    torch.set_num_threads(os.cpu_count())
    from rag_nb.store.folder import IndexFolder, build_folder
    from rag_nb.core.passages import Passages
    import numpy as np, pyarrow.parquet  # noqa: F401
    base, path, out = memory("VmRSS"), Path(o.folder)/f"index-{o.kind}", []
    def note(what, s, **more): out.append(dict(what=what, seconds=round(s.seconds, 3), above=round(s.peak - base), **more))
    q = vectors_of([{"id": str(i)} for i in range(5, 37)], o.dim)
    if name == "build":
        with Step() as s: passages = Passages.from_documents(Path(o.folder)/"documents.jsonl")
        note("read and split the documents", s)
        with Step() as s:
            build_folder(path, passages, lambda rows: vectors_of(rows, o.dim), ENCODER, index_kind=o.kind, dtype=o.dtype, progress=False)
        note("build the folder", s, disk=round(sum(f.stat().st_size for f in path.iterdir())/1e6))
    if name == "build-streamed":
        with Step() as s:
            build_folder(path.with_name("streamed"), Passages.open(path/"passages.parquet"), lambda rows: vectors_of(rows, o.dim), ENCODER,
                index_kind=o.kind, dtype=o.dtype, progress=False)
        note("build from passages in a file", s)
        shutil.rmtree(path.with_name("streamed"))
    if name == "search":
        with Step() as s:
            f = IndexFolder.open(path); index = f.index()
        note("open", s)
        with Step() as s: index.search(q[:1], 5).with_passages(f.passages)
        note("first search, one question", s)
        for n in (1, 32):
            times = []
            for _ in range(5):
                with Step() as s: hits = index.search(q[:n], 5).with_passages(f.passages)
                times.append(s.seconds)
            s.seconds = sorted(times)[2]
            note(f"search, {n} question{'s'*(n > 1)}, median of 5", s)
        assert [p["document"] for p in hits.passages[0]] and hits.shape == (32, 5)
    if name == "verify":
        with Step() as s: IndexFolder.open(path, verify=True)
        note("open with every checksum compared", s)
    if name == "change":
        more = Passages.from_documents([{"id": f"{o.rows+i}", "title": "new", "text": f"something new {i}"} for i in range(1000)])
        with Step() as s: f = IndexFolder.open(path); f.append(more, vectors_of(list(more), o.dim))
        note("add 1,000 passages", s)
        with Step() as s: f.delete(np.linspace(0, o.rows - 1, 1000).astype(int))
        note("delete 1,000 passages", s)
        with Step() as s: hits = f.index().search(vectors_of(list(more)[:1], o.dim), 5).with_passages(f.passages)
        assert hits.passages[0][0]["title"] == "new"
        note("open its index and find what was added", s)
    if name == "compact":
        with Step() as s: f = IndexFolder.open(path).compact()
        assert len(f) == o.rows and f.deleted is None
        note("compact", s)
    print("MEASURED " + json.dumps(dict(base=round(base), steps=out)))

def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--rows", type=int, default=1_000_000)
    args.add_argument("--dim", type=int, default=384)
    args.add_argument("--kind", default="exact")
    args.add_argument("--dtype", default="float32")
    args.add_argument("--folder", default="/tmp/rag_nb_real_size", help="made, and removed afterwards unless --keep")
    args.add_argument("--keep", action="store_true")
    args.add_argument("--step", help=argparse.SUPPRESS)
    o = args.parse_args()
    if o.step: return step(o.step, o)
    os.makedirs(o.folder, exist_ok=True)
    if not (file := Path(o.folder)/"documents.jsonl").exists():
        documents(file.with_suffix(".part"), o.rows); os.replace(file.with_suffix(".part"), file)
    print(f"{o.rows:,} passages of {WORDS} words, {o.dim} numbers each, {o.kind}, {o.dtype}; documents.jsonl {file.stat().st_size/1e6:,.0f} MB\n\n| step | seconds | MB above |\n|---|---|---|", flush=True)
    for name in ("build", "search", "verify", "change", "search", "compact", "search", "build-streamed"):
        argv = [sys.executable, __file__, "--step", name] + [x for k in ("rows", "dim", "kind", "dtype", "folder")
            for x in (f"--{k}", str(getattr(o, k)))]
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, env={**os.environ, "TQDM_DISABLE": "1"})
        line = next((l for l in done.stdout.splitlines() if l.startswith("MEASURED ")), None)
        if line is None: sys.exit(f"{name} failed")
        for s in json.loads(line[9:])["steps"]:
            print(f"| {s['what']} | {s['seconds']:,.2f} | {s['above']:,} |" + (f" {s['disk']:,} MB on disk" if "disk" in s else ""),
                flush=True)
    if not o.keep: shutil.rmtree(o.folder)

if __name__ == "__main__": main()
