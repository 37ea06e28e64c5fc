"Folders and files that ask for too much, or for something to be run: refused in a moment, by an error that names them."

import json, os, resource, shutil, subprocess, sys, time, warnings
from pathlib import Path

import numpy as np, pytest, torch

import rag_nb
from rag_nb import Passages, Rag, RagConfig, RagRetriever, RagTokenForGeneration, TextEncoder
from rag_nb.cli import main as cli
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_tokenizer

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    "A generator, a decoder-only one, an encoder and a whole Rag over an index, each in a folder."
    d = tmp_path_factory.mktemp("folders")
    for kind in ("bart", "llama"):
        toy_generator(kind).save_pretrained(d / kind)
        toy_tokenizer(kind).save_pretrained(d / kind)
    toy_encoder().save_pretrained(d / "encoder")
    encoder = TextEncoder.from_pretrained(d / "encoder")
    retriever = RagRetriever.from_documents(toy_documents(), encoder, path=d / "index", progress=False)
    Rag.from_parts(retriever, encoder, (toy_generator("bart"), toy_tokenizer("bart"))).save_pretrained(d / "rag")
    return d


@pytest.fixture
def copy(folders, tmp_path):
    "A copy of one of them, with changes in its JSON files."

    def made(name, to=None, **files):
        to = tmp_path / (to or name)
        shutil.copytree(folders / name, to)
        for file, change in files.items():
            path = to / (file.replace("__", "/") + ".json")
            path.write_text(json.dumps({**(json.loads(path.read_text()) if path.exists() else {}), **change}))
        return to

    return made


def refused(f, says, seconds=20, kinds=(ValueError, TypeError, OSError)):
    start = time.thread_time()  # of this processor: the machine may be busy
    with pytest.raises(kinds, match=says) as e:
        f()
    assert time.thread_time() - start < seconds and len(str(e.value)) < 3000
    return str(e.value)


# --- code of a folder ------------------------------------------------------------------------------------------------------------------

CODE = (
    "open({marker!r}, 'a').write(__name__)\nfrom transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast\n"
    "class C(PretrainedConfig): model_type = 'mine'\nclass M(PreTrainedModel): config_class = C\nclass T(PreTrainedTokenizerFast): pass\n"
)
MAP = {
    "AutoConfig": "code.C",
    "AutoModel": "code.M",
    "AutoModelForCausalLM": "code.M",
    "AutoModelForSeq2SeqLM": "code.M",
    "AutoTokenizer": ["code.T", "code.T"],
}
DOORS = """
import sys, warnings; warnings.simplefilter("ignore")
from rag_nb import *
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_tokenizer
d, good = sys.argv[1], sys.argv[2]
toy = (toy_generator("bart"), toy_tokenizer("bart"))
doors = [lambda: TextEncoder.from_pretrained(d),
         lambda: Rag.from_documents(["tea"], generator=d, encoder=toy_encoder(), progress=False),
         lambda: Rag.from_documents(["tea"], generator=toy, encoder=d, progress=False),
         lambda: Rag.from_pretrained(d, index=good + "/index"),
         lambda: Rag.from_pretrained(d), lambda: RagRetriever.from_pretrained(d),
         lambda: RagRetriever.from_pretrained(good + "/index", encoder=d),
         lambda: RagTokenizer.from_pretrained(d), lambda: AutoTokenizer.from_pretrained(d), lambda: RagConfig.from_pretrained(d),
         lambda: RagTokenForGeneration.from_pretrained(d), lambda: RagSequenceForGeneration.from_pretrained(d),
         lambda: RagModel.from_pretrained(d),
         lambda: RagTokenForGeneration.from_pretrained_question_encoder_generator(d, good + "/bart"),
         lambda: RagTokenForGeneration.from_pretrained_question_encoder_generator(good + "/encoder", d),
         lambda: Rag.from_documents(["tea"], generator=good + "/llama", adapter=d, encoder=toy_encoder(), progress=False)]
done = []
for f in doors:
    try: f(); done.append("opened")
    except Exception as e: done.append(type(e).__name__)
assert sys.stdin.readline() == "y\\n", "somebody read the answer on standard input"
print(done)
from rag_nb.cli import main
for words in (["ask", "q", "--index", d], ["ask", "q", "--index", good + "/index", "--model", d],
              ["ask", "q", "--index", good + "/index", "--encoder", d],
              ["index", good + "/bart/config.json", "--out", good + "/never", "--encoder", d]):
    assert (code := main(words)) in (0, 2), (words, code)
"""


