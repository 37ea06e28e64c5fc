"""The captured, fused steps on a GPU against the reference decoder: a few hundred random cases of shapes, lengths, masks and settings.

float32: the same tokens, scores and posteriors. bfloat16: the same path, or one that the reference decoder itself calls a tie.
"""
import importlib.util
from pathlib import Path

import pytest, torch
from rag_nb.core import generate as generation; from rag_nb.fast import kernels
from rag_nb.core.generate import NEVER

pytestmark = pytest.mark.gpu
spec = importlib.util.spec_from_file_location("cases_of_the_engine", Path(__file__).parent.parent/"test_engine.py")
cpu = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cpu)
KINDS = ["bart", "mbart", "t5", "llama", *cpu.OTHERS]
CALM = dict(gated=128)                                                          # random weights of this family make logits of up to 70, where a bfloat16 is a quarter


def both(head, kind, seed, dtype, calm=1, device="cuda"):
    model, inputs, kw = cpu.case(head, kind, seed)
    with torch.no_grad(): model.generator.get_output_embeddings().weight.div_(calm)
    model.to(device, dtype)
    inputs = {k: v.to(device) for k, v in inputs.items()}
    kw |= dict(return_dict_in_generate=True)
    try: slow = model.generate(**inputs, **kw, decoder="reference")
    except ValueError as e:                                                # fewer candidates than asked for, or every token forbidden
        with pytest.raises(ValueError) as f: model.generate(**inputs, **kw)
        assert str(f.value) == str(e)
        return None
    if (slow.sequences_scores < NEVER/2).any(): return None
    fast = model.generate(**inputs, **kw)
    again = model.generate(**inputs, **kw)                                      # the recording, played for a second question
    assert torch.equal(fast.sequences, again.sequences), "a second use of the recording gives another answer"
    return model, inputs, kw, fast, slow


@pytest.mark.parametrize("head", cpu.HEADS)
@pytest.mark.parametrize("kind", KINDS)
def test_float32(head, kind):
    torch.backends.cuda.matmul.allow_tf32 = False
    done = 0
    for seed in range(14):
        if (found := both(head, kind, seed, torch.float32)) is None: continue
        _, inputs, _, fast, slow = found
        cpu.compare(fast, slow, inputs, 1e-3 if kind in cpu.OTHERS else 3e-4)
        done += 1
    assert done >= 8


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_takes_the_same_path_or_a_tie(kind, monkeypatch):
    "With logits of the size that trained models have: where two searches part, what they chose has scores less than a hundredth a token apart."
    parted, same = paths_in_bfloat16(kind, "cuda", monkeypatch)
    print(f"{kind}: {same} questions the same, {len(parted)} parted (seed, step, apart): {parted}")
    assert all(gap < 1e-2 for *_, gap in parted) and same >= 14, parted


