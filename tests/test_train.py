"Training: the likelihood beside the plain one, runs that are killed and go on, two processes, and that what was asked for is what is trained."
import hashlib, json, threading, warnings
from pathlib import Path
import pytest, torch, transformers
from rag_nb import FinetuneConfig, Rag, RagRetriever, doc_log_prior, finetune, rag_sequence_loss, rag_token_loss
from rag_nb.store.questions import RagCollator, read_questions
from rag_nb.fast.fused_loss import answer_logprobs, chosen_logprobs, ends_in_one_matrix, marginal_nll
from rag_nb.core.model import align_labels
from rag_nb.core.objective import TrainingModule
from rag_nb.core.prefill import teacher_force
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

KINDS = ["bart", "mbart", "t5", "llama", "gpt2"]
IDS = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
SMALL = dict(vocab_size=260, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, **IDS)
DATA = [dict(question=q, answers=[a], document_id=d) for q, a, d in toy_questions()]
QUICK = dict(use_cpu=True, progress=False, max_steps=4, per_device_train_batch_size=4, logging_steps=2, learning_rate=1e-3, seed=1)


def odd(kind):
    "A generator that does more after its output embedding: a cap on the logits, or a factor."
    torch.manual_seed(0)
    if kind == "gemma2": config = transformers.Gemma2Config(**SMALL, head_dim=8, final_logit_softcapping=3.0, sliding_window=4096)
    else: config = transformers.CohereConfig(**SMALL, logit_scale=0.25)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for p in model.parameters(): p.mul_(1 if p.dim() < 2 else 4)
    return model


def small_llama(**config):
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SMALL, **config))


def make(kind="llama", generator=None, folder=None, **config):
    "A toy `Rag`, the same each time."
    encoder = toy_encoder()
    retriever = RagRetriever.from_documents(toy_documents(), encoder, path=folder, progress=False)
    return Rag.from_parts(retriever, encoder, (generator or small_llama(), toy_tokenizer(kind)), **{"n_docs": 3, **config})


def weights(module): return {n: p.detach().clone() for n, p in module.named_parameters()}
def same(a, b): return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


# The likelihood

def batch_of(kind, generator):
    "Contexts, decoder inputs and targets (B·K, …) with padding, −100 in places, a row without targets; targets (B, T)."
    rag = make(kind, generator)
    questions, answers = zip(*[(q, a) for q, a, _ in toy_questions()[:4]])
    found = rag.retriever.contexts(list(questions), rag.retrieve(list(questions)), config=rag.model.config, tokenizer=rag.tokenizer.generator)
    labels = rag.tokenizer.targets(list(answers), rag.model.config)
    labels[0, 2], labels[3] = -100, -100
    fed, targets = align_labels(labels, rag.model.config)
    return found["context_input_ids"], found["context_attention_mask"], fed.repeat_interleave(3, 0), targets.repeat_interleave(3, 0), targets


def graded(loss, scores, generator):
    "A loss, and its gradients for the documents' scores and all of the generator's weights."
    generator.zero_grad(); scores.grad = None
    loss.backward()
    return [loss.detach(), scores.grad.clone()] + [p.grad.clone() for p in generator.parameters() if p.grad is not None]


