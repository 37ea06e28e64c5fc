"The order of the book, and the cost of importing it: read from the files, not asserted by hand."
import ast, configparser, importlib, json, re, subprocess, sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import rag_nb

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ["torch", "transformers", "datasets", "faiss", "matplotlib", "numpy", "pyarrow", "ipywidgets", "fastcore", "peft", "gguf"]


ROOMS = ["core", "hf", "store", "fast", "scale", "show", "trust", "demo", "cli"]
# room: the rooms whose modules it may import at the top of a module.
ARROWS = {"core": [], "hf": ["core", "store"], "store": ["core"], "fast": ["core"], "scale": ["core", "store"], "show": ["core"], "trust": ["core"],
          "demo": ["core", "hf", "store", "fast", "scale", "show", "trust"], "cli": ["core", "hf", "store", "fast", "scale", "show", "trust", "demo"]}


def room_of(module): return module.partition(".")[0]


def notebook_places():
    "Room, number and name of the notebook that each module is exported from: the reading order. A lesson that stands beside another shares its number."
    out = {}
    for nb in sorted((ROOT/"nbs").rglob("*.ipynb")):
        for cell in json.loads(nb.read_text(encoding="utf8"))["cells"]:
            found = re.search(r"^#\|\s*default_exp\s+(\S+)", "".join(cell["source"]), re.M)
            if not found or cell["cell_type"] != "code": continue
            room, number = room_of(found[1]), re.match(r"(\d+)_", nb.name)
            assert nb.parent == (ROOT/"nbs"/room if "." in found[1] else ROOT/"nbs"), f"{nb.name} exports {found[1]}, so it belongs in the folder {room}"
            assert number or "." not in found[1], f"{nb.name} exports {found[1]}, so its name needs a number"
            assert found[1] not in out, f"two notebooks export {found[1]}"
            out[found[1]] = ROOMS.index(room), int(number[1]) if number else 0, nb.name
    return out


PLACES = notebook_places()
# (module, what it still imports at the top against an arrow): to be emptied.
STILL = {("core.train", "store.questions"), ("core.train", "store.folder"), ("core.retriever", "store.hub"), ("core.evaluate", "show.html"), ("core.evaluate", "store.questions"), ("core.retriever", "hf.tokenizer"), ("core.retriever", "store.bm25"),
         ("core.retriever", "store.folder"), ("core.retriever", "store.legacy"), ("core.model", "hf.tokenizer"), ("core.model", "store.folder"), ("core.objective", "fast.cuda_graphs"),
         ("core.objective", "fast.fused_loss"), ("core.index", "fast.scan"), ("core.answer", "hf.tokenizer"), ("core.answer", "hf.prompt"),
         ("core.answer", "store.hub"),
         ("core.answer", "store.folder"), ("scale.batch", "show.html"), ("store.questions", "hf.tokenizer")}


def module_of(path): return path.relative_to(ROOT/"rag_nb").with_suffix("").as_posix().replace("/", ".")


