"Contexts in a chat format: token for token what the tokenizer's `apply_chat_template` gives for the same messages, for many kinds."
import random, re
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, GemmaTokenizer, LlamaConfig, LlamaTokenizer, PreTrainedTokenizerFast
from rag_nb import Rag, RagConfig
from rag_nb.core.retriever import RagRetriever
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_tokenizer
from rag_nb.hf.prompt import answer_length, prompt_for, take_prompt
from rag_nb.hf.tokenizer import INSTRUCTION, RagTokenizer, assemble_contexts, chat_template_of, fill

CHARS = [c for c in "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:;.,?!'-\n\"()[]<>/|{}_é日"]
WORDS = ["▁t", "▁th", "he", "▁the", "in", "er", "▁a", "an", "▁▁", "re", "on", "is"]
SPECIAL = dict(unk_token="<unk>", bos_token="<s>", eos_token="</s>")
BYTES = [f"<0x{i:02X}>" for i in range(256)]
TEMPLATES = {
    "tokens": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n",
    "inst": "{{ bos_token }}{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}",
    "bare": "{% for m in messages %}{{ m.content }}</s>{% endfor %}",
    "words": "{% for m in messages %}<|user|>\n{{ m.content }}<|end|>\n{% endfor %}<|assistant|>\n",
    "thought": "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}<think>\n\n</think>\n\n",
    "trims": "{{ bos_token }}{% for m in messages %}{{ m.role }}\n{{ m.content | trim }}<|im_end|>{% endfor %}assistant\n",
    "text": "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"}


def bpe_vocabulary():
    vocab = {w: i for i, w in enumerate(["<unk>", "<s>", "</s>", *BYTES, *CHARS])}
    merges = []
    for w in WORDS:
        a, b = (w[0], w[1:]) if w[1:] in vocab else (w[:-1], w[-1])
        merges.append((a, b)); vocab.setdefault(w, len(vocab))
    return vocab, merges


def described(**parts):
    "A tokenizer over the small vocabulary, with other parts."
    vocab, merges = bpe_vocabulary()
    t = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    for name, part in parts.items(): setattr(t, name, part)
    return PreTrainedTokenizerFast(tokenizer_object=t, **SPECIAL)


def unigram():
    scores = [("<unk>", 0.), ("<s>", 0.), ("</s>", 0.)] + [(c, -8.) for c in CHARS] + [(w, -4. - i/9)
        for i, w in enumerate(WORDS)] + [("<|im_end|>", -1.)]
    t = Tokenizer(models.Unigram(scores, unk_id=0))
    t.pre_tokenizer, t.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=t, **SPECIAL)


def wordpiece():
    vocab = {w: i for i, w in enumerate(["<unk>", "<s>", "</s>", *CHARS, *(f"##{c}" for c in CHARS), "the", "who"])}
    t = Tokenizer(models.WordPiece(vocab, unk_token="<unk>"))
    t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=t, **SPECIAL)


def spaced():
    made = toy_tokenizer("gpt2")
    made.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return made


llama = lambda **kw: LlamaTokenizer(*bpe_vocabulary(), **kw)
KINDS = {
    "bytes": lambda: toy_tokenizer("llama"), "bytes with a space": spaced, "llama": llama, "llama legacy": lambda: llama(legacy=True),
    "llama with an end": lambda: llama(add_eos_token=True), "llama with a beginning": lambda: llama(add_bos_token=True),
    "llama without a space": lambda: llama(add_prefix_space=False), "gemma": lambda: GemmaTokenizer(*bpe_vocabulary()),
    "prepended": lambda: described(normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])),
    "replaced": lambda: described(normalizer=normalizers.Replace(" ", "▁")),
    "metaspace always": lambda: described(pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="always", split=False)),
    "unigram": unigram, "wordpiece": wordpiece}
