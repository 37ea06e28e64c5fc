"""Only the documents of a year, of a team, of a folder: a mask over rows that every kind of index keeps to."""

# Written by tools/stubs.py: do not edit.

import numpy as np
from typing import Any
from rag_nb.core.passages import Hits

__all__ = ['Where', 'as_where', 'excluded', 'at_least', 'top_among', 'only', 'parse_where']

def _written(value):
    """A value as it is compared: a text, or None for a gap."""
    ...

def _values(value):
    """The values of a field: of a list each item, of a gap or an empty list None."""
    ...

def _test(wanted):
    """A function of a field's value that says whether it fits."""
    ...

_TABLES: Any

class _Table:
    """The fields of N passages: distinct metas, and which of them each row has."""
    codes: Any
    metas: list
    keys: Any

    def __init__(self, passages) -> None: ...

def _table(passages):
    """The table of some passages; ValueError where they are only to be had row by row."""
    ...

def _here(passages):
    """ValueError where passages stay on the Hub, since a filter looks at all of them."""
    ...

_COLUMNS: Any

def _column(passages, name):
    """One of these columns, of passages in columns or row by row."""
    ...

def _fitting(passages, table, key, wanted):
    """Which rows fit in one field: a mask (N,)."""
    ...

class Where:
    """Which passages may be found: those that fit a condition, and of these those with a score of at least `min_score`."""
    condition: Any
    min_score: float | None
    _known: Any

    def __init__(self, condition=None, min_score: float | None=None) -> None:
        """Parameters:
    condition: A dict of fields and wanted values, or a function of a passage's fields; None: all
    min_score: The least score; None: any"""
        ...

    def __repr__(self): ...

    def __str__(self): ...

    def mask(self, passages) -> np.ndarray:
        """Which passages fit the condition; ValueError names a field that no passage has, and the fields that there are.

Parameters:
    passages: N passages

Returns: (N,) bool, True for those that fit"""
        ...

    def _looked_up(self, passages): ...

    def _asked(self, passages): ...

def _said_value(v):
    """A wanted value; of a set always in the same order."""
    ...

def _said(condition):
    """A condition in one line; a function by its name and a mark of its code."""
    ...

def as_where(where=None, min_score=None):
    """A `Where` of what was given, or None where nothing is left out."""
    ...

def excluded(passages, deleted=None, where: Where | None=None):
    """The rows that a search has to leave out.

Parameters:
    passages: N passages
    deleted: (N,) bool, or None
    where: What may be found

Returns: (N,) bool, or None where every row may be found"""
    ...

def at_least(hits: Hits, least: float | None=None) -> Hits:
    """Only the hits whose score is high enough.

Parameters:
    hits: (B, K)
    least: Scores below it are no hits; None: all stay

Returns: (B, K), with the places of what is left out masked"""
    ...

def top_among(get_top_docs, queries, n_docs: int, exclude) -> tuple:
    """The rows with the largest inner products of those that may be found, in the order in which an index gives them.

Parameters:
    get_top_docs: gives ids (B, n) and vectors (B, n, D) for queries and n
    queries: (B, D) array
    n_docs: K
    exclude: (N,) bool, True for rows that must not be found

Returns: ids (B, K), −1 for none, and vectors (B, K, D)"""
    ...

def only(hits: Hits, passages, where: Where) -> Hits:
    """Only the hits that fit.

Parameters:
    hits: (B, K)
    passages: what their row numbers stand for
    where: what may be found

Returns: (B, K), with the places of what does not fit masked"""
    ...

def parse_where(text) -> dict:
    """The condition that a text says.

Parameters:
    text: "field=value,…", or a list of such texts; None: no filter

Returns: for `Where`"""
    ...
