"""Same weights, same inputs: the numbers and answers of Transformers' own RAG classes, wherever those are right."""
import pytest, torch, transformers
from rag_nb.core.config import RagConfig
from rag_nb.core.model import RagTokenForGeneration, RagSequenceForGeneration
from rag_nb.core import generate as generation  # noqa: F401 (attaches generate)
from rag_nb.hf.tokenizer import pad_rows
from rag_nb.core.toy import toy_encoder, toy_generator

B, K = 2, 3
HEADS = dict(token=(RagTokenForGeneration, transformers.RagTokenForGeneration),
    sequence=(RagSequenceForGeneration, transformers.RagSequenceForGeneration))


def pair(head, kind="bart", seed=0, **config):
    "Our head and Transformers', over the very same two networks."
    encoder, generator = toy_encoder().model, toy_generator(kind, seed=seed)
    ours, theirs = HEADS[head]
    special = {k: getattr(generator.config, k, None) for k in ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")}
    cfg = dict(n_docs=K, vocab_size=generator.config.vocab_size, **special, **config)
    a = ours(RagConfig.from_question_encoder_generator_configs(encoder.config, generator.config, **cfg), encoder, generator).eval()
    b = theirs(transformers.RagConfig.from_question_encoder_generator_configs(encoder.config, generator.config, **cfg), encoder,
        generator).eval()
    return a, b


def contexts(seed=0, equal=False):
    "Contexts of B·K rows and document scores; rows of different lengths unless `equal`."
    g = torch.Generator().manual_seed(seed)
    lengths = [11]*(B*K) if equal else torch.randint(4, 14, (B*K,), generator=g).tolist()
    ids, mask = pad_rows([torch.randint(4, 260, (n,), generator=g).tolist() for n in lengths], 0)
    return dict(context_input_ids=ids, context_attention_mask=mask, doc_scores=torch.randn(B, K, generator=g)*2)


def labels(seed=0, bos=1, eos=2):
    g = torch.Generator().manual_seed(seed)
    rows = [[bos] + torch.randint(4, 260, (n,), generator=g).tolist() + [eos] for n in (3, 6)]
    return pad_rows(rows, 0)[0]


@pytest.mark.parametrize("head", ["token", "sequence"])
@pytest.mark.parametrize("kind", ["bart", "mbart"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_forward(head, kind, seed, smoothing):
    a, b = pair(head, kind, seed, label_smoothing=smoothing)
    with torch.no_grad():
        ours, theirs = (m(**contexts(seed), labels=labels(seed), reduce_loss=True) for m in (a, b))
        each = a(**contexts(seed), labels=labels(seed), reduce_loss=False).loss
    torch.testing.assert_close(ours.logits, theirs.logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.loss, theirs.loss, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(each.sum(), theirs.loss, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(a(**contexts(seed), labels=labels(seed)).loss, theirs.loss/B, atol=1e-5, rtol=1e-5)


def test_marginalised_logits():
    a, b = pair("token")
    with torch.no_grad(): ours, theirs = (m(**contexts(), labels=labels(), do_marginalize=True, reduce_loss=True) for m in (a, b))
    torch.testing.assert_close(ours.logits, theirs.logits, atol=1e-5, rtol=1e-5)


def same_tokens(ours, theirs, pad, eos=2):
    "Rows are equal up to their end; what fills them up afterwards may be padding or the end token."
    cut = lambda row: row[:row.index(eos, 1)+1] if eos in row[1:] else row
    strip = lambda row: [t for t in cut(row)]
    assert len(ours) == len(theirs)
    for x, y in zip(ours.tolist(), theirs.tolist()): assert strip(x) == strip(y)


SETTINGS = [dict(num_beams=1), dict(num_beams=2), dict(num_beams=4, length_penalty=2.0), dict(num_beams=3, early_stopping=True),
            dict(num_beams=3, early_stopping="never", length_penalty=0.5), dict(num_beams=4, num_return_sequences=3),
            dict(num_beams=2, no_repeat_ngram_size=2),
            dict(num_beams=2, min_length=6), dict(num_beams=2, bad_words_ids=[[70], [80, 81]]), dict(num_beams=2, repetition_penalty=1.5),
            dict(num_beams=1, forced_bos_token_id=9)]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("kind", ["bart", "t5", "mbart"])
@pytest.mark.parametrize("seed", range(2))
def test_token_generate(settings, kind, seed):
    a, b = pair("token", kind, seed)
    x = contexts(seed)
    same_tokens(a.generate(**x, max_length=12, **settings), b.generate(**x, max_length=12, **settings), 0)


@pytest.mark.parametrize("settings", SETTINGS[:6], ids=str)
@pytest.mark.parametrize("seed", range(2))
def test_sequence_generate(settings, seed):
    a, b = pair("sequence", "bart", seed)
    x = contexts(seed, equal=True)                                   # Transformers forgets the mask: only unpadded contexts compare
    same_tokens(a.generate(**x, max_length=12, **settings), b.generate(**x, max_length=12, **settings), 0)


@pytest.mark.parametrize("kind", ["bart", "mbart"])
@pytest.mark.parametrize("head", ["token", "sequence"])
def test_forward_of_contexts_alone(head, kind):
    "Without decoder inputs BART reads the context itself, one place to the right."
    a, b = pair(head, kind)
    for x, y in ((a, b), (a.rag, b.rag)):
        with torch.no_grad(): ours, theirs = (m(**contexts()) for m in (x, y))
        assert ours.logits.shape[:2] == contexts()["context_input_ids"].shape
        torch.testing.assert_close(ours.logits, theirs.logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["t5", "llama", "gpt2"])
def test_generators_that_need_decoder_inputs_say_so(kind):
    model = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=toy_generator(kind), n_docs=K)
    for m in (model, model.rag):
        with pytest.raises(ValueError, match="decoder_input_ids.*labels.*generate"): m(**contexts())
