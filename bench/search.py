"""Exact search: one matrix product and `topk` of PyTorch, FAISS on the CPU, and rag_nb's ExactIndex, over the same vectors in one run.

    python bench/search.py [--device cuda|cpu] [--n 21015324] [--dim 768] [--k 10] [--rows NAME ...] [--repeat 5] [--out FILE.json] [--seconds S] [--tune]

Vectors are drawn from a normal distribution, the hardest there is for shortcuts: nothing is alike, and scores lie close
together. Questions are rows of them with noise. On a GPU vectors are float16 (--dtype); on the CPU float32. Before any time is
told, the rows that rag_nb finds are compared with those of float64 products (up to 8 questions, all vectors), id for id, and
with the other side's. PyTorch's product in float16 rounds its scores to float16, so that there the share of equal ids is told.
The floor is one reading of the vectors at the copy bandwidth measured here, or the products' arithmetic.
`--tune` also tries other tile sizes of the kernel, and tells their times; `cards` spreads the vectors over all GPUs;
`streamed` keeps half of them in pinned memory.
"""
from common import Report, alternate, arguments, machine, timed, wait
import torch
from rag_nb.fast import scan
from rag_nb.core.index import ExactIndex

COLUMNS = [("row", "row", ""), ("PyTorch ms", "theirs_ms", ".2f"), ("FAISS ms", "faiss_ms", ".2f"), ("rag_nb ms", "ours_ms", ".2f"),
    ("ratio", "ratio", ".2f"), ("floor ms", "floor_ms", ".2f"),
           ("processor ms: PyTorch", "theirs_cpu_ms", ".1f"), ("rag_nb", "ours_cpu_ms", ".1f"), ("ids as in float64", "equal", ".1%"),
           ("ids as PyTorch's", "equal_theirs", ".1%"), ("GB held", "held", ".1f")]
Q = (1, 64, 256)


def rows(a):
    kinds = ["exact", "int8"] + (["streamed", *(["cards"] if torch.cuda.device_count() > 1 else [])] if a.device == "cuda" else [])
    return {f"{kind} Q={q}": (kind, q) for kind in kinds for q in (Q if kind in ("exact", "int8") else (64,))}


def vectors(a, dtype):
    "(N, D), made where they are used, a part at a time."
    x, g = torch.empty(a.n, a.dim, dtype=dtype, device=a.device), torch.Generator(a.device).manual_seed(0)
    for part in x.split(2**20): part.copy_(torch.randn(part.shape, generator=g, device=a.device))
    return x


def truth(x, q, k):
    "Ids (B, k) by float64 products."
    best = torch.empty(len(q), 0, dtype=torch.float64, device=x.device), torch.empty(len(q), 0, dtype=torch.long, device=x.device)
    for i, part in enumerate(x.split(2**18)):
        s, at = (q.double() @ part.double().T).topk(min(k, len(part)))
        s, at = torch.cat([best[0], s], 1), torch.cat([best[1], at + i*2**18], 1)
        best = tuple(v.gather(1, s.topk(min(k, s.shape[1])).indices) for v in (s, at))
    return best[1]


