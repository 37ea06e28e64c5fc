"""An index cut into shards that the machines of a Ray cluster search together, and a corpus embedded by all of them: the same hits and the same bytes as one process gives."""

# Written by tools/stubs.py: do not edit.

from contextlib import contextmanager
from typing import Any
from rag_nb.core.index import Index
from rag_nb.core.passages import Hits
from rag_nb.store.folder import IndexFolder

__all__ = ['merge_hits', 'RayIndex', 'build_folder_with_ray']

def merge_hits(parts: list, n_docs: int) -> Hits:
    """The best K of several shards: what one search over all rows gives, equal scores in order of their rows.

Parameters:
    parts: `Hits` of the same B questions, one for each shard in the order of their rows; ids numbered through
    n_docs: K; each part has K columns, masked where a shard holds fewer"""
    ...

class _Shard:
    """A piece of an index folder, opened when it is first searched, and again after its process was lost."""
    about: Any
    index: Any

    def __init__(self, about, threads=1) -> None: ...

    def search(self, queries, n_docs, exclude, return_vectors):
        """Ids numbered through all shards, scores and perhaps vectors, as arrays; `exclude` is a mask of this piece's rows, or None."""
        ...

    def where(self): ...

def _open_piece(folder, start, stop, first, numbering, device):
    """The index of rows `start` to `stop` of a folder; IndexFolderError if it is damaged, or its rows have other numbers now."""
    ...

def _between(segments, start, stop):
    """Rows `start` to `stop` of a list of segments; nothing is copied."""
    ...

def _pieces(folders, shards, device):
    """What each shard holds, in the order of rows; its `first` row is counted through all folders."""
    ...

_OURS: dict

_QUIET: dict

_PASSWORD: Any

def _ray():
    """The module `ray`; ImportError says how to install it."""
    ...

def _patiently(start, tries=3):
    """Start, and again where a busy machine was too slow: Ray gives itself half a minute."""
    ...

def _start(**options):
    """Start a Ray of our own on this machine: quiet, for this machine only, in a folder that goes with it."""
    ...

def _restore(env):
    """Environment variables as they were."""
    ...

def _put_away():
    """Remove what our own Ray leaves: its files, and its password."""
    ...

def _connect(address=None, options=None):
    """Join the cluster at an address, or start a Ray of our own; True asks for one `_leave`, False says that the program has a connection of its own, which is used and left alone."""
    ...

def _resolved(address):
    """Host, as a number, and port."""
    ...

def _leave():
    """The counterpart of `_connect`: the last one out ends the connection, and with it our own Ray."""
    ...

def _at_the_end():
    """Whatever was not closed."""
    ...

class RayIndex(Index):
    """Index folders in shards that actors on several machines hold and search at the same time."""
    given: Any
    folders: Any
    timeout: float
    actors: dict
    gone: dict
    mine: Any
    pid: Any
    kind: Any
    params: Any
    passages: Any
    deleted: Any
    connected: Any
    shards: Any

    def __init__(
        self, folders, address: str | None=None, shards: int | None=None, per_node: bool=False, detached: bool=False, device: str='cpu',
        num_cpus: float=1, num_gpus: float=0, timeout: float=300, ray_options: dict | None=None
    ) -> None:
        """Parameters:
    folders: An index folder, or several whose rows are numbered through
    address: Of a running cluster, or "auto"; None: RAY_ADDRESS, else a Ray of our own on this machine
    shards: Pieces of the exact folders together; None: one for each machine. Another kind's folder is always one
    per_node: A whole copy on this machine, shared by its processes; otherwise one copy in the whole cluster
    detached: Shards outlive the process that started them, until `close(everyone=True)`
    device: Where an exact shard searches
    num_cpus: Cores that a shard takes
    num_gpus: GPUs that a shard takes
    timeout: Seconds that a search waits for a shard
    ray_options: For a Ray of our own: num_cpus, object_store_memory, ..."""
        ...

    def __repr__(self): ...

    def __reduce__(self): ...

    def __enter__(self): ...

    def __exit__(self, *error): ...

    def _name(self, i):
        """What the actor of shard i is called by all who open the same folders in the same way."""
        ...

    def _actor(self, i):
        """The actor that holds shard i: one that is there under its name, or a new one."""
        ...

    def search(self, queries, n_docs: int=5, exclude=None, return_vectors: bool=False) -> Hits:
        """What one process would find, from all shards at once; IndexFolderError names a shard that does not answer.

Parameters:
    queries: `(B, D)` vectors of questions, array or tensor
    n_docs: K, documents a question
    exclude: Mask `(N,)`, True for rows that must not be found
    return_vectors: Also hand back the vectors of what was found

Returns: (B, K) always; places for which nothing was found are masked"""
        ...

    def _mask_of(self, shard, exclude):
        """A shard's part of a mask, or None if nothing of it is left out."""
        ...

    def _gone_of(self, i):
        """The deleted rows of shard i, put where every actor can read them once."""
        ...

    def _send(self, i, asked):
        """Put a question to shard i; what will be its answer."""
        ...

    def _answer(self, i, ref, asked, again=3):
        """A shard's answer; where it was lost it is started anew and asked again."""
        ...

    def close(self, everyone: bool=False):
        """End the shards that were started here, and the connection if it was made here; a second call does nothing.

Parameters:
    everyone: Also end shards that are detached, or that another process has started"""
        ...

    def add(self, vectors): ...

    def retriever(self, encoder=None, config=None):
        """A retriever over this index.

Parameters:
    encoder: The encoder of the passages (TextEncoder, name or folder); found by its record where None
    config: Made from the folder where None

Returns: a `RagRetriever`"""
        ...

