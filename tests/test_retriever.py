"The retriever: what is saved is what was there, the surface that published code calls, and folders that several have open."
import inspect
import numpy as np, pytest, torch, transformers
from transformers.models.rag import retrieval_rag
from published import bart, dpr, generator_tokenizer, question_tokenizer
from rag_nb.core.answer import Rag
from rag_nb.core.config import RagConfig
from rag_nb.store.folder import IndexFolder, IndexFolderError
from rag_nb.core.index import Vectors, make_index
from rag_nb.core.passages import Passages
from rag_nb.core.retriever import RagRetriever
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

Q = [q for q, *_ in toy_questions()[:2]]
MATE = dict(id="mate", title="Mate", text="Mate is a drink made from the dried leaves of a South American holly.")


def built(**kw): return RagRetriever.from_documents(toy_documents(), toy_encoder(), progress=False, **kw)
def found(r): return r.find(Q, 3).ids.tolist()


# what is saved is what was there

KINDS = [("exact", {}), ("hnsw", dict(ef_search=48)), ("faiss", dict(factory="HNSW16", ef_search=32)), ("faiss", dict(factory="IVF2,Flat", nprobe=2))]


@pytest.mark.parametrize("kind, params", KINDS, ids=[p.get("factory", k) for k, p in KINDS])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("kept", [False, True])
def test_kind_parameters_and_dtype_survive(tmp_path, kind, params, dtype, kept):
    r = built(index_kind=kind, vector_dtype=dtype, path=tmp_path/"built" if kept else None, **params)
    assert all(s.dtype == np.dtype(dtype) for s in r.index.stored.segments)
    r.save_pretrained(tmp_path/"saved")
    again = RagRetriever.from_pretrained(tmp_path/"saved", encoder=toy_encoder())
    assert again.index.kind == kind and again.index.params == params and type(again.index) is type(r.index)
    assert again.folder.vectors[0].dtype == np.dtype(dtype) and found(again) == found(r)
    again.delete(toy_documents()[3]["id"]); again.add([MATE], progress=False)
    again.save_pretrained(tmp_path/"twice")
    twice = RagRetriever.from_pretrained(tmp_path/"twice", encoder=toy_encoder())
    assert twice.folder.manifest["index"]["params"] == params and twice.folder.vectors[0].dtype == np.dtype(dtype)
    assert found(twice) != [] and twice.find("Mate", 3).documents() and len(twice) == len(twice.index) == len(toy_documents())
    assert [d["id"] for d in twice.find(MATE["text"], 5).documents()] == [d["id"] for d in again.find(MATE["text"], 5).documents()]


def test_saving_copies_vectors_piece_by_piece(tmp_path, monkeypatch):
    r = built()
    r.delete(toy_documents()[0]["id"])
    def taken(self, ids, *a, **k): raise AssertionError(f"{len(ids)} vectors at once")
    with monkeypatch.context() as m:
        m.setattr(Vectors, "take", taken); m.setattr(Passages, "select", taken)
        r.save_pretrained(tmp_path/"saved")
    again = RagRetriever.from_pretrained(tmp_path/"saved", encoder=toy_encoder())
    assert len(again) == len(r) and [d["id"] for d in again.find(Q[0], 5).documents()] == [d["id"] for d in r.find(Q[0], 5).documents()]


def test_a_factory_string_is_a_kind(tmp_path):
    r = built(index_kind="HNSW16", path=tmp_path/"index")
    assert (r.index.kind, r.index.factory) == ("faiss", "HNSW16") and found(RagRetriever.from_pretrained(tmp_path/"index", encoder=toy_encoder())) == found(r)


@pytest.mark.parametrize("kw, error, said", [
    (dict(index_kind="hnws"), ValueError, "hnws.*hnsw"), (dict(index_kind="HNSWx"), ValueError, "HNSWx"), (dict(index_kind="faiss", factory="nothing"), ValueError, "nothing"),
    (dict(index_kind="hnsw", ef_serch=3), TypeError, "'ef_serch'.*'ef_search'"), (dict(nprobe=3), TypeError, "nprobe"), (dict(vector_dtype="int8"), ValueError, "int8"), (dict(n_word=3), TypeError, "'n_word'.*'n_words'")])
