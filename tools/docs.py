"""The site: the lessons as a book, a reference of every public name, search, live widgets; nothing in it asks another host.

    python tools/docs.py build [--out _site]      # nbdev's processed notebooks, through MyST-NB, with sphinx-book-theme
    python tools/docs.py serve [--port 8000]      # look at it

The widgets' and the formulas' JavaScript comes from the npm packages in PACKAGES, checked by hash and kept in the cache.
Where npm is missing the site is built without them, and says so.
"""
import argparse, base64, hashlib, html, importlib.util, io, json, logging, os, re, shutil, subprocess, sys, tarfile, tempfile, time
from configparser import ConfigParser
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT/"tools"))

# The rooms of the package in reading order, each a folder of lessons, and what the table of contents calls them.
ROOMS = {"core": "The book", "hf": "Published code and checkpoints", "store": "Make it last", "fast": "Make it fast",
    "scale": "Make it big",
         "show": "Look at it", "trust": "How far to trust it", "demo": "The default, and the command line"}
AT_THE_END = {"cli": "demo"}  # lessons beside the rooms, and the room that they close
TUTORIALS = "Tutorials"
# The order of the tutorials: by the first of these words that is in the file's name; the others follow by name.
WORDS = ["start", "minute", "figure", "document", "sequence", "index", "gpu", "tun", "scal"]
# from the root of the project
PAGES = {"GLOSSARY.md": "Glossary", "CONTRIBUTING.md": "Contributing", "SECURITY.md": "Security", "CHANGELOG.md": "Changes",
    "LICENSE": "Licence"}

# npm package: version, hash of the package, and which files go where in the site's _static folder
PACKAGES = {
    "@jupyter-widgets/html-manager": ("1.0.15", "sha512-5thBIV6ymNgmPVOHvzx+gGy8ZSKmSazhtGw4/c4xJDVzRhG9PTeQsRjF3FUTopvFi//SABeNz1yp47bCrJ3CQA==",
        {r"dist/(embed-amd\.js|\w+\.woff2)": "widgets/"}),
    "requirejs": ("2.3.8", "sha512-7/cTSLOdYkNBNJcDMWf+luFvMriVm7eYxp4BcFCsAX0wF421Vyce5SXP17c+Jd5otXKGNehIonFlyQXSowL6Mw==",
    {r"(require\.js)": "widgets/"}),
    "katex": ("0.19.1", "sha512-jG8uKntjSEcm2EpQOh0XturpPuuC9r3Sq5HLHdsFdWZT27E672SF19QEi+of0/YeOy15lDgRhKvr5614uRrEfA==",
        {r"dist/(katex\.min\.(?:js|css))": "katex/", r"dist/(fonts/\w+-\w+\.woff2)": "katex/"}),
}
WIDGETS = {"widgets/require.js": {}, "widgets/assets.js": {}, "widgets/embed-amd.js": {"data-jupyter-widgets-cdn": "unknown-widgets/"}}
SAVED = "A widget as it was saved: what needs no Python still answers; run the notebook for the rest."
VIEW, STATE = "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json"
# What a page may do: run what is in it or beside it, and ask nobody else.
POLICY = "default-src 'self' file: data: blob: 'unsafe-inline' 'unsafe-eval'; form-action 'self' file:; base-uri 'self'; object-src 'none'"


# ---- facts, and the order of the book

def facts(root=ROOT):
    "What settings.ini says about the project, and the address of its repository where pyproject.toml has one."
    ini = ConfigParser(delimiters=["="], interpolation=None)
    ini.read(root/"settings.ini", encoding="utf8")
    urls = re.search(r"^\[project\.urls\]\n((?:[^\[\n].*\n|\n)*)", (root/"pyproject.toml").read_text(encoding="utf8"), re.M)
    repository = re.search(r'^"?(?:repository|source|source code|github)"?\s*=\s*"([^"]+?)/?"', urls[1] if urls else "", re.M | re.I)
    return dict(ini["DEFAULT"]) | {"repository": repository[1] if repository else ""}


def lessons(nbs):
    "The lessons as (room, path), in reading order; from the files that are there. A book without rooms has them side by side."
    rooms = ["", *ROOMS]
    numbered = [(room, p) for room in rooms for p in sorted((nbs/room).glob("[0-9]*_*.ipynb"))]
    return sorted(numbered + [(room, nbs/f"{n}.ipynb") for n, room in AT_THE_END.items() if (nbs/f"{n}.ipynb").exists()],
        key=lambda o: rooms.index(o[0]))


