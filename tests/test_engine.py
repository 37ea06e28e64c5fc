"The fast decoder against the reference: random shapes, lengths, masks and settings, on toy generators of every family."
import random, subprocess, sys
from types import SimpleNamespace

import pytest, torch, transformers
from fastcore.test import test_eq as equal
from rag_nb.fast import decoder as engine, kernels
from rag_nb.fast.decoder import FastDecoder, Rules, shared_prefix, unfit
from rag_nb.core.generate import DECODERS, NEVER
from rag_nb.core.model import RagSequenceForGeneration, RagTokenForGeneration
from rag_nb.hf.tokenizer import pad_rows
from rag_nb.core.toy import toy_encoder, toy_generator

HEADS = dict(token=RagTokenForGeneration, sequence=RagSequenceForGeneration)
SMALL = dict(vocab_size=60, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
             max_position_embeddings=256, pad_token_id=0, bos_token_id=1, eos_token_id=2)
OTHERS = dict(qwen2=("Qwen2", {}), qwen3=("Qwen3", {}), mistral=("Mistral", dict(sliding_window=None)),
              gated=("T5", dict(vocab_size=60, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu", tie_word_embeddings=False,
                                pad_token_id=0, eos_token_id=2, decoder_start_token_id=0)))
FIELDS = ["sequences_scores", "token_logprobs", "doc_posteriors", "running_posteriors", "doc_logprobs"]


def generator(kind, seed, V=None):
    if kind not in OTHERS: return toy_generator(kind, vocab_size=V, seed=seed)
    name, more = OTHERS[kind]
    torch.manual_seed(seed)
    config = getattr(transformers, f"{name}Config")(**(more if name == "T5" else {**SMALL, **more}))
    model = getattr(transformers, f"{name}ForConditionalGeneration" if name == "T5" else f"{name}ForCausalLM")(config).eval()
    for p in model.parameters(): p.data.mul_(4 if p.ndim > 1 else 1)           # lively enough that beams differ
    return model


def case(head, kind, seed):
    "A model, inputs and settings, all drawn."
    rng, g = random.Random(seed), torch.Generator().manual_seed(seed)
    V, B, K, M = rng.choice([7, 30, None]), rng.randint(1, 3), rng.randint(1, 4), rng.choice([1, 1, 2, 3, 5])
    model = HEADS[head](question_encoder=toy_encoder().model, generator=generator(kind, seed, V), n_docs=K).eval()
    V = model.generator.config.vocab_size
    begin = torch.randint(3, V, (rng.choice([0, 0, 20]),), generator=g).tolist()
    ids, mask = pad_rows([begin + torch.randint(3, V, (rng.randint(1, 12),), generator=g).tolist() for _ in range(B*K)], 0, left=model.config.generator_is_decoder_only)
    scores = torch.randn(B, K, generator=g)*2
    if K > 1 and rng.random() < .2: scores[0, -1] = -torch.inf
    kw = dict(num_beams=M, max_new_tokens=rng.choice([1, 2, 5, 9]), num_return_sequences=1 if head == "sequence" else rng.randint(1, M),
              min_new_tokens=rng.choice([None, None, 3]), min_length=rng.choice([None, None, 4]), forced_bos_token_id=rng.choice([None, None, None, 3]),
              forced_eos_token_id=rng.choice([None, None, None, 2]), suppress_tokens=rng.choice([None, None, None, [4]]),
              begin_suppress_tokens=rng.choice([None, None, [2]]), eos_token_id=rng.choice([2, 2, [2, 5]]), pad_token_id=0)
    if M > 1: kw |= dict(length_penalty=rng.choice([0., 1., .5, -1.]), early_stopping=rng.choice([True, False, "never"]))
    if head == "sequence": kw |= dict(decoding=rng.choice(["thorough", "thorough", "fast"]))
    return model, dict(context_input_ids=ids, context_attention_mask=mask, doc_scores=scores), {k: v for k, v in kw.items() if v is not None}