@pytest.mark.parametrize("kind", KINDS + ["gemma2", "cohere"])
def test_the_likelihood_is_the_plain_one(kind):
    "In groups of any size, recomputed or kept: loss and gradients of both heads as from the full logits."
    generator = (toy_generator(kind).double() if kind in KINDS else odd(kind)).requires_grad_(True)
    assert ends_in_one_matrix(generator) == (kind in KINDS)
    ids, mask, fed, targets, once = batch_of(kind if kind in KINDS else "llama", generator)
    assert (mask == 0).any() and (once == -100).any(1).sum() > 1 and (once[3] == -100).all()
    scores = torch.randn(4, 3, generator=torch.Generator().manual_seed(2)).requires_grad_(True)
    gone = torch.tensor([[0, 0, 0], [0, 0, 1], [0, 0, 0], [0, 1, 1]]).bool()                    # documents that were not found
    prior = lambda: doc_log_prior(scores.masked_fill(gone, -torch.inf))
    for head, plain in (("token", rag_token_loss), ("sequence", rag_sequence_loss)):
        logits = teacher_force(generator, ids, mask, fed).logits
        want = graded(plain(logits.view(4, 3, *logits.shape[1:]), once, prior()), scores, generator)
        for rows, activation_checkpointing in ((1, False), (3, True), (3, False), (64, False), (64, True)):
            token_lp = answer_logprobs(generator, ids, mask, fed, targets, rows=rows, activation_checkpointing=activation_checkpointing).view(4, 3, -1)
            got = graded(marginal_nll(token_lp, prior(), head).mean(), scores, generator)
            assert len(got) == len(want)
            # the plain loss subtracts p from 1 in float32, which is off by 1e-5 here; against float64 `answer_logprobs` is off by 2e-6
            for g, w in zip(got, want): assert float((g - w).abs().max()) <= 3e-5*max(1., float(w.abs().max())), (head, rows, activation_checkpointing)


def test_one_matrix_is_asked_of_large_logits():
    "A cap of 30 does nothing to the small logits of a new model, and would later; a trial on those would miss it."
    torch.manual_seed(0)
    config = transformers.Gemma2Config(**SMALL, head_dim=8, final_logit_softcapping=30.0)
    assert not ends_in_one_matrix(transformers.AutoModelForCausalLM.from_config(config))
    model = transformers.AutoModelForCausalLM.from_config(transformers.Gemma2Config(**SMALL, head_dim=8, final_logit_softcapping=None))
    assert ends_in_one_matrix(model) and model.training                                           # and it is left as it was


def test_pieces_of_the_vocabulary():
    "Logits made 3 rows at a time give what they give at once, and the same gradients."
    generator, g = small_llama(), torch.Generator().manual_seed(0)
    hidden, targets = torch.randn(10, 16, generator=g, requires_grad=True), torch.randint(260, (10,), generator=g)
    want = generator.lm_head(hidden).log_softmax(-1).gather(1, targets[:, None])[:, 0]
    for size in (3, 10):
        got = chosen_logprobs(generator, hidden, targets, size)
        torch.testing.assert_close(got, want)
        torch.testing.assert_close(*(torch.autograd.grad(x.square().sum(), hidden, retain_graph=True)[0] for x in (got, want)))


def test_both_is_the_mean_of_the_heads():
    lp, prior = -torch.rand(2, 3, 4), doc_log_prior(torch.randn(2, 3))
    torch.testing.assert_close(marginal_nll(lp, prior, "both"), (marginal_nll(lp, prior, "token") + marginal_nll(lp, prior, "sequence"))/2)


def test_the_gradient_of_a_score_is_prior_minus_posterior():
    "What makes the retriever learn: for RAG-Sequence d loss / d score is p(z|x) − p(z|x,y)."
    scores, lp = torch.randn(2, 3, requires_grad=True), -torch.rand(2, 3, 4)*5
    marginal_nll(lp, doc_log_prior(scores), "sequence").sum().backward()
    prior = scores.detach().softmax(-1)
    posterior = (prior.log() + lp.sum(-1)).softmax(-1)
    torch.testing.assert_close(scores.grad, prior - posterior)


# A run that is killed

class Die(transformers.TrainerCallback):
    def __init__(self, at): self.at = at
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.at: raise KeyboardInterrupt


@pytest.mark.parametrize("settings", [
    dict(train=("generator", "question_encoder", "passage_encoder", "score_scale"), adapters=2, reindex_every=3, contrast=.5, include_gold=True, activation_checkpointing=True, rows=5),
    dict(train=("generator", "question_encoder"), cache_retrieval=True, kind="sequence"),
    dict(train=("question_encoder", "passage_encoder"), reindex_every=3, cache_retrieval=True, likelihood=0., contrast=1., include_gold=True)],
    ids=["adapters", "all weights", "retriever"])
