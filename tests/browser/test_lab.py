"The widgets in a real JupyterLab and a real Voilà, with a real mouse and keyboard; numbers read from the page are those of the Python API."
import importlib.util, json

import pytest

from lab import ROOT, chromium, lab, open_and_run, trust, voila, write_notebook

def _have(module): return importlib.util.find_spec(module) is not None

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not _have("jupyterlab"), reason="JupyterLab is not installed")]

QUESTION, SHORT = "How many hearts does an octopus have?", dict(min_new_tokens=6, max_new_tokens=8)
PASTED = dict(id="mine", title="Octopus hearts", text="How many hearts does an octopus have? Seventeen hearts!")

# What hostile passages try; each would call `canary`, or ask for a file called canary.
ATTACKS = ["<script>canary('script')</script>", "<img src=x onerror=\"canary('img')\">", "<svg onload=\"canary('svg')\"></svg>",
           "'\"><b onmouseover=\"canary('over')\" onclick=\"canary('click')\">here</b>", "<a href=\"javascript:canary('link')\">link</a>",
           "[link](javascript:canary('markdown'))", "![picture](/canary.png) <img src=/canary.png>", "<iframe srcdoc=\"<script>parent.canary('frame')</script>\"></iframe>",
           "</style><style>@import '/canary.css';</style>", r"$\href{javascript:canary('tex')}{tex}$ \(\href{javascript:canary('tex')}{tex}\)",
           "</textarea></button></details><script>canary('closed')</script>", "<details open ontoggle=\"canary('toggle')\">x</details>",
           "{{constructor.constructor('canary(1)')()}}"]

SETUP = f"""
import time, torch
from ipywidgets import HTML
from rag_nb import *
torch.set_num_threads(1)

def make(docs, n_docs):
    rag = Rag.from_documents(docs, encoder=toy_encoder(), generator=(toy_generator(), toy_tokenizer("bart")), progress=False, n_docs=n_docs)
    retrieve = rag.retrieve
    def slowly(questions, *how):
        if "slow" in questions[0]: time.sleep(3)
        return retrieve(questions, *how)
    rag.retrieve = slowly
    return rag

attacks = {ATTACKS!r}
rag, bad = make(toy_documents(), 4), make([dict(id=str(i), title=a, text="octopus hearts " + a) for i, a in enumerate(attacks)], len(attacks))
"""
EXPLORER = f"explorer = AnswerExplorer(rag, **{SHORT!r}); explorer"
BROWSER = "browser = PassageBrowser(rag); browser"
EVIL = f"evil = AnswerExplorer(bad, 'octopus hearts ' + attacks[0] + attacks[1], **{SHORT!r}); evil.paste(attacks[1], attacks[0]).select(1); evil"
EVIL_BROWSER = "PassageBrowser(bad, 'octopus hearts ' + attacks[1], answer=attacks[0], n_docs=50)"
CONTROL = "control = HTML('nothing yet'); control"
CANARY = "window.fired = []; window.canary = name => window.fired.push(name);"


@pytest.fixture(scope="module")
def rag():
    from rag_nb import Rag, toy_documents, toy_encoder, toy_generator, toy_tokenizer
    return Rag.from_documents(toy_documents(), encoder=toy_encoder(), generator=(toy_generator(), toy_tokenizer("bart")), progress=False, n_docs=4)

@pytest.fixture(scope="module")
def browser():
    with chromium() as b: yield b

@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    (folder/"notebooks").mkdir()
    write_notebook(folder/"notebooks"/"widgets.ipynb", SETUP, EXPLORER, BROWSER, EVIL, EVIL_BROWSER, CONTROL)
    lesson = (ROOT/"nbs"/"show"/"07_widgets.ipynb").read_text(encoding="utf8")
    (folder/"notebooks"/"lesson.ipynb").write_text(lesson, encoding="utf8")
    (folder/"notebooks"/"unknown.ipynb").write_text(lesson.replace("# Look inside", "# Looking inside", 1), encoding="utf8")  # what is signed is the content
    trust(folder/"home", folder/"notebooks"/"lesson.ipynb")
    with lab(folder/"home", folder/"notebooks") as address: yield address

def new_page(browser, **size):
    page = browser.new_page(viewport=dict(dict(width=1200, height=1400), **size))
    page.set_default_timeout(90_000)
    page.add_init_script(CANARY)
    page.asked = []
    page.on("request", lambda r: page.asked.append(r.url))
    page.on("dialog", lambda d: page.asked.append("a dialog"))
    return page

