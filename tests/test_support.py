"Support, the probability that the documents hold an answer: its measures beside brute force and scikit-learn, and refusals."
import copy, json, math

import numpy as np, pytest, torch

from rag_nb import Rag, read_questions, toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer
from rag_nb.core.evaluate import evaluate, exact_match, f1_score, measure
from rag_nb.show.html import answer_html, answer_json, answer_terminal
from rag_nb.trust.refusal import auroc, calibration_error, plot_risk_coverage, plot_roc, plot_support, refused, reliability, risk_coverage
from rag_nb.trust.support import (Evidence, Rerank, Support, Verifier, features, general_support, load_support, logistic, occurs,
                                  save_support, support_to_dict)


@pytest.fixture(scope="module")
def rag():
    tok = toy_tokenizer()
    return Rag.from_documents(toy_documents(), (toy_generator("llama"), tok), toy_encoder())


def test_auroc_is_the_share_of_pairs_in_order_ties_by_half():
    rng = np.random.default_rng(0)
    for _ in range(20):
        s, y = rng.integers(0, 6, 40), rng.random(40) < .4
        slow = np.mean([(a > b) + (a == b)/2 for a in s[y] for b in s[~y]])
        assert auroc(s, y) == pytest.approx(slow)
    assert math.isnan(auroc([1, 2], [True, True]))


def test_measures_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    s, y = rng.random(300).round(2), rng.random(300) < .5
    assert auroc(s, y) == pytest.approx(metrics.roc_auc_score(y, s))
    linear = pytest.importorskip("sklearn.linear_model").LogisticRegression(C=1., tol=1e-10, max_iter=1000)
    X = rng.standard_normal((300, 3)); y = rng.random(300) < 1/(1 + np.exp(-X @ [1., -2., .5]))
    mean, scale, weight, bias = logistic(X, y, ridge=1.)
    linear.fit((X - mean)/scale, y)
    assert np.allclose(weight, linear.coef_[0], atol=1e-4) and bias == pytest.approx(linear.intercept_[0], abs=1e-4)


def test_risk_coverage_does_not_depend_on_the_order_of_equals():
    s, right = [.9, .5, .5, .5, .1], [1, 1, 0, 0, 0]
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]):
        coverage, risk, area = risk_coverage([s[i] for i in order], [right[i] for i in order])
        assert np.allclose(risk, [0, 1/3, 4/9, 1/2, 3/5]) and area == pytest.approx(risk.mean())


def test_calibration_error_by_hand():
    assert calibration_error([1., 0.], [1, 0]) == 0 and reliability([1.], [1])[0]["low"] == .9
    assert calibration_error([.95, .95, .05], [1, 0, 0]) == pytest.approx((2*.45 + .05)/3)
    assert refused([.9, .8, .1, .2], [1, 1, 0, 0]) == (1., pytest.approx(.805))


def test_an_unanswerable_question_is_right_when_nothing_is_said():
    assert exact_match("", []) == f1_score("", []) == 1 and exact_match("1915", []) == f1_score("1915", []) == 0
    assert exact_match("the", []) == 1          # nothing is left of it, by SQuAD's own rule


def test_every_answer_has_support_and_its_guess(rag):
    a = rag.ask("Which river flows through Warsaw?", max_new_tokens=4)
    assert 0 <= a.support <= 1 and a.guess == a.text and not a.refused
    assert a.support == general_support()(a) and "general model" in a.support_about and not a.support_fitted
    again = rag.ask("Which river flows through Warsaw?", max_new_tokens=4, min_support=1.)
    assert again.text == "" and again.refused and again.guess == a.text and torch.equal(again.token_ids, a.token_ids)
    assert rag.ask("Which river flows through Warsaw?", max_new_tokens=4, min_support=0.).text == a.text


def test_a_refusal_is_shown_everywhere(rag):
    a = rag.ask("Which river flows through Warsaw?", max_new_tokens=4, min_support=1.)
    for shown in (answer_html(a), answer_terminal(a), repr(a)): assert "not in these documents" in shown
    found = answer_json(a)
    assert found["answer"] == "" and found["guess"] == a.guess and found["refused"] is True
    assert found["support"] == pytest.approx(a.support, rel=1e-6)
    a.guess = "<script>alert(1)</script>"
    assert "<script>" not in answer_html(a)


def test_min_support_holds_for_what_is_asked_again_and_not_for_streams(rag):
    a = rag.ask("Which river flows through Warsaw?", max_new_tokens=4, min_support=1., n_docs=3)
    assert a.without(0).refused and copy.deepcopy(a).refused
    for wrong in (-.1, 1.5, "half"):
        with pytest.raises(ValueError, match="between 0 and 1"): rag.ask("Which?", min_support=wrong)
    with pytest.raises(ValueError, match="stream"): rag.ask("Which?", min_support=.5, stream=True)


@pytest.mark.parametrize("K", [1, 2, 5])
def test_features_are_finite_whatever_was_found(K):
    p = np.full(K, 1/K)
    flat, sure = Evidence(p, p, *[np.zeros(K)]*3, -np.inf, 0), Evidence(np.eye(K)[0], np.eye(K)[0], *[np.ones(K)]*3, 0., 3)
    for e in (flat, sure):
        assert all(np.isfinite(v) for v in features(e).values())
    assert general_support()(Evidence(*[np.zeros(0)]*5, 0., 0)) == 0.


def test_words_are_found_whole_and_in_any_script():
    assert occurs("Łódź", "in łódź.") and not occurs("art", "a part of it") and occurs("1,000", "of 1,000 men") and not occurs("", "x")


