"Question–answer sets from every source, and the batches made of them, against the tokenizers and `datasets` themselves."
import json, pickle, subprocess, sys

import numpy as np, pytest, torch
from torch.utils.data import DataLoader

from rag_nb import Questions, Rag, RagCollator, RagRetriever, RagTokenizer, read_questions
from rag_nb.core.config import RagConfig
from rag_nb.store.questions import _cell, _references
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

ROWS = [dict(id="a", question=" Who, exactly?  ", answers=["Ada", "Ada Lovelace"], document_ids=["1", "2"]),
        dict(id="b", question="¿Dónde está “la cura”?", answers=["in Łódź, «there»"], document_ids=["2"])]


@pytest.fixture(scope="module")
def questions(): return read_questions([dict(id=d, question=q, answer=a, document_id=d) for q, a, d in toy_questions()])


def rag_of(kind, n_docs=3, **config):
    encoder = toy_encoder()
    retriever = RagRetriever.from_documents(toy_documents(), encoder, progress=False)
    return Rag.from_parts(retriever, encoder, (toy_generator(kind), toy_tokenizer(kind)), n_docs=n_docs, **config)


# Prefill

def written(folder, ending):
    "ROWS in a file of each kind; tables hold lists as text."
    import datasets, pandas as pd
    path = folder/f"q.{ending}"
    if ending == "jsonl": path.write_text("\n\n".join(json.dumps(r) for r in ROWS), encoding="utf8")
    elif ending == "json": path.write_text(json.dumps(ROWS), encoding="utf-8-sig")
    elif ending == "parquet": datasets.Dataset.from_list(ROWS).to_parquet(path)
    else: pd.DataFrame([{**r, "answers": json.dumps(r["answers"]), "document_ids": str(r["document_ids"])} for r in ROWS]).to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    return path


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "tsv", "parquet"])
def test_every_file_says_the_same(tmp_path, ending):
    found = read_questions(written(tmp_path, ending))
    assert [{k: q[k] for k in ROWS[0]} for q in found] == ROWS  # the question's blanks included


def test_datasets_tables_and_frames():
    import datasets, pandas as pd, pyarrow as pa
    d = datasets.Dataset.from_list(ROWS)
    for source in (ROWS, iter(ROWS), d, d.to_iterable_dataset(), pd.DataFrame(ROWS), pa.Table.from_pylist(ROWS), d.with_format("numpy")):
        assert [{k: q[k] for k in ROWS[0]} for q in read_questions(source)] == ROWS


def test_a_frame_with_gaps():
    import pandas as pd
    q = read_questions(pd.DataFrame([dict(question="Why?", answer="so", document_id="d"), dict(question="How?", answer="thus", document_id=None)]))
    assert q.column("document_ids") == [["d"], []] and q.column("id") == ["0", "1"]


def squad_file():
    return dict(version="1.1", data=[dict(title="Johann_Bach", paragraphs=[
        dict(context="Bach was cantor in Leipzig.", qas=[dict(id="q1", question="Where?", answers=[dict(text="Leipzig", answer_start=19), dict(text="in Leipzig", answer_start=16)])]),
        dict(context="Bach was born in Eisenach.", qas=[dict(id="q2", question="Born where?", answers=[dict(text="Eisenach", answer_start=17)]),
                                                      dict(id="q3", question="Why?", answers=[], is_impossible=True)])])])


def test_squad_as_published_and_as_datasets_has_it(tmp_path):
    (tmp_path/"squad.json").write_text(json.dumps(squad_file()))
    published = read_questions(tmp_path/"squad.json", skip_unanswered=True)
    rows = [dict(id=q["id"], title="Johann Bach", context=p["context"], question=q["question"],
                 answers=dict(text=[a["text"] for a in q["answers"]], answer_start=[a["answer_start"] for a in q["answers"]]))
            for p in squad_file()["data"][0]["paragraphs"] for q in p["qas"]]
    assert published.columns == read_questions(rows, skip_unanswered=True).columns
    assert published.column("answers") == [["Leipzig", "in Leipzig"], ["Eisenach"]]
    assert published.documents() == [dict(id="0", title="Johann Bach", text="Bach was cantor in Leipzig."), dict(id="1", title="Johann Bach", text="Bach was born in Eisenach.")]
    assert published.column("document_ids") == [["0"], ["1"]]


