"""How the cost of an index grows with its passages: 10,000, 100,000 and 1,000,000.

    python bench/scaling.py --out bench/scaling.json       (some minutes, 4 GB of disk in --folder)

Vectors of length one are drawn at random: what is measured is the folder and the search, not a model. Each size is a process of its own.
Wall-clock times are the best of several; processor seconds are beside them, since they do not depend on what else the machine does.
"Above" is the peak of resident memory, mapped files included, beyond the same process with everything imported.
"""
import argparse, json, os, platform, shutil, subprocess, sys, time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", "1"); os.environ["TQDM_DISABLE"] = "1"; os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")
DIM, K, ENCODER = 384, 5, {"name": "drawn", "spec": {}, "probe": None}


def memory(what): return int(next(l for l in open("/proc/self/status") if l.startswith(what)).split()[1])/1024   # MB

def unit(rng, n):
    import numpy as np
    v = rng.standard_normal((n, DIM), dtype=np.float32)
    return v/np.linalg.norm(v, axis=1, keepdims=True)

def best(f, times=5):
    "Wall-clock and processor seconds of the quickest of several calls."
    out = []
    for _ in range(times):
        a, c = time.perf_counter(), time.process_time()
        f()
        out.append((time.perf_counter() - a, time.process_time() - c))
    return dict(wall=round(min(w for w, _ in out), 5), cpu=round(min(c for _, c in out), 5))

def make(folder, n):
    import numpy as np
    from rag_nb.store.folder import IndexFolder
    from rag_nb.core.passages import Passages
    v = np.lib.format.open_memmap(folder/"drawn.npy", "w+", np.float32, (n, DIM))
    rng = np.random.default_rng(n)
    for i in range(0, n, 50_000): v[i:i+50_000] = unit(rng, min(50_000, n-i))
    v.flush(); del v
    found = best(lambda: IndexFolder.create(folder/"index", Passages({"text": [f"passage {i}" for i in range(n)]}),
        np.load(folder/"drawn.npy", mmap_mode="r"), ENCODER), 1)
    os.remove(folder/"drawn.npy")
    return dict(create=found, bytes=sum(f.stat().st_size for f in (folder/"index").iterdir()))

def alone(folder, n):
    import numpy as np, torch, pyarrow.parquet  # noqa: F401
    from rag_nb.store.folder import IndexFolder
    torch.set_num_threads(1)
    q, base, keep = torch.from_numpy(unit(np.random.default_rng(1), 32)), memory("VmRSS"), {}
    open("/proc/self/clear_refs", "w").write("5")
    found = dict(open=best(lambda: keep.update(folder=IndexFolder.open(folder/"index", verify=False)), 3))
    index = keep["folder"].index()
    for b in (1, 32): found[f"search_{b}"] = best(lambda: index.search(q[:b], K), 5 if n < 10**6 else 3)
    return dict(**found, above_mb=round(memory("VmHWM") - base))

def spread(folder, n):
    import numpy as np, torch
    from rag_nb.scale.ray import RayIndex
    q = torch.from_numpy(unit(np.random.default_rng(1), 32))
    with RayIndex(folder/"index", shards=2, ray_options=dict(num_cpus=2, object_store_memory=100*2**20)) as index:
        index.search(q, K)
        return {f"ray_{b}": dict(wall=best(lambda: index.search(q[:b], K), 5)["wall"]) for b in (1, 32)}

def merging():
    "Seconds to merge the answers of S shards: 32 questions, 5 documents."
    import torch
    from rag_nb.scale.ray import merge_hits
    from rag_nb.core.passages import Hits
    torch.set_num_threads(1)
    part = lambda i: Hits(torch.arange(K).repeat(32, 1) + i*K, torch.rand(32, K).sort(descending=True).values)
    return {"merge": {s: best(lambda p=[part(i) for i in range(s)]: merge_hits(p, K), 20)["cpu"] for s in (2, 16, 128, 1024)}}

def embedding(n=256):
    "Processor seconds a passage of 100 words with the built-in encoder, one thread."
    import torch
    from rag_nb.demo.defaults import RagRetriever
    torch.set_num_threads(1)
    encoder, words = RagRetriever.default_encoder(), "the sea rises and falls twice a day because the moon draws the water toward it and".split()
    docs = [{"title": "Tides", "text": " ".join(words[(i*7 + j) % len(words)] for j in range(100))} for i in range(n)]
    encoder.encode(docs[:32], "passage")
    found = best(lambda: encoder.encode(docs, "passage"), 1)
    return {"embed": dict(encoder=encoder.name, parameters=sum(p.numel() for p in encoder.model.parameters()),
        cpu_seconds=round(found["cpu"]/n, 5))}

def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--sizes", type=int, nargs="+", default=[10**4, 10**5, 10**6])
    args.add_argument("--folder", default="/tmp/rag_nb_scaling", help="made, and removed afterwards")
    args.add_argument("--out", default=None, help="write the JSON here, else print it")
    args.add_argument("--ray", action="store_true", help="also in two shards on a Ray of our own; wants a machine with nothing else to do")
    args.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    o = args.parse_args()
    if o.step:
        what, n = o.step[0], int(o.step[1])
        found = {"merging": merging, "embedding": embedding}[what]() if n == 0 else {"make": make, "alone": alone,
            "spread": spread}[what](Path(o.folder), n)
        return print("MEASURED " + json.dumps(found), flush=True)
    def step(what, n=0):
        for again in range(4 if what == "spread" else 1):        # Ray gives itself 30 seconds to start, which is short on a busy machine
            done = subprocess.run([sys.executable, __file__, "--folder", f"{o.folder}/{n}", "--step", what, str(n)],
                stdout=subprocess.PIPE, text=True)
            line = next((l for l in done.stdout.splitlines() if l.startswith("MEASURED ")), None)
            if line is not None: break
        if line is None: sys.exit(f"{what} {n} failed")
        print(what, n, line, file=sys.stderr, flush=True)
        return json.loads(line[9:])
    import torch
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.processor())
    found = dict(machine=dict(cpu=cpu, cores=os.cpu_count(),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE")*os.sysconf("SC_PHYS_PAGES")/2**30), torch=torch.__version__.split("+")[0]),
                 dim=DIM, k=K, **step("merging"), **step("embedding"), sizes=[])
    for n in o.sizes:
        os.makedirs(f"{o.folder}/{n}")
        found["sizes"].append(dict(n=n, **step("make", n), **step("alone", n)))
    for size in found["sizes"] if o.ray else (): size.update(step("spread", size["n"]))
    shutil.rmtree(o.folder)
    text = json.dumps(found, indent=1) + "\n"
    Path(o.out).write_text(text) if o.out else print(text)

if __name__ == "__main__": main()
