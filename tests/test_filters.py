"A filter leaves what fits and nothing else, in the order of brute force over these rows, for every kind of index and every way of asking."
import datetime, json

import numpy as np, pandas as pd, pytest, torch

from rag_nb import ExactIndex, Passages, Rag, RagConfig, RagRetriever
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer
from rag_nb.store.filters import Where, as_where, at_least, parse_where

N, D = 1500, 16
YEARS, TEAMS = (2022, 2023, 2024), ("ops", "sales", "law", "it")


def fields(i): return dict(year=YEARS[i % 3], tags=[TEAMS[i % 4], TEAMS[(i//4) % 4]], **({"draft": True} if i % 50 == 0 else {}))


@pytest.fixture(scope="module")
def corpus():
    "Passages with fields, and vectors of length one."
    words = np.random.default_rng(1).choice(["tea", "boat", "rope", "lamp", "salt", "wind", "oar", "map"], (N, 6))
    docs = [dict(id=f"d{i}", title=f"T{i}", text=" ".join(words[i]), **fields(i)) for i in range(N)]
    v = np.random.default_rng(0).standard_normal((N, D)).astype(np.float32)
    return Passages.from_documents(docs), v/np.linalg.norm(v, axis=1, keepdims=True)


QUERIES = torch.from_numpy(np.random.default_rng(7).standard_normal((4, D)).astype(np.float32))
FILTERS = {"one value": ({"year": 2024}, lambda i: i % 3 == 2), "several fields": ({"year": [2022, 2023], "tags": "ops"},
    lambda i: i % 3 < 2 and "ops" in fields(i)["tags"]),
           "few": ({"draft": True, "year": 2023}, lambda i: i % 50 == 0 and i % 3 == 1), "a gap": ({"draft": None}, lambda i: i % 50 != 0),
           "a function": (lambda d: d["title"].endswith("7") and "law" in d["tags"], lambda i: str(i).endswith("7")
               and "law" in fields(i)["tags"]),
           "one row": ({"id": "d77"}, lambda i: i == 77), "nothing": ({"year": 2024, "id": "d0"}, lambda i: False),
               "all": ({"year": list(YEARS)}, lambda i: True)}


def oracle(vectors, fits, k, words=None, gone=()):
    "Ids (B, k) of the best rows that fit, by every inner product, −1 behind the last."
    scores = QUERIES.double() @ torch.from_numpy(vectors).double().T + (0 if words is None else words)
    keep = torch.tensor([fits(i) and i not in gone for i in range(len(vectors))])
    order = scores.masked_fill(~keep, -torch.inf).sort(dim=1, descending=True, stable=True)
    return order.indices[:, :k].masked_fill(order.values[:, :k] == -torch.inf, -1)


KINDS = {"exact": {}, "faiss-flat": {}, "hnsw": {}, "ivfpq": {}, "IVF32,Flat": dict(nprobe=1), "IVF16,PQ8x4fs": {}, "NSG16": {},
    "PCA8,IVF16,Flat": {}, "SQ8": {}, "HNSW16_SQ8": {}}

def built(kind, params, passages, vectors):
    from rag_nb import make_index
    kind, params = (kind, params) if kind.islower() else ("faiss", dict(params, factory=kind))
    return RagRetriever(RagConfig(retrieval_vector_size=D), index=make_index(kind, vectors, **params), passages=passages)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_finds_what_brute_force_finds(corpus, kind):
    "All that fit are found, best first, also beside deleted rows; nothing else is."
    passages, vectors = corpus
    r = built(kind, KINDS[kind], passages, vectors)
    r.delete(["d2", "d5", "d77"])
    for name, (where, fits) in FILTERS.items():
        if name == "all" and kind not in ("exact",
            "faiss-flat"): continue                # then a kind is as rough as it is without a filter
        hits = r.search(QUERIES, 7, where=where)
        assert torch.equal(hits.ids, oracle(vectors, fits, 7, gone=(2, 5, 77))), name
        assert hits.passages is not None and all((p is None) == (i < 0) for row, ids in zip(hits.passages, hits.ids.tolist()) for p,
            i in zip(row, ids))


@pytest.mark.parametrize("few", [10_000, 0])
def test_faiss_with_its_own_selector(corpus, few, monkeypatch):
    "Where more rows are left than are looked through one by one, FAISS leaves the others out: all found fits, and all there is."
    monkeypatch.setattr("rag_nb.store.faiss.FEW", few)
    passages, vectors = corpus
    for kind in KINDS:
        r = built(kind, KINDS[kind], passages, vectors)
        for where, fits in FILTERS.values():
            hits = r.search(QUERIES, 7, where=where)
            assert all(fits(i) for i in hits.ids[hits.mask].tolist()), kind
            assert (hits.mask.sum(1) == min(7, sum(map(fits, range(N))))).all(), kind


def test_vectors_and_words(corpus):
    "The sum of inner product and BM25, among the rows that fit."
    passages, vectors = corpus
    r, asked = built("exact", {}, passages, vectors), ["tea boat", "rope", "lamp salt salt", "wind oar map tea"]
    words = .05*torch.from_numpy(np.stack([r.lexical.scores(q) for q in asked])).double()
    for where, fits in FILTERS.values():
        assert torch.equal(r.search(QUERIES, 5, asked, .05, where=where).ids, oracle(vectors, fits, 5, words))


def test_a_dataset_and_an_index_of_ones_own(corpus):
    "Columns of a dataset are fields; an index that leaves nothing out by itself is asked for more."
    from datasets import Dataset
    passages, vectors = corpus
    data = Dataset.from_dict(dict(title=passages.column("title"), text=passages.column("text"), year=[fields(i)["year"]
        for i in range(N)], embeddings=vectors.tolist()))
    fits = lambda i: i % 3 == 2
    r = RagRetriever(RagConfig(retrieval_vector_size=D, index_name="custom"), index=data)
    assert torch.equal(r.search(QUERIES, 6, where={"year": 2024}).ids, oracle(vectors, fits, 6))
    data.add_faiss_index("embeddings", string_factory="Flat", metric_type=0)
    r = RagRetriever(RagConfig(retrieval_vector_size=D, index_name="custom"), index=data)
    for where, fits in (({"year": 2024}, fits), (lambda d: d["title"] in ("T3", "T1400"), lambda i: i in (3, 1400))):
        assert torch.equal(r.search(QUERIES, 6, where=where).ids, oracle(vectors, fits, 6))

    class Theirs:
        vector_size = D
        def __len__(self): return N
        def is_initialized(self): return True
        def get_top_docs(self, q, n):
            ids = (-(q @ vectors.T)).argsort(axis=1, kind="stable")[:, :n]
            return ids, vectors[ids]
        def get_doc_dicts(self, ids): return [dict(title=[f"T{i}" for i in row], text=["x"]*len(row)) for row in ids]
    r = RagRetriever(RagConfig(retrieval_vector_size=D), index=Theirs())
    assert torch.equal(r.search(QUERIES, 6, where=lambda d: d["title"].endswith("9")).ids, oracle(vectors, lambda i: str(i).endswith("9"),
        6))


def test_a_retriever_that_overrides_retrieve(corpus):
    "A filter holds in the library's own methods below an override; what an override finds by itself is looked through."
    passages, vectors = corpus
    class Reversed(RagRetriever):
        def retrieve(self, h, n_docs):
            v, ids, docs = super().retrieve(h, n_docs)
            return v[:, ::-1], ids[:, ::-1], [{k: x[::-1] for k, x in d.items()} for d in docs]
    class Fixed(RagRetriever):
        def retrieve(self, h, n_docs):
            ids = np.array([[0, 2, 5, 8]]*len(h))
            return vectors[ids], ids, [{"title": [f"T{i}" for i in row], "text": ["x"]*4} for row in ids]
    made = lambda cls: cls(RagConfig(retrieval_vector_size=D), index=ExactIndex(vectors), passages=passages)
    assert torch.equal(made(Reversed).search(QUERIES, 6, where={"year": 2024}).ids, oracle(vectors, lambda i: i % 3 == 2, 6).flip(1))
    assert made(Fixed).search(QUERIES, 6, where={"year": 2024}).ids.tolist() == [[-1, 2, 5, 8]]*4


@pytest.mark.parametrize("wanted, value, fits", [(2024, "2024", True), ("2024", 2024, True), (2024, 2024.0, True), (7, "007", False),
    (2024, [2023, 2024], True), ("ops", "Ops", False),
    (None, None, True), (None, [], True), (None, "", True), (None, "x", False), (["a", None], None, True), (True, "True", True), (True, 1,
        False), ("true", True, True), (False, False, True),
    ((1, 2), 2, True), ({"a", "b"}, ["b", "z"], True), (datetime.date(2024, 1, 5), "2024-01-05", True), ([], "a", False), (np.int64(3), 3,
        True), (lambda y: y > 3, 4, True), (lambda y: y > 3, None, False)])
def test_what_is_equal(wanted, value, fits):
    metas = [None if value is None else json.dumps({"f": value}), json.dumps({"f": 0})]
    assert bool(Where({"f": wanted}).mask(Passages({"text": ["one", "two"], "meta": metas}))[0]) is fits


def test_what_is_wrong_with_a_filter_is_said():
    passages = Passages.from_documents([dict(id="a", title="A", text="x", year=2024, team="ops"), dict(id="b", title="B", text="y",
        year=2023)])
    with pytest.raises(ValueError, match="'yaer', which no passage has; there are 'id', 'title', 'document', 'team', "
        "'year'"): Where({"yaer": 1}).mask(passages)
    with pytest.raises(ValueError, match="failed for the passage 'b#0' .KeyError"): Where(lambda d: d["team"] == "ops").mask(passages)
    with pytest.raises(TypeError, match="where is a dict"): Where("year=2024")
    with pytest.raises(TypeError, match="a range is given as a function"): Where({"year": {"$gte": 2020}})
    with pytest.raises(TypeError, match="min_score is a number"): Where(None, "high")


def test_lists_stay_in_the_meta(tmp_path):
    "From every source: tags of front matter, of JSON, of Parquet and of a table; vectors stay out."
    import pyarrow as pa, pyarrow.parquet as pq
    (tmp_path/"a.md").write_text("---\ntags: [ops, law]\nyear: 2024\n---\n# A\n\nOne.")
    (tmp_path/"b.jsonl").write_text(json.dumps(dict(text="Two.", tags=["ops"], vector=[.1]*8)) + "\n")
    pq.write_table(pa.table(dict(text=["Three."], tags=[["law", "it"]], numbers=[[1., 2.]])), tmp_path/"c.parquet")
    metas = [p["meta"] for p in Passages.from_documents(tmp_path)]
    assert [m["tags"] for m in metas] == [["ops", "law"], ["ops"], ["law", "it"]] and not any({"vector", "numbers"} & m.keys()
        for m in metas)
    assert Passages.from_documents(pd.DataFrame(dict(text=["x"], tags=[["a", "b"]])))[0]["meta"] == {"tags": ["a", "b"]}


def test_a_mask_is_made_once_and_again_after_a_change(corpus):
    passages, _ = corpus
    calls = []
    where = Where(lambda d: calls.append(1) or True)
    assert where.mask(passages).all() and where.mask(passages).all() and len(calls) == N
    assert where.mask(passages.select([0, 1])).shape == (2,) and len(calls) == N + 2


# --- asking ----------------------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def rag():
    docs = [dict(d, id=str(i), year=2023 + i % 2) for i, d in enumerate(toy_documents())]
    encoder = toy_encoder()
    return Rag.from_parts(RagRetriever.from_documents(docs, encoder, progress=False), encoder, (toy_generator("bart"),
        toy_tokenizer("bart")), n_docs=3)

Q = "What do bees make of nectar?"

def years(answer): return {p["meta"]["year"] for p in answer.hits.passages[0] if p}


def test_every_way_of_asking_keeps_to_the_filter(rag, tmp_path):
    where = {"year": 2024}
    assert years(rag.ask(Q)) == {2023, 2024} or years(rag.ask(Q, where={"year": 2023})) == {2023}
    answer = rag.ask(Q, where=where)
    assert years(answer) == {2024} and bool(answer.hits.mask.all())
    assert all(years(a) == {2024} for kind in ("token", "sequence") for a in rag.ask([Q, "What is tea?"], kind, where=where))
    assert all(years(a) == {2024} for a in rag.ask_each(iter([Q, Q]), where=lambda d: d["year"] == 2024, progress=False))
    stream = rag.ask(Q, stream=True, where=where); text = "".join(stream)
    assert years(stream.answer) == {2024} and stream.answer.text == text.strip() and rag.ask(Q, "token",
        where=where).text == stream.answer.text
    hits = rag.retrieve([Q, "tea"], 4, where=where)
    assert {p["meta"]["year"] for row in hits.passages for p in row} == {2024} and torch.equal(hits.doc_scores, rag.retrieve([Q, "tea"], 4,
        where=where)[1])
    assert rag.ask_file([Q, "What is tea?"], tmp_path/"a.jsonl", where=where, progress=False)["answered"] == 2
    ids = {d["id"] for line in (tmp_path/"a.jsonl").read_text().splitlines() for d in json.loads(line)["documents"]}
    assert ids and all(int(i.split("#")[0]) % 2 for i in ids)
    with pytest.raises(ValueError, match="begun with other settings .where was"): rag.ask_file([Q, "What is tea?"], tmp_path/"a.jsonl",
        where={"year": 2023}, progress=False)
    with pytest.raises(ValueError, match="belong to the search"): rag.ask(Q, hits=hits[0], where=where)
    with pytest.raises(ValueError, match="which no passage has"): rag.ask(Q, where={"yaer": 2024})


def test_evaluate_keeps_to_the_filter(rag):
    questions = [dict(question=q, answers=[a]) for q, a, *_ in toy_questions()][:4]
    found = rag.evaluate(questions, where={"year": 2024}, compare=False, progress=False)
    assert all(int(i.split("#")[0]) % 2 for r in found.predictions for i in r["documents"]) and found.settings["where"] == "year=2024"
    with pytest.raises(ValueError, match="no passage fits"): rag.evaluate(questions, where={"year": 2024, "id": "0"}, progress=False)


def test_nothing_to_read_gives_an_empty_answer(rag):
    "One question of a batch has nothing left: its answer has no word and no document, and the others are answered as ever."
    scores = rag.retrieve([Q, "What is tea?"], 1).scores[:, 0]
    least = float(scores.min() + scores.max())/2
    with pytest.warns(UserWarning, match="nothing to read for"): answers = rag.ask([Q, "What is tea?"], min_score=least)
    empty, full = (answers if scores[0] < scores[1] else answers[::-1])
    assert empty.text == "" and not empty.hits.mask.any() and float(full.hits.scores[full.hits.mask].min()) >= least
    for shown in (empty.to_text(), empty.to_html(), empty.to_json(), repr(empty)): assert isinstance(shown, str)
    assert empty.citations == [] and json.loads(empty.to_json())["documents"] == []
    with pytest.warns(UserWarning, match="nothing to read for"): stream = rag.ask(Q, stream=True,
        min_score=1e9); assert list(stream) == [] and stream.answer.text == ""
    with pytest.warns(UserWarning): e = rag.evaluate([dict(question=Q, answers=["honey"])], min_score=1e9, compare=False, progress=False)
    assert e.em == 0 and e.predictions[0]["prediction"] == ""


def test_min_score_is_the_score_that_is_shown(rag):
    hits = rag.retrieve(Q, 5)
    least = float(hits.scores[0, 2])
    some = rag.retrieve(Q, 5, min_score=least)
    assert some.mask.tolist() == [[True]*3 + [False]*2] and torch.equal(some.ids[0, :3], hits.ids[0, :3]) and some.passages[0][3] is None
    assert torch.equal(at_least(hits, least).ids, some.ids) and as_where(None, None) is None


def test_a_filter_on_the_command_line():
    assert parse_where("year=2024,team=ops,sales") == {"year": ["2024"], "team": ["ops", "sales"]} and parse_where(["draft=",
        "year=2024"]) == {"draft": [None], "year": ["2024"]}
    for bad in ("2024", "=2024"):
        with pytest.raises(ValueError, match="write it as field=value"): parse_where(bad)


def test_widgets_keep_to_the_filter(rag):
    "Given in the call, or typed into a box; a filter that was given cannot be widened."
    from rag_nb import AnswerExplorer, PassageBrowser
    b = PassageBrowser(rag, Q, n_docs=4, where={"year": 2024})
    assert {p["meta"]["year"] for p in b.hits.passages[0]} == {2024} and b.where_box.layout.display == "none"
    b.where_box.value = "year=2023"
    assert b.where == {"year": 2024}
    b = PassageBrowser(rag.retriever, Q, n_docs=4)
    b.where_box.value = "year=2023"
    assert {p["meta"]["year"] for p in b.hits.passages[0]} == {2023} and b.error is None
    b.where_box.value = "yaer=2023"
    assert "which no passage has" in b.error
    e = AnswerExplorer(rag, Q, where=lambda d: d["year"] == 2024)
    assert years(e.answer) == {2024}
    e = AnswerExplorer(rag, Q)
    e.where_box.value = "year=2023"
    assert "Press Ask" in e.status.value and years(e.ask().answer) == {2023}
    e.where_box.value = "year=2023,id=none"
    assert e.ask().error == "no document fits the filter: nothing is left to read"


def test_a_pasted_passage_is_scored_as_the_index_would(rag):
    "Words included: a passage of the index, pasted, has the score that it was found with."
    from rag_nb import AnswerExplorer
    before = rag.model.config.lexical_weight
    rag.model.config.lexical_weight = .3
    try:
        e = AnswerExplorer(rag, Q, n_docs=3)
        found = e.hits.passages[0][0]
        plain = float(e.hits.scores[0, 0])
        words = .3*float(rag.retriever.lexical.scores(Q)[int(e.hits.ids[0, 0])])
        e.paste(found["text"], found["title"])
        assert words > .1 and e.error is None and abs(float(e.hits.scores[0, 3]) - plain) < 1e-4
    finally: rag.model.config.lexical_weight = before
    lexical = rag.retriever.lexical
    for i in range(len(rag)):
        p = rag.retriever.passages[i]
        assert abs(lexical.score_text("what bees make of tea and the first computer",
            f"{p['title']}\n{p['text']}") - lexical.scores("what bees make of tea and the first computer")[i]) < 1e-5
    assert lexical.score_text("zebra", "a zebra") > lexical.score_text("tea", "a tea") > lexical.score_text("tea", "a boat") == 0
