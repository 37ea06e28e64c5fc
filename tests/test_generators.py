"Generators of many families, tiny and random: led through a shared cache they say what they say without one, or they are refused by name."
import inspect, warnings
import pytest, torch, transformers
from packaging.version import Version
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, AutoModelForSeq2SeqLM
from rag_nb import Rag, RagSequenceForGeneration, RagTokenForGeneration
from rag_nb.core import prefill as prefill_module
from rag_nb.core.prefill import check_generator, is_decoder_only, prefill, teacher_force
from rag_nb.hf.tokenizer import pad_rows
from rag_nb.core.toy import toy_encoder, toy_generator, toy_tokenizer

V = 96
LM = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128)
OLD = dict(n_embd=32, n_layer=2, n_head=4, n_positions=128)
S2S = dict(d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=128, decoder_start_token_id=2)
T5 = dict(d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0)
GEMMA = dict(LM, head_dim=8, sliding_window=4, query_pre_attn_scalar=8)
MOE = dict(LM, num_experts=4, num_local_experts=4, num_experts_per_tok=2, moe_intermediate_size=32)
LED = {
    "mistral": dict(LM, sliding_window=4), "qwen3": dict(LM, head_dim=8), "qwen3_moe": dict(MOE, head_dim=8), "phi3": LM, "gemma2": GEMMA, "gemma3_text": dict(GEMMA, layer_types=["sliding_attention", "full_attention"]),
    "gpt_oss": dict(MOE, head_dim=8, sliding_window=4), "gpt_neox": LM, "opt": dict(hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=128, word_embed_proj_dim=32),
    "bloom": dict(hidden_size=32, n_layer=2, n_head=4), "gptj": dict(OLD, rotary_dim=4), "gpt_bigcode": OLD, "gpt_neo": dict(hidden_size=32, num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]], window_size=4, max_position_embeddings=128),
    "smollm3": LM, "bert": dict(LM, is_decoder=True), "pegasus": S2S, "blenderbot": S2S, "m2m_100": S2S, "marian": S2S, "led": dict(S2S, max_encoder_position_embeddings=128, max_decoder_position_embeddings=128, attention_window=4),
    "mt5": T5, "umt5": T5, "longt5": dict(T5, local_radius=4), "switch_transformers": dict(T5, num_sparse_encoder_layers=1, num_sparse_decoder_layers=1, num_experts=2),
    "fsmt": dict(S2S, langs=["en", "de"], src_vocab_size=V, tgt_vocab_size=V)}
REFUSED = {
    "prophetnet": dict(hidden_size=32, encoder_ffn_dim=64, decoder_ffn_dim=64, num_encoder_layers=2, num_decoder_layers=2, num_encoder_attention_heads=4, num_decoder_attention_heads=4, max_position_embeddings=128, decoder_start_token_id=1),
    "openai-gpt": OLD, "roberta": dict(LM, is_decoder=True)}
STATES = {  # each context is read alone, with the cache that Transformers makes of it, or again for each token
    "mamba": dict(hidden_size=32, num_hidden_layers=1, state_size=4), "mamba2": dict(hidden_size=32, num_hidden_layers=1, state_size=8, num_heads=4, head_dim=16, n_groups=1, chunk_size=4),
    "rwkv": dict(hidden_size=32, num_hidden_layers=2, attention_hidden_size=32), "falcon_h1": dict(LM, mamba_d_ssm=64, mamba_n_heads=4, mamba_d_head=16, mamba_d_state=8, mamba_n_groups=1, mamba_chunk_size=4),
    "jamba": dict(LM, attn_layer_period=2, attn_layer_offset=1, expert_layer_period=2, num_experts=2, use_mamba_kernels=False), "lfm2": dict(LM, layer_types=["conv", "full_attention"], block_ff_dim=64),
    "qwen3_next": dict(MOE, head_dim=8, layer_types=["linear_attention", "full_attention"], linear_num_value_heads=4, linear_num_key_heads=2, linear_key_head_dim=8, linear_value_head_dim=8, shared_expert_intermediate_size=32),
    "granitemoehybrid": dict(LM, num_local_experts=0, num_experts_per_tok=0, shared_intermediate_size=64, layer_types=["linear_attention", "full_attention"], mamba_n_heads=4, mamba_d_head=16, mamba_d_state=8, mamba_expand=2, mamba_chunk_size=4),
    "minimax": dict(MOE, head_dim=8, layer_types=["linear_attention", "full_attention"]), "recurrent_gemma": dict(LM, lru_width=32, attention_window_size=8)}


