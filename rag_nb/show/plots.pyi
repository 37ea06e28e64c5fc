"""Documents down, generated tokens across: which passage each word came from, as a matplotlib figure. And beside it, what was believed before and after."""

# Written by tools/stubs.py: do not edit.

from matplotlib.axes import Axes
from typing import Any
from rag_nb.core.answer import Answer

__all__ = ['plot_posterior', 'plot_prior', 'plot_entropy']

_CJK: Any

def _families():
    """The style's font families, then the installed ones that know Chinese, Japanese and Korean."""
    ...

def _letters(families):
    """Which of a text's letters the fonts have: a function of one letter."""
    ...

def _drawable(labels):
    """The labels with a box for each letter that no font has, and the families to draw them with."""
    ...

_GREY: str

def _canvas(ax, width, height):
    """The user's Axes, or transparent ones of our own of that size in inches; and the colour for letters on them."""
    ...

def _bare(ax, ink):
    """No frame, no tick marks, everything that is written in one colour."""
    ...

def _room(ax, n, axis):
    """Points that each of n rows or columns has on these Axes."""
    ...

def _step(room, size=5.5): ...

def _size(room): ...

def _label(ax, axis, labels, ink):
    """Write the labels of rows or columns as large as they fit, every n-th where there is no room for all."""
    ...

def _titles(documents): ...

def _token(t): ...

def _numbers(ax, x):
    """Write the probabilities of at least a tenth into their cells, in black or white, where there is room."""
    ...

def _grid(ax, n, m):
    """Thin white lines between n columns and m rows."""
    ...

def _nothing(ax, ink, text):
    """Axes with a sentence instead of a picture."""
    ...

_WHICH: dict

def _matrix(answer, which):
    """The posterior (K, T) of the documents found, and these documents."""
    ...

def _scale(ax, image, ink):
    """The colour bar, at most an inch and a half high."""
    ...

def plot_posterior(answer: Answer, ax: Axes | None=None, which: str='token') -> Axes:
    """A heat-map of documents × generated tokens; each column sums to one.

Parameters:
    ax: where to draw; None: a new figure of fitting size
    which: "token": the paper's Figure 2; "running": what RAG-Sequence believes after each token"""
    ...

def _percentages(ax, bars, values, ink):
    """Write each bar's value at its end, or show the scale."""
    ...

def plot_prior(answer: Answer, ax: Axes | None=None) -> Axes:
    """Two bars for each document: its prior, and its posterior as `final_posterior` gives it.

Parameters:
    ax: where to draw; None: a new figure of fitting size"""
    ...

_BLUE: Any

_ORANGE: Any

def _entropy(p): ...

def _line_legend(ax, ink):
    """A legend above the Axes, in one row."""
    ...

def plot_entropy(answer: Answer, ax: Axes | None=None) -> Axes:
    """Entropy of both posteriors at each token, in bits, and of the prior: 0 where one document explains it all.

Parameters:
    ax: where to draw; None: a new figure of fitting size"""
    ...
