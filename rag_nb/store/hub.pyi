"""The published Wikipedia index (21 million passages) by its files: what is found is read, the rest stays where it is, and no script is run."""

# Written by tools/stubs.py: do not edit.

from pathlib import Path
import torch
from typing import Any
from rag_nb.core.index import Index
from rag_nb.core.passages import Passages

__all__ = ['FEW', 'HubFiles', 'HubPassages', 'RowsIndex', 'WikiDPRIndex', 'announce', 'open_hub_index']

_OLD_NAMES: dict

class HubFiles:
    """The files of a repository on the Hub at one commit, or of a folder laid out like it."""
    folder: Any
    repo: Any
    kind: str
    name: Any
    commit: Any
    system: Any
    lock: Any

    def __init__(self, repo, revision: str | None=None, kind: str='dataset') -> None:
        '''Parameters:
    repo: "facebook/wiki_dpr", or a folder
    revision: Branch, tag or commit; None: main
    kind: Or "model"'''
        ...

    def __repr__(self): ...

    def cache(self, name='') -> Path:
        """The folder, in the Hub's own cache for other libraries, that keeps what was read in part."""
        ...

    def _commit(self, revision):
        """The commit that a revision stands for: as the Hub says, or as it was last time."""
        ...

    def _unreachable(self, what, error):
        """The error to raise when something was not read before and cannot be read now."""
        ...

    def listing(self, folder: str='', deep: bool=False) -> dict:
        """The files in a folder of the repository; none if it has no such folder.

Parameters:
    folder: A folder in the repository
    deep: Also the folders in it

Returns: Names in the repository, and their sizes in bytes"""
        ...

    def local(self, name: str) -> str | None:
        """Where a file lies on this machine, or None."""
        ...

    def download(self, name: str) -> str:
        """The path of a file, downloaded (with a progress bar) where it is not here yet."""
        ...

    def open(self, name: str, size: int):
        """A file to read parts of, on this machine or through the Hub's file system.

Parameters:
    name: A file of the repository
    size: Its size in bytes, from `listing`"""
        ...

    def kept(self, name: str, what: str) -> Path:
        """The small file that keeps a part of a file: its footer, or a group of its rows."""
        ...

    def known(self, folder: str) -> bool:
        """Whether footers of the files in this folder were read before."""
        ...

    def __getstate__(self): ...

    def __setstate__(self, state): ...

def _hub_cache(files, *parts):
    """A path in the cache that the Hub's library keeps for this repository."""
    ...

def _answers(error):
    """Whether the Hub itself says that something is not there, which no cache can heal."""
    ...

def _whole(path, write):
    """Let `write` make a file beside `path`, and move it into place when it is whole."""
    ...

def _sizes(root, folder, deep):
    """Names and sizes of the files in a folder below `root`."""
    ...

def _varint(b, i):
    """A number of seven bits a byte, and the place behind it."""
    ...

def _thrift(b, i, kind, depth=0):
    """A value of a type in Thrift's compact form, and the place behind it: structs as dicts by field number."""
    ...

def _thrift_list(b, i, depth, most=None):
    """The items of a list, or the first `most` of them."""
    ...

def _thrift_struct(b, i, depth, until=None):
    """The fields of a struct; with `until`, up to that field, of which only the first item is read."""
    ...

def _values_in_first_group(path, column):
    """How many values a column has in a file's first group of rows; ValueError where the file does not say."""
    ...

_COLUMNS_OF: dict

class _Shard:
    """A published Parquet file, as a part of `Passages` whose groups of rows are fetched when they are asked for."""
    files: Any
    name: Any
    size: Any
    local: Any
    texts: Any
    sizes: list
    dim: Any

    def __init__(self, files, name, size) -> None: ...

    def open(self):
        """Read the footer: how many rows each group has, and how many numbers a vector."""
        ...

    def footer(self):
        """The file's table of contents, read once and kept."""
        ...

    def _remote(self, read):
        """What `read` returns, or an error that names the file on the Hub."""
        ...

    def fetch(self, group, what):
        """The file on this machine, and the group in it, with the `what` (text or vectors) of a group of rows."""
        ...

    def ready(self, group, what): ...

    def rows(self, group, rows):
        """Some rows of a group as dicts."""
        ...

    def vectors(self, group):
        """The vectors of a group of rows: (n, D) float32."""
        ...

    def column(self, name):
        """All values of a column, of a file that was downloaded."""
        ...

def _readable(path):
    """Whether a Parquet file is there with its end, so that it was not cut short."""
    ...

def _decoded(file, group, columns, name):
    """Columns of a group of rows as a table; refused as soon as they turn out too large."""
    ...

def _texts(path): ...

def _matrix(column, where):
    """A column of lists of numbers as an array (n, D); not copied where it lies in one piece."""
    ...

def _shards(listing, split, where):
    """Names of a split's files in order; ValueError if there are none, or not all."""
    ...

class HubPassages(Passages):
    """Passages and vectors in published Parquet files, of which only the groups of rows asked for are read."""
    files: HubFiles
    folder: str
    threads: int
    keep: int
    recent: Any
    lock: Any
    dim: Any

    def __init__(self, files: HubFiles, folder: str, split: str='train', threads: int=8, keep: int=16) -> None:
        """Parameters:
    files: The repository
    folder: Where in it the files are
    split: The beginning of their names
    threads: Requests at the same time
    keep: Groups of vectors kept in memory"""
        ...

    def __repr__(self): ...

    def _side_by_side(self, f, items, what):
        """Call `f` on each item, several at a time."""
        ...

    def _groups(self, rows, what):
        """For row numbers, the group of each; all of these groups are on this machine afterwards."""
        ...

    def _rows(self, rows): ...

    def vectors(self, ids) -> torch.Tensor:
        """The vectors of some rows, exactly as they were published.

Parameters:
    ids: Row numbers of any shape; -1 gives zeros

Returns: (..., D) float32"""
        ...

    def _matrix_of(self, g):
        """The vectors of group `g`, counted through all files, from memory or from a file."""
        ...

    def __getstate__(self): ...

    def __setstate__(self, state): ...

