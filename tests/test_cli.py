"The command `rag-nb`, with toy models: what it prints where, how it ends, and what it says when something is wrong."
import json, os, signal, socket, subprocess, sys, time
from pathlib import Path
import pytest
from rag_nb import cli

PYTHON = [sys.executable, "-c", "import sys; from rag_nb.cli import main; sys.exit(main())"]


def shell(*words, **kw):
    "Run `rag-nb` with these words in a process of its own."
    return subprocess.run([*PYTHON, *words], capture_output=True, text=True, timeout=300, **kw)


def docs_file(folder):
    "Two documents in a JSONL file."
    path = folder/"docs.jsonl"
    path.write_text("\n".join(json.dumps(d) for d in [
        dict(id="p", title="Penguins", text="Emperor penguins breed on the ice of Antarctica."),
        dict(id="b", title="Bread", text="Bread is made from flour, water and salt.")]), encoding="utf8")
    return path


@pytest.fixture
def toy(monkeypatch):
    "Toy models in the place of the built-in ones."
    from rag_nb.demo import defaults as demo; from rag_nb.core import toy as t
    generator = lambda *a, **k: (t.toy_generator("llama"), t.toy_tokenizer(kind="llama"))
    encoder = lambda *a, **k: t.toy_encoder()
    encoder.known = {t.toy_encoder().name: encoder}
    monkeypatch.setattr(demo.RagRetriever, "default_encoder", staticmethod(encoder))
    monkeypatch.setattr(demo.Rag, "default_generator", staticmethod(generator))
    rag = lambda **k: demo.Rag.from_documents(t.toy_documents(), progress=False)
    monkeypatch.setattr(demo.Rag, "demo", rag)
    return t


# The frame: no models at all

def test_help_is_fast_and_imports_nothing():
    code = "import sys, rag_nb.cli; heavy = {'torch', 'transformers', 'faiss', 'datasets', 'numpy', 'IPython'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    out = shell("--help")
    assert out.returncode == 0 and all(f"rag-nb {c}" in out.stdout for c in ("demo", "index", "ask", "eval", "train")) and not out.stderr


@pytest.mark.parametrize("command", ["demo", "index", "ask", "eval", "train"])
def test_help_of_each(command, capsys):
    with pytest.raises(SystemExit) as e: cli.main([command, "--help"])
    assert e.value.code == 0 and "--json" in capsys.readouterr().out


def test_version(capsys):
    import rag_nb
    assert cli.main(["--version"]) == 0 and capsys.readouterr().out == f"rag-nb {rag_nb.__version__}\n"


@pytest.mark.parametrize("words, says", [
    (["nonsense"], "no command 'nonsense'"),
    (["index"], "needs documents and --out"),
    (["index", "/no/such/file.jsonl", "--out", "/tmp/never"], "/no/such/file.jsonl"),
    (["index", "--check", "/no/such/folder"], "/no/such/folder"),
    (["ask", "why?", "--index", "/no/such/folder"], "/no/such/folder"),
    (["eval", "/no/such/file.jsonl", "--index", "/no/such/folder"], "/no/such/file.jsonl"),
    (["eval", "x.jsonl", "--index", "x", "--limit", "0"], "--limit 0"),
    (["train", "x.jsonl", "--index", "x", "--out", "/no/such/folder/model"], "/no/such/folder"),
    (["train", "x.jsonl", "--index", "x", "--out", "never", "--parts", "reader"], "choose among"),
    (["train", "x.jsonl", "--index", "x", "--out", "never", "--resume"], "no checkpoint"),
    (["train", "/no/such/file.jsonl", "--index", "x", "--out", "never"], "/no/such/file.jsonl")])
def test_errors_are_one_line(words, says, capsys):
    assert cli.main(words) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and err.startswith("rag-nb: ") and says in err


def underscored(monkeypatch):
    "fastcore before 2.2.16, which spells options as Python spells them."
    new = cli.anno_parser
    def old(*args, **kw):
        parser = new(*args, **kw)
        for action in parser._actions: action.option_strings = ["--" + o[2:].replace("-", "_") if o[:2] == "--" else o for o in action.option_strings]
        parser._option_string_actions = {o: action for action in parser._actions for o in action.option_strings}
        return parser
    monkeypatch.setattr(cli, "anno_parser", old)

