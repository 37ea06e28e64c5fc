"""Finding the passages whose vectors have the largest inner product with a question's: the small door that every index goes through, and the exact search behind it."""

# Written by tools/stubs.py: do not edit.

import torch
from typing import Any
from rag_nb.core.passages import Hits

__all__ = ['SPARE', 'INDEX_KINDS', 'Vectors', 'Index', 'Registry', 'register_index', 'index_kinds', 'index_class', 'make_index', 'ExactIndex']

class Vectors:
    """N rows of D numbers in segments, each an array, a memory-mapped file or a tensor, of 16 or 32 bits."""
    segments: list
    dim: Any
    ends: Any

    def __init__(self, segments, check: bool=True) -> None:
        """Parameters:
    segments: `(N, D)` array, memory map or tensor, or a list of them
    check: Look for NaN and infinity; files that were checked when they were written need no second look"""
        ...

    def __len__(self): ...

    @property
    def device(self): ...

    def __repr__(self): ...

    def chunks(self, size: int | None=None, dtype=...):
        """The vectors piece by piece, in order, never crossing from one segment into the next.

Parameters:
    size: Rows in a piece; None: 8 MB of them
    dtype: None leaves tensors as they are

Returns: yields `(first row, (C, D) tensor)`"""
        ...

    def check(self):
        """ValueError names the first row that holds NaN or infinity."""
        ...

    def take(self, ids, device=None) -> torch.Tensor:
        """The vectors of some rows, read in the order in which they lie.

Parameters:
    ids: Row numbers of any shape; -1 gives zeros
    device: Where the result is wanted; None: the CPU, or where the segments are

Returns: (..., D) float32"""
        ...

    def since(self, row: int):
        """The vectors from a row on, nothing copied; None if there are none."""
        ...

def _segment(s):
    """A two-dimensional array or tensor of 16- or 32-bit floats; float64 and nested lists become float32."""
    ...

def _tensor(piece, device=None, dtype=...):
    """A tensor of a piece of a segment; a read-only piece is copied, since tensors are writeable."""
    ...

def _release(segment, i, j):
    """Give back the pages of rows i to j of a read-only memory map that is larger than 64 MB."""
    ...

class Index:
    """Finds, for vectors of questions, the rows with the largest inner products; subclasses give `_candidates`."""
    params: dict = ...
    widen: int = ...
    stored: Any
    deleted: Any

    def __init__(self, vectors, check: bool=True) -> None:
        """Parameters:
    vectors: `(N, D)` array, memory map or tensor, or a list of them
    check: Look for NaN and infinity"""
        ...

    def __len__(self): ...

    def __repr__(self): ...

    @property
    def dim(self): ...

    def vectors(self, ids): ...

    @property
    def dataset(self): ...

    @dataset.setter
    def dataset(self, new): ...

    def _candidates(self, queries, k, exclude):
        """For (B, D) queries the numbers (B, C) of rows worth ranking, -1 for none; `exclude` is a bool mask (N,) or None."""
        ...

    def _queries(self, queries):
        """Queries as a (B, D) float32 tensor, or a ValueError that says what is wrong."""
        ...

    def _excluded(self, exclude):
        """The rows not to be found, deleted ones among them: a bool tensor (N,) or None."""
        ...

    def _found(self, q, c, exclude, n_docs):
        """The best `n_docs` of c candidates: ids, scores and vectors."""
        ...

    def search(self, queries, n_docs: int=5, exclude=None, return_vectors: bool=False) -> Hits:
        """The rows with the largest inner products, best first, with exact float32 scores.

Parameters:
    queries: `(B, D)` vectors of questions, array or tensor
    n_docs: K, documents a question
    exclude: Mask `(N,)`, True for rows that must not be found
    return_vectors: Also hand back the vectors of what was found

Returns: (B, K) always; places for which nothing was found are masked"""
        ...

    def add(self, vectors):
        """Add vectors at the end.

Parameters:
    vectors: `(n, D)`; they get the next row numbers"""
        ...

    def grown(self, vectors) -> Index:
        """Another index with more vectors at its end; this one stays as it is, for the searches that are in it.

Parameters:
    vectors: `(n, D)`; they get the next row numbers"""
        ...

    def absorb(self):
        """Take in vectors that were added beside the index's own structure, where it has one."""
        ...

    def save(self, folder, prefix='index') -> list:
        """Write what the index has beyond its vectors into `folder`; the names of the files, each beginning with `prefix`."""
        ...

    @classmethod
    def load(cls, folder, names, vectors, **params) -> Index:
        """An index from the files that `save` named, and the vectors it was made of."""
        ...

