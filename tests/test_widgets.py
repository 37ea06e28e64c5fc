"The widgets without a browser: controls are changed as a front end changes them, and what is shown is compared with the Python API."
import json, re, sys
from collections import Counter
from pathlib import Path

import pytest, torch
from ipywidgets import HTML, Widget

from rag_nb import AnswerExplorer, PassageBrowser, Rag, toy_documents, toy_encoder, toy_generator, toy_tokenizer; from rag_nb.show import html as display, widgets
from rag_nb.show.html import _percent, visible
from test_display import EVIL, HARMLESS, OURS, Page

QUESTION, SHORT = "How many hearts does an octopus have?", dict(min_new_tokens=6, max_new_tokens=10)


def make(docs=None, kind="bart", **kwargs):
    return Rag.from_documents(docs or toy_documents(), encoder=toy_encoder(), generator=(toy_generator(kind), toy_tokenizer(kind)), progress=False,
                              **{"n_docs": 4, **kwargs})

@pytest.fixture(scope="module")
def rag(): return make()

@pytest.fixture
def explorer(rag): return AnswerExplorer(rag, QUESTION, **SHORT)

def same(a, b, columns=slice(None)):
    "Two answers agree in text and in all numbers; of the first, these documents."
    assert a.text == b.text and a.tokens == b.tokens and a.kind == b.kind
    close = dict(rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(a.token_logprobs, b.token_logprobs, **close)
    torch.testing.assert_close(torch.tensor(a.logprob), torch.tensor(b.logprob), **close)
    torch.testing.assert_close(a.doc_prior[columns], b.doc_prior, **close)
    for name in ("doc_posterior", "running_posterior"): torch.testing.assert_close(getattr(a, name)[:, columns], getattr(b, name), **close)

def press_enter(box, text=None):
    "What the front end sends: first that Enter was pressed, then the text, if it has changed."
    box._handle_custom_msg({"event": "submit"}, [])
    if text is not None and text != box.value: box.set_state({"value": text})

def texts(widget):
    "The HTML of every part of a widget."
    for child in getattr(widget, "children", ()): yield from texts(child)
    if isinstance(widget, HTML): yield widget.value


# passages

def test_passages_are_those_of_the_retriever(rag):
    browser = PassageBrowser(rag.retriever, QUESTION, n_docs=3)
    want = rag.retriever.find(QUESTION, 3).documents(0)
    assert browser.shown == browser.matches == want and browser.question == QUESTION
    said = re.findall(r"<b [^>]*>(.*?)</b><span class=\"ragnb-f\"> score (.*?)</span>", browser.list.value)
    assert [(re.sub("<.*?>", "", t), s) for t, s in said] == [(d["title"], f"{d['score']:.2f}".replace("-", "−")) for d in want]
    assert PassageBrowser(rag, QUESTION, n_docs=3).matches == want                 # a Rag finds with its question encoder


def test_browsing_by_its_controls(rag):
    browser = PassageBrowser(rag.retriever)
    assert browser.hits is None and browser.shown == [] and browser.n_docs == 10 and browser.docs_slider.max == 12
    browser.box.set_state({"value": QUESTION})
    assert browser.question == QUESTION and len(browser.matches) == 10 and browser.pages.widget.layout.display == "none"
    browser.docs_slider.set_state({"value": 12})
    assert len(browser.matches) == 12 and browser.pages.widget.layout.display == "flex" and browser.pages.back.disabled and not browser.pages.on.disabled
    browser.pages.on.click()
    assert (browser.page, len(browser.shown)) == (1, 2) and browser.pages.on.disabled and not browser.pages.back.disabled and "11–12 of 12" in browser.pages.where.value
    browser.pages.back.click()
    assert (browser.page, len(browser.shown)) == (0, 10)
    browser.filter_box.set_state({"value": "BLOOD gills"})
    assert [d["title"] for d in browser.matches] == ["Octopus"] and browser.page == 0
    browser.filter_box.set_state({"value": "no such word"})
    assert browser.matches == [] and "has these words" in browser.list.value
    browser.filter_box.set_state({"value": ""})
    browser.answer_box.set_state({"value": "three hearts"})
    assert '<mark class="ragnb-answer">three hearts</mark>' in browser.list.value and browser.answer == "three hearts"
    assert '<mark class="ragnb-question">octopus</mark>' in browser.list.value


def test_browsing_survives_errors(rag, monkeypatch):
    browser = PassageBrowser(rag.retriever, QUESTION)
    before = browser.matches
    assert browser.search(" ").error == "the question is empty: ask something" and browser.matches == before
    assert 'role="alert"' in browser.status.value and not browser.box.disabled
    monkeypatch.setattr(rag.retriever, "find", lambda *a: 1/0)
    assert browser.search("x").error == "ZeroDivisionError: division by zero" and browser.matches == before
    monkeypatch.undo()
    assert browser.search(QUESTION).error is None and browser.status.value == ""


def test_words_are_whole():
    marker = widgets.word_marker(answer=["art"], question=["c++", "日本"])
    assert re.sub("<mark class=.ragnb-(.).*?>(.*?)</mark>", r"{\1 \2}", widgets._marked("Art start C++ 全日本人 c", marker)) == "{a Art} start {q C++} 全{q 日本}人 c"
    assert widgets.word_marker(answer=["", " "], question=[]) is None and widgets._marked("a<b", None) == "a&lt;b"


def test_the_line_in_sight_is_the_one_that_matters():
    text = "word question " + "filler "*100 + "the answer stands here " + "more "*100
    marker = widgets.word_marker(answer=["answer"], question=["question"])
    line = widgets._excerpt(text, marker)
    assert "answer" in line and line.startswith("…") and line.endswith("…") and len(line) < 170
    assert widgets._excerpt("short answer", marker) == "short answer" and widgets._excerpt("x"*200, None) == "x"*160 + "…"


# answers

@pytest.mark.parametrize("kind", ["bart", "t5", "llama"])
@pytest.mark.parametrize("head,beams", [("token", 1), ("token", 3), ("sequence", 2)])
def test_the_answer_is_that_of_ask(kind, head, beams):
    rag = make(kind=kind)
    explorer = AnswerExplorer(rag, QUESTION, kind=head, num_beams=beams, n_docs=3, **SHORT)
    want = rag.ask(QUESTION, kind=head, num_beams=beams, n_docs=3, **SHORT)
    assert explorer.error is None
    same(explorer.answer, want)
    most = int(want.doc_prior.argmax())
    same(explorer.drop(most).answer, want.without(most), [k for k in range(3) if k != most])
    assert explorer.restore(most).answer is explorer.before


def test_asking_by_the_controls(rag):
    explorer = AnswerExplorer(rag, **SHORT)
    assert explorer.answer is None and explorer.results.layout.display == "none"
    press_enter(explorer.box, QUESTION)
    same(explorer.answer, rag.ask(QUESTION, **SHORT))
    assert explorer.results.layout.display is None and explorer.question == QUESTION
    explorer.kind_buttons.set_state({"index": 1}); explorer.docs_slider.set_state({"value": 3}); explorer.beams_slider.set_state({"value": 2})
    assert explorer.answer.kind == "token" and "Press Ask" in explorer.status.value       # settings wait
    explorer.ask_button.click()
    same(explorer.answer, rag.ask(QUESTION, kind="sequence", n_docs=3, num_beams=2, **SHORT))
    assert explorer.which == "running" and explorer.status.value == ""


def count_runs(explorer, monkeypatch):
    runs = []
    ask = explorer.rag.ask
    monkeypatch.setattr(explorer.rag, "ask", lambda q, **kw: runs.append(q) or ask(q, **kw))
    return runs

def test_enter_and_leaving_the_box(rag, monkeypatch):
    explorer = AnswerExplorer(rag, QUESTION, **SHORT)
    runs = count_runs(explorer, monkeypatch)
    press_enter(explorer.box); explorer.ask_button.click()
    assert runs == []                                                  # nothing has changed
    press_enter(explorer.box, "What is tea?")
    assert runs == ["What is tea?"]
    explorer.box.set_state({"value": "What is honey?"})                # left without Enter
    assert runs == ["What is tea?"] and explorer.question == "What is tea?" and "Press Ask" in explorer.status.value
    press_enter(explorer.box)                                          # Enter, no new text
    assert runs[1:] == ["What is honey?"]
    explorer.box.set_state({"value": "Where is Paris?"}); explorer.ask_button.click()
    assert runs[2:] == ["Where is Paris?"]
    explorer.beams_slider.set_state({"value": 2}); press_enter(explorer.box, QUESTION)
    assert runs[3:] == [QUESTION] and explorer.error is None           # and not first the old question with two beams
    press_enter(explorer.box, "")
    assert explorer.error == "the question is empty: ask something" and explorer.question == QUESTION
    explorer.ask(QUESTION); explorer.ask(QUESTION)                     # called by name, it always asks
    assert runs[4:] == [QUESTION]*2


def test_drawn_answers_can_be_had_again(rag):
    heat = dict(do_sample=True, temperature=1.5, **SHORT)
    explorer = AnswerExplorer(rag, QUESTION, temperature=1.5, seed=7, **SHORT)
    state = torch.random.get_rng_state()
    for seed in (7, 8):
        torch.manual_seed(seed)
        want = rag.ask(QUESTION, **heat)
        torch.random.set_rng_state(state)
        assert explorer.seed == seed
        same(explorer.answer, want)
        explorer.ask_button.click()                                    # another draw
    assert torch.equal(torch.random.get_rng_state(), state)           # nobody else's luck is changed
    first = explorer.answer
    again = explorer.drop(0).restore(0).answer
    assert again is first is explorer.before


def test_it_is_written_as_it_grows(rag):
    explorer, said = AnswerExplorer(rag, **SHORT), []
    explorer.status.observe(lambda c: said.append(re.sub("<.*?>", "", c["new"])), "value")
    explorer.ask(QUESTION)
    text = explorer.answer.text
    assert said[0] == "Searching …" and "Reading 4 documents …" in said and said[-1] == ""
    assert [s.split(" … ")[1] for s in said if " … " in s] == [text[:i+1] for i in range(len(text))]


def test_one_run_at_a_time_with_all_controls_disabled(rag, monkeypatch):
    explorer, seen = AnswerExplorer(rag, QUESTION, **SHORT), []
    ask = rag.ask
    def slow(question, **kw):
        seen.append((explorer.busy, [c.disabled for c in widgets._controls(explorer.widget)]))
        explorer.ask("another"); explorer.drop(1); explorer.select(1)
        return ask(question, **kw)
    monkeypatch.setattr(rag, "ask", slow)
    explorer.ask("What is tea?")
    (busy, disabled), = seen
    assert busy and len(disabled) > 12 and all(disabled)
    assert not explorer.busy and explorer.question == "What is tea?" and all(explorer.kept) and explorer.selected is None
    free = [c for c in widgets._controls(explorer.widget) if not c.disabled]
    assert set(widgets._controls(explorer.widget)) - set(free) == {explorer.pages.back, explorer.pages.on}   # there is one page


@pytest.mark.parametrize("error,said", [(RuntimeError("no memory"), "RuntimeError: no memory"), (KeyboardInterrupt(), "Interrupted."), (ValueError("bad <b>"), "bad <b>"),
                                        (StopIteration(), "StopIteration")])
def test_a_failed_run_changes_nothing(explorer, monkeypatch, error, said):
    def fail(*a, **kw): raise error
    before, kept = explorer.answer, explorer.kept
    monkeypatch.setattr(explorer.rag, "ask", fail)
    for act in (lambda: explorer.ask("What is tea?"), lambda: explorer.rows[1].keep.set_state({"value": False}), lambda: explorer.paste("text")):
        act()
        assert explorer.error == said and not explorer.busy and explorer.answer is before and explorer.kept == kept and explorer.question == QUESTION
        assert explorer.rows[1].keep.value and not explorer.rows[1].keep.disabled and not explorer.ask_button.disabled
        assert 'role="alert"' in explorer.status.value and "<b>" not in explorer.status.value


# tokens

def test_a_token_shows_its_numbers(rag, explorer):
    answer = explorer.answer
    for i in (0, 3):
        explorer.tokens.set_state({"index": i})
        assert explorer.selected == i and explorer.error is None and explorer.tokens.index == i
        want = rag.alternatives(answer, n=6)
        shown = re.sub("<.*?>", "|", explorer.choices.value)
        assert f"{visible(answer.tokens[i])}| · token {i+1} of {len(answer.tokens)}" in shown
        overall = re.findall(r'<div class="ragnb-bar"><span>(.*?) </span>.*?<span> (.*?)</span></div>', explorer.choices.value)
        assert overall == [(visible(t), _percent(float(p)).replace("<", "&lt;").replace(">", "&gt;")) for t, p in zip(want.tokens[i], want.probs[i])]
        rows = re.findall(r"<tr><th[^>]*>\[(\d)\]</th><td>(.*?)</td><td>(.*?)</td></tr>", explorer.choices.value)
        assert [(int(k)-1, p) for k, p, _ in rows] == [(k, _percent(float(p)).replace("<", "&lt;").replace(">", "&gt;")) for k, p in enumerate(want.by_doc[i, :, 0])]
        for k, row in enumerate(explorer.rows[:4]):
            bars = dict(re.findall(r"<span>(\w+) </span>.*?<span> (.*?)</span></div>", row.view.value))
            numbers = dict(prior=answer.doc_prior[k], token=answer.doc_posterior[i, k], running=answer.running_posterior[i, k])
            assert {n: b.replace("&lt;", "<").replace("&gt;", ">") for n, b in bars.items()} == {n: _percent(float(p)) for n, p in numbers.items()}


def test_alternatives_are_read_once(explorer, monkeypatch):
    calls, real = [], explorer.rag.alternatives
    monkeypatch.setattr(explorer.rag, "alternatives", lambda a, **kw: calls.append(a) or real(a, **kw))
    explorer.select(0).select(1).select(None).select(2)
    assert calls == [explorer.answer] and explorer.alternatives.answer is explorer.answer
    explorer.drop(0)
    assert explorer.selected is None and explorer.alternatives is None
    explorer.select(0).restore(0).select(0)
    assert len(calls) == 2


def test_a_token_that_is_not_there(rag, explorer):
    assert "there is no token 99: the answer has 10 tokens" in explorer.select(99).error
    assert explorer.select(0).error is None
    assert "ask something first" in AnswerExplorer(rag).select(0).error


def test_labels_differ_and_keep_their_words(explorer):
    tokens = ["the", " the", "the", "", " ", "\n", "a"*50, "a"*60, "the\u200b", "\ud800", "<b>"]
    labels = widgets._labels(tokens)
    assert len(set(labels)) == len(labels) and all(labels)
    assert [l.replace("\u200b", "") for l in labels] == ["the"]*3 + ["∅", "·", "⏎", "a"*23 + "…", "a"*23 + "…", "the", "\ufffd", "<b>"]
    for l in labels: l.encode()
    assert len(explorer.tokens.options) == len(explorer.answer.tokens) and len(set(explorer.tokens.options)) == len(explorer.tokens.options)


def test_colours_belong_to_one_answer(rag, explorer):
    "Two explorers on one page: rules of the same name are the same rules."
    other = AnswerExplorer(rag, "What is tea?", **SHORT)
    rules = {e.tokens._dom_classes[1]: e.colours.value for e in (explorer, other)}
    assert len(rules) == 2 and all(f".{name} " in css for name, css in rules.items())
    before = explorer.colours.value
    explorer.which_buttons.set_state({"index": 1})
    assert explorer.which == "running" and explorer.colours.value != before
    for i, row in enumerate(explorer.answer.running_posterior): assert display._colour(int(row.argmax()), .3*float(row.max())) in explorer.colours.value.split("}")[i]


def test_the_word_of_the_token_is_marked():
    rag = make([dict(id="a", title="t", text="it says gogo here"), dict(id="b", title="u", text="other")], n_docs=2)
    explorer = AnswerExplorer(rag, "says it here", **SHORT)
    explorer.answer.tokens[:] = list(" gogo ok ok")[:len(explorer.answer.tokens)]
    explorer.select(2)
    assert '<mark class="ragnb-token">gogo</mark>' in explorer.rows[[d["title"] for d in explorer.documents].index("t")].view.value


# documents

def test_documents_by_their_boxes(rag, explorer):
    want = rag.ask(QUESTION, **SHORT)
    explorer.rows[1].keep.set_state({"value": False})
    same(explorer.answer, want.without(1), [0, 2, 3])
    assert explorer.kept == [True, False, True, True] and "left out" in explorer.rows[1].view.value
    explorer.rows[3].keep.set_state({"value": False})
    same(explorer.answer, want.without(3).without(1), [0, 2])
    assert [r.keep.value for r in explorer.rows[:4]] == explorer.kept == [True, False, True, False]
    explorer.restore("Octopus")                                        # it was never away
    assert explorer.error is None and explorer.kept == [True, False, True, False]
    explorer.drop("octopus#0").drop("Eiffel Tower")
    assert explorer.error == "that was the last document: nothing is left to answer from" and explorer.kept == [False, False, True, False]
    assert "there is no document 'nonesuch'" in explorer.drop("nonesuch").error
    assert "ask something first" in AnswerExplorer(rag).drop(0).error


def test_both_answers_stand_side_by_side(explorer):
    assert explorer.versus.value == ""
    explorer.drop(0)
    html, old, new = explorer.versus.value, explorer.before, explorer.answer
    for which in ("token", "running"):
        explorer.which_buttons.value = which
        html = explorer.versus.value
        left, right = html.split("The documents you chose")
        for side, answer in ((left, old), (right, new)):
            words = re.sub("<.*?>", "", side)
            assert answer.text in words and f"log-probability {answer.logprob:.2f}".replace("-0", "−0").replace(" -", " −") in words and f"{which} posterior" in words
            cells = re.findall(r'<td title="([^"]+?) · .*? · \[(\d)\]', side)
            posterior = display._documents(answer)
            assert len(cells) == len(posterior)*len(answer.tokens)
            matrix = answer.running_posterior if which == "running" else answer.doc_posterior
            want = [(_percent(float(matrix[i, d["doc"]])).replace("<", "&lt;").replace(">", "&gt;"), str(d["doc"]+1)) for d in posterior for i in range(len(answer.tokens))]
            assert cells == want
    explorer.restore(0)
    assert explorer.versus.value == ""


def test_a_pasted_passage_scores_as_an_indexed_one(rag, explorer):
    "The same passage, put into an index, is found with the same score, and read with the others gives the same answer."
    text, title = "How many hearts does an octopus have? Seventeen hearts!", "Octopus hearts"
    explorer.paste_title.set_state({"value": title}); explorer.paste_text.set_state({"value": text}); explorer.paste_button.click()
    assert explorer.error is None and explorer.kept == [True]*5 and explorer.documents[-1]["title"] == title and explorer.paste_text.value == ""
    larger = make([*toy_documents(), dict(id="mine", title=title, text=text)], n_docs=13)
    found = larger.retrieve(QUESTION)
    columns = [next(d["doc"] for d in found.documents(0) if d["title"] == o["title"]) for o in explorer.documents]
    torch.testing.assert_close(explorer.hits.scores, found.scores[:, columns], rtol=1e-4, atol=1e-5)
    same(explorer.answer, larger.ask(QUESTION, hits=found.keep(columns), **SHORT))
    explorer.paste("Second.").drop(5)
    assert [d["title"] for d in explorer.documents[4:]] == [title, "Pasted passage 2"] and explorer.kept == [True]*5 + [False]
    same(explorer.answer, larger.ask(QUESTION, hits=found.keep(columns), **SHORT))
    explorer.drop(4)
    assert explorer.answer is explorer.before and explorer.ask().kept == [True]*4


def test_pasting_slips(rag, explorer):
    assert explorer.paste("  \n").error == "the passage is empty: write or paste some text" and explorer.kept == [True]*4
    assert "ask something first" in AnswerExplorer(rag).paste("x").error


def test_without_a_passage_encoder_a_pasted_passage_counts_as_the_best(monkeypatch):
    rag = make()
    rag.retriever._encoder = rag.retriever.encoder_provenance = None
    explorer = AnswerExplorer(rag, QUESTION, **SHORT).paste("Seventeen.")
    assert explorer.error is None and float(explorer.hits.scores[0, -1]) == float(explorer.hits.scores[0, 0])


def test_documents_that_were_not_found_are_not_there(monkeypatch):
    "A search may find fewer than were asked for."
    rag = make()
    found = rag.retrieve([QUESTION], 4)
    found = found.without(2, b=0)
    monkeypatch.setattr(rag, "retrieve", lambda *a: found)
    explorer = AnswerExplorer(rag, QUESTION, **SHORT)
    assert explorer.error is None and explorer.kept == [True, True, False, True] and [d["doc"] for d in explorer.documents] == [0, 1, 3]
    explorer.rows[2].keep.set_state({"value": False})
    assert explorer.error is None and explorer.kept == [True, True, False, False] and float(explorer.answer.doc_prior[2:].max()) == 0


@pytest.mark.parametrize("K,T", [(1, 1), (2, 100), (50, 100)])
def test_sizes(K, T):
    docs = [dict(id=f"d{k}", title=f"Title {k}", text=f"Hearts and octopus number {k}") for k in range(K)]
    explorer = AnswerExplorer(make(docs, n_docs=K), QUESTION, n_docs=K, min_new_tokens=T, max_new_tokens=T)
    assert explorer.error is None and len(explorer.tokens.options) == len(explorer.answer.tokens) >= T*.9 and len(explorer.documents) == K
    explorer.select(len(explorer.answer.tokens) - 1)
    assert explorer.error is None and len(explorer.list.children) == min(K, 10)
    if K == 1: assert "last document" in explorer.drop(0).error; return
    explorer.drop(K - 1)
    assert explorer.error is None and sum(map(len, texts(explorer.widget))) < 1_000_000
    if K == 50:
        for _ in range(4): explorer.pages.on.click()
        assert explorer.pages.page == 4 and [r.doc for r in explorer.rows] == [*range(40, 50)] and [r.keep.value for r in explorer.rows] == [True]*9 + [False]
        explorer.rows[0].keep.set_state({"value": False})
        assert explorer.kept == [True]*40 + [False] + [True]*8 + [False]


# hostile text

def harmless(html):
    page = Page(html)
    assert page.tags <= OURS | {"mark"} and page.attributes <= HARMLESS | {"role"}, (page.tags, page.attributes)
    return "".join(page.text)

def test_nothing_from_outside_becomes_an_element():
    docs = [dict(id=f"e{i}", title=e, text=f"octopus hearts {e}") for i, e in enumerate(e for e in EVIL if e != "\ud800")]  # which no index takes
    rag = make(docs, n_docs=len(docs))
    question = "octopus hearts " + " ".join(EVIL[:5])
    browser = PassageBrowser(rag.retriever, question, answer=EVIL[0] + " " + EVIL[1], n_docs=len(docs))
    explorer = AnswerExplorer(rag, question, **SHORT)
    explorer.answer.tokens[:] = EVIL[:len(explorer.answer.tokens)]
    object.__setattr__(explorer.answer, "text", " ".join(EVIL))
    explorer.select(1).paste(EVIL[0], EVIL[1]).drop(2)
    assert explorer.error is None
    explorer.answer.tokens[:] = EVIL[:len(explorer.answer.tokens)]
    explorer.select(0)
    for widget in (browser, explorer):
        said = ""
        for page in range(2):
            (widget.turn if widget is browser else widget._turn)(page)
            said += "".join(map(harmless, texts(widget.widget)))
        assert "<script>" in said and "onerror" in said
        widget._tell(EVIL[1], role="alert"); harmless(widget.status.value)
        Page(widget._still())
    for label in [*explorer.tokens.options, *explorer.tokens.tooltips]: label.encode(); assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", label)


hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings, strategies as st  # noqa: E402

anything = st.text(max_size=30) | st.sampled_from(EVIL) | st.text(alphabet="<>&\"'ab \n\x00\ud800", max_size=20)

@settings(max_examples=80)
@given(anything, st.lists(anything, max_size=3), st.lists(anything, max_size=3))
def test_marking_only_adds_marks(text, answer, question):
    html = widgets._marked(text, widgets.word_marker(token=answer[:1], answer=answer, question=question))
    assert harmless(html) == display.clean(text)


# on the screen, and without one

def shown(widget, monkeypatch):
    out = []
    monkeypatch.setattr(widgets, "display", lambda data, raw: out.append(data))
    widget._ipython_display_()
    return out[0]

def test_beside_the_widget_goes_a_still_picture(rag, explorer, monkeypatch):
    for widget in (explorer, AnswerExplorer(rag), PassageBrowser(rag, QUESTION), PassageBrowser(rag)):
        data = shown(widget, monkeypatch)
        assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.widget.model_id and data["text/plain"] == repr(widget)
        harmless_html = Page(data["text/html"])
        assert harmless_html.tags <= OURS
    assert shown(explorer, monkeypatch)["text/html"] == explorer.answer._repr_html_()
    monkeypatch.setitem(sys.modules, "google.colab", object())
    assert "text/html" not in shown(explorer, monkeypatch)

def theirs(widget, monkeypatch):
    "What ipywidgets itself puts on a page for a widget, in version 8 and in version 7."
    if hasattr(widget, "_repr_mimebundle_"): return widget._repr_mimebundle_()
    out = []
    monkeypatch.setattr("ipywidgets.widgets.widget.display", lambda data, raw: out.append(data))
    widget._ipython_display_()
    return out[0]

def test_a_page_finds_the_widget_as_ipywidgets_says(explorer, monkeypatch):
    "And without the method that ipywidgets 7 does not have."
    ours, view = shown(explorer, monkeypatch), "application/vnd.jupyter.widget-view+json"
    assert ours[view] == theirs(explorer.widget, monkeypatch)[view]
    monkeypatch.delattr(Widget, "_repr_mimebundle_", raising=False)
    assert shown(explorer, monkeypatch) == ours


def test_only_core_widgets_are_used(explorer):
    kinds = Counter(w._model_module for w in [explorer.widget, *explorer.widget.children])
    assert set(kinds) == {"@jupyter-widgets/controls"}
    assert len(Widget.get_manager_state()["state"]) > 0


def test_the_lesson_keeps_its_widgets():
    "The saved notebook has both widgets with all their parts, so that they are drawn without a kernel."
    nb = json.loads((Path(__file__).parent.parent/"nbs"/"show"/"07_widgets.ipynb").read_text(encoding="utf8"))
    state = nb["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    views = [o["data"] for c in nb["cells"] for o in c.get("outputs", []) if "application/vnd.jupyter.widget-view+json" in o.get("data", {})]
    assert len(views) == 2 and all("text/html" in v and "text/plain" in v for v in views)
    for view in views:
        todo, seen = [view["application/vnd.jupyter.widget-view+json"]["model_id"]], set()
        while todo:
            one = todo.pop()
            if one not in seen: seen.add(one); todo += re.findall(r"IPY_MODEL_(\w+)", json.dumps(state[one]))
        assert {"TextModel", "HTMLModel", "VBoxModel"} <= {state[m]["model_name"] for m in seen}
