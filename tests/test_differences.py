"""Where Transformers' RAG is wrong, crashes or is silent: what is done here instead, a test each (the tutorial "Coming from Transformers" shows them)."""
import warnings
import pytest, torch, transformers
from transformers import TrainingArguments, Trainer
from rag_nb.core.config import RagConfig
from rag_nb.core.generate import RagGenerateOutput
from rag_nb.core.model import RagSequenceForGeneration, RagTokenForGeneration
from rag_nb.core.retriever import RagRetriever
from rag_nb.hf.tokenizer import RagTokenizer, assemble_contexts, pad_rows
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

HEADS = dict(token=RagTokenForGeneration, sequence=RagSequenceForGeneration)


def rag(head="token", kind="bart", **config):
    "A model with a retriever over the toy's documents, and its tokenizer."
    encoder = toy_encoder()
    tokenizer = RagTokenizer(encoder.tokenizer, toy_tokenizer(kind))
    model = HEADS[head](question_encoder=encoder.model, generator=toy_generator(kind), **{**encoder.spec.to_dict(), "n_docs": 3, "score_scale": 20., **config}).eval()
    retriever = RagRetriever.from_documents(toy_documents(), encoder, progress=False)
    retriever.config, retriever.question_encoder_tokenizer, retriever.generator_tokenizer = model.config, tokenizer.question_encoder, tokenizer.generator
    model.set_retriever(retriever)
    return model, tokenizer


