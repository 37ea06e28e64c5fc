"""What the benchmarks share: the machine's own limits, calls timed in turn, a table and a JSON file.

Every benchmark compares outputs before it tells a time, warms each side up once, and then calls the sides by turns, --repeat
times each; what is told is the median. Beside the time on the clock stands the processor's own time, all threads together,
since other work on a shared machine lengthens the one and hardly the other. The floor is the least time in which the bytes
that must be moved can be moved, or the arithmetic done, at the rates that a large copy and a large matrix product reach here.
"""
import argparse, gc, json, os, platform, statistics, sys, time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import torch


def arguments(doc, **defaults):
    "The arguments that all benchmarks take."
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=["cuda", "cpu"])
    p.add_argument("--dtype", help="bfloat16 on a GPU, float32 on the CPU where not said")
    p.add_argument("--rows", nargs="*", help="names of rows, as --list tells them")
    p.add_argument("--list", action="store_true", help="names of the rows, and no more")
    p.add_argument("--repeat", type=int, default=defaults.get("repeat", 5), help="calls of each side")
    p.add_argument("--force", action="store_true", help="go on where outputs differ")
    p.add_argument("--seconds", type=float, default=1e9, help="begin no further row after these")
    p.add_argument("--out", type=Path, help="a JSON file")
    return p


def wait(device):
    if device == "cuda": torch.cuda.synchronize()


def timed(call, device):
    "What a call gives, its seconds on the clock, and the processor's seconds."
    wait(device)
    clock, cpu = time.perf_counter(), time.process_time()
    out = call()
    wait(device)
    return out, time.perf_counter() - clock, time.process_time() - cpu


def alternate(calls, repeat, device, warm=True):
    "Calls by name, in turn: for each the medians `wall` and `cpu` in seconds, and `all` wall times."
    if warm:
        for call in calls.values(): call(); wait(device)
    took = {name: [] for name in calls}
    for _ in range(repeat):
        for name, call in calls.items(): took[name].append(timed(call, device)[1:])
    return {name: dict(wall=statistics.median(w for w, _ in t), cpu=statistics.median(c for _, c in t), all=[w for w, _ in t])
        for name, t in took.items()}


@dataclass
class Machine:
    "A machine's limits as measured: bytes a second of a large copy, read and written, and operations a second of a large matrix product."
    device: str
    bandwidth: float
    rate: float
    facts: dict = field(default_factory=dict)

    def floor(self, nbytes=0, operations=0): return max(nbytes/self.bandwidth, operations/self.rate)


def machine(device, dtype):
    n = 2**30 if device == "cuda" else 2**27
    a, b = torch.empty(n, dtype=torch.uint8, device=device).random_(), torch.empty(n, dtype=torch.uint8, device=device)
    copies = [timed(lambda: b.copy_(a), device)[1] for _ in range(10)][2:]
    m = 8192 if device == "cuda" else 1536
    x, y = (torch.randn(m, m, device=device, dtype=dtype) for _ in range(2))
    products = [timed(lambda: x @ y, device)[1] for _ in range(10)][2:]
    name = torch.cuda.get_device_name() if device == "cuda" else _processor()
    import transformers
    facts = dict(machine=name, cores=os.cpu_count(), threads=torch.get_num_threads(), load=round(os.getloadavg()[0], 1),
        torch=torch.__version__, transformers=transformers.__version__,
                 dtype=str(dtype).removeprefix("torch."), copy_gb_s=round(2*n/statistics.median(copies)/1e9, 1),
                 matmul_tflop_s=round(2*m**3/statistics.median(products)/1e12, 3), command=_command())
    return Machine(device, 2*n/statistics.median(copies), 2*m**3/statistics.median(products), facts)


def _command():
    "The command as anybody would give it: without the place of its results."
    said = [Path(sys.argv[0]).parent.name + "/" + Path(sys.argv[0]).name, *sys.argv[1:]]
    if "--out" in said: del said[said.index("--out"):said.index("--out") + 2]
    return " ".join(["python", *(f'"{x}"' if " " in x else x for x in said)])


def _processor():
    try: return next(l.split(":")[1].strip() for l in open("/proc/cpuinfo", encoding="utf8") if l.startswith("model name"))
    except (OSError, StopIteration): return platform.processor() or platform.machine()


def peak(call, device):
    "GiB beyond what was there before a call; None where nobody counts."
    if device != "cuda": return None
    gc.collect(); torch.cuda.empty_cache(); torch.cuda.synchronize(); torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call(); torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before)/2**30


class Report:
    "A table that grows by a line a row on the screen, and as JSON in a file."
    def __init__(self, columns, machine, out=None, **facts):
        self.columns, self.out, self.rows, self.facts, self.began = columns, out, [], {**machine.facts, **facts}, time.monotonic()
        print(json.dumps(self.facts), flush=True)
        print("| " + " | ".join(title for title, *_ in columns) + " |\n|" + "---|"*len(columns), flush=True)

    def _write(self):
        if self.out:
            self.out.write_text(json.dumps(dict(self.facts, columns=self.columns, rows=self.rows), indent=1, default=str), encoding="utf8")

    def add(self, row, make):
        "A line: what `make()` gives, or the error that stopped it."
        show = lambda v, f: "–" if v is None else v if isinstance(v, str) else format(v, f)
        try:
            self.rows.append(dict(row=row, **make()))
            print("| " + " | ".join(show(self.rows[-1].get(key), form) for _, key, form in self.columns) + " |", flush=True)
        except Exception as e:
            self.rows.append(dict(row=row, error=f"{type(e).__name__}: {e}"))
            print(f"| {row} | {type(e).__name__}: {str(e)[:300]} |", flush=True)
        self._write()
        gc.collect()
        if torch.cuda.is_available(): torch.cuda.empty_cache()

    def over(self, seconds):
        "Whether so many seconds have passed since the beginning."
        return time.monotonic() - self.began > seconds
