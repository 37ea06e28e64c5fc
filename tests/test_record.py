"""Recorded passes, by a recording that only runs again (`FakeReplay`): what is padded, copied, added up, kept and refused.

tests/gpu/test_cuda_training.py asks the same of real recordings.
"""
import pytest, torch
from torch import nn
from rag_nb import FinetuneConfig, finetune; from rag_nb.fast import fused_loss as likelihood
from rag_nb.fast.fused_loss import _Pick, answer_logprobs, marginal_nll
from rag_nb.core.marginal import doc_log_prior
from rag_nb.fast.cuda_graphs import FakeReplay, Recorder, _copies, _lean, _masks, _stand_ins, cannot_record
from rag_nb.core.toy import toy_generator

B, K = 3, 2


def batch(kind, seed=0, S=9, T=5, same=1, full=False):
    "Contexts, mask, decoder inputs, targets (B·K, …) with padding where `kind` wants it, −100 in places."
    g = torch.Generator().manual_seed(seed)
    ids, mask = torch.randint(4, 250, (B*K, S), generator=g), torch.ones(B*K, S, dtype=torch.long)
    if not full:
        for i in range(B*K): mask[i, S - int(torch.randint(0, 4, (), generator=g)):] = 0
        mask[-1] = 1
    if same > 1: ids, mask = (x[:B*K//same].repeat(same, 1) for x in (ids, mask))
    if kind in ("llama", "gpt2"): ids, mask = ids.flip(1), mask.flip(1)
    targets = torch.randint(4, 250, (B, T), generator=g)
    targets[0, 1] = targets[1, 3:] = -100
    fed = torch.cat([torch.full((B, 1), 2), targets[:, :-1].clamp(min=0)], 1)
    return ids, mask, *(x.repeat_interleave(K, 0) for x in (fed, targets))


def loss(g, batch, record=None, **kw):
    prior = doc_log_prior(torch.arange(B*K).view(B, K) / 5)
    return marginal_nll(answer_logprobs(g, *batch, one_matrix=True, record=record, **kw).view(B, K, -1), prior).mean()


def graded(g, make):
    g.zero_grad()
    l = make()
    l.backward()
    return l.detach(), {n: p.grad.clone() for n, p in g.named_parameters() if p.grad is not None}


def equal(a, b, eps=1e-6):
    (l, g), (m, h) = a, b
    assert abs(float(l - m)) < eps*max(1, abs(float(l))) and g.keys() == h.keys()
    for n in g: assert float((g[n] - h[n]).abs().max()) <= eps*max(1, float(g[n].abs().max())), n


def generator(kind, **kw): return toy_generator(kind, **kw).double().requires_grad_(True)
def recorder(g, **kw): return Recorder(g, tape=FakeReplay, **{"after": 1, **kw})


# Prefill

@pytest.mark.parametrize("kind", ["bart", "mbart", "t5", "llama", "gpt2"])
def test_rounded_lengths_change_nothing(kind):
    "Lengths rounded up to 32 and 8, over shapes with and without padding, and the first shape again: loss and all gradients."
    g = generator(kind)
    record = recorder(g)
    for seed, S, T, full in ((0, 9, 5, False), (1, 33, 9, False), (2, 9, 5, True), (3, 32, 8, True), (4, 10, 4, False)):
        rows = batch(kind, seed, S, T, full=full)
        equal(graded(g, lambda: loss(g, rows)), graded(g, lambda: loss(g, rows, record)))
    assert record.counts == {"played": 5}
    assert len(record.tapes) == (2 if kind in ("llama", "gpt2") else 3)
    widths = {tuple(x.shape[1] for n, x in tape.inputs.items()) for tape in record.tapes.values()}
    assert widths == ({(32, 16, 16), (64, 16, 16)} if kind in ("llama", "gpt2") else {(32, 32, 8, 8), (64, 64, 16, 16)})


def test_what_lies_in_the_padding_is_not_read():
    "Places keep what earlier steps left in them: nothing of it may be seen."
    g = generator("bart")
    record, long, short = recorder(g), batch("bart", 0, 31, 8), batch("bart", 1, 4, 2)
    want = graded(g, lambda: loss(g, short))
    graded(g, lambda: loss(g, long, record))
    equal(want, graded(g, lambda: loss(g, short, record)))
    assert len(record.tapes) == 1


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_equal_contexts_are_encoded_once_in_a_recording(kind):
    g = generator(kind)
    record, rows = recorder(g), batch(kind, same=2)
    equal(graded(g, lambda: loss(g, rows)), graded(g, lambda: loss(g, rows, record)))
    tape, = record.tapes.values()
    assert tape.inputs["ids"].shape[0] == B*K//2 and tape.inputs["fed"].shape[0] == len(tape.inputs["which"]) == B*K


def test_full_contexts_are_a_case_of_their_own():
    g = generator("bart")
    record = recorder(g, longest=(9,))
    for full in (True, False, True): graded(g, lambda: loss(g, batch("bart", full=full), record))
    assert [key[1] for key in record.tapes] == ["padded", "full"] and record.width(9) == 9 and record.width(10) == 32


def test_positions_beyond_the_last_are_not_asked_for():
    "GPT-2 has as many positions as it has: rounding up must not go past them."
    g = generator("gpt2")
    n = g.config.n_positions
    assert Recorder(g).width(n - 1) == n and Recorder(g).width(n) == n
    rows = batch("gpt2", 0, n - 6, 5)
    record = recorder(g)
    equal(graded(g, lambda: loss(g, rows)), graded(g, lambda: loss(g, rows, record)))
    assert record.counts["played"] == 1


# Gradients

def test_two_batches_are_added_up():
    g = generator("bart")
    record, (a, b) = recorder(g), (batch("bart", s) for s in (0, 1))
    want = graded(g, lambda: loss(g, a) + loss(g, b))
    g.zero_grad()
    l = 0
    for rows in (a, b):
        one = loss(g, rows, record)
        one.backward()
        l = l + one.detach()
    equal(want, (l, {n: p.grad for n, p in g.named_parameters()}))
    assert record.counts == {"played": 2}


def test_no_gradient_is_the_recordings_own():
    "Neither `.grad` nor what `autograd.grad` gives, nor the result: all of them survive the next play."
    g = generator("bart")
    record, (a, b) = recorder(g), (batch("bart", s) for s in (0, 1))
    first, weights = loss(g, a, record), [*g.parameters()]
    kept = torch.autograd.grad(first, weights)
    before = [x.clone() for x in (first.detach(), *kept)]
    equal_before = graded(g, lambda: loss(g, b, record))[1]
    for x, y in zip((first.detach(), *kept), before): assert torch.equal(x, y)
    own = {x.untyped_storage().data_ptr() for tape in record.tapes.values() for x in (*tape.grads, tape.out, tape.grad_output) if x is not None}
    assert not own & {p.grad.untyped_storage().data_ptr() for p in weights} and equal_before


def test_weights_that_an_optimiser_changes_are_seen():
    g, other = generator("bart"), generator("bart")
    record = recorder(g)
    for net, r in ((g, record), (other, None)):
        optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2)
        for seed in range(4):
            optimiser.zero_grad()
            loss(net, batch("bart", seed), r).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.)
            optimiser.step()
    assert record.counts == {"played": 4} and len(record.tapes) == 1
    for p, q in zip(g.parameters(), other.parameters()): torch.testing.assert_close(p, q, atol=1e-6, rtol=1e-6)


