"""Do the wheel and the source archive in dist/ install and answer, with the oldest and with the newest versions that settings.ini allows?

    make dist && python tools/dist_check.py             oldest and newest, wheel and source archive
    python tools/dist_check.py --only oldest --artefact wheel
    python tools/dist_check.py --torch-backend cpu      PyTorch's builds without CUDA, from PyTorch's own index

For each of them a virtual environment is made in a temporary folder (uv resolves: pip has no way to ask for the oldest), the archive
is installed, `rag-nb demo` is run from an empty folder, and a few of the tests that came with the source archive are run against what
is installed. The archives' contents are looked at first. Without --torch-backend, PyTorch for Linux brings CUDA: gigabytes.
"""
import argparse, json, os, shutil, subprocess, sys, tarfile, tempfile, time, zipfile
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESOLUTION = {"oldest": "lowest-direct", "newest": "highest"}
INI = ConfigParser(delimiters=["="], interpolation=None)
INI.read(ROOT/"settings.ini", encoding="utf8")
NEEDS = INI["DEFAULT"]["requirements"].split()             # named to uv beside the archive: it takes the lowest of what is named only
TESTS = ["test_marginal.py", "test_generation.py", "test_parity.py", "test_index_faiss.py", "test_cli.py", "test_long.py"]
LEFT_OUT = "not memory and not killed and not ctrl"        # what takes long
IN_WHEEL = ["rag_nb/__init__.py", "rag_nb/cli.py", "rag_nb/knowledge/squad48/manifest.json", "rag_nb/knowledge/squad48/LICENSE", "rag_nb/trained/rag.json", "rag_nb/trained/generator/adapter_model.safetensors",
            "rag_nb/trained/question_encoder/adapter_model.safetensors", ".dist-info/licenses/LICENSE", ".dist-info/entry_points.txt"]
IN_SOURCE = ["settings.ini", "setup.py", "pyproject.toml", "LICENSE", "SECURITY.md", "constraints.txt", "nbs/core/00_marginal.ipynb", "tests/conftest.py", "tools/install.py", *IN_WHEEL[:7]]


def sh(*words, **kw):
    "Run a command; its standard output, or an end that shows what it said."
    print("  $", " ".join(map(str, words))[:150], flush=True)
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, **kw)
    if done.returncode: sys.exit(f"FAILED with {done.returncode}: {' '.join(map(str, words))}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def archives(dist):
    "The wheel and the source archive, with what has to be in them."
    found = {"wheel": sorted(dist.glob("*.whl")), "sdist": sorted(dist.glob("*.tar.gz"))}
    for kind, paths in found.items():
        if len(paths) != 1: sys.exit(f"{dist} holds {len(paths)} archives of the kind {kind}: run make dist first")
        names = zipfile.ZipFile(paths[0]).namelist() if kind == "wheel" else tarfile.open(paths[0]).getnames()
        missing = [n for n in (IN_WHEEL if kind == "wheel" else IN_SOURCE) if not any(x.endswith(n) for x in names)]
        if missing: sys.exit(f"{paths[0].name} lacks {', '.join(missing)}")
        print(f"{paths[0].name}: {len(names)} files, {paths[0].stat().st_size/1e6:.1f} MB")
    return {k: p[0].resolve() for k, p in found.items()}


def checked(which, archive, source, room, more):
    "Install one archive into a new environment, ask the demo, run the tests; what was installed and how long it took."
    start, home = time.time(), room/f"{which}-{archive.suffix[1:]}"
    uv, python, tool = room/"uv"/"bin"/"uv", home/"env"/"bin"/"python", home/"env"/"bin"/"rag-nb"
    sh(sys.executable, "-m", "venv", "--without-pip", home/"env")
    sh(uv, "pip", "install", "-q", "-p", python, "--resolution", RESOLUTION[which], *more, *NEEDS, archive)
    sh(uv, "pip", "install", "-q", "-p", python, "pip", "pytest", "pytest-timeout", "hypothesis")      # pip: the demo fetches its models with it
    sh(uv, "pip", "check", "-p", python)
    (home/"empty").mkdir()
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    answer = json.loads(sh(tool, "demo", "--json", cwd=home/"empty", env=env))
    assert answer["answer"] and len(answer["documents"]) >= 5 and not list((home/"empty").iterdir()), answer
    with tarfile.open(source) as t: t.extractall(home/"source", filter="data")
    tests = next((home/"source").iterdir())/"tests"
    shutil.copytree(tests, home/"tests"/"tests")                                       # without the package beside them
    said = sh(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *[f"tests/{t}" for t in TESTS], "-k", LEFT_OUT, cwd=home/"tests", env={**env, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"})
    versions = sh(python, "-c", "from importlib.metadata import version as v; print(', '.join(f'{p} {v(p)}' for p in ('torch', 'transformers', 'tokenizers', 'faiss-cpu', 'datasets', 'numpy', 'pyarrow', 'peft')))", cwd=home).strip()
    shutil.rmtree(home)
    return f"| {which} | {archive.name} | {versions} | {answer['answer']} | {said.strip().splitlines()[-1]} | {time.time()-start:.0f} s |"


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--only", choices=list(RESOLUTION))
    args.add_argument("--artefact", choices=["wheel", "sdist"])
    args.add_argument("--dist", type=Path, default=ROOT/"dist")
    args.add_argument("--torch-backend", help="such as cpu; handed on to uv")
    args = args.parse_args()
    found, rows = archives(args.dist), []
    with tempfile.TemporaryDirectory(prefix="dist-check-") as room:
        room = Path(room)
        sh(sys.executable, "-m", "venv", room/"uv"); sh(room/"uv"/"bin"/"pip", "install", "-q", "uv")
        more = ["--torch-backend", args.torch_backend] if args.torch_backend else []
        for which in [args.only] if args.only else RESOLUTION:
            for kind in [args.artefact] if args.artefact else found: rows.append(checked(which, found[kind], found["sdist"], room, more))
    print("\n".join(["| versions | archive | with | the demo answers | tests | took |", "|---|---|---|---|---|---|", *rows]))


if __name__ == "__main__": main()
