"""When reading every vector is too slow or too large: graphs and codes from the FAISS library, behind the same door, with exact scores all the same."""

# Written by tools/stubs.py: do not edit.

from typing import Any
from rag_nb.core.index import Index

__all__ = ['FEW', 'FaissIndex', 'FlatIndex', 'HNSWIndex', 'IVFPQIndex']

class FaissIndex(Index):
    """An index made by FAISS, which proposes the candidates; scores are exact inner products of the stored vectors."""
    factory: Any = ...
    nprobe: int | None
    ef_search: int | None
    path: Any
    params: dict
    index: Any
    widen: Any

    def __init__(
        self, vectors, factory: str | None=None, nprobe: int | None=None, ef_search: int | None=None, check: bool=True, index=None
    ) -> None:
        """Parameters:
    vectors: `(N, D)` array, memory map or tensor, or a list of them
    factory: FAISS's name for the index, for instance "HNSW32" or "IVF1024,PQ64"
    nprobe: IVF: lists looked into for each question; None: a sixteenth of them, at least 8
    ef_search: HNSW: candidates kept in view while walking; more finds more and takes longer
    check: Look for NaN and infinity
    index: A FAISS index over the first of these vectors, if there is one already"""
        ...

    def _trained(self):
        """The factory string and an empty index of that kind, trained if it needs to be; ValueError if the vectors are too few."""
        ...

    def absorb(self):
        """Take the vectors that the FAISS index does not have yet into it."""
        ...

    def add(self, vectors):
        """Add vectors at the end; an index that is only mapped from a file leaves them outside, where they are searched exactly."""
        ...

    def grown(self, vectors):
        """Another index with more vectors at its end: searched exactly until they are a tenth of all, then in a copy of FAISS's structure."""
        ...

    def _how(self, index, effort, selector):
        """FAISS's search parameters for this kind of index."""
        ...

    def _candidates(self, queries, k, exclude): ...

    def _searched(self, q, k, effort, selector):
        """What FAISS finds: (B, k), -1 for none, which is all that a kind without a selector gives where there is one."""
        ...

    def save(self, folder, prefix='index') -> list:
        """Write the FAISS index into `folder`; its file's name begins with `prefix`."""
        ...

    @classmethod
    def load(cls, folder, names, vectors, **params):
        """The index that `save` wrote, mapped into memory, over the vectors it was made of and perhaps more."""
        ...

def _short(error): ...

def _plainly(index):
    """No line printed for each of hundreds of small clusterings, and no reordering of codes, slow and of use for Hamming distances only."""
    ...

FEW: int

def _exactly(vectors, q, k, exclude):
    """Candidates by exact search."""
    ...

def _among(vectors, q, rows, k):
    """Candidates (B, ≤ k) by exact search among some rows."""
    ...

def _beside(ids, found, rows):
    """The candidates (B, C) with those `found` (b, k) in place of the ones of some rows."""
    ...

class FlatIndex(FaissIndex):
    """FAISS's own exact search."""
    factory: str = ...

class HNSWIndex(FaissIndex):
    """A graph with 32 links for each vector."""
    factory: str = ...

class IVFPQIndex(FaissIndex):
    """Lists and codes, as many and as long as suit the number of vectors."""
    factory: Any

    def _trained(self): ...

def _ivfpq(n, dim):
    """The factory string for `n` vectors of `dim` numbers."""
    ...

def _check_header(path, vectors):
    """ValueError where the beginning of a FAISS file is not that of an index over these vectors, or over the first of them."""
    ...

def _sound(given, path, whole=True):
    """ValueError where the parts of a FAISS index do not fit together; with `whole`, every link of a graph is looked at."""
    ...

def _damaged(path, what): ...

def _sound_graph(g, n, need, whole):
    """The same for a graph over `n` rows."""
    ...

_reading: Any

def _read(path, mapped=True):
    """A FAISS index from a file; ValueError names a file that is none, or is damaged."""
    ...
