"""What the package offers, read from its modules: signatures, docstrings and the tables that fastcore's docments give.

tools/docs.py writes the site's reference pages with it.
"""
import ast, importlib, inspect, re
from dataclasses import dataclass, field
from pathlib import Path

from fastcore.docments import DocmentTbl, empty

CELL = re.compile(r"^# %% \S*?([\w-]+)\.ipynb #(\S+)", re.M)
MARKUP = re.compile(r"([\\*_\[\]<>{}$|~^#&!@:])")
SHOWN = {"__call__"}  # of the methods with underscores, these are documented


@dataclass
class Entry:
    "A public name, and where it is written."
    kind: str             # class, exception, function, method, property or data
    module: str           # without the package's name
    name: str             # `Rag`, `Rag.ask`
    lines: tuple          # first and last line in the module
    cell: str             # the cell of the notebook that holds it
    signature: str = ""   # as it is written, without `self`; of data a short value
    doc: str = ""
    table: str = ""       # Markdown, one row a parameter
    flag: str = ""        # classmethod or staticmethod
    members: list = field(default_factory=list)

    @property
    def owner(self): return self.name.rpartition(".")[0]

    @property
    def summary(self): return re.split(r"(?<=[.!?])\s(?=[A-Z`\"])|\n\s*\n|; ", self.doc.strip())[0].rstrip(".") if self.doc else ""


def inline(text, cell=False):
    "Text that means what it says in Markdown: only `code` stays code, and a table's bars stay inside their cell."
    parts = re.split(r"(`[^`]+`)", " ".join(str(text).split()))
    out = [MARKUP.sub(r"\\\1", o) if i % 2 == 0 else o.replace("|", r"\|") if cell else o for i, o in enumerate(parts)]
    return "".join(out)


def code(text):
    "A code span, whatever backticks its text has."
    text = " ".join(str(text).split())
    ticks = "`" * (1 + max((len(o) for o in re.findall(r"`+", text)), default=0))
    return f"{ticks}{text.replace('|', chr(92) + '|')}{ticks}" if text else ""


def _type(o):
    "How an annotation reads."
    if o is empty or o is None: return ""
    text = o if isinstance(o, str) else o.__name__ if isinstance(o, type) and not getattr(o, "__args__", None) else str(o)
    return re.sub(r"\b(?:rag_nb|torch|typing|collections\.abc|os|pathlib|transformers|numpy)(?:\.\w+)*\.(?=\w)", "",
        text).replace("NoneType", "None")


def _default(o):
    "How a default reads, shortened."
    text = "" if o is empty else o.__name__ if inspect.isfunction(o) or inspect.isclass(o) else repr(o)
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    return text if len(text) <= 40 else text[:37] + "…"


def table(obj):
    "The parameters of a function or class, one a row, and what comes back; empty where nothing is said about any of them."
    t = DocmentTbl(obj)
    names = [o for o in t.params if not o.startswith("_")]
    if not any(t.dm[o]["docment"] is not empty for o in names): return ""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    rows = [[code(stars.get(d.get("kind"), "") + o), code("" if d["anno"] is type(None) else _type(d["anno"])),
        code(_default(d["default"])), _said(d)]
            for o in names for d in [t.dm[o]]]
    if t.has_return: rows.append(["**returns**", code(_type(t.dm["return"]["anno"])), "", _said(t.dm["return"])])
    head = ["parameter", "type", "default", "meaning"]
    keep = [i for i in range(4) if any(r[i] for r in rows)]
    line = lambda cells: "| " + " | ".join(cells[i] for i in keep) + " |"
    return "\n".join([line(head), line(["---"] * 4), *map(line, rows)])


def _said(d): return "" if d["docment"] in (empty, None) else inline(d["docment"], cell=True)


def _owners(f):
    "The classes that a `@patch`ed function is added to, and how: method, property or class method; none for plain functions."
    for d in f.decorator_list:
        call = d if isinstance(d, ast.Call) else None
        head = getattr(call.func if call else d, "id", "")
        if head == "patch_to": at = call.args[0]
        elif head == "patch" and f.args.args: at = f.args.args[0].annotation
        else: continue
        how = {k.arg for k in (call.keywords if call else []) if getattr(k.value, "value", None) is True}
        names = [n.id if isinstance(n, ast.Name) else n.value for n in ast.walk(at)
            if isinstance(n, ast.Name) or isinstance(n, ast.Constant) and isinstance(n.value, str)]
        return names, "property" if "as_prop" in how else "method", "classmethod" if "cls_method" in how else ""
    return [], "", ""


def _arguments(f, bound):
    "A function's arguments and what it returns, as they are written."
    args = ast.parse(ast.unparse(f.args).join(["def f(", "): pass"])).body[0].args  # a copy
    if bound and (args.posonlyargs or args.args): (args.posonlyargs or args.args).pop(0)
    return f"({ast.unparse(args)})" + (f" -> {ast.unparse(f.returns)}" if f.returns else "")


