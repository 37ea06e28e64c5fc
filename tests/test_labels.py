"Labels of every kind of generator: what is fed, what is scored, and what does not count."
import pytest, torch, transformers
from rag_nb import RagConfig, RagSequenceForGeneration, RagTokenForGeneration, RagTokenizer
from rag_nb.core.model import align_labels
from rag_nb.core.toy import toy_encoder, toy_generator, toy_tokenizer
from test_differences import contexts

HEADS = dict(token=RagTokenForGeneration, sequence=RagSequenceForGeneration)
ANSWERS = ["Ada", "a long answer", "x"]


def config(kind, **kw): return RagConfig(generator=toy_generator(kind).config.to_dict(), **kw)


@pytest.mark.parametrize("kind", ["llama", "gpt2", None])
def test_decoder_only_labels_are_the_targets(kind):
    "However they are made: bare, the end token last, nothing scored after it."
    cfg = config(kind or "llama", answer_prefix=" ")
    tok = RagTokenizer(toy_encoder().tokenizer, toy_tokenizer(kind), cfg)
    want = tok.targets(ANSWERS)
    assert torch.equal(want, tok.targets(ANSWERS, cfg)) and want[0].tolist()[:5] == [*toy_tokenizer()(" Ada").input_ids, 2]
    assert torch.equal(tok(["a", "b", "c"], text_target=ANSWERS, padding=True, return_tensors="pt")["labels"], want)
    assert torch.equal(tok.prepare_seq2seq_batch(["a", "b", "c"], ANSWERS, return_tensors="pt")["labels"], want)
    assert tok("a", text_target="Ada")["labels"] == want[0][want[0] >= 0].tolist()
    alone = tok(text_target=ANSWERS, padding=True, return_tensors="pt")
    assert torch.equal(alone["input_ids"].masked_fill(alone["attention_mask"] == 0, -100), want)


def test_without_a_configuration_the_tokenizer_tells():
    "A tokenizer that ends no text belongs to a decoder-only generator; one that does, does not."
    bare, framed = (RagTokenizer(toy_encoder().tokenizer, toy_tokenizer(k)) for k in ("llama", "bart"))
    assert bare(text_target="Ada")["input_ids"] == [*toy_tokenizer()("Ada").input_ids, 2]
    assert framed(text_target="Ada")["input_ids"] == toy_tokenizer("bart")("Ada").input_ids


def test_cut_labels_keep_their_end():
    tok = RagTokenizer(toy_encoder().tokenizer, toy_tokenizer("llama"), config("llama"))
    out = tok.prepare_seq2seq_batch(["a"], ["a long answer"], max_target_length=5, return_tensors="pt")["labels"]
    assert out.tolist() == [[*toy_tokenizer()("a lo").input_ids, 2]]
    assert tok(text_target=["Ada"], padding="max_length", max_length=9, return_tensors="pt")["input_ids"].shape == (1, 9)


def test_from_pretrained_knows_the_kind(tmp_path):
    cfg = config("llama", answer_prefix=" ")
    RagTokenizer(toy_encoder().tokenizer, toy_tokenizer("llama")).save_pretrained(tmp_path); cfg.save_pretrained(tmp_path)
    assert RagTokenizer.from_pretrained(tmp_path)("q", text_target="Ada")["labels"] == [*toy_tokenizer()(" Ada").input_ids, 2]


def test_text_pairs_stay_with_the_question():
    tok = RagTokenizer(toy_encoder().tokenizer, toy_tokenizer("bart"))
    assert tok("tea", "honey", text_target="Ada")["labels"] == toy_tokenizer("bart")("Ada").input_ids


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("pad", [0, 2, None])
@pytest.mark.parametrize("row", [[1, 70, 71, 2], [70, 71, 2, "pad"], [70, 71, 2, -100], ["pad", "pad", 70, 71, 2],
    [1, 70, 71, 2, "pad", "pad"], [70, 71, 2, "pad", -100], ["pad", 1, 70, 71, 2, -100]], ids=str)
def test_beginning_and_padding_do_not_count(head, pad, row):
    "A beginning token, and padding on either side, also where it is the end token itself."
    model = HEADS[head](question_encoder=toy_encoder().model, generator=toy_generator("llama"), n_docs=3).eval()
    model.config.generator.pad_token_id = pad; model.config.pad_token_id = pad
    fill = 2 if pad is None else pad
    row = torch.tensor([[fill if t == "pad" else t for t in row]])
    x = contexts(3, left=True)
    with torch.no_grad(): want, got = (model(**x, labels=l).loss for l in (torch.tensor([[70, 71, 2]]), row))
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


def test_an_end_token_that_is_also_the_padding_stays_a_target():
    cfg = config("bart", pad_token_id=2)
    _, targets = align_labels(torch.tensor([[1, 70, 2, 2, 2]]), cfg)
    assert targets.tolist() == [[70, 2, -100, -100, -100]]


