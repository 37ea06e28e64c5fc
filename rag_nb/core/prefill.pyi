"""A document is read once. However many beams go on from it, and however many answers are scored against it, they share what was read."""

# Written by tools/stubs.py: do not edit.

from contextlib import contextmanager
from torch import nn
import torch
from transformers.cache_utils import DynamicLayer
from typing import Any

__all__ = ['WITHOUT_CACHE', 'SharedLayer', 'SharedCross', 'Prefill', 'positions', 'is_decoder_only', 'has_index', 'reads_alone', 'check_generator', 'check_length', 'fix_attention', 'prefill', 'teacher_force']

class SharedLayer(DynamicLayer):
    """Keys and values whose first S tokens are kept once for all beams of a row: shared (R, H, S, d), own (R·M, H, t, d)."""
    shared: Any
    beams: int
    keys: Any
    values: Any

    def __init__(self, keys, values) -> None: ...

    def update(self, key_states, value_states, *args, **kwargs):
        """Append new keys and values (R·M, H, t, d) and return all of them, (R·M, H, S+t, d)."""
        ...

    def get_seq_length(self): ...

    def get_mask_sizes(self, query_length): ...

    def reorder_cache(self, beam_idx):
        """Beams change places within their document; only their own tokens move."""
        ...

def _repeat(x, n):
    """Each row n times, side by side: (R, …) to (R·n, …); the tensor itself where n is 1."""
    ...

class SharedCross(DynamicLayer):
    """Cross-attention keys and values, (R, H, S, d), kept once per document and shown to all its beams."""
    shared: Any
    beams: int
    dtype: Any
    device: Any
    is_initialized: bool

    def __init__(self, keys, values) -> None: ...

    @property
    def keys(self):
        """"""
        ...

    @property
    def values(self):
        """"""
        ...

    def reorder_cache(self, beam_idx): ...

def _cache(layers):
    """A cache of the library's own kind, holding these layers."""
    ...

class Prefill:
    """R contexts, read once; M beams go on from each. Made by `prefill`."""
    generator: nn.Module
    layers: list
    mask: torch.Tensor
    first_logits: torch.Tensor
    hidden: torch.Tensor | None
    beams: Any
    output: Any
    written: int
    states: Any
    cache: Any
    own: Any

    def __init__(
        self, generator: nn.Module, layers: list, mask: torch.Tensor, first_logits: torch.Tensor, hidden: torch.Tensor | None=None,
        beams: int=1, output=None
    ) -> None:
        """Parameters:
    generator: the model that read
    layers: one pair (keys, values), or two for encoder–decoders, a layer; R rows each
    mask: (R, S) which context tokens are real
    first_logits: (R, V) logits of the first token after the context
    hidden: (R, S, d) encoder states; None for a decoder-only generator
    beams: M
    output: the generator's own output of this first call, for attentions and hidden states"""
        ...

    @property
    def rows(self): ...

    def with_beams(self, beams): ...

    def __repr__(self): ...

    def forward(self, tokens: torch.Tensor, **kwargs):
        """Append tokens to every beam; the generator's output, whose logits are (R·M, t, V).

Parameters:
    tokens: (R·M, t) what each beam writes next
    kwargs: `output_attentions`, `output_hidden_states`"""
        ...

    def _seq2seq_inputs(self, tokens): ...

    def _one_at_a_time(self, tokens, **kwargs): ...

    def _causal_inputs(self, tokens): ...

    def reorder(self, rows: torch.Tensor):
        """Let every beam continue another one of its document; M may change.

Parameters:
    rows: (R·M',) the row that each new beam continues, among the same document's"""
        ...

    def score_logits(self, targets: torch.Tensor) -> torch.Tensor:
        """Logits of given continuations, all at once, behind contexts already read.

Parameters:
    targets: (R·C, T) C candidates behind each context

Returns: (R·C, T, V): logits[:, t] are for targets[:, t]"""
        ...

def _prefill_seq2seq(generator, ids, mask, start_id, **kw):
    """Encode R contexts and run the decoder's start token behind each."""
    ...

def _kept(generator, out):
    """The keys and values that a generator gave back."""
    ...

