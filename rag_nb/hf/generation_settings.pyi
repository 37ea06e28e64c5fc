"""What a user of Transformers says about decoding, read as Transformers reads it: settings, logits processors, stopping criteria."""

# Written by tools/stubs.py: do not edit.

import torch
from transformers import GenerationConfig
from transformers import LogitsProcessorList
from transformers import StoppingCriteriaList
from typing import Any

__all__ = ['SUPPORTED', 'NEUTRAL', 'UNSUPPORTED', 'check_supported', 'generation_settings', 'logits_processors', 'stopping_criteria']

SUPPORTED: Any

NEUTRAL: Any

UNSUPPORTED: Any

def check_supported(user_config, own):
    """Refuse what the loop cannot do: anything asked for in this call, and of a model's own settings whatever changes tokens."""
    ...

_DEFAULTS: Any

_SAMPLING: Any

_UNSET_BY_NONE: Any

def generation_settings(model, generation_config: GenerationConfig | None=None, kind: str | None=None, **kwargs) -> GenerationConfig:
    """The generation settings of one call, complete and checked.

Parameters:
    model: a RAG head or `RagModel`: its own settings and special tokens
    generation_config: goes before the model's own
    kind: "token" or "sequence"; the model's own head where None
    kwargs: fields of `GenerationConfig`; they go before both. None leaves a field alone, or takes back a special token

Returns: complete: nothing that the loop needs is None"""
    ...

def _merged(user_config, own, taken_back):
    """What was said, then the model's own, then the defaults; a length that was said goes before a saved one."""
    ...

def _special_tokens(gc, config):
    """End tokens as a list, a padding token and a start token, and the length counted with the start token."""
    ...

def _check_counts(gc):
    """What `GenerationConfig` cannot know: the start token is one of `max_length`."""
    ...

def logits_processors(
    gc: GenerationConfig, contexts: torch.Tensor, beams: int, prefix_allowed_tokens_fn=None, user=None, vocab_size: int | None=None
) -> LogitsProcessorList:
    """What changes the scores before a token is chosen.

Parameters:
    gc: complete settings
    contexts: (B, ·) context ids of each question, for the processors that look at them
    beams: rows a question
    prefix_allowed_tokens_fn: (question number, tokens so far) -> allowed ids
    user: more processors
    vocab_size: V, for a watermark"""
    ...

def _warpers(gc, n_eos):
    """What shapes the distribution that is sampled from."""
    ...

def stopping_criteria(gc: GenerationConfig, user=None, tokenizer=None, device='cpu') -> StoppingCriteriaList:
    """What ends a sequence.

Parameters:
    gc: complete settings
    user: more criteria
    tokenizer: the generator's, for `stop_strings`
    device: where sequences are"""
    ...
