"Rivals of a token and trees of beams: what is drawn is what was computed, at any size and with any text."
import random, subprocess, sys

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest, torch

from rag_nb.show.candidates import Alternatives, BeamNode, BeamTrace
from rag_nb.show.plots_candidates import _layout, _pruned, plot_alternatives, plot_beams
from rag_nb.show.plots import _BLUE
from test_display import EVIL, make
from test_plots import drawn, texts


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def alternatives(K=4, T=3, n=6, words=None, **kw):
    "Invented candidates: the overall probability is the prior's mean of the documents'."
    a, g = make(K, T, **kw), torch.Generator().manual_seed(1)
    K, words = len(a.doc_prior), words or [f" word{j}" for j in range(n)]
    p = torch.softmax(2*torch.randn(T, K, n, generator=g), -1)
    own = p.sort(-1, descending=True)
    name = lambda j: words[int(j) % len(words)]
    return Alternatives(a, [[name(j) for j in range(n)] for _ in range(T)], (p*a.doc_prior[None, :, None]).sum(1), p,
                        [[[name(j) for j in row] for row in t] for t in own.indices], own.values)

def tree(steps, beams, words=(" a", " b", "c"), seed=0):
    "A random tree as beam search leaves one."
    dice, nodes, live = random.Random(seed), [], [(-1, 0.)]
    for s in range(1, steps + 1):
        tried = sorted(((p, lp - dice.expovariate(1.)) for p, lp in live for _ in range(3)), key=lambda c: -c[1])[:beams]
        first, live = len(nodes), []
        for p, lp in tried: nodes.append(BeamNode(p, s, dice.choice(words), lp, 0, s == steps))
        live = [(i, nodes[i].logprob) for i in range(first, len(nodes))]
    i = max(range(len(nodes)), key=lambda i: (nodes[i].step, nodes[i].logprob)) if nodes else -1
    while i >= 0: nodes[i].best = True; i = nodes[i].parent
    return BeamTrace(make(2, 3), nodes, beams)

def branches(ax): return [l for l in ax.lines if len(l.get_xdata()) == 3]


def test_the_image_holds_sum_and_documents():
    x = alternatives()
    ax = plot_alternatives(x, 1)
    np.testing.assert_allclose(ax.images[0].get_array(), torch.cat([x.probs[1:2], x.by_doc[1]]))
    assert ax.images[0].get_clim() == (0, 1) and ax.get_title(loc="left") == "token 2 of 3"
    assert texts(ax.get_yticklabels()) == ["all together", *(f"Title {k} [{k+1}]" for k in range(4))]
    assert texts(ax.get_xticklabels()) == [f"word{j}" for j in range(6)]

def test_what_a_document_would_have_said_alone():
    x = alternatives(K=2, T=1, n=3)
    x.doc_tokens, x.doc_probs = [[[" word0", "", ""], [" other", "", ""]]], torch.tensor([[[.5, 0, 0], [.625, 0, 0]]])
    beside = [t.get_text() for t in plot_alternatives(x).texts if t.get_text() in ("alone:", "word0 0.50") or "other" in t.get_text()]
    assert beside == ["alone:", "other 0.62"]  # the first agrees with what was written

def test_masked_documents_and_negative_places():
    x = alternatives(K=4, mask=[True, False, True, False])
    ax = plot_alternatives(x, -1)
    np.testing.assert_allclose(ax.images[0].get_array()[1:], x.by_doc[2, [0, 2]])
    assert ax.get_title(loc="left") == "token 3 of 3"

@pytest.mark.parametrize("K,n", [(1, 1), (1, 8), (5, 8), (50, 20)])
def test_sizes_of_alternatives(K, n):
    ax = plot_alternatives(alternatives(K, 2, n))
    w, h = ax.figure.get_size_inches()
    assert 3 < w <= 16 and 1 <= h <= 14
    drawn(ax)