@pytest.mark.parametrize("kept", [False, True])
def test_mistakes_come_before_the_work(tmp_path, kw, error, said, kept):
    encoder = toy_encoder()
    encoder.encode = lambda *a, **k: pytest.fail("embedded before it was checked")
    with pytest.raises(error, match=said): RagRetriever.from_documents(toy_documents(), encoder, path=tmp_path/"x" if kept else None, progress=False, **kw)


def test_torch_names_of_dtypes():
    assert built(vector_dtype=torch.float16).index.stored.segments[0].dtype == built(vector_dtype=np.float16).index.stored.segments[0].dtype == np.float16


def test_nothing_left_to_save(tmp_path):
    r = built()
    r.delete([d["id"] for d in toy_documents()])
    with pytest.raises(ValueError, match="every document was deleted"): r.save_pretrained(tmp_path/"saved")
    assert not (tmp_path/"saved").exists()


def test_an_index_without_an_encoder_is_saved_as_one(tmp_path):
    bare = RagRetriever(index=make_index("exact", np.eye(2, 32, dtype=np.float32)), passages=Passages.from_documents(["one", "two"]))
    bare.save_pretrained(tmp_path/"bare")
    again = RagRetriever.from_pretrained(tmp_path/"bare")
    assert again.encoder_provenance is None and again.search(torch.eye(2, 32), 1).ids.tolist() == [[0], [1]]
    with pytest.raises(ValueError, match="nobody wrote down"): again.find("one")


# the published surface

def test_every_name_and_argument_of_transformers():
    theirs = retrieval_rag.RagRetriever
    names = [n for n in dir(theirs) if not n.startswith("_")] + ["__init__", "__call__"]
    for n in names:
        ours, want = (list(inspect.signature(getattr(c, n)).parameters.values()) for c in (RagRetriever, theirs))
        want = [p for p in want if p.kind is not p.VAR_KEYWORD]
        assert [p.name for p in ours[:len(want)]] == [p.name for p in want], n                # same names, same places
        assert not [p.name for p in ours[len(want):] if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)], n


class Own(retrieval_rag.Index):
    "A user's index class, written for Transformers."
    def __init__(self, dim=32, n=6): self.dim, self.x = dim, np.random.default_rng(0).standard_normal((n, dim)).astype(np.float32)
    def get_doc_dicts(self, ids): return [dict(title=[f'"t{i}"' if i % 2 else f"t{i}" for i in row], text=[f"the  text {i}" for i in row]) for row in ids]
    def get_top_docs(self, q, n_docs=5):
        ids = np.argsort(-q @ self.x.T, axis=1)[:, :n_docs]
        return ids, self.x[ids]
    def is_initialized(self): return True
    def init_index(self): pass


@pytest.fixture
def pair(tmp_path):
    "Our retriever and theirs over one index, with the same configuration and tokenizers."
    question_tokenizer(tmp_path/"q"); vocab = generator_tokenizer(tmp_path/"g")
    q, g = (transformers.AutoTokenizer.from_pretrained(tmp_path/x) for x in "qg")
    configs = dict(question_encoder=dpr(transformers.DPRQuestionEncoder).config.to_dict(), generator={**bart(vocab).config.to_dict(), "prefix": "how "}, retrieval_vector_size=32, n_docs=3, max_combined_length=60)
    index = Own()
    ours = RagRetriever(RagConfig(**configs), q, g, index=index)
    theirs = retrieval_rag.RagRetriever.__new__(retrieval_rag.RagRetriever)
    theirs.__dict__.update(index=index, generator_tokenizer=g, question_encoder_tokenizer=q, config=transformers.RagConfig(**configs), n_docs=3, batch_size=8, ctx_encoder_tokenizer=None, return_tokenized_docs=False)
    return ours, theirs, q


def same_tokens(a, b, mask_a, mask_b):
    for x, y, m, n in zip(*(np.asarray(v).tolist() for v in (a, b, mask_a, mask_b))): assert [t for t, k in zip(x, m) if k] == [t for t, k in zip(y, n) if k]