def test_a_model_survives_its_file_and_a_forged_one_is_refused(tmp_path):
    model = general_support()
    save_support(model, tmp_path/"s.json")
    assert load_support(tmp_path/"s.json").names == model.names and np.allclose(load_support(tmp_path/"s.json").weight, model.weight)
    plain = support_to_dict(model)
    first = model.names[0]
    row = lambda name, **more: dict(features={name: dict(mean=0, scale=1, weight=1) | more})
    for change in (row(first, scale=0), row(first, mean=float("nan")), row("colour"), dict(features=3), dict(features={first: {}}),
                   dict(bias="x")):
        (tmp_path/"bad.json").write_text(json.dumps({**plain, **change}))
        with pytest.raises(ValueError, match="bad.json"): load_support(tmp_path/"bad.json")


def test_the_fast_decoder_keeps_the_states_of_the_reference(rag):
    "The verifier sees the same numbers whichever way reads."
    g, old = rag.model.generator, rag.support
    d = g.config.hidden_size
    g.probe_layer = 1
    rag.support = Support([], np.zeros(0), np.ones(0), np.zeros(0), 0., verifier=Verifier(1, np.linspace(-1, 1, d), .5))
    try:
        a, b = (rag.ask("Which river flows through Warsaw?", max_new_tokens=3, decoder=e, kind="sequence") for e in ("auto", "reference"))
        assert a.verified.shape == (a.hits.shape[1],) and torch.allclose(a.verified, b.verified, atol=1e-4)
        ids = rag.retriever.contexts([a.question], a.hits, config=rag.model.config, tokenizer=rag.tokenizer.generator)
        alone = ids["context_input_ids"][-1:][:, ids["context_attention_mask"][-1].bool()]
        own = g(input_ids=alone, output_hidden_states=True).hidden_states[1][0, -1]
        assert torch.allclose(a.verified[-1], rag.support.verifier(own[None])[0], atol=1e-4)      # Transformers, one context alone
    finally: del g.probe_layer; rag.support = old


def test_fit_support_learns_from_questions_with_and_without_their_documents(rag):
    old = rag.support
    asked = [dict(id=f"{n}-{i}", question=q, answers=[a]) for n in range(6) for i, (q, a, *_) in enumerate(toy_questions())][:24]
    try:
        made = rag.fit_support(asked, n_docs=3, progress=False)
        assert made is rag.support and made.fitted and f"{len(asked)} questions of your own" in made.about
        a = rag.ask(asked[0]["question"], max_new_tokens=4)
        assert a.support_fitted and "support" in answer_terminal(a)
        with pytest.raises(ValueError, match="too few"): rag.fit_support(asked[:5])
    finally: rag.support = old


def test_unanswerable_questions_are_read_and_measured(rag):
    asked = [dict(id=str(i), question=q, answers=[a]) for i, (q, a, *_) in enumerate(toy_questions()[:4])]
    asked.append(dict(id="u", question="Who wrote Emma?", answers=[], is_impossible=True))
    with pytest.raises(ValueError, match="unanswerable=True"): read_questions(asked)
    assert read_questions(asked, unanswerable=True)[4]["answers"] == []
    e = evaluate(rag, asked, n_docs=2, compare=False, max_new_tokens=3, progress=False, min_support=1.)
    assert all(r["prediction"] == "" for r in e.predictions) and [r["em"] for r in e.predictions] == [0, 0, 0, 0, 1]
    s = np.array([r["support"] for r in e.predictions])
    assert e.support_auroc == pytest.approx(auroc(s, [1, 1, 1, 1, 0])) and 0 <= e.support_ece <= 1 and e.risk_coverage[-1]["coverage"] == 1
    assert "AUROC" in repr(e) and {"support_auroc", "aurc", "risk_coverage"} <= set(e.to_json())
    for plot in (plot_roc, plot_risk_coverage, plot_support): assert plot(e).lines
    assert "support_auroc" not in measure(e.predictions[:4])


def test_the_prior_after_reading_is_the_searchs_and_the_verifiers(rag):
    "RAG-Sequence weighs its documents anew; the answer is the best by enumeration over every document's own candidate."
    g, old, model = rag.model.generator, rag.support, rag.model
    g.probe_layer, verifier = 1, Verifier(1, 4*np.sin(np.arange(g.config.hidden_size)), .5)
    rag.support = Support([], np.zeros(0), np.ones(0), np.zeros(0), 0., verifier=verifier)
    try:
        plain = rag.ask("Which river flows through Warsaw?", max_new_tokens=3, kind="sequence")
        g.rerank = Rerank(verifier)
        a, b = (rag.ask("Which river flows through Warsaw?", max_new_tokens=3, kind="sequence", decoder=e) for e in ("auto", "reference"))
        wanted = (.5*plain.doc_prior.log() + plain.verified).softmax(-1)
        assert torch.allclose(a.doc_prior, wanted, atol=1e-5) and not torch.allclose(a.doc_prior, plain.doc_prior, atol=1e-2)
        assert a.text == b.text and torch.allclose(a.running_posterior, b.running_posterior, atol=1e-4)
        ctx = rag.retriever.contexts([a.question], a.hits, config=model.config, tokenizer=rag.tokenizer.generator)
        g.rerank = None                              # the same prior given from outside
        same = model.generate(context_input_ids=ctx["context_input_ids"], context_attention_mask=ctx["context_attention_mask"],
                              max_new_tokens=3, doc_scores=wanted.log()[None], kind="sequence", decoder="reference",
                              return_dict_in_generate=True)
        assert float(same.token_logprobs.sum()) == pytest.approx(a.logprob, abs=1e-4)
        g.rerank = Rerank(verifier)
        token = rag.ask("Which river flows through Warsaw?", max_new_tokens=3, kind="token")
        assert torch.allclose(token.doc_prior, plain.doc_prior, atol=1e-6)
    finally:
        rag.support = old
        for name in ("probe_layer", "rerank"): delattr(g, name)
