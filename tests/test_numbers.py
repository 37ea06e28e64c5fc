"Numbers that are none, documents that are not there, and questions whose every token is forbidden: both decoders, every way of decoding."
import pytest, torch
from rag_nb import Hits, Rag, RagRetriever, RagSequenceForGeneration, RagTokenForGeneration
from rag_nb.fast import decoder as engine_module; from rag_nb.core import generate as generation
from rag_nb.core.objective import TrainingModule, FinetuneConfig
from rag_nb.store.questions import RagCollator, read_questions
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

KINDS = ["bart", "t5", "llama", "gpt2"]
WAYS = [dict(kind="token"), dict(kind="token", num_beams=3), dict(kind="token", do_sample=True), dict(kind="sequence"), dict(kind="sequence", num_beams=3),
        dict(kind="sequence", decoding="fast", num_beams=3), dict(kind="sequence", decoding="fast"), dict(kind="sequence", do_sample=True, num_beams=2)]
NAMES = ["-".join(map(str, w.values())) for w in WAYS]
ENGINES = ["auto", "reference"]


def make(kind, n_docs=3, docs=None, **config):
    encoder = toy_encoder()
    retriever = RagRetriever.from_documents(docs or toy_documents(), encoder, progress=False)
    return Rag.from_parts(retriever, encoder, (toy_generator(kind), toy_tokenizer(kind)), n_docs=n_docs, **config)


def poisoned(kind, column, questions):
    "A `Rag` whose generator gives NaN behind one of the documents of the first question, because that has a letter that no other has."
    rag = make(kind, context_template="{title}: {text} {question}") if kind in ("llama", "gpt2") else make(kind)
    hits = rag.retrieve(questions)
    hits.passages[0][column] = dict(hits.passages[0][column], text=hits.passages[0][column]["text"][:20] + " ¤")
    tokenizer = rag.tokenizer.generator
    ids = {t for t in tokenizer.encode(" ¤", add_special_tokens=False)} - {t for row in hits.passages for p in row if "¤" not in p["text"] for t in tokenizer.encode(p["title"] + ": " + p["text"])}
    ids -= {t for q in questions for t in tokenizer.encode(" " + q)} | {t for w in (":", "?", " ", "/", "//", "Question", "Answer") for t in tokenizer.encode(w)}
    assert ids
    with torch.no_grad():
        words = rag.model.generator.get_input_embeddings().weight
        own = torch.nn.Parameter(words.clone())
        own[list(ids)] = torch.nan
    g = rag.model.generator
    if kind in ("bart", "t5"):
        encoder = g.get_encoder()
        import copy
        encoder.embed_tokens = copy.copy(encoder.embed_tokens); encoder.embed_tokens._parameters = {"weight": own}      # the head stays whole
    else:
        g.get_input_embeddings()._parameters["weight"] = own
        if kind == "gpt2": g.lm_head._parameters["weight"] = torch.nn.Parameter(words.detach().clone())
    return rag, hits