@pytest.mark.parametrize("head", HEADS)
def test_decoder_inputs_of_a_decoder_only_generator(head):
    model = HEADS[head](question_encoder=toy_encoder().model, generator=toy_generator("llama"), n_docs=3).eval()
    x = contexts(3, left=True)
    with pytest.raises(ValueError, match="start token 1.*labels"): model(**x, decoder_input_ids=torch.tensor([[70, 71]]))
    assert model(**x, decoder_input_ids=torch.tensor([[1, 70, 71]])).logits.shape[1] == 3
    right = contexts(3, left=False)
    with pytest.raises(ValueError, match="padded on the left"): model(**right, labels=torch.tensor([[70, 2]]))
    with pytest.raises(ValueError, match="no encoder"):
        model(**x, decoder_input_ids=torch.tensor([[1, 70]]), encoder_outputs=(torch.zeros(3, 2, 32),))
    with pytest.raises(ValueError, match="past_key_values"):
        model(**x, decoder_input_ids=torch.tensor([[1, 70]]), past_key_values=transformers.DynamicCache())


@pytest.mark.parametrize("kind", ["bart", "llama"])
def test_contexts_without_a_mask(kind):
    model = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=toy_generator(kind), n_docs=3).eval()
    x = dict(context_input_ids=torch.randint(4, 260, (3, 6)), doc_scores=torch.randn(1, 3))
    with torch.no_grad():
        a, b = (model(**x, **m, labels=torch.tensor([[70, 2]])).loss
            for m in (dict(), dict(context_attention_mask=torch.ones(3, 6).long())))
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize("kind", ["bart", "llama"])
@pytest.mark.parametrize("bad", [260, 5000, -1])
def test_labels_of_another_vocabulary(kind, bad):
    model = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=toy_generator(kind), n_docs=3).eval()
    with pytest.raises(ValueError, match=f"token id {bad}.*260"): model(**contexts(3, left=True), labels=torch.tensor([[70, bad, 2]]))


# ---- templates

def context(template, question, text, room, title="T", tok=None):
    from rag_nb.hf.tokenizer import assemble_contexts
    tok = tok or toy_tokenizer("llama")
    cfg = config("llama", context_template=template, max_combined_length=room)
    return tok.decode(assemble_contexts(tok, cfg, [question], [[dict(title=title, text=text)]]).context_input_ids[0],
        skip_special_tokens=True)


@pytest.mark.parametrize("template", ["{{x}} {title}: {text} {question}", "{{title}} {{{title}}} {text}}} {question}",
    'A {{"json": 1}} {text}{question}'])
def test_braces_written_twice_come_out_once(template):
    want = template.format(title="T", text="some {text} {{here}}", question="why {so}?")
    assert context(template, "why {so}?", "some {text} {{here}}", 200) == want
    assert context(template, "why {so}?", "some {text} {{here}}" + " more"*100,
        90).endswith(template.rpartition("{text}")[2].format(question="why {so}?", title="T"))


def test_braces_in_the_published_separators_are_text():
    from rag_nb.hf.tokenizer import assemble_contexts
    tok, cfg = toy_tokenizer("bart"), config("bart", title_sep=" {} ", doc_sep=" {{x}} ", prefix="{title}: ")
    row = assemble_contexts(tok, cfg, ["why?"], [[dict(title="T", text="some text")]]).context_input_ids[0]
    assert tok.decode(row, skip_special_tokens=True) == "{title}: T {} some text {{x}} why?"


@pytest.mark.parametrize("template, fixed", [("Q: {question}\n{title}: {text}", "Q: why is it so?\n"),
    ("Q: {question}\n{text}\nEnd.", "Q: why is it so?\n"), ("{title} Q: {question}\n{text}", "T Q: why is it so?\n"),
                                            ("Q: {question}<s>{text}", "Q: why is it so?"), ("{text} Q: {question} Note: be brief.", "")])
def test_a_question_before_the_document_is_never_cut(template, fixed):
    out = context(template, "why is it so?", "word "*200, 60)
    tail = template.rpartition("{text}")[2].format(question="why is it so?")
    assert out.startswith(fixed) and out.endswith(tail) and "word" in out
    with pytest.raises(ValueError, match="only 9 fit"): context(template, "why is it so?", "word "*200, 10)


def test_chat_templates_with_braces():
    from rag_nb.hf.tokenizer import chat_template_of
    tok = toy_tokenizer("llama")
    tok.chat_template = "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] | trim }}</s>{% endfor %}Answer as {\"answer\": ...}, {question} }<s>assistant:"
    template = chat_template_of(tok)
    assert config("llama", context_template=template).context_template == template
    assert context(template, "why?", "some text", 300, tok=tok) == 'user: Text: T\nsome text\n\nQuestion: why?\nAnswer briefly, from the text alone. If the answer is not in the text, say that it is not there.Answer as {"answer": ...}, {question} }assistant:'
    own = chat_template_of(tok, "{{json}} {text} {question}")
    assert context(own, "why?", "some text", 300, tok=tok).startswith("user: {json} some text why?")


def test_a_rag_knows_how_its_generator_answers():
    from rag_nb import Rag, toy_documents
    rag = Rag.from_documents(toy_documents(), (toy_generator("llama"), toy_tokenizer("llama")), toy_encoder(), progress=False)
    assert rag.model.config.answer_prefix == " "
    assert rag.tokenizer(text_target="Ada")["input_ids"] == rag.tokenizer.targets(["Ada"],
        rag.model.config)[0].tolist() == [*toy_tokenizer()(" Ada").input_ids, 2]