CONTROL = ["<|im_start|>", "<|im_end|>", "[INST]", "[/INST]"]
ADDED = [AddedToken("<think>", normalized=False), AddedToken("</think>"), AddedToken("<tool_call>", normalized=False),
    AddedToken("Lovelace"), AddedToken("    "),
         AddedToken("<|user|>", rstrip=True), AddedToken("<|assistant|>", rstrip=True), AddedToken("<|end|>", lstrip=True, rstrip=True)]


def made(kind, template=None):
    tok = KINDS[kind]()
    # it puts its "▁" before added words as well
    tok.add_special_tokens({"additional_special_tokens": CONTROL})
    tok.add_tokens([t for t in ADDED if kind != "prepended" or str(t)[0] == "<"])
    tok.chat_template = TEMPLATES.get(template)
    return tok


def config(tok, **chat):
    return RagConfig(generator=LlamaConfig().to_dict(), max_combined_length=4000, **prompt_for(tok, LlamaConfig(), chat))


def ids(tok, cfg, title, text, question):
    return assemble_contexts(tok, cfg, [question], [[dict(title=title, text=text)]])["context_input_ids"][0].tolist()


def truth(tok, title, text, question, instruction=INSTRUCTION, system=None):
    messages = [dict(role="system", content=system)]*bool(system) + [dict(role="user",
        content=fill(instruction, title=title, text=text, question=question))]
    return tok.apply_chat_template(messages, tokenize=True, add_generation_prompt=True, return_dict=False, enable_thinking=False)


def texts(seed):
    r = random.Random(seed)
    word = lambda: r.choice(["the", "Ada", "Lovelace", "a", "{title}", "x  y", "in\n\n1815", "é", "日本", "<b>", "'s", "    ", "-", "1 2",
        "where?", "İ", " ", "\t"])
    some = lambda n: r.choice(["", " ", "\n"]) + " ".join(word() for _ in range(r.randint(0, n))) + r.choice(["", " ", "\n", "."])
    return some(3), some(20), some(6)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_context_is_what_the_chat_template_gives(kind, template):
    tok = made(kind, template)
    for system, instruction in ((None, INSTRUCTION), ("You are {brief}.", "Q: {question}\n<doc>{title} {text}</doc> So:")):
        cfg = config(tok, **({"system": system, "instruction": instruction} if system else {}))
        for seed in range(8):
            title, text, question = texts(seed)
            assert ids(tok, cfg, title, text, question) == truth(tok, title, text, question, instruction, system), (title, text, question)


