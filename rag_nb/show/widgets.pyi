"""A browser for passages and an explorer for answers: ask, click a word, leave a document out, bring one of your own, and watch the equation move."""

# Written by tools/stubs.py: do not edit.

from typing import Any
from rag_nb.core.answer import Rag
from rag_nb.core.retriever import RagRetriever
from rag_nb.show.candidates import Alternatives

__all__ = ['PassageBrowser', 'AnswerExplorer']

def _words(text): ...

def _excerpt(text, marker, n=160): ...

def _marked(text, marker):
    """The text as HTML, with the words that `marker` finds marked by their kind."""
    ...

def _found(d, marker=None, *beside, cls='', style=None):
    """A passage: number, title, score, the text to unfold with its words marked, and what stands beside it."""
    ...

class _Panel:
    """A box of controls that does one thing at a time, and says in place what went wrong."""
    busy: bool
    error: Any
    _quiet: Any
    status: Any
    widget: Any

    def _open(self, controls, *results): ...

    def _tell(self, *what, role='status'): ...

    def _wait(self, text): ...

    def _on(self, control, act, name='value'):
        """Call `act` when the user changes a control."""
        ...

    def _set(self, control, **values):
        """Change a control without anybody noticing."""
        ...

    def _run(self, doing, work, lock=True):
        """Do `work` with all controls disabled, then draw; what goes wrong is shown and kept in `error`."""
        ...

    def _ipython_display_(self):
        """The widget, and a still picture for places without widgets."""
        ...

def _controls(widget):
    """All controls of a tree of widgets that can be disabled."""
    ...

def _message(e):
    """What went wrong, in a line; errors that are not about what the user gave are named by their class."""
    ...

_VIEW: str

_CSS: str

class _Pages:
    """Previous, next, and where one is among n things, of which `size` are in sight."""
    size: Any
    page: Any
    n: Any
    back: Any
    on: Any
    where: Any
    widget: Any

    def __init__(self, turn, size=10) -> None: ...

    @property
    def span(self): ...

    def show(self, n):
        """Take note that there are n things now."""
        ...

def _where_box(where):
    """A box to type a filter in, unless there is one already."""
    ...

def _typed_where(panel):
    """The filter of a panel: the one it was made with, or what is in its box."""
    ...

_WRAP: Any

class PassageBrowser(_Panel):
    """Type a question and see the passages found; `question`, `hits`, `matches`, `shown`, `page`, `busy` and `error` say what is on the screen."""
    retriever: RagRetriever | Rag
    question: Any
    hits: Any
    _only: Any
    min_score: float | None
    box: Any
    answer_box: Any
    filter_box: Any
    docs_slider: Any
    where_box: Any
    list: Any
    pages: _Pages

    def __init__(
        self, retriever: RagRetriever | Rag, question: str='', answer: str='', n_docs: int=10, where=None, min_score: float | None=None
    ) -> None:
        """Parameters:
    retriever: what to search
    question: searched for at once, if given
    answer: words to look for in the passages
    n_docs: how many passages to find
    where: only passages that fit, as for `RagRetriever.search`; where None there is a box to type it in
    min_score: only passages with this score at least"""
        ...

    @property
    def n_docs(self):
        """"""
        ...

    @property
    def where(self):
        """"""
        ...

    @property
    def answer(self):
        """"""
        ...

    @property
    def filter(self):
        """"""
        ...

    @property
    def page(self):
        """"""
        ...

    def __repr__(self): ...

    def search(self, question: str | None=None) -> PassageBrowser:
        """Find passages and show the first page of them.

Parameters:
    question: what to search for; what is in the question box where None

Returns: itself"""
        ...

    def _search(self): ...

    @property
    def matches(self) -> list:
        """The passages found that pass the filter, best first."""
        ...

    @property
    def shown(self) -> list:
        """The passages in sight."""
        ...

    def turn(self, page: int) -> PassageBrowser:
        """Go to a page.

Parameters:
    page: from 0

Returns: itself"""
        ...

    def _draw(self):
        """Put the state on the screen."""
        ...

    def _still(self):
        """The passages found, for places without widgets."""
        ...

