"""At every token of an answer there were other candidates, and every document had its own favourite. And the beams: which beginnings were tried, and which were dropped."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
import torch
from typing import Any
from rag_nb.core.answer import Answer
from rag_nb.core.answer import Rag
from rag_nb.core.passages import Hits

__all__ = ['Alternatives', 'alternatives', 'BeamNode', 'BeamTrace', 'trace_beams']

@dataclass(eq=False)
class Alternatives:
    """What could have stood in the place of each of an answer's T tokens; float32, on the CPU.

Parameters:
    tokens: T lists of n strings: what was written, then the likeliest others
    probs: (T, n) p(y_i|x,y_<i), summed over documents
    by_doc: (T, K, n) p(y_i|x,z,y_<i) of the same candidates
    doc_tokens: T lists of K lists of n strings: each document's own favourites
    doc_probs: (T, K, n) their probabilities under that document"""
    answer: Answer
    tokens: list
    probs: torch.Tensor
    by_doc: torch.Tensor
    doc_tokens: list
    doc_probs: torch.Tensor

    def __len__(self): ...

    def __repr__(self): ...

def _distributions(rag: Rag, answer):
    """Log-probabilities of everything at every token: by document (K, T, V); and the log-weight of each document there (T, K)."""
    ...

def _weights(said, log_prior, kind):
    """What each document counts at each token, (W, K) in logs, from what it gave the tokens written, (K, W)."""
    ...

def _adds(tokenizer, before, candidate):
    """The text that a token adds after others; a special token, or half a letter, is called by its name."""
    ...

def alternatives(rag: Rag, answer: Answer, n: int=8) -> Alternatives:
    """The likeliest candidates for each token of an answer, overall and by document.

Parameters:
    answer: one that a `Rag` gave
    n: candidates a token"""
    ...

def _first(scores, chosen, n):
    """The chosen entry of each row of (T, V) and its n−1 best others, (T, n)."""
    ...

def _named(rag, answer, ids):
    """Candidates (T, …) as the texts they would add, in lists of the same shape."""
    ...

def _no_alternatives(answer, n): ...

@dataclass
class BeamNode:
    """A beginning of an answer that a beam held: its last token, and how probable the whole beginning is.

Parameters:
    parent: which node it goes on from; −1 for a first token
    step: its number of tokens
    token: the last of them
    logprob: of the beginning, log p(y_≤i|x), summed over documents
    doc: the document that the last token leans on
    ended: whether the answer is complete here
    best: whether it is on the way to the answer that won"""
    parent: int
    step: int
    token: str
    logprob: float
    doc: int
    ended: bool
    best: bool = ...

@dataclass(eq=False)
class BeamTrace:
    """All beginnings that the beams of one question held, parents before children, and the answer that came out.

Parameters:
    nodes: of BeamNode"""
    answer: Answer
    nodes: list
    num_beams: int

    def __repr__(self): ...

class _Diary:
    """Writes down, after every step, what the beams of one question hold."""
    tokenizer: Any
    log_prior: Any
    places: dict
    nodes: list

    def __init__(self, tokenizer, log_prior) -> None: ...

    def look(self, strategy):
        """Note the beginnings that go on, and those that ended."""
        ...

    def note(self, hyps, real, ended):
        """Add the beginnings that are real, (M,) and not yet known."""
        ...

    def add(self, ids, said, ended):
        """A new beginning, with what each document gave its tokens, (K, n)."""
        ...

    def crown(self, ids):
        """Mark the way to the answer that won."""
        ...

def trace_beams(
    rag: Rag, question: str, num_beams: int=3, n_docs: int | None=None, max_new_tokens: int | None=None, hits: Hits | None=None,
    **generation
) -> BeamTrace:
    """Answer by RAG-Token, and keep every beginning that the beams tried.

Parameters:
    question: what to ask
    num_beams: M
    n_docs: K
    max_new_tokens: the longest answer; as for `ask` where None
    hits: documents to read, instead of searching
    generation: any other field of `GenerationConfig`"""
    ...
