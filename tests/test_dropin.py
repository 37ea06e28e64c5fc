"Code that extends: subclasses, replacements and patches of the published retriever are what the models read from, in every way of asking."
import types
import numpy as np, pytest, torch
from transformers import BatchEncoding
from rag_nb import Rag, RagRetriever, RagSequenceForGeneration, RagTokenForGeneration
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

QS = [q for q, *_ in toy_questions()]
HIDDEN = 3


def made(kind="token", generator="bart", **config):
    "A `Rag` over the toy documents, of whose questions some find document 3 first."
    return Rag.from_documents(toy_documents(), generator=(toy_generator(generator), toy_tokenizer(generator)), encoder=toy_encoder(), kind=kind, progress=False, n_docs=3, **config)


def same_place(cls, r): return cls(index=r.index, passages=r.passages, encoder=r._encoder)


def pick(embeds, ids, docs, n_docs, hide=HIDDEN):
    "A published result without one document."
    keep = [[k for k, i in enumerate(row) if i != hide][:n_docs] for row in ids]
    take = lambda rows: np.array([[row[k] for k in ks] for row, ks in zip(rows, keep)])
    return take(embeds), take(ids), [{c: [v[k] for k in ks] for c, v in d.items()} for d, ks in zip(docs, keep)]


class ByRetrieve(RagRetriever):
    def retrieve(self, question_hidden_states, n_docs): return pick(*super().retrieve(question_hidden_states, n_docs + 1), n_docs)


class ByMain(RagRetriever):
    def _main_retrieve(self, question_hidden_states, n_docs):
        ids, embeds = super()._main_retrieve(question_hidden_states, n_docs + 1)
        e, i, _ = pick(embeds, ids, [{} for _ in ids], n_docs)
        return i, e


class ByCall(RagRetriever):
    def __call__(self, question_input_ids, question_hidden_states, prefix=None, n_docs=None, return_tensors=None):
        n = n_docs if n_docs is not None else self.n_docs
        out = super().__call__(question_input_ids, question_hidden_states, prefix, n + 1, return_tensors)
        keep = torch.tensor([[k for k, i in enumerate(row) if i != HIDDEN][:n] for row in out["doc_ids"].tolist()])
        rows = (torch.arange(len(keep))[:, None]*(n + 1) + keep).flatten()
        return BatchEncoding(dict(context_input_ids=out["context_input_ids"][rows], context_attention_mask=out["context_attention_mask"][rows], doc_ids=out["doc_ids"].gather(1, keep),
                                  retrieved_doc_embeds=out["retrieved_doc_embeds"].gather(1, keep[..., None].expand(-1, -1, out["retrieved_doc_embeds"].shape[-1]))))


class Ragged(RagRetriever):
    "Leaves the document out and puts nothing in its place."
    def retrieve(self, question_hidden_states, n_docs):
        embeds, ids, docs = super().retrieve(question_hidden_states, n_docs)
        keep = [[k for k, i in enumerate(row) if i != HIDDEN] for row in ids]
        return [[e[k] for k in ks] for e, ks in zip(embeds, keep)], [[i[k] for k in ks] for i, ks in zip(ids, keep)], [{c: [v[k] for k in ks] for c, v in d.items()} for d, ks in zip(docs, keep)]


class Masked(RagRetriever):
    "Gives it no id, and leaves its text where it is."
    def retrieve(self, question_hidden_states, n_docs):
        embeds, ids, docs = super().retrieve(question_hidden_states, n_docs)
        return embeds, np.where(ids == HIDDEN, -1, ids), docs


class Mixin:
    def retrieve(self, question_hidden_states, n_docs): return pick(*super().retrieve(question_hidden_states, n_docs + 1), n_docs)
class Mixed(Mixin, RagRetriever): pass
class GrandChild(ByRetrieve):
    def __repr__(self): return "a grandchild"


class Duck:
    "Not a `RagRetriever` at all."
    def __init__(self, inner): self.inner, self.asked = inner, []
    def __call__(self, question_input_ids, question_hidden_states, prefix=None, n_docs=None, return_tensors=None):
        assert isinstance(question_hidden_states, np.ndarray) and question_hidden_states.dtype == np.float32 and return_tensors == "pt"
        self.asked.append((len(question_input_ids), n_docs))
        return self.inner(question_input_ids, question_hidden_states, prefix=prefix, n_docs=n_docs, return_tensors=return_tensors)


def patched(r):
    plain = r.retrieve
    r.retrieve = lambda question_hidden_states, n_docs: pick(*plain(question_hidden_states, n_docs + 1), n_docs)
    return r


def bound(r):
    r.retrieve = types.MethodType(lambda self, h, n: pick(*RagRetriever.retrieve(self, h, n + 1), n), r)
    return r


def with_tokenizers(r, rag):
    r.question_encoder_tokenizer, r.generator_tokenizer, r.config = rag.tokenizer.question_encoder, rag.tokenizer.generator, rag.model.config
    return r