def tiny(kind, fields):
    "A random generator of this family."
    config = CONFIG_MAPPING[kind](vocab_size=V, pad_token_id=0, bos_token_id=1, eos_token_id=2, **fields)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = (AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM).from_config(config).eval()
    for p in model.parameters():
        if p.dim() > 1: p.data.normal_(std=.3)
    return model


def alone(kind):
    "The decoder of an encoder–decoder as a language model of its own."
    sizes = dict({**LM, **S2S}, is_decoder=True, is_encoder_decoder=False)
    config = CONFIG_MAPPING[kind](vocab_size=V, pad_token_id=0, bos_token_id=1, eos_token_id=2, **{k: v for k, v in sizes.items() if kind != "roformer" or k not in S2S})
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for p in model.parameters():
        if p.dim() > 1: p.data.normal_(std=.3)
    return model


def pair(decoder):
    "An encoder–decoder pair of a BERT and another model."
    bert = transformers.BertConfig(vocab_size=V, pad_token_id=0, **{k: v for k, v in LM.items() if k != "num_key_value_heads"})
    model = transformers.EncoderDecoderModel(transformers.EncoderDecoderConfig.from_encoder_decoder_configs(bert, decoder, decoder_start_token_id=1, pad_token_id=0, eos_token_id=2)).eval()
    for p in model.parameters():
        if p.dim() > 1: p.data.normal_(std=.3)
    return model


def contexts(left):
    g = torch.Generator().manual_seed(0)
    return pad_rows([torch.randint(4, V, (n,), generator=g).tolist() for n in (9, 5, 12)], 0, left=left)


def plainly(g, ids, mask, tokens, start):
    "Logits after the last token: no cache, no padding, one row at a time."
    out, off = [], dict(use_cache=False) if "use_cache" in inspect.signature(g.forward).parameters else {}
    for row, m, t in zip(ids, mask, tokens):
        row = row[m.bool()][None]
        if is_decoder_only(g): out.append(g(torch.cat([row, t[None]], 1), **off).logits[0, -1])
        else: out.append(g(input_ids=row, decoder_input_ids=torch.cat([torch.tensor([[start]]), t[None]], 1), **off).logits[0, -1])
    return torch.stack(out)


@torch.no_grad()
def check(g):
    left, start = is_decoder_only(g), getattr(g.config, "decoder_start_token_id", None)
    (ids, mask), start = contexts(left), 2 if start is None else start
    tokens, swap = torch.randint(4, V, (6, 4), generator=torch.Generator().manual_seed(1)), torch.tensor([1, 0, 2, 2, 5, 4])
    close = lambda a, b: torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    r = prefill(g, ids, mask, start)
    close(r.first_logits, plainly(g, ids, mask, tokens[:3, :0], start))
    r.reorder(torch.tensor([0, 0, 1, 1, 2, 2])); r.forward(tokens[:, :2]); r.reorder(swap)
    path = torch.cat([tokens[swap, :2], tokens[:, 2:]], 1)
    close(r.forward(tokens[:, 2:]).logits[:, -1], plainly(g, ids.repeat_interleave(2, 0), mask.repeat_interleave(2, 0), path, start))
    fed = torch.cat([torch.full((3, 1), start), tokens[:3, :-1]], 1)
    close(teacher_force(g, ids, mask, fed).logits, r.score_logits(tokens[:3]))


@pytest.mark.filterwarnings("ignore:.*keeps a state")
@pytest.mark.parametrize("kind", STATES)
def test_a_state_is_copied_for_beams(kind): check(tiny(kind, STATES[kind]))


def test_attention_in_all_layers_is_read_together():
    g = tiny("granitemoehybrid", dict(STATES["granitemoehybrid"], layer_types=["full_attention"]*2))
    check(g)
    assert not prefill_module.reads_alone(g) and prefill_module.reads_alone(tiny("mamba", STATES["mamba"]))


