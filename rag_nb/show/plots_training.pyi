"""What a run logged, drawn as it is: loss, recall, entropies of prior and posterior. And a reliability diagram: of the answers given with 80 % confidence, are 80 % right?"""

# Written by tools/stubs.py: do not edit.

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from typing import Any

__all__ = ['plot_training', 'plot_calibration']

_PANELS: dict

def _number(x): ...

def _series(log, pattern):
    """Each key that matches, with its steps and values, in the order of its first appearance; what is no finite number is left out."""
    ...

_DASHES: Any

def _said(key, panel):
    """A curve's name beside others of its panel: of norms the part that they belong to."""
    ...

def _panel(ax, ink, series, name, unit):
    """Draw the curves of one panel."""
    ...

def plot_training(log: list, ax: Axes | None=None, panel: str='loss') -> Figure | Axes:
    """What a run logged over its steps: loss, recall, entropies, how often the posterior moved, as far as the log has them.

Parameters:
    log: of dicts with `step` and what was logged there, such as `trainer.state.log_history`
    ax: draw one panel here; None: a new figure with all of them
    panel: which one that is, where `ax` is given"""
    ...

def _figure(found):
    """A transparent figure with a panel for each of those found."""
    ...

def _bins(confidence, correct, bins):
    """For each bin of equal width: how many, their mean confidence, their share of right ones (NaN where there is nothing)."""
    ...

def _wilson(share, n, z=1.0):
    """Lower and upper end of the share's interval, z standard errors to either side."""
    ...

def _reliability(ax, ink, n, said, right, bins):
    """Bars, whiskers, counts and the diagonal."""
    ...

def plot_calibration(confidence, correct, bins: int=10, ax: Axes | None=None) -> Axes:
    """A reliability diagram: the share that is right over the stated probability, with counts, and the ECE in the title.

Parameters:
    confidence: (n,) probabilities that were stated: array, tensor or list
    correct: (n,) whether each was right
    bins: of equal width
    ax: where to draw; None: a new figure"""
    ...