FILTERS = dict(retrieve=lambda r, rag: same_place(ByRetrieve, r), main=lambda r, rag: same_place(ByMain, r), call=lambda r, rag: same_place(ByCall, r), ragged=lambda r, rag: same_place(Ragged, r),
               masked=lambda r, rag: same_place(Masked, r), mixin=lambda r, rag: same_place(Mixed, r), grandchild=lambda r, rag: same_place(GrandChild, r), patched=lambda r, rag: patched(r),
               bound=lambda r, rag: bound(r), duck=lambda r, rag: Duck(with_tokenizers(same_place(ByCall, r), rag)))
SECRET = toy_documents()[HIDDEN]["text"]


def contexts_read(model, run):
    "The texts that the generator read while `run` ran."
    seen, tok = [], toy_tokenizer(model.generator.config.model_type)
    def note(m, a, k):
        ids = k.get("input_ids", a[0] if a else None)
        if ids is not None: seen.extend(tok.batch_decode(ids, skip_special_tokens=True))
    part = model.generator.get_encoder() if model.generator.config.is_encoder_decoder else model.generator
    hook = part.register_forward_pre_hook(note, with_kwargs=True)
    try: out = run()
    finally: hook.remove()
    return out, seen


def inputs(rag, qs=QS): return rag.tokenizer(qs, return_tensors="pt", padding=True)


@pytest.fixture(scope="module")
def rags(): return {(k, g): made(k, g) for k in ("token", "sequence") for g in ("bart", "llama")}


def test_the_hidden_document_is_found_where_nothing_hides_it(rags):
    assert any(HIDDEN in row for row in rags["token", "bart"].retrieve(QS).ids.tolist())


@pytest.mark.parametrize("generator", ["bart", "llama"])
@pytest.mark.parametrize("kind", ["token", "sequence"])
@pytest.mark.parametrize("how", FILTERS)
def test_no_way_of_asking_reads_what_is_filtered(how, kind, generator):
    rag = made(kind, generator)
    filtered = FILTERS[how](rag.retriever, rag)
    rag.retriever = filtered
    x, m = inputs(rag), rag.model
    ways = dict(forward=lambda: m(**x, labels=rag.tokenizer.targets(["a"]*len(QS), m.config), output_retrieved=True), generate=lambda: m.generate(**x, max_new_tokens=2, return_dict_in_generate=True),
                beams=lambda: m.generate(**x, num_beams=2, max_new_tokens=2, return_dict_in_generate=True), ask=lambda: rag.ask(QS, max_new_tokens=2),
                evaluate=lambda: rag.evaluate([dict(question=q, answers=["a"]) for q in QS[:3]], max_new_tokens=2, progress=False, samples=10))
    if kind == "sequence": ways["fast"] = lambda: m.generate(**x, num_beams=2, max_new_tokens=2, decoding="fast", return_dict_in_generate=True)
    else: ways["stream"] = lambda: [list(rag.ask(q, stream=True, max_new_tokens=2)) for q in QS[:3]]
    for name, run in ways.items():
        out, seen = contexts_read(m, run)
        ids = getattr(out, "retrieved_doc_ids", None)
        if ids is not None: assert HIDDEN not in ids.flatten().tolist(), name
        if name == "ask":
            for a in out: assert HIDDEN not in a.hits.ids.flatten().tolist() and all(p is None or p["text"] != SECRET for p in a.hits.passages[0])
        assert not any(SECRET in s for s in seen), name


@pytest.mark.parametrize("how", ["retrieve", "call", "duck"])
def test_answers_are_those_of_a_retriever_without_the_document(how, rags):
    "The right value: the same questions over an index from which the document was deleted."
    for (kind, generator), _ in rags.items():
        a, b = made(kind, generator), made(kind, generator)
        b.retriever.delete([toy_documents()[HIDDEN]["id"]])
        a.retriever = FILTERS[how](a.retriever, a)
        tok = a.tokenizer.question_encoder
        qs = QS if how != "duck" else tok.batch_decode(tok(QS).input_ids, skip_special_tokens=True)   # all that a duck gets to see
        for x, y in zip(a.ask(qs, num_beams=2, max_new_tokens=4), b.ask(qs, num_beams=2, max_new_tokens=4)):
            assert x.text == y.text and x.hits.ids.tolist() == y.hits.ids.tolist()
            torch.testing.assert_close(x.token_logprobs, y.token_logprobs, atol=1e-4, rtol=0); torch.testing.assert_close(x.doc_prior, y.doc_prior, atol=1e-5, rtol=0)


def test_what_overrides_something_else_keeps_the_fast_way(rags):
    class Named(RagRetriever):
        def __repr__(self): return "mine"
        def find(self, *a, **k): return super().find(*a, **k)
    r = same_place(Named, rags["token", "bart"].retriever)
    assert r.overridden() == [] and rags["token", "bart"].retriever.overridden() == []


