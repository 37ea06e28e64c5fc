"""From the logits of every document to the best tokens of a question: the plain way that a decoder takes on any machine."""

# Written by tools/stubs.py: do not edit.

__all__ = ['marginal_top', 'quick_marginal_top', 'chosen']

def marginal_top(logits, prior, scores, keep, rules=None, at=None):
    """From logits (B, K, M, V): the best of log Σ_z p(z) p(v|z) + score, (B, keep), their places in M·V, and log Σ exp (B, K, M)."""
    ...

def _ruled(m, rules, at):
    """Marginals (B, M, V) under the rules that hold at a place."""
    ...

def quick_marginal_top(logits, prior, scores, keep, rules=None, at=None, least=-60):
    """The same for a processor."""
    ...

def chosen(logits, targets, rows=None):
    """log p of targets (p,) from logits (n, V): from rows (p,) of them, or one from each."""
    ...