def _rank(q, ids, vectors, n_docs):
    """The best `n_docs` of the candidates, ties by lower id: ids and scores (B, K), their vectors (B, K, D), and whether all scores are finite."""
    ...

def _ranked(q, ids, vectors, n_docs):
    """The same, or a ValueError."""
    ...

SPARE: int

class Registry(dict):
    """Members of one role by name; those that `rag_nb.REGISTRIES` lists bring their module when first asked for."""
    role: Any

    def __init__(self, role) -> None: ...

    def listed(self): ...

    def names(self): ...

    def __missing__(self, name): ...

INDEX_KINDS: Registry

def register_index(kind: str):
    """A decorator: the class is an index of this kind.

Parameters:
    kind: The name by which `make_index` and index folders know it"""
    ...

def index_kinds() -> list:
    """The names of all kinds of index, those included whose module has not been imported yet."""
    ...

def index_class(kind: str):
    """The class of a kind of index; ValueError lists the kinds that there are."""
    ...

def make_index(kind: str, vectors, **params) -> Index:
    """An index of some kind over these vectors.

Parameters:
    kind: "exact", "hnsw", ... : a name in `INDEX_KINDS`
    vectors: `(N, D)` array, memory map or tensor, or a list of them
    params: What that kind takes"""
    ...

def _top(scores, k):
    """The `k` largest of each row (B, C) and their places; equal ones by lower place, whatever `topk` does."""
    ...

def _top_of_long(scores, k, block=512):
    """The same as `_top`, by way of the largest number of each block."""
    ...

class ExactIndex(Index):
    """Inner products with every vector, piece by piece, on the CPU or a GPU: the slow truth, and often fast enough."""
    devices: list
    device: Any
    dtype: Any
    chunk_size: int | None
    shards: list
    free: list
    stored: Vectors

    def __init__(self, vectors, device='cpu', dtype=None, chunk_size: int | None=None, check: bool=True, room: int | None=None) -> None:
        """Parameters:
    vectors: `(N, D)` array, memory map or tensor, or a list of them
    device: On a GPU the vectors are copied there, on a list of GPUs each takes a share; on the CPU they stay where they are, on disk too
    dtype: `torch.float16` halves a GPU's memory, `torch.int8` quarters it (see below); None keeps what is there
    chunk_size: Rows multiplied at a time; None: 8 MB of them, on a GPU as many as give 1 GB of scores
    check: Look for NaN and infinity
    room: Bytes of vectors that each GPU keeps, the others are streamed to it; None: what is free, but for 4 GB"""
        ...

    def _move(self, segments, first):
        """Segments as they are kept: copied to the device, or to the dtype, where they are not there yet, one piece at a time."""
        ...

    def add(self, vectors):
        """Add vectors at the end; on a GPU they are copied there."""
        ...

    def _by_pieces(self, queries, k, exclude):
        """Candidates by the scores of all rows, piece by piece."""
        ...

    @property
    def scanned(self):
        """Whether the rows are searched by `scan`."""
        ...

    def _candidates(self, queries, k, exclude): ...

    def _found(self, q, c, exclude, n_docs): ...

    def _shelved(self, segment, first):
        """Put a segment into shards on the devices; the segments that keep its vectors from now on."""
        ...

    def _shares(self, segment, dtype):
        """Which rows of a segment go where: from, to, the device, and whether they wait in the host's memory."""
        ...

    def _exactly(self, q, ids, k, size=...):
        """The `k` best of candidates (B, C) by the vectors themselves: ids and scores (B, k); some questions and some candidates at a time."""
        ...

    def vectors(self, ids):
        """The vectors of some rows, (..., D) float32; zeros for -1."""
        ...

def _free(device):
    """Bytes that a device has left for vectors."""
    ...

def _dtype(s): ...

def _products(q, piece):
    """Inner products (B, C) in float32 of queries (B, D) and a piece (C, D) of any float type."""
    ...
