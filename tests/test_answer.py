"""The front door: answers, what they hold, what must not change them, and what rubbish is told."""
import copy, pickle
import pytest, torch
from rag_nb.answer import Answer, Rag
from rag_nb.passages import Hits
from rag_nb.retriever import RagRetriever
from rag_nb.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

KINDS = ["bart", "t5", "llama", "gpt2"]
QUESTIONS = [q for q, *_ in toy_questions()[:3]] + ["Why?"]


def rag(kind="bart", **kw):
    return Rag.from_documents(toy_documents(), generator=(toy_generator(kind), toy_tokenizer(kind)), question_encoder=toy_encoder(), progress=False, n_docs=3, **kw)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", ["token", "sequence"])
def test_shapes_and_sums(kind, head):
    a = rag(kind).ask(QUESTIONS[0], kind=head, num_beams=2, max_new_tokens=6)
    T, K = len(a.tokens), a.hits.shape[1]
    assert a.kind == head and "".join(a.tokens).strip() == a.text
    for x, shape in ((a.token_logprobs, (T,)), (a.doc_prior, (K,)), (a.doc_posterior, (T, K)), (a.running_posterior, (T, K))):
        assert tuple(x.shape) == shape and x.dtype == torch.float32 and x.device.type == "cpu"
    for p in (a.doc_prior, a.doc_posterior, a.running_posterior): assert (p.sum(-1) - 1).abs().max() < 1e-5
    assert a.logprob <= float(a.token_logprobs.sum()) + 1e-4                       # the end token counts, too
    for c in a.citations: assert a.text[c.start:c.end] == c.text and 0 < c.probability <= 1 and c.title == a.hits.passages[0][c.doc]["title"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", ["token", "sequence"])
def test_batch_and_one_by_one(kind, head):
    r = rag(kind)
    kw = dict(kind=head, num_beams=2, max_new_tokens=5)
    for a, b in zip(r.ask(QUESTIONS, batch_size=3, **kw), [r.ask(q, **kw) for q in QUESTIONS]):
        assert a.text == b.text and a.hits.ids.tolist() == b.hits.ids.tolist()
        torch.testing.assert_close(a.doc_posterior, b.doc_posterior, atol=1e-4, rtol=0)
        assert abs(a.logprob - b.logprob) < 1e-4


def test_given_hits_are_read_instead_of_searching():
    r = rag()
    hits, _ = r.find([QUESTIONS[0]])
    turn = [2, 0, 1]
    a, b = r.ask(QUESTIONS[0], hits=hits, max_new_tokens=5), r.ask(QUESTIONS[0], hits=hits.keep(turn), max_new_tokens=5)
    assert a.text == b.text; torch.testing.assert_close(a.doc_posterior[:, turn], b.doc_posterior, atol=1e-5, rtol=0)
    own = r.ask("What colour is it?", hits=Hits.of([[dict(id="1", title="Sky", text="The sky is blue.")]]), max_new_tokens=4)
    assert own.hits.documents()[0]["title"] == "Sky" and own.doc_prior.tolist() == [1.]


def test_more_documents_than_there_are():
    a = rag().ask(QUESTIONS[0], n_docs=30, max_new_tokens=4)
    n = len(toy_documents())
    assert a.hits.mask[0].sum() == n and not a.doc_posterior[:, n:].any() and len(a.hits.documents()) == n


def test_without_and_stored_answers():
    r = rag()
    a = r.ask(QUESTIONS[0], max_new_tokens=5)
    title = a.hits.passages[0][1]["title"]
    b = a.without(title)
    assert b.previous is a and title not in [d["title"] for d in b.hits.documents()]
    stored = pickle.loads(pickle.dumps(a))
    assert stored.text == a.text and copy.deepcopy(b).text == b.text
    with pytest.raises(ValueError, match="ask again"): stored.without(0)
    with pytest.raises(ValueError, match="no document with id or title 'Nothing'"): a.without("Nothing")


@pytest.mark.parametrize("kind", KINDS)
def test_stream(kind):
    r = rag(kind)
    s = r.ask(QUESTIONS[1], stream=True, max_new_tokens=8); text = "".join(s)
    assert text.strip() == s.answer.text == r.ask(QUESTIONS[1], max_new_tokens=8).text
    with pytest.raises(ValueError, match="one question at a time"): r.ask(QUESTIONS, stream=True)


def test_other_knowledge_same_model():
    r = rag()
    other = r.with_retriever(RagRetriever.from_documents([dict(id="x", title="Mars", text="Mars is red.")], toy_encoder(), progress=False))
    assert other.ask("What is Mars?", max_new_tokens=3).hits.documents()[0]["title"] == "Mars"
    assert r.ask("What is Mars?", max_new_tokens=3).hits.documents()[0]["title"] != "Mars"
    assert next(other.model.parameters()).data_ptr() == next(r.model.parameters()).data_ptr()


def test_generator_over_an_index_and_saved_rag(tmp_path):
    r = rag("llama", path=tmp_path/"index")
    a = r.ask(QUESTIONS[0], max_new_tokens=4)
    r.save_pretrained(tmp_path/"rag")
    b = Rag.from_pretrained(tmp_path/"rag").ask(QUESTIONS[0], max_new_tokens=4)
    assert a.text == b.text; torch.testing.assert_close(a.doc_posterior, b.doc_posterior, atol=1e-5, rtol=0)
    toy_generator("llama").save_pretrained(tmp_path/"generator"); toy_tokenizer("llama").save_pretrained(tmp_path/"generator")
    toy_encoder().save_pretrained(tmp_path/"encoder")
    retriever = RagRetriever.from_documents(toy_documents(), str(tmp_path/"encoder"), path=tmp_path/"index2", progress=False)
    assert len(retriever) == len(toy_documents())
    c = Rag.from_pretrained(tmp_path/"generator", index=tmp_path/"index2", n_docs=3).ask(QUESTIONS[0], max_new_tokens=4)
    assert c.text == a.text


@pytest.mark.parametrize("wrong, said", [("", "empty"), ("   \n", "empty"), (["What?", " "], "question 1 is empty"), (3, "not"), ([None], "not a string")])
def test_rubbish_questions(wrong, said):
    with pytest.raises((ValueError, TypeError), match=said): rag().ask(wrong)


@pytest.mark.parametrize("docs, said", [([], "empty|no documents"), ([dict(title="x")], "text"), ([dict(title="x", text="  ")], "text|empty"), (3, "documents come"), ("nothing.xyz", "xyz|exist|such")])
def test_rubbish_documents(docs, said):
    with pytest.raises((ValueError, TypeError, OSError), match=said): rag_of(docs)

def rag_of(docs): return Rag.from_documents(docs, generator=(toy_generator("bart"), toy_tokenizer("bart")), question_encoder=toy_encoder(), progress=False)


def test_unknown_file_type(tmp_path):
    (tmp_path/"a.docx").write_bytes(b"PK")
    with pytest.raises(ValueError, match="docx"): rag_of(tmp_path/"a.docx")


def test_nan_vectors_and_empty_index():
    enc = toy_encoder()
    enc.encode = lambda items, *a, **k: torch.full((len(items), 32), float("nan")).numpy()
    with pytest.raises(ValueError, match="(?i)nan"): RagRetriever.from_documents(toy_documents(), enc, progress=False)
    r = RagRetriever.from_documents(toy_documents(), toy_encoder(), progress=False)
    r.delete([d["id"] for d in toy_documents()])
    with pytest.raises(ValueError, match="empty"): r.find("What?")


def test_parts_that_do_not_fit():
    r = rag()
    from rag_nb.index import make_index
    from rag_nb.passages import Passages
    other = RagRetriever(index=make_index("exact", torch.randn(1, 7)), passages=Passages.from_documents(["one"]))
    with pytest.raises(ValueError, match="7 dimensions"): r.with_retriever(other)
    with pytest.raises(TypeError, match="not a RagRetriever"): r.with_retriever("wiki")
    with pytest.raises(ValueError, match="tokenizer"): Rag.from_documents(toy_documents(), generator=toy_generator("bart"), question_encoder=toy_encoder(), progress=False)
    with pytest.raises(ValueError, match="num_return_sequences"): r.ask("What?", num_beams=3, num_return_sequences=2)


def test_knowledge_is_shared_with_its_retriever():
    "What is added to a retriever or deleted from it is so for every Rag that holds it."
    retriever = RagRetriever.from_documents(toy_documents(), toy_encoder(), progress=False)
    r = Rag.from_parts(retriever, toy_encoder(), (toy_generator("bart"), toy_tokenizer("bart")), n_docs=3)
    first = r.ask(QUESTIONS[0], max_new_tokens=3).hits.passages[0][0]
    retriever.delete(first["document"])
    assert first["id"] not in [d["id"] for d in r.ask(QUESTIONS[0], max_new_tokens=3).hits.documents()]
    retriever.add(["A text without an id."], progress=False)
    assert len(r.retriever) == len(toy_documents())
    with pytest.raises(ValueError, match="at least one document"): r.ask(QUESTIONS[0], n_docs=0)


def test_settings_given_as_an_object():
    from transformers import GenerationConfig
    a = rag().ask(QUESTIONS[0], generation_config=GenerationConfig(max_new_tokens=3))
    assert len(a.token_ids) <= 3 and a != rag().ask(QUESTIONS[0], max_new_tokens=3)     # answers are compared as objects


def test_a_generator_with_adapters_reads_like_the_plain_one():
    peft = pytest.importorskip("peft")
    r = rag("gpt2"); plain = r.ask(QUESTIONS[0], max_new_tokens=4)
    r.model.rag.generator = peft.get_peft_model(r.model.generator, peft.LoraConfig(target_modules=["c_attn"], fan_in_fan_out=True)).eval()
    again = r.ask(QUESTIONS[0], max_new_tokens=4)
    assert again.text == plain.text and abs(again.logprob - plain.logprob) < 1e-3
