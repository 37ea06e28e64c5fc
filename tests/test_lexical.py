"BM25 against the package bm25s; the sum of vectors and words against brute force; everything after the search sees the same scores."
import copy

import numpy as np
import pytest
import torch

from rag_nb import BM25Index, Passages, Rag, RagConfig, RagRetriever, Hits, tokenize_words
from rag_nb.core.index import make_index
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

WORDS = "ada bee chess comb engine honey iron lake moon ocean pawn queen shelf sugar tea tower whale wing".split()


def passages(n, seed=0, length=12):
    "n passages of few words, so that many have equal scores."
    draw = np.random.default_rng(seed)
    return Passages.from_documents([dict(id=str(i), title=str(draw.choice(WORDS)), text=" ".join(draw.choice(WORDS, 1 + draw.integers(length)))) for i in range(n)], n_words=None)


def questions(n, seed=1):
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(WORDS + ["unheard"], 4)) for _ in range(n)]


@pytest.mark.parametrize("k1,b", [(.9, .4), (1.2, .75), (2., 0.)])
def test_the_same_as_bm25s(k1, b):
    bm25s = pytest.importorskip("bm25s")
    ps, theirs = passages(200), bm25s.BM25(k1=k1, b=b, method="lucene")
    theirs.index([tokenize_words(f"{p['title']}\n{p['text']}") for p in ps], show_progress=False)
    ours = BM25Index(ps, k1=k1, b=b)
    for q in questions(20):
        known = [w for w in tokenize_words(q) if w in theirs.vocab_dict]
        np.testing.assert_allclose(ours.scores(q), theirs.get_scores(known), rtol=1e-5, atol=1e-6)


def test_the_shipped_knowledge_the_same_as_bm25s():
    bm25s = pytest.importorskip("bm25s")
    from importlib.resources import files
    ps = Passages.open(files("rag_nb")/"knowledge"/"squad48"/"passages.parquet").select(range(300))
    theirs, ours = bm25s.BM25(k1=.9, b=.4, method="lucene"), BM25Index(ps)
    theirs.index([tokenize_words(f"{p['title']}\n{p['text']}") for p in ps], show_progress=False)
    for q in ("Where was Nikola Tesla born?", "Which team won Super Bowl 50?", "What is the capital of Poland?"):
        np.testing.assert_allclose(ours.scores(q), theirs.get_scores([w for w in tokenize_words(q) if w in theirs.vocab_dict]), rtol=1e-5, atol=1e-6)


def test_words():
    assert tokenize_words("Don't STOP, 3.14 naïve_x") == ["don", "t", "stop", "3", "14", "naïve_x"]
    assert tokenize_words("東京タワー한국 abc") == ["東", "京", "タ", "ワ", "ー", "한", "국", "abc"]
    assert tokenize_words(" \n…") == []


def test_best_first_and_ties_by_row():
    ps, asked = passages(300, length=3), questions(15)
    index = BM25Index(ps)
    gone = np.zeros(300, bool); gone[::7] = True
    hits = index.search(asked, 20, exclude=gone)
    for b, q in enumerate(asked):
        s = np.where(gone, 0, index.scores(q))
        order = [i for i in np.lexsort((np.arange(300), -s)) if s[i] > 0][:20]
        assert hits.ids[b, :len(order)].tolist() == order and (hits.ids[b, len(order):] == -1).all()


def hybrid(n=500, dim=6, seed=0, **how):
    "A retriever over passages and vectors of a few whole numbers, so that ties are many."
    draw = np.random.default_rng(seed)
    vectors = draw.integers(-2, 3, (n, dim)).astype(np.float32)
    retriever = RagRetriever(RagConfig(), index=make_index("exact", vectors), passages=passages(n, seed))
    return retriever, torch.from_numpy(draw.integers(-2, 3, (12, dim)).astype(np.float32)), questions(12, seed + 1)


def brute(retriever, q, asked, weight):
    "(B, N) sums, −∞ where deleted."
    sums = q @ retriever.index.vectors(torch.arange(len(retriever.index))).float().T
    sums = sums + torch.from_numpy(np.stack([weight*retriever.lexical.scores(x) for x in asked])).float()
    return sums if retriever.deleted is None else sums.masked_fill(torch.from_numpy(retriever.deleted), -torch.inf)


@pytest.mark.parametrize("weight", [.01, 1., 50.])
@pytest.mark.parametrize("n_docs", [1, 5, 40, 700])
def test_the_sum_is_searched_exactly(weight, n_docs):
    retriever, q, asked = hybrid()
    retriever.deleted = np.zeros(500, bool); retriever.deleted[::5] = True
    hits, truth = retriever.search(q, n_docs, asked, weight), brute(retriever, q, asked, weight)
    live = min(n_docs, 400)
    best = truth.sort(dim=1, descending=True, stable=True)
    torch.testing.assert_close(hits.scores[:, :live], best.values[:, :live], rtol=1e-5, atol=1e-4)
    assert hits.shape == (12, n_docs) and (hits.ids[:, live:] == -1).all() and hits.mask[:, :live].all()
    torch.testing.assert_close(truth.gather(1, hits.ids[:, :live]), best.values[:, :live], rtol=1e-5, atol=1e-4)
    for row in hits.ids[:, :live].tolist(): assert len(set(row)) == live
    assert all(p["id"] == str(i) for row, ps in zip(hits.ids.tolist(), hits.passages) for i, p in zip(row, ps) if i >= 0)


