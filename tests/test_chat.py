"""A chat model and documents: how it is loaded, and what it writes."""
import copy, pickle
import pytest, torch
from rag_nb.core.answer import Rag
from rag_nb.core.retriever import RagRetriever
from rag_nb.show import candidates  # noqa: F401 (gives Rag its alternatives)
from rag_nb.show.html import answer_html
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_tokenizer

DOCS, QUESTION = toy_documents(), "Who wrote the first computer program?"


def rag(generator, **kw):
    return Rag.from_documents(DOCS, generator=generator, encoder=toy_encoder(), progress=False, n_docs=3, **kw)


def pair(kind="llama"): return toy_generator(kind), toy_tokenizer(kind=kind)


@pytest.fixture
def folder(tmp_path):
    for part in pair(): part.save_pretrained(tmp_path/"generator")
    return str(tmp_path/"generator")


def ways(folder, tmp_path):
    "The three ways from a name to a Rag, each as a function of the loading keywords."
    retriever = RagRetriever.from_documents(DOCS, toy_encoder(), progress=False)
    return [lambda **kw: rag(folder, **kw), lambda **kw: Rag.from_parts(retriever, toy_encoder(), folder, **kw),
            lambda **kw: Rag.from_pretrained(folder, index=retriever, encoder=toy_encoder(), **kw)]


@pytest.mark.parametrize("said, dtype", [
    (dict(dtype=torch.float16), torch.float16), (dict(dtype="bfloat16"), torch.bfloat16),
    (dict(torch_dtype="torch.float16"), torch.float16),
    (dict(dtype=None), torch.float32), (dict(dtype="auto"), torch.float32)])
def test_the_dtype_is_the_generators(folder, tmp_path, said, dtype):
    for way in ways(folder, tmp_path):
        r = way(**said)
        assert {p.dtype for p in r.model.generator.parameters()} == {dtype} and r.model.question_encoder.dtype == torch.float32
    assert rag(pair(), **said).model.generator.dtype == dtype
    assert r.ask(QUESTION, max_new_tokens=3).token_logprobs.isfinite().all()


def test_auto_takes_the_dtype_of_the_file(tmp_path):
    model, tokenizer = pair()
    model.half().save_pretrained(tmp_path); tokenizer.save_pretrained(tmp_path)
    assert rag(str(tmp_path), dtype="auto").model.generator.dtype == torch.float16
    assert rag(str(tmp_path), dtype="float32").model.generator.dtype == torch.float32


def test_device_map_attention_and_quantisation_reach_transformers(folder, tmp_path, monkeypatch):
    from rag_nb.core import answer
    seen, real = [], answer.generator_class
    class Spy:
        def __init__(self, auto): self.auto = auto
        def from_pretrained(self, name, **kw):
            seen.append(kw)
            return self.auto.from_pretrained(name, **{k: v for k, v in kw.items() if k not in ("quantization_config", "device_map")})
    monkeypatch.setattr(answer, "generator_class", lambda config: Spy(real(config)))
    for way in ways(folder, tmp_path):
        r = way(device_map="cpu", quantization_config="q", attn_implementation="eager", revision="main", token="t")
        assert r.model.generator.config._attn_implementation == "eager"
        assert seen.pop() == dict(device_map="cpu", quantization_config="q", attn_implementation="eager", revision="main", token="t",
            trust_remote_code=False)


@pytest.mark.parametrize("late", ["device_map", "quantization_config", "revision", "token", "gguf_file", "attn_implementation",
    "trust_remote_code"])
def test_a_generator_in_memory_is_loaded_already(late):
    with pytest.raises(TypeError, match=rf"^{late}: this generator, a LlamaForCausalLM, is loaded already"): rag(pair(), **{late: "x"})
    model, tokenizer = pair()
    with pytest.raises(TypeError, match=late): rag(model, generator_tokenizer=tokenizer, **{late: "x"})


@pytest.mark.parametrize("wrong", ["float17", "int8", torch.int64, 16])
def test_a_dtype_that_is_none(folder, wrong):
    for generator in (folder, pair()):
        with pytest.raises(ValueError, match="dtype is 'auto', 'float32'"): rag(generator, dtype=wrong)
    with pytest.raises(ValueError, match="two values"): rag(folder, dtype="float16", torch_dtype="float32")
    with pytest.raises(TypeError, match="did you mean 'device_map'"): rag(folder, devicemap="auto")


