"""Passages kept in columns, in memory or on disk, and the small value `Hits` that a search hands on."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
import numpy as np
import torch
from typing import Any
from rag_nb.core.snapshot import fork_lock as fork_lock

__all__ = ['COLUMNS', 'GROUP', 'MAX_GROUP', 'Passages', 'Hits']

COLUMNS: Any

GROUP: int

_LONE: Any

def _fields(raw): ...

def _complete(columns, first=0, where='these passages'):
    """All of `COLUMNS` from those given: only `text` is needed."""
    ...

class _Memory:
    """Columns as lists: one group of rows."""
    columns: Any
    sizes: list

    def __init__(self, columns) -> None: ...

    def rows(self, group, rows): ...

    def column(self, name): ...

class Passages:
    """A sequence of passages in columns, in memory or in Parquet files of which only the rows asked for are read."""
    parts: Any
    skipped: list
    reading: Any
    groups: list
    ends: Any

    def __init__(self, columns: dict | None=None, parts: tuple=...) -> None:
        """Parameters:
    columns: Lists of equal length by column name; only `text` is needed
    parts: Or parts that are there already, one after the other"""
        ...

    def __len__(self): ...

    def __repr__(self): ...

    @classmethod
    def from_documents(
        cls, docs, n_words: int=100, overlap: int=0, first_id: int=0, columns: dict | None=None, errors: str='raise', base=None
    ) -> Passages:
        """Passages of the documents, in order, with their titles, places and other fields.

Parameters:
    docs: Whatever `read_documents` takes
    n_words: Words in a passage; None keeps each document whole, as one passage with the document's id
    overlap: Words shared with the passage before
    first_id: Documents without an id get their number, counted from here
    columns: Renames columns, as in {"contents": "text"}
    errors: Or "skip": leave out documents that cannot be read, and list them in `skipped`
    base: The folder to which the ids of files are relative; None: the one that was given"""
        ...

    @staticmethod
    def concat(passages): ...

    def _rows(self, rows):
        """The raw rows of a list of row numbers, in that order; each group of rows is touched once."""
        ...

    def _numbers(self, key):
        """Row numbers, none negative, of a slice, a mask, or numbers; IndexError names the range."""
        ...

    def __getitem__(self, key):
        """One passage as a dict, or a list of them for a slice, a mask, or a list or array of row numbers."""
        ...

    def batches(self, n: int=..., start: int=0):
        """Lists of up to `n` passages, in order, from row `start` on."""
        ...

    def __iter__(self): ...

    def column(self, name: str) -> list:
        """All values of one column.

Parameters:
    name: One of `COLUMNS`"""
        ...

    def rows_of(self, documents) -> np.ndarray:
        """The rows that came from these documents; ids that are not here give none.

Parameters:
    documents: Id of a document, or several

Returns: Row numbers, ascending"""
        ...

    def select(self, rows) -> Passages:
        """Only these rows, numbered anew.

Parameters:
    rows: Row numbers, a mask, or a slice"""
        ...

    def kept(self, rows) -> Passages:
        """Only these rows, numbered anew, and nothing held of the others that are in memory.

Parameters:
    rows: Row numbers, ascending, or a mask"""
        ...

    def save(self, path, keep=None):
        """Write a Parquet file of row groups of 1,024, compressed with zstd, each page with a checksum; nothing is pickled.

Parameters:
    path: The file to write
    keep: Mask `(N,)` of the rows to write; None writes all"""
        ...

    @classmethod
    def open(cls, *paths) -> Passages:
        """Passages in files, opened without reading them; columns other than `text` may be missing.