@pytest.mark.parametrize("kind", ["mine", "bert", "rag"])
def test_code_of_a_folder_is_not_run(folders, tmp_path, kind):
    'Whatever type it says it is, at every door, with a "y" waiting on standard input.'
    d, marker = tmp_path / "evil", tmp_path / "ran"
    shutil.copytree(folders / {"mine": "bart", "bert": "encoder"}.get(kind, kind), d)
    places = [d, *(p for p in d.iterdir() if p.is_dir() and p.name.endswith("_tokenizer"))]
    for at in places:
        (at / "code.py").write_text(CODE.format(marker=str(marker)))
        for name in ("config.json", "tokenizer_config.json"):
            path = at / name
            facts = json.loads(path.read_text()) if path.exists() else {}
            facts |= {"auto_map": MAP, **({"model_type": "mine"} if kind == "mine" and name == "config.json" else {})}
            for part in ("generator", "question_encoder"):
                if isinstance(facts.get(part), dict):
                    facts[part]["auto_map"] = MAP
            path.write_text(json.dumps(facts))
    done = subprocess.run(
        [sys.executable, "-c", DOORS, str(d), str(folders)], input="y\n" * 50, capture_output=True, text=True, cwd=ROOT, timeout=580
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert not marker.exists() and "Traceback" not in done.stderr


def test_code_is_run_where_it_was_allowed(folders, tmp_path):
    "The marker works: the same folder with trust_remote_code=True."
    d, marker = tmp_path / "mine", tmp_path / "ran"
    shutil.copytree(folders / "bart", d)
    (d / "code.py").write_text(CODE.format(marker=str(marker)))
    config = json.loads((d / "config.json").read_text()) | {"auto_map": MAP, "model_type": "mine"}
    (d / "config.json").write_text(json.dumps(config))
    code = f"from rag_nb.hf.checkpoints import open_config; open_config({str(d)!r}, trust_remote_code=True)"
    subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "HF_HOME": str(tmp_path / "home")}, capture_output=True, timeout=120
    )
    assert marker.exists()


# --- numbers -----------------------------------------------------------------------------------------------------------------------------

LARGER = "many times larger than the weights"


@pytest.mark.parametrize(
    "change, says",
    [
        (dict(encoder_layers=10**7), "encoder_layers is 10,000,000, and at most 100,000"),
        (dict(decoder_layers=50_000), LARGER),
        (dict(d_model=2**22), LARGER),
        (dict(vocab_size=10**9), LARGER),
        (dict(max_position_embeddings=10**10), LARGER),
        (dict(decoder_ffn_dim=10**9), LARGER),
        (dict(num_labels=10**9), "num_labels is"),
        (dict(vocab_size=10**30), "bart"),
        (dict(d_model=-5), "bart"),
        (dict(encoder_layers="many"), "bart"),
        (dict(id2label=3), "bart"),
    ],
)
def test_a_network_that_its_weights_do_not_hold(folders, copy, change, says):
    "At the doors of a generator and of a whole checkpoint, before any memory is taken."
    message = refused(
        lambda: Rag.from_documents(["tea"], generator=copy("bart", config=change), encoder=toy_encoder(), progress=False), says
    )
    assert "bart" in message
    config = json.loads((folders / "rag/config.json").read_text())
    whole = copy("rag", config=dict(generator={**config["generator"], **change}))
    message = refused(lambda: Rag.from_pretrained(whole), says.replace("bart", "rag|generator"))
    assert "rag" in message or "generator" in message


