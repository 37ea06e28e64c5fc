"""Passages, vectors and index in one folder that can be moved, shared, added to and deleted from, and that never opens half-written."""

# Written by tools/stubs.py: do not edit.

from contextlib import contextmanager
import fcntl as fcntl
from typing import Any
from rag_nb.core.passages import Passages

__all__ = ['FORMAT', 'VERSION', 'MANIFEST', 'WHOLE', 'BESIDE', 'SAVING', 'SAVED', 'IndexFolderError', 'read_manifest', 'reading_beside', 'reading_of', 'IndexFolder', 'same_encoder', 'recover', 'atomic_save', 'consistent_read', 'FolderMoved', 'build_folder']

class IndexFolderError(ValueError):
    """Something is wrong with an index folder; the message names the file and what to do."""

def _sync(path):
    """Wait until a file, or a folder's list of files, is on the disk."""
    ...

def _digest(path):
    """SHA-256 of a file, read piece by piece."""
    ...

def _facts(path): ...

def _write_vectors(path, vectors, dtype='float32', keep=None):
    """Write `Vectors` as .npy of float32 or float16, only the rows of the mask `keep` if there is one; checked and synced."""
    ...

def _mapped(path, dtypes, shape, promised):
    """A .npy file, memory-mapped and read-only, if it holds what was promised; None in the shape fits any number."""
    ...

def _open_vectors(path, count, dim):
    """The vectors of a segment, memory-mapped and read-only."""
    ...

FORMAT: Any

VERSION: Any

MANIFEST: Any

def _checksum(manifest):
    """SHA-256 of a manifest's content, whatever its layout."""
    ...

def _commit(folder, manifest, old=None, there=None):
    """Make this the folder's manifest: written beside, synced, and renamed over the `old` one, whose files (`there`, where it is another folder's) it remembers as stale."""
    ...

_NAME: Any

def _need(ok, path, what): ...

def _is_count(x): ...

def read_manifest(path) -> dict:
    """The manifest of an index folder, checked in every part; IndexFolderError says what is wrong with it.

Parameters:
    path: An index folder"""
    ...

def _interrupted(path): ...

def _check_manifest(m, file):
    """Every field has the type and the sense that the rest of this module relies on."""
    ...

def _token_parts(m):
    """For each segment the files of its passages' tokens, or None."""
    ...

def _token_files(m): ...

def _check_files(path, files, verify):
    """Every file is there, is a plain file, has its size, and with `verify` its checksum."""
    ...

def reading_beside(passages, path):
    """How passages were read, as a manifest of the folder at `path` says it; None where nobody knows."""
    ...

def reading_of(manifest, path):
    """The same, read from a manifest, with the folder's whole path."""
    ...

WHOLE: Any

BESIDE: int