def page_of(path, nbs):
    "A lesson's page: its path under the folder of notebooks, without the ending."
    return path.relative_to(nbs).with_suffix("").as_posix()


def contents(nbs):
    "Titles of rooms with the names of their pages, in reading order."
    acts = {}
    for room, p in lessons(nbs): acts.setdefault(ROOMS.get(room, "Lessons"), []).append(page_of(p, nbs))
    key = lambda p: (next((i for i, w in enumerate(WORDS) if w in p.stem), len(WORDS)), p.stem)
    tutorials = [f"tutorials/{p.stem}" for p in sorted((nbs/"tutorials").glob("*.ipynb"), key=key)]
    return acts | ({TUTORIALS: tutorials} if tutorials else {})


def title_of(notebook):
    "A notebook's title and its sentence, from its first cell."
    first = "".join(json.loads(notebook.read_text(encoding="utf8"))["cells"][0]["source"])
    sentence = re.search(r"^> (.*)$", first, re.M)
    return re.search(r"^# (.*)$", first, re.M)[1].strip(), sentence[1].strip() if sentence else ""


# ---- files from npm

def cache_dir():
    "Where the packages are kept: in the library's own cache."
    base = os.environ.get("RAG_NB_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()/"rag_nb"
    return Path(base)/"npm"


def integrity(data): return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def fetch(package):
    "A package's archive, from the cache or by `npm pack`, or a sentence on why there is none."
    version, want, _ = PACKAGES[package]
    kept = cache_dir()/f"{package.strip('@').replace('/', '-')}-{version}.tgz"
    if kept.exists() and integrity(data := kept.read_bytes()) == want: return data
    npm = shutil.which("npm")
    if not npm: return "npm is not installed"
    with tempfile.TemporaryDirectory() as tmp:
        done = subprocess.run([npm, "pack", f"{package}@{version}", "--silent", "--ignore-scripts", "--pack-destination", tmp],
                              capture_output=True, text=True, cwd=tmp, stdin=subprocess.DEVNULL)
        got = next(Path(tmp).glob("*.tgz"), None)
        if done.returncode or not got:
            return f"`npm pack {package}@{version}` failed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        data = got.read_bytes()
        if integrity(data) != want: return f"{package} {version} from npm is not the file that it should be: {integrity(data)}, not {want}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_bytes(data); os.replace(part, kept)
    return data


def unpack(package, data, static):
    "The files of a package that the site needs, and its licence."
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for m in (m for m in tar if m.isfile()):
            name = m.name.partition("/")[2]
            for pattern, folder in {**PACKAGES[package][2], r"(LICENSE)": f"licences/{package.replace('/', '-').strip('@')}-"}.items():
                if not (found := re.fullmatch(pattern, name)): continue
                to = static/(folder + found[1])
                to.parent.mkdir(parents=True, exist_ok=True); to.write_bytes(tar.extractfile(m).read())


def scripts(static):
    "Put the JavaScript into place; whether widgets and formulas can be live."
    got = {p: fetch(p) for p in PACKAGES}
    live = {"widgets": ["@jupyter-widgets/html-manager", "requirejs"], "formulas": ["katex"]}
    for what, needs in live.items():
        missing = [got[p] for p in needs if isinstance(got[p], str)]
        live[what] = not missing
        if missing: say(f"without live {what}: {missing[0]}")
        else: [unpack(p, got[p], static) for p in needs]
    return live


# ---- notebooks

CODE = re.compile(r"(^(?P<ticks>`{3,}|~{3,})[^\n]*\n.*?^(?P=ticks)[^\n]*$)", re.M | re.S)
IMAGE = r"!\[([^\]]*)\]\(((?:https?:)?//[^)\s]+)[^)]*\)"
BADGE = re.compile(r"\[" + IMAGE + r"\]\(([^)\s]+)\)")
TAG = re.compile(r"""(?:<a\b[^>]*?href=["']([^"']+)["'][^>]*>\s*)?<img\b([^>]*?)src=["']((?:https?:)?//[^"']+)["']([^>]*)>(?:\s*</a>)?""",
    re.I)
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()(?![a-z][a-z0-9+.-]*:|//|#)([^)\s#]+)(#[^)\s]*)?(\))")
SPAN = re.compile(r"(?<![`\[\w])(`[^`\n]+`)(?![`\]\w])")


def outside_code(text, change):
    "Change Markdown, but not what stands in its blocks of code."
    parts = CODE.split(text)  # text, block, ticks, text, …
    return "".join(change(parts[i]) + (parts[i + 1] if i + 1 < len(parts) else "") for i in range(0, len(parts), 3))


def without_remote_images(text):
    "A badge becomes a button with its words; another host's picture becomes a link to it."
    button = lambda words, to: f'<a class="badge" href="{html.escape(to)}">{html.escape(words or "Open")}</a>'
    text = BADGE.sub(lambda m: button(m[1], m[3]), text)
    text = re.sub(IMAGE, lambda m: f"[{m[1] or 'picture'}]({m[2]})", text)
    alt = lambda m: (re.search(r"""alt=["']([^"']*)["']""", m[2] + m[4]) or ["", ""])[1]
    return TAG.sub(lambda m: button(html.unescape(alt(m)), html.unescape(m[1] or m[3])), text)


def relink(text, page, nbs, repository):
    "Links to files of the project that are pages of the site lead there, others into the repository, or become plain words where it has no address."
    home = (nbs/page).parent
    def there(m):
        target = Path(os.path.normpath(home/unquote(m[2])))
        inside = target.is_relative_to(nbs)
        if inside and target.exists() and not target.is_dir(): return m[0]
        if target.is_relative_to(ROOT) or target.is_relative_to(nbs.parent):
            name = target.relative_to(nbs.parent if target.is_relative_to(nbs.parent) else ROOT)
            if str(name) in PAGES: return f"{m[1]}{os.path.relpath(nbs/'project'/(name.stem + '.md'), home)}{m[3] or ''}{m[4]}"
            if name.parts and (ROOT/name).exists():
                return f"{m[1]}{repository}/blob/main/{name}{m[3] or ''}{m[4]}" if repository else m[1][1:-2]
        return m[0]  # leads nowhere: Sphinx says so
    return outside_code(text, lambda t: LINK.sub(there, t))


class Site:
    "What the pages have to know of each other while notebooks are processed."
    def __init__(self, root=ROOT, nbs=None, reference=True):
        self.root, self.nbs, self.facts = root, nbs or root/"nbs", facts(root)
        self.package, self.acts, self.live = self.facts["lib_path"], contents(self.nbs), {"widgets": True, "formulas": True}
        self.lessons = {m: page_of(p, self.nbs) for _, p in lessons(self.nbs) if (m := _module_of(p))}
        self.pages = [page_of(p, self.nbs) for _, p in lessons(self.nbs)]
        self.modules, self.public = {}, {}
        if reference:
            import reference as ref
            logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # which says on import what this machine cannot do
            sys.path.insert(0, str(root))  # the package beside the notebooks, whichever else is installed
            self.modules = ref.read_package(root, self.package, list(self.lessons))
            names = importlib.import_module(self.package)._PUBLIC
            self.public = {n: m for m, o in names.items() for n in o.split()}
        every = [e for es in self.modules.values() for c in es for e in [c, *c.members]]
        self.entries = {(e.module, e.name): e for e in every}
        # What prose may mean by a name in `code`: what the package offers, and the methods of its classes.
        self.known = {e.name: e for e in every if e.name in self.public or e.owner in self.public}

    def ref(self, e, text=None): return "{py:obj}`" + f"{text or e.name} <{self.package}.{e.module}.{e.name}>`"

    def link(self, module): return f"[`{module}`](/api/{module}.md)"

    def linked(self, text):
        "The first mention of each public name in a cell, and each lesson's, leads to its page."
        seen = set()
        def one(m):
            name = m[1].strip("`").removesuffix("()")
            if name in seen: return m[1]
            seen.add(name)
            if name in self.known: return self.ref(self.known[name], m[1].strip("`"))
            return f"[`{name}`](/{name}.ipynb)" if name in self.pages else m[1]
        def lines(t): return "\n".join(o if re.match(r"\s*#|\s*\|.*\]\(", o) else SPAN.sub(one, o) for o in t.split("\n"))
        return outside_code(text, lines)

    def markdown(self, text, page):
        text = outside_code(text, without_remote_images)
        return self.linked(relink(text, page, self.nbs, self.facts["repository"]))

    def about(self, page):
        "The line under a lesson's title: its module, its notebook to take away, and where it is in the repository."
        path, repository = self.nbs/page, self.facts["repository"]
        module, parts = _module_of(path), []
        if module in self.modules: parts.append(f"module [`{self.package}.{module}`](/api/{module}.md)")
        parts.append("{download}`notebook <" + f"/downloads/{page}>`")
        if repository:
            parts.append(f"[in the repository]({repository}/blob/main/nbs/{page})")
            if module: parts.append(f"[its module]({repository}/blob/main/{self.package}/{module.replace('.', '/')}.py)")
            if "github.com/" in repository:
                parts.append(f"[open in Colab](https://colab.research.google.com/github/{repository.split('github.com/')[1]}/blob/main/nbs/{page})")
        return ":::{container} about\n" + " · ".join([*([f"lesson {page.removesuffix('.ipynb')}"] if module else []), *parts]) + "\n:::"


def _module_of(notebook):
    "The module that a notebook exports, or None."
    found = re.search(r'"#\|\s*default_exp\s+([\w.]+)', notebook.read_text(encoding="utf8"))
    return found[1] if found else None


def under_title(text, line):
    "A first cell with a line put under its title and its sentence."
    head = re.match(r"# [^\n]*\n*(?:>[^\n]*\n)*", text + "\n")
    return f"{text[:head.end()].rstrip()}\n\n{line}\n\n{text[head.end():]}" if head else f"{line}\n\n{text}"


def _only_imports(source):
    lines = [o for o in source.split("\n") if o.strip() and not o.startswith("#")]
    return all(re.match(r"(from|import)\s|[ )]|\)", o) for o in lines)


def caption(output):
    "What a picture says to those who do not see it."
    plain = "".join(output["data"].get("text/plain", "")).strip().split("\n")[0]
    return "A plot made by the code above" if not plain or plain.startswith("<") else plain


def processor(site):
    "The step of nbdev's processing that makes a notebook a page of this site; it runs nothing."
    from nbdev.processors import Processor, mk_cell

    class Page(Processor):
        def begin(self):
            nb, self.page = self.nb, Path(self.nb.path_).resolve().relative_to(site.nbs.resolve()).as_posix()
            self.module, cells = _module_of(Path(nb.path_)), []
            state = nb.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
            self.models = set(state) if site.live["widgets"] else set()
            for c in nb.cells: cells += self.code(c) if c.cell_type == "code" else self.text(c) if c.cell_type == "markdown" else []
            if not site.live["widgets"]: nb.metadata.pop("widgets", None)
            nb.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
            title = next(i for i, c in enumerate(cells) if c.cell_type == "markdown")
            if self.page != "index.ipynb": cells[title].source = under_title(cells[title].source, site.about(self.page))
            else: cells.append(mk_cell(toctrees(site), "markdown"))
            nb.cells[:] = cells
            for i, c in enumerate(nb.cells): c.idx_ = i

        def text(self, c):
            if "hide" in c.directives_ or c.source.lstrip().startswith("#|"): return []
            c.source = site.markdown(c.source, self.page)
            return [c]

        def code(self, c):
            d, tags = c.directives_, []
            said = lambda key, value="false": d.get(key, "").strip(": ") == value
            if d.keys() & {"hide", "default_exp"} or said("include"): return []
            c.source = re.sub(r"\A(?:[ \t]*#\|[^\n]*\n?)+", "", c.source).strip("\n")
            c.outputs = [o for o in map(self.output, c.get("outputs", [])) if o]
            if said("echo") or "hide_input" in d: tags.append("remove-input")
            if said("output") or "hide_output" in d: tags.append("remove-output")
            exported = d.keys() & {"export", "exporti", "exports"}
            if exported and _only_imports(c.source) or said("code-fold", "true"): tags.append("hide-input")
            if exported: tags.append("exported")
            if not c.source and not c.outputs: return []
            c.metadata = {"tags": tags, "mystnb": {"code_prompt_show": "What this lesson imports",
                "code_prompt_hide": "What this lesson imports"}}
            pictures = [o for o in c.outputs if any(k.startswith("image/") for k in o.get("data", {}))]
            if pictures: c.metadata["mystnb"]["image"] = {"alt": caption(pictures[0])}
            after = [mk_cell(":::{container} saved\n" + SAVED + "\n:::", "markdown")] if any(VIEW in o.get("data", {})
                for o in c.outputs) else []
            entries = [e for (m, _), e in site.entries.items() if m == self.module and e.cell == c.id] if exported else []
            if not entries: return [c, *after]
            target = mk_cell(f"({label(self.module, c.id)})=\n<span></span>", "markdown")
            names = " · ".join(dict.fromkeys(site.ref(e) for e in entries))
            return [target, c, mk_cell(":::{container} entries\nreference: " + names + "\n:::", "markdown")]

        def output(self, o):
            "An output without what a page must not run; a widget whose state was not kept shows what else it has."
            data = o.get("data")
            if data is None: return o
            if VIEW in data and data[VIEW].get("model_id") not in self.models: data.pop(VIEW)
            for k in ("application/javascript", *(["text/markdown"] if len(data) > 1 else [])): data.pop(k, None)
            return o if data else None

    return Page


def label(module, cell): return f"lesson-{module}-{cell}".replace("_", "-").replace(".", "-")


def process(site, work):
    "nbdev's processing of a copy of the notebooks; the folder of pages that it makes."
    import nbdev.processors as steps, nbdev.serve
    shutil.copytree(site.nbs, work/"nbs", ignore=shutil.ignore_patterns(".*", "_proc", "_docs", "_site", "*.yml", "*.css"))
    (work/"pyproject.toml").write_text(re.sub(r'^nbs_path *=.*$', 'nbs_path = "nbs"',
        (site.root/"pyproject.toml").read_text(encoding="utf8"), flags=re.M), encoding="utf8")
    site.nbs = work/"nbs"

    class Steps(steps.FilterDefaults):
        "nbdev's steps without those that execute cells or write Quarto; the page's own in their place."
        def base_procs(self):
            return [steps.populate_language, steps.strip_ansi, steps.hide_line, steps.filter_stream_, steps.rm_header_dash, steps.hide_,
                    processor(site), steps.clean_magics, steps.strip_hidden_metadata]

    keep, nbdev.serve.FilterDefaults = nbdev.serve.FilterDefaults, Steps
    try: return Path(nbdev.serve.proc_nbs(str(work/"nbs"), n_workers=0, force=True))
    finally: nbdev.serve.FilterDefaults = keep


# ---- pages that are no notebooks

def toctrees(site):
    "The table of contents: an act a tree."
    tree = lambda caption, pages: "```{toctree}\n:hidden:\n:caption: " + caption + "\n\n" + "\n".join(pages) + "\n```"
    trees = [tree(a, p) for a, p in site.acts.items()]
    if site.modules: trees.append(tree("Reference", ["Names <api/names>", "Modules <api/modules>"]))
    return "\n\n".join([*trees, tree("Project", [f"{t} <project/{Path(p).stem}>" for p, t in PAGES.items() if (site.root/p).exists()])])


def project_pages(site, src):
    "The pages of the root, from GLOSSARY to LICENSE, as pages of the site."
    (src/"project").mkdir(exist_ok=True)
    for name, title in PAGES.items():
        if not (site.root/name).exists(): continue
        text = (site.root/name).read_text(encoding="utf8")
        text = relink(text, f"../{name}", site.nbs, site.facts["repository"]) if name.endswith(".md") else f"# {title}\n\n```text\n{text}\n```\n"
        text = LINK.sub(lambda m: f"{m[1]}/{m[2][4:]}{m[3] or ''}{m[4]}" if m[2].startswith("nbs/") else m[0], text)
        (src/"project"/f"{Path(name).stem}.md").write_text(text, encoding="utf8")


def entry_page(site, e, depth=4):
    "One name of the reference, with what belongs to it."
    from reference import inline
    ticks, options = "`" * (depth + bool(e.members)), []
    if e.flag: options.append(f":{e.flag}:")
    if e.kind == "data" and e.signature: options.append(f":value: {e.signature}")
    body = [inline(p) for p in re.split(r"\n\s*\n", e.doc) if p.strip()] + ([e.table] if e.table else [])
    home = e.owner and next((o for o in site.known.values() if o.name == e.owner), None)
    if e.owner and home and home.module != e.module: body.insert(0, f"*Added to* {site.ref(home)}.")
    if e.cell: body.append(":::{container} entries\n[where it is explained](#" + label(e.module, e.cell) + ")\n:::")
    body += [entry_page(site, m, depth) for m in e.members]
    return "\n".join([f"{ticks}{{py:{e.kind}}} {e.name}{e.signature if e.kind != 'data' else ''}", *options, "", "\n\n".join(body), ticks])


def reference_pages(site, src):
    "A page a module, the modules' own page, and the names that are imported from the package itself."
    from reference import inline
    api, package = src/"api", site.package
    api.mkdir(exist_ok=True)
    rows, pages = [], []
    for m, entries in site.modules.items():
        lesson = site.lessons.get(m)
        title, sentence = title_of(site.root/"nbs"/f"{lesson}.ipynb") if lesson else (m, "")
        written = f"Written in lesson [{title}](/{lesson}.ipynb)." if lesson else ""
        body = [f"# `{package}.{m}`", inline(sentence), written, f"```{{py:module}} {package}.{m}\n```",
            *(entry_page(site, e) for e in entries)]
        (api/f"{m}.md").write_text("\n\n".join(filter(None, body)) + "\n", encoding="utf8")
        rows.append(f"| [`{package}.{m}`](/api/{m}.md) | {inline(sentence, cell=True)} | "
            f"{f'[{title}](/{lesson}.ipynb)' if lesson else ''} |")
        pages.append(m)
    head = f"# Modules\n\nIn reading order, room by room. What is imported from `{package}` itself stands under [names](/api/names.md).\n\n"
    tree = "\n\n```{toctree}\n:hidden:\n\n" + "\n".join(f"{package}.{m} <{m}>" for m in pages) + "\n```\n"
    (api/"modules.md").write_text(head + "\n".join(["| module | what it is about | lesson |", "| --- | --- | --- |", *rows]) + tree,
        encoding="utf8")
    def row(n, m):
        e = site.entries.get((m, n))
        if e: return f"| {site.ref(e)} | {inline(e.summary, cell=True)} | {site.link(m)} |"
        home = getattr(importlib.import_module(f"{package}.{m}"), n).__module__.partition(".")[0]
        return f"| `{n}` | as in `{home}` | {site.link(m)} |"  # somebody else's, handed on
    rows = [row(n, m) for n, m in site.public.items()]
    methods = [f"| {site.ref(e)} | {inline(e.summary, cell=True)} | {site.link(e.module)} |" for e in site.known.values()
               if e.owner and not any(e in c.members for c in site.modules[e.module])]
    text = [f"# Names you import from {package}", f"`from {package} import Rag` brings the name and its module the first time it is used; "
        f"`import {package}` alone imports nothing else.",
            "\n".join(["| name | what it is | module |", "| --- | --- | --- |", *rows])]
    if methods: text += ["## Methods that come along", "Added to these classes by later modules, and there as soon as a class is.",
                         "\n".join(["| name | what it is | module |", "| --- | --- | --- |", *methods])]
    (api/"names.md").write_text("\n\n".join(text) + "\n", encoding="utf8")


# ---- Sphinx

def setup(app):
    "A Sphinx extension: formulas for KaTeX, the page's policy, source pages, safe widget state."
    from docutils import nodes
    import myst_nb.core.render as render

    def math(self, node, display):
        tag, text = ("div", node.astext()) if display else ("span", node.astext())
        self.body.append(self.starttag(node, tag, "", CLASS=f"math notranslate nohighlight{' display' if display else ''}")
            + self.encode(text) + f"</{tag}>")
        raise nodes.SkipNode

    def page(app, pagename, templatename, context, doctree):
        context["metatags"] = context.get("metatags", "") + f'\n<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n<meta name="color-scheme" content="light dark">'
        if app.config.rag_nb_formulas and doctree is not None and next(doctree.findall(lambda n: isinstance(n,
            (nodes.math, nodes.math_block))), None):
            app.add_css_file("katex/katex.min.css")
            app.add_js_file("katex/katex.min.js", priority=100)  # before require.js, which would take it for a module of its own
            app.add_js_file("formulas.js", priority=101)

    def source(app, module):
        site = app.config.rag_nb_site
        entries = site.modules.get(module.removeprefix(f"{site.package}."))
        if entries is None: return None
        path = site.root/site.package/f"{module.removeprefix(f'{site.package}.').replace('.', '/')}.py"
        tags = {e.name: ("class" if e.kind == "class" else "def", *e.lines) for c in entries for e in [c, *c.members]}
        return path.read_text(encoding="utf8"), tags

    def script_text(content):
        "What stands in a script element cannot end it: in JSON every < is written as its number."
        try: json.loads(content)
        except ValueError: return re.sub(r"<(?=/script|!--)", r"\\u003c", content, flags=re.I)
        return content.replace("<", "\\u003c")

    render.sanitize_script_content = script_text
    app.add_config_value("rag_nb_site", None, "", types=()); app.add_config_value("rag_nb_formulas", False, "html", types=[bool])
    app.add_html_math_renderer("katex", (partial(math, display=False), None), (partial(math, display=True), None))
    app.connect("html-page-context", page, priority=900)
    app.connect("viewcode-find-source", source)
    return {"parallel_read_safe": True}


def config(site, static):
    "Sphinx's settings."
    f = site.facts
    return dict(
        project=f["lib_name"], author=f["author"], version=f["version"], release=f["version"], language="en", smartquotes=False,
        extensions=["myst_nb", "sphinx.ext.viewcode", "docs"], rag_nb_site=site, rag_nb_formulas=site.live["formulas"],
        exclude_patterns=["downloads"], myst_enable_extensions=["dollarmath", "amsmath", "colon_fence", "attrs_inline"],
        myst_heading_anchors=4, myst_update_mathjax=False,
        nb_execution_mode="off", nb_ipywidgets_js=WIDGETS if site.live["widgets"] else {}, nb_render_markdown_format="commonmark",
        nb_merge_streams=True,
        html_theme="sphinx_book_theme", html_title=f["lib_name"], html_static_path=[str(static)], html_css_files=["site.css"],
        html_favicon=str(static/"favicon.svg"),
        html_logo=str(static/"favicon.svg"), html_math_renderer="katex", html_context={"default_mode": "auto"}, html_copy_source=False,
        html_show_sourcelink=False, html_show_copyright=False, html_permalinks_icon="#",
        html_theme_options=dict(home_page_in_toc=False, use_download_button=False, use_fullscreen_button=False, show_toc_level=2,
        navigation_with_keys=False, logo={"text": f["lib_name"], "alt_text": ""},
                                footer_content_items=[], pygments_light_style="a11y-high-contrast-light",
                                pygments_dark_style="a11y-high-contrast-dark"),
        toc_object_entries_show_parents="hide", python_maximum_signature_line_length=88, add_module_names=False,
        python_use_unqualified_type_names=True,
        viewcode_follow_imported_members=False, keep_warnings=False)


def say(text): print(f">> {text}", flush=True)


def build(out=ROOT/"_site", root=ROOT, nbs=None, reference=True, quiet=True):
    "Build the site into `out`, which is replaced when all is well; the list of what is wrong otherwise."
    from sphinx.application import Sphinx
    sys.modules.setdefault("docs", sys.modules[__name__])
    start, out = time.time(), Path(out).absolute()
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp).resolve()
        site, static, warnings = Site(root, nbs, reference), tmp/"static", io.StringIO()
        shutil.copytree(ROOT/"tools"/"site", static)
        site.live = scripts(static)
        src = process(site, tmp/"work")
        shutil.copytree(tmp/"work"/"nbs", src/"downloads", ignore=lambda d,
            names: [n for n in names if not (n.endswith(".ipynb") or (Path(d)/n).is_dir())])
        if site.modules: reference_pages(site, src)
        project_pages(site, src)
        app = Sphinx(str(src), None, str(tmp/"html"), str(tmp/"doctrees"), "html", confoverrides=config(site, static),
            status=None if quiet else sys.stdout,
                     warning=warnings, freshenv=True)
        app.build()
        wrong = [re.sub(r"\x1b\[[0-9;]*m", "", o).replace(str(src), "") for o in warnings.getvalue().splitlines() if o.strip()]
        for o in [tmp/"html"/".buildinfo", *(tmp/"html"/"_static").glob("*-macros.html")]: o.unlink(missing_ok=True)
        wrong += faults(tmp/"html")
        if not wrong:
            (tmp/"html"/".nojekyll").touch()
            if out.exists(): shutil.rmtree(out)
            out.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(tmp/"html", out)
            say(f"{sum(1 for _ in out.rglob('*.html'))} pages in {os.path.relpath(out)}, {time.time()-start:.0f} s")
    return wrong


# ---- what must not be in a page

LOADS = {"img": "src srcset", "script": "src", "iframe": "src", "source": "src srcset", "video": "src poster", "audio": "src",
    "embed": "src", "object": "data",
         "track": "src", "input": "src", "use": "href xlink:href", "image": "href xlink:href", "link": "href", "form": "action"}
REMOTE = re.compile(r"\s*(?:https?:)?//", re.I)


class Seen(HTMLParser):
    "What a page loads, where it links, and the places in it that can be linked to."
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.loads, self.links, self.ids, self.styles, self._style = [], [], set(), [], False
        self.feed(text); self.close()

    def handle_starttag(self, tag, attrs):
        a = {k: v or "" for k, v in attrs}
        self.ids |= {a[k] for k in ("id", "name") if k in a}
        self._style = tag == "style"
        if "style" in a: self.styles.append(a["style"])
        if tag == "a" and "href" in a: self.links.append(a["href"])
        names = "" if tag == "link" and a.get("rel") in ("next", "prev", "index", "search", "author", "canonical") else LOADS.get(tag, "")
        self.loads += [u for n in names.split() if n in a for u in ([o.split()[0] for o in a[n].split(",") if o.strip()] if n == "srcset"
            else [a[n]])]

    def handle_data(self, data):
        if self._style: self.styles.append(data)
    def handle_endtag(self, tag): self._style = False


def _addresses(css):
    "What a style sheet loads."
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    return [a or b for a, b in re.findall(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""", css)]


def faults(folder):
    "Everything that a page of the site would ask of another host, and every link or picture inside it that leads nowhere."
    pages = {p.relative_to(folder).as_posix(): Seen(p.read_text(encoding="utf8")) for p in sorted(folder.rglob("*.html"))}
    out = []
    for name, page in pages.items():
        loads = page.loads + [u for css in page.styles for u in _addresses(css)]
        out += [f"{name} would load {u}" for u in loads if REMOTE.match(u)]
        for u in [o for o in loads + page.links if not REMOTE.match(o)]:
            parts = urlsplit(u)
            if parts.scheme: continue
            target = os.path.normpath(os.path.join(os.path.dirname(name), unquote(parts.path))).replace(os.sep, "/") if parts.path else name
            if not (folder/target).is_file(): out.append(f"{name} leads to {u}, which is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                out.append(f"{name} leads to {u}: no such place in {target}")
    for css in sorted(folder.rglob("*.css")):
        for u in _addresses(css.read_text(encoding="utf8")):
            if REMOTE.match(u): out.append(f"{css.relative_to(folder)} would load {u}")
    return list(dict.fromkeys(out))


def serve(folder=ROOT/"_site", port=8000):
    "Serve the site on this machine until interrupted."
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *a): pass
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=str(folder)))
    say(f"http://127.0.0.1:{server.server_port}/   (Ctrl-C to stop)")
    try: server.serve_forever()
    except KeyboardInterrupt: pass


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("do", choices=["build", "serve"]); a.add_argument("--out", default=ROOT/"_site", type=Path)
    a.add_argument("--port", default=8000, type=int); a.add_argument("--verbose", action="store_true")
    a.add_argument("--notebooks", type=Path, help="pages from this folder instead, without the reference")
    o = a.parse_args()
    if o.do == "serve": return serve(o.out, o.port) if (o.out/"index.html").exists() else sys.exit(f"{o.out} has no site: run `make docs`")
    if wrong := build(o.out, nbs=o.notebooks and o.notebooks.absolute(), reference=not o.notebooks, quiet=not o.verbose):
        sys.exit("\n".join(wrong) + f"\n>> the site was not built: {len(wrong)} fault{'s' * (len(wrong) > 1)}")


if __name__ == "__main__": main()
