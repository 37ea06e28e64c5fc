"""Type stubs beside the modules, for editors and type checkers: each class whole, with the methods that later cells and modules patch into it.

    python tools/stubs.py          # write rag_nb/**/*.pyi, and the block of rag_nb/__init__.py that names the public imports
    python tools/stubs.py check    # are they in step with the modules?

The modules are parsed and never imported. fastcore's `py2pyi` imports them, knows neither `@patch(as_prop=True)` nor methods
from other modules, and drops the comments that say what a parameter means; here these end up in the docstrings.
"""
import ast, copy, io, re, sys, textwrap, tokenize
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "# what editors read: written by tools/stubs.py from _PUBLIC", "# until here"
KEPT = {"property", "cached_property", "classmethod", "staticmethod", "dataclass", "contextmanager", "abstractmethod", "overload"}
DEFS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class Module:
    "A module's text, its syntax tree, and what its names are."
    name: str                                        # without the package's name: `core.answer`
    source: str
    tree: ast.Module
    package: str = "rag_nb"
    comments: dict = field(default_factory=dict)     # line: (column, text)
    imports: dict = field(default_factory=dict)      # name: (absolute module, name there or None for the module itself)
    defined: dict = field(default_factory=dict)      # name: its node, for what the module makes at its top


def comments_of(source):
    "The comments of a text, by line, each with its column."
    marks = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: (t.start[1], re.sub(r"^#+\s*", "", t.string)) for t in marks if t.type == tokenize.COMMENT}


def flat(body):
    "The statements of a module, those under a condition included."
    for n in body:
        if isinstance(n, ast.If) and ast.unparse(n.test).startswith("__name__"): continue
        if isinstance(n, ast.If): yield from flat([*n.body, *n.orelse])
        elif isinstance(n, ast.Try): yield from flat([*n.body, *(s for h in n.handlers for s in h.body), *n.orelse, *n.finalbody])
        else: yield n


def read(name, source, package="rag_nb"):
    "A parsed module, with its imports resolved and its own names."
    m = Module(name, source, ast.parse(source), package, comments_of(source))
    for n in flat(m.tree.body):
        if isinstance(n, ast.Import):
            for o in n.names: m.imports[o.asname or o.name.split(".")[0]] = (o.name if o.asname else o.name.split(".")[0], None)
        elif isinstance(n, ast.ImportFrom):
            parts = [package, *name.split(".")][:-n.level] if n.level else []
            for o in n.names: m.imports[o.asname or o.name] = (".".join([*parts, *filter(None, [n.module])]), o.name)
        elif isinstance(n, (*DEFS, ast.ClassDef)) and not owners(n): m.defined.setdefault(n.name, n)
        elif isinstance(n, (ast.Assign, ast.AnnAssign)):
            for t in n.targets if isinstance(n, ast.Assign) else [n.target]:
                for o in ast.walk(t):
                    if isinstance(o, ast.Name) and isinstance(o.ctx, ast.Store): m.defined.setdefault(o.id, n)
    return m


def head(d):
    "The last name of a decorator: `property` of `functools.property(...)`."
    d = d.func if isinstance(d, ast.Call) else d
    return d.attr if isinstance(d, ast.Attribute) else getattr(d, "id", "")


def owners(f):
    "The names of the classes that a function is patched into; none for a plain one."
    if not isinstance(f, DEFS): return []
    for d in f.decorator_list:
        if head(d) == "patch_to": at = d.args[0]
        elif head(d) == "patch" and f.args.args: at = f.args.args[0].annotation
        else: continue
        return [o.id if isinstance(o, ast.Name) else o.value for o in ast.walk(at)
            if isinstance(o, ast.Name) or isinstance(getattr(o, "value", None), str)]
    return []


def trailing(comments, line, after=0): return comments[line][1] if line in comments and comments[line][0] >= after else ""


