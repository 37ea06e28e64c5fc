"The documentation site, built once and opened in a real browser, with every request to another host refused and written down."
import functools, html, importlib.util, inspect, json, os, re, shutil, subprocess, sys, threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import urlopen

import pytest

import rag_nb

ROOT = Path(__file__).resolve().parent.parent
for package in ("sphinx", "myst_nb", "sphinx_book_theme", "nbdev"):
    if not importlib.util.find_spec(package):
        pytest.skip(f"{package} is not installed: there is no site without it", allow_module_level=True)


def load(name):
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT/"tools"/f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


docs = load("docs")
EVIL = "<script>window.ran=1</script><img src=x onerror='window.ran=2'>[a](javascript:window.ran=3) ![b](http://elsewhere.example/b.png) </SCRIPT ><!--<script>"


def build(out, *arguments, **env):
    "Build a site in a process of its own, as `make docs` does; what it printed."
    done = subprocess.run([sys.executable, str(ROOT/"tools"/"docs.py"), "build", "--out", str(out), *map(str, arguments)], cwd=ROOT,
                          capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"} | env)
    return done.returncode, done.stdout + done.stderr


def notebook(path, *cells, widgets=None):
    "A notebook of (type, source, outputs)."
    cells = [dict(cell_type=k, id=f"cell-{i:02}", source=s, metadata={}, **(dict(outputs=o, execution_count=None) if k == "code" else {}))
        for i, (k, s, o) in enumerate(cells)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(cells=cells, metadata=widgets or {}, nbformat=4, nbformat_minor=5)))


def shown(**data): return dict(output_type="display_data", metadata={}, data={k.replace("_", "/"): v for k, v in data.items()})


def small_book(folder):
    "A book of two pages: saved widgets, outputs and Markdown from hostile hands."
    import ipywidgets as w
    from ipywidgets.embed import dependency_state
    from rag_nb.show.html import hits_html
    from rag_nb.core.passages import Hits
    slider, number, label = w.IntSlider(value=3, max=10), w.IntText(value=3), w.Label(value=EVIL)
    link = w.jslink((slider, "value"), (number, "value"))
    box = w.VBox([slider, number, label, w.Text(value=EVIL, description=EVIL)])
    state = dependency_state([box, link])
    view = {"application/vnd.jupyter.widget-view+json": {"version_major": 2, "version_minor": 0, "model_id": box.model_id},
        "text/plain": "VBox(a slider)"}
    lost = {"application/vnd.jupyter.widget-view+json": {"version_major": 2, "version_minor": 0, "model_id": "0" * 32},
        "text/plain": "Lost(its state was not kept)"}
    hits = Hits.of([[dict(id="1", title=EVIL, text=EVIL)]], [[1.]])
    notebook(folder/"index.ipynb", ("markdown", "# A small book\n\n> Of two pages.\n\n[the other](00_hostile.ipynb), [how to work](../CONTRIBUTING.md)", None))
    notebook(folder/"00_hostile.ipynb",
             ("markdown", "# Hostile\n\n> Text stays text.\n\n[![Open in Colab](https://elsewhere.example/badge.svg)](https://elsewhere.example/colab)\n\n"
                          "![far](https://elsewhere.example/far.png) <img src=\"https://elsewhere.example/tag.png\" alt=\"tag\">\n\n`<script>window.ran=4</script>` and $a<b$", None),
             ("code", "#| default_exp hostile", []), ("code", "#| hide\nsecret = 1", []),
             ("code", "#| echo: false\nunseen = 1", [shown(text_plain="heard")]),
             ("code", "print(x)", [dict(output_type="stream", name="stdout", text=EVIL)]),
             ("code", "x", [shown(text_plain=EVIL)]), ("code", "hits", [shown(text_html=hits_html(hits), text_plain="Hits")]),
             ("code", "md", [shown(text_markdown=EVIL + "{eval-rst}`x`", text_plain=EVIL)]),
             ("code", "js", [shown(application_javascript="window.ran=5", text_plain="a script")]),
             ("code", "box", [dict(output_type="display_data", metadata={}, data=view)]),
             ("code", "gone", [dict(output_type="display_data", metadata={}, data=lost)]),
             widgets={"widgets": {"application/vnd.jupyter.widget-state+json": {"version_major": 2, "version_minor": 0, "state": state}}})
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    "The whole site, and what its build printed."
    out = tmp_path_factory.mktemp("site")/"html"
    status, said = build(out)
    assert status == 0, said[-4000:]
    return out


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    "The small book's site."
    folder = tmp_path_factory.mktemp("book")
    status, said = build(folder/"html", "--notebooks", small_book(folder/"nbs"))
    assert status == 0, said[-4000:]
    return folder/"html"