class AnswerExplorer(_Panel):
    """Ask, click a token, leave out a document; `question`, `answer`, `before`, `hits`, `kept`, `selected`, `alternatives`, `which`, `busy` and `error` say what is on the screen."""
    rag: Rag
    seed: Any
    generation: Any
    _only: Any
    min_score: float | None
    question: Any
    answer: Any
    before: Any
    hits: Any
    kept: Any
    selected: Any
    _asked: Any
    _answers: dict
    _choices: dict
    _enter: bool
    box: Any
    ask_button: Any
    kind_buttons: Any
    docs_slider: Any
    beams_slider: Any
    heat_slider: Any
    where_box: Any
    error: Any
    head: Any
    colours: Any
    choices: Any
    versus: Any
    tokens: Any
    which_buttons: Any
    pages: _Pages
    rows: list
    list: Any
    paste_title: Any
    paste_text: Any
    paste_button: Any
    paste_row: Any
    results: Any

    def __init__(
        self, rag: Rag, question: str='', kind: str | None=None, n_docs: int | None=None, num_beams: int | None=None,
        temperature: float=0.0, seed: int=0, where=None, min_score: float | None=None, **generation
    ) -> None:
        """Parameters:
    rag: who answers
    question: asked at once, if given
    kind: "token" or "sequence"; the model's own head where None
    n_docs: documents to find; the model's own number where None
    num_beams: 1 is greedy; the model's own number where None
    temperature: 0 takes the likeliest tokens; above it they are drawn
    seed: of the first draw; each further question takes the next one
    where: only documents that fit, as for `Rag.ask`; where None there is a box to type it in
    min_score: only documents with this score at least
    generation: for `Rag.ask`: max_new_tokens, min_new_tokens, …"""
        ...

    @property
    def where(self):
        """"""
        ...

    def __repr__(self): ...

    def _make_settings(self, question, kind, n_docs, num_beams, temperature):
        """The controls above the answer."""
        ...

    @property
    def settings(self) -> dict:
        """What the controls say."""
        ...

    @property
    def _now(self):
        """All that an answer depends on."""
        ...

    def ask(self, question: str | None=None) -> AnswerExplorer:
        """Find documents, read them all, and answer.

Parameters:
    question: what to ask; what is in the question box where None

Returns: itself"""
        ...

    def _ask(self): ...

    def _decode(self, question, hits, settings, seed):
        """The answer from these hits."""
        ...

    def _pressed(self):
        """Ask, unless that would only repeat what is on the screen."""
        ...

    def _submitted(self, _, content, buffers):
        """Enter was pressed in the question box; if its text has changed, the text comes next."""
        ...

    def _typed(self): ...

    def _changed(self):
        """Say so where the controls have moved on from the answer."""
        ...

    def select(self, token: int | None) -> AnswerExplorer:
        """Look at one token: its posterior, what else could have stood there, and the passages it is found in.

Parameters:
    token: its place in the answer, from 0; None: no token

Returns: itself"""
        ...

    def _look(self): ...

    @property
    def alternatives(self) -> Alternatives:
        """What could have stood in the place of each token of the answer."""
        ...

    def _beside(self, d):
        """The bars beside a passage: prior, and the posteriors of the selected token or of the whole answer."""
        ...

    def _view(self, d, marker, read):
        """A document on the screen; `read` has those that the answer was made from, by their number."""
        ...

    def _take(self, hits, kept):
        """Answer the same question from those of the hits that are kept."""
        ...

    def _keep(self, doc, keep):
        """Keep a document, or leave it out, and answer."""
        ...

    @property
    def documents(self) -> list:
        """The documents found, and those pasted in."""
        ...

    def _column(self, doc):
        """Which document is meant."""
        ...

    def drop(self, doc: int | str) -> AnswerExplorer:
        """Leave a document out and answer again.

Parameters:
    doc: place from 0, passage id or title

Returns: itself"""
        ...

    def restore(self, doc: int | str) -> AnswerExplorer:
        """Take a document back in and answer again.

Parameters:
    doc: place from 0, passage id or title

Returns: itself"""
        ...

    def paste(self, text: str, title: str='') -> AnswerExplorer:
        """Add a passage to the documents and answer again.

Parameters:
    text: the passage
    title: its title

Returns: itself"""
        ...

    def _paste(self, text, title): ...

    def _score(self, doc):
        """What the index would score a passage for the question: inner product, and what shared words add; before scaling."""
        ...

    def _make_results(self):
        """Everything below the settings."""
        ...

    def _place(self):
        """Lay the parts out."""
        ...

    def _listen(self):
        """Who is told of what."""
        ...

    def _draw(self):
        """Put the state on the screen."""
        ...

    def _draw_tokens(self): ...

    def _draw_documents(self):
        """The rows of this page."""
        ...

    def _ticked(self, doc, keep): ...

    def _turn(self, page): ...

    @property
    def which(self) -> str:
        """Which posterior colours the tokens and fills the heat-maps."""
        ...

    def _still(self):
        """The answer, for places without widgets."""
        ...

def _columns(kept): ...

def _labels(tokens):
    """What stands on the tokens' buttons: all different, if only invisibly."""
    ...

def _posterior(answer, which): ...

def _coloured(answer, which):
    """A class name, and rules that give its buttons the colours of the documents that the tokens lean on."""
    ...

def _no_token(token, answer): ...

def _overall(found, i):
    """The candidates at place i, as bars."""
    ...

def _opinion(found, i, d):
    """One document's opinion at place i: what it gave the token, and its favourites."""
    ...

def _opinions(found, i):
    """What each document would have said at place i."""
    ...

def _at(answer, i, found):
    """All about the token at place i."""
    ...

class _Row:
    """A document with a box to tick."""
    doc: Any
    keep: Any
    view: Any
    widget: Any

    def __init__(self, ticked) -> None: ...

def _word_at(tokens, i):
    """The word that token i is part of."""
    ...

def _with(hits, doc, score):
    """The hits of one question with one more document."""
    ...

def _side(label, answer, text, which):
    """One of the two answers."""
    ...

def _map(answer, which):
    """The heat-map of a posterior; one of thousands of cells shows nothing, so it is left out."""
    ...

def _versus(before, answer, which):
    """Two answers side by side."""
    ...