def test_frozen_parts():
    g = generator("bart")
    record, rows = recorder(g), batch("bart")
    graded(g, lambda: loss(g, rows, record))
    for p in g.get_encoder().layers.parameters(): p.requires_grad_(False)
    equal(graded(g, lambda: loss(g, rows)), graded(g, lambda: loss(g, rows, record)))
    assert len(record.tapes) == 2 and len(record.tapes[list(record.tapes)[1]].wanted) < len(record.tapes[list(record.tapes)[0]].wanted)


def test_adapters():
    from rag_nb.core.objective import add_adapters
    g = add_adapters(toy_generator("bart").double(), 2)
    for n, p in g.named_parameters():
        if "lora_B" in n: nn.init.normal_(p)
    record, rows = recorder(g), batch("bart")
    want = graded(g, lambda: loss(g, rows))
    equal(want, graded(g, lambda: loss(g, rows, record)))
    assert want[1] and all("lora" in n for n in want[1]) and record.counts == {"played": 1}


def test_without_gradients_there_is_no_way_back():
    g = generator("bart")
    record, rows = recorder(g), batch("bart")
    with torch.no_grad():
        a, b = answer_logprobs(g, *rows, one_matrix=True), answer_logprobs(g, *rows, one_matrix=True, record=record)
    torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)
    tape, = record.tapes.values()
    assert not b.requires_grad and not tape.wanted
    graded(g, lambda: loss(g, rows, record))
    assert len(record.tapes) == 2