def contexts(n=6, seed=0, left=False):
    g = torch.Generator().manual_seed(seed)
    ids, mask = pad_rows([torch.randint(4, 260, (int(torch.randint(3, 12, (), generator=g)),), generator=g).tolist() for _ in range(n)], 0, left=left)
    return dict(context_input_ids=ids, context_attention_mask=mask, doc_scores=torch.randn(n//3, 3, generator=g))


def count(model, name):
    "Count the calls of a method of an object, in place."
    calls, old = [], getattr(model, name)
    def counted(*a, **k): calls.append((a, k)); return old(*a, **k)
    object.__setattr__(model, name, counted) if not isinstance(model, torch.nn.Module) else model.__dict__.__setitem__(name, counted)
    return calls


def test_one_retrieval_and_one_encoding_a_question():
    model, tok = rag("sequence")
    searches, encodings = count(model.retriever, "search"), count(model.generator.get_encoder(), "forward")
    model.generate(**tok(["What is tea?", "Who wrote it?"], return_tensors="pt", padding=True), num_beams=3, max_new_tokens=5)
    assert len(searches) == 1
    assert sum(len(k.get("input_ids", a[0] if a else None)) for a, k in encodings) == 2*3         # a context is encoded once


def test_sequence_honours_n_docs_while_scoring():
    model, tok = rag("sequence")
    out = model.generate(**tok(["What is tea?"], return_tensors="pt"), n_docs=2, num_beams=2, max_new_tokens=4, return_dict_in_generate=True)
    assert out.doc_posteriors.shape[-1] == 2


def test_sequence_masks_padding():
    model, _ = rag("sequence")
    x = contexts()
    wide = {k: torch.nn.functional.pad(v, (0, 9)) if k != "doc_scores" else v for k, v in x.items()}
    kw = dict(num_beams=2, max_new_tokens=5, return_dict_in_generate=True)
    a, b = model.generate(**x, **kw), model.generate(**wide, **kw)
    assert torch.equal(a.sequences, b.sequences); torch.testing.assert_close(a.sequences_scores, b.sequences_scores, atol=1e-4, rtol=1e-4)


def test_prior_counts_on_one_token_targets():
    model, _ = rag("sequence")
    x, target = contexts(3), torch.tensor([[70]])
    with torch.no_grad():
        each = model.rag(**x, decoder_input_ids=torch.tensor([[2]])).logits.log_softmax(-1)[:, 0, 70]
        loss = model(**x, decoder_input_ids=torch.tensor([[2]]), labels=torch.tensor([[2]]), reduce_loss=False).loss
        truth = -(each + x["doc_scores"][0].log_softmax(-1)).logsumexp(0)
        one = model(**x, labels=target, reduce_loss=False).loss                     # no <s>: the target is shifted behind the start token
    assert loss.item() == 0
    torch.testing.assert_close(one[0], truth, atol=1e-5, rtol=1e-5)


def test_exclude_bos_is_decided_row_by_row():
    model, _ = rag("sequence")
    x = contexts(6)
    labels = torch.tensor([[2, 1, 70, 2], [2, 71, 72, 2]])                          # only the first has <s> as a target
    with torch.no_grad():
        both = model(**x, decoder_input_ids=labels, labels=labels, exclude_bos_score=True, reduce_loss=False).loss
        first = model(**{k: v[:3] if k != "doc_scores" else v[:1] for k, v in x.items()}, decoder_input_ids=labels[:1], labels=labels[:1], exclude_bos_score=True, reduce_loss=False).loss
        with_bos = model(**x, decoder_input_ids=labels, labels=labels, exclude_bos_score=False, reduce_loss=False).loss
    torch.testing.assert_close(both[:1], first, atol=1e-5, rtol=1e-5)
    assert both[0] < with_bos[0] and both[1] == with_bos[1]


@pytest.mark.parametrize("head", HEADS)
def test_max_new_tokens(head):
    model, _ = rag(head)
    assert model.generate(**contexts(), max_new_tokens=3, min_new_tokens=3).shape[1] == 4


def test_samples_streamer_and_attentions():
    model, _ = rag()
    assert model.generate(**contexts(), do_sample=True, num_return_sequences=4, max_new_tokens=3).shape[0] == 2*4
    class Seen(list):
        def put(self, x): self.append(x)
        def end(self): self.append("end")
    s = Seen(); out = model.generate(**contexts(3), max_new_tokens=4, streamer=s)
    assert torch.cat(s[:-1]).tolist() == out[0].tolist() and s[-1] == "end"
    model.generator.set_attn_implementation("eager")
    x = model.generate(**contexts(3), max_new_tokens=4, min_new_tokens=4, num_beams=2, output_attentions=True, output_hidden_states=True, output_scores=True, return_dict_in_generate=True)
    assert len(x.scores) == len(x.cross_attentions) == len(x.decoder_hidden_states) == 4 and x.encoder_attentions[0].shape[0] == 3


@pytest.mark.parametrize("head", HEADS)
def test_generate_output(head):
    model, tok = rag(head)
    out = model.generate(**tok(["What is tea?", "Who wrote it?"], return_tensors="pt", padding=True), num_beams=3, num_return_sequences=2, max_new_tokens=5, return_dict_in_generate=True)
    T = out.sequences.shape[1]
    assert isinstance(out, RagGenerateOutput) and out.sequences_scores.shape == (4,) and out.token_logprobs.shape == (4, T-1)
    assert out.doc_posteriors.shape == (4, T-1, 3) and out.doc_scores.shape == out.retrieved_doc_ids.shape == (2, 3)
    for n, p, l in zip(out.lengths, out.doc_posteriors, out.token_logprobs):
        torch.testing.assert_close(p[:n].sum(-1), torch.ones(int(n)), atol=1e-5, rtol=0); assert not p[n:].any() and not l[n:].any()


def test_more_returned_than_found_names_both_numbers():
    model, _ = rag("sequence")
    with pytest.raises(ValueError, match=r"num_return_sequences=9.*only \d"): model.generate(**contexts(3), num_beams=9, num_return_sequences=9, max_new_tokens=1, bad_words_ids=[[i] for i in range(3, 260)])


def test_token_type_ids_are_used():
    model, tok = rag()
    inputs = dict(tok(["What is tea?"], return_tensors="pt")); inputs["token_type_ids"] = torch.ones_like(inputs["input_ids"])
    a, b = (model.rag.embed_questions(**dict(inputs, token_type_ids=t)) for t in (None, inputs["token_type_ids"]))
    assert not torch.allclose(a, b)
    assert model.generate(**inputs, max_new_tokens=3).shape[0] == 1


def test_contexts_without_retriever_and_encoder_ngrams():
    model, _ = rag(); model.set_retriever(None)
    x = contexts(6)
    out = model.generate(input_ids=torch.ones(2, 3).long(), **x, max_new_tokens=8, encoder_no_repeat_ngram_size=1)
    for b in range(2): assert not set(out[b, 1:].tolist()) - {0, 2} & set(x["context_input_ids"][b*3:(b+1)*3].flatten().tolist())


def test_targets_use_the_generators_tokenizer():
    _, tok = rag()
    assert tok("What is tea?", text_target="Tea")["labels"] == tok.generator("Tea").input_ids


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", ["bart", "t5", "llama"])
def test_minus_100_and_first_token(head, kind):
    model, _ = rag(head, kind)
    x = contexts(3, left=kind == "llama")
    with torch.no_grad():
        a = model(**x, labels=torch.tensor([[70, 71, 2, -100, -100]])).loss
        b = model(**x, labels=torch.tensor([[70, 71, 2]])).loss
        c = model(**x, labels=torch.tensor([[90, 71, 2]])).loss
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
    assert abs(b - c) > 1e-3                                                         # the first token is scored


@pytest.mark.parametrize("head", HEADS)
def test_loss_is_a_scalar(head):
    model, _ = rag(head)
    labels = torch.tensor([[1, 70, 2], [1, 71, 2]])
    mean, total, each = (model(**contexts(), labels=labels, **kw).loss for kw in (dict(), dict(reduce_loss=True), dict(reduce_loss=False)))
    mean.backward()
    assert mean.ndim == total.ndim == 0 and each.shape == (2,)
    torch.testing.assert_close(mean*2, total); torch.testing.assert_close(each.sum(), total)


def test_attention_reaches_both(tmp_path):
    model, _ = rag(); model.save_pretrained(tmp_path)
    for asked, want in (("eager", ("eager", "eager")), (dict(question_encoder="eager", generator="sdpa"), ("eager", "sdpa"))):
        m = RagTokenForGeneration.from_pretrained(tmp_path, attn_implementation=asked)
        assert (m.question_encoder.config._attn_implementation, m.generator.config._attn_implementation) == want
    if torch.cuda.is_available(): return
    with pytest.warns(UserWarning, match="flash_attention_2"): m = RagTokenForGeneration.from_pretrained(tmp_path, attn_implementation="flash_attention_2")
    assert m.generator.config._attn_implementation == "sdpa"


def test_flash_attention_is_for_those_that_have_it():
    "DPR's encoder has no way to call FlashAttention: the published snippet asks for it all the same, for both networks."
    from transformers import AutoModel, BertConfig, DPRConfig
    from rag_nb.core.model import _made
    small = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=50)
    with pytest.warns(UserWarning, match="DPRQuestionEncoder cannot use flash_attention_2"): encoder = _made(AutoModel, DPRConfig(**small, attn_implementation="flash_attention_2"))
    assert encoder.config._attn_implementation == "sdpa" and encoder(torch.tensor([[5, 6]])).pooler_output.shape == (1, 32)
    if torch.cuda.is_available(): return
    with pytest.raises(ImportError, match="FlashAttention2"): _made(AutoModel, BertConfig(**small, attn_implementation="flash_attention_2"))  # asked for where it could be: Transformers says what is missing


def test_four_bits_for_the_generator_alone(tmp_path):
    bnb = pytest.importorskip("bitsandbytes")
    torch.manual_seed(0)
    llama = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=260, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2))
    model = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=llama, n_docs=3); model.save_pretrained(tmp_path/"whole")
    q = transformers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.float32)
    small = RagTokenForGeneration.from_pretrained(tmp_path/"whole", quantization_config=q)
    small.save_pretrained(tmp_path/"small")
    for m in (small, RagTokenForGeneration.from_pretrained(tmp_path/"small")):
        assert not any(isinstance(x, bnb.nn.Linear4bit) for x in m.question_encoder.modules())
        assert any(isinstance(x, bnb.nn.Linear4bit) for x in m.generator.modules())
        out = m.generate(**contexts(3, left=True), max_new_tokens=3, return_dict_in_generate=True)
        assert out.doc_posteriors.isfinite().all()
    both = RagTokenForGeneration.from_pretrained(tmp_path/"whole", quantization_config=q, quantize_question_encoder=True)
    assert any(isinstance(x, bnb.nn.Linear4bit) for x in both.question_encoder.modules())