@pytest.mark.parametrize("name", cli.COMMANDS)
def test_options_have_dashes_with_every_fastcore(name, monkeypatch):
    "A plain command line: the same words, help and values, whichever fastcore is installed."
    read = lambda: (cli._parser(name).format_help(), sorted(o for o in cli._parser(name)._option_string_actions))
    now = read()
    assert not [o for o in now[1] if "_" in o] and "--device" in now[1] and "_" not in now[0].split("positional arguments")[0]
    underscored(monkeypatch)
    assert any("_" in o for o in cli.anno_parser(cli.COMMANDS[name][0].__wrapped__)._option_string_actions) == any("-" in o[2:] for o in now[1])
    assert read() == now

def test_the_module_is_the_command():
    "`python -m rag_nb` says and returns what `rag-nb` does."
    module, script = ([subprocess.run([*words, *more], capture_output=True, text=True) for more in (["--help"], ["dance"])]
                      for words in ([sys.executable, "-m", "rag_nb"], PYTHON))
    assert [(o.returncode, o.stdout, o.stderr) for o in module] == [(o.returncode, o.stdout, o.stderr) for o in script]
    assert [o.returncode for o in module] == [0, 2] and "rag-nb index" in module[0].stdout

def test_misspelt_option():
    out = shell("ask", "why?", "--indx", "x")
    assert out.returncode == 2 and "--index" in out.stderr and "Traceback" not in out.stderr


def test_traceback_when_asked_for(monkeypatch):
    monkeypatch.setenv("RAG_NB_TRACEBACK", "1")
    with pytest.raises(ValueError): cli.main(["nonsense"])


def test_ctrl_c(monkeypatch, capsys):
    def interrupted(words): raise KeyboardInterrupt
    monkeypatch.setattr(cli, "_run", interrupted)
    assert cli.main([]) == 130 and capsys.readouterr().err == "stopped\n"