def said(f, comments):
    "What the comments beside a function's arguments say: name, meaning; what comes back is called `return`."
    a, out = f.args, {}
    every = sorted([*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, [a.vararg, a.kwarg])], key=lambda o: (o.lineno, o.col_offset))
    defaults = dict(zip([*a.posonlyargs, *a.args][::-1], a.defaults[::-1])) | dict(zip(a.kwonlyargs, a.kw_defaults))
    first, last = f.lineno, f.body[0].lineno
    if first == last: return {}
    ends = [max(o.end_lineno, getattr(defaults.get(o), "end_lineno", 0)) for o in every]
    for i, o in enumerate(every):
        above = [comments[n][1] for n in range((ends[i-1] if i else first) + 1, o.lineno) if n in comments]
        beside = trailing(comments, ends[i]) if i + 1 == len(every) or every[i+1].lineno > ends[i] else ""
        if ends[i] == first: beside = ""
        text = " ".join([*above, beside]).strip()
        if text: out[o.arg] = text
    back = [trailing(comments, n) for n in range(max([first, *ends]) + 1, last) if n in comments]
    if back: out["return"] = " ".join(back)
    return out


def document(doc, meanings):
    "A docstring with its parameters listed below, in one form for stubs and notebooks."
    if not meanings: return doc or ""
    lines = [f"    {o}: {m}" for o, m in meanings.items() if o != "return"]
    parts = [doc or "", "\n".join(["Parameters:", *lines]) if lines else "",
        f"Returns: {meanings['return']}" if "return" in meanings else ""]
    return "\n\n".join(filter(None, parts))


class Tidy(ast.NodeTransformer):
    "Annotations as type checkers take them: no strings, no functions for types."
    def visit_Constant(self, n):
        if not isinstance(n.value, str): return n
        try: return self.visit(ast.parse(n.value, mode="eval").body)
        except SyntaxError: return ast.Name("Any")
    def visit_Name(self, n): return {"callable": ast.parse("Callable[..., Any]", mode="eval").body, "any": ast.Name("Any")}.get(n.id, n)
    def visit_Subscript(self, n):
        of = ast.unparse(n.value).rpartition(".")[2]
        return n if of == "Literal" else self.visit(n.slice.elts[0]) if of == "Annotated" else self.generic_visit(n)


def annotation(node, default=None):
    "An annotation made tidy; `| None` is added where that is the default."
    if node is None: return None
    new = Tidy().visit(copy.deepcopy(node))
    empty = isinstance(default, ast.Constant) and default.value is None
    if empty and not re.search(r"\b(None|Optional|Any|object)\b", ast.unparse(new)): new = ast.BinOp(new, ast.BitOr(), ast.Constant(None))
    return new


def plain(value):
    "A default as it is where it is a plain constant, else an ellipsis."
    if value is None: return None
    try: ast.literal_eval(value)
    except ValueError: return ast.Constant(...)
    return value if isinstance(value, (ast.Constant, ast.UnaryOp)) else ast.Constant(...)


def signature(f):
    "The arguments of a function with tidy annotations and plain defaults."
    a = copy.deepcopy(f.args)
    both = [*a.posonlyargs, *a.args]
    for o, d in [*zip(both[::-1], [*a.defaults[::-1], *[None]*len(both)]), *zip(a.kwonlyargs, a.kw_defaults)]:
        o.annotation = annotation(o.annotation, d)
    for o in filter(None, [a.vararg, a.kwarg]): o.annotation = annotation(o.annotation)
    a.defaults, a.kw_defaults = [plain(d) for d in a.defaults], [plain(d) for d in a.kw_defaults]
    return a


def literal(text):
    "A docstring's node; unparse would put one with line breaks on one line."
    return ast.Expr(ast.Constant(text))


