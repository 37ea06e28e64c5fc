"""Prior and posterior are shares among the documents that were found. `answer.support` is the probability that these documents hold the answer at all."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
import numpy as np
from typing import Any
from rag_nb.core.answer import Answer

__all__ = ['occurs', 'Evidence', 'evidence_of', 'features', 'Verifier', 'Rerank', 'Support', 'support_to_dict', 'support_from_dict', 'load_support', 'save_support', 'logistic', 'support_model', 'fit_support', 'general_support', 'support_for', 'attach']

def occurs(answer: str, passage: str) -> bool:
    """Do the words of the answer follow each other in the passage?

Parameters:
    answer: a text
    passage: in which its words may follow each other

Returns: False for a text without words"""
    ...

@dataclass
class Evidence:
    """What an answer rests on, in arrays (K,) over the documents that were found.

Parameters:
    prior: p(z|x)
    posterior: p(z|x,y) after the answer's last token
    scores: of the search
    lexical: what of them weighted BM25 adds; 0 where words are not counted
    occurs: whether the answer's words follow each other in the document
    logprob: log p(y|x) of the whole answer
    n_tokens: T
    verified: log-odds of each document by the verifier, where there is one"""
    prior: np.ndarray
    posterior: np.ndarray
    scores: np.ndarray
    lexical: np.ndarray
    occurs: np.ndarray
    logprob: float
    n_tokens: int
    verified: np.ndarray | None = ...

def evidence_of(answer: Answer, text: str | None=None) -> Evidence:
    """The evidence behind an answer.

Parameters:
    answer: as `rag.ask` gives it
    text: the words that were written; the answer's own guess where None"""
    ...

def _log(p): ...

def _entropy(p): ...

def _second(x): ...

def _shares(e, top):
    """Features without a unit: they mean the same for any encoder and generator."""
    ...

def _search(e, top):
    """Features in the units of the search."""
    ...

def _verified(e, top):
    """Features of the verifier: its log-odds for the best document, for the one the answer leans on, and over all by prior and posterior."""
    ...

def features(e: Evidence) -> dict:
    """Everything that a support model may look at, by name.

Parameters:
    e: of one answer

Returns: name: number"""
    ...

@dataclass
class Verifier:
    """A linear probe on the generator's state at the end of a context.

Parameters:
    layer: after how many layers
    weight: (d,)"""
    layer: int
    weight: np.ndarray
    bias: float

    def __call__(self, states):
        """Log-odds that a document answers the question."""
        ...

@dataclass
class Rerank:
    """The prior of RAG-Sequence after reading: the search's, flattened, and the verifier's log-odds.

Parameters:
    search: times the logarithm of the search's prior
    weight: times the verifier's log-odds"""
    verifier: Verifier
    search: float = ...
    weight: float = ...

    def __call__(self, log_prior, states):
        """Log-probabilities that add up to one; what was not found stays at −∞."""
        ...

@dataclass(repr=False)
class Support:
    """A logistic model: features to the probability that the documents hold the answer.

Parameters:
    names: of the features
    mean: (F,) of each, where it was fitted
    scale: (F,) its standard deviation there
    weight: (F,)
    about: where it comes from
    fitted: for the generator and encoder that it is used with"""
    names: list
    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    bias: float
    about: str = ...
    fitted: bool = ...
    verifier: Verifier | None = ...

    def __repr__(self): ...

    def __call__(self, answers):
        """The support of answers; 0 where nothing was found.

Parameters:
    answers: `Answer`, `Evidence`, or a list of them

Returns: a float, or an array (N,)"""
        ...

    def _one(self, f): ...

def support_to_dict(s: Support) -> dict:
    """Plain values for JSON."""
    ...

def _numbers(values, what): ...

_KNOWN: Any

def support_from_dict(d: dict) -> Support:
    """The model that `support_to_dict` wrote; ValueError where it is none."""
    ...

def load_support(path) -> Support:
    """A support model from a JSON file."""
    ...

def save_support(s: Support, path):
    """Write a support model as a JSON file."""
    ...

def logistic(X: np.ndarray, y: np.ndarray, w: np.ndarray | None=None, ridge: float=1.0) -> tuple:
    """Logistic regression over standardised columns.

Parameters:
    X: (N, F)
    y: (N,) 0 or 1
    w: (N,) weights
    ridge: times half the squared weights; the bias is free

Returns: mean (F,), scale (F,), weight (F,), bias"""
    ...

def support_model(evidence: list, answerable, names: list | None=None, weights=None, ridge: float=1.0, **facts) -> Support:
    """Fit a support model.

Parameters:
    evidence: N `Evidence`s
    answerable: (N,) whether the documents of each hold its answer
    names: features to look at; all that every piece of evidence has where None
    weights: (N,) how much each counts
    ridge: as for `logistic`
    facts: `about`, `verifier`"""
    ...

def _asked(rag, questions, n_docs, batch_size, progress):
    """Answers to every question over its K best documents, and to each that has references over the K best without those that hold them; and which are which."""
    ...

def fit_support(
    rag, questions, n_docs: int | None=None, limit: int | None=None, batch_size: int=8, ridge: float=1.0, progress: bool=True
) -> Support:
    """Fit `answer.support` on questions: each is asked with the documents that hold its answer, and without them.

Parameters:
    rag: a `Rag`
    questions: whatever `read_questions` takes; those without an answer count as unanswerable
    n_docs: documents to read; the configuration's where None
    limit: the first so many questions only
    batch_size: questions that are searched for at a time
    ridge: as for `logistic`
    progress: show a progress bar

Returns: which the `Rag` uses from now on"""
    ...

_TRAINED: Any

def _folder(): ...

def general_support() -> Support:
    """The model for generators of which nothing is known: numbers without a unit, fitted on the default's answers."""
    ...

def support_for(generator) -> Support:
    """The model that a generator brings (its attribute `support_file`), or the general one."""
    ...

def attach(model: Support, answer: Answer, states=None, min_support: float | None=None) -> Answer:
    """Note an answer's support; withhold its text where that is too small.

Parameters:
    answer: changed in place
    states: (K, d) of the generator at the end of each context, or None
    min_support: below it the text is withheld"""
    ...
