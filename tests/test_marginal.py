"The equation against Transformers' losses, against every text of a tiny language, and against loops in double precision."
import itertools, math
from types import SimpleNamespace

import pytest, torch

from rag_nb.core.marginal import (doc_log_prior, marginal_logits, rag_sequence_loss, rag_token_loss, running_posterior,
                             sequence_marginal, token_logprobs, token_marginal, token_posterior)

LOSSES = dict(token=rag_token_loss, sequence=rag_sequence_loss)
PAD, START = 0, 1


def example(seed, B=3, K=4, T=5, V=7, least=2):
    "Logits (B, K, T, V), targets (B, T) of `least` to T tokens and then -100, scores (B, K)."
    g = torch.Generator().manual_seed(seed)
    logits, scores = 3*torch.randn(B, K, T, V, generator=g), 5*torch.randn(B, K, generator=g)
    targets = torch.randint(2, V, (B, T), generator=g)
    lengths = torch.randint(least, T + 1, (B,), generator=g)
    return logits, targets.masked_fill(torch.arange(T) >= lengths[:, None], -100), scores


def naive(kind, logits, targets, scores, mask=None, epsilon=0.0):
    "The losses (B,) by loops over probabilities, in double precision."
    logits, scores, out = logits.double(), scores.double(), []
    B, K, T, V = logits.shape
    for b in range(B):
        ks = [k for k in range(K) if mask is None or mask[b, k]]
        prior = dict(zip(ks, scores[b, ks].softmax(0)))
        ts = [t for t in range(T) if targets[b, t] != -100]
        p = logits[b].softmax(-1)
        if kind == "token":
            mixed = {t: sum(prior[k]*p[k, t] for k in ks) for t in ts}
            nll = -sum(mixed[t][targets[b, t]].log() for t in ts)
            smooth = -sum(mixed[t].log().sum() for t in ts)
        else:
            nll = -sum(prior[k]*math.prod(p[k, t, targets[b, t]] for t in ts) for k in ks).log()
            smooth = -torch.stack([V*prior[k].log() + sum(p[k, t].log().sum() for t in ts) for k in ks]).logsumexp(0)
        out.append((1 - epsilon)*nll + epsilon/V*smooth)
    return torch.stack(out)


def theirs(kind, logits, targets, scores, epsilon, reduce_loss=False):
    "The same from Transformers: a start token before the targets, padding 0, and one more position that predicts padding."
    from transformers import RagSequenceForGeneration, RagTokenForGeneration
    B, K, T, V = logits.shape
    cls = RagTokenForGeneration if kind == "token" else RagSequenceForGeneration
    config = SimpleNamespace(n_docs=K, bos_token_id=None, generator=SimpleNamespace(pad_token_id=PAD, bos_token_id=None))
    model = SimpleNamespace(config=config)
    model.marginalize = lambda *args: RagTokenForGeneration.marginalize(model, *args)
    labels = torch.cat([torch.full((B, 1), START), targets.masked_fill(targets == -100, PAD)], 1)
    flat = torch.cat([logits, torch.randn(B, K, 1, V)], 2).flatten(0, 1)  # (B*K, T+1, V)
    return cls.get_nll(model, flat, scores, labels, reduce_loss=reduce_loss, epsilon=epsilon, n_docs=K)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("kind", LOSSES)
def test_transformers_agrees(kind, epsilon, seed):
    logits, targets, scores = example(seed, K=1 + seed)
    ours = LOSSES[kind](logits, targets, doc_log_prior(scores), epsilon, reduction="none")
    assert torch.allclose(ours, theirs(kind, logits, targets, scores, epsilon), rtol=1e-5, atol=1e-5)
    total = LOSSES[kind](logits, targets, doc_log_prior(scores), epsilon, reduction="sum")
    assert torch.allclose(total, theirs(kind, logits, targets, scores, epsilon, reduce_loss=True), rtol=1e-5)
    assert torch.allclose(LOSSES[kind](logits, targets, doc_log_prior(scores), epsilon), ours.mean())


def test_one_token_targets_keep_the_prior():
    "Where Transformers' RAG-Sequence leaves the prior out, ours counts it; with one token the two models are the same."
    logits, targets, scores = example(0, T=1, least=1)
    prior = doc_log_prior(scores)
    ours = rag_sequence_loss(logits, targets, prior, reduction="none")
    assert torch.allclose(ours, rag_token_loss(logits, targets, prior, reduction="none"), atol=1e-6)
    assert torch.allclose(ours.double(), naive("sequence", logits, targets, scores), atol=1e-5)
    assert not torch.allclose(ours, theirs("sequence", logits, targets, scores, 0.0), atol=1e-2)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("epsilon", [0.0, 0.2])