def test_documents_of_a_set_make_an_index_that_finds_them():
    q = read_questions([dict(question=q, answer=a, title=d["title"], context=d["text"]) for (q, a, _), d in zip(toy_questions(), toy_documents())])
    retriever = RagRetriever.from_documents(q.documents(), toy_encoder(), n_words=None, progress=False)
    hits = retriever.find(q.column("question"), 1)
    assert [[hits.documents(b)[0]["id"]] for b in range(len(q))] == q.column("document_ids")


@pytest.mark.parametrize("value, means", [
    ("x", ["x"]), (" x ", ["x"]), ("", []), (["x", "y", "x"], ["x", "y"]), (("x",), ["x"]), (np.array(["x", "y"]), ["x", "y"]), (7, ["7"]), (1.5, ["1.5"]),
    ({"text": ["x"], "answer_start": [0]}, ["x"]), ({"text": [], "answer_start": []}, []), ([{"text": "x"}, {"text": "y"}], ["x", "y"]),
    ({"value": "x", "aliases": ["y"], "type": "W"}, ["x", "y"]), (True, None), ([None], None), ({"start": 1}, None), (b"x", None)])
def test_shapes_of_answers(value, means): assert _references(value) == means


@pytest.mark.parametrize("text, means", [
    ("plain", "plain"), ("[sic] he said", "[sic] he said"), ("[1]", [1]), ('["a", "b"]', ["a", "b"]), ("['a', \"b's\"]", ["a", "b's"]), ("['it\\'s']", ["it's"]),
    ("['a' 'b']", None), ("['a\\n' 'b']", None), ("{'text': ['a']}", {"text": ["a"]}), ("{'text': array(['a'], dtype=object)}", None), ("{x}", "{x}"),
    ("['a', __import__('os')]", "['a', __import__('os')]"), ("["*5000, "["*5000), ("", ""), (None, None)])
def test_cells_of_a_table(text, means): assert _cell(text) == means


def test_a_cell_that_numpy_printed_is_refused_by_name(tmp_path):
    (tmp_path/"q.csv").write_text("question,answers\nWhy?,\"['a' 'b']\"\n")
    with pytest.raises(ValueError, match=r"q\.csv line 2: its answers are a string, a list"): read_questions(tmp_path/"q.csv")


@pytest.mark.parametrize("rows, says", [
    ([], "no questions in the source"),
    ([dict(question="Why?")], "question 0 has no answer: it needs a string or a list under 'answers'.*has 'question'"),
    ([dict(question="Why?", answers=[])], "'Why\\?' has no answer; skip_unanswered=True"),
    ([dict(question="Why?", answers=None)], "skip_unanswered=True"),
    ([dict(question="Why?", answers=json.loads("["*400 + "]"*400))], "has no answer|its answers are"),
    ([dict(question="Why?", answers=[True])], "question 0: its answers are"),
    ([dict(question="  ", answer="x")], "empty question"),
    ([dict(question=None, answer="x")], "has no question"),
    ([dict(id="q", question="Why?", answer="x"), dict(id="q", question="How?", answer="y")], "question 1: the id 'q' was used before"),
    ([dict(question="Why\ud800?", answer="x")], "surrogate"),
    ([dict(question="Why?", answer="\udfff")], "surrogate")])
def test_what_is_wrong_is_named(rows, says):
    with pytest.raises(ValueError, match=says): read_questions(rows)


def test_sources_that_are_none(tmp_path):
    for source, says in [({"train": []}, "one split of a DatasetDict"), (3, "not as int"), ([3], "not int")]:
        with pytest.raises(TypeError, match=says): read_questions(source)
    with pytest.raises(FileNotFoundError, match="load_dataset"): read_questions("squad")
    for name, body, says in [("q.txt", "x", "unknown file type '.txt'"), ("q.csv", "a,b\n1,2\n", "no column 'question'.*'a', 'b'"), ("q.csv", "question,answer\nWhy?,x,y\n", "line 2: more fields"),
                             ("q.json", "{", "not valid JSON"), ("q.json", '{"a": 1}', "found a dict with 'a'"), ("q.json", "3", "found a int"), ("q.jsonl", "{}\n{", "line 2|no question"), ("q.parquet", "x", "not a readable Parquet")]:
        (tmp_path/name).write_text(body)
        with pytest.raises(ValueError, match=says): read_questions(tmp_path/name)
    (tmp_path/"latin.csv").write_bytes("question,answer\nWer?,Müller\n".encode("latin1"))
    with pytest.raises(ValueError, match="not UTF-8"): read_questions(tmp_path/"latin.csv")


