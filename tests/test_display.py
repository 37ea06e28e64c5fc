"How answers show themselves: nothing from outside becomes code, whatever the sizes, and the numbers are the answer's own."
import io, json, math, re, shutil
from html.parser import HTMLParser

import pytest, torch

from rag_nb.core.answer import Answer, Citation
from rag_nb.show.html import (_cells, _colour, _ink, answer_html, answer_json, answer_terminal, clean, final_posterior, hits_html, left_out, page_html,
                            posterior_label, visible)
from rag_nb.core.marginal import doc_log_prior, running_posterior, sequence_marginal, token_marginal, token_posterior
from rag_nb.core.passages import Hits


def make(K=5, T=8, kind="token", question="Where?", docs=None, tokens=None, mask=None, seed=0):
    "An answer with random posteriors."
    g = torch.Generator().manual_seed(seed)
    docs = docs or [dict(id=f"d{k}", title=f"Title {k}", text=f"Text of passage {k}. " + "word "*30) for k in range(K)]
    tokens = [f" word{i}" for i in range(T)] if tokens is None else tokens
    hits = Hits.of([docs], [[5 - .3*k for k in range(len(docs))]])
    if mask is not None: hits = Hits(hits.ids, hits.scores, torch.tensor([mask]), passages=hits.passages)
    lp = -3*torch.rand(1, len(docs), len(tokens), generator=g)
    prior = doc_log_prior(hits.scores, hits.mask)
    each = token_marginal(lp, prior)[0]
    return Answer(question=question, text="".join(tokens).strip(), tokens=tokens, token_ids=torch.arange(len(tokens)), token_logprobs=each,
                  logprob=float(sequence_marginal(lp, prior)) if kind == "sequence" else float(each.sum()), doc_prior=prior[0].exp(),
                  doc_posterior=token_posterior(lp, prior)[0], running_posterior=running_posterior(lp, prior)[0], hits=hits, kind=kind)


EVIL = ['<script>document.title="PWNED"</script>', '"><img src=x onerror="document.title=\'PWNED\'">', "' onmouseover='document.title=1' x='",
        '" onclick="document.title=1', "[a](javascript:document.title=1) ![b](//example.org/b.png)", "</style></title></div></details></table><script>document.title=1</script>",
        "<svg onload=document.title=1>", "&lt;script&gt;", "\x1b[31mred\x1b]0;title\x07", "a\x00b\x9bc", "\u202egnp.exe", "\ud800", "{{7*7}} ${x} $x^2$", "<!-- -->]]>"]

def attacked(**kw):
    docs = [dict(id=e, title=e, text=e) for e in EVIL]
    return make(docs=docs, tokens=EVIL + ["\n", " ", "\t", ""], question=EVIL[0] + EVIL[5], **kw)


class Page(HTMLParser):
    "The elements, attributes, text and ids of a page; unclosed or crossed elements fail."
    VOID = {"meta"}
    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text, self.open, self.values = set(), set(), [], [], []
        self.feed(html); self.close()
        assert not self.open, f"not closed: {self.open}"
    def handle_starttag(self, tag, attrs):
        self.tags.add(tag); self.attributes |= {k for k, _ in attrs}; self.values += [v or "" for _, v in attrs]
        if tag not in self.VOID: self.open.append(tag)
    def handle_endtag(self, tag): assert self.open.pop() == tag
    def handle_data(self, data):
        if self.open[-1:] != ["style"]: self.text.append(data)
    def handle_comment(self, data): raise AssertionError(f"a comment: {data!r}")

OURS = set("div span b em samp sup del ins style details summary table thead tbody tfoot tr th td".split())
HARMLESS = {"class", "style", "title", "scope", "dir", "role", "tabindex", "aria-label", "aria-hidden"}

def check(html):
    page = Page(html)
    assert page.tags <= OURS and page.attributes <= HARMLESS, (page.tags - OURS, page.attributes - HARMLESS)
    assert not re.search(r"https?:|url\(|@import|expression", html.replace("javascript:", "")), "a request"
    return page


# HTML

def test_attacks_are_text():
    a = attacked()
    page = check(answer_html(a))
    for e in EVIL[:8]: assert e in "".join(page.text) or " ".join(e.split()) in "".join(page.text)
    check(hits_html(a.hits))
    b = attacked(seed=1); b.previous = make(docs=[dict(id=EVIL[0], title=EVIL[1], text="x"), dict(id="gone", title=EVIL[1], text="y")], tokens=EVIL)
    check(answer_html(b))