@pytest.fixture(scope="module")
def page(browser, server):
    page = new_page(browser)
    open_and_run(page, server, "widgets.ipynb")
    yield page
    page.close()


class Seen:
    "What of an explorer is on the page."
    def __init__(self, page, n=0): self.page, self.root = page, page.locator(".jp-OutputArea-output .ragnb-widget, .jp-OutputArea .ragnb-widget").nth(n)
    def idle(self):
        self.root.locator(".ragnb-spin").wait_for(state="detached")
        self.page.wait_for_function("e => !e.querySelector('.ragnb-spin')", arg=self.root.element_handle())
        return self
    def box(self, label): return self.root.get_by_label(label, exact=True)
    def button(self, name): return self.root.get_by_role("button", name=name, exact=True)
    @property
    def tokens(self): return self.root.locator(".ragnb-tokens button")
    @property
    def facts(self): return self.root.locator(".ragnb-q + .ragnb-f").first.inner_text()
    @property
    def error(self): return self.root.locator("[role=alert]").all_inner_texts()
    def bars(self, part):  # [(name, value)]
        return [tuple(s.strip() for s in (b.locator(":scope > :first-child").inner_text(), b.locator(":scope > :last-child").inner_text())) for b in part.locator(".ragnb-bar").all()]
    def rows(self): return self.root.locator(".widget-hbox:has(> .widget-checkbox)").all()
    def documents(self): return [dict(self.bars(r)) for r in self.rows()]
    def ask(self, question):
        self.box("Question").fill(question)
        self.button("Ask").click()
        self.root.locator(f".ragnb-q:text-is({quoted(question)})").wait_for()
        return self.idle()


def quoted(text): return json.dumps(text, ensure_ascii=False)

def facts(answer):
    from rag_nb.show.html import _facts
    return " · ".join(_facts(answer))

def percent(p):
    from rag_nb.show.html import _percent
    return _percent(float(p))

def words(answer):
    from rag_nb.show.widgets import _labels
    return [l.replace("\u200b", "") for l in _labels(answer.tokens)]


def test_type_a_question(page, rag):
    seen, want = Seen(page), rag.ask(QUESTION, **SHORT)
    seen.box("Question").fill(QUESTION); seen.box("Question").press("Enter")
    seen.root.locator(f".ragnb-f:text-is({quoted(facts(want))})").first.wait_for(); seen.idle()
    assert not seen.error
    assert [t.replace("\u200b", "") for t in seen.tokens.all_inner_texts()] == words(want)
    from rag_nb.show.html import final_posterior
    assert seen.documents() == [dict(prior=percent(a), posterior=percent(b)) for a, b in zip(want.doc_prior, final_posterior(want))]


def test_click_a_token(page, rag):
    seen, want = Seen(page).ask(QUESTION), rag.ask(QUESTION, **SHORT)
    found = rag.alternatives(want, n=6)
    for i in (2, 5):
        seen.tokens.nth(i).click()
        seen.root.locator(f".ragnb-f:has-text('token {i+1} of {len(want.tokens)}')").wait_for()
        seen.root.locator(".ragnb-opinions").wait_for(); seen.idle()
        assert "mod-active" in seen.tokens.nth(i).get_attribute("class") and seen.root.locator(".ragnb-tokens .mod-active").count() == 1
        assert seen.bars(seen.root.locator(".ragnb-overall")) == [(t.strip() or "·", percent(p)) for t, p in zip(found.tokens[i], found.probs[i])]
        table = [[c.inner_text() for c in r.locator("th,td").all()][:2] for r in seen.root.locator(".ragnb-said tbody tr").all()]
        assert table == [[f"[{k+1}]", percent(p)] for k, p in enumerate(found.by_doc[i, :, 0])]
        assert seen.documents() == [dict(prior=percent(want.doc_prior[k]), token=percent(want.doc_posterior[i, k]), running=percent(want.running_posterior[i, k])) for k in range(4)]


