"""What a retriever searches is one value that nobody changes. Whoever adds or deletes makes another value beside it and puts it in place with one assignment."""

# Written by tools/stubs.py: do not edit.

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ['fork_lock', 'Once', 'Snapshot', 'current', 'pinned', 'writing', 'replaced', 'Part', 'reads', 'writes', 'Searched']

_QUICK: Any

_LONG: Any

_LISTS: Any

def fork_lock(quick: bool=False):
    """A lock that one thread may take several times, and that is free in a process that was forked.

Parameters:
    quick: held for moments only: a fork waits for it"""
    ...

_waited: list

def _before_fork(): ...

def _after_fork(): ...

def _in_child(): ...

class Once:
    """A value that is made when it is first wanted, and once."""
    lock: Any
    value: Any

    def __init__(self) -> None: ...

    def __reduce__(self): ...

    def __call__(self, make):
        """The value.

Parameters:
    make: called without arguments, by one thread; its value is kept"""
        ...

@dataclass(frozen=True, eq=False, repr=False)
class Snapshot:
    """What a retriever searches at one moment; a change makes another one.

Parameters:
    index: gives row numbers and vectors
    own: the passages that the retriever was given
    deleted: (N,) bool, True for rows that are never found; None: none
    folder: the `IndexFolder` that it was opened from
    opened: that folder's own index
    words: the passages' words, counted at first use"""
    index: object = ...
    own: object = ...
    deleted: object = ...
    folder: object = ...
    opened: object = ...
    words: Once = ...

    @property
    def passages(self): ...

    def __len__(self): ...

    def __bool__(self): ...

    def after(self, **changes):
        """The state after a change of some fields."""
        ...

_PINNED: Any

_NOTHING: Snapshot

def current(retriever) -> Snapshot:
    """What a retriever searches: inside a search what that began with, otherwise the newest."""
    ...

@contextmanager
def pinned(retriever, newest: bool=False):
    """For a while this thread reads one snapshot of a retriever, whatever others add or delete.

Parameters:
    newest: look again, where a search has begun already"""
    ...

def writing(retriever):
    """The lock that writers of a retriever take in turn."""
    ...

def replaced(retriever, **changes):
    """Let a retriever search another snapshot from now on; searches that have begun go on in theirs.

Parameters:
    changes: fields of `Snapshot`"""
    ...

def _look_again(retriever):
    """Let this thread, where it reads a snapshot, read the newest: a writer sees what it wrote."""
    ...

class Part:
    """A field of the current snapshot as an attribute of the retriever."""
    sets: Any
    name: Any

    def __init__(self, sets=None) -> None: ...

    def __set_name__(self, owner, name): ...

    def __get__(self, retriever, owner=None): ...

    def __set__(self, retriever, value): ...

def reads(method):
    """A method that finds one snapshot however often it looks."""
    ...

def writes(method):
    """A method that changes what is searched: one at a time, from the newest snapshot on."""
    ...

class Searched:
    """What searches one snapshot at a time: the base of `RagRetriever`."""
    index: Any = ...
    deleted: Any = ...
    folder: Any = ...

    def snapshot(self):
        """A context in which this thread searches and reads what there is now, whatever others add or delete; it gives the `Snapshot`."""
        ...

    def __getstate__(self): ...

    def __copy__(self):
        """Another retriever over the same index; what is added to one is not in the other."""
        ...
