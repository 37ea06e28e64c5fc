"""Small programs for the GPU, each beside a few lines of plain PyTorch that it must equal."""

# Written by tools/stubs.py: do not edit.

from rag_nb.fast.scan import has_triton as has_triton
from rag_nb.fast.scan import tl as tl
from rag_nb.fast.scan import triton as triton

__all__ = ['add_norm', 'fused_add_norm', 'act', 'fused_act', 'linear', 'fused_linear', 'fused_add_bias', 'embedded', 'fused_embedded']

def _wait_for_previous_grid(EARLY: tl.constexpr): ...

def _launch_attributes(device):
    """What a launch is told: whether it can be made before its turn."""
    ...

def _shared(device):
    """Bytes that a block can share."""
    ...

def _slots(most, d, stages, x):
    """Slots of keys and values (d numbers each) at a time."""
    ...

def add_norm(x, delta, weight, bias, eps):
    """x + delta (n, D; or None; or the pieces (p, n, D) of a sum) and the norm of the sum: layer norm with a bias, root mean square without."""
    ...

def _add_norm(X, A, W, C, H, Y, n, D, eps, ADD: tl.constexpr, CENTRE: tl.constexpr, BLOCK: tl.constexpr, EARLY: tl.constexpr): ...

def fused_add_norm(x, delta, weight, bias, eps):
    """`add_norm` in one visit to each row: x (n, D), delta (n, D), (p, n, D) or None; sum and norm, both (n, D)."""
    ...

def act(x, name, gated):
    """The activation of x (n, F), or of its first half times its second, (n, F/2)."""
    ...

def _activated(v, NAME: tl.constexpr): ...

def _act(X, Y, n, F, NAME: tl.constexpr, GATED: tl.constexpr, BLOCK: tl.constexpr, EARLY: tl.constexpr): ...

def fused_act(x, name, gated):
    """`act` of x (n, F): (n, F), or (n, F/2) where half of it is a gate."""
    ...

def linear(x, weights, biases, name=None, gated=False):
    """x (n, D) times each of up to three matrices (N_i, D), side by side (n, ΣN), and an activation of it."""
    ...

def _ask(W, col, N, D, LINES: tl.constexpr):
    """Ask for rows of a matrix, to be brought near: a line is 128 bytes."""
    ...

def _times(X, W, m, n, col, N, D, begin, end, IEEE: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    """A tile of X times the transposed W, in float32."""
    ...

def _skinny_gemm(
    X, W0, W1, W2, C0, C1, C2, Y, n, D, N0, N1, N2, stride, step, NAME: tl.constexpr, GATED: tl.constexpr, BIAS: tl.constexpr,
    PARTS: tl.constexpr, IEEE: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, LINES: tl.constexpr,
    EARLY: tl.constexpr
): ...

def _skinny_tile(n, N, D):
    """Rows, columns and depth of a tile, warps, stages; and the pieces of a sum over D, about a block for each processor."""
    ...

def fused_linear(x, weights, biases, name=None, gated=False, out=None, most=None, split=False):
    """`linear` of few rows x (n, D): (n, ΣN); with `split` pieces (p, n, N) of the sum over D, for `fused_add_norm` to add up."""
    ...

def _wide_gemm(x, weights, biases, name, gated, out): ...

def _add_bias(X, C, stride, V, BLOCK: tl.constexpr, EARLY: tl.constexpr): ...

def fused_add_bias(x, bias):
    """x (n, V), the beginnings of longer rows, + bias (V,), in place."""
    ...

def embedded(tokens, docs, table, scale=1.0, places=None, at=None):
    """Rows (B·docs·M, D) of tokens (B, M), the same for each of a question's documents, at place `at` (1,)."""
    ...

def _embed(TOKENS, TABLE, PLACES, AT, X, K, M, D, scale, lag, PLACED: tl.constexpr, BLOCK: tl.constexpr, EARLY: tl.constexpr): ...

def fused_embedded(tokens, docs, table, scale=1.0, places=None, at=None, lag=0):
    """`embedded` of tokens (B, M): rows (B·docs·M, D) of the table, times scale, plus the learned position `at − lag`."""
    ...
