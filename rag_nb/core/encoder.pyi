"""A question and a passage become vectors whose inner product says how well they belong together; everything that must be the same on both sides is in one place."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
import numpy as np
from torch import nn
from transformers import PreTrainedModel
from typing import Any
from rag_nb.core.config import EncoderSpec
from rag_nb.core.config import StaticEncoderConfig

__all__ = ['activation_named', 'add_head', 'embed', 'TextEncoder', 'FolderLayout', 'encoder_class', 'StaticEncoder']

def _counted(hidden, attention_mask, skip):
    """Which tokens pooling counts, and each token's place in its text from 0, both (B, S); for hidden states (B, S, D)."""
    ...

def _at(hidden, column): ...

def _sum(hidden, weights): ...

_WAYS: dict

def _pool(found, attention_mask, pooling, skip=0):
    """One float32 vector a text, (B, D), from hidden states (B, S, D) or a pooled output (B, D)."""
    ...

def _found(output, pooling):
    """What is pooled, from a model's output."""
    ...

class _Dense(nn.Module):
    """A matrix and an activation: (…, inputs) → (…, outputs)."""
    linear: Any
    activation_function: Any
    adds: Any
    residual: Any

    def __init__(self, inputs, outputs, bias, activation, residual) -> None: ...

    def forward(self, x): ...

def activation_named(name: str):
    """A layer of that name; ValueError where `torch.nn` has none that is made without arguments.

Parameters:
    name: of a class of `torch.nn`: Tanh, Identity, GELU, …"""
    ...

class _LayerNorm(nn.Module):
    norm: Any

    def __init__(self, size) -> None: ...

    def forward(self, x): ...

class _Normalize(nn.Module):

    def forward(self, x): ...

_LAYER: Any

def _base(model): ...

def add_head(model, spec: EncoderSpec):
    """Put the layers behind the pooling into the model, with weights still to be loaded; none where the spec has none.

Parameters:
    model: an encoder
    spec: whose `head_layers` it gets

Returns: the same model"""
    ...

def _head(model, spec):
    """Pairs of a layer's description and its module."""
    ...

def _wants(model, name): ...

def embed(model, spec: EncoderSpec, input_ids, attention_mask=None, token_type_ids=None, with_output: bool=False, skip: int=0, **kwargs):
    """One vector a text, with gradient; `ValueError` where the model lacks what `spec` asks for.

Parameters:
    model: a DPR encoder or any encoder from Transformers
    spec: how to pool, and whether to normalise
    input_ids: (B, S)
    attention_mask: (B, S); None: every token counts
    token_type_ids: (B, S); used by models that want them
    with_output: give the model's own output, too
    skip: tokens at the beginning of each text that pooling leaves out
    kwargs: anything else for the model

Returns: (B, D) float32, or a pair of that and the model's output"""
    ...

def _written(spec, item, kind, i):
    """What the tokenizer is given: (text, pair or None)."""
    ...

def _called(item): ...

class TextEncoder:
    """A model, its tokenizer and the spec that says how texts become vectors."""
    model: Any
    tokenizer: Any
    spec: Any
    name: Any

    def __init__(self, model, tokenizer, spec: EncoderSpec | None=None, name: str='') -> None:
        """Parameters:
    model: a DPR encoder or any encoder from Transformers
    tokenizer: the one it was trained with
    spec: None: as DPR
    name: what to call it in an index folder; empty: the model's own name"""
        ...

    @property
    def dim(self): ...

    @property
    def device(self): ...

    def to(self, device): ...

    def __repr__(self): ...

    def max_length(self, kind: str='question') -> int:
        """The most tokens of a `kind` (question or passage) that are read, S."""
        ...

    def tokenize(self, items, kind: str='question') -> list:
        """The tokens of each item as `spec` wants it written, cut to `max_length(kind)`.

Parameters:
    items: questions: strings; passages: strings or dicts with text and perhaps title
    kind: "question" or "passage"

Returns: one dict of token lists an item, not padded"""
        ...

    def _embed(self, rows, kind='passage'):
        """(B, D) from token lists, padded to the longest of them."""
        ...

    def __call__(self, items, kind: str='question'):
        """The vectors of one batch, with gradient.

Parameters:
    items: questions: strings; passages: strings or dicts with text and perhaps title
    kind: "question" or "passage"

Returns: (B, D) float32, on the model's device"""
        ...

    def encode(self, items, kind: str='question', batch_size: int=32, progress: bool=False) -> np.ndarray:
        """The vectors of many texts, without gradient; an empty text is a `ValueError` that names it.

Parameters:
    items: questions: strings; passages: strings or dicts with text and perhaps title
    kind: "question" or "passage"
    batch_size: texts at a time
    progress: show a progress bar

Returns: (N, D) float32, in the order of the items"""
        ...

    def fingerprint(self) -> list:
        """The first numbers of a fixed passage's vector, to four decimals: what an index folder knows its encoder by."""
        ...

    @classmethod
    def from_pretrained(cls, name_or_dir, spec: EncoderSpec | None=None, device=None, dtype=None, **kwargs) -> TextEncoder:
        """The encoder saved under this name, with the pooling, layers, prefixes and lengths that it was published with.

Parameters:
    name_or_dir: a name on the hub, or a folder
    spec: None: what the checkpoint says about itself
    device: None: stay on the CPU
    dtype: None: float32
    kwargs: revision, token, cache_dir, local_files_only …"""
        ...

    def save_pretrained(self, folder):
        """Write model, tokenizer and spec; `TextEncoder.from_pretrained(folder)` reads them back.

Parameters:
    folder: made where it does not exist"""
        ...

