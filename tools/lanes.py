"""Do the archives in dist/ install and work on the oldest versions that settings.ini allows, on the newest there are, and on Colab's?

    make lanes                                     the wheel on each lane: the tests, the demo, three tutorials and a lesson with widgets
    make lanes LANE=oldest                         one lane
    make lanes LANE=oldest PYTEST="tests/test_parity.py -k labels"     some of the tests
    make lanes LANE=oldest CHECK="--part core --torch same"            what CI runs: parity, published checkpoints, generation
    python tools/lanes.py newest --only demo module                    some of the checks
    python tools/lanes.py colab --python python3.13 --archive sdist    with another Python, from the source archive

For each lane, pip installs the archive into a new environment in a temporary folder: `oldest` with every requirement at its floor,
`newest` with no version named at all, `colab` with what a Colab runtime has. The tests and notebooks come out of the source archive
and run beside it with no package of ours but the installed one. Left out are the tests of pages and faults (tests/browser,
tests/faults), of the GPU, and those that look at the source itself.

A PyTorch for Linux brings CUDA from the package index: 5 GB for the oldest, whose download is most of that lane's time.
`--torch same` takes the version of the Python that runs this, `--torch 2.13.0` that one, `--torch-backend cpu` a build without CUDA
from PyTorch's own index (uv finds it). `--record` writes what came of it into bench/lanes.json, and from there into the README.
"""
import argparse, json, os, re, shlex, shutil, subprocess, sys, tarfile, tempfile, time, zipfile
from configparser import ConfigParser
from datetime import date
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INI = ConfigParser(delimiters=["="], interpolation=None)
INI.read(ROOT/"settings.ini", encoding="utf8")
NEEDS = INI["DEFAULT"]["requirements"].split()
# The packages of a Colab runtime that are among our requirements: its published list of 19 August 2026. Colab has Python 3.13.
COLAB = """torch==2.11.0 transformers==5.15.0 huggingface_hub==1.27.0 tokenizers==0.22.2 peft==0.20.* accelerate==1.14.* datasets==4.0.*
pyarrow==18.1.* numpy==2.1.3 matplotlib==3.10.* ipython==7.34.0 ipywidgets==7.7.1 fastcore==2.2.12""".split()
LANES = {"oldest": [re.sub(r">=([^,;]+).*", r"==\1", o) for o in NEEDS], "newest": [], "colab": COLAB}
TOOLS = "pip pytest pytest-timeout pytest-xdist hypothesis nbclient nbformat ipykernel packaging".split()   # pip: the demo fetches its models with it
OF_THE_SOURCE = ["imports", "tools", "site", "tutorials"]     # tests that look at files of the project, not at what it does
PARTS = {"all": [], "core": ["marginal", "parity", "published", "differences", "generation"]}
NOTEBOOKS = [*(f"nbs/tutorials/{o}.ipynb" for o in ("five_minutes", "figure_2", "own_documents")), "nbs/show/07_widgets.ipynb"]
SHOWN = ["torch", "transformers", "tokenizers", "datasets", "faiss-cpu", "peft", "numpy", "ipython", "ipywidgets", "fastcore"]
IN_WHEEL = ["rag_nb/__init__.py", "rag_nb/__main__.py", "rag_nb/cli.py", "knowledge/squad48/manifest.json", "knowledge/squad48/LICENSE", "trained/rag.json",
            "trained/generator/adapter_model.safetensors", "trained/question_encoder/adapter_model.safetensors"]
IN_WHEEL_ONLY = [".dist-info/licenses/LICENSE", ".dist-info/entry_points.txt"]
IN_SOURCE = ["settings.ini", "setup.py", "pyproject.toml", "LICENSE", "SECURITY.md", "constraints.txt", "tests/conftest.py", "tools/install.py", *NOTEBOOKS]


ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Failed(Exception):
    "A check that did not hold, with what the command said."


def sh(*words, show=False, **kw):
    "Run a command; its standard output, which is shown as it comes with `show`."
    words = [str(o) for o in words]
    print("  $", shlex.join(words)[:180], flush=True)
    done = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if show else subprocess.PIPE, text=True, **kw)
    out = []
    for line in done.stdout if show else ():
        out.append(line); print(line, end="", flush=True)
    said, error = done.communicate()
    said = "".join(out) or said or ""
    if done.returncode: raise Failed(f"{shlex.join(words)[:300]}\nended with {done.returncode}:\n{said[-3000:]}\n{(error or '')[-3000:]}")
    return said


