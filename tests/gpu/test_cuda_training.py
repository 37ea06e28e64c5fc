"""Recorded passes of training on a GPU against the ordinary ones: losses and gradients over shapes, steps, adapters and precisions."""
import importlib.util
from pathlib import Path

import pytest, torch
from torch import nn
from rag_nb.fast.fused_loss import _Pick
from rag_nb.fast.cuda_graphs import Recorder
from rag_nb.core.toy import toy_generator

pytestmark = pytest.mark.gpu
spec = importlib.util.spec_from_file_location("cases_of_recording", Path(__file__).parent.parent/"test_record.py")
cpu = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cpu)


@pytest.fixture(autouse=True)
def exact():
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32 = before


def generator(kind, dtype=torch.float64):
    "A toy with a third of its weights' size: as they come, toys multiply every rounding a thousand times."
    g = toy_generator(kind)
    with torch.no_grad():
        for p in g.parameters():
            if p.dim() > 1: p.mul_(.3)
    return g.to("cuda", dtype).requires_grad_(True)


def recorder(g, **kw): return Recorder(g, **{"after": 1, **kw})


def batch(*args, rows=cpu.batch, **kw): return [x.cuda() for x in rows(*args, **kw)]


def loss(g, rows, record=None, **kw): return cpu.loss(g, rows, record, **kw)


@pytest.fixture(autouse=True)
def prior_on_the_gpu(monkeypatch):
    plain = cpu.doc_log_prior
    monkeypatch.setattr(cpu, "doc_log_prior", lambda scores: plain(scores.cuda()))


def played(record, n):
    assert record.counts == {"played": n}, dict(record.counts)


SHAPES = ((0, 9, 5, False), (1, 33, 9, False), (2, 9, 5, True), (3, 32, 8, True), (4, 10, 4, False), (5, 40, 9, False))


@pytest.mark.parametrize("dtype, eps", [(torch.float64, 1e-6), (torch.float32, 1e-5)])
@pytest.mark.parametrize("kind", ["bart", "mbart", "t5", "llama", "gpt2"])
def test_loss_and_gradients(kind, dtype, eps):
    "Over shapes, with and without padding, and the first shapes again."
    g = generator(kind, dtype)
    record = recorder(g)
    for seed, S, T, full in SHAPES:
        rows = batch(kind, seed, S, T, full=full)
        cpu.equal(cpu.graded(g, lambda: loss(g, rows)), cpu.graded(g, lambda: loss(g, rows, record)), eps)
    played(record, len(SHAPES))


def test_many_recordings_share_memory_and_do_not_disturb_each_other():
    "Six shapes, each played several times in a mixed order, against the ordinary way."
    g = generator("bart")
    record, rows = recorder(g), [batch("bart", *shape[:3], full=shape[3]) for shape in SHAPES]
    want = [cpu.graded(g, lambda: loss(g, r)) for r in rows]
    for i in [*range(6), 0, 3, 1, 1, 5, 2, 4, 0]: cpu.equal(want[i], cpu.graded(g, lambda: loss(g, rows[i], record)))
    assert len(record.tapes) >= 3


def test_memory_of_recordings():
    "Ten shapes take about as much as the largest of them: their passes lie in the same memory."
    g = generator("bart", torch.float32)
    record = recorder(g)
    def reserved():
        torch.cuda.empty_cache()
        return torch.cuda.memory_reserved()
    g.zero_grad(); before = reserved()
    loss(g, batch("bart", 0, 320, 40), record).backward(); g.zero_grad(); one = reserved()
    for S in range(32, 320, 32): loss(g, batch("bart", 0, S, 40), record).backward(); g.zero_grad()
    assert len(record.tapes) == 10 and reserved() - before < 2*(one - before) + 2**26


@pytest.mark.parametrize("name", ["test_two_batches_are_added_up", "test_no_gradient_is_the_recordings_own", "test_weights_that_an_optimiser_changes_are_seen", "test_frozen_parts", "test_adapters",
                                  "test_without_gradients_there_is_no_way_back", "test_a_second_pass_before_the_first_went_back_goes_the_ordinary_way", "test_groups_of_a_step",
                                  "test_a_pass_that_was_dropped_does_not_stand_in_the_way", "test_back_twice_is_refused", "test_a_hook_attached_later_is_seen", "test_what_lies_in_the_padding_is_not_read"])
def test_as_on_a_cpu(name, monkeypatch):
    "The tests of tests/test_record.py, with real recordings."
    plain = cpu.toy_generator
    monkeypatch.setattr(cpu, "batch", batch)
    monkeypatch.setattr(cpu, "recorder", recorder)
    monkeypatch.setattr(cpu, "toy_generator", lambda kind: plain(kind).cuda())
    getattr(cpu, name)()


@pytest.mark.parametrize("kind", ["bart", "llama", "llama with a bias"])
def test_more_places_than_logits_are_made_for_at_once(kind, monkeypatch):
    monkeypatch.setattr(cpu, "batch", batch)
    monkeypatch.setattr(cpu, "generator", generator)
    monkeypatch.setattr(cpu, "recorder", recorder)
    cpu.test_more_places_than_logits_are_made_for_at_once(kind, monkeypatch)


@pytest.mark.parametrize("kind", ["bart", "llama"])
def test_contexts_on_the_host(kind):
    "They may stay there until they are read."
    g, there = generator(kind), batch(kind, 0, 33, 9)
    record, rows = recorder(g), [*(x.cpu() for x in there[:2]), *there[2:]]
    for r in (None, record): cpu.equal(cpu.graded(g, lambda: loss(g, there, r)), cpu.graded(g, lambda: loss(g, rows, r)))
    played(record, 2)


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_equal_contexts(kind):
    g = generator(kind)
    record, rows = recorder(g), batch(kind, same=2)
    for _ in range(2): cpu.equal(cpu.graded(g, lambda: loss(g, rows)), cpu.graded(g, lambda: loss(g, rows, record)))
    played(record, 2)