def function(f, m, owner=None):
    """A function's stub: signature, docstring with the parameters' meanings, no body.

    A class method that is called `from_…` gives its class where it doesn't say what else."""
    args, marks = signature(f), []
    for d in f.decorator_list:
        keys = {k.arg for k in getattr(d, "keywords", [])}
        if head(d) == "patch" and keys: marks.append(ast.Name("property" if "as_prop" in keys else "classmethod"))
        elif head(d) in KEPT or head(d) == "setter": marks.append(d)
    if owners(f): (args.posonlyargs or args.args)[0].annotation = None
    doc = document(ast.get_docstring(f), said(f, m.comments))
    body = [*([literal(doc)] if doc else []), ast.Expr(ast.Constant(...))]
    made = owner and f.name.startswith("from_") and any(getattr(d, "id", "") == "classmethod" for d in marks)
    returns = annotation(f.returns) or (ast.Constant(None) if f.name == "__init__" else ast.Name(owner) if made else None)
    return type(f)(name=f.name, args=args, body=body, decorator_list=marks, returns=returns, type_params=[])


def guess(value, m, known, local=None):
    "The type of a value where its text says it, else `Any`."
    kinds = {ast.Dict: "dict", ast.DictComp: "dict", ast.List: "list", ast.ListComp: "list", ast.Set: "set", ast.JoinedStr: "str"}
    if isinstance(value, ast.Constant) and type(value.value) in (str, int, float, bool, bytes): return ast.Name(type(value.value).__name__)
    if type(value) in kinds: return ast.Name(kinds[type(value)])
    if isinstance(value, ast.Name) and (local or {}).get(value.id): return (local or {})[value.id]
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and home(value.func.id, m, known, ast.ClassDef):
        return ast.Name(value.func.id)
    return ast.Name("Any")


def home(name, m, known, kind=None):
    "The module of the package that makes a name which `m` uses, or None."
    seen = set()
    while m and m.name not in seen:
        seen.add(m.name)
        if name in m.defined: return m.name if kind is None or isinstance(m.defined[name], kind) else None
        where, name = m.imports.get(name, ("", None))
        m = known.get(where.partition(".")[2]) if name and where.startswith(m.package + ".") else None


def field_of(name, note, value=None): return ast.AnnAssign(ast.Name(name, ast.Store()), note, value, 1)


def attributes(fs, m, known):
    "What methods set on `self`: name, type."
    out = {}
    for f in fs:
        if not (f.args.posonlyargs or f.args.args): continue
        me = (f.args.posonlyargs or f.args.args)[0].arg
        both = [*f.args.posonlyargs, *f.args.args]
        notes = {o.arg: annotation(o.annotation, d) for o, d in [*zip(both[::-1], [*f.args.defaults[::-1], *[None]*len(both)]),
            *zip(f.args.kwonlyargs, f.args.kw_defaults)]}
        for n in ast.walk(f):
            if not isinstance(n, (ast.Assign, ast.AnnAssign)): continue
            for t in n.targets if isinstance(n, ast.Assign) else [n.target]:
                pairs = zip(t.elts, n.value.elts) if isinstance(t, ast.Tuple) and isinstance(n.value,
                    ast.Tuple) and len(t.elts) == len(n.value.elts) else \
                        [(o, None) for o in t.elts] if isinstance(t, ast.Tuple) else [(t, n.value)]
                for o, v in pairs:
                    if not (isinstance(o, ast.Attribute) and isinstance(o.value, ast.Name) and o.value.id == me): continue
                    new = annotation(n.annotation) if isinstance(n, ast.AnnAssign) else guess(v, m, known, notes)
                    if o.attr in out and ast.unparse(out[o.attr]) != ast.unparse(new): new = ast.Name("Any")
                    out[o.attr] = new
    return out