def test_an_adapter_is_put_on_top(folder, tmp_path):
    peft = pytest.importorskip("peft")
    made = peft.get_peft_model(toy_generator("llama"), peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    made.save_pretrained(tmp_path/"adapter")
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad(): truth = made.eval()(ids).logits
    for generator in (folder, pair()):
        net = rag(generator, adapter=tmp_path/"adapter").model.generator
        with torch.no_grad(): torch.testing.assert_close(net(ids).logits, truth)
    rag(folder).save_pretrained(tmp_path/"rag")
    opened = Rag.from_pretrained(tmp_path/"rag", adapter=tmp_path/"adapter", torch_dtype="float32")
    with torch.no_grad(): torch.testing.assert_close(opened.model.generator(ids).logits, truth)


def test_a_rag_checkpoint_in_another_dtype(folder, tmp_path):
    rag(folder).save_pretrained(tmp_path/"rag")
    assert Rag.from_pretrained(tmp_path/"rag", dtype="bfloat16").model.generator.dtype == torch.bfloat16
    with pytest.raises(ValueError, match="RAG checkpoint"): Rag.from_pretrained(tmp_path/"rag", gguf_file="x.gguf")


@pytest.fixture
def with_code(folder, tmp_path, monkeypatch):
    "A folder whose configuration, model and tokenizer name code of their own, which would write a file; and no way to ask."
    import builtins, json
    from pathlib import Path
    mark, place = tmp_path/"ran", Path(folder)
    (place/"own.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    for name, map in (("config.json", dict(AutoConfig="own.C", AutoModel="own.M", AutoModelForCausalLM="own.M")),
                      ("tokenizer_config.json", dict(AutoTokenizer=["own.T", "own.T"]))):
        said = json.loads((place/name).read_text())
        said.update(auto_map=map, **(dict(model_type="my_own") if name == "config.json" else dict(tokenizer_class="T")))
        (place/name).write_text(json.dumps(said))
    asked = []
    monkeypatch.setattr(builtins, "input", lambda *question: asked.append(question) or "n")  # an error here would be caught by Transformers
    yield folder
    assert not mark.exists() and not asked


def test_no_code_of_a_checkpoint_runs_and_nobody_is_asked(with_code, tmp_path):
    from rag_nb.core.encoder import TextEncoder
    from rag_nb.core.model import RagTokenForGeneration
    from rag_nb.core.retriever import AutoTokenizer
    from rag_nb.hf.tokenizer import RagTokenizer
    toy_encoder().save_pretrained(tmp_path/"encoder")
    two = RagTokenForGeneration.from_pretrained_question_encoder_generator
    calls = [*ways(with_code, tmp_path), lambda: TextEncoder.from_pretrained(with_code),
        lambda: rag(pair(), ).with_retriever(RagRetriever.from_pretrained(with_code)),
             lambda: two(str(tmp_path/"encoder"), with_code), lambda: two(with_code, with_code),
             lambda: AutoTokenizer.from_pretrained(with_code)]
    for call in calls:
        with pytest.raises((ValueError, OSError)): call()
    rag(pair()).save_pretrained(tmp_path/"rag")
    (tmp_path/"rag"/"generator_tokenizer"/"own.py").write_text("")
    for name in ("own.py", "tokenizer_config.json"):
        (tmp_path/"rag"/"generator_tokenizer"/name).write_bytes(open(f"{with_code}/{name}", "rb").read())
    for call in (lambda: RagTokenizer.from_pretrained(tmp_path/"rag"), lambda: Rag.from_pretrained(tmp_path/"rag")):
        try: call()
        except (ValueError, OSError): pass


def test_every_call_of_an_auto_class_says_whose_code_runs():
    import ast
    from pathlib import Path
    import rag_nb
    classes, silent = {"AutoConfig", "AutoTokenizer", "AutoModel", "AutoModelForCausalLM", "AutoModelForSeq2SeqLM"}, []
    for path in Path(rag_nb.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if not (isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "from_pretrained"): continue
            owner = call.func.value
            if getattr(owner, "id", getattr(owner, "attr", None)) not in classes: continue
            if not any(k.arg in ("trust_remote_code", None) for k in call.keywords): silent.append(f"{path.name}:{call.lineno}")
    assert not silent


WRITES = [  # what a template opens, what the model writes, the text, the thoughts
    (False, "plain", "plain", ""), (False, "<think>a</think>b", "b", "a"), (True, "a</think>b", "b", "a"),
    (True, "<think>a</think>b", "b", "<think>a"),
    (False, "<think>\nétude\n</think>\n\nça va", "ça va", "étude"), (False, "x<think>y</think>z<think>w</think>", "xz", "yw"),
    (False, "1 < 2 <th", "1 < 2 <th", ""),
    (False, "<think>a", "", "a"), (True, "a</thi", "", "a</thi"), (False, "<think></think>", "", ""),
    (False, "<<think>a<</think>>", "<>", "a<")]


@pytest.fixture
def says(monkeypatch):
    "A Rag whose generator writes a given text."
    from rag_nb.core import answer
    def make(text, opened=False, end=True, special=False):
        model, tok = pair()
        if special: tok.add_special_tokens(dict(additional_special_tokens=["<think>", "</think>"])); model.resize_token_embeddings(len(tok))
        r = rag((model, tok), context_template="{title} {text} <think>{question}" + "<think>\n"*opened)
        ids = tok(text, add_special_tokens=False).input_ids + [tok.eos_token_id]*end
        class Write:
            def __call__(self, input_ids, scores):
                at = input_ids.shape[1] - 1
                return torch.full_like(scores, -torch.inf).index_fill_(1, torch.tensor([ids[min(at, len(ids) - 1)]]), 0.)
        monkeypatch.setattr(answer, "decode_contexts", lambda *args, **kw: decode(*args, user_processors=[Write()], **kw))
        r.limit = len(ids)
        return r
    decode = answer.decode_contexts
    return make


@pytest.mark.filterwarnings("ignore:the answer to")
@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("opened, written, text, thoughts", WRITES)
def test_thoughts_are_no_part_of_the_answer(says, opened, written, text, thoughts, special):
    if special and "<<" in written: return                           # ids of their own: there are no other angle brackets beside them
    r = says(written, opened, special=special)
    a = r.ask(QUESTION, max_new_tokens=r.limit)
    assert (a.text, a.thoughts) == (text, thoughts)
    assert "".join(a.tokens).strip() == text and len(a.tokens) == len(a.token_ids) == len(a.doc_posterior) == len(a.running_posterior) == len(a.token_logprobs)  # noqa: E501
    assert a.written[a.positions].tolist() == a.token_ids.tolist() and "".join(c.text for c in a.citations).replace(" ",
        "") == text.replace(" ", "")
    s = r.ask(QUESTION, max_new_tokens=r.limit, stream=True)
    assert "".join(s).strip() == text and (s.answer.text, s.answer.thoughts) == (text, thoughts)
    assert not a.cut and len(a.written) == r.limit
    assert copy.deepcopy(a).thoughts == a.thoughts == pickle.loads(pickle.dumps(a)).thoughts


def test_choices_of_an_answer_behind_a_thought(says):
    r = says("<think>a b</think>b a")
    a = r.ask(QUESTION, max_new_tokens=r.limit)
    found = r.alternatives(a)
    assert [row[0] for row in found.tokens] == a.tokens and len(found.probs) == len(a.tokens)


@pytest.mark.parametrize("end", [False, True])
def test_an_answer_says_whether_the_limit_cut_it(says, end):
    r = says("a b c", end=end)
    a = r.ask(QUESTION, max_new_tokens=r.limit)
    assert a.cut is not end and a.text == "a b c" and ("…" in repr(a)) is not end and ("cut at the limit" in answer_html(a)) is not end


@pytest.mark.parametrize("opened, written", [(True, "hm"), (False, "<think>hm")])
def test_an_unfinished_thought_says_so(says, opened, written):
    r = says(written, opened, end=False)
    with pytest.warns(UserWarning, match="in the middle of a thought.*raise max_new_tokens="): a = r.ask(QUESTION, max_new_tokens=r.limit)
    assert a.text == "" and not a.tokens and a.thoughts == "hm" and a.cut and a.thinking and "…" in repr(a) and "thought" in answer_html(a)


def test_the_reference_is_compared_with_the_text_alone(says):
    from rag_nb.core.evaluate import evaluate
    r = says("<think>who?</think>Ada")
    found = evaluate(r, [dict(question=QUESTION, answers=["Ada"])], max_new_tokens=r.limit, progress=False, compare=False)
    assert [x["em"] for x in found.predictions] == [1]


def test_what_a_document_says_of_thinking_opens_nothing():
    from rag_nb.core.answer import _opens_thought
    opens = lambda t: _opens_thought(rag(pair(), context_template=t).model.config)
    assert opens("{text}{question}<think>\n") and not opens("{text}{question}<think>\n\n</think>\n\n") and not opens("<think>{text}{question}")  # noqa: E501


def chatting(template):
    model, tok = pair()
    tok.chat_template = template
    return model, tok


THINKS = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"  # noqa: E501
REFUSES = "{{ raise_exception('only parts as a list') }}"


def test_the_template_is_asked_not_to_think_and_says_what_the_system_says():
    from rag_nb.hf.tokenizer import chat_template_of
    _, tok = chatting(THINKS)
    messages = [dict(role="system", content="S"), dict(role="user", content="{text}{question}")]
    for thinks in (False, True):
        truth = tok.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=thinks)
        assert chat_template_of(tok, "{text}{question}", system="S", enable_thinking=thinks) == truth
    assert rag(chatting(THINKS)).model.config.context_template.endswith("<think></think>")


def test_a_template_that_raises_is_named_and_not_asked_where_there_is_another():
    from rag_nb.hf.tokenizer import chat_template_of
    with pytest.raises(ValueError, match="only parts as a list.*pass context_template="): rag(chatting(REFUSES))
    with pytest.raises(ValueError, match="system and user .*put what system= says into instruction="):
        chat_template_of(chatting(REFUSES)[1], system="S")
    assert rag(chatting(REFUSES), context_template="{text} {question}").model.config.answer_prefix == ""
