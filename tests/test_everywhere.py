"Seven generators, fourteen calls, each beside a slow truth: what has to hold on every version of Transformers that we admit."
import warnings

import pytest, torch, transformers

from rag_nb import Rag, RagRetriever, finetune
from rag_nb.core.evaluate import evaluate
from rag_nb.core.marginal import doc_log_prior
from rag_nb.core.model import start_id
from rag_nb.core.prefill import is_decoder_only
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

QUESTION, K, T = "Who wrote the first computer program?", 3, 5
SMALL = dict(vocab_size=260, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=1024, pad_token_id=0, bos_token_id=1, eos_token_id=2)
MORE = dict(gemma=("GemmaConfig", "GemmaForCausalLM", dict(head_dim=8)), olmo=("OlmoConfig", "OlmoForCausalLM", {}))
KINDS = ["bart", "t5", "mbart", "llama", "gpt2", *MORE]


def generator(kind):
    "A tiny generator of this kind, the same each time."
    if kind not in MORE: return toy_generator(kind)
    config, cls, fields = MORE[kind]
    model = getattr(transformers, cls)(getattr(transformers, config)(**SMALL, **fields)).eval()
    g = torch.Generator().manual_seed(3)
    for p in model.parameters():
        if p.dim() > 1: p.data = torch.randn(p.shape, generator=g) * .3
    return model


def make(kind, documents=None):
    "A `Rag` over the toy documents."
    pair = generator(kind), toy_tokenizer("llama" if kind in MORE else kind)
    encoder = toy_encoder()
    for m in encoder.model.modules():
        if isinstance(m, torch.nn.Dropout): m.p = 0.0  # a step of training finds what a question finds
    retriever = RagRetriever.from_documents(documents or toy_documents(), encoder, progress=False)
    return Rag.from_parts(retriever, encoder, pair, n_docs=K)


class Truth:
    "RAG-Token by Transformers alone: each document's context alone and unpadded, nothing kept between two tokens."
    def __init__(self, rag, question=QUESTION):
        _, scores, ctx = rag._read_for([question], K, None)
        self.model, self.prior, self.start = rag.model.generator, doc_log_prior(scores)[0], start_id(rag.model.config)
        self.rows = [ids[mask.bool()][None] for ids, mask in zip(ctx["context_input_ids"], ctx["context_attention_mask"])]
        self.ctx, self.scores = ctx, scores

    def by_document(self, tokens):
        "log p(·|x, z, y) at each place of an answer and after it, (K, n+1, V)."
        y, out = torch.tensor([list(tokens)], dtype=torch.long), []
        for row in self.rows:
            if is_decoder_only(self.model): logits = self.model(torch.cat([row, y], 1)).logits[0, row.shape[1]-1:]
            else: logits = self.model(input_ids=row, decoder_input_ids=torch.cat([torch.tensor([[self.start]]), y], 1)).logits[0]
            out.append(logits.float().log_softmax(-1))
        return torch.stack(out)

    def marginal(self, tokens): return (self.by_document(tokens) + self.prior[:, None, None]).logsumexp(0)   # (n+1, V)
    def logprob(self, tokens): return self.marginal(tokens)[:-1].gather(1, torch.tensor(list(tokens))[:, None]).sum()

    @torch.no_grad()
    def greedy(self, n=T, change=lambda scores, written: scores):
        "Token by token the likeliest, up to n of them."
        written = []
        while len(written) < n and 2 not in written: written.append(int(change(self.marginal(written)[-1], written).argmax()))
        return written


@pytest.fixture(scope="module", params=KINDS)
def case(request):
    "A `Rag` of a kind, its truth and its greedy answer."
    rag = make(request.param)
    truth = Truth(rag)
    return rag, truth, truth.greedy()


def ids_of(answer): return (answer.token_ids if answer.written is None else answer.written).tolist()
def close(a, b, atol=1e-4): torch.testing.assert_close(torch.as_tensor(a, dtype=torch.float32), torch.as_tensor(b, dtype=torch.float32).detach(), atol=atol, rtol=1e-4)


