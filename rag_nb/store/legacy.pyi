"""A dataset with a FAISS index, an index class written for Transformers, and DPR's own files, whose pickles are read without running them."""

# Written by tools/stubs.py: do not edit.

import torch
from typing import Any
from rag_nb.core.index import Index
from rag_nb.core.passages import Hits
from rag_nb.core.passages import Passages
from rag_nb.store.hub import RowsIndex
from rag_nb.store.hub import WikiDPRIndex

__all__ = ['DatasetPassages', 'CustomHFIndex', 'CanonicalHFIndex', 'AdaptedIndex', 'adapt_index', 'PickleRefused', 'load_plain_pickle', 'LegacyPassages', 'LegacyIndex']

class _Columns:
    """A `datasets.Dataset` as a part of `Passages`."""
    sizes: list
    texts: Any
    others: Any
    numbers: Any

    def __init__(self, dataset) -> None: ...

    def rows(self, group, rows): ...

    def column(self, name): ...

def _metas_of(table):
    """The columns of a dataset beside title and text, a JSON text a row, as passages keep them."""
    ...

class DatasetPassages(Passages):
    """The rows of a `datasets.Dataset` with the columns title, text and embeddings."""
    numbers: Any
    dim: Any

    def __init__(self, dataset) -> None: ...

    def vectors(self, ids): ...

    def segments(self):
        """All vectors, piece by piece where they lie."""
        ...

class CustomHFIndex(RowsIndex):
    """A `datasets.Dataset` with the columns title, text and embeddings, and a FAISS index attached, in a file, or none."""
    kind: str = ...
    _dataset: Any
    index_path: Any
    vector_size: Any
    passages: Any
    proposer: Any

    def __init__(self, vector_size: int, dataset, index_path=None, **how) -> None:
        """Parameters:
    vector_size: D, or None for whatever the dataset has
    dataset: A `datasets.Dataset`, in memory or on disk
    index_path: A FAISS file, as written by `dataset.get_index("embeddings").save(path)`
    how: `nprobe`, `ef_search`, `candidates`: see `RowsIndex`"""
        ...

    @property
    def dataset(self): ...

    @dataset.setter
    def dataset(self, new):
        """Search another dataset from now on, by the index attached to it, or exactly."""
        ...

    def _open(self): ...

    @classmethod
    def load_from_disk(cls, vector_size: int, dataset_path, index_path=None, **how):
        """The index over a dataset on disk.

Parameters:
    vector_size: D, or None
    dataset_path: A folder written by `dataset.save_to_disk`
    index_path: A FAISS file; None: exact search
    how: As in `CustomHFIndex`"""
        ...

    def save(self, folder, prefix='hf_dataset') -> list:
        """Write dataset and FAISS index into a folder; the names of both in it (no second one where search is exact)."""
        ...

    def columns_of(self, rows: list) -> dict:
        """All columns of some rows of the dataset.

Parameters:
    rows: Row numbers; -1 gives an empty text, None in other columns, and a vector of zeros

Returns: Lists by the names of the columns; `embeddings` is an array"""
        ...

def _passages_of(dataset, vector_size):
    """The passages of a dataset, after checking that it has some, with vectors of the size that was said."""
    ...

def _check_dataset(dataset):
    """TypeError or ValueError if it is no dataset of passages with vectors."""
    ...

class CanonicalHFIndex(WikiDPRIndex):
    """A published index by the names that Transformers gives its parameters; opened by `init_index`, or by the first search."""

    def __init__(
        self, vector_size: int=768, dataset_name='wiki_dpr', dataset_split: str='train', index_name: str | None=None, index_path=None,
        use_dummy_dataset: bool=False, dataset_revision: str | None=None, **more
    ) -> None:
        """Parameters:
    vector_size: D, or None
    dataset_name: Repository, or a folder with its layout
    dataset_split: The only published one
    index_name: "exact" or "compressed"
    index_path: Or a FAISS file of your own
    use_dummy_dataset: Only the first 10,000 passages, searched exactly
    dataset_revision: Branch, tag or commit
    more: As in `WikiDPRIndex`"""
        ...

class _Dicts:
    """The passages of an index that gives them as dicts of columns."""
    index: Any

    def __init__(self, index) -> None: ...

    def __len__(self): ...

    def __getitem__(self, rows): ...

def _length(index):
    """How many rows an index says it has; the largest number there is where it does not say."""
    ...

