"""A question among the passages: vectors of hundreds of numbers, laid flat by principal components."""

# Written by tools/stubs.py: do not edit.

from matplotlib.axes import Axes

__all__ = ['principal_plane', 'plot_space']

def principal_plane(vectors) -> tuple:
    """The plane in which a cloud of vectors spreads most.

Parameters:
    vectors: (N, D) float tensor

Returns: centre (D,), two directions (2, D) of length one, and the share of the variance along each (2,)"""
    ...

def _others(retriever, found, n):
    """Vectors of up to n passages at even distances that are not among those found; none of an index that gives no vectors."""
    ...

def _found(rag, question, n_docs, others=0):
    """The question's vector (D,), the documents found, theirs (K, D), and those of up to `others` that were not, from one snapshot."""
    ...

def _spread(points, least, steps=200):
    """Points (K, 2) moved apart until no two are nearer than `least`, as far as that many steps go."""
    ...

def _numbered(ax, points, ink):
    """The documents found: dots, and their numbers beside them."""
    ...

def _listed(ax, titles, ink):
    """Titles and first words to the numbers, at the right; of many, the first twelve."""
    ...

def plot_space(rag, question: str, n_docs: int=5, ax: Axes | None=None, others: int=300) -> Axes:
    """The question, the passages found and some others, in the plane in which these passages spread most.

Parameters:
    rag: a `Rag` or a `RagRetriever`: what encodes and what is searched
    question: what to ask
    n_docs: how many documents to find
    ax: where to draw; None: a new figure
    others: passages of the index to show beside those found; 0 where the index is far away"""
    ...

def _finish(ax, ink, points, share, titles):
    """The dots that were found, what belongs to them in words, and the scales."""
    ...