Parameters:
    paths: Parquet files; their rows are numbered through"""
        ...

def _parsed(meta): ...

class _View:
    """Some rows of other passages, in groups of `GROUP`."""
    passages: Any
    numbers: Any
    sizes: list

    def __init__(self, passages, rows) -> None: ...

    def rows(self, group, rows): ...

    def column(self, name): ...

def _part_of(part, rows):
    """Some rows of a part: of a view the view of its rows, of a file a view."""
    ...

def _arrow():
    """pyarrow, imported when a file asks for it and not before."""
    ...

def _open_parquet(path): ...

MAX_GROUP: Any

class _File:
    """A Parquet file of passages: groups of rows read when they are asked for."""
    path: Any
    keep: Any
    cache: Any
    lock: Any
    file: Any
    sizes: list
    first: Any
    names: list

    def __init__(self, path, keep=16) -> None: ...

    def __reduce__(self): ...

    def __deepcopy__(self, memo): ...

    def _batches(self, group, names):
        """The decoded pieces of one group, refused as soon as they are too large."""
        ...

    def _table(self, group):
        """One group as a table, from the cache or the file."""
        ...

    def rows(self, group, rows):
        """The rows of one group as dicts."""
        ...

    def column(self, name):
        """All values of one column, read group by group past the cache; other threads read between two groups."""
        ...

def _picked(table, rows):
    """Some rows of a table as lists by column name, in the order of `rows`."""
    ...

@dataclass(repr=False, eq=False)
class Hits:
    """What a search found for B questions, K places each; places where nothing was found are masked.

Parameters:
    ids: (B, K) int64 row numbers, -1 where nothing was found
    scores: (B, K) float32 inner products, with what words add to them; -inf where nothing was found
    mask: (B, K) bool, True where a passage was found; None: where ids are not negative
    vectors: (B, K, D) float32 embeddings of the passages, or None
    passages: B lists of K dicts (None where nothing was found), or None
    lexical: (B, K) float32 what shared words added to the inner products; None: nothing did
    doc_scores: (B, K) float32 what the prior is the softmax of: scores times the score scale, as `Rag.retrieve` gives them"""
    ids: torch.Tensor
    scores: torch.Tensor
    mask: torch.Tensor | None = ...
    vectors: torch.Tensor | None = ...
    passages: list | None = ...
    lexical: torch.Tensor | None = ...
    doc_scores: torch.Tensor | None = ...

    def __post_init__(self): ...

    @property
    def shape(self): ...

    def __len__(self): ...

    def _repr_html_(self): ...

    def to_html(self) -> str:
        """The documents found for each question, with their scores, as static HTML (of many questions the first twenty)."""
        ...

    def to_pandas(self):
        """A DataFrame with a row for each document found: question (0 to B−1), then what `documents` gives; needs pandas."""
        ...

    def _check(self):
        """Everything must have the shape of `ids`."""
        ...

    def with_passages(self, passages) -> Hits:
        """The same hits, with the passages' text beside the numbers.

Parameters:
    passages: A `Passages`, or anything that gives dicts for a list of row numbers"""
        ...

    def documents(self, b: int=0) -> list:
        """The passages found for one question, best first, as plain dicts.

Parameters:
    b: Which question

Returns: of dicts: rank (from 1), doc (its column, from 0), row, id, title, text, score"""
        ...

    @classmethod
    def of(cls, documents: list, scores=None, vectors=None) -> Hits:
        """Hits made by hand; shorter lists are filled up and masked.

Parameters:
    documents: For each question a list of passages: dicts with `text` (`title`, `id`), or strings
    scores: For each question a list of their scores; None: all alike
    vectors: `(B, K, D)` embeddings, or None"""
        ...

    def __getitem__(self, b):
        """The hits of one question (B = 1), or of a slice or list of questions."""
        ...

    def keep(self, columns) -> Hits:
        """Only some of the documents of each question.

Parameters:
    columns: Columns to keep: numbers in the order wanted, a mask `(K,)`, or a slice; the same for every question

Returns: (B, K')"""
        ...

    def head(self, k: int) -> Hits:
        """The first `k` documents of each question."""
        ...

    def without(self, k: int, *, b: int | None=None) -> Hits:
        """The hits without one document: for all questions `(B, K-1)`, or masked for one of them.

Parameters:
    k: The document's column, from 0
    b: Only for this question: the place stays and is masked, so that the shape stays `(B, K)`"""
        ...

    def to(self, device) -> Hits:
        """The same hits with their tensors on another device."""
        ...

    def __repr__(self): ...

def _quoted(text, n=32):
    """A short quoted form of a text with control characters written as codes; empty stays empty."""
    ...
