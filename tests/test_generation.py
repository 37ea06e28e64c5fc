"""Decoding against brute force, and what must not change an answer."""
import itertools, pytest, torch
from fastcore.test import test_close as close, test_eq as equal
from rag_nb.core.generate import GreedySearch, candidates_of
from rag_nb.hf.generation_settings import generation_settings
from rag_nb.core.marginal import doc_log_prior, sequence_marginal, token_logprobs, token_marginal
from rag_nb.core.model import RagSequenceForGeneration, RagTokenForGeneration, start_id
from rag_nb.hf.tokenizer import pad_rows
from rag_nb.core.toy import toy_encoder, toy_generator

V, EOS, KINDS = 7, 2, ["bart", "t5", "mbart", "llama", "gpt2"]
HEADS = dict(token=RagTokenForGeneration, sequence=RagSequenceForGeneration)
FREE = dict(length_penalty=0.0, early_stopping="never", return_dict_in_generate=True)


def case(head, kind, seed, B=1, K=3):
    "A model of a seven-token language, and contexts of different lengths for B questions."
    g = torch.Generator().manual_seed(seed)
    model = HEADS[head](question_encoder=toy_encoder().model, generator=toy_generator(kind, vocab_size=V, seed=seed), n_docs=K).eval()
    rows = [torch.randint(3, V, (int(torch.randint(2, 9, (), generator=g)),), generator=g).tolist() for _ in range(B*K)]
    ids, mask = pad_rows(rows, 0, left=model.config.generator_is_decoder_only)
    return model, dict(context_input_ids=ids, context_attention_mask=mask, doc_scores=torch.randn(B, K, generator=g)*2)


def strings(T):
    for n in range(1, T+1):
        for y in itertools.product(range(V), repeat=n):
            if EOS not in y[:-1] and (y[-1] == EOS or n == T): yield y


@torch.no_grad()
def probabilities(model, x, T):
    "log p(y|x) of every string, from a forward pass without cache: {string: log-probability}."
    K, out = len(x["context_input_ids"]), {}
    for n, ys in itertools.groupby(strings(T), len):
        ys = torch.tensor(list(ys))                                              # (C, n)
        C, fed = len(ys), torch.cat([torch.full((len(ys), 1), start_id(model.config)), ys[:, :-1]], 1)
        wide = {k: v.repeat(C, 1) for k, v in x.items()}                         # every string is a question of its own
        logits = model.rag(**wide, decoder_input_ids=fed).logits.reshape(C, K, n, V)
        each, prior = token_logprobs(logits, ys), doc_log_prior(wide["doc_scores"])
        total = token_marginal(each, prior).sum(-1) if model.kind == "token" else sequence_marginal(each, prior)
        out |= dict(zip(map(tuple, ys.tolist()), total.tolist()))
    return out


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_beams_find_what_enumeration_finds(head, kind, seed):
    model, x = case(head, kind, seed)
    truth = probabilities(model, x, 3)
    best = sorted(truth, key=truth.get, reverse=True)[:3]
    out = model.generate(**x, **FREE, num_beams=50, max_new_tokens=3, num_return_sequences=3)
    found = [tuple(s[1:1+n].tolist()) for s, n in zip(out.sequences, out.lengths)]
    equal(found, best)
    for y, score, logprobs in zip(found, out.sequences_scores, out.token_logprobs):
        close(score.item(), truth[y], eps=1e-4); close(logprobs.sum().item(), truth[y], eps=1e-4)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", ["bart", "llama"])
