"""The same answers as the loop of the last lesson, out of fewer and larger pieces of work: documents are read once for all beams, nothing is copied when beams change places, and on a GPU a whole step is one recording, played again and again."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
from torch import nn
import torch
from typing import Any
from rag_nb.core.generate import Hypotheses
from rag_nb.fast.passage_cache import PassageCache

__all__ = ['FAMILIES', 'Norm', 'Attention', 'MLP', 'DecoderSpec', 'unfit', 'run', 'embed', 'logits_of', 'wide_logits', 'off', 'FewRows', 'KVCache', 'shared_prefix', 'Rules', 'BeamState', 'EagerDecoder', 'GraphDecoder', 'StepResult', 'deduplicate_prefixes', 'score', 'DecoderState', 'state_for', 'FastDecoder', 'fast_decoder']

@dataclass
class Norm:
    """Layer norm, or root-mean-square norm where there is no bias."""
    weight: torch.Tensor
    bias: torch.Tensor | None
    eps: float

    def __call__(self, x): ...

@dataclass
class Attention:
    """The four projections of an attention."""
    q: nn.Linear
    k: nn.Linear
    v: nn.Linear
    o: nn.Linear
    scale: float
    q_norm: Norm | None = ...
    k_norm: Norm | None = ...

@dataclass
class MLP:
    """A feed-forward part: one matrix up, or two where one is a gate, and one down."""
    up: list
    down: nn.Linear
    act: object

@dataclass
class DecoderSpec:
    """A decoder: its parts in order, and what stands before and after them.

Parameters:
    parts: (layer, "self" | "cross" | "feed", Attention or MLP, Norm)
    post: norms stand after the sum (BART), or before each part
    embed: (V, D)
    head: (V, D)
    num_heads: H
    num_kv_heads: G heads of keys and values
    final_norm: before the vocabulary
    embed_norm: after the embedding
    position_embeddings: (P, D) learned positions
    rotary: positions as rotations
    relative_attention_bias: the attention that has T5's bias by distance"""
    parts: list
    post: bool
    embed: torch.Tensor
    head: torch.Tensor
    num_heads: int
    num_kv_heads: int
    final_norm: Norm | None = ...
    embed_norm: Norm | None = ...
    embed_scale: float = ...
    position_embeddings: torch.Tensor | None = ...
    head_bias: torch.Tensor | None = ...
    head_scale: float = ...
    rotary: nn.Module | None = ...
    relative_attention_bias: nn.Module | None = ...

    @property
    def layers(self): ...

    @property
    def head_size(self): ...

    @property
    def causal(self): ...

def _norm(m): ...

def _bart(g): ...

def _t5(g): ...

def _llama(g): ...

FAMILIES: Any

def unfit(g: nn.Module) -> str | None:
    """Why the fast decoder does not take a generator.

Parameters:
    g: a generator

Returns: None: it fits"""
    ...

def _altered(g):
    """What was done to a generator's modules from outside."""
    ...

def _lin(x, m, times=...): ...

def _feed(y, f, times=...): ...

def _part(kind, l, s, y, attend, cross, times): ...

def run(net: DecoderSpec, h: torch.Tensor, attend, cross=None, times=..., tap=None) -> torch.Tensor:
    """All parts of a decoder over rows.

Parameters:
    h: (n, D) embedded rows
    attend: (layer, part, q (n, H·d), k and v (n, G·d)) -> (n, H·d)
    cross: (layer, part, q) -> (n, H·d)
    times: how rows are multiplied with a matrix
    tap: (layer, list): the rows behind so many layers are put into the list

Returns: (n, D) ready for the vocabulary"""
    ...

def _following(net): ...

def embed(net, tokens, at):
    """Rows (n, D) of tokens (n,) at own places `at` (n,)."""
    ...

def logits_of(net, y, times=...):
    """Rows (n, D) to logits (n, V)."""
    ...

def wide_logits(net, y):
    """The same for a GPU in half precision: a view (n, V) of longer rows, each of which begins at a multiple of 16 bytes."""
    ...

def _rotate(x, cos, sin): ...

def off(mask, dtype):
    """0 where a mask is true and the most negative number elsewhere, to be added to scores."""
    ...

class FewRows:
    """`F.linear`, from copies of the matrices in oneDNN's order."""
    copies: dict
    room: Any
    left: int

    def __init__(self, room: int=...) -> None:
        """Parameters:
    room: bytes of copies that may be kept"""
        ...

    def fits(self, rows, like): ...

    def __call__(self, x, weight, bias=None): ...

    def _copy(self, weight): ...

