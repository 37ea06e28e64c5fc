"What is one's own is the index: it is kept, changed and opened again in a line each, over whatever generator."
import json, os, shutil

import pytest, torch

from rag_nb import Rag, RagRetriever
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_tokenizer

ENCODER = toy_encoder()
Q = "What do bees make of nectar?"


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    "A generator in a folder."
    folder = tmp_path_factory.mktemp("models")/"bart"
    toy_generator("bart").save_pretrained(folder); toy_tokenizer("bart").save_pretrained(folder)
    return folder

@pytest.fixture(autouse=True)
def by_name(monkeypatch):
    "The toy encoder is found by its name, as a published one is."
    monkeypatch.setattr("rag_nb.core.retriever._load_encoder", lambda record: toy_encoder())


def same(a, b):
    "Do two answer alike?"
    one, other = a.ask(Q), b.ask(Q)
    assert one.text == other.text and torch.allclose(one.doc_posterior, other.doc_posterior,
        atol=1e-5) and one.kind == other.kind and len(a) == len(b)


def test_an_index_opens_in_one_line(tmp_path, generator):
    "Tomorrow, by the generator's folder, with the settings of today; also where both folders were moved."
    (tmp_path/"one").mkdir(); shutil.copytree(generator, tmp_path/"one"/"bart")
    rag = Rag.from_documents(toy_documents(), tmp_path/"one"/"bart", ENCODER, path=tmp_path/"one"/"index", n_docs=2, kind="sequence",
        title_sep=" : ", progress=False)
    same(rag, Rag.from_pretrained(tmp_path/"one"/"index"))
    os.rename(tmp_path/"one", tmp_path/"two")
    again = Rag.from_pretrained(tmp_path/"two"/"index")
    same(rag, again)
    assert again.model.config.n_docs == 2 and again.model.kind == "sequence" and again.model.config.title_sep == " : "
    assert Rag.from_pretrained(tmp_path/"two"/"index", n_docs=3, kind="token").model.config.n_docs == 3
    other = Rag.from_pretrained(tmp_path/"two"/"index", generator=(toy_generator("t5"), toy_tokenizer("t5")))
    assert "T5" in type(other.model.generator).__name__


def test_an_index_is_saved_alone(tmp_path, generator):
    rag = Rag.from_parts(RagRetriever.from_documents(toy_documents(), ENCODER, progress=False), ENCODER, generator, n_docs=4)
    rag.add([dict(id="mate", title="Mate", text="Mate is a drink.")], progress=False); rag.delete("tea"
        if "tea" in rag.retriever._documents() else "mate")
    rag.save_pretrained(tmp_path/"index", index_only=True)
    assert not list((tmp_path/"index").glob("*.safetensors")) and (tmp_path/"index"/"manifest.json").exists()
    same(rag, Rag.from_pretrained(tmp_path/"index"))
    rag.save_pretrained(tmp_path/"index", index_only=True)                             # and over itself
    whole = tmp_path/"whole"
    rag.save_pretrained(whole)
    same(rag, Rag.from_pretrained(whole)) 


def test_a_generator_without_a_name_is_asked_for(tmp_path):
    pair = toy_generator("bart"), toy_tokenizer("bart")
    rag = Rag.from_documents(toy_documents(), pair, ENCODER, path=tmp_path/"index", progress=False)
    with pytest.raises(ValueError, match="a generator that has no name to load it by: pass "
        "generator="): Rag.from_pretrained(tmp_path/"index")
    same(rag, Rag.from_pretrained(tmp_path/"index", generator=pair))


def test_a_note_is_not_trusted(tmp_path, generator):
    "Fields that are none, and a note that is none, are passed over."
    Rag.from_documents(toy_documents(), generator, ENCODER, path=tmp_path/"index", progress=False)
    note = json.loads((tmp_path/"index"/"rag.json").read_text())
    for bad in ({**note, "kind": "other", "dtype": "object", "config": {**note["config"], "generator": {"trust_remote_code": True},
        "n_docs": [1]}},):
        (tmp_path/"index"/"rag.json").write_text(json.dumps(bad))
        assert Rag.from_pretrained(tmp_path/"index").model.config.n_docs == 5
    (tmp_path/"index"/"rag.json").write_text("{")
    assert len(Rag.from_pretrained(tmp_path/"index", generator=generator)) == len(toy_documents())


def test_the_documents_of_a_rag_change(tmp_path, generator):
    home = tmp_path/"h"; home.mkdir()
    for n in "abc": (home/f"{n}.md").write_text(f"# {n}\n\nText of {n}.")
    rag = Rag.from_documents(home, generator, ENCODER, path=tmp_path/"index", progress=False)
    assert len(rag) == 3 and bool(rag)
    (home/"a.md").write_text("# a\n\nOther."); (home/"b.md").unlink()
    assert rag.sync(home, progress=False)["changed"] == 1 and len(rag) == 2
    rag.add(home/"a.md", replace=True, progress=False)
    assert len(rag) == 2 and "a.md" in rag.retriever._documents()
    rag.delete(["a.md", "c.md"])
    assert len(rag) == 0 and bool(rag)


def test_the_cell_run_twice(tmp_path, generator, capsys):
    docs = toy_documents()
    one = Rag.from_documents(docs, generator, ENCODER, path=tmp_path/"index", progress=False)
    capsys.readouterr()
    two = Rag.from_documents(docs, generator, ENCODER, path=tmp_path/"index", progress=False)
    assert "opened" in capsys.readouterr().err
    same(one, two)
    with pytest.raises(ValueError, match="pass overwrite=True"): Rag.from_documents(docs[:3], generator, ENCODER, path=tmp_path/"index",
        progress=False)
    assert len(Rag.from_documents(docs[:3], generator, ENCODER, path=tmp_path/"index", overwrite=True, progress=False)) == 3


@pytest.mark.parametrize("name, says", [("no-such-name", "there is no folder 'no-such-name'"), (None, "not a value of type NoneType"), (3,
    "not a value of type int"), ("", "the name is empty"), ("EMPTY", "is empty: from_documents"),
    ("FILE", "is a file, not the folder"), ("DOCS", "is a folder of documents, not of an index"), ("OTHER",
        "is neither an index folder, which has a manifest.json, nor a checkpoint"), ("./nowhere/at/all", "there is no checkpoint at")])
def test_nonsense_gets_one_sentence(tmp_path, name, says):
    for n in ("EMPTY", "DOCS", "OTHER"): (tmp_path/n).mkdir()
    (tmp_path/"DOCS"/"a.md").write_text("# A"); (tmp_path/"OTHER"/"x.bin").write_bytes(b"x"); (tmp_path/"FILE").write_text("x")
    given = tmp_path/name if isinstance(name, str) and name.isupper() else name
    with pytest.raises((ValueError, TypeError, FileNotFoundError)) as e: Rag.from_pretrained(given)
    assert says in str(e.value) and "\n" not in str(e.value)