def test_dropout_differs_from_step_to_step_and_its_gradient_is_its_own():
    "Played twice, a loss differs; and the gradient is that of the draw which made the loss: a small step against it lowers a loss with the same draw."
    g = generator("bart").train()
    for m in g.modules():
        for n in ("dropout", "attention_dropout", "activation_dropout"):
            if isinstance(getattr(m, n, None), float): setattr(m, n, .1)
    record, rows = recorder(g), batch("bart")
    losses = [float(loss(g, rows, record).detach()) for _ in range(4)]
    assert len({*losses}) == 4
    weight = g.get_encoder().layers[0].fc1.weight
    for _ in range(3):
        state = torch.cuda.get_rng_state()
        l, grads = cpu.graded(g, lambda: loss(g, rows, record))
        slope, step = next(v for n, v in grads.items() if n.endswith("encoder.layers.0.fc1.weight")), 1e-3
        with torch.no_grad(): weight.sub_(step*slope)
        torch.cuda.set_rng_state(state)
        m = loss(g, rows, record).detach()
        with torch.no_grad(): weight.add_(step*slope)
        assert float((l - m)/step) == pytest.approx(float(slope.square().sum()), rel=.1)


def test_bfloat16_and_mixed_precision():
    "Recorded and ordinary are as close as two ordinary orders of adding up; casts under autocast follow the weights."
    for dtype, mixed in ((torch.bfloat16, False), (torch.float32, True)):
        g = generator("bart", dtype)
        record, rows = recorder(g), batch("bart", 0, 33, 9)
        for _ in range(3):
            with torch.autocast("cuda", torch.bfloat16, enabled=mixed): a, b = (cpu.graded(g, lambda: loss(g, rows, r)) for r in (None, record))
            norm = lambda x: sum(v.float().square().sum() for v in x.values()).sqrt()
            gap = norm({n: a[1][n] - b[1][n] for n in a[1]})/norm(a[1])
            assert abs(float(a[0] - b[0])) < 2e-2*float(a[0]) and float(gap) < .1
            with torch.no_grad(): g.model.decoder.layers[0].fc1.weight.mul_(.7)
        played(record, 3)


def test_after_weights_have_moved():
    g = generator("bart")
    record, rows = recorder(g), batch("bart")
    cpu.graded(g, lambda: loss(g, rows, record))
    for p in g.parameters(): p.data = p.data.clone()
    cpu.equal(cpu.graded(g, lambda: loss(g, rows)), cpu.graded(g, lambda: loss(g, rows, record)))
    assert len(record.tapes) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_chosen(dtype):
    "By the kernel, over 50,265 words in rows that are not beside each other, with a matrix of an odd number of rows."
    g = torch.Generator("cuda").manual_seed(0)
    logits = (torch.randn(50, 50304, generator=g, device="cuda")*5).to(dtype)[:, :50265]
    targets, slope = torch.randint(0, 50265, (50,), generator=g, device="cuda"), torch.randn(50, generator=g, device="cuda")
    exact, ours = logits.double().requires_grad_(True), logits.clone().requires_grad_(True)
    want = exact.log_softmax(-1).gather(1, targets[:, None])[:, 0]
    for x in (ours, logits.detach().requires_grad_(True)):
        got = _Pick.apply(x, targets)
        torch.testing.assert_close(got.double(), want, atol=1e-4, rtol=1e-5)
        a, b = torch.autograd.grad(want, exact, slope.double(), retain_graph=True)[0], torch.autograd.grad(got, x, slope)[0]
        assert bool(((a - b.double()).abs() <= a.abs()*(2**-7 if dtype == torch.bfloat16 else 1e-3)*1.01 + 1e-5).all())


def test_what_looks_at_numbers_fails_cleanly():
    "A pass that asks the host is not recorded; the step is made the ordinary way, and the next network can be recorded."
    net = nn.Linear(3, 2).cuda()
    def looks(module, x): return module(x)*(2 if bool(x.sum() > 0) else 1)
    record, x = recorder(net), torch.ones(4, 3, device="cuda")
    with pytest.warns(UserWarning, match="recording failed"): assert record(looks, x=x) is None
    assert record(looks, x=x) is None
    g = generator("bart")
    fine, rows = recorder(g), batch("bart")
    cpu.equal(cpu.graded(g, lambda: loss(g, rows)), cpu.graded(g, lambda: loss(g, rows, fine)))
    played(fine, 1)


@pytest.mark.parametrize("dtype, mixed", [(torch.float32, False), (torch.bfloat16, False), (torch.float32, True)])
def test_lean_ways_back(dtype, mixed, monkeypatch):
    "Recorded with linear layers and norms that go back by kernels of our own, whatever their number of rows."
    lean = cpu._lean
    monkeypatch.setattr("rag_nb.fast.cuda_graphs._lean", lambda: lean(least=2))
    g = generator("bart", dtype)
    record, rows = recorder(g), batch("bart", 0, 33, 9)
    with torch.autocast("cuda", torch.bfloat16, enabled=mixed): a, b = (cpu.graded(g, lambda: loss(g, rows, r)) for r in (None, record))
    if dtype == torch.float32 and not mixed: cpu.equal(a, b, 1e-5)
    norm = lambda x: sum(v.float().square().sum() for v in x.values()).sqrt()
    assert float(norm({n: a[1][n] - b[1][n] for n in a[1]})/norm(a[1])) < .1
    played(record, 1)