def penalised(scores, written, by=3.0):
    "A repetition penalty as published: what was written is divided by it, or multiplied where it is negative."
    seen = torch.tensor(sorted({*written}), dtype=torch.long)
    at = scores[seen]
    return scores.index_put((seen,), torch.where(at < 0, at*by, at/by))


def test_forward_with_labels(case):
    rag, truth, written = case
    labels = torch.tensor([[w for w in written if w != 2] + [2]])
    out = rag.model(**truth.ctx, doc_scores=truth.scores, labels=labels)
    assert out.loss.dim() == 0 and torch.isfinite(out.loss)
    close(rag.model(**truth.ctx, doc_scores=truth.scores, labels=labels, reduce_loss=True).loss, -truth.logprob(labels[0].tolist()), 1e-3)


def test_loss_backward(case):
    rag, truth, written = case
    labels, weight = torch.tensor([[70, 80, 2]]), rag.model.generator.get_input_embeddings().weight
    got, = torch.autograd.grad(rag.model(**truth.ctx, doc_scores=truth.scores, labels=labels, reduce_loss=True).loss, weight)
    right, = torch.autograd.grad(-truth.logprob([70, 80, 2]), weight)
    assert right.abs().max() > 0
    torch.testing.assert_close(got, right, atol=1e-3*float(right.abs().max()), rtol=1e-3)


def test_greedy(case):
    rag, truth, written = case
    a = rag.ask(QUESTION, max_new_tokens=T)
    assert ids_of(a) == written and a.text == rag.tokenizer.generator.decode(written, skip_special_tokens=True).strip()
    close(a.logprob, truth.logprob(written))


def test_the_general_loop(case):
    rag, truth, written = case
    for kind in ("token", "sequence"):
        fast, slow = (rag.ask(QUESTION, kind=kind, num_beams=2, max_new_tokens=T, decoder=e) for e in ("auto", "reference"))
        assert ids_of(fast) == ids_of(slow); close(fast.logprob, slow.logprob)
    assert ids_of(rag.ask(QUESTION, max_new_tokens=T, decoder="reference")) == written


def test_beams(case):
    "Many beams over two tokens see every pair: the best is the best of them all."
    rag, truth, written = case
    ask = dict(max_new_tokens=2, min_new_tokens=2, length_penalty=0.0, num_beams=40)
    a = rag.ask(QUESTION, **ask)
    with torch.no_grad():
        first = truth.marginal([])[-1].index_fill(0, torch.tensor([2]), -torch.inf)
        top = first.topk(40).indices.tolist()
        best = max(((first[t] + truth.marginal([t])[-1].index_fill(0, torch.tensor([2]), -torch.inf).max()).item(), t) for t in top)
    assert ids_of(a)[0] == best[1]; close(a.logprob, best[0])


def test_sampling(case):
    "What was drawn has the probability that the truth gives it, and one seed draws one answer."
    rag, truth, written = case
    drawn = []
    for _ in range(2):
        torch.manual_seed(5)
        drawn.append(rag.ask(QUESTION, do_sample=True, top_k=0, max_new_tokens=T))
    assert ids_of(drawn[0]) == ids_of(drawn[1])
    close(drawn[0].logprob, truth.logprob(ids_of(drawn[0])), 1e-3)
    torch.manual_seed(5)
    assert ids_of(rag.ask(QUESTION, do_sample=True, top_k=1, max_new_tokens=T)) == written


def test_repetition_penalty(case):
    rag, truth, _ = case
    start = [truth.start]
    right = truth.greedy(change=lambda scores, written: penalised(scores, start + written))
    assert ids_of(rag.ask(QUESTION, repetition_penalty=3.0, max_new_tokens=T)) == right


def test_stop_strings(case):
    "Among letters alone, whose tokens are their texts."
    rag, truth, _ = case
    others = [t for t in range(260) if t not in range(4 + ord("a"), 5 + ord("z"))]
    written = truth.greedy(change=lambda scores, written: scores.index_fill(0, torch.tensor(others), -torch.inf))
    text = rag.tokenizer.generator.decode(written)
    stop, ask = text[1:3], dict(max_new_tokens=T, suppress_tokens=others)
    n = text.index(stop) + len(stop)
    out = rag.model.generate(**truth.ctx, doc_scores=truth.scores, stop_strings=[stop], tokenizer=rag.tokenizer.generator, **ask)
    assert len(text) == T and out[0, 1:].tolist() == written[:n] == ids_of(rag.ask(QUESTION, stop_strings=[stop], **ask))