class KVCache:
    """Keys and values of R contexts, once for all M beams, and slots for the beams' own tokens."""
    net: Any
    R: Any
    M: Any
    S: Any
    T: Any
    like: Any
    self_kv: list
    cross_kv: Any
    mask: Any
    lengths: Any
    prefill_logits: Any
    probe: Any
    states: Any
    cos: Any
    sin: Any
    bias: Any

    def __init__(self, net, R, M, S, T, like) -> None: ...

    @property
    def base(self): ...

    def resize(self, S):
        """Stand ready for contexts of S slots, no more than at first, in the same memory."""
        ...

    def grow(self, T):
        """Room for T own tokens a beam; what stands there stays."""
        ...

    def _positions(self): ...

    def _by_distance(self):
        """T5's bias (H, T) for keys so many places back."""
        ...

    def prefill_seq2seq(self, generator: nn.Module, ids: torch.Tensor, mask: torch.Tensor):
        """Encode R contexts, some at a time, since what is between the layers takes more room than what is kept, and keep their keys and values.

Parameters:
    generator: encoder–decoder
    ids: (R, S)
    mask: (R, S)"""
        ...

    def _run_rows(self, rows, known):
        """Run rows of tokens, each behind as many as are in the cache already; states of each row's last token (R, D)."""
        ...

    def _recall(self, found):
        """Put what a cache found of R rows where they stand in the cache; how many tokens of each."""
        ...

    def _store(self, keys, cache):
        """Keep what stands in the cache of rows of tokens."""
        ...

    def prefill_causal(self, ids: torch.Tensor, mask: torch.Tensor, cache: PassageCache | None=None) -> list:
        """Run R contexts, each from the cache's left, and keep the logits of what follows them.

Parameters:
    ids: (R, S)
    mask: (R, S)
    cache: what was read before

Returns: how many tokens of each row were known before"""
        ...

    def _read_prefix(self, tokens, cache): ...

    def _lengths(self, n): ...

    def _run_padded(self, keys, known, rows):
        """Run the ends of contexts behind what is known of each, at these rows of the cache; states of the last tokens (r, D)."""
        ...

    def _look_back(self, at):
        """Which slots the tokens at these places (R, n) see: (R, 1, n, S)."""
        ...

    def _attend_padded(self, q, k, v, l, rows, look, scale):
        """Attention (R, n, H, d) of tokens to each other, or to all that is in the cache before them."""
        ...

    def prefill_padded(self, ids: torch.Tensor, mask: torch.Tensor, cache: PassageCache | None=None) -> list:
        """Run R contexts together, and keep the logits of what follows them.

Parameters:
    ids: (R, S)
    mask: (R, S)
    cache: what was read before

Returns: how many tokens of each row were known"""
        ...

def shared_prefix(rows: list, least: int=16) -> int:
    """How many tokens all rows begin with, leaving each at least one of its own.

Parameters:
    rows: tensors of token ids
    least: a shorter one is not worth the trouble"""
    ...

class Rules:
    """What the logits processors known here ask for, as rows of a table and the row that holds after n tokens."""
    known: Any = ...
    key: Any
    tables: Any

    def __init__(self, processors, limit, V, device) -> None: ...

    def _row(self, processors, n):
        """Forced token (or −1) and forbidden tokens after n tokens."""
        ...

class BeamState:
    """M beams (or one greedy chain) of each of B questions, kept on the device."""
    B: Any
    K: Any
    M: Any
    V: Any
    gc: Any
    rules: Any
    top: Any
    T: Any
    limit_now: int
    beams: Any
    keep: Any
    eos: Any
    prior: Any
    limit: Any
    at: Any
    done: Any
    can: Any
    next: Any
    parents: Any
    scores: Any
    ended: Any
    lengths: Any
    end: Any
    history: list
    longest: Any
    none: Any
    power: Any

    def __init__(self, B, K, M, gc, rules, V, device, T, top=...) -> None: ...

    def grow(self, T):
        """Room for T steps in the history."""
        ...

    def state(self): ...

    def reset(self, log_prior: torch.Tensor, limit: int):
        """As before the first step.

Parameters:
    log_prior: (B, K)
    limit: the most tokens, with the start token"""
        ...

    def choose(self, logits):
        """Extend every beam, from logits (B, K, M, V)."""
        ...

    def _ends(self, token): ...

    def _greedy(self, score, token, logits, lse): ...

    def _beams(self, score, place, logits, lse): ...

    def _finish(self, found, ended):
        """Merge those that just ended, and were among the M best, into the finished ones."""
        ...

    def _look_ahead(self, ended):
        """Whether no question can get a better answer any more."""
        ...

    def spoiled(self, steps: int | None=None) -> torch.Tensor:
        """Which documents have given scores that are not numbers.

Parameters:
    steps: of the last so many; all where None

Returns: (B, K)"""
        ...

    def hypotheses(self) -> Hypotheses:
        """What was written."""
        ...

    def _copy_out(self, h): ...

    def _backtrace(self, h): ...

def _path(parents, at, slot):
    """Which beam (n, B, M) each answer was at each step, from the last to the first: on the host, since every step needs the one before."""
    ...