def _within(rows, n):
    """IndexError if one of these rows is neither among `n` nor -1."""
    ...

class RowsIndex(Index):
    """An index over passages that have their own vectors: something proposes rows, their exact vectors rank them."""
    kind: str = ...
    passages: Any
    proposer: Any
    nprobe: int | None
    ef_search: int | None
    candidates: int | None
    opening: Any
    widen: Any

    def __init__(self, passages, proposer=None, nprobe: int | None=None, ef_search: int | None=None, candidates: int | None=None) -> None:
        """Parameters:
    passages: They give `vectors(ids)` and have a `dim`
    proposer: A FAISS index over the same rows, or an `ExactIndex`
    nprobe: IVF: lists looked into; None: as the index file says
    ef_search: HNSW: candidates kept in view; None: as the index file says
    candidates: Rows ranked by their exact vectors; None: as many as are asked for"""
        ...

    def __len__(self): ...

    @property
    def dim(self): ...

    def vectors(self, ids): ...

    def add(self, vectors): ...

    def is_initialized(self): ...

    def init_index(self):
        """Open what proposes the rows; a search does so by itself."""
        ...

    def _candidates(self, queries, k, exclude): ...

    def _proposed(self, queries, k, how):
        """What the FAISS index finds: (B, k), -1 for none."""
        ...

    def _among(self, queries, rows, k, size=8192):
        """The best of some rows (n,) by their own vectors: (B, k), -1 for none."""
        ...

    def _how(self, index, exclude):
        """FAISS's search parameters, where something differs from what the index file says."""
        ...

    def get_top_docs(self, question_hidden_states, n_docs: int=5) -> tuple:
        """Search, as Transformers' indexes call it.

Parameters:
    question_hidden_states: `(B, D)` array
    n_docs: K

Returns: ids `(B, K)` and vectors `(B, K, D)`, as arrays"""
        ...

    def get_doc_dicts(self, doc_ids) -> list:
        """The passages of some rows, with every column there is, as Transformers' indexes give them.

Parameters:
    doc_ids: `(B, K)` row numbers, or `(B,)` for one passage each; -1 gives empty texts

Returns: of B dicts of columns"""
        ...

    def columns_of(self, rows: list) -> dict:
        """The columns of some rows.

Parameters:
    rows: Row numbers; -1 gives an empty text, and a vector of zeros

Returns: Lists by the names of the columns; `embeddings` is an array"""
        ...

    def __getstate__(self): ...

    def __setstate__(self, state): ...

FEW: int

def _fitting(index, passages, name):
    """The FAISS index, if it has the rows of the passages."""
    ...

def _faiss_file(path, passages):
    """A FAISS index from a file, mapped into memory."""
    ...

def _without(thing, **instead):
    """What is pickled of an object: all of it, with some attributes replaced."""
    ...

_FAISS: dict

class WikiDPRIndex(RowsIndex):
    """Wikipedia of December 2018 in 21 million passages, with the published vectors and indexes."""
    kind: str = ...
    settings: Any
    index_name: str
    index_path: Any
    dummy: bool
    files: HubFiles
    index_file: str

    def __init__(
        self, dataset='wiki_dpr', split: str='train', index_name: str='compressed', which: str='nq', dummy: bool=False,
        revision: str | None=None, index_path=None, say=None, **how
    ) -> None:
        """Parameters:
    dataset: Or a repository or folder with the same layout
    split: The only published one
    index_name: "compressed" (2.9 GB) or "exact" (38 GB); "multiset.exact" names `which` as well
    which: Encoder of the vectors: trained on Natural Questions ("nq") or on several sets ("multiset")
    dummy: Only the first 10,000 passages, searched exactly
    revision: Branch, tag or commit of the repository
    index_path: A FAISS file of your own over the same passages
    say: Called with what will be downloaded; None: printed to stderr
    how: `nprobe`, `ef_search`, `candidates`: see `RowsIndex`"""
        ...

    def _announce(self, folder, say):
        """Say what will be downloaded and what stays on the Hub."""
        ...

    def _open(self):
        """The FAISS index, downloaded if it is not here and mapped into memory; for the dummy set an exact index."""
        ...

def _size(n):
    """A number of bytes for people."""
    ...

def announce(files: HubFiles, wanted: dict, say=None, what: str='', more: str=''):
    """Say what will be downloaded and how large it is, if anything is; OSError if there is no room for it.

Parameters:
    files: The repository
    wanted: Names and sizes of the files that are needed whole
    say: Called with the text; None: printed to stderr
    what: Said of these files
    more: Said after it"""
    ...

def _stderr(text): ...

def open_hub_index(
    dataset='wiki_dpr', split: str='train', index_name: str='compressed', which: str='nq', dummy: bool=False, revision: str | None=None,
    **more
) -> WikiDPRIndex:
    """A published index, downloaded and open; its passages are in `.passages`.

Parameters:
    dataset: Or a repository or folder with the same layout; "wiki_dpr:compressed" names the index as well
    split: The only published one
    index_name: "compressed" (2.9 GB) or "exact" (38 GB)
    which: Or "multiset"
    dummy: Only the first 10,000 passages, searched exactly
    revision: Branch, tag or commit
    more: As in `WikiDPRIndex`"""
    ...