def test_a_killed_run_ends_where_the_other_ends(tmp_path, settings):
    "Bit for bit: weights, vectors, and the log from there on; with dropout, so that random numbers count."
    kw = {**QUICK, **settings, "max_steps": 10, "save_strategy": "steps", "save_steps": 4, "gradient_accumulation_steps": 2, "per_device_train_batch_size": 3, "merge": False}
    start = lambda: make(generator=small_llama(attention_dropout=.2))
    whole = finetune(start(), DATA, tmp_path/"a", **kw)
    with pytest.raises(KeyboardInterrupt): finetune(start(), DATA, tmp_path/"b", callbacks=[Die(6)], **kw)
    rest = finetune(start(), DATA, tmp_path/"b", resume=True, **kw)
    assert rest.trainer.state.global_step == 10
    assert same(weights(whole.rag.model), weights(rest.rag.model))
    assert not same(weights(whole.rag.model), weights(finetune(start(), DATA, tmp_path/"c", **{**kw, "seed": 2}).rag.model))  # which says something
    rows = torch.arange(12)
    assert torch.equal(*(r.rag.retriever.index.vectors(rows) for r in (whole, rest)))
    plain = lambda log: [{k: v for k, v in line.items() if "per_second" not in k and "runtime" not in k and not k.startswith("train_")} for line in log]
    assert plain(whole.log) == plain(rest.log)


def test_a_checkpoint_of_other_parts_is_refused(tmp_path):
    kw = dict(QUICK, save_strategy="steps", save_steps=2)
    finetune(make(), DATA, tmp_path, train="generator", **kw)
    with pytest.raises(ValueError, match="other parts"): finetune(make(), DATA, tmp_path, train=("generator", "question_encoder"), resume=True, **kw)


# Two processes

TWO = dict(train=("generator", "question_encoder", "passage_encoder", "score_scale"))


def gradients(model, objective, examples):
    "The gradients of one batch."
    rag = objective.rag
    model(**RagCollator(rag.tokenizer, rag.model.config, keep=("document_ids",))(list(examples)))["loss"].backward()
    return {n: p.grad.clone() for n, p in objective.named_parameters() if p.requires_grad}


def end_of_run(out, batch):
    "The weights after four steps of plain gradient descent."
    rag = make(generator=small_llama().double())
    for m in rag.model.modules():
        if isinstance(m, torch.nn.Dropout): m.p = 0.                                               # dice fall otherwise for other batches
    done = finetune(rag, DATA, out, **{**QUICK, **TWO, "optim": "sgd", "learning_rate": .05, "per_device_train_batch_size": batch, "reindex_every": 2})
    return weights(done.rag.model)