def test_mixed_precision_casts_weights_anew():
    "Under autocast a recording must see weights as they are now, not a cast of what they were."
    g = toy_generator("bart").requires_grad_(True)
    record, rows = recorder(g), batch("bart")
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16):
            a, b = loss(g, rows), loss(g, rows, record)
            torch.testing.assert_close(a, b, atol=2e-2, rtol=2e-2)
            b.backward()
        with torch.no_grad(): g.lm_head.weight.mul_(.5)
    loss(g, rows, record).backward()
    assert record.counts == {"played": 3} and len(record.tapes) == 2           # with autocast, and without


# One at a time

def test_a_second_pass_before_the_first_went_back_goes_the_ordinary_way():
    g = generator("bart")
    record, (a, b) = recorder(g), (batch("bart", s) for s in (0, 1))
    want = graded(g, lambda: loss(g, a) + loss(g, b))
    equal(want, graded(g, lambda: loss(g, a, record) + loss(g, b, record)))
    assert record.counts == {"played": 1, "another recorded pass has yet to go back": 1}
    with torch.no_grad(): loss(g, a, record)
    assert record.counts["played"] == 2                                         # the way is free again


def test_groups_of_a_step():
    "Of several groups the first is played; the sum is right."
    g = generator("bart")
    record, rows = recorder(g), batch("bart")
    equal(graded(g, lambda: loss(g, rows)), graded(g, lambda: loss(g, rows, record, rows=2)))
    assert record.counts == {"played": 1, "another recorded pass has yet to go back": 2}


@pytest.mark.parametrize("kind", ["bart", "llama", "llama with a bias"])
def test_more_places_than_logits_are_made_for_at_once(kind, monkeypatch):
    "In pieces, each made once more on the way back; also where the vocabulary's matrix has a bias that learns."
    kind, biased = kind.partition(" ")[::2]
    g = generator(kind)
    if biased: g.lm_head.bias = nn.Parameter(torch.linspace(-1, 1, g.lm_head.out_features).to(g.lm_head.weight))
    record, rows = recorder(g), batch(kind)
    want, plain = graded(g, lambda: loss(g, rows)), likelihood.chosen_logprobs
    assert not biased or "lm_head.bias" in want[1]
    monkeypatch.setattr(likelihood, "chosen_logprobs", lambda *a: plain(*a, size=7))
    for _ in range(2): equal(want, graded(g, lambda: loss(g, rows, record)))
    assert record.counts == {"played": 2}


def test_pieces_and_ways_back_by_few_kernels():
    "A piece is the same when it is made again, outside of `_lean`."
    g, hidden = generator("llama"), torch.randn(20, 32, dtype=torch.float64)
    head = nn.Linear(32, g.lm_head.out_features, dtype=torch.float64)
    g.set_output_embeddings(head)
    def slopes(size): return torch.autograd.grad(likelihood.chosen_logprobs(g, hidden, torch.arange(20), size=size).sum(), [*head.parameters()])
    want = slopes(99)
    with _lean(least=4, on=lambda x: True): lp = likelihood.chosen_logprobs(g, hidden, torch.arange(20), size=7)
    for a, b in zip(want, torch.autograd.grad(lp.sum(), [*head.parameters()])): torch.testing.assert_close(a, b)


def test_a_random_output_embedding_draws_the_same_again():
    "Dropout before the vocabulary's matrix: pieces that are made twice have the gradients of what was made first."
    g, hidden = generator("llama"), torch.randn(20, 32, dtype=torch.float64)
    class Head(nn.Linear):
        def forward(self, x): return super().forward(nn.functional.dropout(x, .5))
    head = Head(32, g.lm_head.out_features, dtype=torch.float64)
    g.set_output_embeddings(head)
    torch.manual_seed(0)
    lp = likelihood.chosen_logprobs(g, hidden, torch.arange(20), size=7)
    torch.manual_seed(0)
    want = torch.cat([likelihood._chosen(g, *x) for x in zip(hidden.split(7), torch.arange(20).split(7))])
    torch.testing.assert_close(lp, want)
    for a, b in zip(*(torch.autograd.grad(x.sum(), [*head.parameters()]) for x in (lp, want))): torch.testing.assert_close(a, b)


def test_a_pass_that_was_dropped_does_not_stand_in_the_way():
    g = generator("bart")
    record, rows = recorder(g), batch("bart")
    loss(g, rows, record)
    loss(g, rows, record).backward()
    assert record.counts == {"played": 2}


