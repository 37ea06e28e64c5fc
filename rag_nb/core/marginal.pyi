"""Retrieval-Augmented Generation is one equation. Here it is worked out on numbers small enough to check by hand, and written as the handful of functions that everything else in this library rests on."""

# Written by tools/stubs.py: do not edit.

from torch import Tensor

__all__ = ['doc_log_prior', 'token_logprobs', 'token_marginal', 'sequence_marginal', 'token_posterior', 'running_posterior', 'marginal_logits', 'rag_token_loss', 'rag_sequence_loss']

def doc_log_prior(doc_scores: Tensor, mask: Tensor | None=None, scale: float | Tensor=1.0) -> Tensor:
    """log p(z|x): a log-softmax over the documents found, minus infinity elsewhere (everywhere, where none was found).

Parameters:
    doc_scores: (B, K) inner products of a question and its documents, in any precision
    mask: (B, K) bool, True where a document was found; None: all with a finite score
    scale: multiplies the scores; about 20 for normalised vectors

Returns: (B, K) float32"""
    ...

def token_logprobs(logits: Tensor, targets: Tensor, ignore_index: int=-100) -> Tensor:
    """log p(y_i|x,z,y_<i) of every target with every document, 0 where the target does not count.

Parameters:
    logits: (B, K, T, V), where logits[..., i, :] predicts targets[..., i]
    targets: (B, T), or (B, K, T) where they differ by document
    ignore_index: marks targets that do not count

Returns: (B, K, T) float32"""
    ...

def _joint(token_lp, log_prior):
    """log p(z|x) + log p(y_i|x,z,…), (B, K, T)."""
    ...

def token_marginal(token_lp: Tensor, log_prior: Tensor) -> Tensor:
    """log Σ_z p(z|x) p(y_i|x,z,y_<i) for every token; their sum over T is the answer's log-probability in RAG-Token.

Parameters:
    token_lp: (B, K, T) from `token_logprobs`
    log_prior: (B, K) from `doc_log_prior`

Returns: (B, T) float32"""
    ...

def sequence_marginal(token_lp: Tensor, log_prior: Tensor) -> Tensor:
    """log Σ_z p(z|x) Π_i p(y_i|x,z,y_<i), the answer's log-probability in RAG-Sequence.

Parameters:
    token_lp: (B, K, T) from `token_logprobs`
    log_prior: (B, K) from `doc_log_prior`

Returns: (B,) float32"""
    ...

def _posterior(joint): ...

def token_posterior(token_lp: Tensor, log_prior: Tensor) -> Tensor:
    """p(z|x,y_i,y_<i): which documents each token leans on (Figure 2 of Lewis et al. 2020).

Parameters:
    token_lp: (B, K, T) from `token_logprobs`
    log_prior: (B, K) from `doc_log_prior`

Returns: (B, T, K) float32, rows sum to one"""
    ...

def running_posterior(token_lp: Tensor, log_prior: Tensor) -> Tensor:
    """p(z|x,y_≤i): which document the answer comes from, judged by its tokens up to and including i.

Parameters:
    token_lp: (B, K, T) from `token_logprobs`
    log_prior: (B, K) from `doc_log_prior`

Returns: (B, T, K) float32, rows sum to one"""
    ...

def marginal_logits(logits: Tensor, log_prior: Tensor) -> Tensor:
    """log Σ_z p(z|x) p(v|x,z,y_<i) for every token v of the vocabulary.

Parameters:
    logits: (B, K, ..., V), e.g. (B, K, M, V) for M beams or (B, K, T, V)
    log_prior: (B, K) from `doc_log_prior`

Returns: (B, ..., V) float32 log-probabilities"""
    ...

def _reduce(loss, reduction): ...

def _smoothed(nll, smooth, epsilon, V): ...

def rag_token_loss(
    logits: Tensor, targets: Tensor, log_prior: Tensor, label_smoothing: float=0.0, ignore_index: int=-100, reduction: str='mean'
) -> Tensor:
    """-log p(y|x) of RAG-Token, summed over an answer's tokens; infinite for a question without documents.

Parameters:
    logits: (B, K, T, V), where logits[..., i, :] predicts targets[..., i]
    targets: (B, T)
    log_prior: (B, K) from `doc_log_prior`
    label_smoothing: ε, the share of the loss that goes to all words
    ignore_index: marks targets that do not count
    reduction: over the questions: "mean", "sum" or "none"

Returns: a number, or (B,) without reduction"""
    ...

def rag_sequence_loss(
    logits: Tensor, targets: Tensor, log_prior: Tensor, label_smoothing: float=0.0, ignore_index: int=-100, reduction: str='mean'
) -> Tensor:
    """-log p(y|x) of RAG-Sequence, summed over an answer's tokens; infinite for a question without documents.

Parameters:
    logits: (B, K, T, V), where logits[..., i, :] predicts targets[..., i]
    targets: (B, T)
    log_prior: (B, K) from `doc_log_prior`
    label_smoothing: ε, the share of the loss that goes to all words
    ignore_index: marks targets that do not count
    reduction: over the questions: "mean", "sum" or "none"

Returns: a number, or (B,) without reduction"""
    ...