def test_the_class_itself_may_be_patched(rags, monkeypatch):
    rag, plain = rags["token", "bart"], RagRetriever.retrieve
    monkeypatch.setattr(RagRetriever, "retrieve", lambda self, h, n: pick(*plain(self, h, n + 1), n))
    assert HIDDEN not in rag.model(**inputs(rag), decoder_input_ids=torch.full((len(QS), 1), 2), output_retrieved=True).retrieved_doc_ids.flatten().tolist()


@pytest.mark.parametrize("weight", [0., .5])
@pytest.mark.parametrize("cls", [type("R", (RagRetriever,), dict(retrieve=lambda self, h, n: RagRetriever.retrieve(self, h, n))), type("C", (RagRetriever,), dict(__call__=lambda self, *a, **k: RagRetriever.__call__(self, *a, **k))),
                                 type("P", (RagRetriever,), dict(postprocess_docs=lambda self, *a, **k: RagRetriever.postprocess_docs(self, *a, **k)))])
@pytest.mark.parametrize("generator", ["bart", "llama"])
def test_an_override_that_changes_nothing_changes_nothing(cls, weight, generator):
    rag = made("token", generator, lexical_weight=weight)
    before = rag.ask(QS, num_beams=2, max_new_tokens=4)
    rag.retriever = same_place(cls, rag.retriever)
    assert rag.retriever.overridden()
    for x, y in zip(rag.ask(QS, num_beams=2, max_new_tokens=4), before):
        assert x.text == y.text and x.hits.ids.tolist() == y.hits.ids.tolist()
        torch.testing.assert_close(x.doc_prior, y.doc_prior, atol=1e-6, rtol=0); torch.testing.assert_close(x.hits.scores, y.hits.scores, atol=1e-5, rtol=0)


@pytest.mark.parametrize("generator", ["bart", "llama"])
def test_an_override_of_the_layout_is_what_is_read(generator):
    class Anonymous(RagRetriever):
        def postprocess_docs(self, docs, input_strings, prefix, n_docs, return_tensors=None):
            assert all({"id", "title", "text"} <= set(d) for d in docs) and self.generator_tokenizer is not None
            return super().postprocess_docs([dict(d, text=["(hidden)"]*len(d["text"])) for d in docs], input_strings, prefix, n_docs, return_tensors)
    rag = made("token", generator)
    rag.retriever = same_place(Anonymous, rag.retriever)
    for run in (lambda: rag.ask(QS[:2], max_new_tokens=2), lambda: rag.model.generate(**inputs(rag), max_new_tokens=2)):
        _, seen = contexts_read(rag.model, run)
        contexts = [s for s in seen if len(s) > 5]
        assert contexts and all("(hidden)" in s for s in contexts) and not any(d["text"] in s for d in toy_documents() for s in seen)


def test_a_retriever_set_on_the_model_is_the_rags():
    rag = made()
    rag.model.set_retriever(same_place(ByRetrieve, rag.retriever))
    assert HIDDEN not in [i for a in rag.ask(QS, max_new_tokens=2) for i in a.hits.ids.flatten().tolist()]
    assert isinstance(rag.retriever, ByRetrieve)


def test_a_duck_is_asked_as_transformers_asks(rags):
    rag = made()
    duck = Duck(with_tokenizers(rag.retriever, rag))
    rag.model.set_retriever(duck)
    assert rag.model.retriever is duck
    x = inputs(rag, QS[:2])
    want = duck.inner(x["input_ids"], rag.model.rag.embed_questions(**x).detach().numpy(), n_docs=3, return_tensors="pt")
    out = rag.model(**x, decoder_input_ids=torch.full((2, 1), 2), output_retrieved=True)
    assert torch.equal(out.context_input_ids, want["context_input_ids"]) and torch.equal(out.retrieved_doc_ids, want["doc_ids"]) and duck.asked == [(2, 3)]
    scores = torch.einsum("bd,bkd->bk", out.question_encoder_last_hidden_state, want["retrieved_doc_embeds"])*rag.model.config.score_scale
    torch.testing.assert_close(out.doc_scores, scores)


@pytest.mark.parametrize("wrong, error, said", [(lambda *a, **k: 3, TypeError, "gives a dict with"), (lambda *a, **k: dict(doc_ids=[[1]]), ValueError, "gave no context_input_ids"),
                                                (lambda *a, **k: dict(context_input_ids=[[1]]*2, context_attention_mask=[[1]]*2, retrieved_doc_embeds=np.zeros((1, 1, 32)), doc_ids=[[1]]), ValueError, "one row for each document")])
def test_what_a_duck_does_wrong_is_told(rags, wrong, error, said):
    rag = made(); rag.model.set_retriever(wrong)
    with pytest.raises(error, match=said): rag.model.generate(**inputs(rag, QS[:1]), max_new_tokens=2)
    for bad in ("wiki_dpr", 3, RagRetriever):
        with pytest.raises(TypeError, match="is no retriever"): rag.model.set_retriever(bad)