def test_back_twice_is_refused():
    g = generator("bart")
    l = loss(g, batch("bart"), recorder(g))
    l.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="can go back once"): l.backward()


# Which shapes

class Lines(nn.Module):
    def __init__(self): super().__init__(); self.line, self.idle = nn.Linear(3, 2), nn.Linear(1, 1)
    def forward(self, x): return self.line(x)


def run(module, x): return module(x)
def other(module, x): return module(x)*2


def test_a_shape_is_recorded_when_it_comes_again():
    record = Recorder(Lines(), tape=FakeReplay, after=3)
    for why in ("its shape is new", "its shape is new", None, None):
        out = record(run, x=torch.ones(4, 3))
        assert record.why == why and (out is None) == bool(why)
        del out


def test_what_belongs_to_the_key():
    net = Lines()
    record, x = recorder(net), torch.ones(4, 3)
    def new(**kw):
        n = len(record.tapes)
        record(kw.get("run", run), kw.get("state", ()), x=kw.get("x", x))
        assert record.why is None
        return len(record.tapes) - n
    assert [new(), new()] == [1, 0]
    assert [new(run=other), new(state="full"), new(x=torch.ones(5, 3)), new()] == [1, 1, 1, 0]
    net.eval(); assert [new(), new()] == [1, 0]
    net.train(); assert new() == 0
    net.line.bias.requires_grad_(False); assert new() == 1
    with torch.no_grad(): assert new() == 1
    with torch.autocast("cpu", torch.bfloat16): assert new() == 1


def test_moved_weights_drop_all_recordings():
    net = Lines()
    record = recorder(net)
    record(run, x=torch.ones(4, 3)); record(run, x=torch.ones(5, 3))
    assert len(record.tapes) == 2
    net.line.weight.data = net.line.weight.data*2
    torch.testing.assert_close(record(run, x=torch.ones(5, 3)), net(torch.ones(5, 3)))
    assert len(record.tapes) == 1


def test_weights_without_a_part_in_it_get_no_gradient():
    net = Lines()
    recorder(net)(run, x=torch.ones(4, 3)).sum().backward()
    assert net.idle.weight.grad is None and net.line.weight.grad is not None


def test_room():
    "A full recorder keeps what is in use, and makes room by what has long been idle."
    net = Lines()
    record = recorder(net, keep=2)
    def ask(n):
        out = record(run, x=torch.ones(n, 3))
        assert out is None or torch.equal(out, net(torch.ones(n, 3)))
        return record.why
    assert [ask(1), ask(2), ask(3)] == [None, None, "2 other shapes are recorded and in use"]
    assert ask(1) is None and ask(3) is not None
    for _ in range(20): assert ask(1) is None
    assert ask(3) is None and ask(1) is None and ask(2) is not None and len(record.tapes) == 2


def test_a_recording_that_fails_is_said_once_and_not_tried_again():
    tried = []
    def impossible(module, x): tried.append(1); raise RuntimeError("operation not permitted\nwhen stream is capturing")
    record = recorder(Lines())
    with pytest.warns(UserWarning, match="recording failed: RuntimeError: operation not permitted"): assert record(impossible, x=torch.ones(1, 3)) is None
    assert record(impossible, x=torch.ones(1, 3)) is None and len(tried) == 1
    assert record.counts == {"recording failed: RuntimeError: operation not permitted": 2}


# What cannot be recorded

def hooked(): g = toy_generator("bart"); g.get_encoder().register_forward_hook(lambda *a: None); return g
def checkpointed(): g = toy_generator("bart").train(); g.gradient_checkpointing_enable(); return g
def dropping(): g = toy_generator("bart").train(); g.model.decoder.layerdrop = .1; return g
def elsewhere(): g = toy_generator("bart"); g.lm_head.to("meta"); return g
def windowed(): g = toy_generator("bart"); g.config._attn_implementation = "flash_attention_2"; return g


@pytest.mark.parametrize("make, why", [(hooked, "a hook is attached"), (checkpointed, "recomputes its layers"), (dropping, "leaves out layers"), (elsewhere, "several devices"),
                                       (windowed, "its attention is flash_attention_2"), (lambda: toy_generator("bart").half(), "float16")])
def test_reasons(make, why):
    g = make()
    assert why in cannot_record(g, anywhere=True)
    record = recorder(g)
    assert record(run, x=torch.ones(1, 3)) is None and why in record.why


