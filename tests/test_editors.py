"What editors and type checkers see: each public method, from the source tree and from a wheel; and `?` in a notebook."
import ast, importlib, importlib.util, json, os, re, shutil, subprocess, sys
from pathlib import Path

import pytest

import rag_nb

ROOT = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location("tools_stubs", ROOT/"tools/stubs.py")
stubs = sys.modules["tools_stubs"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(stubs)
CALLS = ROOT/"tests/typing/calls.py"


def test_stubs_are_in_step():
    assert not stubs.stale(), "run `make export`: the stubs are not what the modules say"


SMALL = {
    "core.base": '''
from fastcore.basics import patch
from dataclasses import dataclass, field
from ..show.later import Shown
try: import absent
except ImportError: absent = None

class Thing(dict):
    "A thing."
    size = 3
    def __init__(self,
        name:str=None, # what it is called
        *parts, # and what it is made of
    ): self.name, self.left = name, list(parts)

@patch
def grow(self:Thing,
    # how much,
    # in metres
    by:"int|None"=None,
    how=max, # which function
    **more
) -> "Thing": # the same thing
    "Make it larger."

@patch(as_prop=True)
def area(self:Thing) -> float: return 1.

@patch(cls_method=True)
def made(cls:Thing, at:callable): return cls()

@dataclass
class Pair:
    "Two."
    one: int  # the first
    two: list = field(default_factory=list)
''',
    "show.later": '''
from fastcore.basics import patch
import numpy as np
from ..core.base import Thing, Pair
class Shown: "What is drawn."
@patch
def draw(self:Thing|Pair, at:np.ndarray) -> Shown: "Draw it."
def spare(self): "From outside."
Thing.spare = spare
''',
}


def small(tmp_path):
    "The stubs of a package of two modules."
    for name, text in SMALL.items():
        path = tmp_path/"small"/(name.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True); path.write_text(text)
    (tmp_path/"small/__init__.py").write_text(f'_PUBLIC = {{"core.base": "Thing Pair", "show.later": "Shown"}}\n{stubs.BEGIN}\n{stubs.END}\n')
    return {p.name: t for p, t in stubs.outputs(tmp_path, "small").items()}


def test_a_class_is_whole_in_its_stub(tmp_path):
    "With what later cells, other modules and plain assignments add to it, under the decorators of the language."
    text = small(tmp_path)["base.pyi"]
    thing, pair = [n for n in ast.parse(text).body if isinstance(n, ast.ClassDef)]
    methods = {f.name: f for f in thing.body if isinstance(f, ast.FunctionDef)}
    assert set(methods) == {"__init__", "grow", "area", "made", "draw", "spare"} and "draw" in [getattr(f, "name", "") for f in pair.body]
    assert ast.unparse(methods["grow"].args) == "self, by: int | None=None, how=..., **more" and ast.unparse(methods["grow"].returns) == "Thing"
    assert ast.get_docstring(methods["grow"]) == "Make it larger.\n\nParameters:\n    by: how much, in metres\n    how: which function\n\nReturns: the same thing"
    assert ast.unparse(methods["__init__"].args) == "self, name: str | None=None, *parts" and ast.unparse(methods["made"].args) == "cls, at: Callable[..., Any]"
    assert [ast.unparse(methods[o].decorator_list[0]) for o in ("area", "made")] == ["property", "classmethod"]
    fields = {n.target.id: ast.unparse(n.annotation) for n in thing.body if isinstance(n, ast.AnnAssign)}
    assert fields == {"size": "int", "name": "str | None", "left": "Any"} and "two: list = ..." in text and "    one: the first" in text
    assert "import numpy as np" in text and "from small.show.later import Shown" in text and "import absent" in text


def test_the_public_imports_are_named(tmp_path):
    text = small(tmp_path)["__init__.py"]
    assert "if _typing.TYPE_CHECKING:\n    __version__: str\n    from . import core as core\n    from . import show as show\n    from .core.base import (Thing as Thing, Pair as Pair)\n    from .show.later import (Shown as Shown)\n" in text
    named = {o.asname for n in ast.walk(ast.parse((ROOT/"rag_nb/__init__.py").read_text(encoding="utf8")))
        if isinstance(n, ast.ImportFrom) and n.module and n.level for o in n.names}
    assert named == set(rag_nb.__all__)


def test_what_is_stale_is_named(tmp_path):
    small(tmp_path)
    stubs.write(tmp_path, "small")
    assert not stubs.stale(tmp_path, "small")
    (tmp_path/"small/core/gone.pyi").touch()
    (tmp_path/"small/show/later.py").write_text("x = 1\n")
    assert {"small/core/gone.pyi", "small/show/later.pyi", "small/core/base.pyi"} <= set(stubs.stale(tmp_path, "small"))
    stubs.write(tmp_path, "small")
    assert not stubs.stale(tmp_path, "small") and not (tmp_path/"small/core/gone.pyi").exists()


def members(cls):
    "The public methods and properties that the package gives a class."
    ours = [c for c in cls.__mro__ if c.__module__.startswith("rag_nb")]
    return {n for c in ours for n, o in vars(c).items() if not n.startswith("_")
        and "rag_nb" in str(getattr(getattr(o, "fget", None) or getattr(o, "__func__", o), "__module__", ""))}


def written(name):
    "The methods and properties in the stub of a public class and of its bases in the package."
    path = ROOT/f"rag_nb/{rag_nb._HOME.get(name, '').replace('.', '/')}.pyi"
    nodes = {n.name: n for p in (ROOT/"rag_nb").rglob("*.pyi") for n in ast.parse(p.read_text(encoding="utf8")).body
        if isinstance(n, ast.ClassDef)}
    todo, out = [name], set()
    assert path.exists()
    while todo:
        if (n := nodes.get(todo.pop())) is None: continue
        out |= {f.name for f in n.body if isinstance(f, ast.FunctionDef)} | {t.id for f in n.body
            if isinstance(f, (ast.Assign, ast.AnnAssign)) for t in ast.walk(f) if isinstance(t, ast.Name)}
        todo += [b.id for b in n.bases if isinstance(b, ast.Name)]
    return out


def test_every_method_has_a_stub():
    "What a live class has of the package is in its stub, wherever it was patched in."
    for module in rag_nb._PUBLIC: importlib.import_module(f"rag_nb.{module}")
    for name in rag_nb.__all__:
        cls = getattr(rag_nb, name)
        if isinstance(cls, type) and cls.__module__.startswith("rag_nb"):
            assert members(cls) <= written(name), f"{name}: {members(cls) - written(name)} is in no stub"


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    "Where the package is imported from: the tree, and what a wheel unpacks to."
    built = tmp_path_factory.mktemp("wheel")
    for name in ("setup.py", "settings.ini", "pyproject.toml", "README.md"): shutil.copy(ROOT/name, built)
    shutil.copytree(ROOT/"rag_nb", built/"rag_nb", ignore=shutil.ignore_patterns("__pycache__", "knowledge", "trained"))
    subprocess.run([sys.executable, "setup.py", "-q", "bdist_wheel", "--dist-dir", "dist"], cwd=built, check=True, capture_output=True)
    shutil.unpack_archive(next((built/"dist").glob("*.whl")), built/"site", "zip")
    return {"tree": ROOT, "wheel": built/"site"}


FIRST = """from rag_nb import Rag, RagRetriever, Answer, Hits
rag = Rag.from_pretrained("folder")
answer = rag.ask("Who?")
hits = answer.hits
retriever: RagRetriever = RagRetriever.from_documents("documents")
"""
SEEN = {
    "Rag.": ["ask", "ask_each", "from_pretrained", "from_parts", "save_pretrained", "evaluate", "with_retriever"],
    "rag.": ["ask", "evaluate", "retriever", "tokenizer", "model", "encoder"],
    "answer.": ["text", "hits", "citations", "doc_posterior", "doc_prior", "running_posterior", "without", "column", "token_logprobs"],
    "hits.": ["ids", "scores", "mask", "passages", "of", "with_passages"],
    "retriever.": ["from_documents", "save_pretrained", "index", "passages"],
}


@pytest.mark.parametrize("where", ["tree", "wheel"])
def test_completions(places, where):
    "An editor's completions have every public method, though many are patched in later or in other modules."
    jedi = pytest.importorskip("jedi")
    project = jedi.Project(places[where], sys_path=[str(places[where]), *[o for o in sys.path if o and Path(o).resolve() != ROOT]],
        load_unsafe_extensions=False)
    for typed, names in SEEN.items():
        text = FIRST + typed
        found = {o.name for o in jedi.Script(text, project=project, path=places[where]/"typed.py").complete(text.count("\n") + 1,
            len(typed))}
        assert set(names) <= found, f"after `{typed}` an editor misses {sorted(set(names) - found)}"
        live = {"Rag.": rag_nb.Rag, "answer.": rag_nb.Answer, "hits.": rag_nb.Hits, "retriever.": rag_nb.RagRetriever}.get(typed)
        if live: assert members(live) <= found


@pytest.mark.parametrize("where", ["tree", "wheel"])
def test_mypy_over_typical_calls(places, where, tmp_path):
    "The calls are right, their types are as said, and each mistake is found: no error more, none less."
    pytest.importorskip("mypy")
    text = Path(shutil.copy(CALLS, tmp_path)).read_text(encoding="utf8")
    expected = sorted((n, m[1]) for n, line in enumerate(text.splitlines(), 1) if (m := re.search(r"# error: ([\w-]+)$", line)))
    done = subprocess.run([sys.executable, "-m", "mypy", "--config-file", ROOT/"tests/typing/mypy.ini", "--cache-dir", ROOT/".mypy_cache",
        "--no-color-output", "--no-error-summary", "--hide-error-context",
                           "--output", "json", tmp_path/"calls.py"], cwd=tmp_path, capture_output=True, text=True,
                           env={**os.environ, "MYPYPATH": str(places[where])})
    found = [json.loads(o) for o in done.stdout.splitlines() if o.startswith("{")]
    assert not done.stderr.strip(), done.stderr
    assert sorted((o["line"], o["code"]) for o in found if o["severity"] == "error") == expected and all("calls.py" in o["file"]
        for o in found), done.stdout
    assert len(expected) >= 5


def test_a_question_mark_shows_what_arguments_mean():
    "In IPython, through its own inspector, from whichever module a class was imported; a plain interpreter imports no more than before."
    code = """
import json
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in ["import rag_nb", "from rag_nb.core.answer import Rag", "rag = object.__new__(Rag)"]: shell.run_cell(cell).raise_error()
print(json.dumps([shell.inspector.info(eval(o, shell.user_ns))["docstring"] for o in ("Rag.ask", "rag.ask", "Rag.from_parts", "len")]))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    ask, bound, made, length = json.loads(done.stdout.splitlines()[-1])
    text = rag_nb.Rag.ask.__doc__
    assert ask == bound and ask.startswith(text + "\n\nParameters:\n") and "\n    n_docs: " in ask and "\n    max_new_tokens: " in ask
    assert "\n    retriever: " in made and length == len.__doc__
    tree = ast.parse((ROOT/"rag_nb/core/answer.pyi").read_text(encoding="utf8"))
    stub = next(f for c in tree.body if getattr(c, "name", "") == "Rag" for f in c.body if getattr(f, "name", "") == "ask")
    assert ast.get_docstring(stub) == ask, "a stub and a notebook say the same"