def test_probabilities_sum_to_one(head, kind):
    model, x = case(head, kind, 1)
    close(sum(torch.tensor(list(probabilities(model, x, 3).values())).exp()).item(), 1., eps=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_takes_the_best_token(kind):
    model, x = case("token", kind, 2)
    out, seen = model.generate(**x, max_new_tokens=4, return_dict_in_generate=True), []
    for token, logprob in zip(out.sequences[0, 1:], out.token_logprobs[0]):
        fed = torch.tensor([[start_id(model.config)] + seen])
        with torch.no_grad(): now = model(**x, decoder_input_ids=fed, do_marginalize=True).logits[0, -1]
        equal(int(now.argmax()), int(token)); close(now.max().item(), logprob.item(), eps=1e-4)
        seen.append(int(token))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("beams", [1, 3])
def test_invariances(head, kind, beams):
    "The order of documents, the company in the batch and its padding change nothing; posteriors sum to one."
    model, x = case(head, kind, 3, B=3)
    kw = dict(num_beams=beams, max_new_tokens=5, return_dict_in_generate=True)
    whole, K = model.generate(**x, **kw), 3
    alive = torch.arange(whole.doc_posteriors.shape[1]) < whole.lengths[:, None]
    for p in (whole.doc_posteriors, whole.running_posteriors): close(p.sum(-1), alive.float(), eps=1e-5)
    for b in range(3):
        one = {k: v[b*K:(b+1)*K] if k != "doc_scores" else v[b:b+1] for k, v in x.items()}
        turn = [2, 0, 1]
        turned = {k: v[turn] if k != "doc_scores" else v[:, turn] for k, v in one.items()}
        alone, mixed, n = model.generate(**one, **kw), model.generate(**turned, **kw), int(whole.lengths[b])
        for out, order in ((alone, [0, 1, 2]), (mixed, turn)):
            equal(out.sequences[0, :n+1], whole.sequences[b, :n+1]); equal(int(out.lengths[0]), n)
            close(out.doc_posteriors[0, :n], whole.doc_posteriors[b, :n][:, order], eps=1e-4)
            close(out.running_posteriors[0, :n], whole.running_posteriors[b, :n][:, order], eps=1e-4)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", ["bart", "llama"])
def test_missing_document_is_silent(head, kind):
    model, x = case(head, kind, 4)
    x["doc_scores"][0, 1] = -torch.inf
    kept = {k: v[[0, 2]] if k != "doc_scores" else v[:, [0, 2]] for k, v in x.items()}
    kw = dict(num_beams=3, max_new_tokens=4, return_dict_in_generate=True)
    a, b = model.generate(**x, **kw), model.generate(**kept, **kw)
    equal(a.sequences, b.sequences); close(a.sequences_scores, b.sequences_scores, eps=1e-4)
    equal(a.doc_posteriors[..., 1].abs().max().item(), 0.); close(a.doc_posteriors[..., [0, 2]], b.doc_posteriors, eps=1e-5)
    with pytest.raises(ValueError, match="no document at all"): model.generate(**dict(x, doc_scores=torch.full((1, 3), -torch.inf)))


def test_sampling_follows_the_marginal(monkeypatch):
    from rag_nb import limits
    monkeypatch.setattr(limits, "num_beams", 4000)
    model, x = case("token", "llama", 5)
    torch.manual_seed(0)
    out = model.generate(**x, do_sample=True, top_k=0, num_return_sequences=4000, max_new_tokens=1)
    with torch.no_grad(): p = model(**x, decoder_input_ids=torch.tensor([[start_id(model.config)]]), do_marginalize=True).logits[0, 0].exp()
    close(torch.bincount(out[:, 1], minlength=V)/4000, p, eps=0.03)


def test_thorough_counts_every_document_and_fast_only_its_own():
    model, x = case("sequence", "bart", 6)
    kw = dict(num_beams=3, max_new_tokens=3, return_dict_in_generate=True)
    thorough, fast = (model.generate(**x, **kw, decoding=d) for d in ("thorough", "fast"))
    truth = probabilities(model, x, 3)
    found = tuple(thorough.sequences[0, 1:1+thorough.lengths[0]].tolist())
    close(thorough.sequences_scores.item(), truth[found], eps=1e-4)
    found = tuple(fast.sequences[0, 1:1+fast.lengths[0]].tolist())
    assert fast.sequences_scores.item() <= truth[found] + 1e-4


def test_candidates_of_missing_documents_do_not_count():
    model, x = case("sequence", "bart", 7)
    gc = generation_settings(model, max_new_tokens=2)
    h = GreedySearch(3, 1, gc, None, "cpu").result()
    h.tokens[:, 0, 1:] = torch.tensor([[4, 5], [4, 5], [6, 6]]); h.lengths[:] = 2
    tokens, lengths, origin = candidates_of(h, torch.tensor([[-.7, -.7, -torch.inf]]))
    equal(origin, [[[(0, 0), (1, 0)]]]); equal(tokens[0, 0].tolist()[1:], [4, 5])


def test_more_answers_than_candidates():
    model, x = case("sequence", "bart", 0)
    with pytest.raises(ValueError, match="num_return_sequences=9"): model.generate(**x, do_sample=True, num_beams=1, num_return_sequences=9, top_k=1, max_new_tokens=2)


@pytest.mark.parametrize("wrong, said", [(dict(max_new_token=3), "max_new_token"), (dict(penalty_alpha=.6, top_k=4), "not possible"), (dict(max_new_tokens=0), "max_new_tokens"),
                                         (dict(kind="both"), "'token' or 'sequence'"), (dict(decoding="quick"), "'thorough' or 'fast'"), (dict(stop_strings=["x"]), "tokenizer")])
def test_clear_refusals(wrong, said):
    model, x = case("token", "bart", 0)
    with pytest.raises((ValueError, TypeError), match=said): model.generate(**x, **wrong)
    with pytest.raises(ValueError, match="nothing to answer"): model.generate()
    with pytest.raises(ValueError, match="both are needed"): model.generate(context_input_ids=x["context_input_ids"])