def test_no_control_characters_anywhere():
    a = attacked()
    for out in (answer_html(a), page_html(a), answer_terminal(a), answer_terminal(a, color=False)):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", out)
        out.encode("utf8")

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings, strategies as st  # noqa: E402

anything = st.text(max_size=40) | st.sampled_from(EVIL) | st.text(alphabet="<>&\"'/=!-`\\ \n\t\x00\x1b\u202e\ud800a", max_size=30)

@settings(max_examples=60)
@given(st.lists(st.tuples(anything, anything, anything), min_size=1, max_size=4), st.lists(anything, max_size=4), anything)
def test_any_text(passages, tokens, question):
    docs = [dict(id=i, title=t, text=x) for i, t, x in passages]
    a = make(docs=docs, tokens=tokens, question=question)
    page = check(answer_html(a))
    assert clean(question) in "".join(page.text)
    check(hits_html(a.hits))
    assert "\x1b" not in answer_terminal(a, color=False)
    found = answer_json(a)
    assert json.loads(json.dumps(found, ensure_ascii=False, allow_nan=False).encode("utf8")) == found

@pytest.mark.parametrize("kind", ["token", "sequence"])
@pytest.mark.parametrize("K,T", [(1, 0), (1, 1), (5, 8), (10, 30), (50, 100)])
def test_sizes(K, T, kind):
    a = make(K, T, kind)
    html = answer_html(a)
    page = check(html)
    text = "".join(page.text)
    assert len(html) < 700_000
    for k in range(K): assert f"Title {k}" in text and f"Text of passage {k}." in text
    assert ("log-probability" in text) and (("token posterior" in text) == (T > 0 and (K*T <= 2000 or kind == "token")))
    assert ("more document" in text) == (K > 10)
    for width in (10, 40, 80, 200):
        lines = answer_terminal(a, width=width).splitlines()
        assert max(map(_cells, lines)) <= max(width, 32)

def test_long_title_and_passage_are_whole_in_the_page():
    docs = [dict(id="long", title="T"*200, text="word "*3000 + "end"), dict(id="s", title="short", text="x")]
    text = "".join(check(answer_html(make(docs=docs))).text)
    assert "T"*200 in text and "word "*2999 in text and "word end" in text

def test_heatmap_holds_the_posterior():
    a = make(3, 4)
    html = answer_html(a)
    cells = re.findall(r'<td title="([^"]+?)%? · ·word(\d) · \[(\d)\] Title \d"', html)
    assert len(cells) == 3*4*2  # the token posterior, then the running posterior
    for which, part in (("doc_posterior", cells[:12]), ("running_posterior", cells[12:])):
        for p, i, k in part: assert abs(float(re.sub("[<>]", "", p))/100 - float(getattr(a, which)[int(i), int(k)-1])) <= .0051

def stripped(html): return re.sub(r' (style|class)="[^"]*"', "", re.sub(r"<style>.*?</style>", "", html, flags=re.S))

def test_without_any_style_the_numbers_are_drawn_in_letters():
    "GitHub and others take rules, classes and inline styles away; bars and heat-map are then letters, as long or high as the number."
    a = make(3, 4)
    html = stripped(answer_html(a))
    assert "ragnb" not in html and "style" not in html
    bars = [(len(b or ""), p) for b, p in re.findall(r'<span><span></span>(?:<samp aria-hidden="true">(█*)</samp>)?</span><span> ([^<]*)%</span>', html)]
    assert len(bars) == 6 and all(abs(n*4 - float(p)) <= 2.5 for n, p in bars)
    cells = re.findall(r'<td title="([^"]+?)% · ·word(\d) · \[(\d)\] Title \d">(?:<samp aria-hidden="true">(.)</samp> )?([.\d]*)</td>', html)
    assert len(cells) == 24
    for p, _, _, letter, number in cells: assert letter == ("▁▂▃▄▅▆▇█"[min(7, int(float(p)*.08 + 1e-9))] if float(p) >= 2 else "") or abs(float(p)*.08 % 1) < .05 or number

def test_tables_and_their_boxes_have_names():
    html = answer_html(make())
    assert html.count('role="region" aria-label="token posterior, 5 documents by 8 tokens"') == 1 and html.count('tabindex="0"') == 2
    assert re.search('<table [^>]*aria-label="Which document each token leans on .token posterior."', html)