def class_stub(c, m, known, patches):
    "A class with its fields, its methods and those patched into it: (node, the modules that its parts come from)."
    is_data = any(head(d) == "dataclass" for d in c.decorator_list)
    fields, methods, tail, parts = {}, {}, [], []
    def put(f, origin):
        new = function(f, origin, c.name)
        key = (f.name, "setter" if any(head(d) == "setter" for d in f.decorator_list) else "")
        methods[key] = new; parts.append((new, origin))
    meanings = {}
    for n in c.body:
        if isinstance(n, DEFS): put(n, m)
        elif isinstance(n, ast.ClassDef): tail.append(class_stub(n, m, known, {})[0])
        elif isinstance(n, ast.AnnAssign):
            keep = n.value if isinstance(n.value, ast.Call) and any(k.arg in ("init", "kw_only")
                for k in n.value.keywords) else plain(n.value) and ast.Constant(...)
            fields[n.target.id] = field_of(n.target.id, annotation(n.annotation, n.value), keep)
            if is_data and not n.target.id.startswith("_") and trailing(m.comments, n.end_lineno):
                meanings[n.target.id] = trailing(m.comments, n.end_lineno)
        elif isinstance(n, ast.Assign):
            for t in n.targets:
                if isinstance(t, ast.Name) and isinstance(n.value, ast.Name) and home(n.value.id, m, known, ast.ClassDef):
                    fields[t.id] = field_of(t.id, ast.parse(f"type[{n.value.id}]", mode="eval").body, ast.Constant(...))
                elif isinstance(t, ast.Name) and isinstance(n.value, ast.Name): tail.append(ast.Assign([t], n.value, lineno=1))
                elif isinstance(t, ast.Name) and isinstance(n.value, ast.Call) and head(n.value) == "property":
                    back = trailing(m.comments, n.end_lineno)
                    methods[t.id, ""] = ast.parse(f"@property\ndef {t.id}(self):\n    {back!r}\n    ...").body[0]
                elif isinstance(t, ast.Name): fields.setdefault(t.id, field_of(t.id, guess(n.value, m, known), ast.Constant(...)))
    for f, origin in patches.get((m.name, c.name), []):
        if isinstance(f, DEFS): put(f, origin)
        else: fields.pop(f, None); fields[f] = field_of(f, ast.Name("Any"))
    own = [f for f in c.body if isinstance(f, DEFS)] + [f for f, _ in patches.get((m.name, c.name), []) if isinstance(f, DEFS)]
    named = {k for k, _ in methods} | {t.targets[0].id for t in tail if isinstance(t, ast.Assign)}
    for name, note in attributes(own, m, known).items():
        late = ast.parse("field(init=False)", mode="eval").body if is_data else None
        if name not in fields and name not in named:
            fields[name] = field_of(name, note, late); parts += [(fields[name], o) for _, o in patches.get((m.name, c.name), [])]
    fields = {k: v for k, v in fields.items() if k not in named}
    doc = document(ast.get_docstring(c), meanings)
    tail = [t for t in tail if not isinstance(t, ast.Assign) or t.value.id in named]
    body = [*([literal(doc)] if doc else []), *fields.values(), *methods.values(), *tail] or [ast.Expr(ast.Constant(...))]
    marks = [d for d in c.decorator_list if head(d) in KEPT]
    bases = [o if isinstance(o, (ast.Name, ast.Attribute, ast.Subscript)) else ast.Name("Any") for o in c.bases]   # `type(x)` has no name
    new = ast.ClassDef(name=c.name, bases=bases, keywords=c.keywords, body=body, decorator_list=marks, type_params=[])
    return new, [*parts, (new, m)]


def used(node):
    "The plain names that a stub mentions."
    return {o.id for o in ast.walk(node) if isinstance(o, ast.Name)}


def patched(known):
    "For each class of the package: its patched functions, and names set on it from outside, each with its module."
    out = {}
    for m in known.values():
        for n in flat(m.tree.body):
            for owner in owners(n):
                at = home(owner, m, known, ast.ClassDef)
                if at: out.setdefault((at, owner), []).append((n, m))
            if not isinstance(n, ast.Assign) or not isinstance(n.targets[0], ast.Attribute) or not isinstance(n.targets[0].value, ast.Name):
                continue
            owner, name = n.targets[0].value.id, n.targets[0].attr
            at, made = home(owner, m, known, ast.ClassDef), m.defined.get(getattr(n.value, "id", None))
            if at: out.setdefault((at, owner), []).append((made if isinstance(made, DEFS) else name, m))
    return out


