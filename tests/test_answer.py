"""The front door: answers, what they hold, what must not change them, and what rubbish is told."""
import copy, pickle
import pytest, torch
from rag_nb.core.answer import Answer, Rag
from rag_nb.core.passages import Hits
from rag_nb.core.retriever import RagRetriever
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

KINDS = ["bart", "t5", "llama", "gpt2"]
QUESTIONS = [q for q, *_ in toy_questions()[:3]] + ["Why?"]


def rag(kind="bart", **kw):
    return Rag.from_documents(toy_documents(), generator=(toy_generator(kind), toy_tokenizer(kind)), encoder=toy_encoder(), progress=False, n_docs=3, **kw)


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
    hits = r.retrieve([QUESTIONS[0]])
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

def rag_of(docs): return Rag.from_documents(docs, generator=(toy_generator("bart"), toy_tokenizer("bart")), encoder=toy_encoder(), progress=False)


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
    from rag_nb.core.index import make_index
    from rag_nb.core.passages import Passages
    other = RagRetriever(index=make_index("exact", torch.randn(1, 7)), passages=Passages.from_documents(["one"]))
    with pytest.raises(ValueError, match="7 dimensions"): r.with_retriever(other)
    with pytest.raises(TypeError, match="a str is no retriever"): r.with_retriever("wiki")
    with pytest.raises(ValueError, match="tokenizer"): Rag.from_documents(toy_documents(), generator=toy_generator("bart"), encoder=toy_encoder(), progress=False)
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


# one after another, and many of them

def test_ask_each_gives_answers_in_order_as_they_come():
    r, asked = rag(), []
    def questions():
        for q in QUESTIONS * 3: asked.append(q); yield q                              # a generator: nobody knows how many there are
    answers = r.ask_each(questions(), batch_size=2, max_new_tokens=4, progress=False)
    assert not asked                                                                   # nothing happens before an answer is wanted
    first = next(answers)
    assert asked == QUESTIONS[:2] and first.question == QUESTIONS[0]
    rest = [first, *answers]
    assert [a.question for a in rest] == QUESTIONS * 3
    for a, b in zip(rest, r.ask(QUESTIONS * 3, max_new_tokens=4)): assert a.text == b.text and abs(a.logprob - b.logprob) < 1e-4


def test_ask_each_holds_one_batch_at_a_time():
    import gc, weakref
    r, seen, most = rag(), [], 0
    for a in r.ask_each((QUESTIONS[i % 3] for i in range(24)), batch_size=4, max_new_tokens=2, progress=False):
        seen.append(weakref.ref(a)); del a
        if len(seen) % 8 == 0: gc.collect(); most = max(most, sum(w() is not None for w in seen))
    assert len(seen) == 24 and most <= 4


def test_an_answer_keeps_nothing_of_its_batch():
    a = rag().ask(QUESTIONS, max_new_tokens=4)[0]
    tensors = [a.token_ids, a.written, a.token_logprobs, a.doc_prior, a.doc_posterior, a.running_posterior, a.hits.ids, a.hits.scores, a.hits.vectors]
    for t in tensors: assert t.untyped_storage().nbytes() == t.nbytes


def test_what_was_answered_before_a_bad_question_is_not_lost():
    questions = [QUESTIONS[0], QUESTIONS[1], " ", QUESTIONS[2]]
    with pytest.raises(ValueError, match="question 2 is empty"): rag().ask_each(questions)     # of a list all are looked at before
    answers, got = rag().ask_each(iter(questions), batch_size=1, max_new_tokens=2, progress=False), []
    with pytest.raises(ValueError, match="question 2 is empty"):
        for a in answers: got.append(a)
    assert [a.question for a in got] == QUESTIONS[:2]


def test_arguments_are_checked_at_the_call_not_at_the_first_answer():
    r = rag()
    for kw, said in (dict(batch_size=0), "batch_size"), (dict(n_docs="3"), "n_docs"), (dict(kind="both"), "kind"), (dict(num_bems=2), "num_beams"), (dict(decoding="slow"), "decoding"):
        with pytest.raises((ValueError, TypeError), match=said): r.ask_each(QUESTIONS, **kw)
    with pytest.raises(TypeError, match="string"): r.ask_each("What is tea?")           # its letters are no questions


