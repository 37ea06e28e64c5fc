"""Every causal and seq2seq family of the installed Transformers, built small from its configuration class, beside a slow truth.

    python -m tests.families                  # a slice: what `make test` runs
    python -m tests.families --full           # every family, with the table
    python -m tests.families qwen3 falcon_h1  # these

The truth is plain Transformers: one document at a time, no padding, no cache, float64. A family is `right` where loss, posterior, greedy
and beam answers agree with it, `refused` where the model says at construction why it cannot be the generator, `wrong` or `obscure`
otherwise, and `unbuilt` where Transformers itself makes no small model of it, or one that cannot be run over a text alone.
"""
import argparse, signal, sys, threading, time, warnings
from collections import Counter

import torch, transformers
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, AutoModelForSeq2SeqLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES

V = 96
SIZES = dict(
    vocab_size=V, hidden_size=32, d_model=32, n_embd=32, dim=32, embed_dim=32, emb_dim=32, hidden_dim=64, word_embed_proj_dim=32, embedding_size=32, embedding_dim=32,  # noqa: E501
    intermediate_size=64, ffn_dim=64, d_ff=64, ffn_hidden_size=64, d_inner=64, n_inner=64, shared_intermediate_size=64, moe_intermediate_size=16, intermediate_size_mlp=64,  # noqa: E501
    shared_expert_intermediate_size=16, moe_shared_expert_intermediate_size=16, dense_intermediate_size=64, block_ff_dim=64, mlp_hidden_size=64, encoder_ffn_dim=64, decoder_ffn_dim=64,  # noqa: E501
    num_hidden_layers=2, n_layer=2, n_layers=2, num_layers=2, encoder_layers=2, decoder_layers=2, num_decoder_layers=2, num_encoder_layers=2, num_blocks=2, encoder_num_layers=2,  # noqa: E501
    num_attention_heads=4, n_head=4, n_heads=4, num_heads=4, attention_heads=4, encoder_attention_heads=4, decoder_attention_heads=4, num_encoder_attention_heads=4,  # noqa: E501
    num_decoder_attention_heads=4, num_key_value_heads=2, num_kv_heads=2, n_head_kv=2, head_dim=8, d_kv=8, kv_channels=8, key_length=8, qk_nope_head_dim=8,  # noqa: E501
    qk_rope_head_dim=8, v_head_dim=8, qk_head_dim=16, q_lora_rank=16, kv_lora_rank=16, rotary_dim=4, attention_head_dim=8, attention_head_size=8, global_head_dim=8,  # noqa: E501
    max_position_embeddings=256, n_positions=256, n_ctx=256, max_seq_len=256, max_sequence_length=256, max_encoder_position_embeddings=256, max_decoder_position_embeddings=256,  # noqa: E501
    num_experts=4, num_local_experts=4, n_routed_experts=4, moe_num_experts=4, num_experts_per_tok=2, moe_topk=2, moe_top_k=2, n_group=1, topk_group=1, first_k_dense_replace=1,  # noqa: E501
    n_shared_experts=1, num_shared_experts=1, expert_layer_period=2, attn_layer_period=2, attn_layer_offset=1, sliding_window=4, attention_window=4, local_radius=4,  # noqa: E501
    window_size=4, attention_window_size=4, lru_width=32, state_size=8, mamba_d_state=8, mamba_n_heads=4, mamba_d_head=16, mamba_num_heads=4, mamba_head_dim=16, mamba_d_ssm=64,  # noqa: E501
    mamba_expand=2, mamba_n_groups=1, mamba_ngroups=1, n_groups=1, n_mamba_heads=2, mamba_headdim=32, ssm_state_size=8, mamba_chunk_size=8, chunk_size=8, conv_kernel=4, conv_L_cache=3, num_groups=1,  # noqa: E501
    linear_num_value_heads=4, linear_num_key_heads=2, linear_key_head_dim=8, linear_value_head_dim=8, attention_hidden_size=32, time_step_rank=4, mamba_dt_rank=4,  # noqa: E501
    index_topk=4, index_n_heads=2, index_head_dim=16, query_pre_attn_scalar=8, num_global_layers=1, num_swa_layers=1, vocab_size_per_layer_input=V,  # noqa: E501
    hidden_size_per_layer_input=8, num_kv_shared_layers=0, laurel_rank=4, altup_num_inputs=2, use_mamba_kernels=False, num_ln_in_parallel_attn=1, src_vocab_size=V, tgt_vocab_size=V,  # noqa: E501
    encoder_hidden_size=32, num_sparse_encoder_layers=1, num_sparse_decoder_layers=1, mlp_intermediate_size=64, adapter_rank=8, use_mem_rank=8, num_mem_blocks=1,  # noqa: E501
    attention_dropout=0., hidden_dropout=0., n_shared_head=2, dense_ffn_hidden_size=64, expert_ffn_hidden_size=32, zero_expert_num=0, ffn_hidden_dim=64)  # noqa: E501
