"""BM25 counts the words that a question and a passage share, rare words for more. Beside the vectors it finds what they miss: names, numbers, a turn of phrase."""

# Written by tools/stubs.py: do not edit.

import numpy as np
import torch
from typing import Any
from rag_nb.core.passages import Hits
from rag_nb.core.passages import Passages

__all__ = ['BM25Index']

class BM25Index:
    """Scores of passages by the words they share with a question: BM25 (Robertson and Zaragoza 2009) over titles and texts, in memory."""
    k1: float
    b: float
    vocabulary: Any
    lengths: Any
    starts: Any
    rows: Any
    weights: Any

    def __init__(self, passages: Passages, k1: float=0.9, b: float=0.4, progress: bool=True) -> None:
        """Parameters:
    passages: N passages
    k1: how soon more occurrences stop counting
    b: from 0 to 1: how much a long passage is held to its length
    progress: show a progress bar"""
        ...

    def __len__(self): ...

    def __repr__(self): ...

    def _weigh(self, words, lengths):
        """Postings from the words of all passages, one after the other, and the number of words that each has."""
        ...

    def scores(self, question: str) -> np.ndarray:
        """BM25 of every passage for one question.

Parameters:
    question: as written

Returns: (N,) float32, 0 where no word is shared"""
        ...

    def score_text(self, question: str, text: str) -> float:
        """BM25 of a text for one question, by the lengths and frequencies of the passages that are here: what a passage with this text has.

Parameters:
    question: as written
    text: title, line break and text of a passage that need not be here"""
        ...

    def scores_at(self, questions: list, ids: torch.Tensor) -> torch.Tensor:
        """BM25 of certain passages.

Parameters:
    questions: B strings
    ids: (B, K) rows; −1 is nobody

Returns: (B, K) float32, 0 for nobody"""
        ...

    def search(self, questions: list, n_docs: int, exclude=None) -> Hits:
        """The K passages that share most with each question, best first.

Parameters:
    questions: B strings
    n_docs: K
    exclude: (N,) bool, True for passages to leave out

Returns: (B, K), without passages or vectors"""
        ...

def _best(scores, n):
    """Rows (≤ n,) of the highest scores above 0, best first, of equals the lowest row first."""
    ...
