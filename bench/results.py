"""Puts what the benchmarks measured into bench/RESULTS.md.

    python bench/results.py [FOLDER]

Each benchmark's JSON lies in bench/results/cpu or bench/results/gpu; with FOLDER (what bench/gpu.sh wrote) those files are taken
for the GPU's first. A row beside whose target the number falls short says so; why, and what the next step would be, stands in the
notes below the tables, which are written by hand in bench/results/notes.md. How well the default answers is written by hand in
bench/results/answers.md, from what bench/evaluate.py left in bench/results/table.
"""
import json, shutil, sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LESS, MORE = (lambda x, y: x <= y), (lambda x, y: x >= y)
TARGETS = {"gpu": {
    "token B=1 M=4": [("ours_step_ms", LESS, .7, "≤ 0.7 ms a step")], "token B=8 M=1": [("ours_step_ms", LESS, .8, "≤ 0.8 ms a step")],
    "token B=8 M=4": [("ours_step_ms", LESS, 1.2, "≤ 1.2 ms a step")],
    "token B=32 M=4": [("ours_step_ms", LESS, 3., "≤ 3.0 ms a step")], "sequence B=8 M=4": [("ours_ms", LESS, 110., "≤ 110 ms a call")],
    "decoder-only B=1 greedy": [("ratio", MORE, 6., "≥ 6 × as many tokens a second")],
    "token B=8": [("ours_ms", LESS, 40., "≤ 40 ms"), ("ours_peak_gib", LESS, 20., "≤ 20 GiB")],
    "exact Q=1": [("ours_ms", LESS, 8.3, "≤ 8.3 ms")], "exact Q=64": [("ours_ms", LESS, 10., "≤ 10 ms")],
    "exact Q=256": [("ours_ms", LESS, 22., "≤ 22 ms")]},
    "cpu": {"token B=1 M=4": [("ratio", MORE, 2.5, "≥ 2.5 ×")], "sequence B=4 M=4": [("ratio", MORE, 6., "≥ 6 ×")],
    "demo sequence": [("ours_ms", LESS, 2000., "≤ 2000 ms")]}}
TITLES = dict(generation="Generation", search="Search", training="A training step", ask="The whole of `ask`",
    generators="Attention, and weights in four bits")


def cell(value, form): return "–" if value is None else value if isinstance(value, str) else format(value, form)


def verdict(row, kind):
    found = [(say, row.get(key), good, want) for key, good, want, say in TARGETS[kind].get(row["row"], ())]
    return "; ".join(say + (" ✓" if value is not None and good(value, want) else " **missed**" if value is not None else " not measured")
        for say, value, good, want in found) or "–"


def table(done, kind):
    facts = {k: v for k, v in done.items() if k not in ("rows", "columns")}
    columns = done["columns"]
    out = [f"### {TITLES[facts['benchmark']]}", "", f"`{facts['command']}`", "",
           "  ".join(f"{k.replace('_', ' ')} {v}" + "," for k, v in facts.items() if k not in ("command", "benchmark")).rstrip(","), "",
           "| " + " | ".join([title for title, *_ in columns] + ["target"]) + " |", "|" + "---|"*(len(columns) + 1)]
    for row in done["rows"]:
        if "error" in row: out.append(f"| {row['row']} | {row['error'][:200].replace('|', '/')} |" + " |"*(len(columns) - 1)); continue
        out.append("| " + " | ".join([cell(row.get(key), form) for _, key, form in columns] + [verdict(row, kind)]) + " |")
    return "\n".join(out)


def section(kind, title, missing):
    files = sorted((HERE/"results"/kind).glob("*.json"))
    if not files: return f"## {title}\n\n{missing}\n"
    return f"## {title}\n\n" + "\n\n".join(table(json.loads(f.read_text(encoding="utf8")), kind) for f in files) + "\n"


def main():
    if len(sys.argv) > 1:
        (HERE/"results"/"gpu").mkdir(parents=True, exist_ok=True)
        for f in Path(sys.argv[1]).glob("*.json"): shutil.copy(f, HERE/"results"/"gpu"/f.name)
    notes = HERE/"results"/"notes.md"
    parts = ["# Results\n\nAs measured, each benchmark with its command, the limits of the machine in the line below it, and the floor that follows from them beside each row. "
             "Both sides have the same weights and inputs and are called by turns in one run; a time is the median. "
             "`python bench/results.py` makes this page from the files in `bench/results`.\n",
             (HERE/"results"/"answers.md").read_text(encoding="utf8"),
             section("gpu", "One H200", "Not measured yet: `bash bench/gpu.sh FOLDER` runs it all on one H200 in ten minutes, and `python "
             "bench/results.py FOLDER` puts it here."),
             section("cpu", "Two cores, no GPU", "Not measured yet."), notes.read_text(encoding="utf8") if notes.exists() else ""]
    (HERE/"RESULTS.md").write_text("\n".join(parts).rstrip() + "\n", encoding="utf8")


if __name__ == "__main__": main()
