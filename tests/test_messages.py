"What people type finds its name, in the words of other libraries too; and a slip in a folder's name stays on this machine."

import re
from pathlib import Path

import pytest

from rag_nb import (
    Passages,
    Rag,
    RagConfig,
    RagModel,
    RagRetriever,
    RagSequenceForGeneration,
    RagTokenForGeneration,
    RagTokenizer,
    TextEncoder,
)
from rag_nb.cli import COMMANDS, _in_flags, _parser, main as cli
from rag_nb.core.checks import PEERS, check_place, is_local, meant
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_tokenizer

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def toys():
    return toy_encoder(), (toy_generator("llama"), toy_tokenizer("llama"))


@pytest.fixture(scope="module")
def rag(toys):
    return Rag.from_documents(toy_documents(), generator=toys[1], encoder=toys[0], progress=False)


MEANT = dict(
    k="n_docs",
    top_k="n_docs",
    ndocs="n_docs",
    n_doc="n_docs",
    num_results="n_docs",
    similarity_top_k="n_docs",
    chunk_size="n_words",
    chunk_overlap="overlap",
    nwords="n_words",
    system_prompt="system",
    prompt="context_template",
    prompt_template="context_template",
    text_column="columns",
    llm="generator",
    model="generator",
    model_name="generator",
    embedding_model="encoder",
    embed_model="encoder",
    embeddings="encoder",
    persist_dir="path",
    persist_directory="path",
    device="device_map",
    index_type="index_kind",
)


@pytest.mark.parametrize("typed", MEANT)
def test_from_documents_knows_what_was_meant(typed, toys):
    with pytest.raises(TypeError) as e:
        Rag.from_documents(toy_documents(), toys[1], toys[0], progress=False, **{typed: 3})
    assert f"did you mean {MEANT[typed]!r}" in str(e.value) and "from_parts" not in str(e.value)


@pytest.mark.parametrize(
    "typed, says",
    [
        ("k", "'n_docs'"),
        ("ndocs", "'n_docs'"),
        ("max_tokens", "'max_new_tokens'"),
        ("max_new_token", "'max_new_tokens'"),
        ("beams", "'num_beams'"),
        ("stop", "'stop_strings'"),
        ("docs", "'hits'|'n_docs'"),
        ("context", "'hits'"),
    ],
)
def test_ask_knows_what_was_meant(rag, typed, says):
    with pytest.raises(TypeError, match=f"did you mean ({says})"):
        rag.ask("What is tea?", **{typed: 3})


def test_what_belongs_to_the_question_is_said_where_documents_are_read(toys):
    for typed in ("temperature", "num_beams", "max_new_tokens", "do_sample", "repetition_penalty"):
        with pytest.raises(TypeError, match=f"rag.ask.question.*{typed}="):
            Rag.from_documents(toy_documents(), toys[1], toys[0], progress=False, **{typed: 1})


def test_top_k_without_sampling_is_no_number_of_documents(rag):
    with pytest.warns(UserWarning, match="the number of documents is n_docs"):
        rag.ask("What is tea?", top_k=3, max_new_tokens=2)


@pytest.mark.parametrize(
    "given, says",
    [((), "neither was given"), ((["tea"],), "not documents or a name"), (("folder",), "not documents or a name"), ((3,), "of type int")],
)
def test_a_rag_that_is_called_says_the_ways_in(given, says):
    with pytest.raises(TypeError, match=says) as e:
        Rag(*given)
    assert all(
        way in str(e.value) for way in ("Rag.from_documents(docs)", "Rag.from_pretrained(folder)", "Rag.demo()")
    ) and "from_parts" not in str(e.value)


def test_a_generator_over_an_index_is_told_too(rag, toys, tmp_path):
    rag.retriever.save_pretrained(tmp_path / "index")
    toys[1][0].save_pretrained(tmp_path / "g")
    toys[1][1].save_pretrained(tmp_path / "g")
    with pytest.raises(TypeError, match="did you mean 'n_docs'") as e:
        Rag.from_pretrained(tmp_path / "g", index=rag.retriever, encoder=toys[0], top_k=3)
    assert "from_parts" not in str(e.value)


def test_one_helper_for_all():
    "difflib is asked in one module; displays compare two texts with it, which is another matter."
    users = [
        p.relative_to(ROOT / "rag_nb").as_posix()
        for p in (ROOT / "rag_nb").rglob("*.py")
        if "get_close_matches" in p.read_text(encoding="utf8")
    ]
    assert users == ["core/checks.py"]


@pytest.mark.parametrize("ours", PEERS)
def test_no_word_of_another_library_is_an_argument_that_leads_away(ours):
    "A word in the table is found from where the argument is known, and never where it is not."
    for word in PEERS[ours]:
        assert meant(word, {ours, "zzz"}) == ours and meant(word, {"zzz"}) is None