def test_ask_each_with_hits():
    r = rag()
    hits = r.retrieve(QUESTIONS)
    for a, b in zip(r.ask_each(QUESTIONS, hits=hits, batch_size=3, max_new_tokens=3, progress=False), r.ask(QUESTIONS, max_new_tokens=3)): assert a.text == b.text
    with pytest.raises(ValueError, match="4 questions.*3"): r.ask(QUESTIONS, hits=hits[:3])
    with pytest.raises(ValueError, match="5.*4"): list(r.ask_each(iter(QUESTIONS + ["Who?"]), hits=hits, batch_size=3, max_new_tokens=2, progress=False))


# rubbish

@pytest.mark.parametrize("call, error, said", [
    (lambda r: r.ask(None), TypeError, "NoneType"), (lambda r: r.ask(3.5), TypeError, "float"), (lambda r: r.ask({"question": "What?"}), TypeError, "dict"),
    (lambda r: r.ask(["What?", None]), TypeError, "question 1 is a NoneType"), (lambda r: r.ask(["What?", ""]), ValueError, "question 1 is empty"),
    (lambda r: r.ask("What?", n_docs="3"), TypeError, "n_docs.*'3'"), (lambda r: r.ask("What?", n_docs=0), ValueError, "at least one"),
    (lambda r: r.ask("What?", n_docs=2.5), TypeError, "n_docs.*2.5"), (lambda r: r.ask("What?", n_docs=True), TypeError, "n_docs.*True"),
    (lambda r: r.ask("What?", batch_size=0), ValueError, "batch_size"), (lambda r: r.ask("What?", batch_size="8"), TypeError, "batch_size"),
    (lambda r: r.ask("What?", hits=3), TypeError, "hits.*int"), (lambda r: r.ask("What?", hits=[dict(text="x")]), TypeError, "Hits.of"),
    (lambda r: r.ask("What?", hits=Hits([[0, 1]], [[1., 0.]])), ValueError, "with_passages"),
    (lambda r: r.ask("What?", hits=r.retrieve(["a", "b"])), ValueError, "1 question.*2"),
    (lambda r: r.ask("What?", num_beam=2), TypeError, "num_beams"), (lambda r: r.ask("What?", strem=True), TypeError, "stream"),
    (lambda r: r.ask("What?", device="cuda"), TypeError, "device"),
    (lambda r: r.retrieve(None), TypeError, "NoneType"), (lambda r: r.retrieve("What?", n_docs="3"), TypeError, "n_docs"), (lambda r: r.retrieve([""]), ValueError, "empty"),
    (lambda r: r.retriever.find(None), TypeError, "NoneType"), (lambda r: r.retriever.find("What?", "3"), TypeError, "n_docs"),
    (lambda r: r.retriever.search(torch.ones(1, 32), -1), ValueError, "n_docs"),
    (lambda r: r.retriever.delete(10**9), ValueError, "1000000000"), (lambda r: r.retriever.delete(None), TypeError, "NoneType"), (lambda r: r.retriever.delete([None]), TypeError, "NoneType"),
    (lambda r: r.ask("What?").without(None), TypeError, "NoneType"), (lambda r: r.ask("What?").without(1.5), TypeError, "float"),
])
def test_rubbish_is_told_what_it_is(call, error, said):
    with pytest.raises(error, match=said): call(rag())


def test_nothing_to_ask_is_nothing_to_answer():
    r = rag()
    assert r.ask([]) == [] and list(r.ask_each([], progress=False)) == [] and list(r.ask_each(iter(()), progress=False)) == []
    hits = r.retrieve([])
    scores = hits.doc_scores
    assert hits.shape == (0, 3) and scores.shape == (0, 3) and r.retriever.find([], 2).shape == (0, 2)
    assert r.retrieve("What is tea?").shape == (1, 3)                                  # one question, as everywhere