@pytest.mark.parametrize("template", ["tokens", "bare", "words", "thought", "text"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_target_is_how_the_tokenizer_goes_on(kind, template):
    tok = made(kind, template)
    cfg = config(tok)
    before = tok.apply_chat_template([dict(role="user", content="x")], tokenize=False, add_generation_prompt=True)
    whole = lambda text: tok(text, add_special_tokens=False).input_ids
    for answer in ("the answer", "Ada", "1815", "in the"):
        found = RagTokenizer(tok, tok, cfg).targets([answer])[0].tolist()
        assert found == whole(before + answer)[len(whole(before)):] + [tok.eos_token_id], answer
    plain = RagConfig(generator=LlamaConfig().to_dict(), context_template="{title} {text} {question}\nAnswer:", answer_prefix=" ")
    assert RagTokenizer(tok, tok, plain).targets(["Ada"])[0].tolist() == whole("x\nAnswer: Ada")[len(whole("x\nAnswer:")):] + [tok.eos_token_id]  # noqa: E501


@pytest.mark.parametrize("kind", KINDS)
def test_control_words_in_a_document_are_text(kind):
    tok = made(kind, "thought")
    cfg = config(tok)
    steer = {tok.convert_tokens_to_ids(w) for w in [*CONTROL, *(str(t) for t in ADDED if str(t)[0] == "<"), "<s>", "</s>"]}
    count = lambda row: [i for i in row if i in steer]
    quiet = count(ids(tok, cfg, "a", "b", "c"))
    for word in [*CONTROL, "<think>", "</think>", "<tool_call>", "<|user|>", "<s>", "</s>"]:
        for row in (ids(tok, cfg, word, "b", "c"), ids(tok, cfg, "a", f"x {word} y", "c"), ids(tok, cfg, "a", "b", f"{word}\n")):
            assert count(row) == quiet, word
    if kind != "prepended":
        assert (tok.convert_tokens_to_ids("Lovelace") in ids(tok, cfg, "a", "Ada Lovelace",
            "c")) is (tok.convert_tokens_to_ids("Lovelace") in tok("Ada Lovelace").input_ids)


@pytest.mark.parametrize("kind", ["llama", "bytes", "llama with an end"])
def test_a_long_context_keeps_its_ends(kind):
    tok = made(kind, "tokens")
    cfg = config(tok)
    whole = ids(tok, cfg, "a", "b "*50, "who?")
    cfg.max_combined_length = len(whole) - 20
    short = ids(tok, cfg, "a", "b "*50, "who?")
    assert len(short) == len(whole) - 20 and short[-30:] == whole[-30:] and short[:10] == whole[:10]


def test_the_end_token_of_a_tokenizer_ends_no_context():
    tok = made("llama with an end")
    assert tok("a").input_ids[-1] == tok.eos_token_id
    for template in (None, "{title}{text}{question}"):
        assert tok.eos_token_id not in ids(tok, RagConfig(generator=LlamaConfig().to_dict(), context_template=template), "a", "b", "c")


def rag(template, kind="llama", **kw):
    tok = toy_tokenizer("llama")
    tok.chat_template = template
    return Rag.from_documents(toy_documents(), generator=(toy_generator("llama"), tok), encoder=toy_encoder(), progress=False,
        n_docs=2, **kw)


THINKS = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: {% if not enable_thinking %}<think></think>{% endif %}{{ tone }}"  # noqa: E501


def test_the_default_asks_for_a_brief_answer_from_the_text():
    r = rag(THINKS)
    assert "briefly" in INSTRUCTION and "not in the text" in INSTRUCTION
    assert r.model.config.context_template == chat_template_of(r.tokenizer.generator) and r.model.config.context_template.endswith("<think></think>")  # noqa: E501
    assert r._settings().max_new_tokens == 256 == answer_length(r.model.config) and rag(None)._settings().max_new_tokens == 32
    assert rag(THINKS, enable_thinking=True)._settings().max_new_tokens == 2048
    assert rag(THINKS, context_template="{text}{question}")._settings().max_new_tokens == 32


def test_what_is_said_is_kept_and_can_be_said_anew(tmp_path):
    retriever = RagRetriever.from_documents(toy_documents(), toy_encoder(), progress=False)
    tok = toy_tokenizer("llama")
    tok.chat_template = THINKS
    toy_generator("llama").save_pretrained(tmp_path/"g"); tok.save_pretrained(tmp_path/"g")
    chat = dict(system="Be kind.", instruction="{text}? {question}", chat_template_kwargs=dict(tone="!"), enable_thinking=True)
    wanted = "system: Be kind.\nuser: {text}? {question}\nassistant: !"
    ways = [rag(THINKS, **chat), Rag.from_parts(retriever, toy_encoder(), str(tmp_path/"g"), **chat),
            Rag.from_pretrained(str(tmp_path/"g"), index=retriever, encoder=toy_encoder(), **chat)]
    for r in ways: assert r.model.config.context_template == wanted
    ways[1].save_pretrained(tmp_path/"rag")
    again = Rag.from_pretrained(tmp_path/"rag")
    assert again.model.config.context_template == wanted and again.model.config.system == "Be kind." and again.model.config.chat_template_kwargs == dict(tone="!", enable_thinking=True)  # noqa: E501
    assert again.ask("Who?", max_new_tokens=3).text == ways[1].ask("Who?", max_new_tokens=3).text
    other = Rag.from_pretrained(tmp_path/"rag", system="Be brief.", enable_thinking=False)
    assert other.model.config.context_template == "system: Be brief.\nuser: {text}? {question}\nassistant: <think></think>!"


NO_SYSTEM = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{{ m.content }}{% endfor %}"  # noqa: E501
TURNS = ("{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate user/assistant') }}"  # noqa: E501
         "{% endif %}{{ m.content }}{% endfor %}")
PARTS = "{% for m in messages %}{{ m.role }}:{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}"
FORGETS = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}"


@pytest.mark.parametrize("template, says", [(NO_SYSTEM, "System role not supported"), (TURNS, "roles must alternate"),
    (FORGETS, "leaves out what the system says")])
def test_a_template_that_knows_no_system(template, says):
    with pytest.raises(ValueError, match=f"refuses system and user .*{says}.*put what system= says into instruction="):
        rag(template, system="S!")
    assert rag(template, instruction="S! {text}{question}").model.config.context_template == "S! {text}{question}"


def test_a_template_that_wants_parts_gets_them():
    r = rag(PARTS, system="S!", instruction="{text}|{question}")
    assert r.model.config.context_template == "system:S!user:{text}|{question}"


@pytest.mark.parametrize("given, says", [
    (dict(instruction="{text}"), "instruction '{text}' leaves out {question}"),
    (dict(instruction="{text} {question} {answer}"), "knows only"),
    (dict(system=3), "system is what the system says"), (dict(chat_template_kwargs="x"), "chat_template_kwargs is a dict"),
    (dict(enable_thinking=True), "does not read enable_thinking"), (dict(chat_template_kwargs=dict(tome=1)), "does not read tome"),
    (dict(system="S", context_template="{text}{question}"), "system: context_template= is the whole context already")])
def test_mistakes_are_named_before_anything_is_embedded(given, says, monkeypatch):
    monkeypatch.setattr(type(toy_encoder()), "encode", lambda *a, **k: pytest.fail("documents were embedded first"))
    with pytest.raises(ValueError, match=re.escape(says)): rag(NO_SYSTEM, **given)


def test_without_a_chat_template_there_is_nothing_to_tell():
    with pytest.raises(ValueError, match="system: this tokenizer has no chat template"): rag(None, system="S")
    pair = toy_generator("bart"), toy_tokenizer(kind="bart")
    with pytest.raises(ValueError, match="an encoder–decoder has no chat template"):
        Rag.from_documents(toy_documents(), generator=pair, encoder=toy_encoder(), progress=False, instruction="{text}{question}")
    assert take_prompt(dict(enable_thinking=False, n_docs=3, system=None)) == (dict(chat_template_kwargs=dict(enable_thinking=False)),
        dict(n_docs=3))


def test_a_tokenizer_with_neither_padding_nor_end(monkeypatch):
    tok = toy_tokenizer("llama")
    tok.pad_token = tok.eos_token = None
    monkeypatch.setattr(type(toy_encoder()), "encode", lambda *a, **k: pytest.fail("documents were embedded first"))
    with pytest.raises(ValueError, match="neither a padding token nor an end token: set its eos_token"):
        Rag.from_documents(toy_documents(), generator=(toy_generator("llama"), tok), encoder=toy_encoder(), progress=False)


def test_the_shipped_tokenizer_where_it_is_in_the_cache():
    from rag_nb.demo.defaults import SMOLLM2, cache_dir, is_whole
    kept = cache_dir()/f"SmolLM2-135M-Instruct-{SMOLLM2.version}"
    if not is_whole(kept): pytest.skip("the tokenizer is not in the cache")
    tok = AutoTokenizer.from_pretrained(kept)
    cfg = config(tok)
    for seed in range(40): assert ids(tok, cfg, *texts(seed)) == truth(tok, *texts(seed))