def _contrast(a, b):
    "WCAG's ratio of two colours."
    def light(c):
        c = c.lstrip("#"); c = "".join(x*2 for x in c) if len(c) == 3 else c
        v = [int(c[i:i+2], 16)/255 for i in (0, 2, 4)]
        return sum(w*(x/12.92 if x <= .04045 else ((x + .055)/1.055)**2.4) for w, x in zip((.2126, .7152, .0722), v))
    return (max(light(a), light(b)) + .05)/(min(light(a), light(b)) + .05)

def test_numbers_of_documents_can_be_read_on_their_colours():
    for doc in range(7): assert _contrast(_colour(doc)[:7], _ink(doc)) >= 4.5

def test_main_posterior_goes_with_the_kind():
    token, sequence = answer_html(make(kind="token")), answer_html(make(kind="sequence"))
    assert token.index("(token posterior)") < token.index("(running posterior)")
    assert sequence.index("(running posterior)") < sequence.index("(token posterior)")

def test_no_ids_and_only_own_classes():
    html = answer_html(make()) + answer_html(make())
    assert " id=" not in html
    assert all(c.startswith("ragnb") for group in re.findall(r'class="([^"]*)"', html) for c in group.split())
    css = re.search("<style>(.*?)</style>", html, re.S)[1]
    for rule in re.findall(r"([^{}]+)\{", css):
        assert all(s.strip().startswith(".ragnb") for s in re.split(r",(?![^(]*\))", rule)), rule

def test_whitespace_tokens_are_visible():
    assert [visible(t) for t in ("\n", " ", "\t", " a", "", "\r\n", "\u3000", "\x00")] == ["⏎", "·", "⇥", "·a", "∅", "⏎", "·", "␀"]
    html = answer_html(make(tokens=["\n", " ", "\t", ""]))
    for mark in "⏎·⇥∅": assert f"<span>{mark}</span>" in html

def test_masked_documents_are_never_shown():
    a = make(4, 3, mask=[True, False, True, False])
    html, said, found = answer_html(a), answer_terminal(a), answer_json(a)
    for out in (html, said):
        assert "Title 1" not in out and "Title 3" not in out and "Title 2" in out and "[3]" in out and "[2]" not in out
    assert [d["id"] for d in found["documents"]] == ["d0", "d2"] and all(len(t["posterior"]) == 2 for t in found["tokens"])

def test_nothing_found():
    a = make(2, 2, mask=[False, False])
    a.doc_prior, a.doc_posterior, a.running_posterior = torch.zeros(2), torch.zeros(2, 2), torch.zeros(2, 2)
    assert "No document was found" in answer_html(a) and "No document was found" in answer_terminal(a) and "No document was found" in hits_html(a.hits)
    assert answer_json(a)["documents"] == []

def test_hits_without_passages_and_many_questions():
    html = hits_html(Hits(torch.arange(60).reshape(30, 2), torch.rand(30, 2)))
    check(html)
    assert "passage 7" in html and "Question 20" in html and "Question 21" not in html and "10 more questions" in html
    assert Hits(torch.arange(2)[None], torch.rand(1, 2))._repr_html_().startswith('<div class="ragnb">')

def test_citations_out_of_order_or_wrong_do_not_break_the_text():
    class Odd(Answer):
        citations = [Citation("rd1", 9, 3, 0, "", "", .5), Citation("wo", 0, 2, 1, "", "T", .9), Citation("ord", 1, 4, 2, "", "", .2), Citation("", 3, 999, 0, "", "", .1),
                     Citation("d1", 8, 10, 2, "", "<b>", math.nan)]
    a = make(3, 3)
    odd = Odd(**{k: getattr(a, k) for k in a.__dataclass_fields__})
    first = re.search(r'<div class="ragnb-a">(.*?)</div>', answer_html(odd))[1]
    assert re.sub(r"<sup>.*?</sup>|<[^>]+>", "", first) == a.text and first.count("<sup>") == 2 and "<b>" not in first

def test_left_out():
    a = make(3, 4)
    docs = [d for d in a.hits.passages[0] if d["id"] != "d1"]
    b = make(docs=docs, tokens=a.tokens[:2] + [" other"])
    b.previous = a
    assert [d["id"] for d in left_out(b)] == ["d1"] and left_out(a) == []
    html, said = answer_html(b), answer_terminal(b)
    assert "<del>" in html and "<ins> other</ins>" in html and "Left out" in html and "[2]" in html
    assert "Left out: [2] Title 1" in said and a.text in said

