"""FlashAttention behind padded contexts, without a GPU and without its package: Transformers' own path around two plain functions that stand in for the kernels."""
import copy, json
import pytest, torch, transformers
import transformers.modeling_flash_attention_utils as flash
from torch.nn.functional import scaled_dot_product_attention
from rag_nb.core import generate as generation  # noqa: F401 (attaches generate)
from rag_nb.fast.fused_loss import answer_logprobs
from rag_nb.core.model import RagSequenceForGeneration, RagTokenForGeneration
from rag_nb.core.prefill import fix_attention, prefill, teacher_force
from rag_nb.fast.cuda_graphs import cannot_record
from rag_nb.hf.tokenizer import pad_rows
from rag_nb.core.toy import toy_encoder, toy_generator

HEADS = dict(token=RagTokenForGeneration, sequence=RagSequenceForGeneration)
WANTED = "flash_attention_2"


def dense(q, k, v, dropout_p=0., softmax_scale=None, causal=False, window_size=(-1, -1)):
    "What `flash_attn_func` computes of (B, T, H, d): a causal mask is aligned at the end."
    T, S = q.shape[1], k.shape[1]
    mask = torch.ones(T, S, dtype=torch.bool).tril(S - T) if causal else None
    return scaled_dot_product_attention(*(x.transpose(1, 2) for x in (q, k, v)), attn_mask=mask, dropout_p=dropout_p, scale=softmax_scale,
        enable_gqa=True).transpose(1, 2)


@pytest.fixture
def calls(monkeypatch):
    "Let Transformers' FlashAttention call plain PyTorch; the lengths of queries and keys that came to it."
    seen = []
    def whole(q, k, v, **kwargs): seen.append((q.shape[1], k.shape[1])); return dense(q, k, v, **kwargs)

    def ragged(q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, dropout_p=0., softmax_scale=None, causal=False,
        window_size=(-1, -1)):
        seen.append((int(max_seqlen_q), int(max_seqlen_k)))
        rows = zip(*(x.split(cu.diff().tolist()) for x, cu in ((q, cu_seqlens_q), (k, cu_seqlens_k), (v, cu_seqlens_k))))
        return torch.cat([dense(*(x[None] for x in row), dropout_p, softmax_scale, causal)[0] for row in rows])

    for name, value in dict(_loaded_implementation=WANTED, _flash_fn=whole, _flash_varlen_fn=ragged, _flash_with_kvcache_fn=None,
        _pad_fn=flash._pad_input, _unpad_fn=flash._unpad_input,
                            _process_flash_kwargs_fn=flash._lazy_define_process_function(ragged),
                            _process_with_kvcache_kwargs_fn=dict).items():
        monkeypatch.setattr(flash, name, value, raising=False)
    for name in ("_check_and_adjust_attn_implementation", "get_correct_attn_implementation"):     # they would look for the package
        monkeypatch.setattr(transformers.PreTrainedModel, name, lambda self, wanted, *a, **kw: wanted or "sdpa")
    return seen


def pair():
    "An encoder and a decoder of two models, each with a configuration of its own."
    torch.manual_seed(5)
    small = dict(vocab_size=260, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, pad_token_id=0,
        initializer_range=.5)
    bert, decoder = transformers.BertConfig(**small), transformers.BertConfig(**small, is_decoder=True, add_cross_attention=True)
    model = transformers.EncoderDecoderModel(transformers.EncoderDecoderConfig.from_encoder_decoder_configs(bert, decoder,
        decoder_start_token_id=1, pad_token_id=0, eos_token_id=2))
    return model


def adapted():
    peft = pytest.importorskip("peft")
    return peft.get_peft_model(toy_generator("bart"), peft.LoraConfig(target_modules=["q_proj", "v_proj"], r=2, init_lora_weights=False))


def made(kind):
    "In float64, so that what differs is not rounding."
    g = dict(pair=pair, adapted=adapted)[kind]() if kind in ("pair", "adapted") else toy_generator(kind)
    return g.eval().double()