def test_spelling_goes_before_the_table():
    assert meant("encoders", {"encoder", "question_encoder"}) == "encoder" and meant("N-Docs", {"n_docs"}) == "n_docs"


# --- names and places --------------------------------------------------------------------------------------------------------------------

OPENERS = [
    lambda n: Rag.from_pretrained(n),
    lambda n: RagRetriever.from_pretrained(n),
    lambda n: TextEncoder.from_pretrained(n),
    lambda n: RagTokenizer.from_pretrained(n),
    lambda n: RagConfig.from_pretrained(n),
    lambda n: RagTokenForGeneration.from_pretrained(n),
    lambda n: RagSequenceForGeneration.from_pretrained(n),
    lambda n: RagModel.from_pretrained(n),
    lambda n: Rag.from_documents(["tea"], generator=n, encoder=toy_encoder(), progress=False),
]


@pytest.mark.parametrize("name", ["my_modle", "./my_model2", "models/bart", "my model", "a/b/c", "my_model.gguf", "~/nowhere", "../x"])
@pytest.mark.parametrize("which", range(len(OPENERS)))
def test_a_slip_stays_on_this_machine(tmp_path, monkeypatch, name, which):
    "Nothing connects and no name is resolved, although the Hub may be asked."
    import socket
    from huggingface_hub import constants

    (tmp_path / "my_model").mkdir()
    (tmp_path / "models/bert").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    asked = []

    def closed(*args, **kw):
        asked.append(args)
        raise OSError("the network is closed")

    for f in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, f, closed)
    with pytest.raises((OSError, ValueError)) as e:
        OPENERS[which](name)
    assert not asked and len(str(e.value)) < 600
    if name == "my_modle":
        assert "did you mean 'my_model'" in str(e.value)


def test_names_of_the_hub_go_through(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("gpt2", "t5-small", "facebook/bart-base", "Qwen/Qwen2.5-0.5B-Instruct", "sentence-transformers/all-MiniLM-L6-v2"):
        assert not is_local(name)
        check_place(name, "model")
    (tmp_path / "facebook").mkdir()
    with pytest.raises(FileNotFoundError, match="from another folder than this, facebook/bart-base is a name on the Hub"):
        check_place("facebook/bart-base", "model")


def test_an_index_has_an_owner_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="no index folder at 'indx'"):
        RagRetriever.from_pretrained("indx")


# --- the command line --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, flag",
    [
        ("ask q --index x --top-k 3", "--n-docs"),
        ("ask q --index x -k 3", "--n-docs"),
        ("ask q --index x --llm m", "--model"),
        ("ask q --index x --max-tokens 3", "--max-new-tokens"),
        ("index d --out x --chunk-size 3", "--n-words"),
        ("index d --out x --chunk_overlap 3", "--overlap"),
        ("index d --out x --embedding-model m", "--encoder"),
        ("index d --out x --text-column c", "--columns"),
    ],
)
def test_flags_of_other_libraries(words, flag, capsys):
    with pytest.raises(SystemExit) as e:
        cli(words.split())
    assert e.value.code == 2 and f"did you mean {flag}?" in capsys.readouterr().err


def test_commands_are_found(capsys):
    assert cli(["idnex"]) == 2 and "did you mean 'index'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "said, flags",
    [
        ("n_docs=0: ask for at least one", "--n-docs 0: ask for at least one"),
        ("raise num_beams or n_docs", "raise --num-beams or --n-docs"),
        ("pass index=, a folder", "pass --index, a folder"),
        ("columns={'its name': 'text'} says which", "--columns 'its name=text' says which"),
        ("overwrite=True", "--overwrite"),
        ("question_encoder=...", "--encoder"),
        ("my_n_docs_file.txt", "my_n_docs_file.txt"),
    ],
)
def test_messages_in_flags(said, flags):
    assert _in_flags(said) == flags


def test_the_shell_speaks_in_flags(tmp_path, capsys):
    (tmp_path / "d.csv").write_text("body,nr\nTea is a drink.,1\n")
    assert cli(["index", str(tmp_path / "d.csv"), "--out", str(tmp_path / "i")]) == 2
    err = capsys.readouterr().err
    assert "--columns" in err and "columns={" not in err


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples_that_parse(name):
    import shlex

    text = _parser(name).format_help()
    examples = re.findall(rf"^  rag-nb {name}(.*)$", text, re.M)
    assert len(examples) >= 2 and "exit codes: 0 done" in text
    for line in examples:
        assert _parser(name).parse_known_args(shlex.split(line))[1] == []


def test_a_table_with_semicolons(tmp_path):
    (tmp_path / "d.csv").write_text("id;title;text\n1;Tea;A drink.\n")
    try:
        assert len(Passages.from_documents(tmp_path / "d.csv")) == 1
    except ValueError as e:
        assert "';'" in str(e)