def test_a_cpu_is_a_reason():
    assert "only a GPU's work" in cannot_record(toy_generator("bart"))
    record = Recorder(toy_generator("bart"))
    assert record(run, x=torch.ones(1)) is None and "it is on cpu" in record.why


def test_a_hook_attached_later_is_seen():
    g = generator("bart")
    record, rows = recorder(g), batch("bart")
    graded(g, lambda: loss(g, rows, record))
    seen = []
    handle = g.get_decoder().register_forward_hook(lambda *a: seen.append(1))
    graded(g, lambda: loss(g, rows, record))
    assert seen and record.why == "a hook is attached to it"
    handle.remove()
    graded(g, lambda: loss(g, rows, record))
    assert record.counts["played"] == 2


# Its parts

def test_masks_are_decided_as_before():
    "In the second run no mask is looked at: even a padded one is left out, if the notes say so."
    g, ids, notes = toy_generator("bart"), torch.randint(4, 250, (2, 6)), []
    full, padded = torch.ones_like(ids), torch.ones_like(ids); padded[1, 4:] = 0
    read = lambda mask: g(input_ids=ids, attention_mask=mask, decoder_input_ids=ids).logits
    with torch.no_grad():
        with _masks(notes, False): want = read(full)
        assert notes and all(notes)
        with _masks(notes, True): torch.testing.assert_close(read(padded), want)
        assert not torch.allclose(read(padded), want)
        with _masks(notes, False): want = read(padded)
        assert len(notes) > 1 and not all(notes)
        with _masks(notes, True): torch.testing.assert_close(read(padded), want)


def test_stand_ins_share_memory_and_leave_no_trace():
    g = toy_generator("bart")
    before, weight = {n: id(p) for n, p in g.named_parameters(remove_duplicate=False)}, g.lm_head.weight
    with pytest.raises(ZeroDivisionError):
        with _stand_ins(g) as of:
            for n, p in g.named_parameters(remove_duplicate=False): assert id(p) != before[n]
            assert g.lm_head.weight is of(weight) is g.get_input_embeddings().weight and of(weight).data_ptr() == weight.data_ptr()   # tied as before
            g.lm_head.weight.data[0, 0] = 7.
            1/0
    assert {n: id(p) for n, p in g.named_parameters(remove_duplicate=False)} == before and float(g.lm_head.weight[0, 0].detach()) == 7.


def test_copies():
    found = [torch.ones(3), None, torch.ones(2, 2, dtype=torch.float64), torch.zeros(0)]
    new = _copies(found)
    for f, n in zip(found, new):
        assert (f is None) == (n is None)
        if f is not None: assert torch.equal(f, n) and f.dtype == n.dtype and (not f.numel() or f.data_ptr() != n.data_ptr())


# The chosen token's log-probability

def test_the_gradient_of_the_chosen():
    logits, targets = torch.randn(5, 7, dtype=torch.float64, requires_grad=True), torch.tensor([0, 6, 3, 3, 1])
    assert torch.autograd.gradcheck(lambda x: _Pick.apply(x, targets), logits)


@pytest.mark.parametrize("scale", [1, 20])
def test_the_gradient_of_the_chosen_in_bfloat16(scale):
    "As exact as the logits' precision allows, also where a token is all but certain."
    g = torch.Generator().manual_seed(0)
    logits = (torch.randn(40, 300, generator=g)*scale).bfloat16()
    targets = torch.where(torch.arange(40) % 2 == 0, logits.float().argmax(-1), torch.randint(0, 300, (40,), generator=g))
    slope, exact, ours = torch.randn(40, generator=g), logits.double().requires_grad_(True), logits.clone().requires_grad_(True)
    want = exact.log_softmax(-1).gather(1, targets[:, None])[:, 0]
    got = _Pick.apply(ours, targets)
    torch.testing.assert_close(got.double(), want, atol=1e-5, rtol=1e-5)
    want, = torch.autograd.grad(want, exact, slope.double())
    got, = torch.autograd.grad(got, ours, slope)
    assert got.dtype == torch.bfloat16
    assert bool(((got.double() - want).abs() <= want.abs()*2**-7*1.01 + 1e-5).all())                     # two roundings, and those of p in float32


