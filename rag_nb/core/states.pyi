"""Mamba, RWKV and the hybrids of today fold what they read into a state. A state cannot be shared between beams, nor read behind padding; so each document is read alone, and its state is copied for each beam."""

# Written by tools/stubs.py: do not edit.

from torch import nn
import torch
from typing import Any
from rag_nb.core.prefill import Prefill

__all__ = ['RowByRow', 'read_alone', 'force_right']

class RowByRow(Prefill):
    """R contexts, each read alone; M beams go on from each with a copy of its cache, one token at a time."""
    generator: Any
    contexts: Any
    kept: Any
    mask: Any
    first_logits: Any
    beams: Any
    written: int
    hidden: Any
    output: Any
    own: list
    caches: Any
    tokens: Any

    def __init__(self, generator, contexts, kept, mask, first_logits, beams=1) -> None: ...

    def with_beams(self, beams): ...

    def reorder(self, rows):
        """Let every beam continue another one of its document; M may change."""
        ...

    def _go_on(self, r, tokens):
        """Logits (M, t, V) of tokens behind one document."""
        ...

def _cache(self, r, beams=None):
    """The cache of a document's beams, copied from what was read, or with its beams in another order; None where there is none."""
    ...

def _forward(self, tokens, **kwargs):
    """Append tokens (R·M, t) to every beam; the logits are (R·M, t, V)."""
    ...

def _again(generator, ids, keep):
    """Logits (n, keep, V) of the last tokens of whole rows (n, S), read without a cache."""
    ...

def _go_on(self, r, tokens):
    """Logits (M, t, V) of tokens behind one document."""
    ...

_WARNED: Any

def read_alone(generator: nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> RowByRow:
    """Let a generator read R contexts, each alone and without padding.

Parameters:
    generator: decoder-only
    ids: (R, S) token ids of the contexts
    mask: (R, S) which of them are real"""
    ...

def _read_one(generator, context):
    """Logits (1, V) of the first token behind a context (1, S), and its cache, or None."""
    ...

def _say_once(generator): ...

def force_right(generator: nn.Module, ids: torch.Tensor, mask: torch.Tensor, decoder_ids: torch.Tensor, **kwargs):
    """The generator's output for known targets behind contexts, padded on the right; its logits are (R, T, V).

Parameters:
    generator: decoder-only
    ids: (R, S) contexts
    mask: (R, S)
    decoder_ids: (R, T) start token, then the target without its last token
    kwargs: for the generator"""
    ...

def _each(generator, ids, mask, decoder_ids, **kwargs):
    """`force_right` of one row after another, for generators that choose by an index what they attend to: padding would be chosen, too."""
    ...