def test_a_state_is_spoken_of_once(recwarn):
    from rag_nb.core import states
    states._WARNED.clear()
    g, (ids, mask) = tiny("mamba", STATES["mamba"]), contexts(True)
    for _ in range(2): prefill(g, ids, mask, 1)
    assert len([w for w in recwarn if "keeps a state" in str(w.message)]) == 1
    with pytest.raises(ValueError, match="output_attentions"): prefill(g, ids, mask, 1, output_attentions=True)


@pytest.mark.filterwarnings("ignore:.*keeps a state")
def test_a_state_learns():
    "Gradients reach every weight, as in one pass over each text alone."
    g, (ids, mask) = tiny("mamba", STATES["mamba"]), contexts(True)
    fed = torch.tensor([[1, 50, 60]]*3)
    teacher_force(g, ids, mask, fed).logits.square().sum().backward()
    found = {n: p.grad.clone() for n, p in g.named_parameters()}
    g.zero_grad()
    for row, m in zip(ids, mask): g(torch.cat([row[m.bool()], fed[0, 1:]])[None]).logits[0, -3:].square().sum().backward()
    for n, p in g.named_parameters(): torch.testing.assert_close(found[n], p.grad, atol=1e-3, rtol=1e-3)


def check_since(model, fixed):
    "What Transformers computes rightly from a version on is led from there on, and refused by name before."
    if Version(transformers.__version__) >= Version(fixed): return check(model)
    with pytest.raises(ValueError, match=f"{type(model).__name__} .*cannot be the generator: Transformers .* and {fixed} does not"): check_generator(model)


@pytest.mark.parametrize("kind", LED)
def test_shared_cache_is_no_cache(kind): check_since(tiny(kind, LED[kind]), "5.18" if kind == "fsmt" else "5.0")


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_pairs(kind):
    decoder = (transformers.BertConfig(vocab_size=V, pad_token_id=0, bos_token_id=1, eos_token_id=2, is_decoder=True, add_cross_attention=True, **LM) if kind == "bert"
               else transformers.GPT2Config(vocab_size=V, pad_token_id=0, bos_token_id=1, eos_token_id=2, add_cross_attention=True, **OLD))
    check_since(pair(decoder), "5.16" if kind == "gpt2" else "5.0")


@pytest.mark.parametrize("kind", ["fsmt", "gpt2"])
def test_what_an_older_transformers_gets_wrong(kind, monkeypatch):
    monkeypatch.setattr(prefill_module, "installed", lambda requirement: "5.15" if requirement.startswith("transformers<") else None)
    g = tiny(kind, LED[kind]) if kind == "fsmt" else pair(transformers.GPT2Config(vocab_size=V, add_cross_attention=True, **OLD))
    with pytest.raises(ValueError, match="Transformers 5.15 .*pip install -U transformers"): check_generator(g)
    check_generator(tiny("pegasus", S2S))
    check_generator(toy_generator("gpt2"))                                     # alone it is right


COUNTS_PADDING = ["bart", "mbart", "pegasus", "marian", "blenderbot", "blenderbot-small", "bigbird_pegasus", "mvp", "plbart", "trocr", "whisper", "roformer"]


@pytest.mark.parametrize("kind", [*REFUSED, *COUNTS_PADDING])
@pytest.mark.parametrize("head", [RagTokenForGeneration, RagSequenceForGeneration])
def test_refused_by_name(kind, head):
    g = tiny(kind, REFUSED[kind]) if kind in REFUSED else alone(kind)
    with pytest.raises(ValueError, match=rf"{type(g).__name__} \({kind}\) cannot be the generator"): head(question_encoder=toy_encoder().model, generator=g, n_docs=3)
    ids, mask = contexts(left=True)
    for ask in (lambda: prefill(g, ids, mask, 1), lambda: teacher_force(g, ids, mask, ids[:, :3])):
        with pytest.raises(ValueError, match="cannot be the generator"): ask()


@pytest.mark.parametrize("kind", COUNTS_PADDING)
def test_padding_counts_where_it_is_refused(kind):
    "The refusal is not too wide: such a generator says something else behind padding."
    g, (ids, mask) = alone(kind), contexts(left=True)
    with torch.no_grad(): together, each = g(input_ids=ids, attention_mask=mask).logits[1, -1], g(input_ids=ids[1:2, -5:]).logits[0, -1]
    assert (together - each).abs().max() > .1