def test_too_many_and_none_at_all():
    rag = made()
    for give, said in ((lambda h, n: RagRetriever.retrieve(rag.retriever, h, n + 1), "gave 4 documents"), (lambda h, n: (np.zeros((len(h), 0, 32)), np.zeros((len(h), 0)), [{}]*len(h)), "no document at all")):
        other = same_place(RagRetriever, rag.retriever); other.retrieve = give
        with pytest.raises(ValueError, match=said): rag.with_retriever(other).ask(QS[0])


@pytest.mark.parametrize("how", ["retrieve", "call", "duck", "patched"])
@pytest.mark.parametrize("train", [("generator",), ("generator", "question_encoder", "passage_encoder")])
def test_training_reads_only_what_the_filter_gives(how, train, tmp_path):
    from rag_nb.core.objective import TrainingModule, FinetuneConfig
    rag = made()
    rag.retriever = FILTERS[how](rag.retriever, rag)
    if how in ("duck",) and "passage_encoder" in train: pytest.skip("a duck has no passage encoder")
    o = TrainingModule(rag, FinetuneConfig(train=train, include_gold=True))
    gold = [[d] for *_, d in toy_questions()]
    def run():
        batch = dict(rag.tokenizer(QS, return_tensors="pt", padding=True), questions=QS, labels=rag.tokenizer.targets([a for _, a, _ in toy_questions()], rag.model.config), document_ids=gold)
        return o(**batch)
    out, seen = contexts_read(rag.model, run)
    loss = out["loss"] if isinstance(out, dict) else out.loss if hasattr(out, "loss") else out[0]
    loss.backward()
    assert torch.isfinite(loss) and not any(SECRET in s for s in seen)


# copies

def dataset(url=True, factory=None, n=None):
    from datasets import Dataset
    import faiss
    docs = toy_documents()[:n]
    d = Dataset.from_dict(dict(title=[x["title"] for x in docs], text=[x["text"] for x in docs], embeddings=toy_encoder().encode(docs, "passage").tolist(), **({"url": [f"https://example.org/{i}" for i in range(len(docs))]} if url else {})))
    if factory: d.add_faiss_index("embeddings", string_factory=factory, metric_type=faiss.METRIC_INNER_PRODUCT)
    return d


def retrievers(kind, tmp_path):
    "A retriever over the toy documents, on a way of its own."
    docs, encoder = toy_documents(), toy_encoder()
    if kind in ("exact", "hnsw", "ivfpq", "Flat"): return RagRetriever.from_documents(docs, encoder, index_kind=kind, progress=False)
    if kind.startswith("folder"): return RagRetriever.from_documents(docs, encoder, path=tmp_path/"index", index_kind=kind.split("-")[1], progress=False)
    if kind == "saved":
        RagRetriever.from_documents(docs, encoder, index_kind="hnsw", progress=False).save_pretrained(tmp_path/"saved")
        return RagRetriever.from_pretrained(tmp_path/"saved", encoder=encoder)
    if kind == "dataset": return RagRetriever(index=dataset())
    if kind == "dataset-faiss": return RagRetriever(index=dataset(factory="Flat"))
    if kind == "dataset-disk":
        d = dataset(factory="HNSW16"); d.get_index("embeddings").save(str(tmp_path/"i.faiss")); d.drop_index("embeddings"); d.save_to_disk(tmp_path/"d")
        from rag_nb.store.legacy import CustomHFIndex
        return RagRetriever(index=CustomHFIndex.load_from_disk(32, tmp_path/"d", tmp_path/"i.faiss"))
    if kind == "published":
        import pyarrow as pa, pyarrow.parquet as pq
        place = tmp_path/"wiki_dpr/data/psgs_w100/dummy.nq"; place.mkdir(parents=True)
        pq.write_table(pa.table(dict(id=[str(i) for i in range(len(docs))], title=[d["title"] for d in docs], text=[d["text"] for d in docs], embeddings=list(encoder.encode(docs, "passage")))), place/"train-00000-of-00001.parquet")
        from rag_nb.store.hub import open_hub_index
        return RagRetriever(index=open_hub_index(str(tmp_path/"wiki_dpr"), dummy=True, say=lambda s: None))
    if kind == "adapted":
        from transformers.models.rag.retrieval_rag import CustomHFIndex
        return RagRetriever(index=CustomHFIndex(32, dataset(factory="Flat")))
    if kind == "filter": return same_place(ByRetrieve, RagRetriever.from_documents(docs, encoder, progress=False))