@pytest.mark.parametrize("tensors", [None, "np", "pt"])
@pytest.mark.parametrize("kw", [{}, dict(n_docs=2), dict(prefix="who ")])
@pytest.mark.parametrize("trained", [False, True])
def test_the_call_gives_what_transformers_gives(pair, tensors, kw, trained):
    ours, theirs, tok = pair
    if trained:
        for r in (ours, theirs): r.set_ctx_encoder_tokenizer(ctx_encoder_tokenizer=tok)
    ids = tok(["who holds the record", "how many people"], padding=True).input_ids
    q = np.random.default_rng(1).standard_normal((2, 32)).astype(np.float32)
    a, b = (r(ids, q, return_tensors=tensors, **kw) for r in (ours, theirs))
    assert set(a) == set(b)
    kind = {None: (list, np.ndarray), "np": (np.ndarray,)*2, "pt": (torch.Tensor,)*2}[tensors]
    for k in b: assert isinstance(a[k], kind[k.endswith(("embeds", "doc_ids")) and not k.startswith("tok")]) and isinstance(a[k], type(b[k])), k
    same_tokens(a["context_input_ids"], b["context_input_ids"], a["context_attention_mask"], b["context_attention_mask"])
    np.testing.assert_allclose(np.asarray(a["retrieved_doc_embeds"]), np.asarray(b["retrieved_doc_embeds"]))
    assert np.asarray(a["doc_ids"]).tolist() == np.asarray(b["doc_ids"]).tolist()
    if trained:
        for k in ("tokenized_doc_ids", "tokenized_doc_attention_mask"): assert np.asarray(a[k]).tolist() == np.asarray(b[k]).tolist(), k


def test_retrieve_and_postprocess_docs(pair):
    ours, theirs, _ = pair
    q = np.random.default_rng(1).standard_normal((2, 32)).astype(np.float32)
    (x, i, d), (y, j, e) = (r.retrieve(question_hidden_states=q, n_docs=3) for r in (ours, theirs))
    assert i.tolist() == j.tolist() and [{k: row[k] for k in ("title", "text")} for row in d] == e
    np.testing.assert_allclose(x, y)
    for tensors in (None, "np", "pt"):
        a, b = (r.postprocess_docs(docs=e, input_strings=["who?", "what?"], prefix=None, n_docs=2, return_tensors=tensors) for r in (ours, theirs))
        same_tokens(a[0], b[0], a[1], b[1])
    with pytest.raises(ValueError, match="return_tensors.*'tf'"): ours.postprocess_docs(e, ["who?", "what?"], None, 2, "tf")


def test_attributes_that_published_code_reads(pair):
    ours, theirs, _ = pair
    for n in vars(theirs): assert hasattr(ours, n), n
    assert (ours.n_docs, ours.batch_size, ours.return_tokenized_docs) == (3, 8, False)
    ours.n_docs = 2
    assert ours(ours.question_encoder_tokenizer(["who"]).input_ids, np.ones((1, 32), np.float32))["doc_ids"].shape == (1, 2)


def test_a_call_without_tokenizers_says_so():
    with pytest.raises(ValueError, match="question_encoder_tokenizer"): built()([[1, 2]], np.ones((1, 32), np.float32))


def test_from_pretrained_by_its_published_argument_names(tmp_path):
    built().save_pretrained(tmp_path/"index")
    assert len(RagRetriever.from_pretrained(retriever_name_or_path=tmp_path/"index")) == len(toy_documents())
    with pytest.raises(TypeError, match="encoder="): RagRetriever.from_pretrained(tmp_path/"index", toy_encoder())
    assert RagRetriever.from_pretrained(tmp_path/"index", n_docs=2).config.n_docs == 2
    with pytest.raises(TypeError, match="'n_doc'.*'n_docs'"): RagRetriever.from_pretrained(tmp_path/"index", n_doc=2)


# a folder that a Rag was saved in, and folders that several have open

def rag(**kw): return Rag.from_documents(toy_documents(), generator=(toy_generator("bart"), toy_tokenizer("bart")), encoder=toy_encoder(), progress=False, n_docs=3, **kw)