def data(n, m, known):
    "What a module's assignment makes."
    if isinstance(n, ast.AnnAssign): return [field_of(n.target.id, annotation(n.annotation))] if isinstance(n.target, ast.Name) else []
    names = [o.id for t in n.targets for o in ast.walk(t) if isinstance(o, ast.Name) and isinstance(o.ctx, ast.Store)]
    if len(names) == 1 and isinstance(n.value, ast.Lambda):
        return [ast.FunctionDef(name=names[0], args=signature(n.value), body=[ast.Expr(ast.Constant(...))], decorator_list=[],
            returns=None, type_params=[])]
    if len(names) == 1 and isinstance(n.value, ast.Name) and isinstance(m.defined.get(n.value.id), (*DEFS, ast.ClassDef)):
        return [ast.Assign([ast.Name(names[0])], n.value, lineno=1)]
    return [field_of(o, guess(n.value, m, known) if len(names) == 1 else ast.Name("Any")) for o in names if o != "__all__"]


def stub(m, known, patches, wanted, package="rag_nb"):
    "The text of a module's stub. `wanted` are the names that others take from here though it only imports them."
    body, parts, seen = [], [], {o for o in m.imports if o in m.defined}   # an import with something else where it fails
    for n in flat(m.tree.body):
        if owners(n) or isinstance(n, (ast.Import, ast.ImportFrom)): continue
        if isinstance(n, ast.ClassDef): made, more = class_stub(n, m, known, patches); made = [made]; parts += more
        elif isinstance(n, DEFS): made = [function(n, m)]
        elif isinstance(n, (ast.Assign, ast.AnnAssign)): made = data(n, m, known)
        else: continue
        for o in made:
            name = getattr(o, "name", None) or (o.target if isinstance(o, ast.AnnAssign) else o.targets[0]).id
            if name in seen: continue
            seen.add(name); body.append(o); parts.append((o, m))
    needs = {o: m.imports[o] for o in seen if o in m.imports}
    for node, origin in sorted(parts, key=lambda o: o[1] is not m):
        for name in used(node) - seen - set(needs):
            if name in origin.imports: needs.setdefault(name, origin.imports[name])
            elif name in origin.defined: needs.setdefault(name, (f"{package}.{origin.name}", name))
    for name in wanted & set(m.imports): needs[name] = m.imports[name]
    mentioned = set().union(*(used(o) for o in body)) if body else set()
    needs |= {o: ("typing", "Any") for o in ["Any"] if o in mentioned and o not in needs} | {o: ("collections.abc", o)
        for o in ["Callable"] if o in mentioned and o not in needs}
    if "field" in mentioned: needs.setdefault("field", ("dataclasses", "field"))
    lines = []
    for name, (where, what) in sorted(needs.items(), key=lambda o: (o[1][0].startswith(package), o[1][0], o[0])):
        alias = f" as {name}" if name != (what or where) or name in wanted else ""
        lines.append(f"from {where} import {what}{alias}" if what else f"import {where}{alias}")
    listed = next((ast.unparse(n) for n in m.tree.body if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "__all__"), "")
    doc = ast.get_docstring(m.tree)
    parts = [f'"""{doc}"""' if doc else "", "# Written by tools/stubs.py: do not edit.", "\n".join(lines), listed,
        *(written(o) for o in body)]
    return "\n\n".join(filter(None, parts)) + "\n"


