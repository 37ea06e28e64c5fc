"The order of the book, and the cost of importing it: read from the files, not asserted by hand."
import ast, configparser, importlib, json, re, subprocess, sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import rag_nb

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ["torch", "transformers", "datasets", "faiss", "matplotlib", "numpy", "pyarrow", "ipywidgets", "fastcore", "peft", "gguf"]


def notebook_numbers():
    "The number of the notebook that each module is exported from, by the name of the module."
    out = {}
    for nb in sorted((ROOT/"nbs").rglob("*.ipynb")):
        for cell in json.loads(nb.read_text(encoding="utf8"))["cells"]:
            found = re.search(r"^#\|\s*default_exp\s+(\S+)", "".join(cell["source"]), re.M)
            if not found or cell["cell_type"] != "code": continue
            number = re.match(r"(\d+)_", nb.name)
            assert number, f"{nb.name} exports {found[1]}, so its name needs a number"
            assert found[1] not in out, f"two notebooks export {found[1]}"
            out[found[1]] = int(number[1])
    return out


NUMBERS = notebook_numbers()


def imported(tree):
    "The rag_nb modules and the other top-level packages that a syntax tree imports, anywhere in it."
    own, other = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [o.name for o in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ("rag_nb." if node.level else "") + (node.module or "")
            names = [f"{base.rstrip('.')}.{o.name}" if base.rstrip(".") == "rag_nb" else base for o in node.names]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            names = [node.args[0].value] if called in ("import_module", "__import__") else []
        else: continue
        for name in names:
            parts = name.lstrip(".").split(".")
            if name.startswith("."): own.add(parts[0])
            elif parts[0] == "rag_nb": own.add(parts[1] if len(parts) > 1 else "")
            else: other.add(parts[0])
    return own, other


def modules(): return sorted(p for p in (ROOT/"rag_nb").glob("*.py") if not p.name.startswith("_"))


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.stem)
def test_a_module_imports_only_lower_numbers(path):
    "An arrow that turns back would make the book unreadable from the front; imports inside functions count too."
    assert path.stem in NUMBERS, f"no notebook exports {path.name}"
    own, _ = imported(ast.parse(path.read_text(encoding="utf8")))
    for name in sorted(own - {""}):
        target = name if name in NUMBERS else rag_nb._HOME.get(name)  # `from rag_nb import Rag` counts as the module it comes from
        assert target or name == "__version__", f"{path.stem} imports rag_nb.{name}, which is not there"
        if target: assert NUMBERS[target] < NUMBERS[path.stem], \
            f"{path.stem} ({NUMBERS[path.stem]:02}) imports {target} ({NUMBERS[target]:02})"


def test_the_rule_sees_every_way_of_importing():
    "The parser finds plain, relative, named, function-level and dynamic imports."
    source = """
import rag_nb.a, os.path
from rag_nb.b import x
from rag_nb import c
from .d import y
from . import e
def f():
    from .g import z
    import_module("rag_nb.h"); importlib.import_module(".i", "rag_nb")
"""
    own, other = imported(ast.parse(source))
    assert own == {*"abcdeghi"} and other == {"os"}


def test_numbers_do_not_repeat():
    assert len(set(NUMBERS.values())) == len(NUMBERS), "two notebooks with one number have no order"


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
read = len(passages[[3, 2000, 7]]) + len(passages[5:9]), len(rag_nb.LexicalIndex(passages))
print(json.dumps([*read, [o for o in ("pandas", "pyarrow.compute") if o in sys.modules]]))"""
    assert fresh(code) == [7, 2067, []]


@pytest.mark.parametrize("name", rag_nb.__all__)
def test_a_public_name_is_where_the_table_says(name):
    module = importlib.import_module(f"rag_nb.{rag_nb._HOME[name]}")
    assert getattr(rag_nb, name) is getattr(module, name)
    assert name in dir(rag_nb)


def test_the_table_is_in_step_with_the_modules():
    "Every table entry has its module, every module that others may use is in the table, and no name stands twice or hides a module."
    built = {p.stem for p in modules()}
    assert set(rag_nb._PUBLIC) <= built and set(rag_nb._ADDED_BY) <= set(rag_nb._PUBLIC), "rag_nb/__init__.py names a module that is not there"
    silent = built - set(rag_nb._PUBLIC) - {"cli"}
    assert not silent, f"say in the table of rag_nb/__init__.py what {', '.join(sorted(silent))} offers to the package (it may be nothing: an empty text)"
    later = {(m, o) for m, names in rag_nb._ADDED_BY.items() for o in names.split()}
    below = {o: min(NUMBERS[m] for m, x in later if x == o) for _, o in later}  # the first module that each adds to
    assert all(o in built and NUMBERS[o] > below[o] for _, o in later), "what adds to a module comes after it"
    names = [n for names in rag_nb._PUBLIC.values() for n in names.split()]
    assert len(names) == len(set(names)) and not set(names) & built


def patched(path):
    "The rag_nb modules whose classes a module adds to with fastcore's `patch`."
    tree = ast.parse(path.read_text(encoding="utf8"))
    comes_from = {o.asname or o.name: n.module for n in tree.body if isinstance(n, ast.ImportFrom) and n.module for o in n.names}
    classes = set()
    for f in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
        for d in f.decorator_list:
            head = d.func if isinstance(d, ast.Call) else d
            if getattr(head, "id", "") == "patch" and f.args.args: classes |= {n.id for n in ast.walk(f.args.args[0].annotation) if isinstance(n, ast.Name)}
            elif getattr(head, "id", "") == "patch_to": classes |= {n.id for n in ast.walk(d.args[0]) if isinstance(n, ast.Name)}
    return {m.removeprefix("rag_nb.") for c in classes if (m := comes_from.get(c)) and m.removeprefix("rag_nb.") in NUMBERS}


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.stem)
def test_what_is_added_downstream_comes_along(path):
    "A module that patches the class of an earlier one is named in the package's table, so that the addition is there whenever the class is."
    for home in patched(path) - {path.stem}:
        assert path.stem in rag_nb._ADDED_BY.get(home, "").split(), f"{path.stem} adds to a class of {home}: say so in rag_nb/__init__.py"


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
        _, other = imported(ast.parse(path.read_text(encoding="utf8")))
        for name in other - set(sys.stdlib_module_names):
            sources = {plain(o) for o in homes.get(name, [name])}
            assert sources & required, f"{path.stem} imports {name}, which settings.ini does not require"
