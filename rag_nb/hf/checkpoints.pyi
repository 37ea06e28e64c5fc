"""Configuration, network and tokenizer of any checkpoint, through one door: no code of its own is run, nothing is made that its files do not hold, and what is damaged says so."""

# Written by tools/stubs.py: do not edit.

from contextlib import contextmanager
import threading
from typing import Any

__all__ = ['read_json', 'check_files', 'opening', 'open_config', 'open_model', 'open_tokenizer', 'open_adapter']

_WHERE: Any

def _found(name, file, where):
    """The path of a checkpoint's file; None where there is none, or where nobody can say."""
    ...

def read_json(path):
    """The value in a JSON file; `ValueError` names the file that holds none.

Parameters:
    path: of a small file

Returns: what it holds"""
    ...

def _check_inside(settings, what):
    """`ValueError` for a tokenizer's configuration that names a file outside its folder."""
    ...

_SMALL: Any

def check_files(name, files=..., **where):
    """Look at a checkpoint's small files; `ValueError` names the one that asks for too much, or is damaged.

Parameters:
    name: folder or name on the hub
    files: those to look at
    where: `revision`, `subfolder`, …"""
    ...

_WEIGHTS: Any

def _tensors(path):
    """How many tensors a .safetensors file names; None where its header is none."""
    ...

def _bounds(folder):
    """How many tensors and numbers a network from this folder may have, or None where it has no weights."""
    ...

class _Building(threading.local):
    counted: Any = ...

_BUILDING: _Building

def _count(module, name, x):
    """A hook of PyTorch: one more parameter, buffer or module."""
    ...

@contextmanager
def _within(name, where):
    """For a while, networks that this thread makes are compared with the weights of a checkpoint."""
    ...

@contextmanager
def opening(name, what: str='model', **where):
    """A context for `from_pretrained`: small files are looked at, a network is as large as its weights at most, errors name the checkpoint.

Parameters:
    name: folder or name on the hub
    what: what should be there, for the error
    where: `revision`, `subfolder`, …: what else is given to from_pretrained is left alone"""
    ...

def _adapted(name):
    """The model that a folder of adapters is for, where `name` is such a folder."""
    ...

def _untrusting(kwargs): ...

def open_config(name, **kwargs):
    """`AutoConfig.from_pretrained` through the door."""
    ...

def open_model(cls, name, *args, **kwargs):
    """`cls.from_pretrained` through the door.

Parameters:
    cls: a class of Transformers, or one of its auto classes
    name: folder or name on the hub
    kwargs: for its `from_pretrained`"""
    ...

def open_tokenizer(name, *args, **kwargs):
    """`AutoTokenizer.from_pretrained` through the door."""
    ...

def open_adapter(model, name, **kwargs):
    """The network with the low-rank adapters of a folder, ready to be used; they do not train until told to.

Parameters:
    model: the network that wears it
    name: folder or name on the hub
    kwargs: for `PeftModel.from_pretrained`"""
    ...
