"""The sums that training takes over all rows, each in one pass."""

# Written by tools/stubs.py: do not edit.

from rag_nb.fast.scan import tl

__all__ = ['column_sums', 'fused_column_sums', 'norm_back', 'fused_norm_back']

def column_sums(x):
    """Sums of the columns of x (n, D): (D,)."""
    ...

def _columns(X, OUT, n, D, stride, part, ROWS: tl.constexpr, COLS: tl.constexpr): ...

def _total(parts, dtype):
    """The sum (D,) of parts (p, D)."""
    ...

def fused_column_sums(x):
    """`column_sums` of x (n, D): (D,), in a fixed order of the parts."""
    ...

def norm_back(dy, x, weight, mean, rstd):
    """Gradients of a layer norm's input x (…, D), weight and bias (D,), from its result's, and its rows' mean and 1/deviation."""
    ...

def _norm_back(DY, X, W, MEAN, RSTD, DX, PARTS, n, D, part, ROWS: tl.constexpr, BLOCK: tl.constexpr): ...

def fused_norm_back(dy, x, weight, mean, rstd):
    """`norm_back`: dy, x (…, D), weight (D,), mean and rstd (…, 1); gradients of x, weight and bias."""
    ...
