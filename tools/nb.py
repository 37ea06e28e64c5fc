"""Notebooks from text, run in place, and the check that a re-run changes nothing.

    python tools/nb.py make lesson.md nbs/00_lesson.ipynb   # a draft in Markdown becomes a notebook
    python tools/nb.py text nbs/00_lesson.ipynb             # the reverse, on standard output
    python tools/nb.py run [NOTEBOOK ...]                   # execute in a fresh kernel, clean, write back (default: all)
    python tools/nb.py check [NOTEBOOK ...]                 # the same, but only say whether anything would change
    python tools/nb.py exported                             # do the modules and their stubs say what the notebooks say?

In a draft ```python blocks are code cells, and two blank lines part two Markdown cells.
"""
import argparse, filecmp, json, os, re, shutil, subprocess, sys, tempfile, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUIET = {"TQDM_DISABLE": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1",
         "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline", "COLUMNS": "100"}
KERNEL = {"kernelspec": {"display_name": "python3", "language": "python", "name": "python3"}}
FENCE = re.compile(r"^(`{3,}|~{3,})")
BY_HAND = {"__init__.py", "__main__.py"}   # what the package offers, and `python -m rag_nb`
SKIP = re.compile(r"^#\|\s*eval:\s*false", re.M)
STATE, VIEW = "application/vnd.jupyter.widget-state+json", "application/vnd.jupyter.widget-view+json"


def all_notebooks():
    "Every notebook of the book, in reading order: room by room, then what lies beside the rooms, then the tutorials."
    rooms = ["core", "hf", "store", "fast", "scale", "show", "trust", "demo", ".", "tutorials"]
    found = (p for p in (ROOT/"nbs").rglob("*.ipynb") if not any(x.startswith((".", "_")) for x in p.relative_to(ROOT/"nbs").parts))
    return sorted(found, key=lambda p: (rooms.index(p.parent.relative_to(ROOT/"nbs").as_posix()), p.name))


def reachable(models, start):
    "The ids of the widgets in `start`, and of all that they are made of."
    seen, todo = set(), list(start)
    while todo:
        one = todo.pop()
        if one in seen or one not in models: continue
        seen.add(one)
        todo += re.findall(r"IPY_MODEL_(\w+)", json.dumps(models[one]))
    return seen


def number_widgets(nb):
    "Keep the saved state of the widgets on display, with their random ids replaced by numbers in order of creation."
    views = [o["data"][VIEW] for c in nb.cells for o in c.get("outputs", []) if VIEW in o.get("data", {})]
    saved = nb.metadata.get("widgets", {}).get(STATE, {})
    models = saved.get("state", {})
    used = reachable(models, [v["model_id"] for v in views])
    if not used: return {}
    numbers = {m: f"{n:032x}" for n, m in enumerate((m for m in models if m in used), 1)}
    for v in views: v["model_id"] = numbers.get(v["model_id"], v["model_id"])
    for m in used & {m for m in models if models[m].get("model_name") == "LayoutModel"}:
        models[m]["state"] = {k: v for k, v in models[m]["state"].items() if v is not None}   # what is not set is null by default
    state = re.sub("[0-9a-f]{32}", lambda m: numbers.get(m[0], m[0]), json.dumps({m: models[m] for m in models if m in used}))
    return {"widgets": {STATE: {**saved, "state": json.loads(state)}}}


def clean(nb):
    "The notebook without what changes from run to run: counts, timings, ids, local paths, progress output."
    widgets = number_widgets(nb)
    nb.metadata.clear(); nb.metadata.update({**KERNEL, **widgets}); nb.nbformat, nb.nbformat_minor = 4, 5
    for i, c in enumerate(nb.cells):
        c.id, c.metadata = f"cell-{i:02}", {}
        if c.cell_type != "code": continue
        c.execution_count = None
        c.outputs = [o for o in c.outputs if not (o.output_type == "stream" and o.name == "stderr")]
        for o in c.outputs:
            if "execution_count" in o: o.execution_count = None
            if "metadata" in o: o.metadata = {}
            if "text" in o: o.text = re.sub(r" at 0x[0-9a-f]+", "", o.text)
            if "text/plain" in o.get("data", {}): o.data["text/plain"] = re.sub(r" at 0x[0-9a-f]+", "", o.data["text/plain"])
    return nb


def dumps(nb):
    "The file's exact text."
    import nbformat
    return nbformat.writes(nb, indent=1, ensure_ascii=False).rstrip("\n") + "\n"