def compare(a, b, inputs, atol):
    "Tokens, scores and posteriors of two outputs, but for what is no answer (fewer ended than asked for) and no document."
    a, b = ({k: v.cpu() for k, v in x.items() if isinstance(v, torch.Tensor)} for x in (a, b))
    equal(a["lengths"], b["lengths"]); equal(a["sequences"], b["sequences"])
    found = (inputs["doc_scores"].cpu() > -torch.inf).repeat_interleave(len(a["lengths"]) // len(inputs["doc_scores"]), 0)
    for name in FIELDS:
        x, y = a[name].float(), b[name].float()
        if name == "doc_logprobs": x, y = x.masked_fill(~found[..., None], 0), y.masked_fill(~found[..., None], 0)
        torch.testing.assert_close(x, y, atol=atol, rtol=1e-4)


@pytest.fixture
def entered(monkeypatch):
    "Counts what goes through the door."
    seen, search = [], FastDecoder.search
    monkeypatch.setattr(FastDecoder, "search", lambda self, *a: (seen.append(1), search(self, *a))[1])
    return seen


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", ["bart", "mbart", "t5", "llama", *OTHERS])
@pytest.mark.parametrize("part", range(3))
def test_the_engine_says_what_the_loop_says(head, kind, part, entered):
    n = 8
    for seed in range(part*n, part*n + n):
        model, inputs, kw = case(head, kind, seed)
        try: slow = model.generate(**inputs, **kw, return_dict_in_generate=True, decoder="reference")
        except ValueError as e:                                                 # fewer candidates than asked for: the same error
            with pytest.raises(ValueError) as f: model.generate(**inputs, **kw, return_dict_in_generate=True)
            equal(str(e), str(f.value)); continue
        if (slow.sequences_scores < NEVER/2).any(): continue
        compare(model.generate(**inputs, **kw, return_dict_in_generate=True), slow, inputs, 2e-4)
    assert len(entered) >= n/2


@pytest.mark.parametrize("kw", [dict(do_sample=True), dict(no_repeat_ngram_size=2), dict(repetition_penalty=1.5), dict(bad_words_ids=[[7]]), dict(output_scores=True),
                                dict(output_hidden_states=True), dict(max_time=100.0), dict(decoder="reference"), dict(logits_processor=[lambda ids, scores: scores]),
                                dict(prefix_allowed_tokens_fn=lambda i, ids: list(range(20)))], ids=lambda kw: next(iter(kw)))
def test_what_the_engine_does_not_know_goes_the_general_way(kw, entered):
    model, inputs, _ = case("token", "bart", 0)
    torch.manual_seed(0); a = model.generate(**inputs, max_new_tokens=4, num_beams=2, **kw)
    assert not entered
    torch.manual_seed(0); equal(a, model.generate(**inputs, max_new_tokens=4, num_beams=2, **{**kw, "decoder": "reference"}))


def test_every_processor_of_generation_is_known_or_refused():
    "The engine's rules name the processors that depend on nothing but the place; no other may slip in."
    assert {c.__name__ for c in Rules.known} == {f"{n}LogitsProcessor" for n in ("MinLength", "MinNewTokensLength", "ForcedBOSToken", "ForcedEOSToken", "SuppressTokens", "SuppressTokensAtBegin")}


def test_generators_that_do_not_fit():
    assert "GPT2" in unfit(toy_generator("gpt2"))
    llama = toy_generator("llama")
    assert unfit(llama) is None and "training" in unfit(llama.train())
    llama.eval(); handle = llama.model.layers[0].register_forward_hook(lambda *a: None)
    assert "hook" in unfit(llama)
    handle.remove(); llama.model.layers[0].mlp.up_proj = type("Odd", (torch.nn.Linear,), {})(32, 32)
    assert "Odd" in unfit(llama)
    class Mine(transformers.LlamaForCausalLM): pass
    assert "Mine" in unfit(Mine(llama.config).eval())
    for change in [dict(sliding_window=4, layer_types=["sliding_attention"]*2), dict(rope_parameters=dict(rope_type="dynamic", factor=2.0, rope_theta=1e4))]:
        name, _ = OTHERS["qwen2"]
        assert unfit(transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**{**SMALL, **change})).eval()), change