def test_untick_a_document(page, rag):
    seen, want = Seen(page).ask(QUESTION), rag.ask(QUESTION, **SHORT)
    for k, less in ((0, want.without(0)), (2, want.without(2).without(0))):
        seen.box(f"use {k+1}").uncheck()
        seen.root.locator(f".ragnb-f:text-is({quoted(facts(less))})").first.wait_for(); seen.idle()
        assert seen.facts == facts(less) and [t.replace("\u200b", "") for t in seen.tokens.all_inner_texts()] == words(less)
    left, right = seen.root.locator(".ragnb-two > div").all()
    assert facts(want) in left.inner_text() and want.text in left.inner_text()
    assert facts(less) in right.inner_text() and less.text in right.inner_text()
    assert [p for n, p in seen.bars(left) if n == "prior"] == [percent(p) for p in want.doc_prior]
    assert [p for n, p in seen.bars(right) if n == "prior"] == [percent(p) for p in less.doc_prior]
    cells = [c.get_attribute("title").split(" · ")[0] for c in right.locator("tbody td").all()]
    assert cells == [percent(p) for p in less.doc_posterior.T.flatten()]
    seen.button("Running posterior").click()
    right.locator(".ragnb-h:text-is('running posterior')").wait_for()
    cells = [c.get_attribute("title").split(" · ")[0] for c in right.locator("tbody td").all()]
    assert cells == [percent(p) for p in less.running_posterior.T.flatten()]
    for k, more in ((0, want.without(2)), (2, want)):
        seen.box(f"use {k+1}").check()
        seen.root.locator(f".ragnb-f:text-is({quoted(facts(more))})").first.wait_for(); seen.idle()
    seen.root.locator(".ragnb-two").wait_for(state="detached")
    assert seen.facts == facts(want)


def test_paste_a_passage(page, rag):
    from rag_nb import Rag, toy_documents, toy_encoder
    seen = Seen(page).ask(QUESTION)
    seen.box("Title").fill(PASTED["title"]); seen.box("Passage").fill(PASTED["text"]); seen.button("Add passage").click()
    seen.box("use 5").wait_for(); seen.idle()
    larger = Rag.from_documents([*toy_documents(), PASTED], encoder=toy_encoder(), generator=(rag.model.generator, rag.tokenizer.generator), progress=False)
    found, old = larger.retrieve([QUESTION], 13), rag.retrieve([QUESTION], 4).documents(0)
    columns = [next(d["doc"] for d in found.documents(0) if d["title"] == t) for t in [*(d["title"] for d in old), PASTED["title"]]]
    want = larger.ask(QUESTION, hits=found.keep(columns), **SHORT)
    assert seen.facts == facts(want) and [d["prior"] for d in seen.documents()] == [percent(p) for p in want.doc_prior]
    assert seen.box("Title").input_value() == "" and not seen.error


def test_settings_and_the_ask_button(page, rag):
    seen = Seen(page).ask(QUESTION)
    seen.button("RAG-Sequence").click()
    seen.root.locator(":text('Press Ask')").wait_for()
    seen.root.locator(".noUi-handle").nth(1).press("ArrowRight")       # a second beam
    seen.button("Ask").click()
    want = rag.ask(QUESTION, kind="sequence", num_beams=2, **SHORT)
    seen.root.locator(f".ragnb-f:text-is({quoted(facts(want))})").first.wait_for()
    seen.idle()
    assert seen.root.locator(".ragnb-switch .mod-active").all_inner_texts() == ["RAG-Sequence", "Running posterior"]
    seen.button("RAG-Token").click(); seen.root.locator(".noUi-handle").nth(1).press("ArrowLeft"); seen.button("Ask").click()
    seen.root.locator(f".ragnb-f:text-is({quoted(facts(rag.ask(QUESTION, **SHORT)))})").first.wait_for(); seen.idle()


def test_with_the_keyboard_alone(page, rag):
    "Tab, Enter and Space are enough to ask, to go through the tokens, and to leave out a document."
    seen, want = Seen(page), rag.ask("What do bees make honey from?", **SHORT)
    seen.box("Question").focus()
    page.keyboard.press("Control+a"); page.keyboard.type("What do bees make honey from?"); page.keyboard.press("Enter")
    seen.root.locator(f".ragnb-f:text-is({quoted(facts(want))})").first.wait_for(); seen.idle()
    seen.box("Question").focus()
    def tab_to(what):
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches({quoted(what)})"): return
        raise AssertionError(f"no way to {what}")
    tab_to(".ragnb-tokens button"); page.keyboard.press("Tab"); page.keyboard.press("Enter")
    seen.root.locator(f".ragnb-f:has-text('token 2 of {len(want.tokens)}')").wait_for(); seen.root.locator(".ragnb-opinions").wait_for(); seen.idle()
    page.keyboard.press("Tab"); page.keyboard.press("Space")           # the place was not lost
    seen.root.locator(f".ragnb-f:has-text('token 3 of {len(want.tokens)}')").wait_for(); seen.idle()
    tab_to("input[type=checkbox]"); page.keyboard.press("Space")
    seen.root.locator(f".ragnb-f:text-is({quoted(facts(want.without(0)))})").first.wait_for(); seen.idle()


