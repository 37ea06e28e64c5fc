"""Exact search that reads every vector once, writes almost nothing, and may multiply as roughly as it likes: what the rounding could have hidden is looked at again."""

# Written by tools/stubs.py: do not edit.

from contextlib import contextmanager
from dataclasses import dataclass
import torch
import triton as triton
import triton.language as tl
from typing import Any

__all__ = ['BLOCK', 'FUSED_ON', 'by_block', 'DeviceShard', 'codes_of', 'shard_of', 'Asked', 'asked', 'block_best', 'has_triton', 'fused_block_best', 'upper_bounds', 'look', 'fused_look', 'best_of', 'Finds', 'Scan', 'scan', 'streamed', 'scan_all']

BLOCK: int

def by_block(x: torch.Tensor, fill=0.0) -> torch.Tensor:
    """The greatest of each block of rows.

Parameters:
    x: (n, …)
    fill: what stands in for rows past the end

Returns: (blocks, …)"""
    ...

@dataclass
class DeviceShard:
    """n rows as they are multiplied roughly, and how far that may lead astray.

Parameters:
    x: (n, D) float32, float16, bfloat16, or codes in int8
    length: (blocks,) of the longest row of a block
    scale: (n,) what one step of a code is worth
    off: (n,) length of what the code leaves out of the vector
    on_host: x is in the host's memory, and has to be fetched before it is multiplied"""
    x: torch.Tensor
    length: torch.Tensor
    scale: torch.Tensor | None = ...
    off: torch.Tensor | None = ...
    on_host: bool = ...

    def __len__(self): ...

    @property
    def device(self): ...

    @property
    def dtype(self): ...

def codes_of(x: torch.Tensor) -> tuple:
    """Vectors in eight bits a number.

Parameters:
    x: (n, D) vectors

Returns: codes (n, D) int8, scale (n,), length of what they leave out (n,)"""
    ...

def shard_of(pieces, n: int, dtype: torch.dtype, device, here: torch.Tensor | None=None, on_host: bool=False) -> DeviceShard:
    """A shard out of pieces of vectors.

Parameters:
    pieces: tensors (C, D), one after the other
    n: rows in all of them
    dtype: of the shard; torch.int8 makes codes
    device: where the shard is worked on
    here: (n, D) the rows, where they need not be copied
    on_host: keep the rows in the host's memory, ready to be streamed"""
    ...

def _memory_budget(n, D, dtype, device, on_host):
    """Where a shard's rows will lie; what waits to be streamed lies in memory that the device can fetch from by itself."""
    ...

@dataclass
class Asked:
    """B questions, exact and as they are multiplied roughly.

Parameters:
    q: (B, D) float32
    seen: (B, D) rounded, divided by `size`
    size: (B, 1)
    length: (B,)
    lost: (B,) bound of the error for a row of length 1"""
    q: torch.Tensor
    seen: torch.Tensor
    size: torch.Tensor
    length: torch.Tensor
    lost: torch.Tensor

def asked(q: torch.Tensor, dtype: torch.dtype) -> Asked:
    """Questions, rounded for a shard.

Parameters:
    q: (B, D) float32
    dtype: of the shard"""
    ...

def block_best(x, seen, scale=None, exclude=None):
    """Of each block of x (n, D) the greatest product with each question (B, D): (B, blocks) float32."""
    ...

def has_triton() -> bool:
    """Whether Triton is there."""
    ...

def _block_best(
    X, Q, SCALE, OUT_OF, BEST, n, tiles, D: tl.constexpr, CODES: tl.constexpr, MASKED: tl.constexpr, ROWS: tl.constexpr,
    WIDE: tl.constexpr, STEP: tl.constexpr
): ...

_TILES: dict

def fused_block_best(x, seen, scale=None, exclude=None):
    """`block_best` of x (n, D) for questions (B, D): (B, blocks) float32, the best product of each block of rows."""
    ...

FUSED_ON: str

def _fused(x): ...

def upper_bounds(shard: DeviceShard, ask: Asked, exclude: torch.Tensor | None=None) -> torch.Tensor:
    """What no row of a block can exceed.

Parameters:
    ask: B questions
    exclude: (n,) rows that must not be found

Returns: (B, blocks) −∞ where a block has no row to offer"""
    ...