@pytest.mark.parametrize("kind", LOSSES)
def test_values_and_gradients_against_loops(kind, epsilon, masked):
    logits, targets, scores = example(7)
    mask = torch.tensor([[True]*4, [True, False, True, False], [False, True, False, False]]) if masked else None
    results = []
    for own in (True, False):
        x, s = logits.clone().requires_grad_(), scores.clone().requires_grad_()
        if own: loss = LOSSES[kind](x, targets, doc_log_prior(s, mask), epsilon, reduction="none")
        else: loss = naive(kind, x, targets, s, mask, epsilon)
        (loss * torch.tensor([1., 2., 3.])).sum().backward()
        results.append((loss.detach().float(), x.grad, s.grad))
    for a, b in zip(*results): assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)
    if masked: assert (results[0][1][~mask] == 0).all() and (results[0][2][~mask] == 0).all()
    assert (results[0][1].sum(1)[targets == -100] == 0).all()  # nothing is learnt from padding


# Every text of a tiny language

def texts(V, T, end):
    "All texts over V tokens that end with `end`, and those that are cut at T."
    growing, ended = [()], []
    for _ in range(T):
        longer = [y + (v,) for y in growing for v in range(V)]
        ended += [y for y in longer if y[-1] == end]
        growing = [y for y in longer if y[-1] != end]
    return ended + growing


@pytest.mark.parametrize("V, T, K", [(2, 6, 3), (3, 4, 2), (5, 3, 4), (4, 4, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_all_texts_sum_to_one(V, T, K, seed):
    g = torch.Generator().manual_seed(seed)
    table = {y: 3*torch.randn(K, V, generator=g) for n in range(T) for y in itertools.product(range(V), repeat=n)}
    all_texts = texts(V, T, end=V - 1)
    B = len(all_texts)
    targets = torch.tensor([list(y) + [-100]*(T - len(y)) for y in all_texts])
    logits = torch.stack([torch.stack([table[y[:i]] if i < len(y) else torch.randn(K, V, generator=g) for i in range(T)], 1)
                          for y in all_texts])  # (B, K, T, V)
    scores, mask = 3*torch.randn(1, K, generator=g), torch.ones(1, K, dtype=torch.bool)
    if K > 2: mask[0, 1] = False
    prior = doc_log_prior(scores, mask).expand(B, K)
    for loss in LOSSES.values():
        assert math.isclose((-loss(logits, targets, prior, reduction="none")).exp().sum().item(), 1, abs_tol=2e-5)
    lp = token_logprobs(logits, targets)
    assert math.isclose(token_marginal(lp, prior).sum(-1).exp().sum().item(), 1, abs_tol=2e-5)
    assert math.isclose(sequence_marginal(lp, prior).exp().sum().item(), 1, abs_tol=2e-5)
    # the posterior of a document, averaged over all texts as they are written, is its prior
    last = running_posterior(lp, prior)[:, -1]  # (B, K)
    assert torch.allclose((sequence_marginal(lp, prior).exp()[:, None]*last).sum(0), prior[0].exp(), atol=2e-5)


# The prior

def test_prior_masks_and_empties():
    scores, mask = torch.tensor([[1., 2., 3.]]*4), torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]]).bool()
    prior = doc_log_prior(scores, mask)
    assert torch.allclose(prior[0], scores[0].log_softmax(0))
    assert torch.allclose(prior[1, [0, 2]], scores[0, [0, 2]].log_softmax(0)) and prior[1, 1] == -math.inf
    assert prior[2].tolist() == [-math.inf, 0, -math.inf] and prior[3].tolist() == [-math.inf]*3
    by_score = doc_log_prior(scores.masked_fill(~mask, -math.inf))  # as a search marks what it did not find
    assert torch.equal(prior, by_score)
    garbage = doc_log_prior(scores.masked_fill(~mask, 1e30), mask)  # what stands in a masked place is never read
    assert torch.equal(prior, garbage)
    assert doc_log_prior(torch.full((2, 3), -math.inf)).tolist() == [[-math.inf]*3]*2


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_prior_is_float32_and_learns(dtype):
    scores = torch.tensor([[3., 1., -math.inf], [2., 2., 0.]], dtype=dtype, requires_grad=True)
    scale = torch.tensor(2., requires_grad=True)
    prior = doc_log_prior(scores, torch.tensor([[True]*3, [True, True, False]]), scale)
    assert prior.dtype == torch.float32
    prior.masked_fill(prior == -math.inf, 0).sum().backward()
    assert scores.grad.isfinite().all() and scale.grad.isfinite() and (scores.grad[:, 2] == 0).all()


