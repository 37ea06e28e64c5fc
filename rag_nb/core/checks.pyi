"""Limits on what a file from somebody else may ask for, in one place; which name a person meant; and whether a name is a folder's."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
from typing import Any

__all__ = ['PEERS', 'limits', 'WAYS', 'Limits', 'check_limit', 'meant', 'did_you_mean', 'unknown_argument', 'suggests', 'is_local', 'check_place', 'check_counts']

@dataclass
class Limits:
    """How much a file or an argument may ask for; an attribute that is raised holds from then on, for every thread.

Parameters:
    n_docs: documents a question, K
    num_beams: beams, or sequences returned, a question
    context_tokens: tokens of one context, S
    generated: numbers that a search over answers keeps: questions × beams × tokens × (documents + 1)
    config_items: layers, heads, experts, labels: what a configuration counts and something is made of one by one
    weights: numbers in a network for every byte of its files, beside 16 million; four times as many if quantised
    adapter_rank: of low-rank adapters
    columns: of a table
    growth: how many times its size a compressed file may unpack to,
    unpacked: where that is more than so many bytes
    template: characters that a chat template may write, and the steps that it may take,
    template_seconds: in so many seconds of one processor"""
    n_docs: int = ...
    num_beams: int = ...
    context_tokens: int = ...
    generated: int = ...
    config_items: int = ...
    weights: int = ...
    adapter_rank: int = ...
    columns: int = ...
    growth: int = ...
    unpacked: int = ...
    template: int = ...
    template_seconds: int = ...

def _from_environment(text):
    """The limits, with those that a text such as "n_docs=50000,columns=20000" sets otherwise."""
    ...

def _figure(n):
    """A number for people, also where it has a thousand digits."""
    ...

def check_limit(name: str, asked, what: str):
    """The number, if it is within the limit; `ValueError` that says how to raise it.

Parameters:
    name: which limit, a field of `Limits`
    asked: the number that was asked for
    what: who asks for what, as the subject of the error: "n_docs"

Returns: the number"""
    ...

_PEERS: Any

PEERS: dict

def meant(name: str, known, cutoff: float=0.6, peers: bool=True) -> str | None:
    """The known name that a person who typed `name` means; None where nothing is near.

Parameters:
    name: what was typed
    known: the names that are known here
    cutoff: how alike two spellings have to be, between 0 and 1; above 1 the table alone counts
    peers: look into the table, too"""
    ...

def did_you_mean(name, known, cutoff=0.6):
    """" (did you mean 'n_docs'?)", or nothing."""
    ...

limits: Any

WAYS: Any

def unknown_argument(where: str, names, known, later=...) -> TypeError:
    """The error for keywords that nobody knows, with the one that was meant or the way to what is wanted.

Parameters:
    where: what was called
    names: the keywords that it does not know
    known: those that it does
    later: those that `rag.ask` knows"""
    ...

def suggests(f):
    """A function whose error for an unknown keyword names the one that was meant."""
    ...

_REPOSITORY: Any

def _near(name):
    """Something on the disk that is called almost so; None where nothing is."""
    ...

def is_local(name, owner: bool=False) -> bool:
    """Is this a path on this machine, rather than a name that a hub may be asked for?

Parameters:
    name: a name on the hub, or a path
    owner: names without an owner are no names on the hub"""
    ...

def check_place(name, what: str, owner: bool=False):
    """`FileNotFoundError` for a path where nothing is; names on the hub go through, and nothing else leaves the machine.

Parameters:
    name: a name on the hub, or a folder
    what: what should be there
    owner: as for `is_local`"""
    ...

_COUNTS: Any

def check_counts(values: dict, what: str):
    """`ValueError` for a configuration with more layers, heads or labels than any network has.

Parameters:
    values: a configuration as plain values
    what: whose, for the error

Returns: the same"""
    ...