def test_new_weights_are_seen():
    "A prompt that was read is forgotten when the weights change, however they are changed."
    model, inputs, _ = case("token", "llama", 3)
    ids, mask = pad_rows([[3]*20 + [3 + i % 4] for i in range(len(inputs["context_input_ids"]))], 0, left=True)
    inputs |= dict(context_input_ids=ids, context_attention_mask=mask)
    go = lambda **kw: model.generate(**inputs, max_new_tokens=5, return_dict_in_generate=True, **kw)
    go()
    with torch.no_grad(): model.generator.model.layers[0].self_attn.v_proj.weight.mul_(-1.5)
    compare(go(), go(decoder="reference"), inputs, 1e-4)
    model.generator.model.layers[1].mlp.up_proj.weight.data.mul_(-1.5)
    compare(go(), go(decoder="reference"), inputs, 1e-4)
    model.generator.model.layers[0].mlp.up_proj = torch.nn.Linear(*reversed(model.generator.model.layers[0].mlp.up_proj.weight.shape), bias=False)
    compare(go(), go(decoder="reference"), inputs, 1e-4)


def test_more_tokens_than_there_was_room_for(monkeypatch):
    "Own slots and history grow on the way."
    make = FastDecoder._new
    monkeypatch.setattr(FastDecoder, "_new", lambda self, B, K, M, gc, rules, S, T: make(self, B, K, M, gc, rules, S, 2))
    for kind in ["bart", "t5", "llama"]:
        for M in (1, 3):
            model, inputs, _ = case("token", kind, 4)
            kw = dict(num_beams=M, max_new_tokens=20, min_new_tokens=15, return_dict_in_generate=True)
            compare(model.generate(**inputs, **kw), model.generate(**inputs, **kw, decoder="reference"), inputs, 2e-4)


def test_streaming_sees_every_token():
    class Tokens(list):
        def put(self, t): self.append(t.tolist())
        def end(self): self.append("end")
    for kind in ["bart", "llama"]:
        model, inputs, _ = case("token", kind, 1)
        a, b = Tokens(), Tokens()
        model.generate(**inputs, max_new_tokens=7, streamer=a); model.generate(**inputs, max_new_tokens=7, streamer=b, decoder="reference")
        equal(a, b)


def test_prefixes():
    row = torch.arange(40)
    equal(shared_prefix([row, row]), 39)
    equal(shared_prefix([row, torch.cat([row[:17], row[:5]])]), 17)
    equal(shared_prefix([row, torch.cat([row[:15], row[:9]])]), 0)


@pytest.mark.parametrize("kind", ["bart", "llama"])
def test_all_candidates_of_all_questions_are_scored_in_one_pass(kind, monkeypatch):
    "One run of the decoder over the documents that were read once, a row for every different beginning, and none for what a document's own beams have said."
    model = HEADS["sequence"](question_encoder=toy_encoder().model, generator=toy_generator(kind), n_docs=3).eval()
    ids, mask = pad_rows([[5 + i, 6, 7 + i, 8] for i in range(12)], 0, left=model.config.generator_is_decoder_only)
    kw = dict(context_input_ids=ids, context_attention_mask=mask, doc_scores=torch.randn(4, 3), num_beams=2, max_new_tokens=6, return_dict_in_generate=True)
    rows, reads, run, score = [], [], engine.run, engine.score
    def scoring(net, cache, targets, *args):
        monkeypatch.setattr(engine, "run", lambda net, x, *a: (rows.append(len(x)), run(net, x, *a))[1])
        reads.append((cache.R, targets))
        out = score(net, cache, targets, *args)
        monkeypatch.setattr(engine, "run", run)
        return out
    monkeypatch.setattr(engine, "score", scoring)
    out = model.generate(**kw)
    (R, targets), = reads
    begins = {(r, *line[:t]) for r, lines in enumerate(targets.tolist()) for line in lines for t in range(kind == "llama", len(line)) if line[t] >= 0}
    assert R == 12 and rows == [len(begins)] and len(begins) < int((targets >= 0).sum())
    assert all((lines[:, 0] == -100).any() for lines in targets)
    monkeypatch.undo()
    slow = model.generate(**kw, decoder="reference")
    n = min(out.sequences.shape[1], slow.sequences.shape[1])
    assert torch.equal(out.sequences[:, :n], slow.sequences[:, :n])


