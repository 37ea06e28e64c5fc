"""Scores against torchmetrics, intervals against the formulas of statistics, records against `ask` and brute force.

The expected values of TRUTH and of the calibration error were computed once with torchmetrics 1.9.0 (`SQuAD`, and
`BinaryCalibrationError(n_bins=10, norm="l1")`), which is not needed to run the tests.
"""
import json, random
from pathlib import Path

import numpy as np, pytest, torch

from rag_nb import Rag, RagRetriever, read_questions
from rag_nb.core import evaluate as module
from rag_nb.core.evaluate import Evaluation, evaluate, exact_match, f1_score, holds_answer, measure
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

TRUTH = [
    ('Leipzig', ['Leipzig'], 1, 1), ('the Leipzig.', ['Eisenach', 'leipzig'], 1, 1), ('in the city of Leipzig', ['Leipzig'], 0, 0.4), ('', ['Leipzig'], 0, 0),
    ('the', ['an'], 1, 1), ('yes yes yes', ['yes'], 0, 0.5), ('Saint-Denis', ['Saint Denis'], 0, 0), ('1,642 metres', ['1642 metres'], 1, 1),
    ('theatre a', ['theatre'], 1, 1), ('a\tb\xa0c', ['b c'], 1, 1), ('Ünïcode “quotes”', ['ünïcode quotes'], 0, 0.5),
    ('$5.00', ['5', '500 dollars'], 0, 0.666667), ('A. B. C.', ['b c'], 1, 1), ('It was in 1066 that the Normans came', ['1066', 'in 1066'], 0, 0.444444),
    ('no', ['yes', 'nope'], 0, 0), ('Édith Piaf', ['Edith Piaf'], 0, 0.5), ('anaphora the an', ['anaphora'], 1, 1), ('李白', ['李白'], 1, 1),
    ('1066 New-York the in of New-York', ['in Leipzig New-York', 'of'], 0, 0.5), ('a a', ['in of (big)', 'New-York Leipzig (big)'], 0, 0),
    ('river, of a 1066 St. New-York', ["of New-York King old's St.", 'a'], 0, 0.6), ("1066 old's river, the of New-York", ['(big) (big)', 'an'], 0, 0),
    ("an old's a St.", ['a', 'New-York in'], 0, 0), ('a St. (big)', ["Leipzig New-York an old's St.", '1066 St.'], 0, 0.5),
    ('Leipzig King an', ['the in', 'of a'], 0, 0), ("a a the a (big) old's", ["old's of of King", 'New-York'], 0, 0.333333),
    ("old's 1066 King of", ['a St. of', 'Leipzig an the'], 0, 0.333333), ('a an', ["Leipzig old's", "old's"], 0, 0),
    ('(big) the St. New-York of river,', ['a', 'St.'], 0, 0.333333), ("a a old's a", ['the in an a an', 'in'], 0, 0),
    ('', ['1066 a King an river,', '1066 the'], 0, 0), ('the a in', ['King New-York', "old's New-York"], 0, 0), ('(big)', ['in the', 'an an of'], 0, 0),
    ('', ['New-York river, the river, New-York', 'New-York river, 1066'], 0, 0), ('King St. the (big) Leipzig', ['St.', 'King'], 0, 0.4),
    ('Leipzig King Leipzig', ["a Leipzig (big) old's a", 'an Leipzig King'], 0, 0.8),
    ('1066 (big) river, New-York the', ['1066 river, the 1066 King', '1066'], 0, 0.5), ('New-York St. the', ['of', "old's the"], 0, 0),
    ("New-York old's an in river, a", ['in 1066', '1066 the the'], 0, 0.333333), ("the old's of a a river,", ['King in a', 'river, the'], 0, 0.5),
    ("old's a King", ["old's river, a an New-York", 'the'], 0, 0.4),
    ('King Leipzig Leipzig St. New-York', ['river, (big) New-York river, Leipzig', 'an Leipzig King'], 0, 0.571429),
    ('a', ['Leipzig Leipzig a', 'the King a'], 0, 0), ('King 1066 St. King', ['(big) in Leipzig New-York', 'the 1066 Leipzig'], 0, 0.333333),
    ('a St. of', ["old's in Leipzig", 'a of'], 0, 0.666667), ('', ['Leipzig river, an', 'river,'], 0, 0), ("old's in a", ['an', 'the'], 0, 0),
    ('', ['1066', "King New-York old's"], 0, 0),
]
BELIEFS = [0.0, 1.0, 0.5, 0.132, 0.307, 0.634, 0.49, 0.896, 0.456, 0.632, 0.349, 0.402, 0.022, 0.169, 0.294, 0.519, 0.698, 0.8, 0.161, 0.282, 0.682, 0.915, 0.397,
           0.874, 0.419, 0.553, 0.953, 0.036, 0.185, 0.373, 0.305, 0.932, 0.176, 0.27, 0.151, 0.032, 0.208, 0.93, 0.723, 0.742]
