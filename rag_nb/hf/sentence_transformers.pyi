"""Most published encoders come as a folder of the sentence-transformers library: a list of steps, a small file for each, and weights where a step has some. This lesson reads such a folder, old or new, or says by name why it cannot."""

# Written by tools/stubs.py: do not edit.

from typing import Any
from rag_nb.core.config import EncoderSpec
from rag_nb.core.encoder import FolderLayout

__all__ = ['refuse', 'check_kind', 'folder_layout', 'parts_of', 'layer_weights', 'static_parts']

_OTHERS: Any

def refuse(source: str, kind: str):
    """`ValueError` that says what a checkpoint is and what is needed instead.

Parameters:
    source: name or folder of the checkpoint
    kind: CrossEncoder, SparseEncoder or MultiVectorEncoder"""
    ...

_SIGNS: list

def _kind_of(sign): ...

def check_kind(source: str, settings: dict, signs: list):
    """`ValueError` for a checkpoint that is no sentence encoder.

Parameters:
    source: name or folder
    settings: of config_sentence_transformers.json
    signs: classes of the steps, or of the network where there are no steps"""
    ...

def _steps(source, modules):
    """(class, subfolder) of each step; ValueError for one that is code of the folder's own, or lies elsewhere."""
    ...

def _in(folder, name): ...

_SWITCHES: Any

def _pooling(source, config):
    """Our name for a pooling; several are joined by +."""
    ...

def _activation(source, path):
    """The name of one of torch.nn's activations."""
    ...

def _layer(source, kind, config):
    """A layer as an `EncoderSpec` describes it."""
    ...

_KNOWN: Any

def _works_on(source, kind, config, pooled):
    """What a layer works on, where it stands: "tokens", "vector", or None where it has no effect."""
    ...

_TWO: str

_WHY: Any

def _unknown(source, kind): ...

def _walk(source, steps, read, pooling):
    """Layers, their folders, the pooling, and whether it counts the prompt, from the steps behind the first."""
    ...

_NAMES: list

def _modality(source, config):
    """The pooling that is done by the network itself, "pooler"; None where it gives token vectors."""
    ...

def _length(value): ...

def _reading(source, folder, read):
    """Lengths, lower case, pooling and keyword arguments from the network's own file."""
    ...

def _prompts(source, settings):
    """Prefixes of questions and passages."""
    ...

_INSTRUCTOR: Any

def _layout(source, steps, settings, read): ...

def folder_layout(source: str, read) -> FolderLayout | None:
    """What the files of a sentence-transformers folder say; None for a checkpoint without them, `ValueError` for what cannot be done.

Parameters:
    source: name or folder, for messages
    read: gives the JSON of a file by its name, or None"""
    ...

def _bare(source, settings, config):
    """None, for a checkpoint without steps, after a look at what it is."""
    ...

def parts_of(source: str, read, spec: EncoderSpec) -> FolderLayout:
    """Where the parts of a checkpoint are; for a spec with layers of weights, those of the folder, which have to be the same.

Parameters:
    source: name or folder
    read: gives the JSON of a file by its name, or None
    spec: what is wanted"""
    ...

def layer_weights(source: str, folder: str, find) -> dict:
    """Tensors by name.

Parameters:
    source: name or folder
    folder: the step's subfolder
    find: gives the path of a file by its name, or None"""
    ...

def _table(weights):
    """The rows of a static encoder, (V, D)."""
    ...

def _static_tokenizer(file):
    """A tokenizer that adds no special tokens, and cuts where its file says so."""
    ...

def static_parts(source: str, layout: FolderLayout, find, dtype=None) -> tuple:
    """Table and tokenizer of a static encoder.

Parameters:
    source: name or folder
    find: gives the path of a file by its name, or None
    dtype: of the table; None: float32

Returns: a `StaticEncoder` and its tokenizer"""
    ...