def test_limit_ends_an_endless_stream():
    def endless():
        while True: yield dict(question="Why?", answer="so")
    assert len(read_questions(endless(), limit=7)) == 7


def test_it_reads_without_datasets_or_faiss(tmp_path):
    "The module and its reading need neither."
    path = written(tmp_path, "parquet")
    code = f"import sys; sys.modules['datasets'] = sys.modules['faiss'] = None; from rag_nb.store.questions import read_questions; print(len(read_questions({str(path)!r})))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "2\n"


# The set

def test_it_is_a_sequence(questions, tmp_path):
    assert [q["id"] for q in questions] == questions.column("id") and questions[-1]["id"] == "everest"
    assert questions[2:4].column("id") == questions[[2, 3]].column("id") == questions[np.arange(12) // 2 == 1].column("id") == ["honey", "baikal"]
    assert questions.shuffle(5).column("id") == questions.shuffle(5).column("id") != questions.column("id") != questions.shuffle(6).column("id")
    questions.save(tmp_path/"q.parquet")
    assert read_questions(tmp_path/"q.parquet").columns == questions.columns
    assert len(questions[[]]) == len(questions[3:3]) == len(questions[np.zeros(12, bool)]) == 0 and repr(questions[[]]) == "Questions(0)"
    for bad in (12, [12], np.ones(3, bool), "ada"):
        with pytest.raises((IndexError, TypeError)): questions[bad]
    with pytest.raises(ValueError, match="different lengths"): Questions({**questions.columns, "answers": []})
    assert "\x1b" not in repr(read_questions([dict(question="\x1b[31mred?", answer="\x1b[0m")]))


# Batches

@pytest.mark.parametrize("kind", ["bart", "t5", "mbart", "llama", "gpt2"])
def test_labels_are_the_answer_and_its_end(questions, kind):
    rag = rag_of(kind, answer_prefix=" " if kind in ("llama", "gpt2") else "")
    tok = rag.tokenizer.generator
    labels = RagCollator(rag.tokenizer, rag.model.config)([questions[i] for i in range(12)])["labels"]
    for row, q in zip(labels, questions):
        ids = row[row != -100].tolist()
        assert ids[-1] == tok.eos_token_id and (row[len(ids):] == -100).all()
        assert tok.decode(ids, skip_special_tokens=True).strip() == q["answers"][0]
        if kind in ("bart", "t5", "mbart"): assert ids == tok(text_target=q["answers"][0]).input_ids  # the family's own way


@pytest.mark.parametrize("spec", [dict(), dict(question_prefix="query: "), dict(question_prefix="query: ", question_max_length=6)])
def test_questions_are_tokenised_as_they_are_asked_later(questions, spec):
    "The ids give the very vector that `Rag.find` searches with."
    rag = rag_of("llama", **spec)
    batch = RagCollator(rag.tokenizer, rag.model.config)([questions[i] for i in range(12)])
    with torch.no_grad(): vectors = rag.model.rag.embed_questions(batch["input_ids"], batch["attention_mask"], batch.get("token_type_ids"))
    assert torch.allclose(vectors, rag.encoder(questions.column("question"), "question"), atol=1e-6)


@pytest.mark.parametrize("kind", ["bart", "llama"])
def test_the_model_reads_the_question_as_written(kind, monkeypatch):
    rag = rag_of(kind)
    asked = []
    real = rag.retriever.contexts
    monkeypatch.setattr(rag.retriever, "contexts", lambda questions, *a, **k: asked.append(list(questions)) or real(questions, *a, **k))
    odd = "Who WROTE  the first Computer-program – exactly?"
    out = rag.model(**RagCollator(rag.tokenizer, rag.model.config)([dict(question=odd, answer="Ada")]))
    assert asked == [[odd]] and torch.isfinite(out.loss)


def test_loss_of_a_batch_is_the_mean_of_its_parts(questions):
    "Padding of one question by another changes nothing."
    for kind in ("bart", "llama"):
        rag = rag_of(kind)
        collate = RagCollator(rag.tokenizer, rag.model.config)
        with torch.no_grad():
            together = rag.model(**collate([questions[i] for i in range(4)]), reduce_loss=False).loss
            alone = torch.cat([rag.model(**collate([questions[i]]), reduce_loss=False).loss for i in range(4)])
        assert torch.allclose(together, alone, atol=1e-3, rtol=1e-4)


def test_the_draw_depends_on_seed_epoch_and_question_alone():
    rows = [dict(question=f"Question {i}?", answers=["a", "b", "c", "d"]) for i in range(200)]
    rag_tok, config = RagTokenizer(toy_tokenizer(), toy_tokenizer("llama")), RagConfig(generator=toy_generator("llama").config.to_dict())
    def draw(epoch=0, seed=0, rows=rows):
        c = RagCollator(rag_tok, config, choose="random", seed=seed); c.set_epoch(epoch)
        return [c.answer_of(r) for r in rows]
    assert draw() == draw() and draw(rows=rows[::-1]) == draw()[::-1]
    assert draw() != draw(epoch=1) and draw() != draw(seed=1)
    assert all(30 < draw().count(x) < 70 for x in "abcd")  # of 200, 50 expected
    assert set(RagCollator(rag_tok, config).answer_of(r) for r in rows) == {"a"}


@pytest.mark.parametrize("kind", ["bart", "t5", "llama"])
def test_limits(kind):
    rag, rows = rag_of(kind), [dict(question="one two three four five six", answer="abcdefghij"), dict(question="one", answer="abc")]
    tok = rag.tokenizer.generator
    whole = RagCollator(rag.tokenizer, rag.model.config)(rows)
    cut = RagCollator(rag.tokenizer, rag.model.config, max_question_length=4, max_answer_length=6)(rows)
    assert cut["input_ids"].shape == (2, 4) and cut["labels"].shape == (2, 6)
    assert cut["labels"][0, -1] == tok.eos_token_id and cut["labels"][0, :5].tolist() == whole["labels"][0, :5].tolist()
    assert torch.equal(cut["labels"][1], whole["labels"][1, :6])  # short enough: as it was
    assert cut["questions"] == [r["question"] for r in rows]
    for bad, says in [(dict(max_answer_length=1), "2 or more"), (dict(choose="best"), "'best'")]:
        with pytest.raises(ValueError, match=says): RagCollator(rag.tokenizer, rag.model.config, **bad)


def test_kept_columns_and_examples_that_are_none(questions):
    rag = rag_of("llama")
    batch = RagCollator(rag.tokenizer, rag.model.config, keep=("id", "answers", "mine"))([dict(questions[0], mine=5), dict(questions[1], mine=6)])
    assert batch["id"] == ["ada", "octopus"] and batch["answers"] == [["Ada Lovelace"], ["three"]] and batch["mine"] == [5, 6]
    with pytest.raises(ValueError, match="no column 'mine'"): RagCollator(rag.tokenizer, rag.model.config, keep=("mine",))([questions[0]])
    with pytest.raises(ValueError, match="example 1.*no answer to learn"): RagCollator(rag.tokenizer, rag.model.config)([questions[0], dict(question="Why?", answers=[])])


def test_workers_give_the_same_batches(questions):
    rag = rag_of("llama")
    collate = RagCollator(rag.tokenizer, rag.model.config, choose="random", seed=1)
    assert pickle.loads(pickle.dumps(collate)).answer_of(questions[0]) == "Ada Lovelace"
    batches = [list(DataLoader(questions, batch_size=5, collate_fn=collate, num_workers=n)) for n in (0, 2)]
    for a, b in zip(*batches, strict=True):
        assert a["questions"] == b["questions"] and all(torch.equal(a[k], b[k]) for k in ("input_ids", "attention_mask", "labels"))


@pytest.mark.parametrize("kind", ["bart", "llama"])
def test_the_trainer_takes_it(questions, kind, tmp_path):
    "Two steps of Transformers' Trainer, on our own set and on one of `datasets`; the questions arrive in forward."
    import datasets
    from transformers import Trainer, TrainingArguments
    for data in (questions[:4], datasets.Dataset.from_list([{k: q[k] for k in ("id", "question", "answers")} for q in questions[:4]])):
        rag = rag_of(kind, n_docs=2)
        args = TrainingArguments(output_dir=str(tmp_path/kind), per_device_train_batch_size=2, max_steps=2, learning_rate=1e-2, report_to=[], remove_unused_columns=False,
                                 save_strategy="no", disable_tqdm=True, use_cpu=True, logging_steps=1)
        before = rag.model.generator.get_input_embeddings().weight.clone()
        trainer = Trainer(model=rag.model, args=args, train_dataset=data, data_collator=RagCollator(rag.tokenizer, rag.model.config))
        trainer.train()
        losses = [x["loss"] for x in trainer.state.log_history if "loss" in x]
        assert len(losses) == 2 and all(np.isfinite(losses)) and not torch.equal(before, rag.model.generator.get_input_embeddings().weight)