def worker(rank, folder):
    import os
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", LOCAL_WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(json.loads((Path(folder)/"port").read_text())))
    run = end_of_run(Path(folder)/"run", 2)                                                        # through Trainer, which opens the group
    objective = TrainingModule(make(generator=small_llama().double()), FinetuneConfig(**TWO))
    model = torch.nn.parallel.DistributedDataParallel(objective, find_unused_parameters=True)
    grads = gradients(model, objective, read_questions(DATA)[:6][rank::2])                         # three questions each
    torch.save(dict(run=run, grads=grads), Path(folder)/f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_are_one(tmp_path):
    "Gradients of two processes with half the batch each, and a whole run, are those of one process with all of it."
    import socket
    with socket.socket() as s: s.bind(("127.0.0.1", 0)); (tmp_path/"port").write_text(str(s.getsockname()[1]))
    torch.multiprocessing.spawn(worker, args=(str(tmp_path),), nprocs=2)
    a, b = (torch.load(tmp_path/f"{r}.pt") for r in (0, 1))
    assert same(a["grads"], b["grads"]) and same(a["run"], b["run"])
    objective = TrainingModule(make(generator=small_llama().double()), FinetuneConfig(**TWO))
    want = gradients(objective, objective, read_questions(DATA)[:6])
    assert want.keys() == a["grads"].keys() and any(float(g.abs().max()) > 1e-3 for g in want.values())
    for n, g in want.items(): assert float((g - a["grads"][n]).abs().max()) < 1e-6*max(1., float(g.abs().max())), n
    once = end_of_run(tmp_path/"one", 4)
    for n, w in once.items(): torch.testing.assert_close(a["run"][n], w, rtol=1e-4, atol=1e-5)


# What is trained is what was asked for

def changed(rag, before): return {n.split(".")[1] for n, p in rag.model.named_parameters() if n not in before or not torch.equal(p, before[n])}


@pytest.mark.parametrize("train, parts", [("generator", {"generator"}), ("question_encoder", {"question_encoder"}), (("generator", "question_encoder"), {"generator", "question_encoder"})])
def test_the_passages_stay(tmp_path, train, parts):
    "Without the passage encoder: vectors, passages' encoder and other networks stay, and what was saved opens again."
    rag = make()
    before, probe, vectors = weights(rag.model), rag.retriever.encoder.fingerprint(), rag.retriever.index.vectors(torch.arange(12)).clone()
    done = finetune(rag, DATA, tmp_path/"run", train=train, **QUICK)
    assert done.rag is rag and changed(rag, before) == parts and rag.model.config.score_scale == 20
    assert rag.retriever.encoder.fingerprint() == probe and torch.equal(rag.retriever.index.vectors(torch.arange(12)), vectors)
    assert not rag.model.training and all(p.requires_grad for p in rag.model.parameters())
    rag.save_pretrained(tmp_path/"rag")
    again = Rag.from_pretrained(tmp_path/"rag")
    for q, *_ in toy_questions()[:2]: assert_same_answer(again.ask(q, max_new_tokens=4), rag.ask(q, max_new_tokens=4))


def assert_same_answer(a, b):
    assert a.text == b.text and a.hits.ids.tolist() == b.hits.ids.tolist()
    torch.testing.assert_close(a.doc_posterior, b.doc_posterior, atol=1e-4, rtol=1e-4)


def test_the_score_scale_alone(tmp_path):
    rag = make()
    before = weights(rag.model)
    finetune(rag, DATA, tmp_path/"run", train="score_scale", likelihood=0., contrast=1., include_gold=True, **{**QUICK, "learning_rate": .1})
    assert changed(rag, before) == set() and rag.model.config.score_scale != 20
    rag.save_pretrained(tmp_path/"rag")
    assert Rag.from_pretrained(tmp_path/"rag").model.config.score_scale == rag.model.config.score_scale


@pytest.mark.parametrize("train", [("question_encoder", "passage_encoder"), ("passage_encoder",)], ids=["shared", "separate"])
def test_the_passages_move(tmp_path, train):
    "A shared encoder serves both sides; a separate one leaves the questions' alone. Vectors are those of the encoder at the end."
    rag = make()
    questions, index = weights(rag.model.question_encoder), rag.retriever.index
    before = index.vectors(torch.arange(12)).clone()
    finetune(rag, DATA, tmp_path/"run", train=train, contrast=1., include_gold=True, reindex_every=2, **QUICK)
    now = rag.retriever.index.vectors(torch.arange(12))
    assert same(weights(rag.model.question_encoder), questions) == ("question_encoder" not in train)
    assert not torch.allclose(now, before) and torch.equal(index.vectors(torch.arange(12)), before)  # the old index is nobody's to change
    torch.testing.assert_close(now, torch.as_tensor(rag.retriever.encoder.encode(list(rag.retriever.passages), "passage")))
    assert (rag.retriever.encoder.model is rag.model.question_encoder) == (len(train) == 2)
    rag.save_pretrained(tmp_path/"rag")
    again = Rag.from_pretrained(tmp_path/"rag")
    for q, *_ in toy_questions()[:2]: assert_same_answer(again.ask(q, max_new_tokens=4), rag.ask(q, max_new_tokens=4))


def test_adapters_are_peft_and_merge(tmp_path):
    "Only adapters move; what peft reads back, unmerged and merged, answers alike."
    from peft import PeftModel
    settings = {**QUICK, "learning_rate": 1e-2, "train": ("generator", "question_encoder", "passage_encoder"), "adapters": dict(generator=2, question_encoder=3)}
    rag = make()
    base = weights(rag.model)
    apart = finetune(rag, DATA, tmp_path/"a", merge=False, **settings).rag
    left = {n.replace("base_model.model.", "").replace("base_layer.", ""): p for n, p in apart.model.named_parameters() if "lora_" not in n}
    assert left.keys() == base.keys() and all(torch.equal(left[n], base[n]) for n in base)
    merged = finetune(make(), DATA, tmp_path/"b", merge=True, **settings).rag
    assert not any("lora_" in n for n, _ in merged.model.named_parameters()) and not same(weights(merged.model), base)
    loaded = make()
    for part in ("generator", "question_encoder"):
        net = PeftModel.from_pretrained(getattr(loaded.model.rag, part), tmp_path/"a"/"adapters"/part)
        assert net.peft_config["default"].r == settings["adapters"][part]
        setattr(loaded.model.rag, part, net.merge_and_unload())
    loaded._take(RagRetriever.from_documents(toy_documents(), loaded.encoder, progress=False))
    for q, *_ in toy_questions()[:3]:
        want = merged.ask(q, max_new_tokens=6)
        assert_same_answer(apart.ask(q, max_new_tokens=6), want)
        assert_same_answer(loaded.ask(q, max_new_tokens=6), want)
    merged.save_pretrained(tmp_path/"rag")
    assert_same_answer(Rag.from_pretrained(tmp_path/"rag").ask(DATA[0]["question"], max_new_tokens=6), merged.ask(DATA[0]["question"], max_new_tokens=6))


def test_an_index_folder_is_not_written_to(tmp_path):
    "Passages are embedded anew, and the folder that they were opened from is as it was, byte for byte."
    make(folder=tmp_path/"index")
    content = lambda: {p.relative_to(tmp_path): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted((tmp_path/"index").rglob("*")) if p.is_file()}
    before, encoder = content(), toy_encoder()
    rag = Rag.from_parts(RagRetriever.from_pretrained(tmp_path/"index", encoder=encoder), encoder, (small_llama(), toy_tokenizer("llama")), n_docs=3)
    finetune(rag, DATA, tmp_path/"run", train=("generator", "question_encoder", "passage_encoder"), reindex_every=2, **QUICK)
    assert content() == before
    rag.save_pretrained(tmp_path/"rag")
    assert_same_answer(Rag.from_pretrained(tmp_path/"rag").ask("What is tea?", max_new_tokens=3), rag.ask("What is tea?", max_new_tokens=3))
    assert content() == before


# Documents while training

def batch(rag, n=6): return RagCollator(rag.tokenizer, rag.model.config, keep=("document_ids",))(list(read_questions(DATA)[:n]))


def test_a_refresh_in_the_background_swaps_whole_vectors(monkeypatch):
    "Until it is done the old vectors answer; then all are the new ones, of the weights at the time it began."
    objective = TrainingModule(make(), FinetuneConfig(train=("question_encoder", "passage_encoder")))
    rows, go = torch.arange(12), threading.Event()
    old, tokens = objective.retriever.index.vectors(rows).clone(), type(objective)._tokens
    with torch.no_grad(): objective.model.question_encoder.embeddings.word_embeddings.weight.add_(.5*torch.randn(1, 32, generator=torch.Generator().manual_seed(0)))
    want = torch.as_tensor(objective.embed_all(progress=False))
    monkeypatch.setattr(type(objective), "_tokens", lambda *a, **k: (go.wait(60), tokens(*a, **k))[1])
    objective.reindex(background=True); objective.reindex(background=True)                            # the second waits for its turn
    objective.swap()
    assert torch.equal(objective.retriever.index.vectors(rows), old)
    with torch.no_grad(): objective.model.question_encoder.embeddings.word_embeddings.weight.zero_()  # training goes on meanwhile
    go.set(); objective.swap(wait=True)
    torch.testing.assert_close(objective.retriever.index.vectors(rows), want)
    assert not torch.allclose(want, old) and objective.thread is None
    assert torch.equal(objective.rag.retriever.index.vectors(rows), old)                              # the Rag's own, until it is handed back


def test_a_refresh_that_fails_is_told(monkeypatch):
    objective = TrainingModule(make(), FinetuneConfig(train=("question_encoder", "passage_encoder")))
    def broken(*a, **k): raise OSError("gone")
    monkeypatch.setattr(type(objective), "embed_all", broken)
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    objective.reindex(background=True)
    with pytest.raises(RuntimeError, match="failed in the background"): objective.swap(wait=True)


def test_retrieval_is_cached_until_the_vectors_change(monkeypatch):
    rag = make()
    objective, searches = TrainingModule(rag, FinetuneConfig(train=("question_encoder", "passage_encoder"), cache_retrieval=True)), []
    def look():
        index, search = objective.retriever.index, type(objective.retriever.index).search
        monkeypatch.setattr(index, "search", lambda v, *a, **k: (searches.append(len(v)), search(index, v, *a, **k))[1])
    look()
    with torch.no_grad(): first, _ = objective(**batch(rag)), objective(**batch(rag, 8))
    assert searches == [6, 2]
    with torch.no_grad(): assert float(objective(**batch(rag))["loss"]) == pytest.approx(float(first["loss"]), rel=1e-6) and searches == [6, 2]
    objective.reindex(); look()
    with torch.no_grad(): objective(**batch(rag))
    assert searches == [6, 2, 6]


def test_the_gold_document_is_put_in():
    "Where the search missed it and only there; a document that was deleted is nobody's gold."
    rag = make(n_docs=1)
    wrong = [dict(DATA[0], document_id="octopus"), DATA[1], dict(DATA[2], document_id="no such document")]
    given = RagCollator(rag.tokenizer, rag.model.config, keep=("document_ids",))(wrong)
    seen = {}
    for gold in (False, True):
        objective = TrainingModule(rag, FinetuneConfig(train="question_encoder", include_gold=gold))
        vectors = rag.model.rag.embed_questions(given["input_ids"], given["attention_mask"])
        found = objective.search(vectors, given["questions"])
        hits, column = objective._with_gold(found, vectors, given["document_ids"], given["questions"])
        seen[gold] = [objective.documents[i] for i in hits.ids[:, 0]], column.tolist()
        docs = objective.retriever.index.vectors(hits.ids)
        torch.testing.assert_close(hits.scores, torch.einsum("bd,bkd->bk", vectors, docs))
    assert seen == {False: (["ada", "octopus", "honey"], [-1, 0, -1]), True: (["octopus", "octopus", "honey"], [0, 0, -1])}
    rag.retriever.deleted = torch.tensor([d == "octopus" for d in objective.documents])
    objective = TrainingModule(rag, FinetuneConfig(train="question_encoder", include_gold=True))
    assert objective._rows_of(given["document_ids"], vectors).tolist() == [-1, -1, -1]


def test_contrast_does_not_count_a_passage_against_itself():
    "Two questions about one document: its second copy in the batch is no wrong answer."
    rag = make(n_docs=1)
    twice = [DATA[0], dict(DATA[0], question="Ada Lovelace, first computer program?"), DATA[1]]
    given = RagCollator(rag.tokenizer, rag.model.config, keep=("document_ids",))(twice)
    objective = TrainingModule(rag, FinetuneConfig(train="question_encoder", likelihood=0., contrast=1.))
    with torch.no_grad(): loss = objective(**given)["loss"]
    vectors = torch.as_tensor(rag.encoder.encode([q["question"] for q in twice]))
    docs = rag.retriever.index.vectors(torch.tensor([0, 1]))
    scores = (20*vectors @ docs.T).exp()                                                          # to ada, who was found twice, and octopus
    want = torch.stack([-(scores[i, 0]/(scores[i, 0] + scores[i, 1])).log() for i in (0, 1)] + [-(scores[2, 1]/(2*scores[2, 0] + scores[2, 1])).log()]).mean()
    torch.testing.assert_close(loss, want)


@pytest.mark.parametrize("collapsed", [True, False])
def test_a_collapse_is_warned_of_and_nothing_else(tmp_path, collapsed):
    "All questions find one document: said once a line of the log. Questions that find their own: silence."
    rag = make()
    many = [dict(question=q + " "*i, answers=[a], document_id=d) for i in range(4) for q, a, d in toy_questions()]
    if collapsed:
        words = rag.model.question_encoder.embeddings.word_embeddings.weight
        with torch.no_grad(): words[:] = words[50].clone()                                         # every word the same: every question, too
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        log = finetune(rag, many, tmp_path, train="generator", **{**QUICK, "per_device_train_batch_size": 12, "logging_steps": 4}).log
    told = [str(w.message) for w in said if "collapsed" in str(w.message)]
    assert len(told) == int(collapsed)
    assert (log[0]["top_document_share"] == 1) == collapsed


# What is asked for wrongly

@pytest.mark.parametrize("settings, says", [
    (dict(refresh_evry=3), "reindex_every"), (dict(learning_rat=1.), "learning_rate"), (dict(train="retriever"), "choose among"),
    (dict(likelihood=0.), "nothing to train on"), (dict(likelihood=0., contrast=1.), "generator no gradient"), (dict(kind="tokens"), "'token', 'sequence' or 'both'"),
    (dict(train=()), "choose among")])
def test_a_wrong_setting_is_named(tmp_path, settings, says):
    with pytest.raises((TypeError, ValueError), match=says): finetune(make(), DATA, tmp_path, **{**QUICK, **settings})


def test_learning_rates_by_part_and_statistics(tmp_path):
    "Each part has its own rate; the log tells losses, beliefs, recall and gradients; evaluation has its own lines."
    done = finetune(make(), DATA, tmp_path, eval_data=DATA[:4], eval_strategy="steps", eval_steps=2, contrast=.1,
                    train=("generator", "question_encoder", "score_scale"), **{**QUICK, "learning_rate": dict(generator=1e-3, question_encoder=1e-4, score_scale=0.)})
    assert done.rag.model.config.score_scale == 20 and "4 steps" in repr(done)
    line = next(l for l in done.log if "loss" in l)
    assert {"loss", "nll", "contrast", "prior_entropy", "posterior_entropy", "moved", "recall_at_1", "recall_at_3", "top_document_share",
            "grad_norm_generator", "grad_norm_question_encoder", "grad_norm_score_scale"} <= line.keys()
    assert any({"eval_loss", "eval_nll", "eval_recall_at_1"} <= l.keys() for l in done.log)
    assert line["loss"] == pytest.approx(line["nll"] + .1*line["contrast"], rel=1e-3)


def test_a_rate_for_a_part_that_is_not_trained_is_refused(tmp_path):
    with pytest.raises(ValueError, match="score_scale"): finetune(make(), DATA, tmp_path, train="generator", **{**QUICK, "learning_rate": dict(generator=1e-3, score_scale=1e-2)})