def test_nothing_can_be_clicked_while_it_works(page):
    seen = Seen(page).ask(QUESTION)
    seen.box("Question").fill("a slow question"); seen.box("Question").press("Enter")
    seen.root.locator(".ragnb-spin").wait_for()
    controls = "e => [...e.querySelectorAll('input, textarea, button')].filter(c => !c.disabled).length"
    page.wait_for_function(f"e => ({controls})(e) === 0", arg=seen.root.element_handle())
    assert seen.root.locator(".ragnb-spin").count() == 1
    seen.root.locator(".ragnb-q:text-is('a slow question')").wait_for(); seen.idle()
    page.wait_for_function(f"e => ({controls})(e) > 12", arg=seen.root.element_handle())


def test_errors_are_shown_in_place(page):
    seen = Seen(page).ask(QUESTION)
    before = seen.facts
    seen.box("Question").fill(" "); seen.box("Question").press("Enter")
    seen.root.locator("[role=alert]").wait_for()
    assert seen.error == ["the question is empty: ask something"] and seen.facts == before
    for k in range(1, 5):
        seen.box(f"use {k}").click()
        if k < 4: seen.root.locator(".ragnb-out").nth(k-1).wait_for(); seen.idle()
    seen.root.locator("[role=alert]:has-text('last document')").wait_for()
    assert [seen.box(f"use {k}").is_checked() for k in range(1, 5)] == [False, False, False, True]
    assert not Seen(page).ask("What is tea?").error


def test_browse_passages(page, rag):
    seen, question = Seen(page, 1), "Which shrub do green tea and black tea come from?"
    seen.box("Question").fill(question); seen.box("Question").press("Enter"); seen.root.locator("mark.ragnb-question").first.wait_for(); seen.idle()
    seen.box("Answer").fill("Camellia sinensis"); seen.box("Answer").press("Enter")
    seen.root.locator("mark.ragnb-answer").first.wait_for()
    want = rag.retrieve([question], 10).documents(0)
    shown = lambda: [(b.locator("b").inner_text(), b.locator(".ragnb-f").inner_text().strip()) for b in seen.root.locator(".ragnb-p .ragnb-what > div:first-child").all()]
    assert shown() == [(d["title"], f"score {d['score']:.2f}".replace("-", "−")) for d in want]
    assert seen.root.locator("mark.ragnb-answer").first.inner_text() == "Camellia sinensis" and "tea" in seen.root.locator("mark.ragnb-question").all_inner_texts()
    seen.root.locator("summary").first.click()
    assert seen.root.locator(".ragnb-text").first.is_visible()          # the text in full
    seen.root.locator(".noUi-handle").first.press("End")
    seen.root.locator(":text('1–10 of 12')").first.wait_for(); seen.idle(); seen.button("Next").click()
    seen.root.locator(":text('11–12 of 12')").first.wait_for()
    assert [t for t, _ in shown()] == [d["title"] for d in rag.retrieve([question], 12).documents(0)[10:]]
    seen.box("Only with").fill("Everest")
    page.wait_for_function("e => e.querySelectorAll('.ragnb-p').length === 1", arg=seen.root.element_handle())
    assert [t for t, _ in shown()] == ["Mount Everest"]


