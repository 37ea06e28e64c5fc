"""Keys and values of passages that a decoder-only generator has read, kept by their tokens, so that the next question reads only itself."""

# Written by tools/stubs.py: do not edit.

from typing import Any

__all__ = ['Edge', 'PassageCache']

class Edge:
    """A run of tokens below those of its parents, with their keys and values (L, 2, G, n, d)."""
    __slots__: Any = ...
    tokens: Any
    kv: Any
    parent: Any
    used: Any
    children: dict

    def __init__(self, tokens=..., kv=None, parent=None, used=0) -> None: ...

def _agree(a, b):
    """How many tokens two sequences begin with alike."""
    ...

class PassageCache:
    """What a decoder-only generator has read, by its tokens from the first on. Where `max_bytes` are full, the least recently used goes."""
    max_bytes: int
    lock: Any
    root: Edge
    bytes: int
    tokens: int
    clock: int

    def __init__(self, max_bytes: int=...) -> None:
        """Parameters:
    max_bytes: of keys and values to keep; 0 keeps nothing"""
        ...

    def clear(self):
        """Forget everything, as after a change of the weights."""
        ...

    def __repr__(self): ...

    def find(self, tokens: tuple) -> tuple:
        """How much of a context was read before.

Parameters:
    tokens: of a context, from its first on

Returns: how many are known, and their keys and values: pieces (L, 2, G, n, d) in order"""
        ...

    def _cut(self, edge, n):
        """Cut an edge after n tokens; gives the upper half."""
        ...

    def add(self, tokens: tuple, kv):
        """Keep what is not known of a context, as far as it fits.

Parameters:
    tokens: of a context that was read
    kv: a function of (a, b): keys and values (L, 2, G, b−a, d) of the tokens from a to b, a tensor of their own"""
        ...

    def _count(self, edge, sign): ...

    def _shrink(self):
        """Drop what was used longest ago until the rest fits."""
        ...

def _walk(root, tokens):
    """The edges that a sequence runs along from the root, each with how many of its tokens agree."""
    ...

def _ends(edge):
    """The edges below that have none below them."""
    ...
