"""A dozen passages, an encoder that finds them, and tiny generators of five families: enough to run every lesson and every test offline in seconds."""

# Written by tools/stubs.py: do not edit.

from transformers import PreTrainedTokenizerFast
from typing import Any
from rag_nb.core.encoder import TextEncoder

__all__ = ['SPECIALS', 'toy_documents', 'toy_questions', 'toy_tokenizer', 'toy_encoder', 'toy_generator']

_FACTS: str

_ROWS: list

def toy_documents() -> list:
    """A dozen documents, each a few true sentences and shorter than one passage."""
    ...

def toy_questions() -> list:
    """A question for each of the documents, with its answer."""
    ...

SPECIALS: list

def _byte_names():
    """A printable character for each byte, as GPT-2 names them: printable bytes are themselves."""
    ...

_AROUND: dict

def toy_tokenizer(kind: str | None=None) -> PreTrainedTokenizerFast:
    """A tokenizer of bytes that fits `toy_generator(kind)`.

Parameters:
    kind: whose habits: "bart", "t5", "mbart", "llama", "gpt2"; None: adds nothing

Returns: 260 tokens: pad 0, bos 1, eos 2, unk 3, then the bytes"""
    ...

def _drawn(model, seed, scale):
    """The model with every matrix normal with spread `scale(name)`, norms one and biases zero; in evaluation mode."""
    ...

_COMMON: Any

_CHARACTERS: str

def _word_tokenizer():
    """Lower-case words of the toy documents, letters for all others; common words and punctuation are dropped."""
    ...

def toy_encoder(seed: int=7) -> TextEncoder:
    """A tiny untrained BERT that points texts with the same words in the same direction.

Parameters:
    seed: 7 finds every toy question's document

Returns: 32 numbers a text, mean pooling, normalised"""
    ...

_IDS: Any

def _bart(V, S, name='Bart', start=2): ...

def _mbart(V, S): ...

def _t5(V, S): ...

def _llama(V, S): ...

def _gpt2(V, S): ...

_KINDS: Any

_LARGER: dict

def _spread(name): ...

_WRITERS: Any

def _prefer_letters(model, norm):
    """Raise the logits of lower-case letters, space and end by ten and more."""
    ...

def toy_generator(kind: str='bart', vocab_size: int | None=None, seed: int=9, max_positions: int=1024):
    """A tiny generator with random weights, the same on every machine.

Parameters:
    kind: "bart", "t5", "mbart", "llama" or "gpt2"
    vocab_size: None: the 260 tokens of `toy_tokenizer`; else numbers, of which 0 to 3 are special
    seed: another seed, another generator; this one is lively
    max_positions: the longest text it can read, S

Returns: a model of Transformers in evaluation mode, on the CPU"""
    ...
