"""Milliseconds a question, recall and bytes of each kind of index: over the shipped knowledge, or as many made-up vectors as wanted.

    python bench/index_kinds.py                       # the 2,067 shipped paragraphs
    python bench/index_kinds.py --passages 1000000    # vectors of length one around as many centres as there are topics

One question at a time on one thread, the best of several rounds: that is what the machine can do when nothing else disturbs it.
"""
import argparse, time

import faiss, numpy as np, torch

from rag_nb import make_index


def shipped():
    "The vectors that come with the package."
    from rag_nb.demo.defaults import default_retriever
    index = default_retriever().index
    return index.vectors(torch.arange(len(index))).float().numpy()

def invented(n, d=384):
    "Clustered vectors of length one, (n, d)."
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((max(10, n//50), d)).astype(np.float32)
    x = centres[rng.integers(len(centres), size=n)] + 1.2*rng.standard_normal((n, d)).astype(np.float32)
    return x/np.linalg.norm(x, axis=1, keepdims=True)

def best_of(f, rounds):
    "The shortest of several runs, in seconds."
    times = []
    for _ in range(rounds): t = time.perf_counter(); f(); times.append(time.perf_counter() - t)
    return min(times)

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--passages", type=int, default=0, help="how many invented vectors; 0: the shipped knowledge")
    p.add_argument("--rounds", type=int, default=20)
    o = p.parse_args()
    torch.set_num_threads(1); faiss.omp_set_num_threads(1)
    d = invented(o.passages) if o.passages else shipped()
    q = d[::max(1, len(d)//64)][:64] + .02*np.random.default_rng(1).standard_normal((1, d.shape[1])).astype(np.float32)
    print(f"{len(d):,} vectors of {d.shape[1]} numbers, 64 questions, K = 5")
    print(f"{'':18}{'build s':>9}{'ms a question':>15}{'recall@5':>10}")
    truth = None
    for name, how in {"exact": dict(kind="exact"), "hnsw": dict(kind="hnsw"), "hnsw, ef 16": dict(kind="hnsw", ef_search=16),
        "ivfpq": dict(kind="ivfpq")}.items():
        t = time.perf_counter(); index = make_index(vectors=d, **how); built = time.perf_counter() - t
        ids = index.search(q, 5).ids
        truth = ids if truth is None else truth
        same = np.mean([len(set(a) & set(b))/5 for a, b in zip(ids.tolist(), truth.tolist())])
        took = min(best_of(lambda i=i: index.search(q[i:i+1], 5), o.rounds) for i in range(0, 64, 16))
        print(f"{name:18}{built:9.2f}{1e3*took:15.3f}{same:10.3f}", flush=True)

if __name__ == "__main__": main()