def _opened(folders):
    """The folders, opened; ValueError if they do not belong together."""
    ...

def _gone(folders):
    """The deleted rows of all folders: a bool tensor (N,), or None."""
    ...

def _nodes(): ...

def _lumps(docs, size=...):
    """Lists of documents with some `size` letters together."""
    ...

def _split(docs, folder, n_words, overlap, columns=None, errors='raise'):
    """The passages of the documents in files, read and written in one pass."""
    ...

class _Reader:
    """Turns the number of a shard into its passages; runs where the files are."""
    passages: Any
    size: Any

    def __init__(self, files, size) -> None: ...

    def __call__(self, batch): ...

class _Embedder:
    """Turns the passages of a shard into their vectors; keeps the encoder."""
    encoder: Any
    wrong: Any

    def __init__(self, encoder, gpu) -> None: ...

    def __call__(self, batch): ...

def _round(missing, files, size, encoder, workers, gpu):
    """Numbers and vectors of shards, in the order in which they are finished; shards of lost actors do not come."""
    ...

@contextmanager
def _undisturbed():
    """Ray Data without its bars and its reports, and going on when an actor is lost."""
    ...

def _embed_missing(keys, work, passages, encoder, workers, dtype, size, progress):
    """Round after round until every shard is finished; RuntimeError if three in a row bring nothing."""
    ...

@contextmanager
def _borrowed(path, overwrite):
    """The locked workshop of a folder to be; what is in it stays."""
    ...

def build_folder_with_ray(
    path, documents, encoder=None, address: str | None=None, workers: int | None=None, shard_size: int=8192, index_kind: str='exact',
    dtype: str='float32', n_words: int=100, overlap: int=0, progress: bool=True, overwrite: bool=False, ray_options: dict | None=None,
    columns: dict | None=None, errors: str='raise', **params
) -> IndexFolder:
    """Embed documents on a Ray cluster; the folder has the bytes that one process gives, and an interrupted build continues after its finished shards.

Parameters:
    path: Where the folder shall be
    documents: Whatever `read_documents` takes: a folder, JSONL, Parquet, ...; or `Passages`
    encoder: TextEncoder, its name or folder; the embedded one where None
    address: Of a running cluster, or "auto"; None: RAY_ADDRESS, else a Ray of our own on this machine
    workers: Actors that embed; None: one for each GPU of the cluster, or for each core where it has none
    shard_size: Passages that are finished together; what a lost actor loses at most
    index_kind: "exact", "hnsw", ...
    dtype: Of the vectors on disk: float32 or float16
    n_words: Words a passage
    overlap: Words that neighbouring passages share
    progress: Show a progress bar
    overwrite: Replace an index that is there
    ray_options: For a Ray of our own: num_cpus, object_store_memory, ...
    columns: Renames columns of the documents, as in {"contents": "text"}
    errors: Or "skip": leave out documents that cannot be read, and list them in the manifest
    params: What that kind of index takes"""
    ...