@pytest.mark.parametrize(
    "change",
    [
        dict(num_hidden_layers=60_000),
        dict(vocab_size=10**9),
        dict(hidden_size=2**24),
        dict(max_position_embeddings=10**10),
        dict(intermediate_size=10**9),
    ],
)
def test_an_encoder_that_its_weights_do_not_hold(copy, change):
    refused(lambda: TextEncoder.from_pretrained(copy("encoder", config=change)), LARGER)


def test_networks_that_are_larger_than_their_files_within_reason(folders):
    "A head that is made anew, a model of fewer bits, and one without weights are no attacks."
    from transformers import AutoModelForSequenceClassification
    from rag_nb.hf.checkpoints import open_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert open_model(AutoModelForSequenceClassification, folders / "bart").num_parameters() > 0
    from rag_nb.hf.checkpoints import _BUILDING

    assert _BUILDING.counted is None and not torch.nn.modules.module._global_parameter_registration_hooks


@pytest.mark.parametrize(
    "change, says",
    [
        (dict(n_docs=10**9), "n_docs is 1,000,000,000, and at most 10,000"),
        (dict(max_combined_length=10**9), "max_combined_length is"),
        (dict(n_docs=10**400), "n_docs is about 2.1328, and"),
        (dict(max_combined_length=-1), "max_combined_length"),
    ],
)
def test_numbers_of_a_checkpoint(copy, change, says):
    whole = copy("rag", config=change)
    for opened in (
        lambda: Rag.from_pretrained(whole),
        lambda: RagConfig.from_pretrained(whole),
        lambda: RagTokenForGeneration.from_pretrained(whole),
    ):
        refused(opened, says)


@pytest.mark.parametrize(
    "change, says",
    [
        (dict(num_beams=10**6), "num_beams is 1,000,000, and at most 256"),
        (dict(num_return_sequences=10**6, do_sample=True), "num_return_sequences"),
        (dict(max_new_tokens=10**9), "tokens needs|positions|room"),
        (dict(max_length=10**12), "tokens needs|positions|room"),
    ],
)
def test_numbers_of_a_generation_config(copy, change, says):
    "They are settings of the checkpoint, and hold at the first question."
    rag = Rag.from_pretrained(copy("rag", generation_config=change))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refused(lambda: rag.ask("What is tea?"), says)


def test_numbers_of_a_call(folders):
    rag = Rag.from_pretrained(folders / "rag")
    for n in (10**9, np.int64(10**9)):
        refused(lambda: rag.ask("What is tea?", n_docs=n), "n_docs is 1,000,000,000")
    refused(lambda: rag.retrieve("What is tea?", 10**9), "n_docs is")
    refused(lambda: rag.retriever.index.search(np.zeros((1, rag.encoder.dim), np.float32), 10**9), "n_docs is")
    refused(lambda: rag.ask("What is tea?", num_beams=10**6), "num_beams is")


def test_a_limit_can_be_moved(folders, monkeypatch):
    rag = Rag.from_pretrained(folders / "rag")
    monkeypatch.setattr(rag_nb.limits, "n_docs", 3)
    refused(lambda: rag.ask("What is tea?", n_docs=4), "at most 3")
    monkeypatch.setattr(rag_nb.limits, "n_docs", 20_000)
    assert rag.ask("What is tea?", n_docs=4, max_new_tokens=2).hits.shape == (1, 4) and RagConfig(n_docs=15_000).n_docs == 15_000
    code = "import rag_nb; print(rag_nb.limits.n_docs, rag_nb.limits.columns)"
    run = lambda said: subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env={**os.environ, "RAG_NB_LIMITS": said}
    )
    assert run("n_docs=7, columns=9").stdout.split() == ["7", "9"]
    assert "did you mean 'n_docs'" in run("ndocs=7").stderr