def test_large_scores_near_eighty():
    "What bfloat16 would make of DPR's scores, and that float32 scores are left alone."
    scores = torch.tensor([[80.07, 80.33, 79.84, 79.67, 79.29]])
    expected = torch.tensor([[.24, .31, .19, .16, .11]])
    assert torch.allclose(doc_log_prior(scores).exp(), expected, atol=.006)
    assert torch.allclose(doc_log_prior(scores.bfloat16()).exp(), torch.tensor([[.21, .34, .21, .12, .12]]), atol=.006)


# Tokens and padding

@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    logits, targets, scores = example(3)
    logits, scores = logits.to(dtype), scores.to(dtype)
    prior, lp = doc_log_prior(scores), token_logprobs(logits, targets)
    exact = token_logprobs(logits.float(), targets)
    assert torch.equal(lp, exact) and torch.equal(prior, doc_log_prior(scores.float()))
    assert torch.equal(marginal_logits(logits, prior), marginal_logits(logits.float(), prior))
    for loss in LOSSES.values(): assert torch.equal(loss(logits, targets, prior, .1), loss(logits.float(), targets, prior, .1))
    results = [lp, prior, token_marginal(lp, prior), sequence_marginal(lp, prior), marginal_logits(logits, prior),
        token_posterior(lp, prior),
               running_posterior(lp, prior), rag_token_loss(logits, targets, prior, .1), rag_sequence_loss(logits, targets, prior, .1)]
    assert all(r.dtype == torch.float32 and not r.isnan().any() for r in results)
    assert token_marginal(lp.to(dtype), prior.to(dtype)).dtype == running_posterior(lp.to(dtype), prior.to(dtype)).dtype == torch.float32


@pytest.mark.parametrize("ignore_index", [-100, 0, 6])
def test_ignored_places(ignore_index):
    logits, targets, scores = example(5)
    used = targets.masked_fill(targets == ignore_index, 1).masked_fill(targets == -100, ignore_index)
    plain = targets.masked_fill(targets == ignore_index, 1) if ignore_index != -100 else targets
    a, b = token_logprobs(logits, used, ignore_index), token_logprobs(logits, plain)
    assert torch.equal(a, b) and (a.transpose(1, 2)[used == ignore_index] == 0).all()
    prior = doc_log_prior(scores)
    for loss in LOSSES.values():
        assert torch.equal(loss(logits, used, prior, .1, ignore_index=ignore_index), loss(logits, plain, prior, .1))


def test_batched_and_one_by_one():
    logits, targets, scores = example(11, B=5, T=6, least=1)
    prior = doc_log_prior(scores)
    lp = token_logprobs(logits, targets)
    for b in range(5):
        n = (targets[b] != -100).sum()
        one = logits[b:b+1, :, :n], targets[b:b+1, :n], prior[b:b+1]
        for loss in LOSSES.values():
            assert torch.allclose(loss(*one, .1, reduction="none")[0], loss(logits, targets, prior, .1, reduction="none")[b], atol=1e-4)
        lp1 = token_logprobs(*one[:2])
        assert torch.allclose(token_posterior(lp1, one[2])[0], token_posterior(lp, prior)[b, :n], atol=1e-6)
        assert torch.allclose(running_posterior(lp1, one[2])[0], running_posterior(lp, prior)[b, :n], atol=1e-6)


def test_targets_by_document():
    logits, targets, _ = example(2)
    per_document = targets[:, None].repeat(1, 4, 1)
    assert torch.equal(token_logprobs(logits, per_document), token_logprobs(logits, targets))
    per_document[0, 1, 0] = (targets[0, 0] + 1) % 7
    assert not torch.equal(token_logprobs(logits, per_document)[0, 1], token_logprobs(logits, targets)[0, 1])


def test_very_unlikely_and_very_long():
    logits = torch.zeros(1, 2, 400, 3)
    logits[..., 1] = 60.
    targets, prior = torch.zeros(1, 400, dtype=torch.long), doc_log_prior(torch.tensor([[100., -100.]]))
    lp = token_logprobs(logits, targets)
    assert torch.allclose(sequence_marginal(lp, prior), torch.tensor([-24000.]), rtol=1e-4)
    assert not running_posterior(lp, prior).isnan().any() and torch.allclose(running_posterior(lp, prior).sum(-1), torch.ones(1, 400))


