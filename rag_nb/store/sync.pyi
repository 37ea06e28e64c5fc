"""A folder of documents changes, and its index follows: what is unchanged stays, what has changed is replaced, what is gone goes, all in one commit."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
import numpy as np
from rag_nb.core.passages import Passages

__all__ = ['sync', 'base_of', 'reopened']

@dataclass
class _Contents:
    """The documents of some passages: a hash of each, the rows of its passages, and a row for each text.

Parameters:
    hashes: document: hash
    rows: document: list of rows
    texts: hash of title and text: row"""
    hashes: dict = ...
    rows: dict = ...
    texts: dict = ...

def _hash(*values): ...

def _contents(passages, deleted=None):
    """What there is, but for deleted rows."""
    ...

@dataclass
class _Plan:
    """What has to be done to bring an index into step.

Parameters:
    kept: ids of documents
    changed: ids of documents
    added: ids of documents
    deleted: ids of documents
    gone: rows to delete
    fresh: rows of the new passages to add
    known: for each of them the row of the index with the same title and text, or −1"""
    kept: list
    changed: list
    added: list
    deleted: list
    gone: np.ndarray
    fresh: np.ndarray
    known: np.ndarray

    def counts(self): ...

    def __str__(self): ...

def _plan(old, new, passages):
    """The plan from the contents of an index to those of new passages."""
    ...

def sync(
    retriever, documents, n_words: int | None=None, overlap: int | None=None, columns: dict | None=None, errors: str='raise',
    progress: bool=True
) -> dict:
    """Make an index hold just these documents, and embed only what is new; nothing is changed where a document cannot be read.

Parameters:
    retriever: a `RagRetriever`, in memory or over an index folder
    documents: a folder, or whatever `read_documents` takes
    n_words: words a passage; as the index was built where None
    overlap: words that neighbouring passages share; as it was built where None
    columns: renames columns of the documents; as it was built where None
    errors: or "skip": leave out documents that cannot be read, and list them in `retriever.skipped`
    progress: show progress bars

Returns: how many documents were `kept`, `changed`, `added`, `deleted`, `skipped`, and passages `embedded`"""
    ...

def _say(line): ...

def _carry_out(retriever, plan, new, vectors, progress):
    """Embed what is not known, and change the index, where anything is to be changed; `vectors` keeps what was embedded by its row."""
    ...

def base_of(source, reading, known):
    """The folder to which the ids of files are relative, so that a file keeps the id that it has in the index.

Parameters:
    source: what is going to be read
    reading: how the index's documents were read, or None
    known: ids of documents that the index has, or had

Returns: a folder, or None where the source is not a file"""
    ...

def reopened(path, passages: Passages, encoder: dict, kind: str, dtype: str, params: dict):
    """The index that is there already, where it is the same; IndexFolderError says what differs.

Parameters:
    path: where an index is to be built
    passages: of what
    encoder: the encoder's record
    kind: of the index
    dtype: of the vectors
    params: of the index

Returns: an `IndexFolder`, or None where nothing is there, or a build was interrupted"""
    ...
