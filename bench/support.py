"""What support costs: a question to the default with and without it, by turns. python bench/support.py [--n 4] [--repeat 3]

Without: no state is kept, no prior taken anew, nothing attached. The processor's own time is told, all threads together, and the clock's.
"""
import argparse, statistics, sys, time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--n", type=int, default=4); a.add_argument("--repeat", type=int, default=3)
    a.add_argument("--device", default="cpu")
    o = a.parse_args()
    from rag_nb import Rag
    from rag_nb.demo.defaults import QUESTIONS
    rag = Rag.demo(device=o.device, dtype="auto")
    g, took = rag.model.generator, {True: [], False: []}
    kept = {name: getattr(g, name) for name in ("probe_layer", "rerank")}
    for r in range(o.repeat + 1):
        for support in (True, False):
            for name, value in kept.items(): setattr(g, name, value if support else None)
            if support: rag.__dict__.pop("_attach", None)
            else: rag._attach = lambda *args: None
            for q in QUESTIONS[:o.n]:
                clock, cpu = time.perf_counter(), time.process_time()
                rag.ask(q, max_new_tokens=16)
                if r: took[support].append((time.process_time() - cpu, time.perf_counter() - clock))
    with_, without = ([statistics.median(t[i] for t in took[s]) for i in (0, 1)] for s in (True, False))
    print(f"processor {with_[0]:.3f} s with, {without[0]:.3f} without: {with_[0]/without[0] - 1:+.1%}; "
          f"clock {with_[1]:.3f} and {without[1]:.3f}: {with_[1]/without[1] - 1:+.1%}")


if __name__ == "__main__": main()