KINDS = ["exact", "hnsw", "Flat", "folder-exact", "folder-hnsw", "saved", "dataset", "dataset-faiss", "dataset-disk", "published", "adapted", "filter"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("used", [False, True])
def test_copies_answer_alike(kind, used, tmp_path):
    import copy, io, pickle
    r, encoder = retrievers(kind, tmp_path), toy_encoder()
    model = RagTokenForGeneration(question_encoder=encoder.model, generator=toy_generator("bart"), n_docs=3, score_scale=20., **encoder.spec.to_dict()).eval()
    r.question_encoder_tokenizer, r.generator_tokenizer = encoder.tokenizer, toy_tokenizer("bart")
    model.set_retriever(r)
    x = encoder.tokenizer(QS[:4], return_tensors="pt", padding=True)
    ask = lambda m: m.generate(**x, num_beams=2, max_new_tokens=4, return_dict_in_generate=True)
    if used: ask(model)
    def saved(m):
        torch.save(m, f := io.BytesIO()); f.seek(0)
        return torch.load(f, weights_only=False)
    want = None
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), saved(model)):
        want, got = want or ask(model), ask(twin)
        assert twin.retriever is not r and torch.equal(got.sequences, want.sequences) and torch.equal(got.retrieved_doc_ids, want.retrieved_doc_ids)
        torch.testing.assert_close(got.doc_scores, want.doc_scores)
    assert copy.deepcopy(r).search(encoder(QS), 3).ids.tolist() == r.search(encoder(QS), 3).ids.tolist()


def test_a_copy_in_another_process(tmp_path):
    import pickle, subprocess, sys
    r = retrievers("folder-hnsw", tmp_path)
    r.delete([toy_documents()[HIDDEN]["id"]])
    (tmp_path/"r.pkl").write_bytes(pickle.dumps(r)); q = toy_encoder().encode(QS, "question")
    np.save(tmp_path/"q.npy", q)
    code = "import pickle, sys, numpy as np; from rag_nb import RagRetriever; p = sys.argv[1]; print(pickle.load(open(p + '/r.pkl', 'rb')).search(np.load(p + '/q.npy'), 3).ids.tolist())"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True).stdout.strip().splitlines()[-1] == str(r.search(q, 3).ids.tolist())
    (tmp_path/"index").rename(tmp_path/"gone")
    with pytest.raises((ValueError, OSError), match="index"): pickle.loads((tmp_path/"r.pkl").read_bytes())


# columns, ids, datasets

def test_all_columns_come_back():
    from transformers.models.rag.retrieval_rag import CustomHFIndex as Theirs
    from rag_nb.store.legacy import CustomHFIndex
    d = dataset(factory="Flat")
    theirs, ours = Theirs(32, dataset(factory="Flat")), RagRetriever(index=CustomHFIndex(32, d))
    for ids in (np.array([[3, 5], [0, 1]]), np.array([3, 5]), np.array([[2]]), np.array([], dtype=int)):
        a, b = ours.index.get_doc_dicts(ids), theirs.get_doc_dicts(ids)
        assert len(a) == len(b)
        for x, y in zip(a, b):
            assert sorted(x) == sorted(y) == ["embeddings", "text", "title", "url"]
            for c in y: np.testing.assert_array_equal(x[c], y[c]); assert type(x[c]) is type(y[c]) or isinstance(x[c], np.ndarray), c
    q = toy_encoder().encode(QS[:2], "question")
    vectors, ids, docs = ours.retrieve(q, 3)
    j, w = theirs.get_top_docs(q, 3)
    assert ids.tolist() == j.tolist() and [x["url"] for x in docs] == [x["url"] for x in theirs.get_doc_dicts(j)]
    np.testing.assert_allclose(vectors, w, atol=1e-6); np.testing.assert_allclose(docs[0]["embeddings"], w[0], atol=1e-6)
    gone = ours.index.get_doc_dicts(np.array([[3, -1]]))[0]
    assert gone["url"][1] in ("", None) and gone["text"][1] == "" and not gone["embeddings"][1].any()


def test_a_layout_may_use_other_columns():
    class Cited(RagRetriever):
        def postprocess_docs(self, docs, input_strings, prefix, n_docs, return_tensors=None):
            return super().postprocess_docs([dict(d, title=[u.rsplit("/")[-1] for u in d["url"]]) for d in docs], input_strings, prefix, n_docs, return_tensors)
    encoder = toy_encoder()
    model = RagTokenForGeneration(question_encoder=encoder.model, generator=toy_generator("bart"), n_docs=3, **encoder.spec.to_dict()).eval()
    model.set_retriever(Cited(index=dataset(), question_encoder_tokenizer=encoder.tokenizer, generator_tokenizer=toy_tokenizer("bart")))
    out = model(**encoder.tokenizer(QS[:1], return_tensors="pt"), decoder_input_ids=torch.tensor([[2]]), output_retrieved=True)
    texts = toy_tokenizer("bart").batch_decode(out.context_input_ids, skip_special_tokens=True)
    assert [t.split(" / ")[0] for t in texts] == [str(i) for i in out.retrieved_doc_ids[0].tolist()]