@pytest.mark.parametrize("rank", [10**9, "16", None])
def test_adapters_of_a_size(folders, tmp_path, rank):
    pytest.importorskip("peft")
    from peft import LoraConfig, get_peft_model

    get_peft_model(toy_generator("llama"), LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(tmp_path / "a")
    path = tmp_path / "a/adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "r": rank}))
    refused(
        lambda: Rag.from_documents(
            ["tea"], generator=str(folders / "llama"), adapter=tmp_path / "a", encoder=toy_encoder(), progress=False
        ),
        "a",
    )


# --- small files -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json", "tokenizer.json"])
@pytest.mark.parametrize("body", [b"[" * 100_000, b"{", b"[1]", b"\xff\xfe\x00", b'{"a": ' * 50_000, b"null", b""])
def test_a_damaged_small_file_is_named(folders, copy, name, body):
    d = copy("llama")
    if not (d / name).exists():
        pytest.skip("the toy has no such file")
    (d / name).write_bytes(body)
    message = refused(lambda: Rag.from_documents(["tea"], generator=d, encoder=toy_encoder(), progress=False), "llama")
    assert "Traceback" not in message


@pytest.mark.parametrize("key", ["vocab_file", "merges_file", "tokenizer_file", "chat_template_file"])
@pytest.mark.parametrize("value", ["/etc/passwd", "../secret.txt", "a/../../secret.txt"])
def test_a_tokenizer_that_names_a_file_elsewhere(copy, key, value):
    d = copy("llama", tokenizer_config={key: value})
    refused(
        lambda: Rag.from_documents(["tea"], generator=d, encoder=toy_encoder(), progress=False),
        "names a file outside its folder",
    )


@pytest.mark.parametrize("path", ["../elsewhere", "/etc", "a/../../b", "..\\b"])
def test_steps_outside_a_folder(copy, path):
    d = copy("encoder", to="st")
    (d / "encoder_spec.json").unlink()
    (d / "modules.json").write_text(
        json.dumps(
            [
                {"type": "sentence_transformers.models.Transformer", "path": ""},
                {"type": "sentence_transformers.models.Pooling", "path": path},
            ]
        )
    )
    refused(lambda: TextEncoder.from_pretrained(d), "outside its folder")


TEMPLATES = [
    "{{ 'a' * 763000000 }}",
    "{{ 'a'.ljust(900000000) }}",
    "{{ '%900000000d' % 1 }}",
    "{{ '{:900000000}'.format(1) }}",
    "{{ 'a'|center(900000000) }}",
    "{{ 'a'|indent(900000000) }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% set n = namespace(a='aa') %}{% for i in range(60) %}{% set n.a = n.a ~ n.a %}{% endfor %}",
    "{% set n = namespace(a='aa') %}{% for i in range(60) %}{% set n.a = n.a + n.a %}{% endfor %}",
    "{% set n = namespace(a=[]) %}{% for i in range(60) %}{% set n.a = [n.a, n.a] %}{% endfor %}{{ n.a }}",
    "{% set n = namespace(a=1) %}{% for i in range(60) %}{% set n.a = namespace(x=n.a, y=n.a) %}{% endfor %}{{ n.a }}",
    "{{ ('a' * 99999).replace('', 'b' * 99999) }}",
    "{{ 3 ** 99999999 }}",
    "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(40) }}",
    "{{ lipsum(n=100000) }}",
    "{{ ('b' * 1000).join(['a'] * 99999) }}",
    "{{ [1] * 10 ** 9 }}",
    "{{ strftime_now('%900000000Y') }}",
    "{% if %}",
    "{{ x.y.z }}",
    "{{ raise_exception('no') }}",
    "{{" + "(" * 9000,
    "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{{ messages | tojson(indent=900000000) }}",
]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t[:30])
def test_chat_templates_within_bounds(copy, template):
    "Each in a second, with the folder's or the template's fault said."
    from rag_nb.hf.tokenizer import chat_template_of

    tokenizer = toy_tokenizer("llama")
    tokenizer.chat_template = template
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(lambda: chat_template_of(tokenizer), "chat template", seconds=8)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