def written(node):
    "A node's text, wide arguments one a line, nothing wider than the project's lines where that can be helped."
    text = re.sub(r":\n +\.\.\.$", ": ...", ast.unparse(ast.fix_missing_locations(node)), flags=re.M)
    return "\n".join(line if len(line) <= 140 or not re.match(r"\s*(?:async )?def ", line) else broken(line) for line in text.splitlines())


def broken(line):
    "A long signature, over several lines."
    indent, start = re.match(r"\s*", line)[0], line.index("(") + 1
    pieces, depth, last = [], 1, start
    for i in range(start, len(line)):
        depth += (line[i] in "([{") - (line[i] in ")]}")
        if depth == 0 or depth == 1 and line[i] == ",": pieces.append(line[last:i].strip()); last = i + 1
        if depth == 0: break
    inside = textwrap.fill(", ".join(p.replace(" ", "\0") for p in pieces), 132 - len(indent), break_long_words=False,
        break_on_hyphens=False).replace("\0", " ")
    return "\n".join([line[:start], textwrap.indent(inside, indent + "    "), indent + line[last - 1:]])


def sources(root=ROOT, package="rag_nb"):
    "The modules that notebooks make, by name."
    lib = root/package
    paths = sorted(p for p in lib.rglob("*.py") if not p.name.startswith("_"))
    return {n: read(n, p.read_text(encoding="utf8"), package) for p in paths
        for n in [p.relative_to(lib).with_suffix("").as_posix().replace("/", ".")]}


def public(text):
    "The table _PUBLIC in the text of rag_nb/__init__.py."
    node = next(n for n in ast.parse(text).body if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "_PUBLIC")
    return {k: v.split() for k, v in ast.literal_eval(node.value).items()}


def block(names):
    "The imports under TYPE_CHECKING."
    lines = [f"from . import {o} as {o}" for o in dict.fromkeys(m.partition(".")[0] for m in names)]
    for module, offered in names.items():
        if offered:
            lines += textwrap.wrap(f"from .{module} import ({', '.join(f'{o} as {o}' for o in offered)})", 136, break_long_words=False,
                break_on_hyphens=False, subsequent_indent="    ")
    return "\n".join([BEGIN, "if _typing.TYPE_CHECKING:", "    __version__: str", *(f"    {o}" for o in lines), END])


def outputs(root=ROOT, package="rag_nb"):
    "Path and text of everything that is written here."
    lib, known = root/package, sources(root, package)
    init = (lib/"__init__.py").read_text(encoding="utf8")
    names, patches = public(init), patched(known)
    wanted = {n: set(names.get(n, [])) for n in known}
    for m in known.values():
        for where, what in m.imports.values():
            at = where.removeprefix(package + ".")
            if what and at in known: wanted[at].add(what)
    out = {lib/f"{n.replace('.', '/')}.pyi": stub(m, known, patches, wanted[n], package) for n, m in known.items()}
    if BEGIN in init:
        out[lib/"__init__.py"] = init[:init.index(BEGIN)] + block(names) + init[init.index(END, init.index(BEGIN)) + len(END):]
    return out | {lib/"py.typed": ""}


def stale(root=ROOT, package="rag_nb"):
    "The files that are not what the modules say, those of modules that are gone included."
    out = outputs(root, package)
    gone = [p for p in (root/package).rglob("*.pyi") if p not in out]
    return [p.relative_to(root).as_posix() for p in [*gone, *(p for p, t in out.items()
        if not p.exists() or p.read_text(encoding="utf8") != t)]]


def write(root=ROOT, package="rag_nb"):
    "Write what is stale, and remove stubs of modules that are gone."
    out = outputs(root, package)
    for name in stale(root, package):
        if root/name in out: (root/name).write_text(out[root/name], encoding="utf8")
        else: (root/name).unlink()


def main():
    if sys.argv[1:] == ["check"]:
        old = stale()
        if old: sys.exit("not what the modules say (run `make export`): " + ", ".join(old))
    elif sys.argv[1:]: sys.exit(__doc__)
    else: write()


if __name__ == "__main__": main()