def test_posterior_is_float32_in_bf16():
    model, _ = rag()
    scores = torch.tensor([[80.1, 80.4, 79.9, 79.8, 79.5]])
    x = dict(contexts(3), context_input_ids=torch.randint(4, 260, (5, 6)), context_attention_mask=torch.ones(5, 6).long(), doc_scores=scores)
    out = model.bfloat16().generate(**x, max_new_tokens=2, return_dict_in_generate=True)
    from rag_nb.core.marginal import doc_log_prior
    torch.testing.assert_close(doc_log_prior(out.doc_scores).exp(), scores.softmax(-1)); assert out.doc_posteriors.dtype == torch.float32


def test_fewer_documents_than_asked_for():
    model, tok = rag()
    out = model.generate(**tok(["What is tea?"], return_tensors="pt"), n_docs=20, max_new_tokens=3, return_dict_in_generate=True)
    n = len(toy_documents())
    assert (out.retrieved_doc_ids[0, n:] == -1).all() and not out.doc_posteriors[..., n:].any()


def test_question_survives_truncation_and_stays_as_written():
    _, tok = rag()
    row = assemble_contexts(tok.generator, RagConfig(max_combined_length=40), ["Is Tea a DRINK?"], [[dict(title="T", text="word "*200)]]).context_input_ids[0]
    assert len(row) == 40 and tok.decode(row, skip_special_tokens=True).endswith("Is Tea a DRINK?")


