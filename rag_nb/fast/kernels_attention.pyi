"""All beams of a question read one context, and a beam's own tokens stay where they were written."""

# Written by tools/stubs.py: do not edit.

from rag_nb.fast.scan import tl

__all__ = ['cross_attend', 'fused_cross_attend', 'fused_self_attend']

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

def fused_cross_attend(q, K, V, mask, scale, width):
    """`cross_attend`: q (R·M, H·d) over K, V (R, H, S, d) where mask (R, S), of which `width` slots are in use: (R·M, H·d)."""
    ...

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
    """Attention (R·M, H·d) of one new token a beam; its keys and values are written into K and V (R, G, S+T·M, d).

q (R·M, H·d), k and v (R·M, G·d) are views of rows with one stride; seen is (B, M, T·M)."""
    ...