def positions(mask):
    """Position of each token among the real ones of its row, (R, S); padding gets 0."""
    ...

def _turning_points(generator):
    """Lengths (kind, n) behind which a generator turns all its tokens in another way."""
    ...

def _check_turns(generator, mask, more=0):
    """Refuse contexts, and `more` tokens behind them, that a generator would turn otherwise together than each alone."""
    ...

def _check_left(mask): ...

@contextmanager
def _probed(generator):
    """A list that will hold the state (R, d) behind a decoder-only generator's `probe_layer`, at the last token of each context."""
    ...

def _prefill_causal(generator, ids, mask, **kw):
    """Run a decoder-only generator over R contexts, padded on the left."""
    ...

_ONE_AT_A_TIME: set

_GAP_FILLERS: set

def is_decoder_only(generator): ...

def _keeps_a_state(generator):
    """Whether some layers keep one state that every token changes, in place of keys and values of each."""
    ...

def _only_keys_and_values(config):
    """Whether the cache that Transformers makes for a configuration has nothing but keys and values of tokens."""
    ...

_PLAIN_LAYERS: set

WITHOUT_CACHE: set

def has_index(generator): ...

def reads_alone(generator):
    """Whether each context has to be read alone, with the cache that Transformers makes of it, or none."""
    ...

_COUNT_THEMSELVES: set

_BEFORE: dict

def _mistaken(generator):
    """What the installed Transformers gets wrong in an encoder–decoder of this kind."""
    ...

def _depends_on_others(generator):
    """Whether the answer to a context depends on the rest of its batch."""
    ...

def _unfit(generator):
    """Why a generator cannot read, and what to choose; None where it can."""
    ...

_FIT: Any

def check_generator(generator: nn.Module):
    """Refuse a generator whose cache is not keys and values of every token; or a version of Transformers that is not known.

Parameters:
    generator: about to read"""
    ...

def check_length(generator: nn.Module, S: int, T: int):
    """Refuse texts that are longer than a generator's table of positions.

Parameters:
    generator: about to read and write
    S: context tokens
    T: tokens it will be fed after them (decoder-only), or as its decoder's input"""
    ...

def _longest(config):
    """How many positions the reading and the writing part of a generator know, as far as their configurations say."""
    ...

def fix_attention(generator: nn.Module):
    """Let the decoder of an encoder–decoder use sdpa where FlashAttention was asked for: Transformers drops queries there by the contexts' padding.

Parameters:
    generator: about to read"""
    ...

def _own_config(decoder):
    """Give a decoder's modules a copy of their configuration, and note the one they shared as `config_asked`."""
    ...

def prefill(generator: nn.Module, ids: torch.Tensor, mask: torch.Tensor, start_id: int, **kwargs) -> Prefill:
    """Let a generator read R contexts once.

Parameters:
    generator: encoder–decoder or decoder-only
    ids: (R, S) token ids of the contexts
    mask: (R, S) which of them are real
    start_id: the decoder's start token (encoder–decoder)
    kwargs: `output_attentions`, `output_hidden_states`"""
    ...

def _read_alone(generator, ids, mask, **looked):
    """Where a state is kept, or an index beside the keys."""
    ...

def teacher_force(generator: nn.Module, ids: torch.Tensor | None, mask: torch.Tensor | None, decoder_ids: torch.Tensor | None, **kwargs):
    """The generator's output for known targets; its logits are (R, T, V) for either kind.

Parameters:
    generator: encoder–decoder or decoder-only
    ids: (R, S) contexts
    mask: (R, S); all real where None
    decoder_ids: (R, T) start token, then the target without its last token; None: what an encoder–decoder makes of the context
    kwargs: for the generator: `encoder_outputs`, `decoder_attention_mask`, the cache by either name, `output_attentions` …"""
    ...

def _force_itself(generator, ids, mask, **kwargs):
    """`teacher_force` without decoder inputs, for the generators that make them out of the context."""
    ...

def _force_causal(generator, ids, mask, decoder_ids, encoder_outputs=None, decoder_attention_mask=None, use_cache=False, **kwargs):
    """`teacher_force` of a decoder-only generator: context and target in one row, logits (R, T, V) from the context's last token on."""
    ...
