"The published surface: what Transformers' RAG classes have, these have too, under the same names and in the same order."
import inspect, warnings
import pytest, torch, transformers
import rag_nb
from rag_nb import RagConfig, RagModel, RagSequenceForGeneration, RagTokenForGeneration
from rag_nb.core.names import CACHE
from rag_nb.core.toy import toy_encoder, toy_generator
from test_parity import contexts, labels, pair, same_tokens

CLASSES = ["RagConfig", "RagTokenizer", "RagModel", "RagPreTrainedModel", "RagSequenceForGeneration", "RagTokenForGeneration"]
# Names that differ, and why.
EXCEPTIONS = {
    ("RagTokenForGeneration", "prepare_inputs_for_generation"): "is called by their decoding loop; here the loop is another one",
    ("RagConfig", "__init__"): "has the fields as keywords; test_config compares them with their defaults",
}


def published(name):
    "The public attributes of a class of Transformers that it does not have from PyTorch alone."
    theirs = getattr(transformers, name)
    return sorted(a for a in dir(theirs) if (not a.startswith("_") or a in ("__init__", "__call__")) and a not in dir(torch.nn.Module) or a in ("forward", "__init__"))


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_name_is_there(name):
    assert [a for a in published(name) if not hasattr(getattr(rag_nb, name), a)] == []


@pytest.mark.parametrize("name", CLASSES)
def test_arguments_have_their_names_and_places(name):
    theirs, ours = getattr(transformers, name), getattr(rag_nb, name)
    for a in published(name):
        f, g = getattr(theirs, a), getattr(ours, a)
        own = any(a in k.__dict__ for k in theirs.__mro__ if "models.rag" in k.__module__)
        if not own or (name, a) in EXCEPTIONS or not inspect.isroutine(f): continue
        p, q = (list(inspect.signature(x).parameters.values()) for x in (f, g))
        p = [x.replace(name="past_key_values") if x.name == CACHE and a == "forward" else x for x in p]  # ours takes both names: tests/test_names.py
        plain = [x.name for x in p if x.kind not in (x.VAR_KEYWORD, x.VAR_POSITIONAL)]
        assert [x.name for x in q][:len(plain)] == plain, f"{name}.{a}"
        for x, y in zip(p, q):
            if x.name in plain and x.default is not x.empty: assert y.default == x.default or not x.default, f"{name}.{a}({x.name})"
        if any(x.kind is x.VAR_KEYWORD for x in p): assert any(x.kind is x.VAR_KEYWORD for x in q), f"{name}.{a}"


def test_exceptions_are_still_needed():
    for name, a in EXCEPTIONS:
        p, q = (list(inspect.signature(getattr(c, a)).parameters) for c in (getattr(transformers, name), getattr(rag_nb, name)))
        assert p != q[:len(p)]


def test_outputs_have_every_field_in_order():
    from transformers.models.rag import modeling_rag
    for name in ("RetrievAugLMOutput", "RetrievAugLMMarginOutput"):
        theirs, ours = ({*getattr(m, name).__dataclass_fields__} for m in (modeling_rag, rag_nb))
        assert theirs == ours


@pytest.mark.parametrize("head", ["token", "sequence"])
@pytest.mark.parametrize("epsilon", [0., .1])
def test_get_nll(head, epsilon):
    a, b = pair(head)
    x, y = contexts(), labels()
    with torch.no_grad(): logits = a.rag(**x, decoder_input_ids=y).logits
    for kw in (dict(), dict(reduce_loss=True), dict(n_docs=3)):
        torch.testing.assert_close(a.get_nll(logits, x["doc_scores"], y, epsilon=epsilon, **kw), b.get_nll(logits.clone(), x["doc_scores"], y, epsilon=epsilon, **kw), atol=1e-4, rtol=1e-5)
    if head == "sequence":
        y = torch.cat([y.new_full((2, 1), 2), y], 1)                # </s> <s> answer: <s> is a target now
        with torch.no_grad(): logits = a.rag(**x, decoder_input_ids=y).logits
        ours, theirs = (m.get_nll(logits.clone(), x["doc_scores"], y, exclude_bos_score=True) for m in (a, b))
        assert (ours < a.get_nll(logits, x["doc_scores"], y)).all()
        # theirs leaves <s> out and the prior, which they add to the second token, in
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-5)