@pytest.fixture(scope="module")
def serve():
    "A function that serves a folder on this machine and says where."
    servers = []
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *a): pass
    def start(folder):
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"
    yield start
    for s in servers: s.shutdown(); s.server_close()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as p:
        b = p.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--no-first-run"])
        yield b
        b.close()


@pytest.fixture
def visit(browser):
    "A function that opens an address in a fresh page; the page notes what it asked of others, what failed and what went wrong."
    contexts = []
    def go(url, width=1200, scheme="light"):
        # The page's own policy is switched off, so that what it would have stopped is seen here as a request.
        contexts.append(browser.new_context(viewport=dict(width=width, height=900), color_scheme=scheme, bypass_csp=True))
        page = contexts[-1].new_page()
        page.asked, page.wrong = [], []
        home = url.split("/", 3)[2]
        def gate(route):
            here = urlsplit(route.request.url)
            if here.netloc == home or here.scheme in ("data", "blob", "file"): return route.continue_()
            page.asked.append(route.request.url); route.abort()
        contexts[-1].route("**/*", gate)
        page.on("websocket", lambda ws: page.asked.append(ws.url))
        page.on("response", lambda r: page.wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        page.on("pageerror", lambda e: page.wrong.append(str(e)))
        page.on("console", lambda m: page.wrong.append(m.text) if m.type == "error" else None)
        page.goto(url); page.wait_for_load_state("networkidle")
        return page
    yield go
    for c in contexts: c.close()


CONTRAST = """() => {
    const parts = c => c.match(/[\\d.]+/g).map(Number), alpha = c => parts(c).length > 3 ? parts(c)[3] : 1;
    const light = c => parts(c).slice(0, 3).map(v => v/255).map(v => v <= .03928 ? v/12.92 : ((v + .055)/1.055)**2.4).reduce((t, v, i) => t + v*[.2126, .7152, .0722][i], 0);
    const behind = e => { while (e && alpha(getComputedStyle(e).backgroundColor) < .9) e = e.parentElement; return e ? getComputedStyle(e).backgroundColor : 'rgb(255, 255, 255)' };
    const seen = [];
    for (const e of document.querySelectorAll('.bd-article *, .bd-sidebar-primary a, .page-toc a')) {
        if (e.closest('.ragnb, svg, .headerlink, .katex') || !e.checkVisibility() || ![...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())) continue;
        const [high, low] = [light(getComputedStyle(e).color), light(behind(e))].sort((a, b) => b - a);
        seen.push([(high + .05)/(low + .05), e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 30)]);
    }
    return seen.sort((a, b) => a[0] - b[0]) }"""  # WCAG: letters against what is behind them, the faintest first


live = pytest.mark.skipif(not shutil.which("npm") and not list(docs.cache_dir().glob("*.tgz")),
    reason="npm is not installed, so that widgets are not live")


PAGES = ["index.html", "core/10_answer.html", "show/03_plots.html", "show/07_widgets.html", "tutorials/coming_from_transformers.html",
    "api/core.answer.html", "api/names.html", "api/modules.html", "search.html?q=posterior", "_modules/rag_nb/core/answer.html"]


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_nobody(site, serve, visit, name):
    "Nothing is requested from another host, nothing is missing and no script fails, in light and dark."
    for scheme, width in (("light", 1200), ("dark", 380)):
        page = visit(serve(site) + name, width, scheme)
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)"); page.wait_for_timeout(200)
        assert page.asked == [] and page.wrong == []