def test_page():
    page = page_html([make(), attacked()])
    assert page.startswith("<!DOCTYPE html>") and page.count('<div class="ragnb">') == 2
    assert "default-src 'none'" in page and "<title>Where?</title>" in page
    assert Page(page).tags - OURS == {"html", "head", "meta", "title", "body"}
    assert "<title>&lt;script&gt;" in page_html(attacked())
    Page(page_html([]))

def test_slips_are_named():
    with pytest.raises(TypeError, match="of type str"): answer_html("text")
    with pytest.raises(TypeError, match="for several use page_html"): answer_terminal([make()])
    with pytest.raises(TypeError, match="of type dict"): answer_json({})
    with pytest.raises(TypeError, match="of type int"): page_html([1])

@pytest.mark.parametrize("kind", ["token", "sequence"])
def test_final_posterior(kind):
    a = make(4, 6, kind)
    want = a.running_posterior[-1] if kind == "sequence" else a.doc_posterior.mean(0)
    assert torch.equal(final_posterior(a), want) and abs(float(final_posterior(a).sum()) - 1) < 1e-5
    assert ("last token" in posterior_label(a)) == (kind == "sequence")
    assert torch.equal(final_posterior(make(4, 0, kind)), make(4, 0, kind).doc_prior)


# the terminal

class Tty(io.StringIO):
    encoding = "utf-8"
    def isatty(self): return True