TOKENS = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
LINEAR = dict(layer_types=["linear_attention", "full_attention"])
OWN = {  # what these need beside, or instead
    "bamba": dict(attn_layer_indices=[1]), "granitemoehybrid": LINEAR, "mamba2": dict(num_heads=4, head_dim=16), "ministral": dict(head_dim=8),  # noqa: E501
    "hunyuan_v1_dense": dict(head_dim=8), "hunyuan_v1_moe": dict(head_dim=8), "kimi_linear": dict(LINEAR, num_experts=8), "gpt_neo": dict(attention_types=[[["global", "local"], 1]]),  # noqa: E501
    "zamba": dict(layer_types=["linear_attention", "hybrid"]), "zamba2": dict(layer_types=["linear_attention", "hybrid"]), "deepseek_v2": dict(topk_method="greedy"),  # noqa: E501
    "lfm2_moe": dict(layer_types=["conv", "full_attention"]), "reformer": dict(axial_pos_embds=False), "ernie4_5_moe": dict(moe_k=2), "nemotron": dict(head_dim=8)}  # noqa: E501
SLICE = ["llama", "gpt2", "gemma3_text", "qwen3_next", "falcon_h1", "mamba", "lfm2", "bamba", "granitemoehybrid", "rwkv", "recurrent_gemma", "t5", "bart", "opt"]  # noqa: E501


def causal(): return sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
def seq2seq(): return sorted(k for k in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES)


def small(kind, alone):
    "A random model of a family; `alone`: as a causal language model."
    cls = CONFIG_MAPPING[kind]
    own = dict(OWN.get(kind, {}))
    plain = cls()
    free = lambda k: not isinstance(getattr(cls, k, None), property) and k not in (getattr(cls, "attribute_map", None) or {})
    given = {k: v for k, v in SIZES.items() if hasattr(plain, k) and free(k) and getattr(plain, k) is not None and not isinstance(getattr(plain, k), dict)}  # noqa: E501
    given = {k: v for k, v in given.items() if not isinstance(getattr(plain, k), list)}
    if hasattr(plain, "kv_lora_rank") and "num_key_value_heads" in given: given["num_key_value_heads"] = 4
    fields = {**given, **TOKENS, **own}
    if kind in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES: fields.setdefault("decoder_start_token_id", 1)
    if alone and getattr(plain, "is_encoder_decoder", False): fields |= dict(is_decoder=True, is_encoder_decoder=False)
    elif alone and hasattr(plain, "is_decoder"): fields["is_decoder"] = True
    if "layers_block_type" in fields: del fields["layers_block_type"]
    types = [] if "layer_types" in own or not free("layer_types") else getattr(plain, "layer_types", None) or []
    if types: fields["layer_types"] = list(dict.fromkeys(types))*2 if len(set(types)) == 1 else list(dict.fromkeys(types))
    if types: fields["num_hidden_layers"] = len(fields["layer_types"])
    config = cls(**fields)
    return made(config, alone)


