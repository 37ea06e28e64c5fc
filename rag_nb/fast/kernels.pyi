"""Small programs for the GPU, each beside a few lines of plain PyTorch that it must equal."""

# Written by tools/stubs.py: do not edit.

from rag_nb.fast.scan import has_triton as has_triton
from rag_nb.fast.scan import tl as tl
from rag_nb.fast.scan import triton as triton

__all__ = ['add_norm', 'fused_add_norm', 'act', 'fused_act', 'linear', 'fused_linear', 'fused_add_bias', 'embedded', 'fused_embedded', 'column_sums', 'fused_column_sums', 'norm_back', 'fused_norm_back', 'cross_attend', 'fused_cross_attend', 'fused_self_attend', 'marginal_top', 'quick_marginal_top', 'fused_candidates', 'fused_marginal_top', 'chosen', 'fused_chosen', 'can_choose', 'fused_choose']

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

def fused_add_norm(x, delta, weight, bias, eps): ...

def act(x, name, gated):
    """The activation of x (n, F), or of its first half times its second, (n, F/2)."""
    ...

def _activated(v, NAME: tl.constexpr): ...

def _act(X, Y, n, F, NAME: tl.constexpr, GATED: tl.constexpr, BLOCK: tl.constexpr, EARLY: tl.constexpr): ...

def fused_act(x, name, gated): ...

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
    """Rows, columns and depth of a tile, warps, stages; and in how many pieces a sum over D is made where that is allowed: about a block for each of a large GPU's processors."""
    ...

def fused_linear(x, weights, biases, name=None, gated=False, out=None, most=None, split=False): ...

def _wide_gemm(x, weights, biases, name, gated, out): ...

def _add_bias(X, C, stride, V, BLOCK: tl.constexpr, EARLY: tl.constexpr): ...

def fused_add_bias(x, bias):
    """x (n, V), the beginnings of longer rows, + bias (V,), in place."""
    ...

def embedded(tokens, docs, table, scale=1.0, places=None, at=None):
    """Rows (B·docs·M, D) of tokens (B, M), the same for each of a question's documents, at place `at` (1,)."""
    ...

def _embed(TOKENS, TABLE, PLACES, AT, X, K, M, D, scale, lag, PLACED: tl.constexpr, BLOCK: tl.constexpr, EARLY: tl.constexpr): ...

def fused_embedded(tokens, docs, table, scale=1.0, places=None, at=None, lag=0): ...

def column_sums(x):
    """Sums of the columns of x (n, D): (D,)."""
    ...

def _columns(X, OUT, n, D, stride, part, ROWS: tl.constexpr, COLS: tl.constexpr): ...

def _total(parts, dtype):
    """The sum (D,) of parts (p, D)."""
    ...

def fused_column_sums(x): ...

def norm_back(dy, x, weight, mean, rstd):
    """Gradients of a layer norm's input x (…, D), weight and bias (D,), from that of its result, and the mean and reciprocal deviation of its rows."""
    ...

def _norm_back(DY, X, W, MEAN, RSTD, DX, PARTS, n, D, part, ROWS: tl.constexpr, BLOCK: tl.constexpr): ...

def fused_norm_back(dy, x, weight, mean, rstd): ...

def cross_attend(q, K, V, mask, scale, width=None):
    """q (R·M, H·d) over K, V (R, H, S, d) where mask (R, S): (R·M, H·d)."""
    ...

def _cross(
    Q, K, V, MASK, WIDTH, OUT, stride, H, M, d, scale, IEEE: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr,
    EARLY: tl.constexpr
): ...

def _cross_tile(blocks):
    """Slots at a time, warps and stages: few blocks want many bytes on their way, many blocks want to be small."""
    ...

def fused_cross_attend(q, K, V, mask, scale, width): ...

def _rotary(P, row, cos, sin, W, eps, col, d, ok, NORM: tl.constexpr, ROTARY: tl.constexpr):
    """Rows of queries or keys, with their norm and turned by their position."""
    ...

def _self(
    Q, KN, VN, K, V, MASK, WIDTH, SEEN, AT, COS, SIN, LEN, BIAS, QW, KW, OUT, stride, T, H, G, M, docs, d, scale, eps, lag,
    NORM: tl.constexpr, ROTARY: tl.constexpr, FAR: tl.constexpr, SHARED: tl.constexpr, IEEE: tl.constexpr, BM: tl.constexpr,
    BN: tl.constexpr, BD: tl.constexpr, EARLY: tl.constexpr
): ...

def fused_self_attend(
    q, k, v, K, V, seen, at, lag, scale, H, width=None, mask=None, cos=None, sin=None, lengths=None, bias=None, norms=None
):
    """q (R·M, H·d), k, v (R·M, G·d), all views of rows with one stride."""
    ...

def marginal_top(logits, prior, scores, keep, rules=None, at=None):
    """From logits (B, K, M, V): the `keep` best of log Σ_z p(z) p(v|z) + score, (B, keep), where they are in M·V, and log Σ exp of the logits (B, K, M)."""
    ...

def _ruled(m, rules, at):
    """Marginals (B, M, V) under the rules that hold at a place."""
    ...

def quick_marginal_top(logits, prior, scores, keep, rules=None, at=None, least=-60):
    """The same for a processor."""
    ...

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

def fused_marginal_top(logits, prior, scores, keep, rules=None, at=None): ...

def chosen(logits, targets, rows=None):
    """log p of targets (p,) from logits (n, V): from rows (p,) of them, or one from each."""
    ...

def fused_chosen(logits, targets, rows=None): ...

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
    s: a `Search` of fast/01_decoder, which is changed
    logits: (B, K, M, V)
    seen: (B, M, T·M) which own slots each beam can see
    lag: how far the clock is ahead of the slots"""
    ...