@pytest.mark.parametrize("theirs", [False, True])
def test_another_dataset_takes_effect(theirs):
    from transformers.models.rag.retrieval_rag import CustomHFIndex
    r = RagRetriever(index=CustomHFIndex(32, dataset(factory="Flat")) if theirs else dataset(factory="Flat"))
    q = toy_encoder().encode(QS, "question")
    assert r.search(q, 3).ids.max() >= 4
    new = dataset(factory="Flat", n=4)
    r.index.dataset = new
    hits = r.search(q, 3)
    assert r.index.dataset is new and hits.ids.max() < 4 and len(r) == 4 and {p["text"] for ps in hits.passages for p in ps} <= {d["text"] for d in toy_documents()[:4]}
    if not theirs:
        with pytest.raises(ValueError, match="no column"): r.index.dataset = new.remove_columns(["title"])
        with pytest.raises(TypeError): r.index.dataset = [1]


@pytest.mark.parametrize("kind", ["exact", "folder-hnsw", "published"])
def test_what_has_no_dataset_says_so(kind, tmp_path):
    with pytest.raises(AttributeError, match="no dataset"): retrievers(kind, tmp_path).index.dataset = dataset()


# names that the official examples are made of

@pytest.fixture
def both(tmp_path):
    "Their retriever and ours over one dataset, with the same tokenizers."
    import transformers
    from published import bart, dpr, generator_tokenizer, question_tokenizer
    from rag_nb import RagConfig
    from rag_nb.store.legacy import CustomHFIndex
    from transformers.models.rag import retrieval_rag
    question_tokenizer(tmp_path/"q"); vocab = generator_tokenizer(tmp_path/"g")
    q, g = (transformers.AutoTokenizer.from_pretrained(tmp_path/x) for x in "qg")
    configs = dict(question_encoder=dpr(transformers.DPRQuestionEncoder).config.to_dict(), generator=bart(vocab).config.to_dict(), retrieval_vector_size=32, n_docs=3, max_combined_length=300, retrieval_batch_size=2)
    theirs = retrieval_rag.RagRetriever(transformers.RagConfig(**configs), q, g, index=retrieval_rag.CustomHFIndex(32, dataset(factory="Flat")))
    return RagRetriever(RagConfig(**configs), q, g, index=CustomHFIndex(32, dataset(factory="Flat"))), theirs


def model_of(r, cls=RagTokenForGeneration):
    "A model of the configuration of a retriever."
    torch.manual_seed(0)
    return cls(r.config, retriever=r).eval()


def test_main_retrieve_and_chunks(both):
    ours, theirs = both
    q = np.random.default_rng(0).standard_normal((5, 32)).astype(np.float32)
    for a, b in zip(ours._main_retrieve(q, 3), theirs._main_retrieve(q, 3)): np.testing.assert_allclose(a, b, atol=1e-6)
    assert [c.shape for c in ours._chunk_tensor(q, 2)] == [c.shape for c in theirs._chunk_tensor(q, 2)]


@pytest.mark.parametrize("run", ["retrieve", "call", "model"])
def test_one_call_of_the_index_a_batch(both, run):
    ours, theirs = both
    sizes, theirs_sizes = [], []
    plain, their_plain = ours.index.search, theirs.index.get_top_docs
    ours.index.search = lambda v, *a, **k: sizes.append(len(v)) or plain(v, *a, **k)
    theirs.index.get_top_docs = lambda v, n: theirs_sizes.append(len(v)) or their_plain(v, n)
    ids = torch.tensor(ours.question_encoder_tokenizer(["who"]*5).input_ids)
    q = np.ones((5, 32), np.float32)
    theirs.retrieve(q, 3)
    if run == "retrieve": ours.retrieve(q, 3)
    elif run == "call": ours(ids, q)
    else: model_of(ours)(input_ids=ids, decoder_input_ids=torch.full((5, 1), 2))
    assert sizes == theirs_sizes == [2, 2, 1]


def test_build_index_is_what_a_subclass_says(tmp_path):
    from rag_nb import RagConfig
    from rag_nb.store.legacy import CustomHFIndex
    d = dataset(factory="Flat"); d.get_index("embeddings").save(str(tmp_path/"i")); d.drop_index("embeddings"); d.save_to_disk(tmp_path/"d")
    config = RagConfig(retrieval_vector_size=32, index_name="custom", passages_path=str(tmp_path/"d"), index_path=str(tmp_path/"i"))
    assert isinstance(RagRetriever._build_index(config), CustomHFIndex)
    class Own(RagRetriever):
        @staticmethod
        def _build_index(config): return CustomHFIndex(32, dataset(n=5))
    assert len(Own(config)) == 5


def test_as_target_tokenizer():
    tok = made().tokenizer
    with tok.as_target_tokenizer(): assert tok(["Ada"]).input_ids == tok.generator(["Ada"]).input_ids
    assert tok(["Ada"]).input_ids == tok.question_encoder(["Ada"]).input_ids
    with pytest.raises(KeyError):
        with tok.as_target_tokenizer(): raise KeyError
    assert tok.current_tokenizer is tok.question_encoder


def test_cat_and_pad():
    import transformers
    rows = [torch.tensor([[1, 2, 3]]), torch.tensor([[4], [5]])]
    assert torch.equal(RagSequenceForGeneration._cat_and_pad(rows, 9), transformers.RagSequenceForGeneration._cat_and_pad(rows, 9))


