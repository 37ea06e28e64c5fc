"Figure 2 and its companion: the numbers drawn are the answer's, the letters are those given, whatever the sizes and whoever owns the Axes."
import io, sys, subprocess, warnings

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest, torch

from rag_nb.show.html import final_posterior
from rag_nb.show.plots import plot_entropy, plot_posterior, plot_prior
from test_display import EVIL, make

BOTH = pytest.mark.parametrize("plot", [plot_posterior, plot_prior, plot_entropy])


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")

def drawn(ax):
    "Draw the figure for real; any warning is an error."
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax.figure.savefig(out, dpi=50)
    return plt.imread(io.BytesIO(out.getvalue()))

def texts(labels): return [t.get_text() for t in labels]


@pytest.mark.parametrize("which,name", [("token", "doc_posterior"), ("running", "running_posterior")])
def test_the_image_is_the_posterior(which, name):
    a = make(5, 8)
    ax = plot_posterior(a, which=which)
    np.testing.assert_allclose(ax.images[0].get_array(), getattr(a, name).T)
    assert ax.images[0].get_clim() == (0, 1) and which in ax.get_title(loc="left")
    assert texts(ax.get_xticklabels()) == [f"word{i}" for i in range(8)] and texts(ax.get_yticklabels()) == [f"Title {k} [{k+1}]" for k in range(5)]

@pytest.mark.parametrize("kind", ["token", "sequence"])
def test_the_bars_are_prior_and_posterior(kind):
    a = make(4, 6, kind)
    ax = plot_prior(a)
    prior, posterior = ([b.get_width() for b in group] for group in ax.containers)
    np.testing.assert_allclose(prior, a.doc_prior); np.testing.assert_allclose(posterior, final_posterior(a))
    assert ("last token" if kind == "sequence" else "mean over the tokens") in texts(ax.get_legend().get_texts())[1]

def test_the_lines_are_entropies():
    "In bits, by the definition: of both posteriors at each token, and of the prior."
    a = make(5, 8)
    bits = lambda p: [-sum(x*np.log2(x) for x in row if x > 0) for row in p.tolist()]
    prior, token, running = plot_entropy(a).lines
    np.testing.assert_allclose(prior.get_ydata(), bits(a.doc_prior[None])*2, rtol=1e-5)
    np.testing.assert_allclose(token.get_ydata(), bits(a.doc_posterior), rtol=1e-5); np.testing.assert_allclose(running.get_ydata(), bits(a.running_posterior), rtol=1e-5)
    assert [l.get_label() for l in (prior, token, running)] == ["prior", "token posterior", "running posterior"]

def test_masked_documents_are_not_drawn():
    a = make(4, 3, mask=[True, False, True, False])
    assert plot_posterior(a).images[0].get_array().shape == (2, 3)
    assert texts(plot_prior(a).get_yticklabels()) == ["Title 0 [1]", "Title 2 [3]"]

@BOTH
@pytest.mark.parametrize("K,T", [(1, 0), (1, 1), (5, 30), (10, 30), (50, 1), (50, 100)])
def test_sizes(plot, K, T):
    ax = plot(make(K, T))
    w, h = ax.figure.get_size_inches()
    assert 3 < w <= 16 and 1 <= h <= 14
    drawn(ax)

@BOTH
def test_nothing_found(plot):
    a = make(2, 2, mask=[False, False])
    a.doc_prior, a.doc_posterior, a.running_posterior = torch.zeros(2), torch.zeros(2, 2), torch.zeros(2, 2)
    ax = plot(a)
    assert "no document was found" in texts(ax.texts)
    drawn(ax)

def test_empty_answer(): assert "the answer is empty" in texts(plot_posterior(make(3, 0)).texts)

@BOTH
def test_own_axes(plot):
    fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
    face = left.get_facecolor()
    assert plot(make(50, 100), ax=left) is left and plot(make(), right) is right
    assert left.get_facecolor() == face and fig.patch.get_alpha() is None and len(plt.get_fignums()) == 1
    drawn(left)

@BOTH
def test_ink_follows_the_style(plot):
    grey = matplotlib.colors.to_rgba(plot(make()).get_yticklabels()[0].get_color())
    assert .4 < grey[0] < .55  # stands out on white and on black
    with plt.style.context("dark_background"): fig, ax = plt.subplots()
    assert matplotlib.colors.to_rgba(plot(make(), ax=ax).get_yticklabels()[0].get_color()) == (1, 1, 1, 1)  # the Axes remember, the style is over

@BOTH
def test_figures_of_ours_are_transparent(plot):
    image = drawn(plot(make()))
    assert image[0, 0, 3] == 0 and image[-1, -1, 3] == 0

@BOTH
@pytest.mark.filterwarnings("ignore:no installed font")
def test_any_letters(plot):
    docs = [dict(id=e, title=e, text=e) for e in [*EVIL, "$\\frac{", "$unclosed", "日本語", "T"*200, ""]]
    a = make(docs=docs, tokens=["$x$", "$\\bad{", "日本", "\n", "\t", " ", "", "\x00", "🎉", "x"*200])
    ax = plot(a)
    drawn(ax)
    tokens = ax.get_xticklabels() if plot is not plot_prior else []
    assert not any(t.get_parse_math() for t in [*tokens, *(ax.get_yticklabels() if plot is not plot_entropy else [])])
    if plot is not plot_entropy: assert "$\\frac{ [15]" in texts(ax.get_yticklabels()) and all(len(t) < 40 for t in texts(ax.get_yticklabels()))
    if plot is not plot_prior: assert texts(ax.get_xticklabels())[:2] == ["$x$", "$\\bad{"]

def test_letters_that_no_font_has_become_boxes(monkeypatch):
    import rag_nb.show.plots as plots
    monkeypatch.setattr(plots, "_CJK", ())
    with pytest.warns(UserWarning, match="Noto Sans CJK"): ax = plot_posterior(make(1, tokens=["東京", " a"]))
    assert texts(ax.get_xticklabels()) == ["□□", "a"]
    drawn(ax)

@BOTH
def test_slips_are_named(plot):
    with pytest.raises(TypeError, match="of type str"): plot("text")
    if plot is plot_posterior:
        with pytest.raises(ValueError, match="'token' or 'running'"): plot(make(), which="final")

def test_importing_does_not_load_matplotlib():
    code = "import sys, rag_nb.show.plots, rag_nb.show.html; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