@pytest.mark.parametrize("call", [
    lambda **kw: Rag.from_documents(toy_documents(), generator=(toy_generator("bart"), toy_tokenizer("bart")), encoder=toy_encoder(), progress=False, **kw),
    lambda **kw: Rag.from_parts(RagRetriever.from_documents(toy_documents(), toy_encoder(), progress=False), toy_encoder(), (toy_generator("bart"), toy_tokenizer("bart")), **kw)])
def test_a_misspelt_field_is_not_swallowed(call):
    with pytest.raises(TypeError, match="'n_doc'.*'n_docs'"): call(n_doc=3)
    with pytest.raises(TypeError, match="'context_templat'.*'context_template'"): call(context_templat="x")
    assert call(n_docs=2, score_scale=3.).model.config.n_docs == 2


def test_a_document_is_deleted_by_its_number_too():
    r = RagRetriever.from_documents([dict(id=7, text="seven"), dict(id=8, text="eight"), dict(id=9, text="nine")], toy_encoder(), progress=False)
    r.delete(7); r.delete([8])
    assert len(r) == 1


# values

def test_copies_can_be_asked_again():
    a = rag().ask(QUESTIONS[0], max_new_tokens=3)
    for b in (copy.copy(a), copy.deepcopy(a)):
        assert b is not a and b.without(0).text == a.without(0).text
    assert copy.deepcopy(a).hits is not a.hits and copy.copy(a).hits is a.hits


def test_pieces_of_characters_are_no_citations():
    "Tokens that are half a letter, or space, belong to the words beside them."
    hits = Hits.of([[dict(id="1", title="A", text="a"), dict(id="2", title="B", text="b")]])
    def made(tokens, columns, kind="token"):
        post = torch.tensor([[.9, .1] if c == 0 else [.2, .8] for c in columns])
        n = len(tokens)
        return Answer("?", "".join(tokens).strip(), tokens, torch.arange(n), torch.zeros(n), 0., torch.tensor([.5, .5]), post, post, hits, kind)
    a = made([" ", "n", "", "é", " ", " x", ""], [1, 0, 1, 0, 1, 1, 0])
    assert [(c.text, c.doc) for c in a.citations] == [("né", 0), ("x", 1)]
    for c in a.citations: assert a.text[c.start:c.end] == c.text and c.text
    assert made(["", " ", ""], [0, 1, 0]).citations == [] and made([], []).citations == []
    for kind in ("token", "sequence"): assert [c.text for c in made(["", "é", "", "ü"], [0, 0, 0, 0], kind).citations] == ["éü"]


@pytest.mark.parametrize("how", ["ask", "stream", "each", "find"])
def test_a_model_in_training_answers_without_dropout_and_stays_in_training(how):
    r = rag("bart")
    r.model.generator.config.dropout = .9
    for m in r.model.modules():
        if hasattr(m, "dropout") and isinstance(m.dropout, float): m.dropout = .9
    for m in r.model.question_encoder.modules():
        if isinstance(m, torch.nn.Dropout): m.p = .9
    calm = r.ask(QUESTIONS[0], max_new_tokens=4)
    r.model.train(); r.model.generator.model.encoder.eval()
    before = [m.training for m in r.model.modules()]
    if how == "ask": a = r.ask(QUESTIONS[0], max_new_tokens=4)
    elif how == "each":
        for a in r.ask_each(QUESTIONS[:1]*2, batch_size=1, max_new_tokens=4, progress=False): assert [m.training for m in r.model.modules()] == before
    elif how == "stream":
        s = r.ask(QUESTIONS[0], max_new_tokens=4, stream=True)
        for _ in s: assert [m.training for m in r.model.modules()] == before
        a = s.answer
    else: assert torch.equal(r.retrieve(QUESTIONS[:1]).scores, calm.hits.scores); return
    assert [m.training for m in r.model.modules()] == before
    assert a.text == calm.text and abs(a.logprob - calm.logprob) < 1e-4


