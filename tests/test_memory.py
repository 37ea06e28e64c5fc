"What training may hold: no logits of everything, equal contexts encoded once, and what is recomputed is not kept."
import pytest, torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rag_nb import doc_log_prior
from rag_nb.fast.fused_loss import answer_logprobs, chosen_logprobs, marginal_nll
from rag_nb.core.prefill import teacher_force
from rag_nb.core.marginal import rag_token_loss
from rag_nb.core.toy import toy_generator

B, K, T, S = 40, 3, 24, 6


class Largest(TorchDispatchMode):
    "Notes how many numbers the largest float tensor has that any operation makes."
    def __init__(self): super().__init__(); self.numel = 0
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.numel = max([self.numel, *(x.numel() for x in tree_leaves(out) if isinstance(x, torch.Tensor) and x.is_floating_point())])
        return out


def batch(kind, same=1):
    "Contexts (B·K, S) without padding, decoder inputs and targets (B·K, T), a prior (B, K); every question stands `same` times."
    torch.manual_seed(0)
    g = toy_generator(kind).train()
    for m in g.modules():
        if isinstance(m, torch.nn.Dropout): m.p = 0.
    ids = torch.randint(4, 250, (B // same, K, S)).repeat_interleave(same, 0).flatten(0, 1)
    targets = torch.randint(4, 250, (B, T)).repeat_interleave(K, 0)
    fed = torch.cat([torch.full((B*K, 1), 2), targets[:, :-1]], 1)
    return g, ids, torch.ones_like(ids), fed, targets, doc_log_prior(torch.randn(B, K))


def loss(g, ids, mask, fed, targets, prior, **kw):
    return marginal_nll(answer_logprobs(g, ids, mask, fed, targets, one_matrix=True, **kw).view(B, K, T), prior).mean()


@pytest.mark.parametrize("kind", ["bart", "t5", "llama"])
def test_the_logits_of_everything_never_exist(kind):
    "Neither on the way there nor back; the plain loss, to know that the measure measures, makes them several times."
    g, *rows = batch(kind)
    V = g.config.vocab_size
    assert B*K*T > 2048
    with Largest() as fused: loss(g, *rows, rows=B*K).backward()
    logits = teacher_force(g, *rows[:3]).logits
    with Largest() as plain: rag_token_loss(logits.view(B, K, T, V), rows[3][::K], rows[4]).backward()
    assert plain.numel >= B*K*T*V > 1.3*fused.numel
    assert fused.numel <= max(2048*V, B*K*4*(S + T)*(S + T), B*K*(S + T)*256)   # a piece of the logits, attention, or a feed-forward part


def test_pieces_are_as_large_as_one_says():
    g, *_ = batch("bart")
    hidden = torch.randn(500, g.config.d_model, requires_grad=True)
    with Largest() as seen: chosen_logprobs(g, hidden, torch.randint(0, 250, (500,)), size=50).sum().backward()
    assert seen.numel == max(50*g.config.vocab_size, g.lm_head.weight.numel(), hidden.numel())


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_equal_contexts_are_encoded_once(kind):
    "And the gradients are those of encoding each of them."
    g, ids, mask, *rest = batch(kind, same=4)
    g.double()
    mask[0:K*4:K, -2:] = 0                                                  # the first question's first document is shorter than it looks
    ids[0:K*4:K, -2:] = torch.arange(8).view(4, 2)                          # what lies in the padding is nobody's business
    seen = []
    hook = g.get_encoder().register_forward_pre_hook(lambda m, args,
        kwargs: seen.append(len(kwargs["input_ids"] if "input_ids" in kwargs else args[0])), with_kwargs=True)
    once = torch.autograd.grad(loss(g, ids, mask, *rest, rows=B*K), list(g.parameters()), allow_unused=True)
    hook.remove()
    assert seen == [B*K // 4]
    lp = [answer_logprobs(g, *(x[i:i+1] for x in (ids, mask, *rest[:2])), one_matrix=True) for i in range(B*K)]
    each = torch.autograd.grad(marginal_nll(torch.cat(lp).view(B, K, T), rest[2]).mean(), list(g.parameters()), allow_unused=True)
    for a, b in zip(once, each): assert (a is None) == (b is None) and (a is None or torch.allclose(a, b, atol=1e-5, rtol=1e-4))


def kept(make):
    "Bytes that autograd keeps for the way back, and the gradients."
    held = {}
    def pack(x): held[x.data_ptr(), x.shape] = x.nbytes; return x
    with saved_tensors_hooks(pack, lambda x: x): out = make()
    return sum(held.values()), out


@pytest.mark.parametrize("kind", ["bart", "llama"])
def test_what_is_recomputed_is_not_kept(kind):
    "Of a group only its results stay; Transformers' own checkpointing of layers works inside it, too; gradients do not change."
    g, *rows = batch(kind)
    grads = lambda l: torch.autograd.grad(l, list(g.parameters()), allow_unused=True)
    whole, l = kept(lambda: loss(g, *rows, rows=10)); want = grads(l)
    for again, layers in ((True, False), (False, True), (True, True)):
        if layers: g.gradient_checkpointing_enable(gradient_checkpointing_kwargs=dict(use_reentrant=False))
        some, l = kept(lambda: loss(g, *rows, rows=10, activation_checkpointing=again))
        assert some < .8*whole
        for a, b in zip(grads(l), want): assert (a is None) == (b is None) and (a is None or torch.allclose(a, b, atol=1e-5, rtol=1e-3))
        if layers: g.gradient_checkpointing_disable()