# Posteriors

@pytest.mark.parametrize("posterior", [token_posterior, running_posterior])
def test_posteriors(posterior):
    logits, targets, scores = example(4, B=4, K=5)
    mask = torch.ones(4, 5, dtype=torch.bool); mask[1, 2:] = False; mask[3] = False
    prior, lp = doc_log_prior(scores, mask), token_logprobs(logits, targets)
    p = posterior(lp, prior)
    assert p.shape == (4, 5, 5) and p.dtype == torch.float32
    assert torch.allclose(p[:3].sum(-1), torch.ones(3, 5), atol=1e-5)
    assert (p[1, :, 2:] == 0).all() and (p[3] == 0).all()
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(posterior(lp[:, order], prior[:, order]), p[..., order], atol=1e-6)
    by_hand = torch.zeros_like(p)
    for b, t, k in itertools.product(range(3), range(5), range(5)):
        row = lp[b, k].double()
        by_hand[b, t, k] = (prior[b, k].double() + (row[t] if posterior is token_posterior else row[:t+1].sum())).exp()
    by_hand[:3] /= by_hand[:3].sum(-1, keepdim=True)
    assert torch.allclose(p[:3], by_hand[:3], atol=1e-5)


def test_what_the_posteriors_mean():
    logits, targets, scores = example(6, least=5)
    prior, lp = doc_log_prior(scores), token_logprobs(logits, targets)
    token, running = token_posterior(lp, prior), running_posterior(lp, prior)
    assert torch.allclose(token[:, 0], running[:, 0], atol=1e-6)
    # RAG-Sequence is RAG-Token with a memory: the belief so far takes the prior's place
    belief = torch.cat([prior.exp()[:, None], running[:, :-1]], 1)  # (B, T, K)
    steps = (belief * lp.exp().transpose(1, 2)).sum(-1)  # (B, T)
    assert torch.allclose(steps.log().sum(-1), sequence_marginal(lp, prior), atol=1e-4)
    # the losses' gradients by the scores are prior minus posterior
    for loss, expected in ((rag_sequence_loss, prior.exp() - running[:, -1]), (rag_token_loss, (prior.exp()[:, None] - token).sum(1))):
        s = scores.clone().requires_grad_()
        loss(logits, targets, doc_log_prior(s), reduction="sum").backward()
        assert torch.allclose(s.grad, expected, atol=1e-5)


# The marginal over the vocabulary

@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 3, 4, 7), (2, 3, 4, 5, 7)])
def test_marginal_logits(shape):
    g = torch.Generator().manual_seed(0)
    logits, prior = 2*torch.randn(shape, generator=g), doc_log_prior(torch.randn(2, 3, generator=g),
        torch.tensor([[True]*3, [True, True, False]]))
    out = marginal_logits(logits, prior)
    assert out.shape == (2,) + shape[2:] and torch.allclose(out.exp().sum(-1), torch.ones(out.shape[:-1]), atol=1e-5)
    by_hand = sum(prior.exp()[:, k].reshape(2, *[1]*(len(shape)-2)) * logits[:, k].softmax(-1) for k in range(3))
    assert torch.allclose(out.exp(), by_hand, atol=1e-6)


def test_a_banned_word_stays_banned():
    logits = torch.randn(1, 2, 3, 4); logits[..., 1] = -math.inf
    out = marginal_logits(logits, doc_log_prior(torch.zeros(1, 2)))
    assert (out[..., 1] == -math.inf).all() and not out.isnan().any()


# Mistakes

def test_clear_errors():
    logits, targets, scores = example(0)
    prior = doc_log_prior(scores)
    with pytest.raises(ValueError, match="one table a document"): rag_token_loss(logits.flatten(0, 1), targets, prior)
    with pytest.raises(ValueError, match="agree on questions and documents"): rag_sequence_loss(logits, targets, prior[:, :2])
    with pytest.raises(ValueError, match="reduction"): rag_sequence_loss(logits, targets, prior, reduction="average")


def test_a_question_without_documents():
    logits, targets, scores = example(0)
    mask = torch.tensor([[True]*4, [False]*4, [True]*4])
    for loss in LOSSES.values():
        out = loss(logits, targets, doc_log_prior(scores, mask), reduction="none")
        assert out[1] == math.inf and out[[0, 2]].isfinite().all()
