"""The sum over documents and the best of it, in two visits to the logits."""

# Written by tools/stubs.py: do not edit.

from rag_nb.fast.scan import tl

__all__ = ['fused_candidates', 'fused_marginal_top', 'fused_chosen']

def _lse(X, TOP, LOW, stride, V, part, PARTS: tl.constexpr, BLOCK: tl.constexpr, EARLY: tl.constexpr):
    """Part of a row: its greatest logit, and the sum of exp of the differences to it."""
    ...

def _top(
    X, TOP, LOW, PRIOR, SCORE, TABLE, FORCED, WHICH, AT, LSE, VALUE, PLACE, stride, V, K, M, blocks, RULED: tl.constexpr,
    KEEP: tl.constexpr, PARTS: tl.constexpr, BLOCK: tl.constexpr, EARLY: tl.constexpr
):
    """A block of the vocabulary of one beam: the sum over documents, and the KEEP best of it."""
    ...

def _sums(x, parts=16):
    """For rows of logits (n, V) the greatest of each of `parts` parts, and the sum of exp of the differences to it: both (n, parts)."""
    ...

def fused_candidates(logits, prior, scores, keep, rules=None, at=None, block=1024, parts=16):
    """The best of every block of the vocabulary: values and places (B, n), and log Σ exp of the logits (B, K, M)."""
    ...

def fused_marginal_top(logits, prior, scores, keep, rules=None, at=None):
    """`marginal_top` of logits (B, K, M, V): the best and their places, (B, keep), and log Σ exp of the logits (B, K, M)."""
    ...

def fused_chosen(logits, targets, rows=None):
    """`chosen`: log p (p,) of targets (p,) from rows (p,) of logits (n, V)."""
    ...