@pytest.mark.parametrize("line", ["from rag_nb import toy_tokenizer", "from rag_nb.core.answer import Rag", "from rag_nb.core.model import RagTokenForGeneration"])
def test_the_fast_decoder_is_used_whatever_was_imported(line):
    "The registry imports it at the first decoding, and not before."
    code = f"""{line}
import sys, torch
from rag_nb.core.config import RagConfig
from rag_nb.core.model import RagTokenForGeneration
from rag_nb.core.toy import toy_encoder, toy_generator
assert "rag_nb.fast.decoder" not in sys.modules
enc, g = toy_encoder(), toy_generator("bart")
model = RagTokenForGeneration(RagConfig(question_encoder=enc.model.config.to_dict(), generator=g.config.to_dict()), enc.model, g).eval()
model.generate(context_input_ids=torch.full((2, 4), 5), context_attention_mask=torch.ones(2, 4).long(), doc_scores=torch.zeros(1, 2), max_new_tokens=3)
from rag_nb.core import generate
take = generate.DECODERS["fast"]
made = []
generate.DECODERS["fast"] = lambda *a: made.append(take(*a)) or made[-1]
model.generate(context_input_ids=torch.full((2, 4), 5), context_attention_mask=torch.ones(2, 4).long(), doc_scores=torch.zeros(1, 2), max_new_tokens=3)
print(type(made[0]).__name__)"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert said.stdout.strip() == "FastDecoder", said.stderr[-500:]


def test_both_sides_of_the_registry():
    assert DECODERS["fast"] is engine.fast_decoder
    model, inputs, _ = case("token", "bart", 0)
    with pytest.raises(ValueError, match="decoder is 'auto' or 'reference'"): model.generate(**inputs, decoder="fast")


@pytest.fixture
def interpreted(monkeypatch):
    if not kernels.has_triton(): pytest.skip("Triton is not installed")
    import os
    if not os.environ.get("TRITON_INTERPRET") and not torch.cuda.is_available(): pytest.skip("set TRITON_INTERPRET=1 to run the kernels without a GPU")
    return "cuda" if torch.cuda.is_available() else "cpu"


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", ["bart", "t5", "llama", "qwen3"])
def test_the_fused_step_says_what_the_loop_says(head, kind, interpreted, monkeypatch):
    "The GPU's step without a recording, twice over the same buffers."
    if interpreted == "cuda": pytest.skip("tests/gpu does more")
    monkeypatch.setattr(FastDecoder, "fused_on", "cpu")
    model = HEADS[head](question_encoder=toy_encoder().model, generator=generator(kind, 1, 30), n_docs=2).eval()
    ids, mask = pad_rows([[5, 6, 7], [8, 9]], 0, left=model.config.generator_is_decoder_only)
    inputs = dict(context_input_ids=ids, context_attention_mask=mask, doc_scores=torch.tensor([[.5, -.5]]))
    kw = dict(num_beams=2, max_new_tokens=3, min_length=2, pad_token_id=0, return_dict_in_generate=True)
    for n in (3, 2, 3):                                                          # shorter contexts stand in the same buffers
        cut = {k: inputs[k][:, -n:] if model.config.generator_is_decoder_only else inputs[k][:, :n] for k in ("context_input_ids", "context_attention_mask")}
        compare(model.generate(**{**inputs, **cut}, **kw), model.generate(**{**inputs, **cut}, **kw, decoder="reference"), {**inputs, **cut}, 1e-3)
    assert len(engine.state_for(model.rag.generator).kept) == 1


@pytest.mark.parametrize("kind", ["bart", "t5", "llama"])
def test_a_cache_is_laid_out_anew(kind):
    "Shorter contexts, more own slots, and longer contexts again: every view lies inside its memory, and a search that grew takes no wider ones."
    net = engine.FAMILIES[type(g := toy_generator(kind).eval()).__name__](g)
    cache = engine.KVCache(net, 2, 3, 64, 4, net.embed)
    room = lambda: [len(x.untyped_storage())//x.element_size() >= x.numel() for pair in (*cache.self_kv, *cache.cross_kv) for x in pair]
    cache.resize(8); cache.grow(8)
    assert all(room()) and cache.self_kv[0][0].shape[2] == (8 if net.causal else 0) + 8*3
    if not net.causal: cache.resize(64); assert all(room()) and cache.cross_kv[0][0].shape[2] == 64
    if kind == "t5":
        before = cache.bias
        with torch.no_grad(): g.decoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight.add_(1)
        old = before.clone(); cache.resize(8)
        assert cache.bias is before and torch.allclose(before, old + 1)                  # in place: a recording reads it there


def test_a_search_that_grew_is_made_anew_for_wider_contexts(interpreted, monkeypatch):
    if interpreted == "cuda": pytest.skip("tests/gpu does more")
    monkeypatch.setattr(FastDecoder, "fused_on", "cpu")
    made = FastDecoder._new
    monkeypatch.setattr(FastDecoder, "_new", lambda self, *a: made(self, *a[:-1], 2))     # room for two tokens at first
    model = HEADS["token"](question_encoder=toy_encoder().model, generator=generator("llama", 1, 30), n_docs=1).eval()
    def said(S, new, **kw): return model.generate(context_input_ids=torch.arange(5, 5 + S)[None] % 25 + 3, context_attention_mask=torch.ones(1, S, dtype=torch.long), doc_scores=torch.zeros(1, 1), pad_token_id=0, eos_token_id=29, max_new_tokens=new, **kw)
    for S, new in ((30, 2), (6, 7), (30, 7)): assert torch.equal(said(S, new), said(S, new, decoder="reference"))
    steps, = engine.state_for(model.rag.generator).kept.values()
    assert steps.cache.T > 2 and steps.room == 32                                # it did grow, and there is one of it


def test_kernels_are_their_plain_twins(interpreted):
    torch.manual_seed(0)
    put = lambda *s: torch.randn(*s).to(interpreted)
    close = lambda a, b: torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    x, delta, w, b = put(5, 37), put(5, 37), put(37), put(37)
    for bias in (None, b):
        for d in (None, delta, torch.stack([delta, delta*2, x])): close(kernels.fused_add_norm(x, d, w, bias, 1e-5), kernels.add_norm(x, d, w, bias, 1e-5))
    for name in ("gelu", "relu", "silu", "gelu_new"):
        for gated in (False, True): close(kernels.fused_act(y := put(3, 44), name, gated), kernels.act(y, name, gated))
    for n, D, sizes in [(5, 48, [33]), (17, 40, [20, 9, 70]), (7, 1100, [40]), (70, 300, [64, 32])]:
        for b in (True, False):
            x, weights = put(n, D)/D**.5, [put(k, D) for k in sizes]           # results of about 1, as the tolerance is
            biases = [put(k) if b else None for k in sizes]
            close(kernels.fused_linear(x, weights, biases, most=99), kernels.linear(x, weights, biases))
            close(kernels.fused_linear(x, weights, biases, most=99, split=True).sum(0), kernels.linear(x, weights, biases))
            close(kernels.fused_linear(x, weights, biases), kernels.linear(x, weights, biases))
            out = put(n, sum(sizes) + 6)
            close(kernels.fused_linear(x, weights, biases, out=out[:, :-6], most=99), kernels.linear(x, weights, biases))
            close(kernels.fused_linear(x, weights[:1], biases[:1], "gelu", most=99), kernels.linear(x, weights[:1], biases[:1], "gelu"))
            twice = [weights[0], put(sizes[0], D)], [biases[0]]*2
            close(kernels.fused_linear(x, *twice, "silu", True, most=99), kernels.linear(x, *twice, "silu", True))
    x, weights = put(5, 48), [put(20, 48), put(48, 9).T, put(7, 48)]                # one lies crosswise; and only one has a bias
    for few in (weights, [weights[0], put(9, 48), weights[2]]): close(kernels.fused_linear(x, few, [put(20).mul_(0), None, None], most=99), kernels.linear(x, few, [None]*3))
    wide, b = put(3, 5000), put(4990)
    close(kernels.fused_add_bias(wide.clone()[:, :4990], b), wide[:, :4990] + b)
    tokens, table, places, at = torch.tensor([[3, 0], [2, 6]], device=interpreted), put(7, 37), put(9, 37), torch.tensor([4], device=interpreted)
    close(kernels.fused_embedded(tokens, 3, table, .5, places, at, 2), kernels.embedded(tokens, 3, table, .5, places, at - 2))
    close(kernels.fused_embedded(tokens, 3, table), kernels.embedded(tokens, 3, table))
    for n, D in [(5, 7), (300, 130), (1030, 48), (2200, 8), (4100, 8), (4100, 2050)]:   # each choice of tiles
        x, dy, w, b = put(n, D), put(n, D), put(D), put(D)
        for y in (x, x[:, :1].expand(n, D), x.T.contiguous().T): close(kernels.fused_column_sums(y), kernels.column_sums(y))
        _, mean, rstd = torch.native_layer_norm(x, (D,), w, b, 1e-5)
        for a, c in zip(kernels.fused_norm_back(dy, x, w, mean, rstd), kernels.norm_back(dy, x, w, mean, rstd)): close(a, c)
    for R, M, H, S, d in [(3, 2, 2, 70, 8), (2, 5, 3, 5, 16), (1, 1, 1, 130, 64)]:
        q, K, V, mask = put(R*M, H*d), put(R, H, S, d), put(R, H, S, d), put(R, S) > -.5
        mask[:, 0] = True
        close(kernels.fused_cross_attend(q, K, V, mask, .3, torch.tensor([S], device=interpreted)), kernels.cross_attend(q, K, V, mask, .3))
    for B, K, M, V, keep in [(2, 3, 2, 50, 4), (1, 2, 4, 3000, 8), (2, 1, 1, 1500, 1), (1, 2, 3, 5, 9)]:
        logits, prior, scores = put(B, K, M, V)*3, put(B, K).log_softmax(-1), put(B, M)
        if K > 1: prior[0, 1] = -torch.inf
        for a, c in zip(kernels.fused_marginal_top(logits, prior, scores, keep), kernels.marginal_top(logits, prior, scores, keep)): close(a, c)
        rows, targets = logits.view(-1, V), torch.randint(V, (B*K*M,), device=interpreted)
        close(kernels.fused_chosen(rows, targets), kernels.chosen(rows, targets))
        close(kernels.fused_chosen(rows, targets, at := torch.randint(len(rows), (len(targets),), device=interpreted)), kernels.chosen(rows, targets, at))


@pytest.mark.parametrize("seed", range(24))
def test_the_quick_way_finds_the_same_best(seed):
    "Best sums over documents against float64, also where probabilities are too small for float32, documents or beams are ruled out, or tokens forced."
    rng, g = random.Random(seed), torch.Generator().manual_seed(seed)
    B, K, M, V = rng.randint(1, 3), rng.randint(1, 4), rng.choice([1, 2, 4]), rng.choice([3, 50, 3000])
    prior, scores = torch.randn(B, K, generator=g).log_softmax(-1), -torch.rand(B, M, generator=g)*rng.choice([1, 90])
    logits = torch.randn(B, K, M, V, generator=g) + torch.randn(B, 1, M, V, generator=g)*rng.choice([1, 5, 60, 200])      # documents agree
    if K > 1 and rng.random() < .5: prior[0, 1] = -torch.inf
    if M > 1 and rng.random() < .5: scores[:, 1:] = NEVER
    table, forced = torch.zeros(3, V), torch.tensor([False, False, True])
    table[1, 0], table[2], table[2, 1] = -torch.inf, -torch.inf, 0
    at, keep = torch.tensor([rng.randrange(3)]), min(2*M, M*V)
    rules = rng.choice([None, (table, forced, torch.arange(3))])
    best, place, lse = kernels.quick_marginal_top(logits, prior, scores, keep, rules, at)
    want = (logits.double().log_softmax(-1) + prior.double()[:, :, None, None]).logsumexp(1)
    if rules: want = (want*0 if forced[at] else want) + table[at]
    want = (want + scores.double()[..., None]).flatten(1)
    close = lambda a, b: torch.testing.assert_close(a.double(), b, rtol=2e-6, atol=1e-4)
    close(best, want.topk(keep).values); close(want.gather(1, place).float(), best.double()); close(lse, logits.double().logsumexp(-1))
    for row in place: assert len(set(row.tolist())) == keep


@pytest.mark.parametrize("seed", range(12))
def test_choosing_is_its_plain_twin(seed, interpreted):
    "Six steps over the same logits: beams, finished answers, history, and what each beam can see."
    rng, g = random.Random(seed), torch.Generator().manual_seed(seed)
    B, K, M, V = rng.randint(1, 3), rng.randint(1, 5), rng.choice([1, 2, 3, 4, 5]), rng.choice([9, 40, 1500])
    gc = SimpleNamespace(num_beams=M, eos_token_id=rng.choice([[2], [2, 5]]), pad_token_id=0, decoder_start_token_id=1, length_penalty=rng.choice([1., 0., .5, -1.]),
                         early_stopping=rng.choice([True, False, "never"]))
    plain, fused = (engine.BeamState(B, K, M, gc, SimpleNamespace(tables=None), V, interpreted, 8) for _ in range(2))
    prior, lag = torch.randn(B, K, generator=g).log_softmax(-1).to(interpreted), rng.choice([1, 2])
    seen, eye = [torch.zeros(B, M, 8*M, dtype=torch.bool, device=interpreted) for _ in range(2)], torch.eye(M, dtype=torch.bool, device=interpreted).expand(B, M, M)
    for s in (plain, fused): s.reset(prior, rng.choice([5, 7, 12]) if s is plain else int(plain.limit))
    for step in range(6):
        logits = torch.randn(B, K, M, V, generator=g)*2
        logits[..., 2] += rng.choice([0, 3])                                     # now and then an end is likely
        wide = torch.zeros(B, K, M, V + 7).to(interpreted)
        wide[..., :V] = logits
        if M > 1: seen[0].index_copy_(2, (plain.at - lag).clamp(min=0)*M + torch.arange(M, device=interpreted), eye)
        plain.choose(logits.to(interpreted))
        if M > 1: seen[0].copy_(seen[0].gather(1, plain.parents[..., None].expand_as(seen[0])))
        kernels.fused_choose(fused, wide[..., :V], seen[1], lag)
        for s in (plain, fused):
            for x in s.end.values(): x.masked_fill_(~(s.end["flag"] if x.ndim == 2 else s.end["flag"][..., None]), NEVER if x is s.end["score"] else 0)  # what is no answer
        over = bool(plain.done)                                                  # then nobody goes on, and who would is anybody's guess
        state = lambda s: [s.at, s.done, s.lengths, *s.end.values()] if over and M > 1 else s.state()
        for i, (x, y) in enumerate(zip(state(plain), state(fused))): torch.testing.assert_close(y, x, atol=1e-4, rtol=1e-5, msg=lambda m: f"step {step}, state {i}: {m}")
        if over: break
        if M > 1: assert torch.equal(seen[1], seen[0])


def test_weights_that_were_changed_unseen_are_read_again():
    "A prefix that was read stays read until a weight changes, even behind the version counter's back or in a matrix that lies crosswise."
    g = toy_generator("llama").eval()
    q = g.model.layers[0].self_attn.q_proj
    q.weight = torch.nn.Parameter(q.weight.detach().t().contiguous().t())
    state = engine.state_for(g)
    state.prefixes["read"] = 1
    assert engine.state_for(g) is state and state.prefixes
    for change in (lambda: q.weight.data.mul_(1.5), lambda: g.model.norm.weight.data.add_(1), lambda: torch.nn.init.normal_(g.lm_head.weight)):
        change()
        assert engine.state_for(g) is state and not state.prefixes
        state.prefixes["read"] = 1
        assert engine.state_for(g).prefixes