def archives(dist):
    "The wheel and the source archive, with what has to be in them."
    found = {"wheel": sorted(dist.glob("*.whl")), "sdist": sorted(dist.glob("*.tar.gz"))}
    for kind, paths in found.items():
        if len(paths) != 1: sys.exit(f"{dist} holds {len(paths)} archives of the kind {kind}: run make archives first")
        names = zipfile.ZipFile(paths[0]).namelist() if kind == "wheel" else tarfile.open(paths[0]).getnames()
        wanted = IN_WHEEL + (IN_WHEEL_ONLY if kind == "wheel" else IN_SOURCE)
        missing = [n for n in wanted if not any(x.endswith(n) for x in names)]
        if missing: sys.exit(f"{paths[0].name} lacks {', '.join(missing)}")
        print(f"{paths[0].name}: {len(names)} files, {paths[0].stat().st_size/1e6:.1f} MB")
    return {k: p[0].resolve() for k, p in found.items()}


def wanted(lane, torch=None):
    "What pip is asked for beside the archive: the torch of a lane, and the rest."
    if torch == "same": torch = version("torch").split("+")[0]
    own = [o for o in LANES[lane] if re.match(r"torch\b", o)]
    rest = [o for o in LANES[lane] if o not in own]
    return f"torch=={torch}" if torch else own[0] if own else "torch", rest