def test_hidden_states_and_contexts_are_filled_in():
    model, tok = rag(output_retrieved=True)
    out = model(**tok(["What is tea?"], return_tensors="pt"), labels=torch.tensor([[1, 70, 2]]), output_hidden_states=True)
    for name in ("question_enc_hidden_states", "generator_enc_hidden_states", "generator_dec_hidden_states", "generator_enc_last_hidden_state",
                 "question_encoder_last_hidden_state", "retrieved_doc_embeds", "retrieved_doc_ids", "context_input_ids", "context_attention_mask"): assert out[name] is not None, name
    assert model(**contexts(3), labels=torch.tensor([[1, 70, 2]]), output_retrieved=False).context_input_ids is None


def test_trained_passage_encoder_comes_back(tmp_path):
    model, tok = rag()
    encoder = toy_encoder(seed=7).model
    model.retriever.set_ctx_encoder_tokenizer(tok.question_encoder)
    model.set_context_encoder_for_training(encoder)
    model(**tok(["What is tea?"], return_tensors="pt"), labels=torch.tensor([[1, 70, 2]])).loss.backward()
    assert next(encoder.parameters()).grad.abs().sum() > 0
    model.save_pretrained(tmp_path)
    again = RagTokenForGeneration.from_pretrained(tmp_path)
    for k, v in encoder.state_dict().items(): assert torch.equal(again.rag.ctx_encoder.state_dict()[k], v)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", ["bart", "llama"])