def test_nobody_reads():
    "A closed pipe: no traceback, not even at the end of the process."
    p = subprocess.Popen([*PYTHON, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdout.close()
    assert p.wait(60) == 141 and p.stderr.read() == b""


# With toy models

def test_demo_prints_an_answer(toy, capsys):
    assert cli.main(["demo", "What is tea?", "--max-new-tokens", "4"]) == 0
    assert "What is tea?" in capsys.readouterr().out


def test_demo_json(toy, capsys):
    assert cli.main(["demo", "What is tea?", "--json", "--max-new-tokens", "4", "--n-docs", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["question", "answer", "support", "refused", "guess", "documents", "tokens"] and found["question"] == "What is tea?"
    assert [set(d) for d in found["documents"]] == [{"id", "title", "text", "score", "prior", "posterior"}]*3
    for t in found["tokens"]: assert set(t) == {"token", "logprob", "posterior"} and abs(sum(t["posterior"]) - 1) < 1e-5


def test_demo_without_a_question_says_which(toy, capsys):
    from rag_nb.demo.defaults import QUESTIONS
    assert cli.main(["demo", "--json", "--max-new-tokens", "2"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["question"] == QUESTIONS[0] and QUESTIONS[0] in err


def test_html(toy, tmp_path, capsys):
    page = tmp_path/"answer.html"
    assert cli.main(["demo", "What is <b>tea</b>?", "--html", str(page), "--max-new-tokens", "2"]) == 0
    assert "What is &lt;b&gt;tea&lt;/b&gt;?" in page.read_text(encoding="utf8") and f"wrote {page}" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["answer.html"]


@pytest.mark.parametrize("place", ["", "missing/answer.html"])
def test_html_where_it_cannot_be(toy, tmp_path, place, capsys):
    assert cli.main(["demo", "What is tea?", "--html", str(tmp_path/place), "--max-new-tokens", "2"]) == 2
    out, err = capsys.readouterr()
    assert "--html" in err and not out


def test_empty_question(toy, capsys):
    assert cli.main(["demo", "  "]) == 2 and "question is empty" in capsys.readouterr().err


def test_index_check_ask(toy, tmp_path, capsys):
    docs, out = docs_file(tmp_path), tmp_path/"docs.index"
    assert cli.main(["index", str(docs), "--out", str(out), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["documents"] == made["passages"] == 2 and made["kind"] == "exact" and made["index"] == str(out)
    assert cli.main(["index", "--check", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {**made, "verified": True}
    assert cli.main(["index", "--check", str(out)]) == 0 and "every file as its checksum says" in capsys.readouterr().out
    assert cli.main(["ask", "Where do penguins breed?", "--index", str(out), "--json", "--max-new-tokens", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {d["title"] for d in found["documents"]} == {"Penguins", "Bread"}


def test_ask_with_a_saved_rag(toy, tmp_path, capsys):
    from rag_nb.demo.defaults import Rag
    cli.main(["index", str(docs_file(tmp_path)), "--out", str(tmp_path/"i")])
    Rag.from_documents(toy.toy_documents(), progress=False).save_pretrained(tmp_path/"model")
    capsys.readouterr()
    assert cli.main(["ask", "Where?", "--index", str(tmp_path/"i"), "--model", str(tmp_path/"model"), "--json", "--max-new-tokens", "2"]) == 0
    assert len(json.loads(capsys.readouterr().out)["documents"]) == 2


def test_ask_with_a_generator_from_a_folder(toy, tmp_path, capsys):
    cli.main(["index", str(docs_file(tmp_path)), "--out", str(tmp_path/"i")])
    toy.toy_generator("bart").save_pretrained(tmp_path/"g"); toy.toy_tokenizer(kind="bart").save_pretrained(tmp_path/"g")
    capsys.readouterr()
    assert cli.main(["ask", "Where?", "--index", str(tmp_path/"i"), "--model", str(tmp_path/"g"), "--kind", "sequence", "--num-beams", "2", "--json", "--max-new-tokens", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["question"] == "Where?"


def test_an_index_by_another_encoder(toy, tmp_path, capsys):
    cli.main(["index", str(docs_file(tmp_path)), "--out", str(tmp_path/"i")])
    other = toy.toy_encoder(); other.model.embeddings.word_embeddings.weight.data.mul_(-1)
    other.save_pretrained(tmp_path/"other"); capsys.readouterr()
    assert cli.main(["ask", "Where?", "--index", str(tmp_path/"i"), "--encoder", str(tmp_path/"other")]) == 2
    assert str(tmp_path/"other") in capsys.readouterr().err


def test_check_finds_a_changed_file(toy, tmp_path, capsys):
    cli.main(["index", str(docs_file(tmp_path)), "--out", str(tmp_path/"i")])
    victim = max((p for p in (tmp_path/"i").rglob("*.npy")), key=lambda p: p.stat().st_size)
    body = bytearray(victim.read_bytes()); body[-1] ^= 1; victim.write_bytes(bytes(body))
    capsys.readouterr()
    assert cli.main(["index", "--check", str(tmp_path/"i")]) == 2 and victim.name in capsys.readouterr().err


def test_index_there_already(toy, tmp_path, capsys):
    words = ["index", str(docs_file(tmp_path)), "--out", str(tmp_path/"i")]
    assert cli.main(words) == 0 and cli.main([*words, "--overwrite"]) == 0


def questions_file(folder):
    path = folder/"questions.jsonl"
    path.write_text("\n".join(json.dumps(q) for q in [
        dict(id="1", question="Where do emperor penguins breed?", answers=["on the ice", "Antarctica"], document_id="p"),
        dict(id="2", question="What is bread made from?", answer="flour, water and salt", document_id="b"),
        dict(id="3", question="Who bakes the bread?", answer="nobody knows")]), encoding="utf8")
    return path


@pytest.mark.parametrize("kind", ["token", "sequence"])
def test_eval_json(toy, tmp_path, kind, capsys):
    "Every measure with its interval, nothing but JSON on standard output."
    cli.main(["index", str(docs_file(tmp_path)), "--out", str(tmp_path/"i")])
    toy.toy_generator("bart").save_pretrained(tmp_path/"g"); toy.toy_tokenizer(kind="bart").save_pretrained(tmp_path/"g")
    capsys.readouterr()
    assert cli.main(["eval", str(questions_file(tmp_path)), "--index", str(tmp_path/"i"), "--model", str(tmp_path/"g"), "--kind", kind, "--json", "--max-new-tokens", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    for name in ("em", "f1", "recall_at_1", "recall_at_5", "recall_at_20", "ece", "seconds_per_question"):
        low, high = found[f"{name}_ci"]
        assert low - 1e-9 <= found[name] <= high + 1e-9
    assert found["n"] == 3 and found["recall_at_1"] == found["recall_at_20"] == 1 and found["answer_in_context"] == pytest.approx(2/3)
    assert found["settings"]["kind"] == kind and set(found["compare"]) == {"token", "sequence", "best_document", "no_documents"} - {kind}


def test_eval_table_limit_and_resuming(toy, tmp_path, capsys):
    cli.main(["index", str(docs_file(tmp_path)), "--out", str(tmp_path/"i")])
    words = ["eval", str(questions_file(tmp_path)), "--index", str(tmp_path/"i"), "--quick", "--predictions", str(tmp_path/"p.jsonl"), "--max-new-tokens", "2", "--n-docs", "1"]
    capsys.readouterr()
    assert cli.main([*words, "--limit", "2"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("2 questions · ") and "exact match" in out and "no documents" not in out and len((tmp_path/"p.jsonl").read_text().splitlines()) == 3
    assert cli.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == 3 and found["compare"] == {} and len((tmp_path/"p.jsonl").read_text().splitlines()) == 4
    assert cli.main([*words[:-1], "2"]) == 2 and "--n-docs was 1 and is 2" in capsys.readouterr().err


@pytest.mark.parametrize("body, says", [("", "no questions"), ('{"question": "Why?"}', "has no answer"), ("{", "line 1: not valid JSON")])
def test_eval_of_a_file_that_is_no_set(toy, tmp_path, body, says, capsys):
    "Said before any model is opened."
    (tmp_path/"q.jsonl").write_text(body)
    assert cli.main(["eval", str(tmp_path/"q.jsonl"), "--index", str(tmp_path/"no index")]) == 2
    out, err = capsys.readouterr()
    assert says in err and not out and err.count("\n") == 1


def test_train_then_ask(toy, tmp_path, capsys):
    "What was trained is written whole, answers by --model, and the index is as it was; a second run does not write over it."
    cli.main(["index", str(docs_file(tmp_path)), "--out", str(tmp_path/"i")])
    made = {p: p.read_bytes() for p in (tmp_path/"i").rglob("*") if p.is_file()}
    words = ["train", str(questions_file(tmp_path)), "--index", str(tmp_path/"i"), "--out", str(tmp_path/"better"), "--max-steps", "2", "--batch-size", "2", "--n-docs", "2",
             "--adapters", "2", "--learning-rate", "0.01", "--device", "cpu", "--json"]
    capsys.readouterr()
    assert cli.main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["steps"] == 2 and found["questions"] == 3 and found["model"] == str(tmp_path/"better") and found["loss_first"] > 0
    assert {p: p.read_bytes() for p in (tmp_path/"i").rglob("*") if p.is_file()} == made
    assert sorted(p.name for p in (tmp_path/"better.run"/"adapters").iterdir()) == ["generator", "question_encoder"]
    assert cli.main(["ask", "Where?", "--index", str(tmp_path/"i"), "--model", str(tmp_path/"better"), "--json", "--max-new-tokens", "2"]) == 0
    assert len(json.loads(capsys.readouterr().out)["documents"]) == 2
    assert cli.main(words) == 2 and "something already" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_ctrl_c_from_outside(tmp_path):
    "A process stopped while it downloads says one word."
    silent = socket.create_server(("127.0.0.1", 0))  # takes connections and never answers
    env = {**os.environ, "RAG_NB_CACHE": str(tmp_path), "PIP_INDEX_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/simple", "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "", "NO_PROXY": "127.0.0.1",
           "PIP_CONFIG_FILE": os.devnull, "TQDM_DISABLE": "1"}
    p = subprocess.Popen([*PYTHON, "demo"], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # a job in the background ignores it, and its children inherit that
    for _ in range(600):
        if list(Path(tmp_path).rglob("pip.log")): break
        time.sleep(.1)
    time.sleep(.5); p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=60)
    assert p.returncode == 130 and not out and err.rstrip().endswith("stopped") and "Traceback" not in err
    assert not [f for f in Path(tmp_path).rglob("*") if ".making" in f.name]


# In step with a folder, a part of the documents, and the names of others' columns

def handbook(folder):
    home = folder/"handbook"; home.mkdir()
    for name, year, text in (("tea", 2023, "Tea is made in the kitchen."), ("salt", 2024, "Salt stands on the shelf.")): (home/f"{name}.md").write_text(f"---\nyear: {year}\n---\n# {name}\n\n{text}\n")
    return home


def test_an_index_is_brought_into_step(toy, tmp_path, capsys):
    home, out = handbook(tmp_path), tmp_path/"index"
    assert cli.main(["index", str(home), "--out", str(out), "--sync", "--n-words", "7", "--json"]) == 0           # nothing is there: it is built
    assert json.loads(capsys.readouterr().out)["documents"] == 2
    (home/"tea.md").unlink(); (home/"oar.md").write_text("# oar\n\nThe oar is in the shed.")
    assert cli.main(["index", str(home), "--out", str(out), "--sync", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["sync"] == dict(kept=1, changed=0, added=1, deleted=1, skipped=0, embedded=2) and "1 kept, 0 changed, 1 added, 1 deleted documents" in said.err
    assert cli.main(["index", str(home), "--out", str(out), "--sync"]) == 0 and "3 passages of 2 documents" in capsys.readouterr().out
    (home/"bad.md").write_bytes(b"\xff\xff")
    assert cli.main(["index", str(home), "--out", str(out), "--sync"]) == 2 and "bad.md: not UTF-8" in capsys.readouterr().err
    assert cli.main(["index", str(home), "--out", str(out), "--sync", "--skip-errors"]) == 0
    for more, says in (["--overwrite"], "give one of them"), (["--ray"], "leave out --ray"):
        assert cli.main(["index", str(home), "--out", str(out), "--sync", *more]) == 2 and says in capsys.readouterr().err


def test_a_part_of_the_documents_is_asked(toy, tmp_path, capsys):
    assert cli.main(["index", str(handbook(tmp_path)), "--out", str(tmp_path/"index")]) == 0
    ask = lambda *words: (capsys.readouterr(), cli.main(["ask", "What is in the kitchen?", "--index", str(tmp_path/"index"), "--json", *words]))[1]
    titles = lambda: [d["title"] for d in json.loads(capsys.readouterr().out)["documents"]]
    assert ask() == 0 and sorted(titles()) == ["salt", "tea"]
    assert ask("--where", "year=2024") == 0 and titles() == ["salt"]
    assert ask("--where", "year=2023,2024", "--where", "title=tea") == 0 and titles() == ["tea"]
    assert ask("--where", "yaer=2024") == 2 and "which no passage has; there are 'id', 'title', 'document', 'year'" in capsys.readouterr().err
    assert ask("--min-score", "1000") == 0 and titles() == []


def test_columns_of_questions_are_renamed(toy, tmp_path, capsys):
    (tmp_path/"q.csv").write_text("frage;antwort\nWhere is salt?;the shelf\nWhere is tea?;the kitchen\n")
    assert cli.main(["index", str(handbook(tmp_path)), "--out", str(tmp_path/"index")]) == 0
    shared = ["--index", str(tmp_path/"index"), "--columns", "frage=question,antwort=answer"]
    capsys.readouterr()
    assert cli.main(["eval", str(tmp_path/"q.csv"), *shared, "--quick", "--json", "--where", "year=2024"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["n"] == 2 and measured["settings"]["where"] == "year=['2024']"
    assert cli.main(["ask", "--file", str(tmp_path/"q.csv"), *shared, "--output", str(tmp_path/"a.jsonl")]) == 0
    assert [json.loads(l)["question"] for l in (tmp_path/"a.jsonl").read_text().splitlines()] == ["Where is salt?", "Where is tea?"]
    assert cli.main(["ask", "Where?", *shared]) == 2 and "--columns goes with --file" in capsys.readouterr().err


# How a generator is loaded

@pytest.fixture
def tiny(toy, tmp_path):
    "An index and a generator, each in a folder."
    from transformers import LlamaConfig, LlamaForCausalLM
    sizes = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
    generator, tokenizer = LlamaForCausalLM(LlamaConfig(vocab_size=260, pad_token_id=0, **sizes)), toy.toy_tokenizer(kind="llama")
    generator.save_pretrained(tmp_path/"generator"); tokenizer.save_pretrained(tmp_path/"generator")
    assert cli.main(["index", str(docs_file(tmp_path)), "--out", str(tmp_path/"index")]) == 0
    return tmp_path


def opened(monkeypatch, tiny, *words, model=True):
    "The Rag that a command opened."
    seen, real = [], cli._open
    monkeypatch.setattr(cli, "_open", lambda *a: seen.append(real(*a)) or seen[-1])
    named = ["--model", str(tiny/"generator")]*model
    assert cli.main(["ask", "Where do penguins breed?", "--index", str(tiny/"index"), *named, "--max-new-tokens", "2", "--n-docs", "2", *words]) == 0
    return seen[-1].model


def test_loading_flags_reach_the_generator(monkeypatch, tiny):
    import torch
    model = opened(monkeypatch, tiny, "--dtype", "bfloat16", "--attn-implementation", "eager", "--revision", "main", "--device", "cpu")
    assert model.generator.dtype == torch.bfloat16 and model.generator.config._attn_implementation == "eager" and model.question_encoder.dtype == torch.float32
    assert opened(monkeypatch, tiny, "--dtype", "bfloat16", model=False).generator.dtype == torch.bfloat16


@pytest.mark.parametrize("bits, kind", [("4", "Linear4bit"), ("8", "Linear8bitLt")])
def test_fewer_bits(monkeypatch, tiny, bits, kind):
    pytest.importorskip("bitsandbytes")
    model = opened(monkeypatch, tiny, "--bits", bits)
    kinds = {type(m).__name__ for m in model.generator.modules()}
    assert kind in kinds and kind not in {type(m).__name__ for m in model.question_encoder.modules()}


def test_an_adapter_of_a_folder(monkeypatch, tiny, toy):
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM
    peft.get_peft_model(AutoModelForCausalLM.from_pretrained(tiny/"generator"), peft.LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(tiny/"adapter")
    assert hasattr(opened(monkeypatch, tiny, "--adapter", str(tiny/"adapter")).generator, "merge_and_unload")


@pytest.mark.parametrize("words, says", [(["--bits", "4"], "--bits says how a generator is loaded"), (["--gguf-file", "x.gguf"], "--gguf-file says how"),
    (["--revision", "x"], "--revision says how")])
def test_what_the_built_in_generator_does_not_take(tiny, words, says, capsys):
    for command in (["ask", "Who?"], ["eval", "q.jsonl"], ["train", "q.jsonl", "--out", str(tiny/"o")]):
        assert cli.main([*command, "--index", str(tiny/"index"), *words]) == 2
        assert says in capsys.readouterr().err


def test_a_gguf_file_is_read(monkeypatch, tiny):
    from rag_nb.core import answer
    seen = []
    monkeypatch.setattr(answer, "_load_generator", lambda name, tokenizer, loading: seen.append(loading) or (_ for _ in ()).throw(ValueError("seen")))
    assert cli.main(["ask", "Who?", "--index", str(tiny/"index"), "--model", str(tiny/"generator"), "--gguf-file", "a.gguf"]) == 2
    assert seen == [dict(gguf_file="a.gguf")]