class EagerDecoder:
    """A cache and a search, going on together."""
    net: Any
    cache: Any
    search: Any
    times: Any
    lag: Any
    seen: Any
    eye: Any
    context: Any

    def __init__(self, net, cache, search, times=...) -> None: ...

    def reset(self):
        """New contexts stand in the cache."""
        ...

    def grow(self):
        """Twice the room for own tokens."""
        ...

    def reorder(self):
        """Beams take over what their parents could see."""
        ...

    def _mask(self, t, upto):
        """What is added to the scores of a row's first `upto` own slots, behind those of its context: (R, 1 or H, rep·M, ·)."""
        ...

    def logits(self, t):
        """Logits (B, K, M, V) of what follows the beams' last tokens, which stand at own place t."""
        ...

    def prefill_logits(self):
        """Logits of the first token of a decoder-only generator, the same for all beams."""
        ...

    def decode(self):
        """Decode; yields the search after every step."""
        ...

_ACTS: dict

def _skinny_gemm(x, mods, name=None, gated=False, split=False): ...

class GraphDecoder(EagerDecoder):
    """The step out of few, larger kernels over buffers that stay where they are; nothing in it waits for the host."""
    graph: Any = ...
    beam: Any
    width: Any
    room: Any

    def __init__(self, net, cache, search) -> None: ...

    def resize(self, S):
        """Stand ready for contexts of S slots, no more than at first."""
        ...

    def advance(self, logits=None):
        """Choose from these logits, or go one token on and choose."""
        ...

    def logits(self):
        """Logits (B, K, M, V) of what follows the beams' last tokens."""
        ...

    def _attend(self, l, p, qkv): ...

    def _feed(self, y, f): ...

    def record(self):
        """Record one step as a CUDA graph."""
        ...

    def decode(self, every=8):
        """Decode; yields the search after every step, and asks only now and then whether all is over."""
        ...

class StepResult:
    """What a step yields: `next`, the tokens (B, M) just chosen."""
    search: Any
    looked: bool

    def __init__(self, search) -> None: ...

    @property
    def next(self): ...

    @property
    def done(self): ...

def _own_part(net, cache, q, k, v, C, L, scale):
    """Attention of candidates (R·C, L) to themselves."""
    ...

def _both_parts(net, cache, l, q, k, v, C, L, scale):
    """Attention of candidates to their context and themselves, in one softmax."""
    ...

def deduplicate_prefixes(fed: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """For each token the first that is wanted of those with the same tokens up to there.

Parameters:
    fed: (R, C, L) tokens of C candidates
    real: (R, C, L) which are wanted

Returns: (R, C, L) a place in R·C·L; anything where nothing is wanted"""
    ...

def _states(net, cache, tokens, real):
    """Rows (m, D) of candidates' tokens (R, C, L) behind their contexts, for m beginnings; and which of them each of the real tokens (R, C, L) has."""
    ...

def _look_up(net, y, rows, targets, fused=False, budget=...):
    """log p of targets (p,) from rows (p,) of y (n, D), a slice of the logits at a time."""
    ...

def score(net: DecoderSpec, cache: KVCache, targets: torch.Tensor, start: int, fused: bool=False, budget: int=...) -> torch.Tensor:
    """log p of every target behind every context.

Parameters:
    cache: R contexts
    targets: (R, C, L) −100 where there is none
    start: the decoder's start token
    fused: whether the kernels can be used
    budget: numbers at a time

Returns: (R, C, L)"""
    ...

def _first(cache, t): ...

class DecoderState:
    """What is kept for one generator."""
    where: Any
    net: Any
    cache: Any
    asked: Any
    kept: Any
    known: Any
    times: FewRows
    samples: list

    def __init__(self, g) -> None: ...

    def refresh_if_changed(self):
        """Forget what was read and copied if the weights have changed since: each was written to again, or some of its numbers are others."""
        ...

    def passages(self, max_bytes=None):
        """What was read of passages, with this room: 256 MiB where None on a CPU, on a GPU a fifth of what is free; None where there is no room."""
        ...

_STATES: Any

def _where(g): ...

def _sample(x):
    """A view of a few of a tensor's numbers."""
    ...

def state_for(g):
    """The state of a generator."""
    ...

class FastDecoder:
    """Reads contexts and takes the steps, as `ReferenceDecoder` does, for generators and settings that it knows."""
    fused_on: str = ...
    g: Any
    ids: Any
    attention: Any
    gc: Any
    processors: Any
    decoder_state: Any
    fused: Any
    net: Any
    V: Any
    cache: Any
    reused: Any

    def __init__(self, generator, ids, mask, gc, processors, criteria, trace) -> None: ...

    def search(self, log_prior, gc, docs):
        """As `ReferenceDecoder.search`."""
        ...

    @property
    def states(self): ...

    def scores(self, tokens, lengths, K, known):
        """As `thorough_scores`, but for what is known: what a document's own beams said (B, K, C, L−1), −∞ elsewhere."""
        ...

    def _steps(self, log_prior, gc, rules, least=32):
        """Contexts read, and a search before its first step."""
        ...

    def _new(self, B, K, M, gc, rules, S, T): ...

    def _read(self, cache): ...

def _shut(rules, limit, V):
    """Whether there is a step at which these forbid every token: the loop says so when it comes to it."""
    ...

def fast_decoder(generator, ids, mask, gc, processors, criteria, trace):
    """A `FastDecoder` where it would give what `ReferenceDecoder` gives, else None."""
    ...