@pytest.mark.parametrize("extra", [False, True])
def test_a_vocabulary_of_an_odd_number_of_words(monkeypatch, extra):
    "With rows of zeros below the matrix: the same logits, log-probabilities and gradients, with and without biases."
    import rag_nb.fast.fused_loss as L
    net = nn.Module()
    net.matrix = nn.Linear(6, 13, bias=extra).double()
    net.get_output_embeddings = lambda: net.matrix
    if extra: net.register_buffer("final_logits_bias", torch.randn(1, 13, dtype=torch.float64))
    hidden, targets = torch.randn(5, 6, dtype=torch.float64, requires_grad=True), torch.tensor([0, 12, 3, 3, 1])
    weights = [hidden, *net.parameters()]
    make = lambda: (L.to_logits(net, hidden), L.chosen_logprobs(net, hidden, targets))
    a, lp = make()
    want = torch.autograd.grad(lp.square().sum(), weights)
    monkeypatch.setattr(L, "_narrow", lambda hidden: True)
    b, ours = make()
    assert b.shape == (5, 13) and L._logits(net, hidden).shape == (5, 64)
    torch.testing.assert_close(b, a)
    torch.testing.assert_close(ours, lp)
    for g, w in zip(torch.autograd.grad(ours.square().sum(), weights), want): torch.testing.assert_close(g, w, atol=1e-5, rtol=1e-5)


# Training

def test_a_plan_that_records():
    with pytest.raises(ValueError, match="activation_checkpointing"): FinetuneConfig(record=True, activation_checkpointing=True)
    assert FinetuneConfig(record=True).record and not FinetuneConfig().record


def test_finetune_with_recordings(tmp_path, monkeypatch):
    "The same run with and without: with two batches a step, clipping, and an evaluation between. (No dropout, which depends on padding; and no BART, which draws from the same random numbers as the order of the questions.)"
    from importlib import util
    from pathlib import Path
    spec = util.spec_from_file_location("of_training", Path(__file__).parent/"test_train.py")
    tt = util.module_from_spec(spec); spec.loader.exec_module(tt)
    import rag_nb.core.objective as O
    made = []
    def make(*args, **kw): made.append(Recorder(*args, tape=FakeReplay, **kw)); return made[-1]
    monkeypatch.setattr(O, "Recorder", make)
    found = []
    for record in (False, True):
        rag = tt.make()
        for m in rag.model.modules():
            if isinstance(m, nn.Dropout): m.p = 0.
        done = finetune(rag, tt.DATA, tmp_path/str(record), eval_data=tt.DATA[:3], record=record, eval_strategy="steps", eval_steps=2,
                        gradient_accumulation_steps=2, optim="sgd", **{**tt.QUICK, "max_steps": 6, "learning_rate": .05})
        found.append((tt.weights(done.rag.model), [l["loss"] for l in done.log if "loss" in l]))
    (a, l), (b, m) = found
    assert made == [done.trainer.objective.recorder, done.trainer.objective.question_recorder] and not any(r.tapes for r in made)
    assert made[0].counts["played"] >= 6 and made[1].counts["played"] >= 6
    assert l == pytest.approx(m, rel=1e-5) and not tt.same(b, tt.weights(tt.make().model))
    for n in a: torch.testing.assert_close(a[n], b[n], atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", ["bart", "t5", "llama", "gpt2"])
@pytest.mark.parametrize("mixed", [False, True])
def test_lean_ways_back_are_the_usual_ones(kind, mixed):
    "Linear layers and norms as nodes of their own: the same loss and gradients, in float64 and under autocast."
    g, rows = generator(kind), batch(kind)
    if mixed: g.float()
    def run():
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed): return loss(g, rows)
    plain, lean, given = graded(g, run), _lean(least=2, on=lambda x: True), []
    lean._given = lambda *a, plain=lean._given: (given.append(plain(*a)), given[-1])[1]
    with lean: other = graded(g, run)
    found = [x for x in given if x is not None]
    assert {x[1].ndim for x in found} == dict(bart={1, 2}, gpt2={1}).get(kind, set())  # GPT-2's layers are no linear ones; T5 and Llama have neither biases nor layer norms
    if not mixed: equal(plain, other, 1e-12)
    else:
        length = lambda d: sum(float(x.square().sum()) for x in d.values())**.5
        assert length({n: plain[1][n] - other[1][n] for n in plain[1]}) < .02*length(plain[1])


def test_answers_of_no_tokens():
    g, (ids, mask, fed, targets) = generator("bart"), batch("bart")
    assert answer_logprobs(g, ids, mask, fed[:, :0], targets[:, :0]).shape == (B*K, 0)