def made(config, alone):
    "A random model of a configuration, in float64 where its layers can be."
    auto = AutoModelForCausalLM if alone else AutoModelForSeq2SeqLM
    with torch.device("meta"): n = sum(p.numel() for p in auto.from_config(config).parameters())
    if n > 3e6: raise ValueError(f"{n:,} weights: not small; OWN says how")
    torch.manual_seed(0)
    model = auto.from_config(config).eval()
    for module in model.modules():
        if hasattr(getattr(module, "config", None), "_experts_implementation"): module.config._experts_implementation = "eager"
    g = torch.Generator().manual_seed(1)
    for p in model.parameters():
        if p.dim() > 1: p.data.copy_(torch.randn(p.shape, generator=g)*.2)
    eager = any(getattr(m.config, "_attn_implementation", None) == "eager" for m in model.modules() if isinstance(m, transformers.PreTrainedModel))  # noqa: E501
    return model if eager else model.double()          # in float64 eager attention is not a number behind padding


def contexts(left):
    from rag_nb.hf.tokenizer import pad_rows
    g = torch.Generator().manual_seed(0)
    return pad_rows([torch.randint(4, V, (n,), generator=g).tolist() for n in (9, 5, 12)], 0, left=left)


@torch.no_grad()
def truth(g, ids, mask, start):
    "A function from written tokens (list) to log-probabilities (K, V) of the next: no cache, no padding, one document at a time."
    alone, kw = not g.config.is_encoder_decoder, dict(use_cache=False) if takes(g, "use_cache") else {}
    rows = [row[m.bool()] for row, m in zip(ids, mask)]
    def after(row, written):
        if alone: return g(input_ids=torch.cat([row, torch.tensor(written, dtype=torch.long)])[None], **kw).logits
        return g(input_ids=row[None], decoder_input_ids=torch.tensor([[start, *written]]), **kw).logits
    return lambda written: torch.stack([after(row, list(written))[0, -1].double().log_softmax(-1) for row in rows])


@torch.no_grad()
def forced(g, ids, mask, labels, start):
    "Log-probabilities (T, K) of labels (T,) behind each document, in one pass over each text: no cache, no padding."
    out, kw, T = [], dict(use_cache=False) if takes(g, "use_cache") else {}, len(labels)
    for row in (row[m.bool()] for row, m in zip(ids, mask)):
        if not g.config.is_encoder_decoder: logits = g(input_ids=torch.cat([row, labels[:-1]])[None], **kw).logits[0, -T:]
        else: logits = g(input_ids=row[None], decoder_input_ids=torch.cat([labels.new_tensor([start]), labels[:-1]])[None], **kw).logits[0]
        out.append(logits.double().log_softmax(-1).gather(1, labels[:, None])[:, 0])
    return torch.stack(out, 1)


def takes(g, name):
    import inspect
    return name in inspect.signature(g.forward).parameters


def slow_beams(logp, prior, M, T, eos):
    "The best score of a beam search of T tokens over the marginal, without ends."
    beams = [((), 0.)]
    for _ in range(T):
        found = []
        for written, score in beams:
            marginal = (prior[:, None] + logp(written)).logsumexp(0)
            marginal[eos] = -torch.inf
            top = marginal.topk(M)
            found += [((*written, int(t)), score + float(v)) for v, t in zip(*top)]
        beams = sorted(found, key=lambda b: -b[1])[:M]
    return beams[0][1] / T