def test_checkpointing_and_resizing(head, kind):
    model, _ = rag(head, kind)
    x, labels = contexts(3, left=kind == "llama"), torch.tensor([[70, 71, 2]])
    model.train(); plain = model(**x, labels=labels).loss
    model.gradient_checkpointing_enable(); checked = model(**x, labels=labels).loss; checked.backward()
    torch.testing.assert_close(plain, checked)
    model.resize_token_embeddings(270)
    assert model(**x, labels=labels).logits.shape[-1] == 270 and model.config.vocab_size == 270


def test_saved_retriever_can_be_moved(tmp_path):
    model, _ = rag()
    model.retriever.save_pretrained(tmp_path/"here"); (tmp_path/"here").rename(tmp_path/"there")
    assert RagRetriever.from_pretrained(tmp_path/"there", encoder=toy_encoder()).find("What is tea?", 2).ids.tolist() == model.retriever.find("What is tea?", 2).ids.tolist()
    for f in (tmp_path/"there").rglob("*.json"): assert str(tmp_path) not in f.read_text()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_decoder_only(head, kind):
    model, tok = rag(head, kind)
    q, a, _ = toy_questions()[0]
    assert model(**tok([q], return_tensors="pt"), labels=tok.targets([a], model.config), questions=[q]).loss.isfinite()
    assert model.generate(**tok([q], return_tensors="pt"), max_new_tokens=3).shape[0] == 1


@pytest.mark.parametrize("head", HEADS)
def test_trainer_needs_no_special_settings(head, tmp_path):
    model, tok = rag(head)
    data = [dict(input_ids=i, attention_mask=m, labels=l) for q, a, _ in toy_questions()[:4]
            for i, m, l in [(tok(q).input_ids, tok(q).attention_mask, tok.generator(a).input_ids)]]
    def collate(rows):
        out = {k: pad_rows([r[k] for r in rows], -100 if k == "labels" else 0)[0] for k in rows[0]}
        return out
    before = next(model.question_encoder.parameters()).detach().clone()
    trainer = Trainer(model, TrainingArguments(str(tmp_path), max_steps=3, per_device_train_batch_size=2, report_to=[], use_cpu=True, learning_rate=1e-2, disable_tqdm=True), train_dataset=data, data_collator=collate)
    assert trainer.train().training_loss > 0
    assert not torch.equal(before, next(model.question_encoder.parameters()).detach())


def test_other_head_warns_and_loads(tmp_path):
    model, _ = rag("token"); model.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="RagTokenForGeneration.*RagSequenceForGeneration"): other = RagSequenceForGeneration.from_pretrained(tmp_path)
    for k, v in model.state_dict().items(): assert torch.equal(v, other.state_dict()[k])


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_checkpoints_go_both_ways(kind, tmp_path):
    model, _ = rag(kind=kind)
    model.save_pretrained(tmp_path/"ours")
    theirs, said = transformers.RagTokenForGeneration.from_pretrained(tmp_path/"ours", output_loading_info=True)
    assert not said["missing_keys"] and not said["unexpected_keys"] and not said["mismatched_keys"]
    for k, v in model.state_dict().items(): assert torch.equal(v, theirs.state_dict()[k]), k
    theirs.save_pretrained(tmp_path/"theirs")
    again, said = RagTokenForGeneration.from_pretrained(tmp_path/"theirs", output_loading_info=True)
    assert not said["missing_keys"] and not said["unexpected_keys"]
    for k, v in model.state_dict().items(): assert torch.equal(v, again.state_dict()[k]), k


@pytest.mark.parametrize("capability, want", [((7, 5), "sdpa"), ((9, 0), "flash_attention_2"), (None, "sdpa")])
def test_flash_attention_needs_a_gpu_that_can_run_it(monkeypatch, capability, want):
    "A T4 has the package and cannot run it."
    from rag_nb.core import model
    monkeypatch.setattr(model, "is_flash_attn_2_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *a: capability)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert model.usable_attention(dict(question_encoder="flash_attention_2", generator="flash_attention_2")) == dict.fromkeys(("question_encoder", "generator"), want)
    assert len(said) == (want == "sdpa")
