"""An answer, the passages it rests on, and which of them every word came from: as static HTML, in a terminal, and as JSON."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
from torch import Tensor
from typing import Any
from rag_nb.core.answer import Answer
from rag_nb.core.passages import Hits

__all__ = ['final_posterior', 'posterior_label', 'clean', 'visible', 'left_out', 'answer_html', 'hits_html', 'page_html', 'answer_terminal', 'answer_json', 'json_text']

def final_posterior(answer: Answer) -> Tensor:
    """What each document has to do with the answer as a whole: RAG-Token's mean over the tokens, RAG-Sequence's belief after the last one.

Returns: (K,) float32"""
    ...

def posterior_label(answer: Answer) -> str:
    """Which posterior `final_posterior` is, in a few words."""
    ...

def _check(answer): ...

def _documents(answer):
    """The documents found: dicts with doc (column), row, id, title, text, score, prior, posterior."""
    ...

def _name(d): ...

def _plural(n, word): ...

_CLEAN: dict

def clean(text) -> str:
    """Text from outside, with control characters made visible and marks that reorder text removed.

Parameters:
    text: anything; None is empty"""
    ...

def visible(token: str) -> str:
    """A token with its spaces (·), tabs (⇥) and line ends (⏎) to be seen; a token that adds nothing yet is ∅."""
    ...

def _short(text, n):
    """One line of at most n characters."""
    ...

class _Html(str):
    """Text that is HTML already."""

def _join(children): ...

def _tag(name, *children, cls=None, **attributes):
    """One element; a child is text, which is escaped, or HTML."""
    ...

def _percent(p): ...

def _log(x, digits=2): ...

def _likelihood(logprob): ...

def _sum(documents): ...

_COLOURS: Any

def _colour(doc, alpha=1.0): ...

def _ink(doc): ...

def _number(doc, tag='span', **attributes):
    """The document's number in brackets on its colour."""
    ...

def _pieces(answer):
    """The answer's text cut at its citations: (text, citation or None)."""
    ...

def _cited(text, c):
    """A piece of the answer: plain, or in its document's colour, the paler the less sure, and with its number."""
    ...

def _supported(answer):
    """Support, where its model was fitted for this generator or an answer was refused for want of it."""
    ...

def _unsaid(answer): ...

def _facts(answer): ...

def _head(answer): ...

_CSS_TEXT: str

def _letters(text): ...

def _upward(p): ...

def _bar(label, p, colour): ...

def _bars(d): ...

def _passage(d, *beside):
    """A found document: number, title, score, the passage to unfold, and what stands beside it."""
    ...

_SHOWN: int

def _fold(documents, each, summary):
    """The first documents, and the rest behind one line."""
    ...

def _passages(answer): ...

_CSS_PASSAGES: str

def _cell(p, doc, title, token):
    """One cell: the probability as a tint, as a number without its zero, and in full on pointing."""
    ...

def _row(d, tokens, posterior):
    """A document's row: its number, its title, a cell for each token."""
    ...

def _heads(tokens, tall):
    """The first row: the tokens."""
    ...

def _feet(tokens, tall, logprobs):
    """The last row: their log-probabilities."""
    ...

_HEADINGS: dict

def _heatmap(answer, which):
    """Documents × tokens as a table, in a box of its own that the keyboard can scroll; `which` posterior is token or running."""
    ...

def _main_posterior(answer): ...

def _heatmaps(answer):
    """The posterior that belongs to the answer's kind, and the other one folded."""
    ...

_CSS_HEAT: str

def left_out(answer: Answer) -> list:
    """The documents that `answer.previous` had and this answer has not.

Returns: of dicts as `hits.documents()` gives them, numbered as in `answer.previous`"""
    ...

def _difference(old, new):
    """Two texts as HTML, with the words marked that only one of them has."""
    ...

def _compared(name, answer, text): ...

def _changes(answer):
    """The strip for an answer with a document left out."""
    ...

_CSS_CHANGES: str

def _style(documents=...):
    """All rules, with a pair for each document that links its citations and its rows."""
    ...

def _box(*parts): ...

def answer_html(answer: Answer) -> str:
    """The answer as static HTML with its style inside: no script, no link, no request; everything from outside escaped."""
    ...

def hits_html(hits: Hits) -> str:
    """The documents found for each question, with their scores, as static HTML (of many questions the first twenty)."""
    ...

_CSS_PAGE: str

_META: str

def page_html(answers) -> str:
    """A whole page with one or several answers, that runs nothing and loads nothing.

Parameters:
    answers: an `Answer` or a list of them"""
    ...

def _cells(text):
    """How many cells of a terminal the text takes."""
    ...

def _fit(text, n, dots='…'):
    """The text cut or filled up to exactly n cells."""
    ...

def _blocks(p, n, fine=True):
    """A bar of n cells."""
    ...

@dataclass
class _Screen:
    """What a place of output can show."""
    width: int
    color: bool
    encoding: str

    def can(self, text): ...

    def say(self, text): ...

    def paint(self, text, code): ...

    def doc(self, text, doc): ...

def _screen(width, color, file):
    """The screen behind a file: what is not given is asked of it."""
    ...

_WIDE: str

def _flow(words, width):
    """Words (space before, text, as printed) set into lines of at most `width` cells."""
    ...

def _paragraph(screen, text, indent='', code=None):
    """A text in lines, each in colour `code`."""
    ...

def _words(answer):
    """The answer's words and for each the column of the document it leans on most."""
    ...

def _leaning(screen, answer):
    """Lines with the answer's words, coloured by document, and the document's number after the last of a run."""
    ...

def _columns(screen, documents):
    """The widths of number, title and bars that fit."""
    ...

def _line(screen, d, number, title, bar):
    """A document's row in the table."""
    ...

def _text_line(screen, d, number, marker):
    """The line of a document that shows the words that matter; none where it has no text."""
    ...

def _table(screen, answer):
    """The documents with their bars, the first ten of them."""
    ...

def _before(screen, answer):
    """What a terminal says about a document left out."""
    ...

def answer_terminal(answer: Answer, width: int | None=None, color: bool | None=None, file=None) -> str:
    """The answer, its documents with prior and posterior, and which of them each word leans on, for a terminal.

Parameters:
    width: cells in a line; None: the terminal's own, 80 where there is none
    color: None: on a terminal, unless NO_COLOR is set
    file: where it will be printed, standard output by default: decides what None means, and the encoding"""
    ...

def _json(x):
    """A finite float with the digits that a float32 has, else None; or a text without halves of characters."""
    ...

def answer_json(answer: Answer) -> dict:
    """The answer as plain values that any JSON reader takes; what is not finite is None.

Returns: {"question", "answer", "documents": [{id, title, text, score, prior, posterior}], "tokens": [{token, logprob, posterior}]}"""
    ...

_UNPRINTED: Any

def json_text(value, indent: int | None=None) -> str:
    """A plain value as JSON in letters as they are, except those that would do something to a terminal or a line.

Parameters:
    value: what `answer_json` gives, or any other plain value
    indent: None: all on one line"""
    ...