def test_output_scores(case):
    rag, truth, written = case
    out = rag.model.generate(**truth.ctx, doc_scores=truth.scores, max_new_tokens=T, output_scores=True, output_logits=True, return_dict_in_generate=True)
    assert out.sequences[0, 1:].tolist() == written and len(out.scores) == len(written)
    for i, right in enumerate(truth.marginal(written)[:-1]): close(out.scores[i][0], right, 1e-3); close(out.logits[i][0], right, 1e-3)


def test_alternatives(case):
    rag, truth, written = case
    a = rag.ask(QUESTION, max_new_tokens=T)
    found, right = rag.alternatives(a, n=4), truth.marginal(written)
    assert len(found) == len(a.tokens)
    for probs, t, p in zip(found.probs, a.token_ids.tolist(), right.exp()):
        others = p.index_fill(0, torch.tensor([t]), -1).topk(3).values
        close(probs, torch.cat([p[t:t+1], others]))


def test_trace_beams(case):
    rag, truth, _ = case
    trace, a = rag.trace_beams(QUESTION, num_beams=3, max_new_tokens=T), rag.ask(QUESTION, num_beams=3, max_new_tokens=T)
    assert trace.answer.text == a.text; close(trace.answer.logprob, a.logprob)


def test_stream(case):
    rag, truth, written = case
    steps = rag.ask(QUESTION, max_new_tokens=T, stream=True)
    text = "".join(steps)
    assert text.strip() == rag.tokenizer.generator.decode(written, skip_special_tokens=True).strip() and ids_of(steps.answer) == written


def test_both_names_of_the_cache(case):
    rag, truth, _ = case
    fed = torch.tensor([[truth.start, 70]])
    out = rag.model(**truth.ctx, doc_scores=truth.scores, decoder_input_ids=fed, use_cache=True)
    assert out.cache is out.past_key_values is not None
    if is_decoder_only(rag.model.generator): return
    for name in ("cache", "past_key_values"):
        first = rag.model(**truth.ctx, doc_scores=truth.scores, decoder_input_ids=fed[:, :1], use_cache=True)
        then = rag.model(**truth.ctx, doc_scores=truth.scores, decoder_input_ids=fed[:, 1:], **{name: first.cache})
        close(then.logits[:, -1], out.logits[:, -1])


def test_evaluate(case):
    rag, truth, written = case
    rows = [dict(question=q, answers=[a]) for q, a, _ in toy_questions()[:2]]
    found = evaluate(rag, rows, compare=False, progress=False, samples=10, max_new_tokens=T)
    assert [p["prediction"] for p in found.predictions] == [a.text for a in rag.ask([r["question"] for r in rows], max_new_tokens=T)]


@pytest.mark.parametrize("kind", KINDS)
def test_finetune_one_step(kind, tmp_path):
    "The loss that is logged is the truth's before the step, and the step makes it smaller."
    rag, (question, answer, _) = make(kind), toy_questions()[0]
    truth, labels = Truth(rag, question), rag.tokenizer.targets([answer], rag.model.config)[0].tolist()
    if labels[0] == 1 and not is_decoder_only(truth.model): truth.start = 1  # labels that begin with <s> are fed as they are
    start, labels = truth.start, [t for t in labels if t not in (0, 1, -100)]
    with torch.no_grad(): before = -truth.logprob(labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = finetune(rag, [dict(question=question, answers=[answer])], tmp_path, use_cpu=True, progress=False, max_steps=1, logging_steps=1, per_device_train_batch_size=1,
                        train=("generator",), adapters=None, learning_rate=1e-4, optim="sgd", seed=1)
    logged = next(r["loss"] for r in done.log if "loss" in r)
    close(logged, before, 1e-3)
    after = Truth(rag, question)
    after.start = start
    with torch.no_grad(): assert -after.logprob(labels) < before