def test_marginalize_and_shift():
    a, b = pair("token")
    x, y = contexts(), labels()
    with torch.no_grad(): logits = a.rag(**x, decoder_input_ids=y).logits
    torch.testing.assert_close(a.marginalize(logits, x["doc_scores"]), b.marginalize(logits, x["doc_scores"]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(a.marginalize(logits[:4], x["doc_scores"][:, :2], n_docs=2), b.marginalize(logits[:4], x["doc_scores"][:, :2], n_docs=2), atol=1e-5, rtol=1e-5)
    for kw in (dict(), dict(start_token_id=7)): assert torch.equal(a.shift_tokens_right(y, **kw), b.shift_tokens_right(y, **kw))


def test_positional_arguments_of_rag_sequence():
    a, b = pair("sequence")
    x = contexts(equal=True)
    ours, theirs = (m.generate(None, None, x["context_input_ids"], x["context_attention_mask"], x["doc_scores"], True, 2, 3, 3, max_length=8) for m in (a, b))
    assert ours.shape[0] == theirs.shape[0] == 4
    with torch.no_grad():
        args = (None, None, None, None, None, None, x["context_input_ids"], x["context_attention_mask"], x["doc_scores"], None, None, None, None, True, True, labels())
        torch.testing.assert_close(a(*args).loss, b(*args).loss, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("head", [RagTokenForGeneration, RagSequenceForGeneration, RagModel])
def test_a_misspelt_argument_of_forward_is_told_its_neighbour(head):
    model = head(question_encoder=toy_encoder().model, generator=toy_generator("bart"), n_docs=3)
    with pytest.raises(TypeError, match="'context_input_id'.*did you mean 'context_input_ids'"): model(context_input_id=1)
    x = contexts()
    given = dict(decoder_input_ids=labels()) if head is RagModel else dict(labels=labels())
    assert isinstance(model(**x, **given, return_dict=False), tuple) and model(**x, **given, return_dict=True).logits is not None


def test_unknown_arguments_of_the_constructor(tmp_path):
    model = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=toy_generator("bart"), n_docs=3)
    model.save_pretrained(tmp_path)
    assert RagTokenForGeneration.from_pretrained(tmp_path, n_docs=2).config.n_docs == 2
    with pytest.raises(TypeError, match="'n_doc'.*did you mean 'n_docs'"): RagTokenForGeneration.from_pretrained(tmp_path, n_doc=2)


def test_misspelt_fields_are_kept_and_warned_of():
    with pytest.warns(UserWarning, match="'n_doc'.*did you mean 'n_docs'"): c = RagConfig(n_doc=3)
    assert c.n_doc == 3                                             # as published: nothing is lost
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RagConfig(retriever_type="hf_retriever", pretrained_generator_name_or_path="facebook/bart-large", **dict.fromkeys(OLD.split()))


# keys of the published configurations of 2020 that are no fields
OLD = """add_cross_attention bad_words_ids diversity_penalty do_sample early_stopping encoder_no_repeat_ngram_size finetuning_task forced_bos_token_id forced_eos_token_id is_decoder length_penalty
max_length min_length no_repeat_ngram_size num_beam_groups num_beams num_return_sequences output_attentions output_scores pruned_heads remove_invalid_values repetition_penalty return_dict_in_generate
sep_token_id task_specific_params temperature tie_encoder_decoder tie_word_embeddings tokenizer_class top_k top_p torchscript use_bfloat16 xla_device"""


def test_settings_for_one_of_the_two(tmp_path):
    "generator_… and question_encoder_… reach the configurations; loading arguments reach the loading."
    toy_generator("bart").save_pretrained(tmp_path/"g"); toy_encoder().model.save_pretrained(tmp_path/"q")
    m = RagTokenForGeneration.from_pretrained_question_encoder_generator(str(tmp_path/"q"), str(tmp_path/"g"), generator_dropout=.25, question_encoder_hidden_dropout_prob=.125,
                                                                         generator_dtype=torch.bfloat16, trust_remote_code=False, n_docs=3)
    assert (m.generator.config.dropout, m.question_encoder.config.hidden_dropout_prob, m.generator.dtype, m.question_encoder.dtype) == (.25, .125, torch.bfloat16, torch.float32)
    assert not hasattr(m.config, "trust_remote_code") and m.config.n_docs == 3


@pytest.mark.parametrize("head", ["token", "sequence"])
def test_nothing_to_score_is_no_loss(head):
    a, _ = pair(head, label_smoothing=.1)
    y = labels(); y[1] = -100
    x = contexts()
    x["doc_scores"].requires_grad_()
    each = a(**x, labels=y, reduce_loss=False).loss
    assert each[1] == 0 and each[0] > 0
    each[1].backward()
    assert x["doc_scores"].grad is None or not x["doc_scores"].grad.any()


@pytest.mark.parametrize("head", [RagTokenForGeneration, RagSequenceForGeneration])
def test_accumulated_gradients_are_those_of_the_whole_batch(head, tmp_path):
    "Trainer divides the loss by the number of accumulation steps only where the model does not claim to do so."
    def gradient(batch, steps):
        torch.manual_seed(0)
        model = head(question_encoder=toy_encoder().model, generator=toy_generator("bart"), n_docs=3)
        g = torch.Generator().manual_seed(0)
        rows = [dict(context_input_ids=torch.randint(4, 260, (3, 6), generator=g), doc_scores=torch.randn(3, generator=g), labels=torch.tensor([1, *torch.randint(4, 260, (3,), generator=g).tolist(), 2])) for _ in range(4)]
        collate = lambda rs: dict(context_input_ids=torch.cat([r["context_input_ids"] for r in rs]), doc_scores=torch.stack([r["doc_scores"] for r in rs]), labels=torch.stack([r["labels"] for r in rs]))
        args = transformers.TrainingArguments(str(tmp_path), max_steps=1, per_device_train_batch_size=batch, gradient_accumulation_steps=steps, report_to=[], use_cpu=True, learning_rate=1., optim="sgd",
                                              max_grad_norm=0, lr_scheduler_type="constant", disable_tqdm=True, remove_unused_columns=False, save_strategy="no")
        before = model.generator.model.shared.weight.detach().clone()
        class InOrder(transformers.Trainer):
            def _get_train_sampler(self, *a): return torch.utils.data.SequentialSampler(self.train_dataset)
        InOrder(model, args, train_dataset=rows, data_collator=collate).train()
        return model.generator.model.shared.weight.detach() - before
    torch.testing.assert_close(gradient(4, 1), gradient(1, 4), atol=1e-4, rtol=1e-3)


def test_trainer_keeps_the_columns_that_forward_takes():
    for head in (RagTokenForGeneration, RagSequenceForGeneration):
        assert {"token_type_ids", "questions", "labels", "doc_scores"} <= set(inspect.signature(head.forward).parameters)


@pytest.mark.parametrize("beams, wanted", [(2, 4), (1, 3)])
def test_rag_sequence_returns_more_answers_than_beams(beams, wanted):
    "Candidates come from every document, so there may be more of them than beams."
    a, b = pair("sequence")
    for seed in range(3):
        x = contexts(seed, equal=True)
        try: theirs = b.generate(**x, num_beams=beams, num_return_sequences=wanted, max_length=8)
        except RuntimeError: continue                               # fewer candidates than answers: theirs fails in topk
        same_tokens(a.generate(**x, num_beams=beams, num_return_sequences=wanted, max_length=8), theirs, 0)
        return
    raise AssertionError("no seed has candidates enough: the test shows nothing")


def test_rag_token_returns_no_more_answers_than_beams():
    a, _ = pair("token")
    with pytest.raises(ValueError, match="num_return_sequences.*num_beams"): a.generate(**contexts(), num_beams=2, num_return_sequences=4)
    assert a.generate(**contexts(), num_beams=2, num_return_sequences=3, kind="sequence", max_new_tokens=4).shape[0] == 6


@pytest.mark.parametrize("kind", ["bart", "llama"])
def test_attentions_that_would_be_empty_are_refused(kind):
    model = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=toy_generator(kind), n_docs=3).eval()
    x = dict(context_input_ids=torch.randint(4, 260, (3, 6)), doc_scores=torch.zeros(1, 3))
    kw = dict(output_attentions=True, return_dict_in_generate=True, max_new_tokens=3, min_new_tokens=3)
    with pytest.raises(ValueError, match="output_attentions.*eager"): model.generate(**x, **kw)
    model.generator.set_attn_implementation("eager")
    out = model.generate(**x, **kw)
    assert len(out.decoder_attentions) == 3 and out.decoder_attentions[0][0].shape[0] == 3


def test_transformers_own_configuration_is_taken():
    encoder, generator = toy_encoder().model, toy_generator("bart")
    theirs = transformers.RagConfig.from_question_encoder_generator_configs(encoder.config, generator.config, n_docs=3, title_sep=" | ")
    assert isinstance(c := RagTokenForGeneration(theirs, encoder, generator).config, RagConfig) and (c.n_docs, c.title_sep) == (3, " | ")
    with pytest.raises(TypeError, match="BartConfig"): RagTokenForGeneration(generator.config, encoder, generator)


def test_the_configuration_asks_for_hidden_states():
    model = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=toy_generator("bart"), n_docs=3, output_hidden_states=True)
    assert model(**contexts(), labels=labels()).generator_dec_hidden_states and not model(**contexts(), labels=labels(), output_hidden_states=False).generator_dec_hidden_states


