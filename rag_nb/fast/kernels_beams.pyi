"""A whole step of beam search in one program for each question."""

# Written by tools/stubs.py: do not edit.

from rag_nb.fast.scan import tl

__all__ = ['can_choose', 'fused_choose']

def _pick(x, lane, i): ...

def _put(x, lane, i, new): ...

def _best(v, n, keep, PLACE, KEEP: tl.constexpr):
    """The `keep` best of v, and the places that belong to them."""
    ...

def _read(
    VALUE, PLACE, LOGITS, LSE, EOS, last, b, n, keep, stride, V, K, M, ENDS: tl.constexpr, KEEP: tl.constexpr, BK: tl.constexpr,
    BN: tl.constexpr
): ...

def _go_on(
    NEXT, PARENT, SCORE, TOKENS, PARENTS, DOC_LP, score, beam, token, doc_lp, ended, real, at, b, B, K, M, NONE: tl.constexpr,
    KEEP: tl.constexpr, BM: tl.constexpr, BK: tl.constexpr
): ...

def _merge(score, flag, at, beam, token, doc_lp, c_score, c_new, c_at, c_beam, c_token, c_doc_lp, M, KEEP: tl.constexpr, BM: tl.constexpr):
    """The M best of the old records (BM lanes) and the candidates' (KEEP lanes)."""
    ...

def _inherit(SEEN, parents, step, b, M, room, BM: tl.constexpr): ...

def _beam_step(
    VALUE, PLACE, LOGITS, LSE, EOS, LIMIT, AT, DONE, POWER, LONGEST, CAN, NEXT, PARENT, SCORE, TOKENS, PARENTS, DOC_LP, OVER, E_SCORE,
    E_FLAG, E_AT, E_PARENT, E_TOKEN, E_DOC_LP, SEEN, n, keep, stride, V, K, M, room, lag, STOP: tl.constexpr, ENDS: tl.constexpr,
    NONE: tl.constexpr, KEEP: tl.constexpr, BM: tl.constexpr, BK: tl.constexpr, BN: tl.constexpr, EARLY: tl.constexpr
): ...

def _greedy_step(
    VALUE, PLACE, LOGITS, LSE, EOS, LIMIT, AT, DONE, ENDED, LENGTHS, NEXT, TOKENS, DOC_LP, OVER, n, stride, K, pad, ENDS: tl.constexpr,
    BK: tl.constexpr, BN: tl.constexpr, EARLY: tl.constexpr
): ...

def _advance(OVER, AT, DONE, B, STOP: tl.constexpr, BB: tl.constexpr, EARLY: tl.constexpr): ...

_STOP: dict

def can_choose(s): ...

def fused_choose(s, logits, seen, lag):
    """Extend every beam by a token.

Parameters:
    s: a `BeamState` of fast/01_decoder, which is changed
    logits: (B, K, M, V)
    seen: (B, M, T·M) which own slots each beam can see
    lag: how far the clock is ahead of the slots"""
    ...