def test_a_passage_at_the_end_of_both_lists_is_found():
    "The best sum is second to many in each list: the first look is not enough, and the threshold says so."
    n = 1000
    vectors = np.zeros((n, 2), np.float32)
    vectors[:300, 0] = 1.0; vectors[900, 0] = .9
    ps = Passages.from_documents([dict(id=str(i), title="", text="rare rare rare" if 300 <= i < 600 else "rare other words" if i == 900 else "nothing") for i in range(n)], n_words=None)
    retriever = RagRetriever(RagConfig(), index=make_index("exact", vectors), passages=ps)
    q = torch.tensor([[1., 0.]])
    truth = brute(retriever, q, ["rare"], 1.)
    assert int(truth.argmax()) == 900 and retriever.search(q, 1, ["rare"], 1.).ids.tolist() == [[900]]


@pytest.fixture
def rag():
    encoder = toy_encoder()
    retriever = RagRetriever.from_documents(toy_documents(), encoder, progress=False)
    return Rag.from_parts(retriever, encoder, (toy_generator("llama"), toy_tokenizer("llama")), n_docs=4, lexical_weight=.1)


def test_the_model_sees_the_sum(rag):
    asked = [q for q, *_ in toy_questions()][:5]
    hits = rag.retrieve(asked)
    scores = hits.doc_scores
    torch.testing.assert_close(scores, hits.scores*rag.model.config.score_scale, rtol=1e-5, atol=1e-5)
    assert (hits.lexical > 0).any() and (hits.scores.diff(dim=1) <= 1e-6).all()
    plain = rag.retriever.search(rag.encoder(asked, "question").detach(), 4)
    assert plain.lexical is None and not torch.equal(plain.scores, hits.scores)
    answer = rag.ask(asked[0], max_new_tokens=3)
    torch.testing.assert_close(answer.doc_prior, scores[0].softmax(-1).cpu(), rtol=1e-4, atol=1e-5)
    again = rag.ask(asked[0], max_new_tokens=3, hits=hits[0])
    torch.testing.assert_close(again.doc_prior, answer.doc_prior, rtol=1e-4, atol=1e-5)


def test_generate_with_ids_sees_the_sum(rag):
    asked = [toy_questions()[0][0]]
    ids = rag.tokenizer.question_encoder(asked, return_tensors="pt")
    out = rag.model.generate(**ids, questions=asked, max_new_tokens=3, return_dict_in_generate=True)
    torch.testing.assert_close(out.doc_scores, rag.retrieve(asked).doc_scores, rtol=1e-4, atol=1e-4)


def test_without_a_weight_nothing_changes(rag):
    asked = [q for q, *_ in toy_questions()][:3]
    rag.model.config.lexical_weight = 0.0
    hits = rag.retrieve(asked)
    plain = rag.retriever.index.search(rag.encoder(asked, "question").detach(), 4)
    assert torch.equal(hits.ids, plain.ids) and hits.lexical is None and rag.retriever._lexical is None


def test_documents_that_come_and_go_are_counted(rag):
    r = rag.retriever
    r.config.lexical_weight = .2
    assert r.find("zyzzyva")[0].documents()[0]["id"] != "new"
    r.add([dict(id="new", title="Zyzzyva", text="The zyzzyva is a weevil.")], progress=False)
    assert r.find("zyzzyva")[0].documents()[0]["title"] == "Zyzzyva"
    r.delete("new")
    assert "Zyzzyva" not in [d["title"] for d in r.find("zyzzyva", 12).documents()]
    r.compact()
    assert len(r.lexical) == len(r) == 12


def test_hits_keep_what_words_added():
    h = Hits([[3, 1, -1], [2, 0, 5]], [[.5, .4, 0], [.9, .8, .1]], lexical=[[.1, .2, 0], [.3, .4, .5]])
    assert h[1].lexical[0].tolist() == pytest.approx([.3, .4, .5])
    assert h.head(2).lexical.shape == (2, 2) and h.without(0).lexical[0].tolist() == pytest.approx([.2, 0])
    assert h.to("cpu").lexical is not None and copy.copy(h).lexical is not None
    with pytest.raises(ValueError, match="lexical of shape"): Hits([[1, 2]], [[.1, .2]], lexical=[[1.]])


def test_it_is_saved_and_refused(tmp_path, rag):
    rag.save_pretrained(tmp_path/"rag")
    assert Rag.from_pretrained(tmp_path/"rag").model.config.lexical_weight == .1
    for bad in (-1, float("nan"), "much", float("inf")):
        with pytest.raises(ValueError, match="lexical_weight"): RagConfig(lexical_weight=bad)
    rag.retriever.passages = [dict(text="x")]*12
    with pytest.raises(ValueError, match="set lexical_weight=0"): rag.retrieve("What is tea?")


def test_training_sees_the_sum(rag):
    from rag_nb.core.objective import TrainingModule, FinetuneConfig
    from rag_nb.store.questions import RagCollator, read_questions
    asked = [dict(question=q, answers=["a drink"], document_id="octopus") for q, *_ in toy_questions()[:3]]
    for cache in (False, True):
        objective = TrainingModule(copy.copy(rag), FinetuneConfig(train="question_encoder", include_gold=True, cache_retrieval=cache))
        texts = [a["question"] for a in asked]
        batch = RagCollator(rag.tokenizer, rag.model.config, keep=("document_ids",))([read_questions(asked)[i] for i in range(3)])
        vectors = rag.model.rag.embed_questions(batch["input_ids"], batch["attention_mask"])
        hits = objective.search(vectors, texts)
        torch.testing.assert_close(objective._scores(vectors, objective._doc_vectors(hits), hits).detach(), rag.retrieve(texts).doc_scores, rtol=1e-4, atol=1e-4)
        out = objective(**batch)
        out["loss"].backward()
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in rag.model.rag.question_encoder.parameters())