GOOD = [
    "{% for m in messages %}<|{{ m.role }}|>{{ m['content'] | trim }}{{ eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
    "{{ bos_token }}{% set ns = namespace(system='') %}{% for m in messages if m.role != 'system' %}"
    "{{ loop.index ~ ': ' ~ m.content.split(' ') | join('_') }}"
    "{% if not loop.last %}{% continue %}{% endif %}{% endfor %}",
    "{%- macro show(x, depth=0) -%}{{ '  ' * depth + x | upper }}{%- endmacro -%}{% for m in messages[::-1] %}"
    "{{ show(m.content, 2) }}{% endfor %}"
    "{{ messages | tojson }}{{ enable_thinking is defined and not enable_thinking }}",
    "{% generation %}{{ messages[0].content.replace('a', 'bb') }}{% endgeneration %}"
    "{{ [1, 2] + [3] }}{{ {'a': 1} | items | list }}"
    "{{ '%s-%03d' | format('x', 7) }}{{ strftime_now('%Y') | int > 2000 }}",
    "{% for a, b in {'x': 1, 'y': 2}.items() %}{{ a }}{{ b * 3 }}{{ 7 // 2 }}{{ 7 % 4 }}{{ 2 ** 5 }}{% endfor %}"
    "{{ messages | map(attribute='role') | unique | sort | join(', ') }}{{ 'a' in 'abc' and 1 < 2 < 3 }}",
]


@pytest.mark.parametrize("template", GOOD, ids=range(len(GOOD)))
def test_chat_templates_say_what_transformers_says(template):
    from rag_nb.hf.templates import render_chat

    tokenizer = toy_tokenizer("llama")
    tokenizer.chat_template = template
    messages = [dict(role="system", content="Be brief. "), dict(role="user", content=" What is a {title}?\n\ue000")]
    theirs = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    assert render_chat(tokenizer, messages, enable_thinking=False) == theirs and theirs


# --- tables ------------------------------------------------------------------------------------------------------------------------------


def tables():
    import pyarrow as pa

    shared = pa.DictionaryArray.from_arrays(pa.array(np.zeros(200_000, np.int32)), ["x" * 100_000])
    yield "a dictionary", pa.table({"text": shared}), {}, "unpacks to more than|dictionary|strings"
    yield "a large value", pa.table({"text": ["x" * 10_000_000] * 300}), {}, "unpacks to more than|larger than"
    yield "columns", pa.table({"text": ["a"], **{f"c{i}": [1] for i in range(20_000)}}), {}, "number of its columns is 20,001"


@pytest.mark.parametrize("which", range(3))
def test_a_small_table_stays_small(tmp_path, which):
    "In seconds, in tens of megabytes, as documents and as passages."
    import pyarrow.parquet as pq

    name, table, how, says = list(tables())[which]
    pq.write_table(table, tmp_path / "d.parquet", compression="zstd", **how)
    refused(lambda: Passages.from_documents(tmp_path / "d.parquet"), says, seconds=15)
    refused(lambda: list(Passages.open(tmp_path / "d.parquet").column("text")), says, seconds=15)


def test_a_wide_csv(tmp_path):
    (tmp_path / "d.csv").write_text("text," + ",".join(f"c{i}" for i in range(20_000)) + "\n")
    refused(lambda: Passages.from_documents(tmp_path / "d.csv"), "columns in its header is 20,001", seconds=5)


# --- the command line --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error, says",
    [
        (MemoryError(), "not enough memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 800 bytes"), "not enough memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), "not enough memory"),
        (RecursionError("maximum recursion depth exceeded"), "nested too deeply"),
    ],
)
def test_no_traceback_for_too_little_memory(monkeypatch, capsys, error, says):
    def fail(*args, **kw):
        raise error

    monkeypatch.setattr("rag_nb.cli._open", fail)
    assert cli(["ask", "q", "--index", "x"]) == 2
    out, err = capsys.readouterr()
    assert says in err and err.count("\n") == 1 and "Traceback" not in err


def test_the_command_line_says_what_is_wrong_with_a_folder(copy, folders, capsys):
    for change in (dict(encoder_layers=10**7), dict(vocab_size=10**9), dict(id2label=3)):
        assert (
            cli(["ask", "q", "--index", str(folders / "index"), "--model", str(copy("bart", to=f"m{len(str(change))}", config=change))])
            == 2
        )
        err = capsys.readouterr().err
        assert err.splitlines()[-1].startswith("rag-nb: ") and "Traceback" not in err
