"Curves are the log's numbers, whatever was logged; a reliability diagram is its definition."
import math

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest, torch

from rag_nb.show.plots_training import _wilson, plot_calibration, plot_training
from test_plots import drawn, texts


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")

LOG = [dict(step=s, loss=3 - s/10, prior_entropy=2., posterior_entropy=1.5, posterior_moved=.3, grad_norm=1., learning_rate=1e-4, epoch=s/5) for s in range(1, 11)] + [
    {"step": 5, "eval_loss": 2.6, "eval_recall@1": .5, "eval_recall@5": .8, "eval_em": .2, "eval_runtime": 3.}, {"step": 10, "eval_loss": 2.2, "eval_recall@1": .6, "eval_recall@5": .9},
    {"step": 10, "train_runtime": 10., "train_loss": 2.5}]

def panels(fig): return {ax.get_title(loc="left"): ax for ax in fig.axes}
def curves(ax): return {l.get_label(): (l.get_xdata().tolist(), l.get_ydata().tolist()) for l in ax.lines}


def test_curves_are_the_log():
    p = panels(plot_training(LOG))
    assert list(p) == ["loss", "recall", "entropy", "moved", "exact match, F1", "gradient norm"]
    assert curves(p["loss"]) == {"loss": (list(range(1, 11)), [3 - s/10 for s in range(1, 11)]), "eval_loss": ([5, 10], [2.6, 2.2])}
    assert curves(p["recall"]) == {"eval_recall@1": ([5, 10], [.5, .6]), "eval_recall@5": ([5, 10], [.8, .9])}
    assert set(curves(p["entropy"])) == {"prior_entropy", "posterior_entropy"}
    assert texts(p["loss"].get_legend().get_texts()) == ["loss", "eval_loss"]

@pytest.mark.parametrize("key", ["recall@5", "eval_recall_at_5", "recall_at_20", "answer_recall@1", "eval_recall5"])
def test_names_of_recall(key): assert key in curves(panels(plot_training([{"step": 1, key: .5}, {"step": 2, key: .6}]))["recall"])

def test_what_is_no_number_is_left_out():
    log = [dict(step=1, loss=math.nan), dict(step=2, loss=1.), dict(step=3, loss="2"), dict(step=4, loss=math.inf), dict(step=5, loss=None), dict(step=6, loss=.5)]
    assert curves(panels(plot_training(log))["loss"]) == {"loss": ([2, 6], [1., .5])}
    assert curves(panels(plot_training([dict(loss=1.), dict(loss=2.)]))["loss"]) == {"loss": ([0, 1], [1., 2.])}  # without steps: their order

@pytest.mark.parametrize("log", [[], [dict(step=1)], [dict(step=1, learning_rate=.1)]])
def test_nothing_logged(log): assert "nothing was logged" in texts(plot_training(log).axes[0].texts)

def test_sizes_and_own_axes():
    drawn(plot_training(LOG).axes[0])
    drawn(plot_training([dict(step=i, loss=1/(i+1)) for i in range(20000)]).axes[0])
    fig, (a, b) = plt.subplots(1, 2)
    assert plot_training(LOG, ax=a, panel="recall") is a and len(a.lines) == 2
    assert "nothing was logged for score scale" in texts(plot_training(LOG, ax=b, panel="score scale").texts)
    drawn(a)

def test_slips_are_named():
    with pytest.raises(TypeError, match="log_history"): plot_training(LOG[0])
    with pytest.raises(TypeError, match="log_history"): plot_training([1.])
    with pytest.raises(ValueError, match="panel is one of loss, recall"): plot_training(LOG, ax=plt.figure().subplots(), panel="x")
    with pytest.raises(ValueError, match="2 confidences and 1 outcomes"): plot_calibration([.1, .2], [1])
    with pytest.raises(ValueError, match="nothing to calibrate"): plot_calibration([], [])
    with pytest.raises(ValueError, match="between 0 and 1"): plot_calibration([math.nan], [1])
    with pytest.raises(ValueError, match="at least one bin"): plot_calibration([.1], [1], bins=0)


@pytest.mark.parametrize("bins", [1, 7, 10, 30])
@pytest.mark.parametrize("as_type", [list, np.asarray, torch.as_tensor], ids=["list", "numpy", "torch"])
def test_calibration_by_the_slow_way(bins, as_type):
    dice = np.random.default_rng(1)
    p = np.concatenate([dice.random(300), [0., 1., .5]]).astype(np.float32).astype(float)
    y = np.concatenate([dice.random(300) < p[:300]**2, [False, True, True]])
    ax = plot_calibration(as_type(p.tolist()), as_type(y.tolist()), bins=bins)
    groups = {}
    for a, b in zip(p, y): groups.setdefault(min(int(a*bins), bins - 1), []).append((a, b))
    ece = sum(len(g)*abs(np.mean([a for a, _ in g]) - np.mean([b for _, b in g])) for g in groups.values())/len(p)
    assert f"ECE {ece:.3f}" in ax.get_title(loc="left")
    np.testing.assert_allclose([b.get_height() for b in ax.patches], [np.mean([b for _, b in groups[k]]) for k in sorted(groups)], atol=1e-9)
    assert [t for t in texts(ax.texts)] == [str(len(groups[k])) for k in sorted(groups)]
    drawn(ax)

def test_whiskers_are_wilsons():
    "The ends solve (share − p)² = p(1 − p)/n, which is what the interval means."
    for share, n in ((0., 3), (.3, 10), (1., 7)):
        for end in _wilson(share, n): assert abs((share - end)**2 - end*(1 - end)/n) < 1e-9