@pytest.mark.browser
@pytest.mark.parametrize("name", ["index.html", "core/10_answer.html", "show/07_widgets.html", "api/core.answer.html"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_can_be_read(site, serve, visit, name, scheme):
    "Wide and narrow, light and dark: nothing sticks out at the side, and letters stand out from what is behind them."
    for width in (1200, 380):
        page = visit(serve(site) + name, width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.documentElement.dataset.theme") == scheme and page.locator(".bd-article h1").first.is_visible()
        back = max(map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]))
        assert back < 80 if scheme == "dark" else back > 200
        faint = page.evaluate(CONTRAST)
        assert len(faint) > 50 and faint[0][0] >= 4.5, faint[:5]


@pytest.mark.browser
def test_pictures_formulas_and_displays_are_there(site, serve, visit):
    url = serve(site)
    page = visit(url + "show/03_plots.html")
    pictures = page.eval_on_selector_all(".cell_output img", "l => l.map(e => [e.naturalWidth, e.alt])")
    assert len(pictures) >= 3 and all(w > 50 and alt for w, alt in pictures)
    page = visit(url + "core/00_marginal.html")
    assert page.locator(".math .katex").count() >= 3 and page.locator(".katex-error").count() == 0
    assert page.evaluate("document.fonts.check('16px KaTeX_Main')") and "\\prod" not in page.locator(".math.display .katex-html").first.inner_text()
    page = visit(url + "index.html")
    page.locator(".text_html summary").first.click()
    assert page.locator(".text_html details[open]").count() == 1  # static HTML answers without Python


@pytest.mark.browser
@live
def test_the_saved_widgets_of_the_book_are_alive(site, serve, visit):
    "The explorer and the browser stand as they were saved; folding out a passage and moving a slider need no Python."
    page = visit(serve(site) + "show/07_widgets.html")
    page.wait_for_selector(".widget-slider .noUi-handle")
    assert page.locator(".cell_output .widget-text input").count() >= 2 and page.locator(".cell_output .widget-subarea").count() >= 2
    readout = page.locator(".widget-slider .widget-readout").first
    before = readout.inner_text()
    page.locator(".widget-slider .noUi-handle").first.focus(); page.keyboard.press("ArrowLeft")
    page.wait_for_function("before => document.querySelector('.widget-slider .widget-readout').innerText != before", arg=before)
    page.locator(".widget-subarea .ragnb summary").first.click()
    assert page.locator(".widget-subarea .ragnb details[open]").count() == 1
    assert page.locator(".saved").count() >= 2 and page.asked == [] and page.wrong == []


@pytest.mark.browser
def test_no_formula_is_wrong(site, serve, visit):
    url = serve(site)
    for path in sorted(site.rglob("*.html")):
        if 'class="math ' not in path.read_text(encoding="utf8"): continue
        page = visit(url + path.relative_to(site).as_posix())
        assert page.locator(".katex-error").count() == 0, path.name
        assert page.locator(".math").count() == page.locator(".math .katex-html").count(), path.name


@pytest.mark.browser
def test_search_finds_words_and_names(site, serve, visit):
    url = serve(site)
    page = visit(url + "index.html")
    page.locator("button.search-button-field:visible, button.search-button:visible").first.click()
    page.keyboard.type("marginal"); page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a")
    assert "search.html" in page.url and page.locator('#search-results a[href*="core/00_marginal.html"]').count()
    page = visit(url + "search.html?q=from_documents")
    page.wait_for_selector('#search-results a[href*="api/core.answer.html#rag_nb.core.answer.Rag.from_documents"]')
    page = visit(url + "search.html?q=zzyzzxqq")
    page.wait_for_function("/did not match|no documents/i.test(document.querySelector('#search-results').innerText)")
    assert page.locator("#search-results li").count() == 0 and page.asked == []


@pytest.mark.browser
def test_from_a_folder(site, visit):
    "Opened as a file, without a server, a page looks the same."
    page = visit((site/"core/00_marginal.html").as_uri())
    assert page.locator(".math .katex").count() >= 3 and page.wrong == [] and page.asked == []
    assert page.evaluate("getComputedStyle(document.querySelector('.bd-sidebar-primary')).position") == "sticky"


def test_every_link_and_picture_is_there(site, serve):
    "Whatever a page leads to inside the site is answered; places inside pages exist."
    url, seen, ids = serve(site), {}, {}
    for path in sorted(site.rglob("*.html")):
        text = re.sub(r"<(script|style)\b.*?</\1>", "", path.read_text(encoding="utf8"), flags=re.S)
        name = path.relative_to(site).as_posix()
        ids[url + name] = set(re.findall(r'\sid="([^"]*)"', text))
        for link in re.findall(r'\s(?:href|src)="([^"]*)"', text):
            link = urljoin(url + name, html.unescape(link))
            if link.startswith(url): seen.setdefault(link, name)
    assert len(seen) > 500
    answered = {}
    for link, name in seen.items():
        page, _, place = link.partition("#")
        if page not in answered: answered[page] = urlopen(page).status
        assert answered[page] == 200, f"{name} leads to {link}"
        if place and page in ids: assert unquote(place) in ids[page], f"{name} leads to {link}"


def documented():
    "What a reader can call, found by looking at the living classes: module, name, object."
    for name in rag_nb.__all__:
        o = getattr(rag_nb, name)
        home = rag_nb._HOME[name]
        if not getattr(o, "__module__", "rag_nb").startswith("rag_nb"): continue  # handed on from another package
        yield home, name, o
        for attribute, member in (vars(o).items() if inspect.isclass(o) else ()):
            f = getattr(member, "fget", None) or getattr(member, "__func__", member)
            own = inspect.isfunction(f) and f.__module__.startswith("rag_nb.") and f.__qualname__ in (f"{name}.{attribute}",
                f"{name}.<lambda>")
            if own and not attribute.startswith("_"): yield f.__module__.partition(".")[2], f"{name}.{attribute}", f


def test_every_public_name_has_its_entry(site):
    "Patched methods included; with a row for each parameter that has something said about it."
    from fastcore.docments import docments
    pages, tables = {}, 0
    for module, name, o in documented():
        text = pages.setdefault(module, (site/"api"/f"{module}.html").read_text(encoding="utf8"))
        at = text.find(f'id="rag_nb.{module}.{name}"')
        assert at >= 0, f"{name} is not on the page of {module}"
        if not (inspect.isfunction(o) and o.__name__ != "<lambda>"
            and (said := {k: v for k, v in docments(o).items() if v and k not in ("return", "self", "cls")})):
            continue
        entry = text[at:text.find("<dl class=\"py", at)]
        for parameter, meaning in said.items():
            row = re.search(rf'<tr[^>]*><td><p><code[^>]*><span class="pre">\**{parameter}</span></code></p></td>.*?</tr>', entry, re.S)
            assert row, f"{name}: no row for {parameter}"
            words = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", row[0])))
            assert re.sub(r"[`\s’'\"“”]", "", str(meaning)) in re.sub(r"[\s’'\"“”]", "", words), (name, parameter)
            tables += 1
    assert tables > 100
    names = (site/"api"/"names.html").read_text(encoding="utf8")
    for n in rag_nb.__all__:
        assert f'#rag_nb.{rag_nb._HOME[n]}.{n}"' in names or f'<span class="pre">{n}</span></code></p></td>\n<td><p>as in ' in names, n


def test_the_contents_are_the_notebooks(site):
    "Each notebook is a page, under its act, in order; the README's table says the same."
    front = (site/"index.html").read_text(encoding="utf8")
    nav = front[front.index("bd-docs-nav"):front.index("</nav>", front.index("bd-docs-nav"))]
    listed = re.findall(r'href="((?:\w+/\d\d_\w+|cli|tutorials/\w+))\.html"', nav)
    lessons, tutorials = [docs.page_of(p, ROOT/"nbs") for _, p in docs.lessons(ROOT/"nbs")], {f"tutorials/{p.stem}"
        for p in (ROOT/"nbs"/"tutorials").glob("*.ipynb")}
    assert listed[:len(lessons)] == lessons and set(listed[len(lessons):]) == tutorials
    captions = re.findall(r'class="caption-text">([^<]+)<', nav)
    assert captions == [*docs.contents(ROOT/"nbs"), "Reference", "Project"]
    act, readme = "", (ROOT/"README.md").read_text(encoding="utf8")
    for said, page in re.findall(r"^\| *([^|\[]*?) *\| \[`([\w/]+)`\]", readme, re.M):
        act = said or act
        assert page in docs.contents(ROOT/"nbs")[act], f"the README puts {page} under {act}"


def test_a_lesson_shows_its_code_and_leads_to_the_reference(site):
    text = (site/"core/10_answer.html").read_text(encoding="utf8")
    assert 'href="../api/core.answer.html#rag_nb.core.answer.Rag.ask"' in text and 'class="reference download internal"' in text
    assert "torch.set_num_threads" not in re.sub(r"<[^>]+>", "", text) and "default_exp" not in text and "#| " not in text
    api = (site/"api"/"core.answer.html").read_text(encoding="utf8")
    assert "../_modules/rag_nb/core/answer.html#Rag.ask" in api and re.search(r'href="\.\./core/10_answer\.html#lesson-core-answer-cell-\d+"', api)
    source = (site/"_modules"/"rag_nb"/"core"/"answer.html").read_text(encoding="utf8")
    assert 'id="Rag.demo"' in source and 'id="Rag.ask"' in source  # a class is whole in its own module
    got = re.search(r'href="\.\./(_downloads/[^"]+\.ipynb)"', text)
    assert (site/got[1]).read_bytes() == (ROOT/"nbs"/"core"/"10_answer.ipynb").read_bytes()


def test_nbdev_can_make_its_own_pages(tmp_path):
    "nbdev-docs has what it needs up to the point where Quarto takes over: every notebook is processed, and the settings can be read."
    import yaml
    shutil.copytree(ROOT/"nbs", tmp_path/"nbs", ignore=shutil.ignore_patterns(".*", "_proc"))
    shutil.copy(ROOT/"pyproject.toml", tmp_path)
    done = subprocess.run([sys.executable, "-c", "from nbdev.serve import proc_nbs; proc_nbs('nbs', n_workers=0, force=True)"],
        cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    made = {p.relative_to(tmp_path/"_proc") for p in (tmp_path/"_proc").rglob("*.ipynb")}
    assert made == {p.relative_to(ROOT/"nbs") for p in (ROOT/"nbs").rglob("*.ipynb")
        if not any(o[0] in "._" for o in p.relative_to(ROOT/"nbs").parts)}
    assert "def ask(" in (tmp_path/"_proc"/"core"/"10_answer.ipynb").read_text(encoding="utf8")
    quarto, project = (yaml.safe_load((ROOT/"nbs"/o).read_text(encoding="utf8")) for o in ("_quarto.yml", "nbdev.yml"))
    assert quarto["project"]["type"] == "website" and quarto["metadata-files"][0] == "nbdev.yml" and project["website"]["title"] == "rag_nb"


# ---- a small book of hostile pages

@pytest.mark.browser
@live
def test_saved_widgets_render_and_stay_linked(book, serve, visit):
    page = visit(serve(book) + "00_hostile.html")
    page.wait_for_selector(".widget-slider [role=slider], .widget-slider .noUi-handle")
    number = page.locator(".widget-text input[type=number]").first
    assert number.input_value() == "3"
    handle = page.locator(".widget-slider .noUi-handle").first
    handle.focus()
    for _ in range(4): page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.widget-text input[type=number]').value == '7'")
    assert page.locator(".widget-slider .widget-readout").inner_text().strip() == "7"
    assert page.asked == [] and page.wrong == []


@pytest.mark.browser
@live
def test_hostile_text_stays_text(book, serve, visit):
    page = visit(serve(book) + "00_hostile.html")
    label = page.locator(".widget-label", has_text="window.ran=1").first
    label.wait_for(); page.wait_for_timeout(500)
    assert page.evaluate("window.ran") is None and page.asked == [] and page.wrong == []
    article = page.locator(".bd-article").inner_text()
    assert article.count("<script>window.ran=1</script>") >= 4 and "window.ran=5" not in article and "a script" in article
    assert label.inner_text().startswith("<script>window.ran=1</script>")
    assert page.locator("article a[href^='javascript']").count() == 0
    assert page.locator(".bd-article img").count() == 0 and page.locator("a.badge[href='https://elsewhere.example/colab']").inner_text() == "Open in Colab"
    assert page.locator("a[href='https://elsewhere.example/far.png']").inner_text() == "far"
    assert not any(o in page.content() for o in ("secret = 1",
        "unseen = 1")) and "heard" in article and "Lost(its state was not kept)" in article
    assert page.locator(".math .katex-mathml").count() == 1


@pytest.mark.browser
def test_the_page_itself_forbids_other_hosts(book, serve, browser):
    "Without our refusing: the browser stops what a page's own policy does not allow."
    context = browser.new_context(); page = context.new_page()
    page.goto(serve(book) + "index.html")
    said = page.evaluate("""() => new Promise(done => { document.addEventListener('securitypolicyviolation', e => done(e.effectiveDirective));
        const i = new Image(); i.src = 'http://127.0.0.1:9/x.png'; setTimeout(() => done('nothing was stopped'), 5000) })""")
    context.close()
    assert said == "img-src"


def test_without_npm_the_site_says_so_and_goes_on(tmp_path):
    "No live widgets and no typeset formulas, but pages that ask for neither."
    bare = tmp_path/"bin"; bare.mkdir()
    status, said = build(tmp_path/"html", "--notebooks", small_book(tmp_path/"nbs"), PATH=str(bare), RAG_NB_CACHE=str(tmp_path/"cache"))
    assert status == 0, said
    assert "without live widgets: npm is not installed" in said and "without live formulas" in said
    text = (tmp_path/"html"/"00_hostile.html").read_text(encoding="utf8")
    assert "VBox(a slider)" in text and "widget-view+json" not in text and "require.js" not in text and "katex" not in text and ">a&lt;b<" in text


def test_what_npm_gives_is_checked(tmp_path, monkeypatch):
    "Another file under the right name is refused, in the cache and from npm, and the right one is kept."
    fake = tmp_path/"bin"/"npm"
    fake.parent.mkdir()
    fake.write_text(f"#!{sys.executable}\nimport sys, pathlib\npathlib.Path(sys.argv[sys.argv.index('--pack-destination') + 1], 'p.tgz').write_bytes(b'from npm')\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent)); monkeypatch.setenv("RAG_NB_CACHE", str(tmp_path/"cache"))
    said = docs.fetch("requirejs")
    assert "is not the file that it should be" in said and not list((tmp_path/"cache").rglob("*.tgz"))
    monkeypatch.setitem(docs.PACKAGES, "requirejs", ("2.3.8", docs.integrity(b"from npm"), {}))
    assert docs.fetch("requirejs") == b"from npm"
    kept = next((tmp_path/"cache").rglob("*.tgz"))
    fake.unlink()
    assert docs.fetch("requirejs") == b"from npm"
    kept.write_bytes(b"tampered with")
    assert docs.fetch("requirejs") == "npm is not installed"


def test_a_fault_stops_the_build(tmp_path):
    "A link that leads nowhere, a warning: the build fails by name and leaves the site of before."
    nbs = tmp_path/"nbs"
    notebook(nbs/"index.ipynb", ("markdown", "# Book\n\n[gone](missing.ipynb)\n\n```{nonsense}\n```", None))
    (tmp_path/"html").mkdir(); (tmp_path/"html"/"before").touch()
    status, said = build(tmp_path/"html", "--notebooks", nbs)
    assert status == 1 and "missing.ipynb" in said and "nonsense" in said and (tmp_path/"html"/"before").exists()


def test_faults_are_seen(tmp_path):
    "What a page would load from elsewhere, and where it leads nowhere, whichever way it is written."
    (tmp_path/"b.html").write_text("<p id='here'>x</p>"); (tmp_path/"p.png").touch()
    (tmp_path/"s.css").write_text("/* url(https://comment.example) */ @import 'https://a.example/f.css'; p { background: url( \"//b.example/x.png\" ) }")
    bad = ["<img src=https://c.example/x.png>", '<script src="//d.example/x.js"></script>',
        '<link rel="preconnect" href="https://e.example">', '<img srcset="p.png 1x, http://f.example/x.png 2x">',
           "<p style='background:url(http://g.example/x)'>", "<style>p{background:url(http://h.example/x)}</style>",
           '<iframe src="http://i.example"></iframe>', '<form action="https://j.example"></form>',
           '<svg><use href="https://k.example/x.svg#a"/></svg>', '<a href="nowhere.html">x</a>', '<a href="b.html#there">x</a>',
           '<img src="q.png">']
    (tmp_path/"a.html").write_text("".join(bad) + '<a href="https://fine.example">x</a><a href="b.html#here">y</a><img src="p.png"><a '
        'href="mailto:a@b.c">z</a>')
    found = docs.faults(tmp_path)
    assert len(found) == len(bad) + 2 and not any(o in " ".join(found) for o in ("fine", "comment", "mailto"))
    for o in "abcdefghijk": assert any(f"{o}.example" in f for f in found), o
