"""Support is a number between 0 and 1. How well it tells the answerable from the rest, whether it can be believed, and what a threshold buys and costs: three numbers and three curves."""

# Written by tools/stubs.py: do not edit.

__all__ = ['auroc', 'risk_coverage', 'reliability', 'calibration_error', 'refused', 'support_measures', 'plot_roc', 'plot_risk_coverage', 'plot_support']

def auroc(scores, positive, weights=None) -> float:
    """Probability that a positive has a higher score than a negative; ties count half (Hanley and McNeil 1982).

Parameters:
    scores: (N,)
    positive: (N,) which should have the higher ones
    weights: (N,) how often each counts

Returns: NaN where one kind is missing"""
    ...

def risk_coverage(support, right) -> tuple:
    """Risk at every coverage, most supported first; among equals all get the group's mean.

Parameters:
    support: (N,)
    right: (N,) whether each answer would be right

Returns: coverage (N,), risk (N,), area"""
    ...

def reliability(support, answerable, bins=10):
    """For each bin that is not empty: lowest and highest support, count, mean support, share that is answerable."""
    ...

def calibration_error(support, answerable, bins=10) -> float:
    """Expected calibration error over bins of equal width."""
    ...

def refused(support, answerable, lost=0.05) -> tuple:
    """What is refused where so many of the answerable are lost."""
    ...

def support_measures(records, draws) -> dict:
    """Measures of support for `measure`, from its records and the bootstrap's counts (times, n)."""
    ...

def _columns(e, right=False):
    """Support and whether each question is answerable (or its guess right), of an evaluation or a pair of lists."""
    ...

def _axes(ax, x, y, title): ...

def plot_roc(e, ax=None):
    """Answerable questions kept, over unanswerable ones that are answered all the same."""
    ...

def plot_risk_coverage(e, ax=None):
    """Wrong answers among those that are given, over how many are given."""
    ...

def plot_support(e, ax=None):
    """Support beside the share that is answerable, in ten bins."""
    ...