class IndexFolder:
    """Passages, vectors and index of one folder, in the state that they had when it was opened."""
    path: Any
    manifest: Any
    vectors: list
    tokens: list
    held: list
    deleted: Any
    passages: Any

    def __init__(self, path, manifest, verify=None) -> None: ...

    def __len__(self): ...

    def __getstate__(self): ...

    def __repr__(self): ...

    @classmethod
    def open(cls, path, verify: bool | None=None) -> IndexFolder:
        """Open an index folder; IndexFolderError names the file that is missing, truncated, tampered with or too new.

Parameters:
    path: The folder
    verify: True: compare every file with its checksum; False: sizes and headers only; None: whole if it is under 256 MB"""
        ...

    def _tombstones(self):
        """The deleted rows as a bool array (N,), or None."""
        ...

    def _place(self):
        """Where the index's files are read, and their names there: those that are held open, where the system shows them as files."""
        ...

    def _said(self, error):
        """An error's message with the files' own names."""
        ...

    def index(self, device='cpu', **params):
        """The folder's index, over its memory-mapped vectors, without the deleted rows.

Parameters:
    device: Where an exact index searches
    params: In place of what the folder says, for instance `nprobe`"""
        ...

    def check_encoder(self, name: str, probe=None):
        """IndexFolderError if the folder's vectors were made by another encoder; it names both.

Parameters:
    name: The encoder in hand
    probe: Its vector of the probe sentence"""
        ...

    @classmethod
    def create(
        cls, path, passages: Passages, vectors, encoder: dict, index_kind: str='exact', dtype: str='float32', overwrite: bool=False,
        keep=None, over=None, **params
    ) -> IndexFolder:
        """A new index folder of passages whose vectors are there already; they are copied piece by piece.

Parameters:
    path: Where the folder shall be
    passages: N passages
    vectors: `(N, D)` array, memory map or tensor, or a list of them
    encoder: `name`, `spec`, `probe` of the encoder that made the vectors
    index_kind: "exact", "hnsw", ...
    dtype: Of the vectors on disk: float32 or float16
    overwrite: Replace an index that is there
    keep: Mask `(N,)` of the rows to take over; None: all
    over: The folder whose next state this is, where it is written elsewhere first
    params: What that kind of index takes"""
        ...

    @contextmanager
    def _changing(self):
        """The latest manifest under the lock, as a new generation; what is written to it is committed, and `self` is that state."""
        ...

    def append(self, passages: Passages, vectors, unique: bool=False) -> IndexFolder:
        """Add passages at the end; readers that have the folder open go on with what they have.

Parameters:
    passages: n new passages
    vectors: `(n, D)`, from the same encoder
    unique: Refuse a document whose id is there already, even if somebody else has put it there this very moment"""
        ...

    def _fitting(self, passages, vectors):
        """The vectors, if they fit the passages and the folder."""
        ...

    def _write_more(self, m, tail, passages, vectors):
        """Write a segment, and the index where it grows, and put them into the manifest."""
        ...

    def _refuse_twice(self, passages):
        """IndexFolderError names a document that the folder has by now."""
        ...

    def _grown(self, m, tail):
        """The index's description after adding: as it was, unless too much lies outside its structure."""
        ...

    def delete(self, rows) -> IndexFolder:
        """Mark rows as deleted; they are never found again, and vanish from the disk with `compact`.

Parameters:
    rows: Row numbers, or a mask `(N,)`"""
        ...

    def _write_deleted(self, m, tail, rows):
        """Write which rows are deleted, these among them, and put it into the manifest."""
        ...

    def exchange(self, rows, passages: Passages | None=None, vectors=None, **said) -> IndexFolder:
        """Delete rows and add passages in one change; FolderMoved where the folder is not as it was opened.

Parameters:
    rows: Row numbers to delete
    passages: n new passages
    vectors: `(n, D)`, from the same encoder
    said: What else the manifest shall say"""
        ...

    def compact(self) -> IndexFolder:
        """Rewrite the folder without its deleted rows, as one segment."""
        ...

    def store_tokens(self, key: str, encode, progress: bool=True) -> IndexFolder:
        """Keep the tokens of all passages in the folder.

Parameters:
    key: What makes them: another tokenizer, or another layout, has another key
    encode: From a list of passages to a list of lists of token ids, or None where a passage has none
    progress: Show a progress bar"""
        ...

    def tokens_of(self, key: str, rows, passages) -> list:
        """The tokens of passages, where they are stored and fit.

Parameters:
    key: What has to have made them
    rows: Row numbers
    passages: The passages of these rows, as dicts; None where there is none

Returns: for each row an int32 array, or None where no tokens of that key belong to that passage"""
        ...

def same_encoder(one: dict, other: dict) -> bool:
    """Whether two records are of one encoder: probes within a tenth of each other; or the same name, where one has no probe.

Parameters:
    one: `name` and `probe` of an encoder
    other: and of another"""
    ...

@contextmanager
def _locked(folder):
    """Hold the folder's lock; IndexFolderError at once if somebody else does."""
    ...

def _write_segment(folder, tail, passages, vectors, dtype, keep=None):
    """Write passages and vectors; the segment for the manifest."""
    ...

def _write_index(folder, tail, index):
    """Write what an index has beyond its vectors; its description for the manifest."""
    ...

def _listed(manifest, folder):
    """The manifest with `files`: facts known before are kept, new files are read."""
    ...

SAVING: Any

SAVED: Any

def recover(path):
    """Bring a save that is complete, but not yet in its place, to its end: in this folder, and in one that it is a part of.

Parameters:
    path: A folder; nothing happens where no save was interrupted"""
    ...

def _recover(place):
    """Move the files of the complete save in `place` to where they belong, and tidy up indexes that were replaced."""
    ...

