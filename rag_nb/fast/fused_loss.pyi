"""The log-probability of the right answer, summed over documents, made from hidden states without ever holding the logits of all of them."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
import torch
from typing import Any
from rag_nb.fast.kernels import tl

__all__ = ['last_hidden', 'to_logits', 'ends_in_one_matrix', 'chosen_logprobs', 'answer_logprobs', 'marginal_nll']

class _Caught(Exception):
    """The output embedding has been reached."""

def _plain(model):
    """The model inside an adapter."""
    ...

def last_hidden(generator, **inputs) -> torch.Tensor:
    """The hidden states just before the vocabulary: what its output embedding would have been given.

Parameters:
    generator: encoder–decoder or decoder-only, with or without adapters
    inputs: as for its forward

Returns: (R, S, H)"""
    ...

def to_logits(generator, hidden: torch.Tensor) -> torch.Tensor:
    """Logits from the last hidden states: the output embedding, and the bias that BART's family adds.

Parameters:
    generator: whose output embedding is used
    hidden: (…, H)

Returns: (…, V)"""
    ...

def _logits(generator, hidden):
    """The same, and in some cases a few −∞ after the last of the vocabulary."""
    ...

def _narrow(hidden): ...

def ends_in_one_matrix(generator) -> bool:
    """Whether its logits are nothing but `to_logits` of its hidden states, tried with logits between −50 and 50.

Parameters:
    generator: encoder–decoder or decoder-only"""
    ...

def _log_p(logits, targets):
    """log p (P,) of targets (P,) from logits (P, V), in float32 or better."""
    ...

def _log_p_back(logits, targets, lp, grad_output):
    """The gradient of the logits (P, V), in their own precision."""
    ...

def _back(X, TARGET, LSE, GRAD_OUTPUT, OUT, stride, V, BLOCK: tl.constexpr): ...

def _fused_back(logits, targets, lp, grad_output): ...

def _here(x): ...

class _Pick(torch.autograd.Function):
    """log p of chosen tokens: beside the logits only their gradient is as wide as the vocabulary."""
    fused: Any

    @staticmethod
    def forward(ctx, logits, targets): ...

    @staticmethod
    def backward(ctx, grad_output): ...

def _chosen(generator, hidden, targets):
    """log p of each target, (P,) float32, from hidden states (P, H)."""
    ...

def chosen_logprobs(generator, hidden: torch.Tensor, targets: torch.Tensor, size: int=2048) -> torch.Tensor:
    """The log-probabilities of given tokens; logits are made piece by piece, and once more on the way back.

Parameters:
    generator: whose output embedding is used
    hidden: (P, H)
    targets: (P,)
    size: rows of logits that exist at a time

Returns: (P,) float32"""
    ...

def _joined(ids, mask, fed, width):
    """Contexts padded on the left and what follows them, as rows padded on the right: (R, W), for W up to `width`."""
    ...

@dataclass
class _Facts:
    """Of R rows, on the host: real context tokens, places up to the last target, the first row of equal context, scored places.

Parameters:
    scored: (R, T)"""
    n: list
    last: list
    twin: list
    scored: torch.Tensor

    def of(self, rows):
        """The same of some of the rows."""
        ...

def _facts(ids, mask, targets): ...

def _said(generator, hidden, targets, scored=None):
    """log p of each target (R, T) from hidden states (R, T, H), 0 where nothing is scored."""
    ...

def _places(scored, device): ...

def _row_said(generator, rows, at, targets, scored=None):
    """log p of targets (R, T) from places `at` (R, T) of rows (R, W) without padding on the left."""
    ...

def _wide(x, n, value=0): ...

def _causal_logprobs(generator, ids, mask, fed, targets, facts, record=None):
    """log p of targets (R, T) of R rows."""
    ...

def _pair_said(generator, ids, mask, fed, targets, which=None, scored=None):
    """log p of targets (R, T) after decoder inputs (R, T) behind contexts (U, S); which of them is whose, (R,), where U is less than R."""
    ...

def _distinct(twin, device):
    """The numbers of the different contexts, and which of them is whose; None, None where all are different."""
    ...

def _seq2seq_logprobs(generator, ids, mask, fed, targets, facts, record=None):
    """log p of targets (R, T) of R rows."""
    ...

def _played_pair(record, shortest, ids, mask, fed, targets, **which):
    """The same reading from a recording, or None."""
    ...

def _full_logprobs(generator, ids, mask, fed, targets, facts, record=None):
    """The same by way of all logits, for generators that do more after their output embedding."""
    ...

def _in_groups(facts, rows):
    """The numbers of the contexts that have a target, in groups: as they stand where one group takes all, else longest first."""
    ...

def answer_logprobs(
    generator, ids: torch.Tensor, mask: torch.Tensor, fed: torch.Tensor, targets: torch.Tensor, rows: int=64,
    activation_checkpointing: bool=False, one_matrix: bool | None=None, record=None
) -> torch.Tensor:
    """log p(y_i|x,z,y_<i) of every target behind every context, read in groups of similar length.

Parameters:
    generator: encoder–decoder or decoder-only
    ids: (R, S) contexts, padded as `assemble_contexts` pads them; they and their mask may be on the host
    mask: (R, S)
    fed: (R, T) decoder inputs, from `align_labels`, where the generator is
    targets: (R, T), −100 where nothing is scored
    rows: contexts read together
    activation_checkpointing: keep nothing of a group but its result, and read it again on the way back
    one_matrix: what `ends_in_one_matrix` says, where it is known already
    record: a `Recorder` of the generator

Returns: (R, T) float32, 0 where nothing is scored"""
    ...

def marginal_nll(token_lp: torch.Tensor, log_prior: torch.Tensor, kind: str='token') -> torch.Tensor:
    """−log p(y|x) of RAG-Token or RAG-Sequence; positions that are not scored are 0 in every document and so add nothing.

Parameters:
    token_lp: (B, K, T)
    log_prior: (B, K)
    kind: "token", "sequence", or "both" for their mean

Returns: (B,)"""
    ...
