"""The captured, fused steps on a GPU against the general loop: a few hundred random cases of shapes, lengths, masks and settings.

float32: the same tokens, scores and posteriors. bfloat16: the same path, or one that the general loop itself calls a tie.
"""
import importlib.util
from pathlib import Path

import pytest, torch
from rag_nb import kernels
from rag_nb.generation import NEVER

pytestmark = pytest.mark.gpu
spec = importlib.util.spec_from_file_location("cases_of_the_engine", Path(__file__).parent.parent/"test_engine.py")
cpu = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cpu)
KINDS = ["bart", "mbart", "t5", "llama", *cpu.OTHERS]


def both(head, kind, seed, dtype, calm=1, device="cuda"):
    model, inputs, kw = cpu.case(head, kind, seed)
    with torch.no_grad(): model.generator.get_output_embeddings().weight.div_(calm)
    model.to(device, dtype)
    inputs = {k: v.to(device) for k, v in inputs.items()}
    kw |= dict(return_dict_in_generate=True)
    try: slow = model.generate(**inputs, **kw, engine="general")
    except ValueError:                                                     # fewer candidates than asked for
        with pytest.raises(ValueError, match="different candidates"): model.generate(**inputs, **kw)
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
def test_bfloat16_takes_the_same_path_or_a_tie(kind):
    "With logits of the size that trained models have; where the paths part, their scores are less than a hundredth a token apart."
    parted, same = paths_in_bfloat16(kind, "cuda")
    print(f"{kind}: {same} answers the same, {len(parted)} parted: {parted}")
    assert all(gap < 1e-2 for _, gap in parted) and same >= 20, parted


def paths_in_bfloat16(kind, device):
    "Of answers that part, the seed and how far their scores are apart for each of their tokens; and how many answers are the same."
    parted, same = [], 0
    for seed in range(14):
        if (found := both("token", kind, 100 + seed, torch.bfloat16, calm=8, device=device)) is None: continue
        *_, fast, slow = found
        n = min(fast.sequences.shape[1], slow.sequences.shape[1])
        equal = (fast.sequences[:, :n] == slow.sequences[:, :n]).all(1)
        same += int(equal.sum())
        torch.testing.assert_close(fast.doc_posteriors[:, :n-1][equal], slow.doc_posteriors[:, :n-1][equal], atol=0.05, rtol=0)
        gap = (fast.sequences_scores - slow.sequences_scores).abs()/fast.lengths.clamp(min=1)
        parted += [(seed, round(float(g), 4)) for g in gap[~equal]]
    return parted, same


def test_kernels_are_their_plain_twins():
    assert kernels.has_triton(), "no Triton beside CUDA"
    cpu.test_kernels_are_their_plain_twins("cuda")


@pytest.mark.parametrize("kind", ["bart", "llama", "t5"])
def test_room_grows_while_recorded(kind, monkeypatch):
    "A recording is made again when the slots have to grow."
    model, inputs, _ = cpu.case("token", kind, 4)
    model.cuda(); inputs = {k: v.cuda() for k, v in inputs.items()}
    kw = dict(num_beams=3, max_new_tokens=200, min_new_tokens=150, return_dict_in_generate=True)
    cpu.compare(model.generate(**inputs, **kw), model.generate(**inputs, **kw, engine="general"), inputs, 2e-3)


@pytest.mark.parametrize("kind", ["bart", "llama", "t5"])
def test_one_recording_serves_contexts_of_other_lengths(kind):
    model, inputs, _ = cpu.case("token", kind, 4)
    model.cuda(); inputs = {k: v.cuda() for k, v in inputs.items()}
    S, left, recordings = inputs["context_input_ids"].shape[1], model.config.generator_is_decoder_only, set()
    kw = dict(num_beams=3, max_new_tokens=9, return_dict_in_generate=True)
    for n in (S, S - 1, max(2, S - 9), S):
        cut = {**inputs, **{k: inputs[k][:, -n:] if left else inputs[k][:, :n] for k in ("context_input_ids", "context_attention_mask")}}
        cut["context_attention_mask"][:, -1 if left else 0] = 1
        cpu.compare(model.generate(**cut, **kw), model.generate(**cut, **kw, engine="general"), cut, 2e-3)
        kept = cpu.engine.kit_for(model.rag.generator).kept
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
    model.generate(**inputs, max_new_tokens=7, streamer=a); model.generate(**inputs, max_new_tokens=7, streamer=b, engine="general")
    assert a == b