_LIST: str

def _below(folder):
    """All that is in a folder and in its folders, but for the folders themselves; links are not followed."""
    ...

def _remove_empty(folder): ...

def _move(file, place, name):
    """Move a plain file to `place/name`, unless somebody else has just done so."""
    ...

def _recovered(folder):
    """See that moved files are on the disk, and remove the old ones of an index, unless a writer is at it and will do so itself."""
    ...

@contextmanager
def atomic_save(path):
    """A folder whose files come to `path` at the end, all at once; what else is in `path` stays.

Parameters:
    path: The folder to be

Returns: yields the folder to write into"""
    ...

def _foreign(work): ...

def _sweep(work):
    """Clear what one who was killed, when all was done, has left of a workshop."""
    ...

def _clear(work):
    """Remove a workshop, its lock last: what is left of one that is killed meanwhile is known as ours."""
    ...

def _put(new, path):
    """Bring what was written in `new` to `path`, when all of it is on the disk."""
    ...

def consistent_read(path, read):
    """What `read()` gives, read again where a save came between.

Parameters:
    path: A folder that several files are read from
    read: Reads them"""
    ...

def _marks(path):
    """Which JSON files there are, in a folder and the folders in it; a replaced file is another one."""
    ...

def _version(file): ...

def _assemble(folder, passages, vectors, encoder, kind, params, dtype, generation, keep=None):
    """Write a complete folder's files; returns its manifest, which is not committed yet."""
    ...

@contextmanager
def _workshop(path, overwrite):
    """A locked place beside `path` to build in, and the generation to build; removed when all has gone well."""
    ...

def _refuse_over(path): ...

def _generation(path):
    """The number of the next change: 1 in a place that is still free."""
    ...

def _last_manifest(path):
    """The manifest that is there, or an empty one where there is none that can be read."""
    ...

def _publish(path, built, manifest, over=None):
    """Bring a complete folder, built beside, into its place; what it says of stale files is about `over`."""
    ...

_OURS: Any

def _tidy(path, manifest):
    """Remove what only other generations used: numbered files, and those that the manifest remembers."""
    ...

def _plain_record(encoder):
    """The encoder's description as plain JSON values."""
    ...

class FolderMoved(IndexFolderError):
    """The folder was changed by somebody else after a change of it was planned."""

def _mark(passage):
    """64 bits of a hash of a passage's title and text."""
    ...

def _open_tokens(path, names, count):
    """The numbers of a segment's passages in one row, and for each passage where they end and its mark; memory-mapped."""
    ...

def _npy_header(f, dtype, shape): ...

def _write_tokens(folder, names, batches, count, encode):
    """Write the tokens of `count` passages, batch by batch; synced."""
    ...

def _shard_key(rows, encoder, dtype):
    """A hash of what a shard's vectors depend on."""
    ...

def _finished(shards, number, key):
    """The file of a finished shard, if there is one and it is whole."""
    ...

def _finish(shards, number, key, vectors, dtype):
    """Write a shard's vectors under their final name."""
    ...

def _encoded(encode, rows, bar):
    """Vectors (n, D) of passages, a few hundred at a time so that the bar moves; ValueError if the encoder gives something else."""
    ...

def build_folder(
    path, passages: Passages, encode, encoder: dict, shard_size: int=8192, index_kind: str='exact', dtype: str='float32',
    progress: bool=True, overwrite: bool=False, **params
) -> IndexFolder:
    """Embed passages and build their index folder; when it is interrupted, the same call continues after the last finished shard.

Parameters:
    path: Where the folder shall be
    passages: N passages
    encode: Gives `(n, D)` vectors for a list of n passages (dicts)
    encoder: `name`, `spec`, `probe` of that encoder
    shard_size: Passages that are finished together; what a kill loses at most
    index_kind: "exact", "hnsw", ...
    dtype: Of the vectors on disk: float32 or float16
    progress: Show a progress bar
    overwrite: Replace an index that is there
    params: What that kind of index takes"""
    ...

def _source(keys, kind, params):
    """What a build was made of."""
    ...

def _is_finished(path, overwrite, source):
    """Whether this very build is complete, and only its workshop had not been cleared away; it is now."""
    ...
