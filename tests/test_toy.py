"The toy: ids used properly by every family, the same weights in every process, documents that matter."
import hashlib, subprocess, sys

import pytest, torch

from rag_nb.core.toy import SPECIALS, toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

KINDS = ["bart", "t5", "mbart", "llama", "gpt2"]


def forward(g, context, target):
    "Logits (T, V) that predict `target` after `context`, by the family's own means."
    context, target = torch.tensor([context]), torch.tensor([target])
    with torch.no_grad():
        if g.config.is_encoder_decoder:
            start = torch.tensor([[g.config.decoder_start_token_id]])
            return g(input_ids=context, decoder_input_ids=torch.cat([start, target[:, :-1]], 1)).logits[0]
        return g(input_ids=torch.cat([context, target[:, :-1]], 1)).logits[0, context.shape[1]-1:]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vocab_size", [None, 8])
def test_forward_generate_and_ids(kind, vocab_size):
    g = toy_generator(kind, vocab_size=vocab_size)
    V = vocab_size or 260
    assert not g.training and g.dtype == torch.float32 and g.get_output_embeddings().weight.shape == (V, 32)
    logits = forward(g, [5, 6, 7], [4, 5, 6])
    assert logits.shape == (3, V) and logits.isfinite().all()
    c = g.config
    assert (c.pad_token_id, c.eos_token_id) == (0, 2) and (kind == "t5" or c.bos_token_id == 1)
    assert getattr(c, "decoder_start_token_id", None) == dict(bart=2, mbart=1, t5=0).get(kind)
    gc = g.generation_config
    assert gc.forced_bos_token_id is None and gc.forced_eos_token_id is None
    out = g.generate(torch.tensor([[5, 6, 7]]), attention_mask=torch.ones(1, 3, dtype=torch.long), max_new_tokens=6, do_sample=False)
    assert out.shape[0] == 1 and out.max() < V


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vocab_size", [None, 8])
def test_padding_changes_nothing(kind, vocab_size):
    g = toy_generator(kind, vocab_size=vocab_size)
    short, T = [5, 6, 7], 3
    alone = forward(g, short, [4, 5, 6])
    with torch.no_grad():
        if g.config.is_encoder_decoder:
            dec = torch.tensor([[g.config.decoder_start_token_id, 4, 5]]*2)
            both = g(input_ids=torch.tensor([short + [0, 0], [7, 6, 5, 4, 7]]), decoder_input_ids=dec,
                     attention_mask=torch.tensor([[1, 1, 1, 0, 0], [1]*5])).logits[0]
        else:
            ids = torch.tensor([[0, 0] + short + [4, 5], [7, 6, 5, 4, 7, 4, 5]])
            mask = torch.tensor([[0, 0] + [1]*5, [1]*7])
            both = g(input_ids=ids, attention_mask=mask, position_ids=(mask.cumsum(-1)-1).clamp(min=0)).logits[0, -T:]
    assert torch.allclose(alone, both, atol=2e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vocab_size", [8, 10])
def test_small_vocabularies_are_interesting(kind, vocab_size):
    "Documents change the answer, and no token takes it all: over random contexts, on average."
    g, r = toy_generator(kind, vocab_size=vocab_size), torch.Generator().manual_seed(0)
    # (K, T, V)
    p = torch.stack([forward(g, torch.randint(4, vocab_size, (5,), generator=r).tolist(), [4, 5, 4]).softmax(-1) for _ in range(12)])
    entropy = lambda q: -(q * q.clamp(min=1e-30).log()).sum(-1)
    apart = entropy(p.mean(0)) - entropy(p).mean(0)  # (T,)
    assert apart.mean() > .05 and entropy(p).mean() > .25 and p.max(-1).values.mean() > 1.5/vocab_size


@pytest.mark.parametrize("kind", KINDS)
def test_letters_are_preferred(kind):
    g, tok = toy_generator(kind), toy_tokenizer(kind)
    letters = [2] + [4 + b for b in b" abcdefghijklmnopqrstuvwxyz"]
    p = torch.stack([forward(g, tok(d["text"])["input_ids"], tok("a b c", add_special_tokens=False)["input_ids"]).softmax(-1)
                     for d in toy_documents()])
    assert p[..., letters].sum(-1).mean() > .97


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded(kind, tmp_path):
    g = toy_generator(kind, vocab_size=16)
    g.save_pretrained(tmp_path)
    again = type(g).from_pretrained(tmp_path)
    assert torch.equal(forward(g, [5, 6, 7], [4, 5]), forward(again, [5, 6, 7], [4, 5]))


def fingerprints():
    "A hash of every weight of every toy."
    out = []
    for model in [toy_generator(k, vocab_size=v) for k in KINDS for v in (None, 8)] + [toy_encoder().model]:
        h = hashlib.sha256()
        for name, p in sorted(model.named_parameters()): h.update(name.encode() + p.detach().numpy().tobytes())
        out.append(h.hexdigest())
    return out


def test_the_same_in_another_process():
    code = "import sys; sys.path.insert(0, 'tests'); from test_toy import fingerprints; print(' '.join(fingerprints()))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert other == fingerprints()


def test_seeds_differ_and_kinds_are_checked():
    a, b = (forward(toy_generator("bart", seed=s, vocab_size=8), [5, 6], [4]) for s in (0, 1))
    assert not torch.allclose(a, b)
    with pytest.raises(ValueError, match="bart, mbart"): toy_generator("opt")
    with pytest.raises(ValueError, match="special"): toy_generator("bart", vocab_size=4)
    with pytest.raises(ValueError, match="bart"): toy_tokenizer("opt")


@pytest.mark.parametrize("kind", KINDS + [None])
def test_tokenizer_writes_everything(kind):
    tok = toy_tokenizer(kind)
    assert len(tok) == 260 and tok.all_special_tokens and [tok.convert_tokens_to_ids(s) for s in SPECIALS] == [0, 1, 2, 3]
    for text in ("plain", "  two  spaces ", "Zürich 東京 🎈\t\n", "x" * 50, "<b>&"):
        ids = tok(text)["input_ids"]
        assert tok.decode(ids, skip_special_tokens=True) == text
        assert len([i for i in ids if i > 3]) == len(text.encode())
    assert tok("", add_special_tokens=False)["input_ids"] == []
    starts, ends = tok("a")["input_ids"][0] == 1, tok("a")["input_ids"][-1] == 2
    assert (starts, ends) == dict(bart=(True, True), t5=(False, True), mbart=(False, True), llama=(True, False)).get(kind, (False, False))


def test_tokenizer_survives_saving(tmp_path):
    from transformers import AutoTokenizer
    toy_tokenizer("bart").save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again("Hello you")["input_ids"] == toy_tokenizer("bart")("Hello you")["input_ids"] and again.pad_token_id == 0


def test_the_encoder_finds_every_document():
    docs, enc = toy_documents(), toy_encoder()
    scores = enc.encode([q for q, _, _ in toy_questions()]) @ enc.encode(docs, kind="passage").T
    assert [docs[n]["id"] for n in scores.argmax(1)] == [i for _, _, i in toy_questions()]
    assert enc.dim == 32 and (scores <= 1 + 1e-5).all()
    assert enc.encode(["who is it?", "Ünknown wörds: 東京"]).shape == (2, 32)  # only common words; no known word