def _dim(config, spec):
    """How many numbers a vector has."""
    ...

def _lower(tokenizer):
    """Let a tokenizer lower every letter, if it does not yet."""
    ...

_OFFSET_POSITIONS: Any

def _positions(config):
    """How many tokens the model has positions for."""
    ...

def _padded(tokenizer, rows, side=None):
    """Token lists as tensors (n, S), filled up on a side, or the tokenizer's, with what it pads with."""
    ...

def _alike(lengths, cost) -> list:
    """Texts in batches of similar length.

Parameters:
    lengths: of the texts, in tokens
    cost: of one more batch, in tokens

Returns: lists of the texts' numbers"""
    ...

_FINGERPRINT_TEXT: dict

@dataclass
class FolderLayout:
    """How the texts of a checkpoint become vectors, and where its parts are.

Parameters:
    network: subfolder of network and tokenizer
    static: a table of token vectors instead of a network
    weights: for each of `spec.head_layers` the subfolder of its weights
    counts_prompt: pooling counts the tokens of the prefix
    config_kwargs: for the network's configuration"""
    spec: EncoderSpec | None = ...
    network: str = ...
    static: bool = ...
    weights: list = ...
    counts_prompt: bool = ...
    config_kwargs: dict = ...
    tokenizer_kwargs: dict = ...

def _file(source, name, **kwargs):
    """A file of a checkpoint, from a folder or the hub; None where there is none."""
    ...

def _json(source, name, **kwargs):
    """A small JSON file of a checkpoint; None where there is none."""
    ...

def _reader():
    """The lesson that reads folders of sentence-transformers, as the package's table names it."""
    ...

_FIRST_HALF: dict

def encoder_class(config):
    """What builds and opens an encoder with this configuration.

Parameters:
    config: of an encoder

Returns: a class of Transformers, or `AutoModel`"""
    ...

class StaticEncoder(PreTrainedModel):
    """A table of token vectors, (B, S) → (B, S, D)."""
    config_class: type[StaticEncoderConfig] = ...
    embedding: Any

    def __init__(self, config) -> None: ...

    def get_input_embeddings(self): ...

    def forward(self, input_ids, attention_mask=None, return_dict=True): ...

_SPEC_FILE: Any

_HEAD_FILE: Any

_DPR: Any

def _plain(architecture): ...

def _describe(source, architecture, spec=None, **kwargs):
    """What a checkpoint says about itself, or else what its architecture suggests: a `FolderLayout` with a spec, the caller's where there is one."""
    ...

def _find_spec(source, architecture, **kwargs): ...

def _door():
    """What opens configurations, networks and tokenizers of others."""
    ...

def _architecture(source, **kwargs):
    """The class whose weights a folder or name holds, read from its config.json; None where that does not say."""
    ...

def _network(source, layout, architecture, dtype, **kwargs):
    """Network and tokenizer."""
    ...

def _load_head(source, model, layout, **kwargs):
    """Give a model the layers of its description, with their weights."""
    ...

def _prompt_length(tokenizer, prompt):
    """How many tokens of a text are those of its prefix, a special token before it included."""
    ...