def test_nothing_to_draw():
    assert "the answer is empty" in texts(plot_alternatives(alternatives(3, 0)).texts)
    x = alternatives(2, 2)
    x.answer.hits.mask[:] = False
    assert "no document was found" in texts(plot_alternatives(x).texts)
    assert "the answer is empty" in texts(plot_beams(tree(0, 3)).texts)


def test_the_tree_has_every_beginning():
    trace = tree(6, 3)
    ax = plot_beams(trace)
    lines = branches(ax)
    assert len(lines) == len(trace.nodes) and len([l for l in lines if l.get_color() == _BLUE]) == 6
    ends = {t.get_text() for t in ax.texts}
    leaves = set(range(len(trace.nodes))) - {n.parent for n in trace.nodes}
    assert all(f"{trace.nodes[i].logprob:.2f}".replace("-", "−") in ends for i in leaves)
    widths = {round(l.get_linewidth(), 6) for l in lines}
    assert {round(.7 + 2.6*np.exp(n.logprob - (trace.nodes[n.parent].logprob if n.parent >= 0 else 0)), 6) for n in trace.nodes} == widths

@pytest.mark.parametrize("seed", range(5))
def test_no_two_branches_lie_over_each_other(seed):
    "At every step each row holds at most one node, and every leaf has a row."
    nodes = tree(12, 4, seed=seed).nodes
    rows, used, leaves = _layout(nodes)
    assert sorted(rows[i] for i in leaves) == list(range(used))
    assert len({(n.step, y) for n, y in zip(nodes, rows)}) == len(nodes)
    assert {rows[i] for i, n in enumerate(nodes) if n.best} == {0}

def test_of_many_branches_the_furthest_are_drawn():
    trace = tree(100, 5)
    nodes, hidden = _pruned(trace.nodes)
    rows, used, leaves = _layout(nodes)
    assert used == 30 and hidden > 50 and sum(n.best for n in nodes) == 100
    assert all(n.parent < i and (n.step == 1 if n.parent < 0 else nodes[n.parent].step == n.step - 1) for i, n in enumerate(nodes))
    assert f"{hidden} more branches" in plot_beams(trace).get_title(loc="left")

@pytest.mark.parametrize("steps,beams", [(1, 1), (1, 4), (10, 5), (100, 1), (100, 10)])
def test_sizes_of_trees(steps, beams):
    ax = plot_beams(tree(steps, beams))
    w, h = ax.figure.get_size_inches()
    assert 3 < w <= 16 and 1 <= h <= 14
    drawn(ax)

@pytest.mark.filterwarnings("ignore:no installed font")
def test_any_letters():
    words = [*EVIL, "$x$", "\\frac{", "日本", "🎉", "שלום", "مرحبا", "x"*200, "", "\n"]
    docs = [dict(id=e, title=e, text=e) for e in words]
    a, b = plot_alternatives(alternatives(T=2, n=len(words), words=words, docs=docs)), plot_beams(tree(5, 4, words))
    for ax in (a, b):
        drawn(ax)
        assert not any(t.get_parse_math() for t in [*ax.get_xticklabels(), *ax.get_yticklabels()])
        assert not any(t.get_parse_math() and "$" in t.get_text() for t in ax.texts)

def test_own_axes():
    fig, (left, right) = plt.subplots(1, 2)
    assert plot_alternatives(alternatives(), ax=left) is left and plot_beams(tree(3, 2), ax=right) is right
    assert len(plt.get_fignums()) == 1
    drawn(left)

def test_slips_are_named():
    for token in (3, -4):
        with pytest.raises(ValueError, match="has 3, numbered from 0"): plot_alternatives(alternatives(), token)
    with pytest.raises(TypeError, match="of type Answer"): plot_alternatives(make())
    with pytest.raises(TypeError, match="of type list"): plot_beams([])

@pytest.mark.parametrize("module", ["candidates", "plots_candidates", "plots_training", "plots_space"])
def test_importing_does_not_load_matplotlib(module):
    code = f"import sys, rag_nb.show.{module}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
