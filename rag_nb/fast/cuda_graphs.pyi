"""Forward and backward of a network, recorded on the GPU once for each shape of its inputs, and played again at every step."""

# Written by tools/stubs.py: do not edit.

from contextlib import contextmanager
from torch import nn
import torch
from torch.overrides import TorchFunctionMode
from typing import Any

__all__ = ['FakeReplay', 'GraphPair', 'cannot_record', 'Recorder']

class FakeReplay:
    """A recording that is none: it runs once more, with the places and the manners of a real one. For lessons and tests."""
    run: Any
    wanted: list
    out: Any
    grad_output: Any
    grads: list
    live: Any

    def __init__(self, module: nn.Module, run, wanted: list, pool=None) -> None:
        """Parameters:
    run: () -> tensor, from inputs that stay where they are
    wanted: weights that want a gradient; without any there is no way back
    pool: for real recordings: the memory that all share"""
        ...

    def _there(self): ...

    def forward(self):
        """Play; the result is in `out`."""
        ...

    def backward(self):
        """Play the way back from `grad_output`; gradients are in `grads`."""
        ...

@contextmanager
def _stand_ins(module):
    """While inside, other parameters over the same memory; gives a function from a parameter to its stand-in."""
    ...

@contextmanager
def _masks(notes, again):
    """While inside, whether each attention mask is left out is noted, or decided as in the notes."""
    ...

class _Line(torch.autograd.Function):
    """A linear layer."""

    @staticmethod
    def forward(ctx, x, w, b): ...

    @staticmethod
    def backward(ctx, dy): ...

class _Norm(torch.autograd.Function):
    """A layer norm."""

    @staticmethod
    def forward(ctx, x, w, b, eps): ...

    @staticmethod
    def backward(ctx, dy): ...

_own: Any

@contextmanager
def _as_it_is():
    """While inside, `_lean` exchanges nothing."""
    ...

class _lean(TorchFunctionMode):
    """While inside, linear layers and layer norms over many rows go back by few kernels."""
    least: Any
    on: Any

    def __init__(self, least=..., on=...) -> None: ...

    def __torch_function__(self, func, types, args=..., kwargs=None): ...

    def _given(self, given, cast):
        """Input, weight and bias of one dtype; None where they do not fit."""
        ...

class _Window:
    """Bytes at an address, by the protocol that GPU arrays are exchanged with."""
    __cuda_array_interface__: Any

    def __init__(self, x) -> None: ...

def _window(x):
    """A tensor like x, over the same memory, that does not keep it."""
    ...

class GraphPair(FakeReplay):
    """Both ways of a pass as CUDA graphs."""
    there: Any
    back: Any
    grad_output: Any
    out: Any
    grads: list

    def __init__(self, module, run, wanted, pool=None) -> None: ...

    def forward(self): ...

    def backward(self): ...

    def _warm(self, run, weights, notes, times=2):
        """Run both ways as they will be recorded, on a stream of their own."""
        ...

    def _record_back(self, out, weights, pool):
        """Record the way back; gives the gradients' places."""
        ...

class _PassHandle:
    """A pass that is under way: kept by what autograd knows of it, and by nobody else."""
    used: bool = ...

def _copies(found):
    """Copies of tensors, made by few launches."""
    ...

class _Replay(torch.autograd.Function):
    """One play, for autograd."""
    tape: Any
    ticket: Any

    @staticmethod
    def forward(ctx, tape, ticket, *weights): ...

    @staticmethod
    def backward(ctx, grad_output): ...

def cannot_record(module: nn.Module, anywhere: bool=False) -> str | None:
    """Why the passes of a network cannot be recorded.

Parameters:
    anywhere: on any device: for `FakeReplay`

Returns: None: it can be"""
    ...

def _altered(module, parts):
    """What of a network's modules stands against it."""
    ...

def _hooks(m): ...

class Recorder:
    """Passes of a network, recorded by shape, and played."""
    module: nn.Module
    keep: int
    after: int
    tape: Any
    weights: Any
    parts: Any
    longest: list
    tapes: Any
    seen: Any
    failed: dict
    places: Any
    pool: Any
    open: Any
    why: Any
    calls: Any
    counts: Any

    def __init__(self, module: nn.Module, longest: tuple=..., keep: int=16, after: int=2, tape: type | None=None) -> None:
        """Parameters:
    module: its modules are to stay as they are
    longest: lengths that occur often beside round ones: see `width`
    keep: recordings
    after: how often a shape has to come before it is recorded
    tape: `FakeReplay`, to try it without a GPU"""
        ...

    def _key(self, run, state, inputs):
        """All that would make other orders, for a pass with these inputs."""
        ...

    def forget(self):
        """Drop all recordings, and give their memory back."""
        ...

    def _moved(self):
        """Drop all recordings if weights lie elsewhere than they did."""
        ...

    def _refusal(self, key, inputs):
        """Why a pass is not taken, or None."""
        ...

    def _idle(self):
        """Whether the recording that was not played for longest can go."""
        ...

    def _record(self, key, run, inputs):
        """A new recording; None, with a warning, where it fails."""
        ...

    def __call__(self, run, state=..., **inputs) -> torch.Tensor | None:
        """Play a pass, or record it first; its gradients go to the network's weights.

Parameters:
    run: (module, **inputs) -> one tensor; a function of a module, the same each time
    state: what else would make other orders, for instance whether all contexts are full
    inputs: tensors

Returns: None: not taken, and `why` says so"""
        ...

    def width(self, n: int, step: int=32) -> int:
        """A length that is at least n, one of few.

Parameters:
    n: a length
    step: lengths are multiples of it"""
        ...