def test_the_index_in_a_saved_rag_is_found(tmp_path):
    r = rag(); r.save_pretrained(tmp_path/"rag")
    again = RagRetriever.from_pretrained(tmp_path/"rag", encoder=toy_encoder())
    assert found(again) == found(r.retriever) and again.config.n_docs == 3
    assert again.question_encoder_tokenizer is not None and again.generator_tokenizer is not None
    q = toy_encoder().encode(Q[:1], "question")
    assert again(again.question_encoder_tokenizer(Q[:1]).input_ids, q)["doc_ids"].shape == (1, 3)
    again.add([MATE], progress=False)
    assert len(Rag.from_pretrained(tmp_path/"rag").retriever) == len(toy_documents()) + 1


def test_an_index_is_opened_once(tmp_path, monkeypatch):
    opened, real = [], IndexFolder.index
    monkeypatch.setattr(IndexFolder, "index", lambda self, *a, **k: opened.append(self) or real(self, *a, **k))
    whole, init = [], IndexFolder.__init__
    monkeypatch.setattr(IndexFolder, "__init__", lambda self, path, manifest, verify=None: whole.append(verify) or init(self, path, manifest, verify))
    built(path=tmp_path/"index"); assert len(opened) == 1 and len(whole) == 1
    opened.clear(); whole.clear(); r = RagRetriever.from_pretrained(tmp_path/"index", encoder=toy_encoder()); assert len(opened) == len(whole) == 1
    opened.clear(); whole.clear(); r.add([MATE], progress=False); assert len(opened) == 1 and None not in whole and True not in whole   # not every file summed again


def test_two_retrievers_add_the_same_document(tmp_path):
    a = built(path=tmp_path/"index")
    b = RagRetriever.from_pretrained(tmp_path/"index", encoder=toy_encoder())
    a.add([MATE], progress=False)
    with pytest.raises(ValueError, match="'mate' is in the index already"): b.add([MATE], progress=False)
    b.add([dict(id="tea2", text="More about tea.")], progress=False)                       # and what the other did is seen
    b.delete("mate"); a.add([MATE], progress=False)
    ids = RagRetriever.from_pretrained(tmp_path/"index").passages.column("document")
    assert ids.count("tea2") == 1 and len(RagRetriever.from_pretrained(tmp_path/"index")) == len(toy_documents()) + 2


def test_the_other_adds_while_this_one_embeds(tmp_path):
    "Between the look and the writing there is the embedding, which may take hours."
    a = built(path=tmp_path/"index")
    b = RagRetriever.from_pretrained(tmp_path/"index", encoder=toy_encoder())
    real = b.encoder.encode
    def encode(rows, *args, **kw):
        if a is not None and any(isinstance(r, dict) and r.get("document") == "mate" for r in rows) and not done: done.append(a.add([MATE], progress=False))
        return real(rows, *args, **kw)
    done, b.encoder.encode = [], encode
    with pytest.raises(IndexFolderError, match="'mate' is in the index already"): b.add([MATE, dict(id="other", text="Other.")], progress=False)
    r = RagRetriever.from_pretrained(tmp_path/"index", verify=True)
    assert done and r.passages.column("document").count("mate") == 1 and "other" not in r.passages.column("document")
    b.encoder.encode = real; b.add([dict(id="other", text="Other.")], progress=False)
    assert len(b) == len(toy_documents()) + 2


def test_documents_without_ids_from_two_places(tmp_path):
    a = built(path=tmp_path/"index")
    b = RagRetriever.from_pretrained(tmp_path/"index", encoder=toy_encoder())
    a.add(["One more."], progress=False); b.add(["And another."], progress=False)
    ids = RagRetriever.from_pretrained(tmp_path/"index").passages.column("document")
    assert len(ids) == len(set(ids)) == len(toy_documents()) + 2


def test_a_deleted_documents_id_is_free_again(tmp_path):
    for r in (built(), built(path=tmp_path/"index")):
        r.add([MATE], progress=False); r.delete("mate"); r.add([dict(MATE, text="Mate, again.")], progress=False)
        assert "Mate, again." in [d["text"] for d in r.find("Mate, again.", len(r)).documents()]
        r.delete("mate"); assert len(r) == len(toy_documents())


def test_what_a_retriever_says_of_itself(pair):
    assert repr(pair[0]) == "RagRetriever(any number of passages, adapted index, ? dimensions)"
    assert repr(RagRetriever()) == "RagRetriever(no index)" and "11 passages, exact index, 32" in repr(built()).replace(str(len(toy_documents())), "11")
