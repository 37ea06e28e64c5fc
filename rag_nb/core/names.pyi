"""The one place that knows what Transformers calls a thing in which version, and which names of other libraries we lean on."""

# Written by tools/stubs.py: do not edit.

from transformers.utils import ModelOutput
from typing import Any

__all__ = ['KV_CACHE', 'CACHE', 'TRIED', 'BORROWED', 'cache_name', 'plain_model', 'forward_parameters', 'accepts', 'cache_argument', 'with_cache', 'cache_of', 'one_cache', 'CacheOutput', 'cache_output', 'unknown_version', 'checkpoint_activations', 'look_up', 'installed', 'moved']

KV_CACHE: Any

def cache_name(names) -> str | None:
    """What the keys and values of earlier tokens are called among these names.

Parameters:
    names: arguments of a forward, or fields of an output

Returns: None: neither is among them"""
    ...

CACHE: Any

def plain_model(model):
    """The model itself, inside its adapters if it has any."""
    ...

def forward_parameters(model) -> dict:
    """The arguments of a model's forward, and of its parents' where it hands on what it does not name.

Parameters:
    model: a network of any origin

Returns: name: `inspect.Parameter`"""
    ...

def accepts(model, name):
    """Whether a model's forward takes this argument."""
    ...

def cache_argument(generator) -> str | None:
    """The argument under which a generator's forward takes keys and values of earlier tokens.

Parameters:
    generator: a network of any origin

Returns: None: it takes none"""
    ...

def with_cache(generator, cache) -> dict:
    """The cache as a keyword argument of a generator's forward, under the name that it takes.

Parameters:
    generator: about to be called
    cache: keys and values of earlier tokens, or None

Returns: a keyword argument, or nothing"""
    ...

def cache_of(output):
    """The keys and values that an output carries, under either name.

Parameters:
    output: of a generator

Returns: None where it has none"""
    ...

def one_cache(cache=None, past_key_values=None):
    """The cache of an argument that has two names."""
    ...

def _under_own_name(given):
    """Keyword arguments in which the cache is called `CACHE`."""
    ...

class _EitherName(Any):

    def __call__(cls, *args, **kwargs): ...

def _own(key): ...

class CacheOutput(ModelOutput, metaclass=_EitherName):
    """An output whose `cache` and `past_key_values` are one field, called as in the installed Transformers."""

    @property
    def cache(self):
        """"""
        ...

    @property
    def past_key_values(self):
        """"""
        ...

    def __getitem__(self, key): ...

    def __setitem__(self, key, value): ...

    def __setattr__(self, name, value): ...

    def __contains__(self, key): ...

    def get(self, key, default=None): ...

def cache_output(cls):
    """A dataclass whose field for the cache is called as in the installed Transformers.

Parameters:
    cls: a `CacheOutput` whose annotations call the cache by either name"""
    ...

TRIED: str

def unknown_version() -> str | None:
    """Why the installed Transformers cannot be worked with, if even its Llama takes no cache under a name that is known."""
    ...

def checkpoint_activations(model, settings: dict | None=None, **kwargs):
    """Let a network compute its layers again on the way back, by the method that it has.

Parameters:
    model: a network of Transformers, with or without adapters
    settings: for PyTorch's `checkpoint`
    kwargs: what newer versions offer beside it"""
    ...

BORROWED: Any

def _step(found, name):
    """The part of an object that has this name, or a module inside a module."""
    ...

def look_up(path: str):
    """What a path leads to; a `LookupError`, `AttributeError` or `ImportError` where it ends on the way.

Parameters:
    path: as in `BORROWED`"""
    ...

def installed(requirement: str) -> str | None:
    """The version of a package, if it fulfils a requirement.

Parameters:
    requirement: "peft", or "ipywidgets>=8"

Returns: None: it is not there, or in another version"""
    ...

def _package(requirement): ...

def moved(rows=None) -> list:
    """What has moved in the installed libraries, and what depends on it.

Parameters:
    rows: of `BORROWED`; all where None

Returns: of sentences"""
    ...
