"""How large the library is: exported lines by room and module, a lesson's prose, its largest cell; and what is over its budget.

    python tools/shape.py            # the table
    python tools/shape.py --record   # write what is over budget today into tools/shape.json: tests hold that it only shrinks

A line counts where it is exported and not blank; nbdev's `# %%` lines and those above the first of them don't.
"""
import argparse, json, re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {"core": 3100, "hf": 900, "store": 2600, "fast": 2600, "scale": 700, "show": 1600, "trust": 450, "demo": 450, "cli": 280}  # lines
MODULE, CELL, PROSE = 400, 15, 5   # lines of a module; lines of a cell; at least so many words of prose an exported line
BEFORE_ASK = 2600                  # lines up to and with the chapter that has Rag.ask
OVER = ROOT/"tools/shape.json"


def exported_lines(source):
    "The exported lines of a module's text that are not blank."
    body = re.split(r"^# %% .*$", source, maxsplit=2, flags=re.M)[-1] if source.count("# %%") > 1 else source
    return sum(bool(o.strip()) and not o.startswith("# %%") for o in body.splitlines())


def lesson(nb):
    "Words of prose in a notebook, and the number of its largest exported cell with that cell's lines."
    words, largest = 0, (0, 0)
    for i, c in enumerate(nb["cells"]):
        text = "".join(c["source"])
        if c["cell_type"] == "markdown": words += len(text.split())
        elif re.search(r"^#\|\s*exports?\b", text, re.M):
            largest = max(largest, (sum(bool(o.strip()) and not o.startswith("#|") for o in text.splitlines()), i))
    return words, largest


def measure(root=ROOT):
    "One row a module: name, lines, words of prose, prose an exported line, lines of the largest cell, its number."
    rows = []
    for path in sorted((root/"nbs").rglob("*.ipynb")):
        nb = json.loads(path.read_text(encoding="utf8"))
        found = re.search(r"^#\|\s*default_exp\s+(\S+)", "\n".join("".join(c["source"]) for c in nb["cells"] if c["cell_type"] == "code"),
            re.M)
        if not found: continue
        lines = exported_lines((root/"rag_nb"/(found[1].replace(".", "/") + ".py")).read_text(encoding="utf8"))
        words, (cell, number) = lesson(nb)
        rows.append(dict(module=found[1], lines=lines, words=words, prose=round(words/max(lines, 1), 2), cell=cell, number=number))
    return sorted(rows, key=lambda r: list(ROOMS).index(r["module"].partition(".")[0]))


def rooms(rows): return {room: sum(r["lines"] for r in rows if r["module"].partition(".")[0] == room) for room in ROOMS}


def before_ask(rows):
    "Lines of the chapters up to `Rag.ask`, in the order of the book."
    core = [r for r in rows if r["module"].startswith("core.")]
    return sum(r["lines"] for r in core[:1 + next(i for i, r in enumerate(core) if r["module"] == "core.answer")])


def over(rows):
    "What is over its budget: name, number. For prose, which has to be more, what is missing: the words short of the budget."
    out = {f"room {k}": n for k, n in rooms(rows).items() if n > ROOMS[k]}
    if before_ask(rows) > BEFORE_ASK: out["before ask"] = before_ask(rows)
    for r in rows:
        if r["lines"] > MODULE: out[f"lines of {r['module']}"] = r["lines"]
        if r["cell"] > CELL: out[f"largest cell of {r['module']}"] = r["cell"]
        if r["prose"] < PROSE: out[f"words short in {r['module']}"] = PROSE*r["lines"] - r["words"]
    return out


def table(rows):
    "The rows as text, rooms first; a star where a number is over its budget."
    star = lambda bad: "*" if bad else " "
    out = [f"{'room':20}{'lines':>7}{'budget':>8}"]
    out += [f"{k:20}{n:7}{ROOMS[k]:8}{star(n > ROOMS[k])}" for k, n in rooms(rows).items()]
    out += [f"{'before ask':20}{before_ask(rows):7}{BEFORE_ASK:8}{star(before_ask(rows) > BEFORE_ASK)}", "",
        f"{'module':26}{'lines':>6} {'prose':>6}  {'largest cell':>12}"]
    out += [f"{r['module']:26}{r['lines']:6}{star(r['lines'] > MODULE)}{r['prose']:6.1f}{star(r['prose'] < PROSE)} {r['cell']:6} (cell "
        f"{r['number']}){star(r['cell'] > CELL)}" for r in rows]
    return "\n".join(out)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--record", action="store_true"); o = a.parse_args()
    rows = measure()
    print(table(rows))
    if o.record: OVER.write_text(json.dumps(over(rows), indent=1) + "\n", encoding="utf8")


if __name__ == "__main__": main()