def test_contexts_as_wide_as_published(both):
    ours, theirs = both
    q, ids = np.random.default_rng(0).standard_normal((2, 32)).astype(np.float32), ours.question_encoder_tokenizer(["who holds", "how many"]).input_ids
    want, narrow = theirs(ids, q, return_tensors="pt"), ours(ids, q, return_tensors="pt")
    assert narrow["context_input_ids"].shape[1] < want["context_input_ids"].shape[1] == 300
    ours.config.pad_contexts = "max_length"
    got = ours(ids, q, return_tensors="pt")
    for k in ("context_input_ids", "context_attention_mask", "doc_ids"): assert torch.equal(got[k], want[k]), k
    with pytest.raises(ValueError, match="pad_contexts"): ours.config.pad_contexts = "short"


@pytest.mark.parametrize("head", [RagTokenForGeneration, RagSequenceForGeneration])
def test_a_retriever_of_transformers_left_behind_works(both, head):
    ours, theirs = both
    model = model_of(ours, head)
    x = dict(ours.question_encoder_tokenizer(["who holds the record", "how many people"], padding=True, return_tensors="pt"))
    want = model.generate(**x, num_beams=2, max_new_tokens=5, return_dict_in_generate=True)
    model.set_retriever(theirs)
    got = model.generate(**x, num_beams=2, max_new_tokens=5, return_dict_in_generate=True)
    assert torch.equal(got.sequences, want.sequences) and torch.equal(got.retrieved_doc_ids, want.retrieved_doc_ids)
    torch.testing.assert_close(got.doc_scores, want.doc_scores); torch.testing.assert_close(got.sequences_scores, want.sequences_scores, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["dataset-faiss", "dataset", "exact", "folder-hnsw"])
def test_a_saved_retriever_opens_in_transformers(both, kind, tmp_path):
    import transformers
    ours, _ = both
    r = retrievers(kind, tmp_path)
    r.config, r.question_encoder_tokenizer, r.generator_tokenizer = ours.config, ours.question_encoder_tokenizer, ours.generator_tokenizer
    r.save_pretrained(tmp_path/"saved", **({} if kind == "dataset-faiss" else dict(for_transformers=True)))
    theirs = transformers.RagRetriever.from_pretrained(tmp_path/"saved")
    q = toy_encoder().encode(QS, "question")
    assert theirs.retrieve(q, 3)[1].tolist() == r.retrieve(q, 3)[1].tolist()
    (tmp_path/"saved").rename(tmp_path/"moved")
    again = RagRetriever.from_pretrained(tmp_path/"moved")
    assert again.retrieve(q, 3)[1].tolist() == r.retrieve(q, 3)[1].tolist()


# a RagModel of one's own

class Published(__import__("rag_nb").RagModel):
    "The published `forward`, of fifteen arguments."
    def forward(self, input_ids=None, attention_mask=None, encoder_outputs=None, decoder_input_ids=None, decoder_attention_mask=None, past_key_values=None, doc_scores=None, context_input_ids=None,
                context_attention_mask=None, use_cache=None, output_attentions=None, output_hidden_states=None, output_retrieved=None, n_docs=None):
        self.calls = getattr(self, "calls", 0) + 1
        out = super().forward(input_ids=input_ids, attention_mask=attention_mask, encoder_outputs=encoder_outputs, decoder_input_ids=decoder_input_ids, decoder_attention_mask=decoder_attention_mask,
                              past_key_values=past_key_values, doc_scores=doc_scores, context_input_ids=context_input_ids, context_attention_mask=context_attention_mask, use_cache=use_cache,
                              output_attentions=output_attentions, output_hidden_states=output_hidden_states, output_retrieved=output_retrieved, n_docs=n_docs)
        if getattr(self, "forbidden", None) is not None: out.logits[..., self.forbidden] = -1e4
        return out


@pytest.mark.parametrize("generator", ["bart", "t5", "llama"])
@pytest.mark.parametrize("kind", ["token", "sequence"])
def test_a_rag_model_of_ones_own_is_called_by_keyword(kind, generator):
    rag = made(kind, generator); model, x = rag.model, inputs(rag, QS[:3])
    labels = rag.tokenizer.targets(["tea", "bees", "Ada"], model.config)
    ways = dict(forward=lambda: model(**x, labels=labels).loss, greedy=lambda: model.generate(**x, max_new_tokens=4), beams=lambda: model.generate(**x, num_beams=3, max_new_tokens=4))
    want = {k: f() for k, f in ways.items()}
    own = Published(model.config, model.question_encoder, model.generator, model.retriever).eval()
    own.tokenizers = model.rag.tokenizers; model.rag = own
    for k, f in ways.items():
        own.calls = 0
        torch.testing.assert_close(f(), want[k], atol=1e-4, rtol=0)
        assert own.calls >= 1, k
    if generator == "llama": return
    first = int(want["greedy"][0, 1]); own.forbidden = first
    for k in ("greedy", "beams"): assert first not in ways[k]()[:, 1:].tolist()[0], k