@pytest.mark.parametrize("decoder", ENGINES)
@pytest.mark.parametrize("way", WAYS, ids=NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_one_documents_nan_is_told_and_the_document_named(kind, way, decoder):
    "One document of one question gives NaN: the same error from every way of decoding, naming it."
    questions = [toy_questions()[0][0], toy_questions()[1][0]]
    rag, hits = poisoned(kind, 1, questions)
    title, id = hits.passages[0][1]["title"], hits.passages[0][1]["id"]
    with pytest.raises(ValueError) as e: rag.ask(questions, hits=hits, max_new_tokens=5, decoder=decoder, **way)
    assert str(e.value).startswith(f"the generator's scores are not numbers (NaN) for document 1 ({title!r}, id {id!r}) of question 0: its weights may be damaged")
    with pytest.raises(ValueError, match=r"\(NaN\) for document 1 \('"): rag.ask(questions[0], hits=hits[0], max_new_tokens=5, decoder=decoder, **way)
    rest = rag.ask(questions[0], hits=hits[0].keep([0, 2]), max_new_tokens=5, decoder=decoder, **way)
    assert rest.token_logprobs.isfinite().all()


@pytest.mark.parametrize("decoder", ENGINES)
@pytest.mark.parametrize("way", WAYS, ids=NAMES)
def test_all_documents_nan(way, decoder):
    rag = make("llama")
    with torch.no_grad(): rag.model.generator.model.norm.weight[0] = torch.nan
    with pytest.raises(ValueError, match=r"not numbers \(NaN\) for every document: its weights"): rag.ask("What is tea?", max_new_tokens=3, decoder=decoder, **way)


@pytest.mark.parametrize("decoder", ENGINES)
@pytest.mark.parametrize("way", WAYS, ids=NAMES)
@pytest.mark.parametrize("step", [1, 3])
def test_nan_that_comes_later(way, decoder, step):
    "The position of a later token is damaged: found when it is come to, and never an answer cut off or empty."
    rag = make("bart")
    p = rag.model.generator.model.decoder.embed_positions
    with torch.no_grad(): p.weight[p.offset + step] = torch.nan
    with pytest.raises(ValueError, match="not numbers"): rag.ask("What is tea?", max_new_tokens=8, min_new_tokens=6, decoder=decoder, **way)
    assert rag.ask("What is tea?", max_new_tokens=step, decoder=decoder, **way).token_logprobs.isfinite().all()


@pytest.mark.parametrize("decoder", ENGINES)
def test_nan_in_scoring_another_documents_candidate(decoder):
    "A candidate with a token that the decoder cannot read is found by a document alone, whole; scoring it behind the others is where it shows."
    rag = make("bart")
    with torch.no_grad():
        rag.model.generator.final_logits_bias[0, 90] = 1e4                                          # everybody says it first,
        d = rag.model.generator.model.decoder
        own = torch.nn.Parameter(d.embed_tokens.weight.clone()); own[90] = torch.nan                # and nobody can read it
        import copy
        d.embed_tokens = copy.copy(d.embed_tokens); d.embed_tokens._parameters = {"weight": own}
    for way in WAYS:
        with pytest.raises(ValueError, match="not numbers"): rag.ask("What is tea?", max_new_tokens=3, min_new_tokens=2, decoder=decoder, **way)


@pytest.mark.parametrize("decoder", ENGINES)
def test_a_stream_ends_before_a_token_that_is_none(decoder):
    rag = make("bart")
    p = rag.model.generator.model.decoder.embed_positions
    with torch.no_grad(): p.weight[p.offset + 2] = torch.nan
    said, whole = [], make("bart").ask("What is tea?", max_new_tokens=2, min_new_tokens=2)
    with pytest.raises(ValueError, match="not numbers"): said += rag.ask("What is tea?", max_new_tokens=8, min_new_tokens=8, stream=True, decoder=decoder)
    said = []
    try:
        for piece in rag.ask("What is tea?", max_new_tokens=8, min_new_tokens=8, stream=True, decoder=decoder): said.append(piece)
    except ValueError: pass
    assert whole.text.startswith("".join(said).strip())


@pytest.mark.parametrize("decoder", ENGINES)
def test_generate_names_the_document_by_its_place(decoder):
    "Without passages at hand the column is all that there is."
    rag, hits = poisoned("bart", 2, [toy_questions()[0][0]])
    contexts = rag.retriever.contexts([toy_questions()[0][0]], hits, config=rag.model.config, tokenizer=rag.tokenizer.generator)
    for head in (RagTokenForGeneration, RagSequenceForGeneration):
        model = head(rag.model.config, rag.model.question_encoder, rag.model.generator).eval()
        with pytest.raises(ValueError, match=r"\(NaN\) for document 2: its weights"): model.generate(**contexts, doc_scores=hits.scores, decoder=decoder, max_new_tokens=3)


# Documents that are not there

class Rows:
    "How many contexts a generator reads, whichever decoder does it."
    def __init__(self, monkeypatch):
        self.n = 0
        prefill, start = generation.prefill, engine_module.FastDecoder.__init__
        def counted(generator, ids, *a, **k): self.n += len(ids); return prefill(generator, ids, *a, **k)
        def begun(decoder, generator, ids, *a, **k): self.n += len(ids); start(decoder, generator, ids, *a, **k)
        monkeypatch.setattr(generation, "prefill", counted); monkeypatch.setattr(engine_module.FastDecoder, "__init__", begun)
    def of(self, f): self.n = 0; return f(), self.n


@pytest.mark.parametrize("decoder", ENGINES)
@pytest.mark.parametrize("way", WAYS[:2] + WAYS[3:7], ids=NAMES[:2] + NAMES[3:7])
@pytest.mark.parametrize("kind", KINDS)
def test_documents_that_are_not_there_are_not_read(monkeypatch, kind, way, decoder):
    "Twelve documents and n_docs=500: twelve contexts a question are read, and the answers are those of n_docs=12."
    rag, questions = make(kind), [q for q, *_ in toy_questions()[:2]]
    rows, n = Rows(monkeypatch), len(rag.retriever)
    few, read_few = rows.of(lambda: rag.ask(questions, n_docs=n, max_new_tokens=4, decoder=decoder, **way))
    many, read_many = rows.of(lambda: rag.ask(questions, n_docs=500, max_new_tokens=4, decoder=decoder, **way))
    assert read_few == read_many == n*len(questions)
    for a, b in zip(few, many):
        assert a.text == b.text and b.doc_prior.shape == (500,) and not b.doc_posterior[:, n:].any() and not b.doc_prior[n:].any()
        torch.testing.assert_close(b.doc_posterior[:, :n], a.doc_posterior); torch.testing.assert_close(b.token_logprobs, a.token_logprobs)
        torch.testing.assert_close(b.running_posterior[:, :n], a.running_posterior)


@pytest.mark.parametrize("decoder", ENGINES)
@pytest.mark.parametrize("kind", ["token", "sequence"])
def test_a_hole_in_the_middle(monkeypatch, kind, decoder):
    "A document that is not there may be any; one that another question has is read, and counts for nothing where it is missing."
    rag, questions = make("bart"), [q for q, *_ in toy_questions()[:2]]
    hits, rows = rag.retrieve(questions, 4), Rows(monkeypatch)
    def without(*masked):
        mask = hits.mask.clone()
        for b, k in masked: mask[b, k] = False
        return Hits(hits.ids, hits.scores, mask, hits.vectors, [[p if m else None for p, m in zip(ps, ms)] for ps, ms in zip(hits.passages, mask.tolist())])
    ask = lambda h: rag.ask(questions, hits=h, kind=kind, max_new_tokens=4, decoder=decoder)
    both, n = rows.of(lambda: ask(without((0, 1), (1, 1))))
    want = ask(hits.keep([0, 2, 3]))
    assert n == 6
    for a, b in zip(both, want): assert a.text == b.text; torch.testing.assert_close(a.doc_posterior[:, [0, 2, 3]], b.doc_posterior)
    one, n = rows.of(lambda: ask(without((0, 1))))
    assert n == 8 and one[0].text == want[0].text
    torch.testing.assert_close(one[0].doc_posterior[:, [0, 2, 3]], want[0].doc_posterior)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", [RagTokenForGeneration, RagSequenceForGeneration])
def test_a_loss_does_not_read_them(monkeypatch, kind, head):
    "forward with labels: the rows that the generator is given, the loss, and the gradients of n_docs=12."
    rag = make(kind)
    model, read, n = head(rag.model.config, rag.model.question_encoder, rag.model.generator, rag.retriever).eval(), [], len(rag.retriever)
    model.rag.tokenizers = rag.model.rag.tokenizers
    batch, labels = rag.tokenizer.question_encoder([q for q, *_ in toy_questions()[:2]], return_tensors="pt", padding=True), rag.tokenizer.targets([a for _, a, _ in toy_questions()[:2]], model.config)
    handle = model.generator.register_forward_hook(lambda m, a, k, out: read.append(out.logits.shape[0]), with_kwargs=True)
    found = []
    for K in (n, 100):
        model.zero_grad()
        out = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels, n_docs=K)
        out.loss.backward()
        assert out.doc_scores.shape == (2, K) and out.logits.shape[0] == 2*K
        found.append([out.loss.detach()] + [p.grad.clone() for p in model.generator.parameters() if p.grad is not None])
    assert read == [2*n, 2*n]
    for a, b in zip(*found): torch.testing.assert_close(a, b, atol=5e-3, rtol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_training_does_not_read_them(kind):
    rag = make(kind)
    data, read = list(read_questions([dict(question=q, answers=[a], document_id=d) for q, a, d in toy_questions()[:3]])), []
    hook = lambda m, args, kwargs: read.append(len(kwargs.get("input_ids", args[0] if args else None)))
    losses = []
    for K in (12, 200):
        objective = TrainingModule(rag, FinetuneConfig(train="generator", n_docs=K, micro_batch=1000)).eval()
        part = rag.model.generator.get_encoder() if kind in ("bart", "t5") else rag.model.generator
        handle = part.register_forward_pre_hook(hook, with_kwargs=True)
        with torch.no_grad(): losses.append(float(objective(**RagCollator(rag.tokenizer, rag.model.config, keep=("document_ids",))(data))["loss"]))
        handle.remove(); objective.give_up()
    assert read[-1] == read[0] and max(read) <= 36 and losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_contexts_of_documents_that_are_not_there_are_not_laid_out(monkeypatch):
    "The tokenizer sees the passages that there are; the rows are as many as asked for."
    from rag_nb.core import retriever as module
    rag, seen = make("llama"), []
    lay = module.assemble_contexts
    monkeypatch.setattr(module, "assemble_contexts", lambda tokenizer, config, questions, passages, *a, **k: (seen.append(sum(map(len, passages))), lay(tokenizer, config, questions, passages, *a, **k))[1])
    hits = rag.retrieve(["What is tea?", "Where are bees?"], 300)
    out = rag.retriever.contexts(["What is tea?", "Where are bees?"], hits, config=rag.model.config, tokenizer=rag.tokenizer.generator)
    assert seen == [24] and len(out["context_input_ids"]) == 600 and bool(out["context_attention_mask"].any(1).all())
    alone = rag.retriever.contexts(["What is tea?", "Where are bees?"], hits.head(12), config=rag.model.config, tokenizer=rag.tokenizer.generator)
    for b in range(2): assert torch.equal(out["context_input_ids"][300*b:300*b+12], alone["context_input_ids"][12*b:12*b+12])


# Every token forbidden

@pytest.mark.parametrize("decoder", ENGINES)
@pytest.mark.parametrize("way", WAYS, ids=NAMES)
@pytest.mark.parametrize("kind", ["bart", "llama"])
def test_every_token_forbidden_is_an_error(kind, way, decoder):
    "No answer of probability one, nor one of a forbidden token."
    rag = make(kind)
    V = rag.model.generator.get_output_embeddings().weight.shape[0]
    ask = lambda **kw: rag.ask("What is tea?", max_new_tokens=4, decoder=decoder, **way, **kw)
    with pytest.raises(ValueError, match="after 0 tokens every token is forbidden.*SuppressTokens"): ask(suppress_tokens=[*range(V)])
    with pytest.raises(ValueError, match="after 0 tokens every token is forbidden.*SuppressTokensAtBegin"): ask(begin_suppress_tokens=[*range(V)])
    assert ask(suppress_tokens=[t for t in range(V) if t != 70]).token_logprobs.isfinite().all()


@pytest.mark.parametrize("way", [w for w in WAYS if "do_sample" not in w], ids=[i for i, w in zip(NAMES, WAYS) if "do_sample" not in w])
def test_processors_of_ones_own_that_forbid_all(way):
    rag = make("bart")
    way, head = dict(way), dict(token=RagTokenForGeneration, sequence=RagSequenceForGeneration)
    model = head[way.pop("kind")](rag.model.config, rag.model.question_encoder, rag.model.generator).eval()
    x = rag.retriever.contexts(["What is tea?"], rag.retrieve("What is tea?"), config=model.config, tokenizer=rag.tokenizer.generator)
    class Shut:
        def __call__(self, ids, scores): return scores if ids.shape[1] < 3 else torch.full_like(scores, -torch.inf)
    with pytest.raises(ValueError, match="after 2 tokens every token is forbidden.*Shut"): model.generate(**x, doc_scores=rag.retrieve("What is tea?").doc_scores, logits_processor=[Shut()], max_new_tokens=5, min_new_tokens=4, **way)


def test_a_beam_that_cannot_go_on_is_nothing_special():
    "As long as another can."
    rag = make("bart")
    x = rag.retriever.contexts(["What is tea?"], rag.retrieve("What is tea?"), config=rag.model.config, tokenizer=rag.tokenizer.generator)
    class Half:
        def __call__(self, ids, scores): scores = scores.clone(); scores[1:] = -torch.inf if ids.shape[1] == 3 else scores[1:]; return scores
    out = rag.model.generate(**x, doc_scores=rag.retrieve("What is tea?").doc_scores, logits_processor=[Half()], max_new_tokens=4, num_beams=3, return_dict_in_generate=True)
    assert out.lengths.min() > 0 and out.token_logprobs.isfinite().all()