def test_other_knowledge_leaves_a_model_in_training():
    r = rag(); r.model.train()
    r.with_retriever(r.retriever)
    assert all(m.training for m in r.model.modules())


# streaming

def test_a_token_is_decoded_with_its_neighbours_not_with_the_whole_answer():
    from rag_nb.core.answer import token_texts
    tok, longest = toy_tokenizer("bart"), 0
    text = "née Müller, 東京 🙂 – naïve. " * 20
    ids, real = tok(text, add_special_tokens=False).input_ids, tok.decode
    def decode(x, **kw): nonlocal longest; longest = max(longest, len(x)); return real(x, **kw)
    tok.decode = decode
    keep, texts = token_texts(tok, ids)
    assert "".join(texts) == text and keep == list(range(len(ids))) and longest < 16
    assert token_texts(tok, tok("é🙂", add_special_tokens=False).input_ids)[1] == ["", "é", "", "", "", "🙂"]


@pytest.mark.parametrize("name", ["unigram", "wordpiece", "bytes"])
def test_tokens_join_to_the_text_whatever_the_vocabulary(name):
    from rag_nb.core.answer import token_texts
    tok = _vocabulary(name)
    for text in ("tea is a drink", "Tea, is it? a  b", "é ü a", "a", ""):
        ids = tok(text, add_special_tokens=False).input_ids
        keep, texts = token_texts(tok, ids)
        assert "".join(texts) == tok.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def _vocabulary(name):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    if name == "bytes": return toy_tokenizer("llama")
    if name == "wordpiece":
        raw = Tokenizer(models.WordPiece({w: i for i, w in enumerate(["[UNK]", "tea", "te", "##a", "is", "a", "dr", "##ink", ",", "?", "it", "b", "é", "ü"])}, unk_token="[UNK]"))
        raw.pre_tokenizer, raw.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
        return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]", clean_up_tokenization_spaces=False)
    pieces = [("<unk>", 0.), ("▁", -2.), *[(f"▁{w}", -1.5) for w in ("tea", "is", "a")], *[(c, -3.) for c in "abcdefghijklmnopqrstuvwxyzT,?éü"]]
    raw = Tokenizer(models.Unigram(pieces, 0, byte_fallback=False))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>", clean_up_tokenization_spaces=False)


# parts that are none

PAIR = lambda: (toy_generator("bart"), toy_tokenizer("bart"))

