"A question among the passages: the plane is that of the principal components, the dots are projections, the numbers are readable."
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest, torch

from rag_nb import Rag, RagRetriever
from rag_nb.show.plots_space import _spread, plot_space, principal_plane
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_tokenizer
from test_plots import drawn, texts


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")

@pytest.fixture(scope="module")
def retriever(): return RagRetriever.from_documents(toy_documents(), toy_encoder(), progress=False)

def series(ax): return {l.get_label(): np.stack([l.get_xdata(), l.get_ydata()], 1) for l in ax.lines}


@pytest.mark.parametrize("N,D", [(200, 16), (3, 50), (50, 2)])
def test_the_plane_is_numpys(N, D):
    "The eigenvectors of the covariance with the largest eigenvalues, up to sign."
    x = np.random.default_rng(0).normal(size=(N, D))*np.linspace(3, 1, D)
    centre, plane, share = principal_plane(x)
    values, vectors = np.linalg.eigh(np.cov(x.T))
    np.testing.assert_allclose(centre, x.mean(0), atol=1e-5)
    np.testing.assert_allclose(share, values[::-1][:2]/values.sum(), atol=1e-5)
    np.testing.assert_allclose(np.abs((plane.numpy() * vectors[:, ::-1][:, :2].T).sum(1)), 1, atol=1e-4)
    assert all(row[row.abs().argmax()] > 0 for row in plane)

@pytest.mark.parametrize("x", [torch.ones(1, 5), torch.ones(4, 5), torch.randn(2, 1), torch.zeros(3, 1)])
def test_clouds_without_a_plane(x): assert all(torch.isfinite(t).all() for t in principal_plane(x))

def test_dots_are_projections(retriever):
    question = "Which lake is the deepest?"
    s = series(plot_space(retriever, question, n_docs=5))
    q = torch.as_tensor(retriever.encoder.encode([question], "question"))
    hits = retriever.search(q, 5)
    found = hits.ids[0].tolist()
    rest = [i for i in range(12) if i not in found]
    v = retriever.index.vectors(torch.tensor(found + rest)).float().numpy()
    u, sv, w = np.linalg.svd(v - v.mean(0), full_matrices=False)
    want = lambda x: np.abs((np.asarray(x) - v.mean(0)) @ w[:2].T)
    np.testing.assert_allclose(np.abs(s["question"]), want(q), atol=1e-4)
    np.testing.assert_allclose(np.abs(s["found"]), want(v[:5]), atol=1e-4)
    np.testing.assert_allclose(np.abs(s["7 other passages"]), want(v[5:]), atol=1e-4)

def test_a_rag_and_its_retriever_draw_the_same(retriever):
    rag = Rag.from_parts(retriever, toy_encoder(), (toy_generator("bart"), toy_tokenizer(kind="bart")))
    a, b = series(plot_space(rag, "What is tea?")), series(plot_space(retriever, "What is tea?"))
    for key in ("question", "found"): np.testing.assert_allclose(a[key], b[key], atol=1e-5)

@pytest.mark.parametrize("n_docs,others", [(1, 0), (1, 300), (5, 3), (12, 300), (50, 300)])
def test_sizes(retriever, n_docs, others):
    ax = plot_space(retriever, "What is tea?", n_docs, others=others)
    numbers = [t for t in texts(ax.texts) if t.isdigit()]
    assert numbers == [str(k+1) for k in range(min(n_docs, 12))]
    drawn(ax)

def test_numbers_do_not_lie_over_each_other():
    for points in (torch.zeros(50, 2), torch.randn(50, 2, generator=torch.Generator().manual_seed(0))*5):
        at = _spread(points, 13.)
        far = (at[:, None] - at[None]).norm(dim=-1) + 99*torch.eye(50)
        assert far.min() > 11

def test_deleted_passages_are_not_drawn():
    r = RagRetriever.from_documents(toy_documents(), toy_encoder(), progress=False)
    r.delete([d["id"] for d in toy_documents()[:6]])
    s = series(plot_space(r, "What is tea?", n_docs=2))
    assert "4 other passages" in s

def test_titles_are_text():
    docs = [dict(id=str(i), title=t, text=f"tea {i}") for i, t in enumerate(["$\\frac{", "<b>x</b>", "T"*300, "", "שלום", "a\nb"])]
    r = RagRetriever.from_documents(docs, toy_encoder(), progress=False)
    ax = plot_space(r, "What is $tea?", n_docs=6)
    listed = next(t for t in ax.texts if "$\\frac{" in t.get_text())
    assert not listed.get_parse_math() and len(listed.get_text().split("\n")) == 6 and max(map(len, listed.get_text().split("\n"))) < 40
    drawn(ax)

def test_own_axes_and_slips(retriever):
    fig, ax = plt.subplots()
    assert plot_space(retriever, "What is tea?", ax=ax) is ax and len(plt.get_fignums()) == 1
    for wrong in (["a"], "", "  ", None):
        with pytest.raises(ValueError, match="one question is drawn"): plot_space(retriever, wrong)