def attack(page, first):
    "Unfold, point at and click whatever there is in the two hostile widgets."
    for n in (first, first + 1):
        root = Seen(page, n).idle().root
        root.locator(".ragnb-p").first.wait_for()
        assert "<script>" in root.inner_text() and "onerror" in root.inner_text()        # there, as text
        root.evaluate("e => e.querySelectorAll('details').forEach(d => d.open = true)")
        assert root.evaluate("e => [e.querySelectorAll('script, iframe, img, svg, a, object, embed, link').length, [...e.querySelectorAll('*')].filter(x => [...x.attributes].some(a => a.name.startsWith('on'))).length]") == [0, 0]
        root.evaluate("""e => e.querySelectorAll('.widget-html-content *').forEach(x => ["mouseover", "mouseenter", "focus", "click"].forEach(
            n => x.matches("summary, summary *") || x.dispatchEvent(new MouseEvent(n, {bubbles: true}))))""")
        for part in root.locator(".ragnb-text, mark").all()[:8]: part.hover(force=True); part.click(force=True)
    page.wait_for_timeout(500)
    assert page.evaluate("window.fired") == [] and not [u for u in page.asked if "canary." in u or u == "a dialog"]


def test_hostile_passages_run_nothing(page):
    "Titles, texts, question, answer words and a pasted passage full of attacks; and the control, which shows that the canary sings."
    attack(page, 2)
    Seen(page, 2).box("Passage").fill(" ".join(ATTACKS)); Seen(page, 2).box("Title").fill(ATTACKS[1]); Seen(page, 2).button("Add passage").click()
    page.wait_for_function("e => e.value === ''", arg=Seen(page, 2).box("Passage").element_handle())
    Seen(page, 2).idle().ask("octopus " + ATTACKS[2])
    attack(page, 2)
    page.evaluate("code => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code}).done.then(() => 0)",
                  f"control.value = {ATTACKS[1] + ATTACKS[6]!r}")
    page.wait_for_function("window.fired.includes('img')")
    page.wait_for_timeout(300)
    assert [u for u in page.asked if "canary.png" in u]


@pytest.mark.parametrize("width", [380, 1200])
def test_it_fits_its_place(page, width):
    page.set_viewport_size(dict(width=width, height=1400))
    page.wait_for_timeout(500)
    for n in range(4):
        root = Seen(page, n).root
        assert root.evaluate("e => e.scrollWidth - e.clientWidth") <= 1
        places = root.evaluate("e => [...e.querySelectorAll('button, input, textarea, .ragnb-p, .ragnb-bar')].map(x => x.getBoundingClientRect().right - e.getBoundingClientRect().right)")
        assert max(places) <= 3, "something stands over the edge"


def test_a_saved_lesson_shows_its_widgets(browser, server):
    "Before anything is run, the widgets are drawn from the state in the file; where JupyterLab does not trust the file, the still pictures are."
    page = new_page(browser)
    page.goto(f"{server}/doc/tree/unknown.ipynb")
    page.locator(".jp-OutputArea-output .ragnb b:text-is('Tea')").first.wait_for()
    assert page.locator(".ragnb-widget").count() == 0
    page.close()
    page = new_page(browser)
    page.goto(f"{server}/doc/tree/lesson.ipynb")
    for n, text in ((0, "Camellia sinensis"), (1, "What could have stood here")):
        page.locator(".ragnb-widget").nth(n).locator(f":text('{text}')").first.wait_for()
    assert Seen(page, 1).tokens.count() > 3 and Seen(page, 1).box("use 1").count() == 1
    page.close()


@pytest.mark.skipif(not _have("voila"), reason="Voilà is not installed")
def test_voila_serves_them(browser, rag, tmp_path):
    (tmp_path/"app").mkdir()
    write_notebook(tmp_path/"app"/"app.ipynb", SETUP, EXPLORER.replace("(rag,", f"(rag, {QUESTION!r},"), EVIL, EVIL_BROWSER)
    with voila(tmp_path/"home", tmp_path/"app"/"app.ipynb") as address:
        page = new_page(browser)
        page.goto(address, timeout=90_000)
        page.locator(".ragnb-widget").nth(2).wait_for(timeout=90_000)
        seen, want = Seen(page), rag.ask(QUESTION, **SHORT)
        seen.root = page.locator(".ragnb-widget").nth(0)
        assert seen.facts == facts(want)
        seen.tokens.nth(1).click()
        seen.root.locator(".ragnb-opinions").wait_for(); seen.idle()
        assert seen.documents()[0] == dict(prior=percent(want.doc_prior[0]), token=percent(want.doc_posterior[1, 0]), running=percent(want.running_posterior[1, 0]))
        seen.box("use 1").uncheck()
        seen.root.locator(f".ragnb-f:text-is({quoted(facts(want.without(0)))})").first.wait_for()
        attack(page, 1)
        page.close()
