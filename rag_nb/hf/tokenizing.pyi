"""A fast tokenizer keeps three settings in the object that all threads share. Each way of calling it gets an object of its own, and none of them is ever set otherwise."""

# Written by tools/stubs.py: do not edit.

from typing import Any

__all__ = ['MOST', 'lock_of', 'called']

_AROUND: Any

def _another(backend):
    """A backend that tokenizes alike and has settings of its own; vocabulary and merges are shared."""
    ...

_OWN: Any

_LOCKS: Any

_ALL: Any

_SET: Any

_FROM: Any

MOST: int

def _state(backend):
    """What changes when the owner of a tokenizer changes it."""
    ...

def lock_of(tokenizer):
    """The lock under which a tokenizer is looked at, and switched to the language of answers."""
    ...

def _over(tokenizer, backend):
    """The tokenizer in front of another backend."""
    ...

def _own(tokenizer, given):
    """The tokenizer over the backend that is kept for calls with these settings, where they are set already."""
    ...

def called(tokenizer, *texts, **settings):
    """What `tokenizer(*texts, **settings)` gives, whatever other threads ask of the tokenizer meanwhile.

Parameters:
    tokenizer: of Transformers, or anything that is called like one"""
    ...