def test_colour_only_on_a_terminal_that_wants_it(monkeypatch):
    a = make()
    monkeypatch.delenv("NO_COLOR", raising=False); monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[" not in answer_terminal(a, file=io.StringIO()) and "\x1b[" in answer_terminal(a, file=Tty())
    assert "\x1b[" in answer_terminal(a, color=True, file=io.StringIO()) and "\x1b[" not in answer_terminal(a, color=False, file=Tty())
    monkeypatch.setenv("TERM", "dumb"); assert "\x1b[" not in answer_terminal(a, file=Tty())
    monkeypatch.setenv("TERM", "xterm"); monkeypatch.setenv("NO_COLOR", "1"); assert "\x1b[" not in answer_terminal(a, file=Tty())
    monkeypatch.setenv("NO_COLOR", ""); assert "\x1b[" in answer_terminal(a, file=Tty())

def test_only_our_own_escapes():
    said = answer_terminal(attacked(), color=True)
    assert set(re.findall(r"\x1b(?:\[\d+m)?", said)) <= {f"\x1b[{c}m" for c in (0, 1, 2, *range(31, 37))}
    assert "\x1b]" not in said and "\x07" not in said

@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8"])
def test_output_fits_its_encoding(encoding):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    for a in (make(), attacked(), make(tokens=["東京", "タワー", " é"])):
        said = answer_terminal(a, file=file)
        said.encode(encoding)
        assert ("#" in said) == (encoding in ("ascii", "latin-1", "cp437"))

def test_wide_characters_are_aligned():
    docs = [dict(id="1", title="東京タワー", text="x"), dict(id="2", title="e\u0301cole", text="x"), dict(id="3", title="Paris", text="x")]
    rows = [l for l in answer_terminal(make(docs=docs)).splitlines() if re.match(r"  \[\d\]", l)]
    assert len(rows) == 3 and len({_cells(r) for r in rows}) == 1

def test_words_lean_where_their_tokens_do():
    a = make(2, 4, tokens=["Le", "vi", " Stadium", " in"])
    a.doc_posterior = torch.tensor([[.9, .1], [.4, .6], [.2, .8], [.3, .7]])
    assert "  Levi[1] Stadium in[2]" in answer_terminal(a).splitlines()
    a.kind, a.running_posterior = "sequence", a.doc_posterior
    assert "  Levi Stadium in[2]" in answer_terminal(a).splitlines()  # one document for all of it


# JSON

def test_json_form():
    a = make(3, 2)
    found = answer_json(a)
    assert list(found) == ["question", "answer", "documents", "tokens"]
    assert [list(d) for d in found["documents"]] == [["id", "title", "text", "score", "prior", "posterior"]]*3
    assert [list(t) for t in found["tokens"]] == [["token", "logprob", "posterior"]]*2
    assert "".join(t["token"] for t in found["tokens"]).strip() == found["answer"]
    torch.testing.assert_close(torch.tensor([d["prior"] for d in found["documents"]]), a.doc_prior)
    torch.testing.assert_close(torch.tensor([d["score"] for d in found["documents"]]), a.hits.scores[0])
    torch.testing.assert_close(torch.tensor([t["posterior"] for t in found["tokens"]]), a.doc_posterior)
    torch.testing.assert_close(torch.tensor([t["logprob"] for t in found["tokens"]]), a.token_logprobs)
    for t in found["tokens"]: assert abs(sum(t["posterior"]) - 1) < 1e-5
    assert json.loads(json.dumps(found, allow_nan=False)) == found

def test_json_has_no_nan():
    a = make(2, 2)
    a.token_logprobs = torch.tensor([-math.inf, math.nan]); a.doc_posterior = torch.full((2, 2), math.nan)
    found = answer_json(a)
    json.dumps(found, allow_nan=False)
    assert [t["logprob"] for t in found["tokens"]] == [None, None]
    check(answer_html(a)); answer_terminal(a)


# a real browser

@pytest.mark.browser
def test_nothing_runs_in_a_browser(tmp_path):
    "Every attack in a page without our policy: the title stays, no request leaves, no script or image or link is there."
    from playwright.sync_api import sync_playwright
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    a, asked = attacked(), []
    a.previous = attacked(seed=1)
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=binary, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"])
        page = browser.new_page(viewport=dict(width=380, height=800))
        page.on("request", lambda r: asked.append(r.url)); page.on("dialog", lambda d: asked.append("dialog")); page.on("pageerror", lambda e: asked.append(str(e)))
        page.set_content(f"<!DOCTYPE html><title>fine</title>{answer_html(a)}{hits_html(a.hits)}")
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        for element in page.query_selector_all(".ragnb-p, .ragnb-c")[:12]: element.hover(); element.click()
        counts = page.evaluate("[document.scripts.length, document.images.length, document.links.length]")
        assert page.title() == "fine" and not asked and counts == [0, 0, 0]
        for answer in (make(), make(50, 100), attacked(), make(5, 0)):
            page.set_content(page_html(answer))
            assert page.evaluate("document.documentElement.scrollWidth") <= 380  # only the heat-map's own box scrolls
        browser.close()

def _chromium(p):
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    return p.chromium.launch(executable_path=binary, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"])

@pytest.mark.browser
def test_hovering_needs_no_script():
    "With JavaScript off: pointing at a citation outlines its document, at a document its words; letters are hidden; nothing is cut off at 380 px, light or dark."
    from playwright.sync_api import sync_playwright
    a = make(3, 6)
    with sync_playwright() as p:
        browser = _chromium(p)
        for scheme, width in (("light", 1100), ("dark", 380)):
            page = browser.new_context(java_script_enabled=False, color_scheme=scheme, viewport=dict(width=width, height=800)).new_page()
            page.set_content("<style>summary{display:block}</style>" + page_html(a))  # as nbviewer's page has it: the triangle must not go
            outline = lambda css: page.locator(css).first.evaluate("e => getComputedStyle(e).outlineStyle")
            c = a.citations[0]
            cited, number = f".ragnb-c.ragnb-d{c.doc}", f".ragnb-p.ragnb-d{c.doc} .ragnb-n"
            assert outline(number) == "none"
            page.hover(cited); assert outline(number) == "solid"
            page.mouse.move(0, 0); assert outline(cited) == "none"
            page.hover(f".ragnb-p.ragnb-d{c.doc}"); assert outline(cited) == "solid"
            assert not page.locator(".ragnb-heat samp").first.is_visible() and page.locator(".ragnb-heat samp").count() > 6
            assert page.locator("td[title]").first.get_attribute("title")
            dark = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(13, 17, 23)"
            assert dark == (scheme == "dark") and page.locator("html").evaluate("e => e.scrollWidth") <= width
            assert page.locator(".ragnb-p summary").first.evaluate("e => getComputedStyle(e).display") == "list-item"
            page.locator(".ragnb-p summary").first.click()
            assert page.locator(".ragnb-p .ragnb-text").first.is_visible()  # the passage unfolds
        browser.close()

@pytest.mark.browser
def test_without_style_the_letters_show():
    from playwright.sync_api import sync_playwright
    with sync_playwright() as p:
        browser = _chromium(p)
        page = browser.new_context(java_script_enabled=False).new_page()
        page.set_content(f"<!DOCTYPE html><title>x</title>{stripped(answer_html(make(3, 4)))}")
        assert all(e.is_visible() for e in page.locator("td samp").all()[:6]) and page.get_by_text("█").first.is_visible()
        browser.close()