def look(x, q, blocks, scale=None, exclude=None):
    """Products of each question (B, D) with the rows of its own blocks (B, m): (B, m·BLOCK) float32."""
    ...

def _look(
    X, Q, SCALE, OUT_OF, BLOCKS, OUT, n, m, D: tl.constexpr, CODES: tl.constexpr, MASKED: tl.constexpr, ROWS: tl.constexpr,
    STEP: tl.constexpr
): ...

def fused_look(x, q, blocks, scale=None, exclude=None):
    """`look`: products of q (B, D) with the rows of blocks (B, m) of x (n, D), (B, m·BLOCK) float32."""
    ...

def best_of(scores: torch.Tensor, ids: torch.Tensor, k: int) -> torch.Tensor:
    """Where the `k` best of each row stand, best first, equal ones by lower id.

Parameters:
    scores: (B, C) float32
    ids: (B, C) from 0 to 2³²

Returns: (B, k) places"""
    ...

class Finds:
    """Rows that may be among the k best of B questions, with the least and the most that each can score."""
    k: int
    exact: Any
    most: int
    ids: Any
    low: Any
    high: Any

    def __init__(self, B: int, k: int, device, exact=None, most: int=4096) -> None:
        """Parameters:
    exact: from ids (B, C) to the k best of them by their true scores: ids and scores (B, k)
    most: rows that are kept before `exact` is asked"""
        ...

    @property
    def least(self):
        """The score that every further row has to reach, (B,)."""
        ...

    def add(self, ids, low, high):
        """More rows; those that are out of the question by now are dropped."""
        ...

    def settle(self):
        """Let the true scores decide, where the rough ones cannot."""
        ...

    def result(self) -> torch.Tensor:
        """The k best, equal ones by lower id."""
        ...

class Scan:
    """The search of one shard, round by round."""
    shard: DeviceShard
    ask: Asked
    finds: Finds
    first: int
    exclude: torch.Tensor | None
    left: Any
    m: Any
    most: Any

    def __init__(
        self, shard: DeviceShard, ask: Asked, finds: Finds, first: int=0, exclude: torch.Tensor | None=None, budget: int=...
    ) -> None:
        """Parameters:
    ask: B questions
    finds: what was found elsewhere; grows
    first: number of the shard's first row
    exclude: (n,) rows that must not be found
    budget: rows of all questions that are looked at together"""
        ...

    def round(self) -> torch.Tensor:
        """Look into the blocks that promise most; whether any other promises more than what was found."""
        ...

def scan(shard, ask, finds, first=0, exclude=None):
    """All rounds that are needed."""
    ...

def streamed(shards: list, rows: int):
    """Slabs as they are, and those that wait piece by piece, the next piece travelling while one is worked on.

Parameters:
    shards: pairs (number of the first row, shard) of one device
    rows: that are fetched at a time

Returns: yields (number of the first row, shard) with its rows on the device"""
    ...

def _part(shard, a, n):
    """n rows of a shard from row a on; a is a multiple of BLOCK."""
    ...

class _Fetcher:
    """Copies pieces to the device one after the other, into two places by turns."""
    parts: Any
    cuda: Any
    at: int
    here: list
    free: list
    side: Any
    coming: Any

    def __init__(self, parts, device) -> None: ...

    def start(self, i):
        """Send piece i on its way: where it will be, and the event of its arrival."""
        ...

    @contextmanager
    def next(self):
        """The next piece, for as long as it is worked on."""
        ...

def scan_all(shards: list, q: torch.Tensor, k: int, exclude: torch.Tensor | None=None, exact=None, rows: int=...) -> torch.Tensor:
    """The k best rows of several shards.

Parameters:
    shards: pairs (number of the first row, shard), on any devices
    q: (B, D) float32
    exclude: (N,) bool
    exact: as for `Finds`
    rows: streamed at a time

Returns: (B, k) ids, best first by what the shards hold; −1 for none"""
    ...

def _on(device, exact): ...