def inputs(T, n=6, left=False):
    g = torch.Generator().manual_seed(T)
    ids, mask = pad_rows([torch.randint(4, 200, (k,), generator=g).tolist() for k in (9, 5, 12, 3, 12, 7)[:n]], 0, left=left)
    return ids, mask, torch.randint(4, 200, (n, T), generator=g)


@pytest.mark.parametrize("T", [2, 4, 12, 15])
def test_as_transformers_reads(calls, T):
    "The reason for all this; once it is mended there, `fix_attention` is needed for old releases only."
    bart, (ids, mask, fed) = made("bart"), inputs(T)
    kw = dict(input_ids=ids, attention_mask=mask, decoder_input_ids=fed)
    with torch.no_grad():
        right = bart(**kw).logits
        bart.set_attn_implementation(WANTED)
        theirs = bart(**kw).logits
    assert any(q == k for q, k in calls)
    far = (right - theirs).abs().amax(-1)                                                           # (R, T)
    # nothing is padded: all queries are kept (beyond, rows are mixed up)
    if T <= mask.shape[1]: torch.testing.assert_close(theirs[2], right[2], atol=1e-5, rtol=1e-5)
    if far.max() < 1e-4: pytest.skip(f"Transformers {transformers.__version__} keeps all queries behind padded contexts")
    assert far[mask.sum(1) < mask.shape[1]].max() > .1


@pytest.mark.parametrize("kind", ["bart", "mbart", "pair", "adapted"])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("T", [1, 4, 12])
def test_loss_and_gradients_are_those_of_sdpa(calls, head, kind, T):
    def run(asked):
        torch.manual_seed(3)
        model = HEADS[head](question_encoder=toy_encoder().model, generator=made(kind), n_docs=3).eval()
        model.generator.set_attn_implementation(asked)
        ids, mask, fed = inputs(T)
        loss = model(context_input_ids=ids, context_attention_mask=mask, doc_scores=torch.linspace(-1, 1, 6).view(2, 3),
            labels=fed[:2]).loss
        loss.backward()
        return loss.detach(), {n: p.grad for n, p in model.generator.named_parameters() if p.grad is not None}
    (want, slopes), n = run("sdpa"), len(calls)
    got, ours = run(WANTED)
    assert n == 0 and calls and all(q == k for q, k in calls)                                       # the encoder's
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)
    assert ours.keys() == slopes.keys() and len(ours)
    for name in slopes: torch.testing.assert_close(ours[name], slopes[name], atol=1e-5, rtol=1e-5, msg=lambda m: f"{name}: {m}")