@pytest.mark.parametrize("call, error, said", [
    (lambda r: RagRetriever.from_documents(toy_documents(), 3), TypeError, "encoder.*int"),
    (lambda r: RagRetriever.from_documents(toy_documents(), toy_encoder().model), TypeError, "TextEncoder\\(model, tokenizer"),
    (lambda r: RagRetriever.from_documents(toy_documents(), "/nonexistent/encoder"), FileNotFoundError, "/nonexistent/encoder"),
    (lambda r: RagRetriever.from_pretrained("/nonexistent/index"), FileNotFoundError, "/nonexistent/index"),
    (lambda r: RagRetriever().add(["x"]), ValueError, "no index"), (lambda r: RagRetriever().delete("x"), ValueError, "no index"), (lambda r: len(RagRetriever()), ValueError, "no index"),
    (lambda r: Rag(None, r.tokenizer, r.retriever), TypeError, "neither was given"), (lambda r: Rag(toy_generator("bart"), r.tokenizer, r.retriever), TypeError, "BartForConditionalGeneration. Rag.from_documents"),
    (lambda r: Rag(r.model, toy_tokenizer("bart"), r.retriever), TypeError, "RagTokenizer"),
    (lambda r: Rag.from_parts(r.retriever, toy_encoder().model, PAIR()), TypeError, "TextEncoder\\(model, tokenizer"),
    (lambda r: Rag.from_parts(r.retriever, toy_encoder(), 3), TypeError, "generator.*int"), (lambda r: Rag.from_parts(r.retriever, toy_encoder(), PAIR()[:1]), TypeError, "pair"),
    (lambda r: Rag.from_parts(r.retriever, toy_encoder(), PAIR()[::-1]), TypeError, "pair"),
    (lambda r: Rag.from_parts(r.retriever, toy_encoder(), (toy_encoder().model, toy_encoder().tokenizer)), TypeError, "BertModel"),
    (lambda r: Rag.from_parts(r.retriever, toy_encoder(), "./nothing"), FileNotFoundError, "./nothing"),
    (lambda r: Rag.from_pretrained("/nonexistent/rag"), FileNotFoundError, "/nonexistent/rag"),
    (lambda r: Rag.from_pretrained("/nonexistent/rag", index="/nonexistent/index"), FileNotFoundError, "/nonexistent/rag"),
    (lambda r: r.ask("What?", max_new_tokens=0), ValueError, "max_new_tokens is 0"), (lambda r: r.ask("What?", num_beams=0), ValueError, "num_beams is 0"), (lambda r: r.ask("What?", num_beams="2"), TypeError, "num_beams"),
    (lambda r: r.ask("What \ud800?"), ValueError, "surrogate"), (lambda r: r.ask(["a", "What \udfff?"]), ValueError, "question 1.*surrogate"),
    (lambda r: r.ask("What?", hits=Hits.of([[]])), ValueError, "no document"), (lambda r: r.ask("What?", hits=r.retrieve("What?").keep([])), ValueError, "no document"),
])
def test_parts_that_are_none(call, error, said):
    with pytest.raises(error, match=said): call(rag())


def test_a_saved_rag_opens_with_either_head(tmp_path):
    r = rag(); r.save_pretrained(tmp_path)
    for kind in ("token", "sequence"):
        import warnings
        with warnings.catch_warnings(): warnings.simplefilter("ignore"); again = Rag.from_pretrained(tmp_path, kind=kind)
        assert again.model.kind == again.ask(QUESTIONS[0], max_new_tokens=2).kind == kind
    with pytest.raises(ValueError, match="kind"): Rag.from_pretrained(tmp_path, kind="both")
    assert again.ask(QUESTIONS[0], max_new_tokens=2).text == r.ask(QUESTIONS[0], kind="sequence", max_new_tokens=2).text


def test_a_stream_says_what_it_is():
    s = rag().ask(QUESTIONS[0], stream=True, max_new_tokens=3)
    assert repr(s) == f"Stream({QUESTIONS[0]!r}, not finished)" and s.answer is None
    text = "".join(s)
    assert repr(s) == f"Stream({QUESTIONS[0]!r}, answered {s.answer.text!r})" and s.answer.text == text.strip()


def test_which_engine_answers(monkeypatch):
    "`decoder` reaches the decoding of ask, ask_each, streams and answers asked again."
    from rag_nb.core import answer as module
    asked, decode, r = [], module.decode_contexts, rag()
    monkeypatch.setattr(module, "decode_contexts", lambda *a, decoder="auto", **kw: (asked.append(decoder), decode(*a, decoder=decoder, **kw))[1])
    kw = dict(n_docs=3, max_new_tokens=3)
    assert r.ask(QUESTIONS[0], decoder="reference", **kw).without(0).text is not None and asked == ["reference"]*2
    answers = list(r.ask_each(QUESTIONS[:2], decoder="reference", progress=False, **kw))
    stream = r.ask(QUESTIONS[0], stream=True, decoder="reference", **kw)
    assert "".join(stream).strip() == answers[0].text and set(asked) == {"reference"}
    assert stream.answer.without(0).text is not None and asked[-1] == "reference"
    assert r.ask(QUESTIONS[0], **kw).text == answers[0].text and asked[-1] == "auto"
    with pytest.raises(ValueError, match="decoder is 'auto' or 'reference'"): r.ask(QUESTIONS[0], decoder="fast")
    with pytest.raises(ValueError, match="decoder is 'auto' or 'reference'"): r.ask_each(QUESTIONS, decoder="fast")
