"""One token with its rivals, document by document; and the beams as a tree, with what became of each."""

# Written by tools/stubs.py: do not edit.

from matplotlib.axes import Axes
from rag_nb.show.candidates import Alternatives
from rag_nb.show.candidates import BeamTrace

__all__ = ['plot_alternatives', 'plot_beams']

def _favourites(x, i):
    """For each document found, its own favourite at token i with its probability, or nothing where it is the token that was written."""
    ...

def _place(x, token):
    """Which token is meant, from 0; a ValueError where there is none."""
    ...

def _rows(x, i):
    """Probabilities of the candidates for token i, overall and by document found, (1 + K, n)."""
    ...

def _beside(ax, texts, ink):
    """Write at the right end of each row what the document would have said alone."""
    ...

def plot_alternatives(alternatives: Alternatives, token: int=0, ax: Axes | None=None) -> Axes:
    """The candidates for one token: how probable each is overall, and according to each document.

Parameters:
    alternatives: from `rag.alternatives(answer)`
    token: which token of the answer, from 0; −1 is the last
    ax: where to draw; None: a new figure of fitting size"""
    ...

_LEAVES: int

def _pruned(nodes):
    """The nodes that lead to the leaves which got furthest, with their parents renumbered."""
    ...

def _layout(nodes):
    """The row of every node, from the top, how many rows there are, and which nodes are leaves."""
    ...

def _branch(ax, nodes, rows, i):
    """The line from a node's parent to it."""
    ...

def _upright(ax, steps): ...

def _names(ax, nodes, rows, ink, steps):
    """Each branch's token above it."""
    ...

def _ends(ax, nodes, rows, leaves, ink, used):
    """The log-probability at the end of each branch."""
    ...

def plot_beams(trace: BeamTrace, ax: Axes | None=None) -> Axes:
    """The beams as a tree: branches are tokens, as thick as they were probable, with the log-probability of each beginning at its end.

Parameters:
    trace: from `rag.trace_beams(question)`
    ax: where to draw; None: a new figure of fitting size"""
    ...