@torch.no_grad()
def compare(g, tol=1e-3):
    "What differs from the truth: a sentence, or None."
    from rag_nb import RagSequenceForGeneration, RagTokenForGeneration
    from rag_nb.core.toy import toy_encoder
    model = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=g, n_docs=3).eval()
    left = not g.config.is_encoder_decoder
    ids, mask = contexts(left)
    scores, labels = torch.tensor([[.3, -.2, .1]]), torch.tensor([[50, 60, 70, 2]])
    logp, prior = truth(g, ids, mask, model.generation_config.decoder_start_token_id or model.config.decoder_start_token_id), scores[0].double().log_softmax(-1)  # noqa: E501
    given = dict(context_input_ids=ids, context_attention_mask=mask, doc_scores=scores)
    steps = forced(g, ids, mask, labels[0], model.generation_config.decoder_start_token_id or model.config.decoder_start_token_id)   # (T, K)  # noqa: E501
    near = lambda name, a, b: None if abs(float(a) - float(b)) < tol else f"{name}: {float(a):.5f}, and the truth is {float(b):.5f}"
    out = []
    out.append(near("RAG-Token's loss", model(**given, labels=labels).loss, -(prior + steps).logsumexp(1).sum()))
    whole = RagSequenceForGeneration(question_encoder=model.question_encoder, generator=g, n_docs=3).eval()
    out.append(near("RAG-Sequence's loss", whole(**given, labels=labels).loss, -(prior + steps.sum(0)).logsumexp(0)))
    T = 4
    model.generation_config.forced_bos_token_id = model.generation_config.forced_eos_token_id = None
    said = model.generate(**given, max_new_tokens=T, min_new_tokens=T, num_beams=1, return_dict_in_generate=True)
    written = said.sequences[0, 1:].tolist()
    for t, token in enumerate(written):
        each = prior[:, None] + logp(written[:t])
        marginal = each.logsumexp(0)
        marginal[2] = -torch.inf
        out.append(near(f"greedy token {t}", marginal[token], marginal.max()))
        out.append(near(f"posterior of token {t}", (said.doc_posteriors[0, t].double() - each[:, token].softmax(0)).abs().max(), 0.))
    beams = model.generate(**given, max_new_tokens=T, min_new_tokens=T, num_beams=2, return_dict_in_generate=True)
    out.append(near("beam search", beams.sequences_scores[0], slow_beams(logp, prior, 2, T, 2)))
    return next((o for o in out if o), None)


def verdict(kind, alone):
    "`right`, `refused`, `wrong`, `obscure` or `unbuilt`, with the reason."
    from rag_nb import RagTokenForGeneration
    from rag_nb.core.toy import toy_encoder
    try:
        g = small(kind, alone)
        ids, mask = contexts(not g.config.is_encoder_decoder)
        truth(g, ids, mask, 1)([5])
    except TimeoutError: raise
    except Exception as e: return "unbuilt", f"{type(e).__name__}: {' '.join(str(e).split())[:160]}"
    try: RagTokenForGeneration(question_encoder=toy_encoder().model, generator=g, n_docs=3)
    except ValueError as e: return ("refused" if "cannot be the generator" in str(e) else "obscure"), str(e)
    try: found = compare(g)
    except TimeoutError: raise
    except Exception as e: return "obscure", f"{type(e).__name__}: {' '.join(str(e).split())[:200]}"
    return ("wrong", found) if found else ("right", "")


LIMIT = 60  # seconds a family


def within(seconds, f, *args):
    "f(*args), or a `TimeoutError`; without an alarm where there is none, as on Windows or beside the main thread."
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread(): return f(*args)
    def stop(*_): raise TimeoutError
    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try: return f(*args)
    finally: signal.alarm(0); signal.signal(signal.SIGALRM, old)


def sweep(families, show=print):
    "Verdicts by family and their counts."
    out = {}
    for kind, alone in families:
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try: out[kind, alone] = within(LIMIT, verdict, kind, alone)
            except TimeoutError: out[kind, alone] = "unbuilt", f"longer than {LIMIT} s"
        show(f"{kind:28}{'causal' if alone else 'seq2seq':9}{out[kind, alone][0]:9}{time.perf_counter() - start:6.1f} s  {out[kind, alone][1][:220]}")  # noqa: E501
    return out


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--part", default="0/1", help="I/N: every N-th family, from the I-th on")
    asked = parser.parse_args(words)
    transformers.logging.set_verbosity_error()
    every = [(k, True) for k in causal()] + [(k, False) for k in seq2seq()]
    chosen = [f for f in every if f[0] in (asked.families or SLICE)] if not asked.full else every
    i, n = map(int, asked.part.split("/"))
    found = sweep(chosen[i::n], lambda line: print(line, flush=True))
    for alone, name in ((True, "causal"), (False, "seq2seq")):
        counts = Counter(v for (_, a), (v, _) in found.items() if a == alone)
        print(f"{name}: " + ", ".join(f"{n} {v}" for v, n in counts.most_common()))
    return int(any(v in ("wrong", "obscure") for v, _ in found.values()))


if __name__ == "__main__": sys.exit(main())