HELD = [0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1]
CALIBRATION_ERROR = 0.22497498989105225


@pytest.mark.parametrize("prediction, answers, em, f1", TRUTH)
def test_scores_as_torchmetrics_has_them(prediction, answers, em, f1):
    assert exact_match(prediction, answers) == em and f1_score(prediction, answers) == pytest.approx(f1, abs=1e-5)


def test_scores_against_a_second_program():
    "A slow way to the same: characters and words one by one."
    def normal(t):
        kept = "".join(c for c in t.lower() if c not in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
        return [w for w in kept.split() if w not in ("a", "an", "the")]
    rng = random.Random(1)
    texts = [" ".join(rng.choices("the A cat, sat (on) a mat's edge in 1,066 B.C.".split(), k=rng.randint(0, 6))) for _ in range(400)]
    for said, answer in zip(texts, reversed(texts)):
        a, b = normal(said), normal(answer)
        rest, common = list(b), 0
        for w in a:
            if w in rest: rest.remove(w); common += 1
        f1 = float(a == b) if not a or not b else 0. if not common else 2*(common/len(a))*(common/len(b))/(common/len(a) + common/len(b))
        assert exact_match(said, [answer]) == float(a == b) and f1_score(said, [answer]) == pytest.approx(f1)


@pytest.mark.parametrize("text, answers, held", [
    ("In 1066, the Normans came.", ["1066"], True), ("In 10666 they came.", ["1066"], False), ("the king’s men", ["king"], False), ("Saint Denis (north of Paris)", ["North of the Paris"], True),
    ("anything", ["the"], False), ("", ["x"], False), ("x", [], False), ("ends with Leipzig", ["Leipzig!"], True), ("New York City", ["york new"], False)])
def test_a_passage_holds_an_answer(text, answers, held): assert holds_answer(text, answers) is held


# The measures, from made-up records

def record(i, em=0., rank=1, known=True, held=(True, False), posterior=(.8, .2), seconds=.1, **others):
    return dict(id=str(i), em=em, f1=em, known=known, rank=rank, answer_rank=rank, held=list(held), posterior=list(posterior), seconds=seconds, others=others)


def test_calibration_error_as_torchmetrics_has_it():
    "However the documents are shared out among questions."
    for size in (1, 4, 40):
        records = [record(i, held=HELD[i:i+size], posterior=BELIEFS[i:i+size]) for i in range(0, 40, size)]
        found = measure(records, samples=50)
        assert found["ece"] == pytest.approx(CALIBRATION_ERROR, abs=1e-6)
        assert sum(b["n"] for b in found["reliability"]) == 40
        assert sum(b["n"]*abs(b["believed"] - b["held"]) for b in found["reliability"])/40 == pytest.approx(CALIBRATION_ERROR, abs=1e-6)


def test_recall_by_hand():
    ranks = [1, 1, 2, 5, 6, 20, 21, None]
    found = measure([record(i, rank=r) for i, r in enumerate(ranks)] + [record(9, rank=None, known=False)], samples=20)
    assert [found[f"recall_at_{k}"] for k in (1, 5, 20)] == [2/8, 4/8, 6/8]  # the question without a known document does not count
    assert [found[f"answer_in_{k}"] for k in (1, 5, 20)] == [2/9, 4/9, 6/9] and found["n"] == 9
    unknown = measure([record(i, known=False) for i in range(3)], samples=20)
    assert unknown["recall_at_5"] is None and unknown["recall_at_5_ci"] is None and unknown["answer_in_5"] == 1


def test_intervals_are_those_of_the_formula():
    "A share p of n: p ± 1.96·√(p(1−p)/n); a difference of pairs: by its own spread."
    rng = np.random.default_rng(0)
    ems, other = (rng.random(600) < .4).astype(float), (rng.random(600) < .3).astype(float)
    found = measure([record(i, em=a, seconds=s, sequence=dict(em=b, f1=b)) for i, (a, b, s) in enumerate(zip(ems, other, rng.random(600)))], samples=4000, seed=1)
    for name, values in (("em", ems), ("seconds_per_question", None)):
        p, half = found[name], 1.96*((ems.std() if values is not None else 1/12**.5)/600**.5)
        assert found[f"{name}_ci"] == pytest.approx([p - half, p + half], abs=.006)
    pair, gain = found["compare"]["sequence"], ems - other
    assert pair["em_gain"] == pytest.approx(gain.mean()) and pair["em"] == pytest.approx(other.mean())
    assert pair["em_gain_ci"] == pytest.approx([gain.mean() - 1.96*gain.std()/600**.5, gain.mean() + 1.96*gain.std()/600**.5], abs=.006)


def test_a_seed_gives_the_same_interval():
    records = [record(i, em=float(i % 3 == 0), posterior=[.1 + .08*(i % 10), .05]) for i in range(60)]
    assert measure(records, samples=200, seed=3) == measure(records, samples=200, seed=3)
    assert measure(records, samples=200, seed=3)["em_ci"] != measure(records, samples=200, seed=4)["em_ci"] or measure(records, samples=200, seed=3)["ece_ci"] != measure(records, samples=200, seed=4)["ece_ci"]
    found = measure(records, samples=200)
    for name in ("em", "f1", "recall_at_1", "ece", "ece_top", "seconds_per_question"): assert found[f"{name}_ci"][0] - 1e-9 <= found[name] <= found[f"{name}_ci"][1] + 1e-9
    with pytest.raises(ValueError, match="no records"): measure([])


# Whole evaluations

@pytest.fixture(scope="module")
def questions(): return read_questions([dict(id=d, question=q, answer=a, document_id=d) for q, a, d in toy_questions()])


def rag_of(kind="llama", head="token", n_words=100, **config):
    encoder = toy_encoder()
    retriever = RagRetriever.from_documents(toy_documents(), encoder, n_words=n_words, progress=False)
    return Rag.from_parts(retriever, encoder, (toy_generator(kind), toy_tokenizer(kind)), kind=head, **{"n_docs": 3, **config})


class Scripted:
    "A rag whose `ask` says what it is told, so that the scores can be known beforehand."
    def __new__(cls, rag, say):
        real = rag.ask
        def ask(questions, hits=None, **kw):
            answers = real(questions, hits=hits, **kw)
            for q, a in zip(questions, answers): a.text = say(q, kw["kind"], hits.shape[1])
            return answers
        rag.ask = ask
        return rag


def test_scores_of_answers_that_are_known(questions):
    "RAG-Token answers right, RAG-Sequence two in three, one document alone half, nothing without documents."
    truth = {q["question"]: (i, q["answers"][0]) for i, q in enumerate(questions)}
    def say(q, kind, K):
        i, right = truth[q]
        if K == 3: return f"The {right}." if kind == "token" or i % 3 else "no idea"
        return right if K == 1 and say.calls.append(q) is None and say.calls.count(q) == 1 and i % 2 else ""
    say.calls = []
    e = evaluate(Scripted(rag_of(), say), questions, max_new_tokens=2, progress=False)
    assert (e.em, e.f1, e.n) == (1., 1., 12) and e.recall_at_1 == 1 and e.answer_in_context == 1
    assert {k: (w["em"], w["em_gain"]) for k, w in e.compare.items()} == {"sequence": (pytest.approx(8/12), pytest.approx(4/12)), "best_document": (.5, .5), "no_documents": (0., 1.)}
    assert [r["id"] for r in e.predictions] == questions.column("id")  # in the order of the questions, however they were batched


@pytest.mark.parametrize("kind, head", [("llama", "token"), ("llama", "sequence"), ("bart", "token"), ("bart", "sequence")])
def test_records_say_what_ask_says(questions, kind, head):
    rag = rag_of(kind, head)
    e = evaluate(rag, questions[:5], max_new_tokens=5, progress=False)
    assert e.settings["kind"] == head
    for q, r in zip(questions, e.predictions):
        for way, record in [(head, r), *r["others"].items()]:
            if way == "no_documents": continue
            a = rag.ask(q["question"], kind=way if way in ("token", "sequence") else "token", n_docs=1 if way == "best_document" else 3, max_new_tokens=5)
            assert record["prediction"] == a.text and record["logprob"] == pytest.approx(a.logprob, abs=2e-3)
            if way == head:
                assert record["posterior"] == pytest.approx((a.running_posterior[-1] if len(a.tokens) else a.doc_prior).tolist(), abs=1e-3)
                assert record["prior"] == pytest.approx(a.doc_prior.tolist(), abs=1e-3)
                assert record["documents"][:3] == [d["id"] for d in a.hits.documents()]


def test_without_documents_the_prompt_is_the_same_and_empty(questions, monkeypatch):
    rag, seen = rag_of(), []
    real = rag.retriever.contexts
    monkeypatch.setattr(rag.retriever, "contexts", lambda qs, hits, *a, **k: seen.append((list(qs), hits.passages)) or real(qs, hits, *a, **k))
    e = evaluate(rag, questions[:2], kind="no_documents", compare=False, max_new_tokens=2, progress=False)
    assert all(p["text"] == p["title"] == "" for _, passages in seen for row in passages for p in row) and sum(len(q) for q, _ in seen) == 2
    assert e.compare == {} and e.ece is None and e.recall_at_1 == 1 and e.answer_in_context == 0
    assert "no documents" in repr(e) and "None" not in repr(e)


def test_one_search_a_question(questions, monkeypatch):
    rag, searched = rag_of(), []
    real = rag.retriever.search
    monkeypatch.setattr(rag.retriever, "search", lambda v, n, *words: searched.append((len(v), n)) or real(v, n, *words))
    monkeypatch.setattr(module, "GROUP", 5)
    whole = evaluate(rag, questions, max_new_tokens=3, progress=False)
    assert searched == [(5, 20), (5, 20), (2, 20)]
    monkeypatch.setattr(module, "GROUP", 1024)
    assert [r["prediction"] for r in evaluate(rag, questions, max_new_tokens=3, batch_size=5, progress=False).predictions] == [r["prediction"] for r in whole.predictions]
    searched.clear()
    e = evaluate(rag, questions[:2], n_docs=25, compare=False, max_new_tokens=2, progress=False)
    assert searched == [(2, 20)] and e.settings["n_docs"] == 12 and "RAG-Token, 12 documents of 12 passages" in repr(e)  # no more than there are
    monkeypatch.setattr(module, "DEPTH", 3); searched.clear()
    evaluate(rag, questions[:2], n_docs=5, compare=False, max_new_tokens=2, progress=False)
    assert searched == [(2, 5)]


def test_passages_of_long_documents_count_for_their_document(questions):
    "Documents cut into passages of eight words: the right one is known by its document's id."
    rag = rag_of(n_words=8)
    e = evaluate(rag, questions, compare=False, max_new_tokens=2, progress=False)
    hits = rag.retriever.find(questions.column("question"), 20)
    ranks = [next((k for k, p in enumerate(row, 1) if p["document"] == q["id"]), None) for q, row in zip(questions, hits.passages)]
    assert [r["rank"] for r in e.predictions] == ranks and e.recall_at_5 == np.mean([r is not None and r <= 5 for r in ranks])
    held = [any(holds_answer(p["text"], q["answers"]) for p in row[:3]) for q, row in zip(questions, hits.passages)]
    assert e.answer_in_context == np.mean(held)


def test_one_document_needs_no_other_way(questions):
    rag, asked = rag_of(), []
    real = rag.ask
    rag.ask = lambda q, **k: asked.append((k["kind"], k["hits"].passages[0][0]["text"] != "")) or real(q, **k)
    e = evaluate(rag, questions[:3], n_docs=1, max_new_tokens=3, progress=False)
    assert asked == [("token", True), ("token", False)] and list(e.compare) == ["sequence", "best_document", "no_documents"]
    assert e.compare["sequence"]["em_gain_ci"] == [0, 0]


def test_batches_too_large_for_the_gpu_are_halved(questions):
    rag, sizes = rag_of(), []
    real = rag.ask
    def ask(qs, hits=None, batch_size=None, **kw):
        sizes.append(len(qs))
        if len(qs) > 3: raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(qs, hits=hits, batch_size=batch_size, **kw)
    whole = evaluate(rag, questions, compare=False, max_new_tokens=3, progress=False)
    rag.ask = ask
    halved = evaluate(rag, questions, compare=False, batch_size=12, max_new_tokens=3, progress=False)
    assert sizes == [12, 6, 3, 3, 6, 3, 3] and [r["prediction"] for r in halved.predictions] == [r["prediction"] for r in whole.predictions]
    rag.ask = lambda *a, **k: (_ for _ in ()).throw(torch.cuda.OutOfMemoryError("too small"))
    with pytest.raises(torch.cuda.OutOfMemoryError): evaluate(rag, questions[:2], max_new_tokens=2, progress=False)


def test_a_model_in_training_stays_in_training(questions):
    rag = rag_of()
    rag.model.train()
    evaluate(rag, questions[:2], compare=False, max_new_tokens=2, progress=False)
    assert rag.model.training


# Files

def test_it_goes_on_where_it_was_stopped(questions, tmp_path):
    rag, path = rag_of(), tmp_path/"p.jsonl"
    whole = evaluate(rag, questions, max_new_tokens=3, progress=False)
    real, asked = rag.ask, []
    def stops(qs, **k):
        if len(asked) == 8: raise KeyboardInterrupt
        asked.append(list(qs)); return real(qs, **k)
    rag.ask = stops
    with pytest.raises(KeyboardInterrupt): evaluate(rag, questions, max_new_tokens=3, batch_size=3, predictions=path, progress=False)
    assert len(path.read_text().splitlines()) == 1 + 6  # two batches of three, each asked in four ways
    with open(path, "a") as f: f.write('{"id": "cut o')
    rag.ask, asked = lambda qs, **k: asked.extend(qs) or real(qs, **k), []
    again = evaluate(rag, questions, max_new_tokens=3, batch_size=3, predictions=path, progress=False)
    assert len(asked) == 4*6 and [r["prediction"] for r in again.predictions] == [r["prediction"] for r in whole.predictions]
    timeless = lambda e: {k: v for k, v in e.measures.items() if not k.startswith("seconds")}
    assert timeless(again) == timeless(whole)
    lines = [json.loads(l) for l in path.read_text().splitlines()]
    assert len(lines) == 13 and lines[0]["settings"]["n_docs"] == 3
    asked.clear(); evaluate(rag, questions, max_new_tokens=3, predictions=path, progress=False)
    assert not asked


def test_a_file_of_another_run_is_not_touched(questions, tmp_path):
    rag, path = rag_of(), tmp_path/"p.jsonl"
    evaluate(rag, questions[:2], compare=False, max_new_tokens=2, predictions=path, progress=False)
    before = path.read_bytes()
    for kw, says in [(dict(n_docs=2), "n_docs was 3 and is 2"), (dict(kind="sequence"), "kind was 'token' and is 'sequence'"), (dict(num_beams=2), "num_beams was None and is 2")]:
        with pytest.raises(ValueError, match=says): evaluate(rag, questions[:2], **{**dict(compare=False, max_new_tokens=2, predictions=path, progress=False), **kw})
    assert path.read_bytes() == before
    for body in ("not json\n", '{"question": "x"}\n', "[1]\n"):
        (tmp_path/"other.jsonl").write_text(body)
        with pytest.raises(ValueError, match="not a file of predictions"): evaluate(rag, questions[:2], predictions=tmp_path/"other.jsonl", progress=False)
        assert (tmp_path/"other.jsonl").read_text() == body


# How it shows itself

def test_what_it_looks_like():
    records = [record(i, em=float(i % 2), sequence=dict(em=0., f1=0.), no_documents=dict(em=float(i % 2), f1=0.)) for i in range(40)]
    e = Evaluation(dict(generator="<b>x</b>\x1b[31m", kind="token", n_docs=2, passages=12), records, measure(records, samples=100))
    text, page = repr(e), e._repr_html_()
    assert "\x1b" not in text and "<b>x" not in page and "&lt;b&gt;x" in page and "<script" not in page
    lines = text.splitlines()
    assert lines[0].startswith("40 questions · ") and max(map(len, lines[1:])) <= 80
    ways = {l.split("  ")[0].strip(): l for l in lines}
    assert "0.500" in ways["exact match"] and "-0.500*" in ways["RAG-Sequence, 2 documents"] and "+0.000 " in ways["no documents"]
    assert all(t in page for t in ("0.500", "RAG-Sequence, 2 documents", "hold an answer"))
    whole = json.loads(json.dumps(e.to_json(), allow_nan=False))
    names = ["em", "f1", "recall_at_1", "recall_at_5", "recall_at_20", "ece", "seconds_per_question"]
    assert set(names + [f"{n}_ci" for n in names] + ["n", "compare", "reliability", "settings"]) <= set(whole)
    with pytest.raises(AttributeError, match="nonsense"): e.nonsense


def test_the_picture_says_what_the_table_says():
    import matplotlib.pyplot as plt
    records = [record(i, held=HELD[i:i+4], posterior=BELIEFS[i:i+4]) for i in range(0, 40, 4)]
    e = Evaluation(dict(generator="x", kind="token", n_docs=4, passages=12), records, measure(records, samples=20))
    assert [x.tolist() for x in e.beliefs()] == [BELIEFS, [bool(h) for h in HELD]]
    ax = e.plot()
    assert f"ECE {CALIBRATION_ERROR:.3f}" in ax.get_title(loc="left")
    plt.close(ax.figure)


def test_errors(questions):
    rag = rag_of()
    with pytest.raises(ValueError, match="'tokens'"): evaluate(rag, questions, kind="tokens")
    with pytest.raises(ValueError, match="at least one document"): evaluate(rag, questions, n_docs=0)
    with pytest.raises(FileNotFoundError): evaluate(rag, "/no/such/file.jsonl")
    with pytest.raises(TypeError, match="max_tokens"): evaluate(rag, questions, max_tokens=3, progress=False)
    assert evaluate(rag, questions, limit=4, compare=False, max_new_tokens=2, progress=False).n == 4
    assert rag.evaluate(questions, limit=1, compare=False, max_new_tokens=2, progress=False).n == 1


# The benchmark's command

def bench():
    import importlib.util
    spec = importlib.util.spec_from_file_location("bench_evaluate", Path(__file__).parent.parent/"bench/evaluate.py")
    made = importlib.util.module_from_spec(spec); spec.loader.exec_module(made)
    return made


def test_the_benchmark_on_toy_models(questions, tmp_path, capsys):
    "A saved checkpoint over all paragraphs: the numbers that `evaluate` gives, the right paragraph given, and the published figures beside."
    import pyarrow as pa, pyarrow.parquet as pq
    pq.write_table(pa.Table.from_pylist([dict(d, split="dev") for d in toy_documents()]), tmp_path/"documents.parquet")
    pq.write_table(pa.Table.from_pylist([dict(id=q["id"], question=q["question"], answers=q["answers"], document_id=q["id"]) for q in questions]), tmp_path/"dev.parquet")
    rag = rag_of("llama", n_words=None)
    rag.save_pretrained(tmp_path/"model")
    settings = ["--data", str(tmp_path), "--model", f"toy={tmp_path/'model'}", "--n-docs", "1", "3", "--none", "--gold", "--tokens", "5", "--device", "cpu"]
    rows = bench().main([*settings, "--out", str(tmp_path/"out.json")])
    assert [(r["kind"], r["n_docs"]) for r in rows] == [("no_documents", 0), ("token", 1), ("token", 3), ("sequence", 3), ("gold", 1)]
    for r in rows[1:4]:
        e = evaluate(rag, questions, n_docs=r["n_docs"], kind=r["kind"], compare=False, max_new_tokens=5, progress=False)
        assert (r["em"], r["f1"], r["recall_at_1"], r["n"]) == (e.em, e.f1, e.recall_at_1, 12) and r["ece"] == pytest.approx(e.ece, abs=1e-4)
    saved, printed = json.loads((tmp_path/"out.json").read_text()), capsys.readouterr().out
    (tmp_path/"fewer.json").write_text(json.dumps(dict(rows=[dict(r, n=3) for r in saved["rows"]])))
    assert bench().main(["--table", str(tmp_path/"fewer.json"), str(tmp_path/"out.json")]) == saved["rows"] and capsys.readouterr().out == printed  # of the most questions
    assert len(saved["rows"]) == 5 and printed.count("\n") == 2 + 5 + 2 and "| 0.400 |" in printed and "RAG-Sequence | 3 | no | 12 |" in printed
    kept = [dict(r, em=.25) for r in (rows[0], rows[2], rows[4])]
    (tmp_path/"some.json").write_text(json.dumps(dict(rows=[*kept, dict(rows[1], n=3)])))
    again = bench().main([*settings, "--resume", "--decoder", "reference", "--out", str(tmp_path/"some.json")])
    assert again[:3] == kept and [(r["kind"], r["n_docs"], r["n"], r["em"]) for r in again[3:]] == [(r["kind"], r["n_docs"], 12, r["em"]) for r in (rows[1], rows[3])]
    few = bench().tables(tmp_path, limit=4, paragraphs=6)
    assert [q["id"] for q in few[1]] == ["ada", "baikal", "penguin", "leaf"] and len(few[0]) == 6 and {q["id"] for q in few[1]} < {d["id"] for d in few[0]}