class Lane:
    "One environment with an archive installed, and the checks to be made in it."
    def __init__(self, lane, home, archive, source, args):
        self.lane, self.home, self.archive, self.args = lane, home, archive, args
        self.python, self.env = home/"env"/"bin"/"python", {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "PIP_CONSTRAINT", "PYTEST_ADDOPTS")}
        home.mkdir(parents=True); (home/"empty").mkdir()
        with tarfile.open(source) as t: t.extractall(home, filter="data") if hasattr(tarfile, "data_filter") else t.extractall(home)
        self.tree = next(p for p in home.iterdir() if (p/"settings.ini").exists())
        shutil.rmtree(self.tree/"rag_nb")                                  # what is installed is tried, not what lies here

    def install(self):
        "The environment: PyTorch first, so that its build is chosen by itself, then all the rest at once."
        torch, rest = wanted(self.lane, self.args.torch)
        sh(self.args.python, "-m", "venv", self.home/"env")
        pip = [self.python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"]   # what is imported is compiled then
        if self.args.torch_backend:
            sh(*pip, "uv", env=self.env)
            sh(self.python, "-m", "uv", "pip", "install", "-q", "-p", self.python, "--torch-backend", self.args.torch_backend, torch, env=self.env)
        else: sh(*pip, torch, env=self.env)
        had = self.run("-c", "import torch; print(torch.__version__)").strip()
        sh(*pip, f"torch=={had}", *rest, *TOOLS, self.archive, env=self.env)
        self.run("-m", "pip", "check")
        code = f"from importlib.metadata import version as v; print(*(p + ' ' + v(p) for p in {SHOWN}), sep=', ')"
        versions, python = self.run("-c", code).strip(), self.run("-V").split()[-1]
        return f"Python {python}, {versions}"

    def run(self, *words, cwd=None, **kw):
        "What this lane's Python says."
        return sh(self.python, *words, cwd=cwd or self.home/"empty", env={**self.env, "OMP_NUM_THREADS": "1", **kw.pop("env", {})}, **kw)

    def demo(self):
        "`rag-nb demo` from an empty folder, which it leaves empty."
        answer = json.loads(sh(self.home/"env"/"bin"/"rag-nb", "demo", "--json", cwd=self.home/"empty", env=self.env))
        if not answer["answer"] or len(answer["documents"]) < 5 or list((self.home/"empty").iterdir()): raise Failed(f"rag-nb demo: {answer}")
        return answer["answer"]

    def module(self):
        "`python -m rag_nb`."
        said = self.run("-m", "rag_nb", "--help")
        if "rag-nb demo" not in said: raise Failed(f"python -m rag_nb --help says {said}")
        return "python -m rag_nb"

    def notebooks(self):
        "The first tutorials and the lesson of the widgets, each to its end."
        failed = []
        for path in NOTEBOOKS:
            try: self.run("tools/nb.py", "run", path, cwd=self.tree)
            except Failed as e: failed.append(f"{Path(path).stem}: {ANSI.sub('', str(e)).strip().splitlines()[-1]}")
        if failed: raise Failed("\n".join(failed))
        return f"{len(NOTEBOOKS)} run"

    def tests(self):
        "The tests, or those that were asked for."
        have = {p.stem.removeprefix("test_"): p for p in sorted((self.tree/"tests").glob("test_*.py"))}
        chosen = [f"tests/test_{o}.py" for o in PARTS[self.args.part] or have if o not in OF_THE_SOURCE]
        files = [o for o in self.args.pytest if o.startswith("tests")]
        said = self.run("-m", "pytest", "-q", "-n", self.args.workers, "--dist", "loadfile", "-p", "no:cacheprovider", *([] if files else chosen), *self.args.pytest,
                        cwd=self.tree, show=True, env={"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "TOKENIZERS_PARALLELISM": "false"})
        return re.sub(r"^=+ | in [\d.]+s.*$", "", said.strip().splitlines()[-1])


CHECKS = ["tests", "demo", "module", "notebooks"]


def checked(lane, archive, source, room, args):
    "One lane; its row of the table, and whether all held."
    print(f"\n>> {lane}: {archive.name}, torch {wanted(lane, args.torch)[0]}", flush=True)
    start, row = time.time(), dict(lane=lane, archive=archive.name, torch_of_another=bool(args.torch), part=args.part)
    try:
        one = Lane(lane, room/lane, archive, source, args)
        row["versions"] = one.install()
        row["installed_s"] = round(time.time() - start)
        print(f">> {lane}: {row['versions']}; installed in {row['installed_s']} s", flush=True)
    except Failed as e: print(f">> {lane}: could not be installed\n{e}"); return {**row, "failed": ["install"]}
    for check in args.only or CHECKS:
        try: row[check] = getattr(one, check)()
        except Failed as e: print(f">> {lane}: {check} FAILED\n{e}", flush=True); row.setdefault("failed", []).append(check); row[check] = "fails"
    shutil.rmtree(room/lane)
    return {**row, "took_s": round(time.time() - start), "date": date.today().isoformat()}


def table(rows):
    "What came of it, as Markdown."
    cell = lambda row, check: str(row.get(check, "not run"))
    lines = [f"| {r['lane']} | {r.get('versions', 'could not be installed')} | {' | '.join(cell(r, c) for c in CHECKS)} | {r.get('date', '')} |" for r in rows]
    return "\n".join(["| lane | with | tests | `rag-nb demo` answers | module | tutorials and widgets | run on |", "|---|---|---|---|---|---|---|", *lines])


BEGIN, END = "<!-- lanes: written by `python tools/lanes.py --record` from a run, not by hand -->", "<!-- end of lanes -->"


def record(rows, root=ROOT):
    "Keep what came of a run in bench/lanes.json, and show it in the README through nbs/index.ipynb."
    path, notebook = root/"bench"/"lanes.json", root/"nbs"/"index.ipynb"
    kept = {r["lane"]: r for r in (json.loads(path.read_text(encoding="utf8")) if path.exists() else [])} | {r["lane"]: r for r in rows}
    kept = [kept[o] for o in LANES if o in kept]
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
    nb = json.loads(notebook.read_text(encoding="utf8"))
    for c in nb["cells"]:
        text = "".join(c["source"])
        if BEGIN in text: c["source"] = re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda m: f"{BEGIN}\n\n{table(kept)}\n\n{END}", text, flags=re.S).splitlines(keepends=True)
    notebook.write_text(json.dumps(nb, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
    if (root/"tools"/"readme.py").exists(): sh(sys.executable, root/"tools"/"readme.py")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("lanes", nargs="*", metavar="LANE", help=f"{', '.join(LANES)}; all of them where none is named")
    a.add_argument("--only", nargs="+", choices=CHECKS, help="make these checks only")
    a.add_argument("--part", choices=list(PARTS), default="all", help="which tests; core: " + ", ".join(PARTS["core"]))
    a.add_argument("--pytest", type=shlex.split, default=[], help="words for pytest, such as \"tests/test_parity.py -k labels\"")
    a.add_argument("--workers", default="2", help="tests at a time")
    a.add_argument("--torch", help="a version in place of the lane's, or `same`: that of the Python that runs this")
    a.add_argument("--torch-backend", help="such as cpu; handed on to uv")
    a.add_argument("--python", default=sys.executable, help="the Python of the environments")
    a.add_argument("--archive", choices=["wheel", "sdist"], default="wheel")
    a.add_argument("--dist", type=Path, default=ROOT/"dist")
    a.add_argument("--record", action="store_true", help="write bench/lanes.json and the table of the README")
    args = a.parse_args()
    for lane in args.lanes:
        if lane not in LANES: a.error(f"there is no lane {lane!r}: the lanes are {', '.join(LANES)}")
    found = archives(args.dist)
    with tempfile.TemporaryDirectory(prefix="lanes-") as room:
        rows = [checked(lane, found[args.archive], found["sdist"], Path(room), args) for lane in args.lanes or LANES]
    print("\n" + table(rows))
    if args.record: record(rows)
    failed = [f"{r['lane']}: {', '.join(r['failed'])}" for r in rows if "failed" in r]
    if failed: sys.exit(f"FAILED on {'; '.join(failed)}")


if __name__ == "__main__": main()
