"Passages read once: with a `PassageCache` every number is that of a decoder that reads all contexts anew, whatever changed in between."
import random, threading

import pytest, torch
from test_engine import HEADS, compare, generator
from rag_nb import Rag, RagConfig
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer
from rag_nb.fast.decoder import KVCache, state_for
from rag_nb.fast.passage_cache import PassageCache
from rag_nb.hf.tokenizer import pad_rows

QS = [q for q, *_ in toy_questions()]
KINDS = ["llama", "qwen2", "qwen3", "mistral"]


def contexts(rng, V, B, K, instruction, passages):
    "Contexts as a layout makes them: an instruction, a passage out of few, a question; some cut in the middle of the passage."
    draw = lambda n: [rng.randrange(3, V) for _ in range(n)]
    rows = []
    for _ in range(B):
        question = draw(rng.randint(1, 6))
        for _ in range(K):
            passage = rng.choice(passages)
            rows.append(instruction + passage[:rng.choice([len(passage)]*3 + [3])] + question)
    return pad_rows(rows, 0, left=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", ["token", "sequence"])
def test_answers_are_those_of_the_reference(head, kind):
    "Thirty calls over the same passages, with room for all, for some and for none of them."
    rng = random.Random(f"{head}{kind}")
    g = generator(kind, 1, 30)
    V = g.config.vocab_size
    passages = [[rng.randrange(3, V) for _ in range(rng.randint(2, 25))] for _ in range(6)]
    reused = 0
    for room in (None, 40_000, 0):
        model = HEADS[head](question_encoder=toy_encoder().model, generator=g, n_docs=3, passage_cache_bytes=room).eval()
        for call in range(10):
            B, K = rng.randint(1, 2), rng.randint(1, 3)
            ids, mask = contexts(rng, V, B, K, [7, 8, 9]*rng.choice([0, 1, 7]), passages)
            x = dict(context_input_ids=ids, context_attention_mask=mask, doc_scores=torch.randn(B, K)*2)
            kw = dict(num_beams=rng.choice([1, 3]), max_new_tokens=4, eos_token_id=2, pad_token_id=0, return_dict_in_generate=True,
                n_docs=K)
            a, b = model.generate(**x, **kw), model.generate(**x, **kw, decoder="reference")
            compare(a, b, x, 2e-5)
            assert torch.equal(a.context_tokens, mask.sum(-1).view(B, K)) and torch.equal(b.context_tokens,
                a.context_tokens) and not b.reused_tokens.any()
            assert (a.reused_tokens < a.context_tokens).all() and (room != 0 or not a.reused_tokens.any())
            reused += int(a.reused_tokens.sum())
            if room: assert state_for(g).cache.bytes <= room
    assert reused > 100


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_of_reading_fill_the_same_slots(kind, seed):
    "Row by row, as on a CPU, and padded, as on a GPU: keys, values and logits are those of a cache that knows nothing."
    rng, g = random.Random(seed), generator(kind, seed, 30)
    net = state_for(g).net
    passages = [[rng.randrange(3, 30) for _ in range(rng.randint(2, 25))] for _ in range(3)]
    caches = {"prefill_causal": PassageCache(rng.choice([2**28, 40_000])), "prefill_padded": PassageCache(rng.choice([2**28, 40_000]))}
    for call in range(5):
        ids, mask = contexts(rng, 30, rng.randint(1, 2), 3, [7]*rng.choice([0, 20]), passages)
        made = {}
        for how, cache in [("plain", None), *caches.items()]:
            kv = KVCache(net, len(ids), 1, ids.shape[1] + 3, 2, g.lm_head.weight)
            with torch.no_grad(): known = getattr(kv, "prefill_padded" if how == "plain" else how)(ids, mask, cache)
            assert all(0 <= n < m for n, m in zip(known, mask.sum(-1).tolist())) and (how != "plain" or not any(known))
            made[how] = kv
        plain = made.pop("plain")
        for kv in made.values():
            torch.testing.assert_close(kv.prefill_logits, plain.prefill_logits, atol=2e-5, rtol=1e-4)
            assert torch.equal(kv.mask, plain.mask) and torch.equal(kv.lengths, plain.lengths)
            for mine, right in zip(kv.self_kv, plain.self_kv):
                for a, b in zip(mine, right):
                    real = plain.mask[:, None, :, None]
                    torch.testing.assert_close(a[:, :, :kv.S]*real, b[:, :, :kv.S]*real, atol=2e-5, rtol=1e-4)
                    assert a.isfinite().all()


def rag_of(**config):
    return Rag.from_documents(toy_documents(), generator=(toy_generator("llama"), toy_tokenizer("llama")), encoder=toy_encoder(),
        progress=False, n_docs=3, **config)


def same(a, b):
    assert a.text == b.text and a.logprob == pytest.approx(b.logprob, abs=1e-4)
    torch.testing.assert_close(a.doc_posterior, b.doc_posterior, atol=1e-4, rtol=1e-3)


def test_an_answer_says_what_was_read():
    "The second question over the same passages reads only itself; without a cache everything is read."
    rag, none = rag_of(), rag_of(passage_cache_bytes=0)
    for q in QS + QS:
        a, b = rag.ask(q, max_new_tokens=4), none.ask(q, max_new_tokens=4)
        same(a, b)
        assert b.reading["reused"] == 0 and sum(a.reading.values()) == b.reading["read"] > 0
    assert a.reading["read"] == 3                        # the last token of each context gives the logits
    assert rag.ask(QS[0], decoder="reference", max_new_tokens=2).reading["reused"] == 0


def test_nothing_stale_is_read():
    "Changed weights, an adapter merged and taken out, another layout: each answer is that of a Rag without a cache."
    from peft import LoraConfig, get_peft_model
    rag = rag_of()
    def check(rag):
        rag.model.config.passage_cache_bytes = None
        answers = [rag.ask(q, max_new_tokens=4) for q in QS[:2]]
        rag.model.config.passage_cache_bytes = 0
        for a, q in zip(answers, QS): same(a, rag.ask(q, max_new_tokens=4))
        rag.model.config.passage_cache_bytes = None
        rag.ask(QS[0], max_new_tokens=2)
        return answers
    before, g = check(rag), rag.model.generator
    with torch.no_grad(): g.model.layers[0].self_attn.v_proj.weight.mul_(2)
    assert check(rag)[0].logprob != pytest.approx(before[0].logprob, abs=1e-6)
    g.model.layers[1].mlp.up_proj.weight.data.neg_()
    check(rag)
    tuned = get_peft_model(g, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    tuned.merge_adapter(); merged = check(rag)
    tuned.unmerge_adapter(); apart = check(rag)
    tuned.unload()
    assert check(rag)[0].logprob != pytest.approx(merged[0].logprob, abs=1e-6) or apart
    rag.model.config.max_combined_length = 80
    check(rag)
    rag.model.config.context_template = "{text} | {title}: {question}"
    check(rag)


def test_a_window_and_rotations_of_other_kinds_go_by_the_loop():
    "What the fast decoder does not take has no cache, and says that nothing was reused."
    g = generator("mistral", 0, 30)
    g.config.sliding_window = 4
    model = HEADS["token"](question_encoder=toy_encoder().model, generator=g, n_docs=1).eval()
    ids = torch.randint(3, 30, (1, 9))
    for _ in range(2):
        out = model.generate(context_input_ids=ids, context_attention_mask=torch.ones_like(ids), doc_scores=torch.zeros(1, 1),
            max_new_tokens=2, return_dict_in_generate=True)
    assert out.reused_tokens.tolist() == [[0]]


def test_many_threads_one_cache():
    "Eight threads over one generator, with room for a few passages: every answer is the one that was given alone."
    rag = rag_of(passage_cache_bytes=60_000)
    alone = {q: rag.ask(q, max_new_tokens=4) for q in QS}
    wrong = []
    def work(seed):
        rng = random.Random(seed)
        for _ in range(12):
            q = rng.choice(QS)
            try: same(rag.ask(q, max_new_tokens=4), alone[q])
            except BaseException as e: wrong.append(e)
    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads: t.start()
    for t in threads: t.join()
    assert not wrong and state_for(rag.model.generator).cache.bytes <= 60_000


@pytest.mark.parametrize("value", [-1, 1.5, True, "256MB"])
def test_what_is_no_number_of_bytes(value):
    with pytest.raises(ValueError, match="passage_cache_bytes is a number of bytes"): RagConfig(passage_cache_bytes=value)