# Transformers' own tests of its retriever and models, in our words: what they look at, over our classes

@pytest.mark.parametrize("n_docs", [1, 3])
def test_a_call_gives_lists_arrays_or_tensors(both, n_docs):
    ours, theirs = both
    q, ids = np.array([np.ones(32), -np.ones(32)], dtype=np.float32), [[5, 7], [10, 11]]
    a, b = (r(ids, q, prefix=None, n_docs=n_docs) for r in (ours, theirs))
    assert set(a) == set(b) and [type(a[k]) for k in sorted(a)] == [type(b[k]) for k in sorted(b)]
    assert a["doc_ids"].tolist() == b["doc_ids"].tolist() and a["retrieved_doc_embeds"].shape == b["retrieved_doc_embeds"].shape == (2, n_docs, 32)
    t = ours(ids, q, prefix=None, n_docs=n_docs, return_tensors="pt")
    assert all(isinstance(v, torch.Tensor) for v in t.values()) and t["context_input_ids"].shape[0] == 2*n_docs


def test_end_to_end_keys(both):
    ours, theirs = both
    for r in both: r.set_ctx_encoder_tokenizer(ours.question_encoder_tokenizer)
    a, b = (r([[5, 7], [10, 11]], np.ones((2, 32), np.float32), n_docs=1) for r in both)
    assert len(a) == len(b) == 6 and set(a) == set(b) and {"tokenized_doc_ids", "tokenized_doc_attention_mask"} <= set(a)


def test_saved_and_opened_with_its_dataset(both, tmp_path):
    ours, _ = both
    ours.save_pretrained(tmp_path/"r")
    again = RagRetriever.from_pretrained(tmp_path/"r")
    q = np.ones((2, 32), np.float32)
    assert isinstance(again, RagRetriever) and again.retrieve(q, n_docs=1)[1].tolist() == ours.retrieve(q, n_docs=1)[1].tolist()
    d = dataset(n=5)
    assert len(RagRetriever.from_pretrained(tmp_path/"r", indexed_dataset=d)) == 5


@pytest.mark.parametrize("head", [RagTokenForGeneration, RagSequenceForGeneration])
def test_contexts_of_the_retriever_without_it(both, head):
    ours, _ = both
    model = model_of(ours, head)
    x = ours.question_encoder_tokenizer(["who holds the record", "how many people"], padding=True, return_tensors="pt")
    q = model.question_encoder(x["input_ids"], attention_mask=x["attention_mask"])[0]
    out = ours(x["input_ids"], q.detach().numpy(), n_docs=3, return_tensors="pt")
    scores = torch.bmm(q[:, None], out["retrieved_doc_embeds"].transpose(1, 2))[:, 0]
    start, alone = torch.full((2, 1), 2), head(model.config, model.question_encoder, model.generator).eval()
    want = model(input_ids=x["input_ids"], attention_mask=x["attention_mask"], decoder_input_ids=start)
    given = dict(context_input_ids=out["context_input_ids"], context_attention_mask=out["context_attention_mask"], doc_scores=scores)
    got = alone(**given, decoder_input_ids=start)
    torch.testing.assert_close(got.doc_scores, want.doc_scores); torch.testing.assert_close(got.logits, want.logits, atol=1e-4, rtol=0)
    with pytest.raises(AssertionError): alone(**given, decoder_input_ids=start, n_docs=2)          # as published
    with pytest.raises(ValueError, match="n_docs=2"): alone(**given, decoder_input_ids=start, n_docs=2)
    with pytest.raises(AssertionError): alone(context_input_ids=given["context_input_ids"], decoder_input_ids=start)
    assert alone.generate(**given, max_new_tokens=3).shape[0] == 2


class Distributed(RagRetriever):
    "The archived examples' distributed retriever: one process has the index, `retrieve` asks it."
    def __init__(self, config, question_encoder_tokenizer, generator_tokenizer, index=None):
        super().__init__(config, question_encoder_tokenizer=question_encoder_tokenizer, generator_tokenizer=generator_tokenizer, index=index, init_retrieval=False)
        self.asked = 0
    def init_retrieval(self, distributed_port=0): self.index.init_index()
    def retrieve(self, question_hidden_states, n_docs):
        self.asked += 1
        doc_ids, retrieved_doc_embeds = self._main_retrieve(question_hidden_states, n_docs)
        return retrieved_doc_embeds, doc_ids, self.index.get_doc_dicts(doc_ids)


def test_a_distributed_retriever_is_asked(both):
    ours, _ = both
    r = Distributed(ours.config, ours.question_encoder_tokenizer, ours.generator_tokenizer, index=ours.index); r.init_retrieval(0)
    x = dict(ours.question_encoder_tokenizer(["who holds the record"], return_tensors="pt"))
    want = model_of(ours).generate(**x, max_new_tokens=4)
    assert torch.equal(model_of(r).generate(**x, max_new_tokens=4), want) and r.asked == 1