@pytest.mark.parametrize("head", ["token", "sequence"])
def test_seq2seq_trainer_predicts(head, tmp_path):
    a, _ = pair(head)
    a.generation_config.max_length = 7
    x, y = contexts(), labels()
    rows = [dict(context_input_ids=x["context_input_ids"][3*i:3*i+3], context_attention_mask=x["context_attention_mask"][3*i:3*i+3], doc_scores=x["doc_scores"][i], labels=y[i]) for i in range(2)]
    collate = lambda rs: {k: torch.stack([r[k] for r in rs]).flatten(0, 1 if k.startswith("context") else 0) for k in rs[0]}
    args = transformers.Seq2SeqTrainingArguments(str(tmp_path), per_device_eval_batch_size=2, predict_with_generate=True, report_to=[], use_cpu=True, disable_tqdm=True, remove_unused_columns=False)
    out = transformers.Seq2SeqTrainer(a, args, data_collator=collate).predict(rows)
    with torch.no_grad(): want = a(**x, labels=y).loss
    assert out.predictions.shape == (2, 7) and abs(out.metrics["test_loss"] - want) < 1e-4
    found = a.generate(**x)
    assert out.predictions[:, :found.shape[1]].tolist() == found.tolist()


@pytest.mark.parametrize("said, given, want", [(" ", None, " T / some text // why?"), ("own: ", None, "own: T / some text // why?"), (" ", "given: ", "given: T / some text // why?"), (None, None, "T / some text // why?")])
def test_the_generators_prefix_stands_before_every_context(said, given, want):
    "As in facebook/bart-large, whose prefix is a space; Transformers' retriever is the authority."
    from rag_nb.hf.tokenizer import assemble_contexts
    from rag_nb.core.toy import toy_tokenizer
    tok, cfg = toy_tokenizer("bart"), {**toy_generator("bart").config.to_dict(), "prefix": said}
    ours = assemble_contexts(tok, RagConfig(generator=cfg), ["why?"], [[dict(title="T", text="some text")]], given).context_input_ids[0]
    assert tok.decode(ours, skip_special_tokens=True) == want
    theirs = transformers.RagConfig(question_encoder=toy_encoder().model.config.to_dict(), generator=dict(cfg), n_docs=1)  # older versions want both
    retriever = transformers.RagRetriever.__new__(transformers.RagRetriever)
    retriever.config, retriever.generator_tokenizer, retriever.return_tokenized_docs = theirs, tok, False
    ids, _ = retriever.postprocess_docs([dict(title=["T"], text=["some text"])], ["why?"], given if given is not None else getattr(theirs.generator, "prefix", None), 1, return_tensors="pt")
    assert tok.decode(ids[0], skip_special_tokens=True) == want