@pytest.mark.parametrize("kind, fields", [("bloom", LED["bloom"]), ("mpt", dict(d_model=32, n_heads=4, n_layers=2, max_seq_len=128)), ("xglm", dict(d_model=32, ffn_dim=64, num_layers=2, attention_heads=4)),
                                          ("biogpt", dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)), ("opt", LED["opt"])])
def test_who_needs_no_positions(kind, fields): check(tiny(kind, fields))


@pytest.mark.parametrize("fraction", [-1., .5, 1.])
def test_experts_with_a_capacity(fraction):
    g = tiny("nllb-moe", dict(S2S, num_experts=2, encoder_sparse_step=1, decoder_sparse_step=1, moe_eval_capacity_token_fraction=fraction))
    if fraction == 1.: return check(g)
    with pytest.raises(ValueError, match="NllbMoe.*limited number of tokens"): RagTokenForGeneration(question_encoder=toy_encoder().model, generator=g)


def test_refused_before_anything_is_embedded(monkeypatch):
    encoder, g = toy_encoder(), alone("bart")
    monkeypatch.setattr(type(encoder), "encode", lambda *a, **k: pytest.fail("documents were embedded first"))
    with pytest.raises(ValueError, match="BartForCausalLM .*position_ids"): Rag.from_documents(["a text"], (g, toy_tokenizer()), encoder, progress=False)


@pytest.mark.parametrize("kind, most", [("gpt2", 16), ("bart", 16), ("mbart", 16)])
def test_longer_than_the_generator_can_count(kind, most):
    g = toy_generator(kind, max_positions=most)
    model = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=g, n_docs=3).eval()
    x = lambda n: dict(context_input_ids=torch.randint(4, 260, (3, n)), doc_scores=torch.zeros(1, 3))
    with pytest.raises(ValueError, match="only 16 positions; lower max_combined_length"): model.generate(**x(17), max_new_tokens=2)
    with pytest.raises(ValueError, match="only 16 positions"): model.generate(**x(10), max_new_tokens=20)
    with pytest.raises(ValueError, match="only 16 positions"): model(**x(17), labels=torch.tensor([[70, 2]]))
    fits = 7 if kind == "gpt2" else 16
    assert model.generate(**x(10), max_new_tokens=fits, min_new_tokens=fits).shape[1] == fits + 1
    model(**x(10), labels=torch.full((1, fits), 70))


@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_without_a_table_nothing_is_too_long(kind):
    model = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=toy_generator(kind, max_positions=16), n_docs=3).eval()
    assert model.generate(context_input_ids=torch.randint(4, 260, (3, 40)), doc_scores=torch.zeros(1, 3), max_new_tokens=3).shape[0] == 1


ROPE = dict(longrope=dict(rope_type="longrope", rope_theta=10000., short_factor=[1.]*4, long_factor=[4.]*4, original_max_position_embeddings=8, factor=16.),
            dynamic=dict(rope_type="dynamic", rope_theta=10000., factor=4.))


@pytest.mark.parametrize("kind", ROPE)
@pytest.mark.parametrize("lengths, right", [((3, 5), "both"), ((9, 12), "longrope"), ((5, 12), ""), ((3, 7), "")])
def test_rotations_that_depend_on_the_longest(kind, lengths, right):
    family, own = ("phi3", dict(original_max_position_embeddings=8)) if kind == "longrope" else ("llama", dict(max_position_embeddings=8))
    g = tiny(family, {**LM, **own, "rope_parameters": dict(ROPE[kind])})
    rows, fed = [torch.arange(4, 4 + n).tolist() for n in lengths], torch.tensor([[1, 50, 60, 70]]*2)
    ids, mask = pad_rows(rows, 0, left=True)
    ways = [lambda: teacher_force(g, ids, mask, fed).logits[:, -1], lambda: prefill(g, ids, mask, 1).score_logits(fed.roll(-1, 1))[:, -1]]
    for way in ways:
        if right not in ("both", kind):
            with pytest.raises(ValueError, match=f"{kind}.*more than 8; lower max_combined_length"): way()
            continue
        truth = plainly(g, ids, mask, fed[:, 1:], 1)
        with torch.no_grad(): torch.testing.assert_close(way(), truth, atol=1e-4, rtol=1e-4)