def _fields(c):
    "A data class's fields as arguments."
    shown = [o for o in c.body if isinstance(o, ast.AnnAssign) and not o.target.id.startswith("_")]
    text = []
    for o in shown:
        default = next((k.value for k in getattr(o.value, "keywords", []) if k.arg == "default"), o.value)
        text.append(ast.unparse(o.target) + ": " + ast.unparse(o.annotation) + (f" = {ast.unparse(default)}" if o.value else ""))
    return f"({', '.join(text)})"


def _said_beside(node, lines):
    "The comment at the end of a statement's first line."
    return re.search(r"(?:\s#\s+(.*))?$", lines[node.lineno - 1])[1] or ""


def _public(name): return not name.startswith("_") or name in SHOWN


def _is_property(f):
    "Whether an assignment in a class makes a property that has a public name."
    return isinstance(f.value, ast.Call) and getattr(f.value.func, "id", "") == "property" and _public(getattr(f.targets[0], "id", "_"))


def _bare(cls, name):
    "The function behind a method, class method or property."
    o = inspect.getattr_static(cls, name)
    return getattr(o, "fget", None) or getattr(o, "func", None) or getattr(o, "__func__", o)


def read_module(path, module, package="rag_nb"):
    "The entries of one module, in the order of its text; a class holds its methods, those patched in later cells included."
    source = path.read_text(encoding="utf8")
    live = importlib.import_module(f"{package}.{module}")
    public, cells, lines, out = set(getattr(live, "__all__", [])), list(CELL.finditer(source)), source.splitlines(), {}
    starts = [(source.count("\n", 0, m.start()) + 1, m[2]) for m in cells]

    def entry(kind, name, node, obj, signature="", flag="", doc=None):
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        cell = next((c for at, c in reversed(starts) if at <= first), "")
        doc = inspect.cleandoc(ast.get_docstring(node) or "") if doc is None else doc
        return Entry(kind, module, name, (first, node.end_lineno), cell, signature, doc, table(obj) if callable(obj) else "", flag)

    def method(owner, f, kind, flag, cls):
        bound = flag != "staticmethod"
        e = entry(kind, f"{owner}.{f.name}", f, _bare(cls, f.name), "" if kind == "property" else _arguments(f, bound), flag)
        if owner in out: out[owner].members.append(e)
        else: out[e.name] = e

    tree = ast.parse(source)
    for n in tree.body:
        if isinstance(n, ast.ClassDef) and n.name in public:
            cls, start = getattr(live, n.name), next((f for f in n.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
            patched = next((f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == "__init__" and n.name in _owners(f)[0]),
                None)
            is_data = any("dataclass" in ast.unparse(d) for d in n.decorator_list)
            made = _arguments(start or patched, True) if start or patched else _fields(n) if is_data else ""
            kind = "exception" if issubclass(cls, BaseException) else "class"
            out[n.name] = entry(kind, n.name, n, cls if start or patched or is_data else None, made)
            for f in n.body:
                if isinstance(f, ast.Assign) and _is_property(f):
                    out[n.name].members.append(entry("property", f"{n.name}.{f.targets[0].id}", f, None, doc=_said_beside(f, lines)))
                if not isinstance(f, ast.FunctionDef) or not _public(f.name): continue
                marks = {ast.unparse(d).split("(")[0] for d in f.decorator_list}
                if any(m.endswith(".setter") for m in marks): continue
                kind = "property" if marks & {"property", "cached_property", "functools.cached_property"} else "method"
                method(n.name, f, kind, next(iter(marks & {"classmethod", "staticmethod"}), ""), cls)
        elif isinstance(n, ast.FunctionDef) and _owners(n)[0]:
            names, kind, flag = _owners(n)
            for owner in names:
                cls = getattr(live, owner, None)
                if _public(n.name) and cls is not None and not owner.startswith("_"): method(owner, n, kind, flag, cls)
        elif isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)) and n.name in public:
            out[n.name] = entry("function", n.name, n, getattr(live, n.name), _arguments(n, False))
        elif isinstance(n, (ast.Assign, ast.AnnAssign)):
            for t in (n.targets if isinstance(n, ast.Assign) else [n.target]):
                if isinstance(t, ast.Name) and t.id in public and t.id not in out:
                    value = " ".join(ast.unparse(n.value).split()) if n.value else ""
                    out[t.id] = entry("data", t.id, n, None, value if len(value) <= 70 else "", doc=_said_beside(n, lines))
    return list(out.values())


def read_package(root, package="rag_nb", order=()):
    "The entries of each module, by the module's name, in that order."
    home = Path(root)/package
    paths = {p.relative_to(home).with_suffix("").as_posix().replace("/", "."): p for p in home.rglob("*.py") if not p.name.startswith("_")}
    return {m: read_module(paths[m], m, package) for m in sorted(paths, key=lambda o: (list(order).index(o) if o in order else 999, o))}