def index(kind, x, a):
    if kind == "int8": return ExactIndex(x, device=a.device, dtype=torch.int8, check=False)
    if kind == "cards": return ExactIndex(x.cpu(), device=[f"cuda:{i}" for i in range(torch.cuda.device_count())], check=False)
    if kind == "streamed":
        few = x[:min(len(x), 4*2**20)].cpu()                                # pinned memory is the host's, and not without end
        return ExactIndex(few, device="cuda", room=few.nbytes//2, check=False)
    return ExactIndex(x, device=a.device, check=False)


def row(kind, B, x, a, limits, made, flat):
    if kind not in made: made[kind] = index(kind, x, a)
    ours = made[kind]
    seen = x[:len(ours)]
    g = torch.Generator(a.device).manual_seed(B)
    q = seen[torch.randint(len(seen), (B,), generator=g, device=a.device)].float()
    q = q + torch.randn(q.shape, generator=g, device=a.device)
    q16 = q.to(x.dtype)
    theirs = lambda: (q16 @ seen.T).topk(a.k).indices
    found = ours.search(q, a.k)
    some = min(B, 8)
    equal = float((found.ids[:some] == truth(seen, q[:some], a.k)).float().mean())
    if equal < 1 and not a.force: raise ValueError(f"ids differ from those of float64 products: {equal:.1%} equal")
    equal_theirs = float((found.ids.sort(1).values == theirs().sort(1).values).float().mean())
    calls = dict(theirs=theirs, ours=lambda: ours.search(q, a.k))
    if flat is not None: calls["faiss"] = lambda: flat.search(q.numpy(), a.k)
    t = alternate(calls, a.repeat, a.device)
    ms = lambda side, which="wall": 1e3*t[side][which] if side in t else None
    width = 1 if kind == "int8" else x.element_size()
    return dict(theirs_ms=ms("theirs"), faiss_ms=ms("faiss"), ours_ms=ms("ours"), ratio=ms("theirs")/ms("ours"),
        floor_ms=1e3*limits.floor(len(seen)*a.dim*width, 2*len(seen)*a.dim*B),
                theirs_cpu_ms=ms("theirs", "cpu"), ours_cpu_ms=ms("ours", "cpu"), equal=equal, equal_theirs=equal_theirs, n=len(seen),
                held=len(seen)*a.dim*width/1e9, all_seconds={k: v["all"] for k, v in t.items()})


def tune(x, a):
    "Other shapes of the kernel: questions a tile, numbers at a time, warps, stages."
    shard = scan.shard_of(x.split(2**20), len(x), x.dtype, x.device, x)
    for B, tries in {1: [(64, 4, 4), (64, 4, 3), (64, 4, 5), (64, 8, 4), (128, 4, 2), (128, 4, 3), (128, 8, 3), (32, 4, 5)],
        64: [(64, 4, 4), (64, 4, 3), (64, 8, 3), (64, 8, 4), (128, 8, 2), (32, 4, 5)],
                     256: [(64, 8, 3), (64, 8, 4), (32, 8, 4), (128, 8, 2), (32, 8, 5)]}.items():
        ask = scan.asked(torch.randn(B, a.dim, device=x.device), x.dtype)
        wide, kept = min(256, max(16, B)), scan._TILES[min(256, max(16, B))]
        for shape in tries:
            scan._TILES[wide] = shape
            try:
                scan.fused_block_best(shard.x, ask.seen); wait(a.device)
                took = sorted(timed(lambda: scan.fused_block_best(shard.x, ask.seen), a.device)[1] for _ in range(5))[2]
                print(f"tune Q={B} {shape}: {1e3*took:.2f} ms{'  (as it is)' if shape == kept else ''}", flush=True)
            except Exception as e: print(f"tune Q={B} {shape}: {type(e).__name__} {str(e)[:80]}", flush=True)
        scan._TILES[wide] = kept


@torch.no_grad()
def main():
    p = arguments(__doc__)
    p.add_argument("--n", type=int, help="vectors; 21,015,324 on a GPU and 200,000 on the CPU where not said")
    p.add_argument("--dim", type=int)
    p.add_argument("--k", type=int, default=10); p.add_argument("--tune", action="store_true", help="try other shapes of the kernel, too")
    a = p.parse_args()
    cuda = a.device == "cuda"
    a.n, a.dim, names = a.n or (21_015_324 if cuda else 200_000), a.dim or (768 if cuda else 384), rows(a)
    if a.list: return print("\n".join(names))
    dtype = getattr(torch, a.dtype or ("float16" if cuda else "float32"))
    limits = machine(a.device, dtype)
    report = Report(COLUMNS, limits, a.out, benchmark="search", n=a.n, dim=a.dim, k=a.k)
    x, flat, made = vectors(a, dtype), None, {}
    if not cuda:
        try:
            import faiss
            faiss.omp_set_num_threads(torch.get_num_threads())
            flat = faiss.IndexFlatIP(a.dim); flat.add(x.float().numpy())
        except ImportError: print("faiss is not installed: its column stays empty", flush=True)
    for name in a.rows or names:
        if report.over(a.seconds): continue
        if names[name][0] not in made: made.clear()                         # one index at a time, beside the vectors
        report.add(name, lambda: row(*names[name], x, a, limits, made, flat))
    if a.tune and cuda and not report.over(a.seconds): made.clear(); tune(x, a)


if __name__ == "__main__": main()