@pytest.mark.parametrize("kind", ["bart", "mbart", "pair", "llama", "gpt2"])
def test_a_bare_generator_reads_and_goes_on(calls, kind):
    "A generator that no RAG model holds: scored and teacher-forced; decoder-only ones look back with FlashAttention, and are right."
    left, a, b = kind in ("llama", "gpt2"), made(kind), made(kind)
    ids, mask, fed = inputs(5, left=left)
    b.set_attn_implementation(WANTED)
    with torch.no_grad():
        torch.testing.assert_close(teacher_force(b, ids, mask, fed).logits, teacher_force(a, ids, mask, fed).logits, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(prefill(b, ids, mask, 1).score_logits(fed), prefill(a, ids, mask, 1).score_logits(fed), atol=1e-5, rtol=1e-5)
    assert calls and (left or all(q == k for q, k in calls))


@pytest.mark.parametrize("kind", ["bart", "mbart", "pair", "llama"])
def test_likelihoods(calls, kind):
    "The way of training, which calls the parts of a generator itself."
    left, a, b = kind == "llama", made(kind), made(kind)
    ids, mask, fed = inputs(5, left=left)
    b.set_attn_implementation(WANTED)
    torch.testing.assert_close(answer_logprobs(b, ids, mask, fed, fed.flip(1)), answer_logprobs(a, ids, mask, fed, fed.flip(1)), atol=1e-5,
        rtol=1e-5)
    assert calls and (left or all(q == k for q, k in calls))


@pytest.mark.parametrize("head", HEADS)
def test_generated(calls, head):
    ids, mask, _ = inputs(2)
    kw = dict(context_input_ids=ids, context_attention_mask=mask, doc_scores=torch.linspace(-1, 1, 6).view(2, 3), num_beams=3,
        max_new_tokens=6, return_dict_in_generate=True)
    def run(asked):
        model = HEADS[head](question_encoder=toy_encoder().model, generator=made("bart"), n_docs=3).eval()
        model.generator.set_attn_implementation(asked)
        return model.generate(**kw)
    a, b = run("sdpa"), run(WANTED)
    assert calls and torch.equal(a.sequences, b.sequences)
    torch.testing.assert_close(a.sequences_scores, b.sequences_scores, atol=1e-5, rtol=1e-5)


def attentions(generator):
    return generator.config._attn_implementation, generator.get_encoder().config._attn_implementation, generator.get_decoder().layers[1].encoder_attn.config._attn_implementation


def test_what_is_asked_for_later(calls):
    "The configuration says what was asked; the decoder follows it, but for FlashAttention, whoever asks and however often."
    model, (ids, mask, fed) = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=made("bart"),
        n_docs=3).eval(), inputs(4)
    g = model.generator
    for asked, want in ((WANTED, "sdpa"), (WANTED, "sdpa"), ("eager", "eager"), (dict(generator=WANTED), "sdpa"),
        (dict(generator="eager"), "eager"), ("sdpa", "sdpa"), (WANTED, "sdpa")):
        model.set_attn_implementation(asked)
        teacher_force(g, ids, mask, fed)
        name = asked["generator"] if isinstance(asked, dict) else asked
        assert attentions(g) == (name, name, want), asked
        assert model.config.generator is g.config
    model.set_attn_implementation("eager")
    assert model(context_input_ids=ids, context_attention_mask=mask, doc_scores=torch.zeros(2, 3), labels=fed[:2],
        output_attentions=True).generator_cross_attentions[0].shape == (6, 4, 4, 12)


def test_copies_and_folders(calls, tmp_path):
    "A copy is mended, too, and does not share the first one's configuration; nothing of it is saved."
    model, (ids, mask, fed) = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=made("bart"),
        n_docs=3).eval(), inputs(4)
    model.save_pretrained(tmp_path/"before")
    model.generator.set_attn_implementation(WANTED)
    want = teacher_force(model.generator, ids, mask, fed).logits
    twin = copy.deepcopy(model)
    twin.set_attn_implementation("eager")
    torch.testing.assert_close(teacher_force(twin.generator, ids, mask, fed).logits, want, atol=1e-5, rtol=1e-5)
    assert attentions(twin.generator) == ("eager",)*3 and attentions(model.generator) == (WANTED, WANTED, "sdpa")
    model.save_pretrained(tmp_path/"after")
    before, after = (json.loads((tmp_path/f/"config.json").read_text()) for f in ("before", "after"))
    assert before == after
    torch.save(model.generator, tmp_path/"whole")
    again = torch.load(tmp_path/"whole", weights_only=False)
    torch.testing.assert_close(teacher_force(again, ids, mask, fed).logits, want, atol=1e-5, rtol=1e-5)


def test_others_are_left_alone():
    "Nothing is copied where FlashAttention was not asked for, nor does a recording find another decoder."
    for kind in ("bart", "mbart", "t5", "llama", "gpt2"):
        g = toy_generator(kind)
        configs = [id(m.config) for m in g.modules() if hasattr(m, "config")]
        fix_attention(g)
        assert configs == [id(m.config) for m in g.modules() if hasattr(m, "config")]
    g = toy_generator("bart")
    g.config._attn_implementation = WANTED
    fix_attention(g)
    assert "its attention is flash_attention_2" in cannot_record(g, anywhere=True)