def imported(tree, module="x.y"):
    """What a syntax tree imports: modules of rag_nb at the top, modules of rag_nb inside functions, and other top-level packages.

    A name that is no module is dropped from its end until a module is left, so that `from ..core.index import Index` is `core.index`."""
    top, lazy, other = set(), set(), set()
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) for n in ast.walk(f) if n is not f}
    typing = {id(n) for i in ast.walk(tree) if isinstance(i, ast.If) and "TYPE_CHECKING" in ast.unparse(i.test) for n in ast.walk(i)}
    def own(name): return name if name in PLACES else next((name.rpartition(".")[0] for _ in [0] if name.rpartition(".")[0] in PLACES), name)
    for node in ast.walk(tree):
        if id(node) in typing: continue
        if isinstance(node, ast.Import): names = [o.name for o in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = ["rag_nb", *module.split(".")][:-node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names = [f"{base}.{o.name}" for o in node.names] if base.split(".")[0] == "rag_nb" else [base]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            names = [node.args[0].value] if called in ("import_module", "__import__") else []
        else: continue
        for name in names:
            if name.split(".")[0] == "rag_nb": (lazy if id(node) in inside or isinstance(node, ast.Call) else top).add(own(name.partition(".")[2]))
            else: other.add(name.split(".")[0])
    return top, lazy - top, other


def modules(): return sorted(p for p in (ROOT/"rag_nb").rglob("*.py") if not p.name.startswith("_"))


@pytest.mark.parametrize("path", modules(), ids=module_of)
def test_a_module_imports_along_the_arrows(path):
    "At the top of a module: earlier chapters of its own room, and the rooms that ARROWS allows. Inside a function also what is later, where the name says who lends a hand."
    module = module_of(path)
    assert module in PLACES, f"no notebook exports {module}"
    top, lazy, _ = imported(ast.parse(path.read_text(encoding="utf8")), module)
    for name in sorted(top | lazy - {""}):
        target = name if name in PLACES else rag_nb._HOME.get(name)  # `from rag_nb import Rag` counts as the module it comes from
        assert target or name in ("__version__", "REGISTRIES", *ROOMS, ""), f"{module} imports rag_nb.{name}, which is not there"
        if not target or name in lazy: continue
        if room_of(target) == room_of(module): assert PLACES[target] < PLACES[module] or (module, target) in STILL, f"{module} imports {target}, which comes after it"
        else: assert room_of(target) in ARROWS[room_of(module)] or (module, target) in STILL, f"{module} imports {target}: no arrow leads from {room_of(module)} to {room_of(target)}"


def test_the_rule_sees_every_way_of_importing():
    "The parser finds plain, relative, named, function-level and dynamic imports."
    source = """
import rag_nb.core.marginal, os.path
from rag_nb.core.config import x
from rag_nb.store import folder
from .index import y
from . import model
from ..hf.tokenizer import RagTokenizer
def f():
    from .generate import z
    import_module("rag_nb.fast.decoder")
"""
    top, lazy, other = imported(ast.parse(source), "core.answer")
    assert top == {"core.marginal", "core.config", "store.folder", "core.index", "core.model", "hf.tokenizer"} and lazy == {"core.generate", "fast.decoder"} and other == {"os"}


def test_two_files_are_written_by_hand():
    "What the package offers, and `python -m rag_nb`; every other module comes from a notebook and says so."
    by_hand = {p.relative_to(ROOT/"rag_nb").as_posix() for p in (ROOT/"rag_nb").rglob("*.py") if "autogenerated" not in p.read_text(encoding="utf8")[:500].lower()}
    assert {o for o in by_hand if not o.endswith("/__init__.py")} == {"__init__.py", "__main__.py"}
    top, lazy, other = imported(ast.parse((ROOT/"rag_nb/__main__.py").read_text(encoding="utf8")), "__main__")
    assert top | lazy == {"cli"} and other == {"sys"}, "what __main__ does is in the notebook of cli"


def fresh(code):
    "The JSON that a fresh interpreter prints."
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_the_package_imports_nothing():
    "Neither the import, nor looking around in it, nor its version."
    code = f"import sys, json, rag_nb; dir(rag_nb); rag_nb.__version__; rag_nb.__all__; print(json.dumps([o for o in {HEAVY} if o in sys.modules]))"
    assert fresh(code) == []


def test_reading_passages_imports_no_pandas():
    "Arrow would import it to pick rows: a fifth of a second before the first passage of a process."
    pytest.importorskip("pandas")
    code = """
import sys, json, rag_nb
from pathlib import Path
passages = rag_nb.Passages.open(Path(rag_nb.__file__).parent/"knowledge/squad48/passages.parquet")
read = len(passages[[3, 2000, 7]]) + len(passages[5:9]), len(rag_nb.BM25Index(passages))
print(json.dumps([*read, [o for o in ("pandas", "pyarrow.compute") if o in sys.modules]]))"""
    assert fresh(code) == [7, 2067, []]


def test_a_class_is_complete_from_its_own_module():
    "Alone in a fresh process, each public class has every member that it has once everything is imported."
    code = """
import importlib, inspect, json, sys, rag_nb
home = sys.argv[1] if len(sys.argv) > 1 else MODULE
names = rag_nb._PUBLIC[home].split() if home else rag_nb.__all__
if not home: [importlib.import_module(f"rag_nb.{m}") for m in [*rag_nb._PUBLIC, "cli"]]
module = importlib.import_module(f"rag_nb.{home}") if home else rag_nb
found = {n: getattr(module, n) for n in names}
print(json.dumps({n: sorted(m for c in o.__mro__ if c.__module__.startswith("rag_nb") for m in vars(c) if not m.startswith("__") or m == "__call__") for n, o in found.items() if inspect.isclass(o)}))"""
    whole = fresh(code.replace("MODULE", "''"))
    assert {"evaluate", "ask_file", "alternatives", "trace_beams", "demo", "default_generator"} <= set(whole["Rag"]) and "generate" in whole["RagTokenForGeneration"]
    for home in ("core.passages", "core.index", "core.retriever", "core.model", "core.answer", "core.evaluate", "store.faiss", "store.folder"):
        alone = fresh(code.replace("MODULE", repr(home)))
        assert alone and alone == {n: whole[n] for n in alone}


def test_the_registries_name_what_is_there():
    "Every default member is registered by the module that the table names."
    from rag_nb.core.generate import DECODERS
    from rag_nb.core.index import INDEX_KINDS
    for registry in (INDEX_KINDS, DECODERS):
        for name, module in rag_nb.REGISTRIES[registry.role].items(): assert registry[name].__module__ == f"rag_nb.{module}"


@pytest.mark.parametrize("name", rag_nb.__all__)
def test_a_public_name_is_where_the_table_says(name):
    module = importlib.import_module(f"rag_nb.{rag_nb._HOME[name]}")
    assert getattr(rag_nb, name) is getattr(module, name)
    assert name in dir(rag_nb)


def test_the_table_is_in_step_with_the_modules():
    "Every table entry has its module, every module that others may use is in the table, and no name stands twice or hides a room."
    built = {module_of(p) for p in modules()}
    assert set(rag_nb._PUBLIC) <= built, "rag_nb/__init__.py names a module that is not there"
    silent = built - set(rag_nb._PUBLIC) - {"cli"}
    assert not silent, f"say in the table of rag_nb/__init__.py what {', '.join(sorted(silent))} offers to the package (it may be nothing: an empty text)"
    names = [n for names in rag_nb._PUBLIC.values() for n in names.split()]
    assert len(names) == len(set(names)) and not set(names) & set(ROOMS)


def test_unknown_names_and_the_version():
    with pytest.raises(AttributeError, match="no attribute 'Nonesuch'"): rag_nb.Nonesuch
    ini = configparser.ConfigParser(delimiters=["="], interpolation=None)
    ini.read(ROOT/"settings.ini", encoding="utf8")
    assert rag_nb.__version__ == ini["DEFAULT"]["version"]


def test_what_is_imported_is_required():
    "Every package that a module imports is in settings.ini, in the requirements or an extra."
    ini = configparser.ConfigParser(delimiters=["="], interpolation=None)
    ini.read(ROOT/"settings.ini", encoding="utf8")
    plain = lambda o: re.split(r"[<>=!~;\[ ]", o)[0].lower().replace("_", "-")
    required = {plain(o) for k, v in ini["DEFAULT"].items() if k.endswith("requirements") for o in v.split()}
    homes = packages_distributions()
    for path in modules():
        *_, other = imported(ast.parse(path.read_text(encoding="utf8")), module_of(path))
        for name in other - set(sys.stdlib_module_names):
            sources = {plain(o) for o in homes.get(name, [name])}
            assert sources & required, f"{path.stem} imports {name}, which settings.ini does not require"