@pytest.mark.parametrize("wrong, said", [(dict(labels=torch.tensor([[1, 70, 2]])), "1 rows.*2 questions"), (dict(labels=torch.tensor([70, 2])), r"\(B, T\)"), (dict(labels=torch.zeros(2, 0).long()), r"\(B, T\)"),
                                         (dict(n_docs=2), "n_docs=2.*3 documents"), (dict(context_attention_mask=torch.ones(6, 2)), "mask.*shape"), (dict(doc_scores=torch.zeros(2)), r"\(B, K\)")], ids=lambda v: str(list(v)) if isinstance(v, dict) else "")
@pytest.mark.parametrize("head", ["token", "sequence"])
def test_shapes_that_do_not_fit_are_told(head, wrong, said):
    a, _ = pair(head)
    x = {**contexts(), "labels": labels(), **wrong}
    with pytest.raises(ValueError, match=said): a(**x)
    if "labels" in wrong: return
    with pytest.raises(ValueError, match=said): a.generate(**x, max_new_tokens=2)


@pytest.mark.parametrize("settings", [dict(num_beams=0), dict(num_return_sequences=0)], ids=str)
def test_counts_begin_at_one(settings):
    a, _ = pair("token")
    with pytest.raises(ValueError, match=next(iter(settings))): a.generate(**contexts(), **settings)