class AdaptedIndex(Index):
    """An index written for Transformers, used as one of ours."""
    kind: str = ...
    index: Any
    passages: _Dicts
    width: Any

    def __init__(self, index) -> None: ...

    def __len__(self): ...

    def __repr__(self): ...

    @property
    def dim(self): ...

    def is_initialized(self): ...

    def init_index(self): ...

    def get_top_docs(self, question_hidden_states, n_docs=5): ...

    def get_doc_dicts(self, doc_ids): ...

    def __getattr__(self, name): ...

    def __setattr__(self, name, value):
        """What only the adapted index has is set on it."""
        ...

    @property
    def dataset(self): ...

    @dataset.setter
    def dataset(self, new): ...

    def vectors(self, ids): ...

    def add(self, vectors): ...

    def search(self, queries, n_docs: int=5, exclude=None, return_vectors: bool=False) -> Hits:
        """What the index finds, ranked by the inner products with the vectors that it returns.

Parameters:
    queries: `(B, D)` vectors of questions
    n_docs: K
    exclude: Mask `(N,)`, True for rows that must not be found: the index is asked for more until there are enough others
    return_vectors: Also hand back the vectors of what was found

Returns: (B, K); places with a negative id are masked"""
        ...

def adapt_index(index) -> Index:
    """Whatever finds passages, as an `Index`; TypeError says what it would need.

Parameters:
    index: An `Index`, an index written for Transformers, or a `datasets.Dataset`

Returns: with its passages in `.passages`, unless it was an `Index` without them"""
    ...

class PickleRefused(ValueError):
    """A pickle that is more than plain data: nothing in it was run."""

_VALUES: Any

_FIXED: dict

_EMPTY: dict

_SKIPPED: set

class _Machine:
    """The harmless part of pickle's machine: a stack, marks in it, and a memory."""
    name: Any
    stack: list
    marks: list
    memo: list
    sparse: dict

    def __init__(self, name) -> None: ...

    def since_mark(self):
        """Take what was pushed since the last mark."""
        ...

    def into(self, kind):
        """The container on top of the stack."""
        ...

    def top(self, n):
        """A tuple of the top `n`."""
        ...

    def remember(self, number):
        """Note the top of the stack under a number; the next one where none is given."""
        ...

    def run(self, file, bar=None):
        """What the pickle builds; PickleRefused if it is more than plain data, ValueError if it is damaged."""
        ...

    def wanted(self, op, arg):
        """What a refused instruction asked for, in words."""
        ...

def _key(k):
    """A dictionary's key, or an element of a set."""
    ...

def _pairs(items): ...

_STEPS: dict

class _Bounded:
    """A file of which no more is read at once than there is."""
    file: Any
    size: Any
    readline: Any
    tell: Any

    def __init__(self, file, size) -> None: ...

    def read(self, n): ...

def load_plain_pickle(path, progress: bool=True):
    """What a pickle holds, if it is plain data; PickleRefused names the first instruction that is more, and nothing is run.

Parameters:
    path: A file
    progress: Show a progress bar if it takes long

Returns: list, dict, tuple, set, str, bytes, int, float, bool or None"""
    ...

class LegacyPassages(Passages):
    """DPR's passages: a dict from an id to a pair (text, title), in the order of a list of ids."""
    texts: Any
    ids: Any
    sizes: list

    def __init__(self, texts, ids) -> None: ...

    def rows(self, group, rows):
        """Some passages as dicts."""
        ...

    def column(self, name: str) -> list:
        """All values of one column.

Parameters:
    name: "id", "title", "text", ..."""
        ...

class LegacyIndex(RowsIndex):
    """The index of DPR's own files."""
    kind: str = ...
    vector_size: int
    index_path: Any
    index_file: Any

    def __init__(self, vector_size: int=768, index_path=None, say=None, **how) -> None:
        """Parameters:
    vector_size: D
    index_path: A folder, or a repository on the Hub; None: the published files
    say: Called with what will be downloaded; None: printed to stderr
    how: `nprobe`, `ef_search`, `candidates`: see `RowsIndex`"""
        ...

    @property
    def dim(self): ...

    def _open(self): ...

    def _candidates(self, queries, k, exclude): ...

    def vectors(self, ids) -> torch.Tensor:
        """The vectors as the index keeps them, rounded to its codes.

Parameters:
    ids: Row numbers of any shape; -1 gives zeros

Returns: (..., D) float32"""
        ...

    def columns_of(self, rows):
        """Title and text of some rows, which is all that DPR's files have; -1 gives an empty text."""
        ...

_LEGACY: str

def _repository(place):
    """A folder, a dataset or a model repository."""
    ...

def _legacy_files(place, names, say):
    """Paths of DPR's files, in a folder or downloaded; FileNotFoundError names those that are missing."""
    ...