def paths_in_bfloat16(kind, device, monkeypatch):
    "Of questions with other answers the seed, the step at which the searches parted, and how far the scores of what they chose are apart, by token; and how many questions have the same answers."
    parted, same, steps = [], 0, {}
    for cls in (generation.ReferenceDecoder, cpu.FastDecoder): monkeypatch.setattr(cls, "search", watched(cls.search, steps.setdefault(cls, [])))
    for seed in range(14):
        for log in steps.values(): log.clear()
        if (found := both("token", kind, 100 + seed, torch.bfloat16, calm=CALM.get(kind, 16), device=device)) is None: continue
        *_, kw, fast, slow = found
        slower, faster = steps[generation.ReferenceDecoder], steps[cpu.FastDecoder][:len(steps[cpu.FastDecoder])//2]  # `both` asks the fast decoder twice
        B = len(slower[0][0])
        n, R = min(fast.sequences.shape[1], slow.sequences.shape[1]), len(fast.sequences)//B
        equal = (fast.sequences[:, :n] == slow.sequences[:, :n]).all(1)
        torch.testing.assert_close(fast.doc_posteriors[:, :n-1][equal], slow.doc_posteriors[:, :n-1][equal], atol=0.05, rtol=0)
        for b, rows in enumerate(equal.view(B, R)):
            same += bool(rows.all())
            if not rows.all(): parted.append((seed, *parting(b, slower, faster, fast, slow, R)))
    return parted, same


def watched(search, log):
    "A search that leaves in `log` what every step chose: tokens and parents (B, M), and their scores so far."
    def search_(self, log_prior, gc, docs):
        steps = search(self, log_prior, gc, docs)
        while True:
            try: view = next(steps)
            except StopIteration as end: return end.value
            s = getattr(view, "search", view)
            if gc.num_beams > 1: scores = (s.running.scores if hasattr(s, "running") else s.scores)
            else: scores = torch.logsumexp((s.hyps.doc_lp[:, :, s.at-2] if hasattr(s, "hyps") else s.history[2][int(s.at)-2]).float() + log_prior[:, None], -1)
            parents = s.parents if gc.num_beams > 1 else torch.zeros_like(s.next)
            log.append([x.clone().cpu() for x in (s.next, parents, scores.float())])
            yield view
    return search_


def parting(b, slower, faster, fast, slow, R):
    "The first step at which question b's searches chose otherwise, and how far the scores of what they chose are apart, by token; step 0: only the order of the answers is another."
    for i, (x, y) in enumerate(zip(slower, faster), 1):
        u, v = (s[2][b].sort().values for s in (x, y))
        real = (u > NEVER/2) & (v > NEVER/2)
        if not real.any() or torch.equal(x[0][b], y[0][b]) and torch.equal(x[1][b], y[1][b]): continue
        return i, round(float((u - v)[real].abs().max()/i), 4)
    u, v = (o.sequences_scores.view(-1, R)[b].float().cpu().sort().values for o in (slow, fast))
    return 0, round(float((u - v).abs().max()/fast.lengths.max()), 4)


def test_kernels_are_their_plain_twins():
    assert kernels.has_triton(), "no Triton beside CUDA"
    cpu.test_kernels_are_their_plain_twins("cuda")


@pytest.mark.parametrize("kind", ["bart", "llama", "t5"])
def test_room_grows_while_recorded(kind, monkeypatch):
    "A recording is made again when the slots have to grow."
    model, inputs, _ = cpu.case("token", kind, 4)
    model.cuda(); inputs = {k: v.cuda() for k, v in inputs.items()}
    kw = dict(num_beams=3, max_new_tokens=200, min_new_tokens=150, return_dict_in_generate=True)
    cpu.compare(model.generate(**inputs, **kw), model.generate(**inputs, **kw, decoder="reference"), inputs, 2e-3)


@pytest.mark.parametrize("kind", ["bart", "llama", "t5"])
def test_one_recording_serves_contexts_of_other_lengths(kind):
    model, inputs, _ = cpu.case("token", kind, 4)
    model.cuda(); inputs = {k: v.cuda() for k, v in inputs.items()}
    S, left, recordings = inputs["context_input_ids"].shape[1], model.config.generator_is_decoder_only, set()
    kw = dict(num_beams=3, max_new_tokens=9, return_dict_in_generate=True)
    for n in (S, S - 1, max(2, S - 9), S):
        cut = {**inputs, **{k: inputs[k][:, -n:] if left else inputs[k][:, :n] for k in ("context_input_ids", "context_attention_mask")}}
        cut["context_attention_mask"][:, -1 if left else 0] = 1
        cpu.compare(model.generate(**cut, **kw), model.generate(**cut, **kw, decoder="reference"), cut, 2e-3)
        kept = cpu.engine.state_for(model.rag.generator).kept
        assert len(kept) == 1
        recordings.add(id(next(iter(kept.values())).graph))
    assert len(recordings) == 1


def test_streaming():
    class Tokens(list):
        def put(self, t): self.append(t.tolist())
        def end(self): self.append("end")
    model, inputs, _ = cpu.case("token", "llama", 1)
    model.cuda(); inputs = {k: v.cuda() for k, v in inputs.items()}
    a, b = Tokens(), Tokens()
    model.generate(**inputs, max_new_tokens=7, streamer=a); model.generate(**inputs, max_new_tokens=7, streamer=b, decoder="reference")
    assert a == b