def execute(path, timeout=600):
    "Run a notebook from the top in a fresh kernel, beside its own folder; cells marked `#| eval: false` are left as they are."
    import nbformat
    from nbclient import NotebookClient
    os.environ.update(QUIET, PYTHONPATH=os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    nb = nbformat.read(path, 4)
    kept = [(i, c) for i, c in enumerate(nb.cells) if c.cell_type == "code" and SKIP.search(c.source)]
    for i, _ in kept: nb.cells[i] = nbformat.v4.new_raw_cell("")
    NotebookClient(nb, timeout=timeout, kernel_name="python3", coalesce_streams=True, extra_arguments=["--log-level=ERROR"],
                   resources={"metadata": {"path": str(path.parent)}}).execute()
    for i, c in kept: nb.cells[i] = c
    return clean(nb)


def cells_of(draft):
    "The (kind, source) cells of a Markdown draft; inside a fence of another language nothing is split."
    fence, lines, out = None, [], []
    def close(kind):
        source = "\n".join(lines).strip("\n"); lines.clear()
        if source.strip() or kind == "code": out.append((kind, source))
    for line in draft.split("\n"):
        ticks = FENCE.match(line)
        if fence is None and line.rstrip() == "```python": close("markdown"); fence = "```python"
        elif fence == "```python" and line.rstrip() == "```": close("code"); fence = None
        else:
            if fence is None and ticks: fence = ticks[1]
            elif fence not in (None, "```python") and line.rstrip() == fence: fence = None
            elif fence is None and lines[-2:] == ["", ""]: close("markdown")
            lines.append(line)
    if fence == "```python": raise ValueError("a ```python block is not closed")
    close("markdown")
    return out


def make(src, dst):
    "A Markdown draft becomes a clean, unexecuted notebook."
    from nbformat import v4
    new = {"markdown": v4.new_markdown_cell, "code": v4.new_code_cell}
    nb = v4.new_notebook(cells=[new[kind](source) for kind, source in cells_of(Path(src).read_text(encoding="utf8"))])
    Path(dst).write_text(dumps(clean(nb)), encoding="utf8")


def draft(src):
    "A notebook as a Markdown draft."
    import nbformat
    out, before = [], None
    for c in nbformat.read(src, 4).cells:
        if before: out.append("\n" if "code" in (before, c.cell_type) else "\n\n")
        out.append(f"```python\n{c.source}\n```\n" if c.cell_type == "code" else c.source + "\n")
        before = c.cell_type
    return "".join(out)


def name(path):
    "A notebook's path as the reader knows it: from the root of the project where it is inside."
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def run(paths, check=False):
    "Execute each notebook; write it back, or with `check` only report whether its text would change."
    changed = []
    for p in paths:
        start, before = time.time(), p.read_text(encoding="utf8")
        after = dumps(execute(p))
        if after != before: changed.append(name(p))
        if not check: p.write_text(after, encoding="utf8")
        print(f"{name(p)}: {time.time()-start:.0f} s{' (changed)' if after != before else ''}", flush=True)
    return changed


def exported():
    "Export every notebook into a copy of the project and name the modules that come out differently."
    lib, keep = ROOT/"rag_nb", BY_HAND
    with tempfile.TemporaryDirectory() as tmp:
        copy = Path(tmp)/"project"
        shutil.copytree(ROOT/"nbs", copy/"nbs", ignore=shutil.ignore_patterns(".*", "_proc"))
        shutil.copy(ROOT/"pyproject.toml", copy)
        for p in lib.rglob("__init__.py"):
            (copy/p.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True); shutil.copy(p, copy/p.relative_to(ROOT))
        subprocess.run([sys.executable, "-c", "from nbdev.doclinks import nbdev_export; nbdev_export()"], cwd=copy, check=True)
        names = {p.relative_to(d).as_posix() for d in (lib, copy/"rag_nb") for p in d.rglob("*.py") if p.name not in keep}
        return sorted(n for n in names if not all((d/n).exists() for d in (lib, copy/"rag_nb"))
            or not filecmp.cmp(lib/n, copy/"rag_nb"/n, shallow=False))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("do", choices=["make", "text", "run", "check", "exported"]); a.add_argument("files", nargs="*")
    o = a.parse_args()
    if o.do == "make": return make(*o.files)
    if o.do == "text": return print(draft(*o.files), end="")
    if o.do == "exported":
        stale = exported()
        if stale: sys.exit("not what the notebooks export (run `make export`): " + ", ".join(stale))
        subprocess.run([sys.executable, ROOT/"tools/stubs.py", "check"], check=True)
        return print("modules, their stubs and notebooks say the same")
    changed = run([Path(f).resolve() for f in o.files] or all_notebooks(), check=o.do == "check")
    if o.do == "check" and changed: sys.exit("a re-run changes: " + ", ".join(map(str, changed)))


if __name__ == "__main__": main()
