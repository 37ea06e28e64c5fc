"Long work: a file of questions answered into a file, killed, interrupted, torn and gone on with; in bounded memory."
import json, os, signal, subprocess, sys, time
from pathlib import Path

import pytest, torch

from rag_nb import Rag
from rag_nb.scale.batch import LONGEST, _rows, count_questions
from rag_nb.show.html import answer_json
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = dict(n_docs=2, max_new_tokens=3)
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1"}
TOY = """
import json, os, sys, torch
from rag_nb import Rag; from rag_nb import cli
from rag_nb.core.toy import *
torch.set_num_threads(1)
def toy(*_): return Rag.from_documents(toy_documents(), generator=(toy_generator("llama", seed=0), toy_tokenizer(kind="llama")), encoder=toy_encoder(), progress=False)
"""
CLI = TOY + "cli._open = toy\nsys.exit(cli.main())"
WORDS = ["--index", "any", "--n-docs", "2", "--max-new-tokens", "3"]


def toy(documents=slice(None), seed=0):
    torch.set_num_threads(1)
    return Rag.from_documents(toy_documents()[documents], generator=(toy_generator("llama", seed=seed), toy_tokenizer(kind="llama")), encoder=toy_encoder(), progress=False)


@pytest.fixture(scope="module")
def rag(): return toy()


def asked(n):
    "n questions, no two the same."
    known = [q for q, *_ in toy_questions()]
    return [f"{known[i % len(known)]} {i}" for i in range(n)]


def questions_file(path, questions):
    "A JSONL file of questions with ids."
    path.write_text("".join(json.dumps({"id": f"q{i}", "question": q}) + "\n" for i, q in enumerate(questions)), encoding="utf8")
    return path


def lines(path): return [json.loads(l) for l in Path(path).read_text(encoding="utf8").splitlines()]


def process(code, *words, **kw):
    "A Python process with some code and words, its output in pipes."
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **{"env": ENV, **kw})  # jobs in the background ignore SIGINT, and children inherit that


def wait_for(path, n, p):
    "Until a file has n lines; the process must not have ended meanwhile."
    until = time.monotonic() + 240
    while not path.exists() or path.read_bytes().count(b"\n") < n:
        assert p.poll() is None, p.stderr.read().decode()[-2000:]
        assert time.monotonic() < until, "no answers came"
        time.sleep(.005)


# Stopped, and gone on

@pytest.fixture(scope="module")
def whole(rag, tmp_path_factory):
    "A file of 300 questions, and the answers of a run that nothing happened to."
    room = tmp_path_factory.mktemp("whole")
    questions = questions_file(room/"q.jsonl", asked(300))
    done = rag.ask_file(questions, room/"a.jsonl", **SETTINGS)
    assert done == dict(questions=300, answered=300, errors=0, before=0)
    return questions, (room/"a.jsonl").read_bytes()


def test_killed_and_gone_on(whole, tmp_path):
    "SIGKILL in the middle, three times over; in the end the file is that of the run that was left alone, byte for byte."
    questions, data = whole
    out = tmp_path/"a.jsonl"
    for n in (20, 110, 200):
        p = process(CLI, "ask", "--file", questions, "--output", out, *WORDS)
        wait_for(out, n, p)
        p.kill(); p.wait(60)
        left = out.read_bytes()
        assert n <= left.count(b"\n") < 300 and data.startswith(left)
    p = process(CLI, "ask", "--file", questions, "--output", out, *WORDS)
    said = p.communicate(timeout=300)
    assert p.returncode == 0 and not said[0] and b"300 questions: 300 answered" in said[1]
    assert out.read_bytes() == data


def test_ctrl_c(whole, tmp_path):
    "SIGINT: exit code 130, a file of whole lines, and a word on how to go on."
    questions, data = whole
    out = tmp_path/"a.jsonl"
    p = process(CLI, "ask", "--file", questions, "--output", out, *WORDS)
    wait_for(out, 20, p)
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=120)
    left = out.read_bytes()
    assert p.returncode == 130 and b"of 300 questions" in err and b"goes on from there" in err and b"Traceback" not in err
    assert 20 <= left.count(b"\n") < 300 and left.endswith(b"\n") and data.startswith(left)


@pytest.mark.parametrize("share", [0, .0001, .1, .31, .5, .77, .99, .99999])
def test_cut_anywhere(rag, whole, tmp_path, share):
    "Whatever piece of the file is left, with half a line at its end or none, the rest follows as it would have."
    questions, data = whole
    out, cut = tmp_path/"a.jsonl", int(share*len(data))
    rag.ask_file(questions_file(tmp_path/"few.jsonl", asked(1)), out, **SETTINGS)          # describes the run beside it
    out.write_bytes(data[:cut])
    done = rag.ask_file(questions, out, **SETTINGS)
    assert done == dict(questions=300, answered=300, errors=0, before=data[:cut].count(b"\n")) and out.read_bytes() == data


def test_another_size_of_batch_gives_the_same_answers(rag, whole, tmp_path):
    questions, data = whole
    rag.ask_file(questions, tmp_path/"a.jsonl", batch_size=7, **SETTINGS)
    for one, other in zip(lines(tmp_path/"a.jsonl"), map(json.loads, data.splitlines())):
        assert [one[k] for k in ("row", "id", "question", "answer")] == [other[k] for k in ("row", "id", "question", "answer")]


def test_a_line_is_what_ask_gives(rag, whole):
    "In the order of the questions, each the answer to its own."
    data = list(map(json.loads, whole[1].splitlines()))
    for i in (0, 1, 137, 299):
        alone = answer_json(rag.ask(asked(300)[i], **SETTINGS))
        assert data[i]["row"] == i and data[i]["id"] == f"q{i}" and data[i]["answer"] == alone["answer"] and list(data[i])[2:] == list(alone)
        for one, other in zip(data[i]["tokens"], alone["tokens"]): assert one["logprob"] == pytest.approx(other["logprob"], abs=1e-4)


# A file that belongs to something else

@pytest.fixture
def half(rag, tmp_path):
    "Questions, and a file with the answers to the first half of them."
    questions = questions_file(tmp_path/"q.jsonl", asked(8))
    rag.ask_file(asked(4), tmp_path/"x.jsonl", **SETTINGS)
    rag.ask_file(questions_file(tmp_path/"first.jsonl", asked(4)), tmp_path/"a.jsonl", **SETTINGS)
    return questions, tmp_path/"a.jsonl"


@pytest.mark.parametrize("make, more, says", [
    (toy, dict(n_docs=3), "n_docs was 2 and is 3"), (toy, dict(max_new_tokens=4), "max_new_tokens was 3 and is 4"), (toy, dict(num_beams=2), "num_beams was"),
    (toy, dict(kind="sequence"), "kind was 'token'"), (lambda: toy(seed=1), {}, "weights was"), (lambda: toy(slice(1, None)), {}, "passages was 12 and is 11")])
def test_other_settings(half, make, more, says):
    before = half[1].read_bytes()
    with pytest.raises(ValueError, match=says) as e: make().ask_file(*half, **{**SETTINGS, **more})
    assert "a.jsonl" in str(e.value) and "overwrite" in str(e.value) and half[1].read_bytes() == before
    done = make().ask_file(*half, **{**SETTINGS, **more}, overwrite=True)
    assert done["questions"] == 8 and done["before"] == 0


def test_an_index_of_the_same_size_with_other_passages(half):
    "Names and numbers do not tell two indexes apart; what is in them does."
    docs = [dict(d, text=d["text"].replace("sugar", "glucose")) for d in toy_documents()]
    assert docs != toy_documents()
    other = Rag.from_documents(docs, generator=(toy_generator("llama", seed=0), toy_tokenizer(kind="llama")), encoder=toy_encoder(), progress=False)
    with pytest.raises(ValueError, match="knowledge was"): other.ask_file(*half, **SETTINGS)


def test_other_questions(rag, half, tmp_path):
    before = half[1].read_bytes()
    other = asked(8); other[2] = "Who was Ada?"
    with pytest.raises(ValueError, match="its line 3 answers .*this question is 'Who was Ada\\?'"): rag.ask_file(questions_file(tmp_path/"other.jsonl", other), half[1], **SETTINGS)
    with pytest.raises(ValueError, match="more lines than there are questions"): rag.ask_file(questions_file(tmp_path/"fewer.jsonl", asked(2)), half[1], **SETTINGS)
    assert half[1].read_bytes() == before
    assert rag.ask_file(*half, **SETTINGS) == dict(questions=8, answered=8, errors=0, before=4)


def test_a_line_that_was_damaged_is_named(rag, half):
    half[1].write_bytes(half[1].read_bytes().replace(b'{"row": 2', b'{"row" 2'))
    with pytest.raises(ValueError, match="a.jsonl, line 3: damaged"): rag.ask_file(*half, **SETTINGS)


def test_somebody_elses_file_is_not_touched(rag, tmp_path):
    letter = tmp_path/"letter.txt"
    letter.write_text("Dear Ada, no newline at the end")
    with pytest.raises(FileExistsError, match="letter.txt is there already"): rag.ask_file(["What is tea?"], letter, **SETTINGS)
    assert letter.read_text() == "Dear Ada, no newline at the end"
    with pytest.raises(IsADirectoryError): rag.ask_file(["What is tea?"], tmp_path, **SETTINGS)
    with pytest.raises(FileNotFoundError, match="no folder"): rag.ask_file(["What is tea?"], tmp_path/"no/a.jsonl", **SETTINGS)


@pytest.mark.parametrize("beside", ["", "[]", '{"settings": {}}', '{"settings": {}, "batch_size": -1}', "\0", "[" * 100_000])
def test_a_damaged_description(rag, half, beside):
    half[1].with_name("a.jsonl.run").write_text(beside)
    with pytest.raises(ValueError, match="a.jsonl.run is damaged"): rag.ask_file(*half, **SETTINGS)


def test_two_at_once(rag, half):
    class Meddling:
        def __iter__(self):
            with pytest.raises(FileExistsError, match="another run is writing"): rag.ask_file(*half, **SETTINGS)
            yield from asked(2)
    assert rag.ask_file(Meddling(), half[1], overwrite=True, **SETTINGS)["answered"] == 2


# Questions of all kinds

def test_bad_questions_have_their_line(rag, tmp_path):
    "Empty, no text, not UTF-8, no JSON, without end, too long for the context: a line that says so, and the others are answered."
    long = "why " * 4000
    raw = [b'{"question": "What is tea?"}', b'{"question": ""}', b"{", b'{"question": "\xff"}', b'{"id": "n", "question": 7}', b'{"text": "What is tea?"}', b'"Who was Ada?"', b'{"question": "\\ud800"}',
           json.dumps({"question": "x" * (LONGEST + 5)}).encode(), json.dumps({"id": "long", "question": long}).encode(), b"[" * 100_000, b'{"question": null}', b'[1]', b'{"id": "\\u001b[2J", "question": "Where?"}']
    (tmp_path/"q.jsonl").write_bytes(b"\n".join(raw) + b"\n")
    done = rag.ask_file(tmp_path/"q.jsonl", tmp_path/"a.jsonl", **SETTINGS)
    found = lines(tmp_path/"a.jsonl")
    assert [l["row"] for l in found] == list(range(len(raw))) and done == dict(questions=14, answered=3, errors=11, before=0)
    assert [i for i, l in enumerate(found) if "error" not in l] == [0, 6, 13]
    said = [l.get("error") for l in found]
    for i, word in {1: "empty", 2: "not valid JSON", 3: "not UTF-8", 4: "a int, not a string", 5: "no 'question', only 'text'", 7: "surrogate", 8: "longer than 1,048,576 bytes", 9: "question and its frame take", 10: "not valid JSON", 11: "NoneType", 12: "list"}.items(): assert word in said[i], (i, said[i])
    assert found[4]["id"] == "n" and found[9]["id"] == "long" and len(found[9]["question"]) == 200 and all(set(l) == {"row", "id", "question", "error"} for l in found if "error" in l)
    assert max(map(len, filter(None, said))) <= 500 and b"\x1b" not in (tmp_path/"a.jsonl").read_bytes()
    again = (tmp_path/"a.jsonl").read_bytes()
    assert rag.ask_file(tmp_path/"q.jsonl", tmp_path/"a.jsonl", **SETTINGS)["before"] == 14 and (tmp_path/"a.jsonl").read_bytes() == again


def test_one_bad_question_does_not_change_its_neighbours(rag, tmp_path):
    rag.ask_file(["What is tea?", "why " * 4000, "Who was Ada?"], tmp_path/"a.jsonl", **SETTINGS)
    found = lines(tmp_path/"a.jsonl")
    assert [l["answer"] for l in found if "error" not in l] == [a.text for a in rag.ask(["What is tea?", "Who was Ada?"], **SETTINGS)] and "error" in found[1]


def test_what_is_nobodys_question_ends_the_run(rag, tmp_path, monkeypatch):
    "An index that is gone is not ten thousand bad questions."
    def gone(*a, **k): raise ValueError("the index was rewritten; open it again")
    monkeypatch.setattr(rag.retriever, "search", gone)
    with pytest.raises(ValueError, match="rewritten"): rag.ask_file(asked(5), tmp_path/"a.jsonl", **SETTINGS)
    assert (tmp_path/"a.jsonl").read_bytes() == b""
    monkeypatch.undo()
    assert rag.ask_file(asked(5), tmp_path/"a.jsonl", **SETTINGS)["answered"] == 5


def test_kinds_of_files(rag, tmp_path):
    "The same questions from each kind of file give the same lines, whatever else stands in it."
    import pyarrow as pa, pyarrow.parquet as pq
    rows = [dict(id=str(i + 7), question=q, answers=["x"], note="1,2") for i, q in enumerate(['What is "tea", then?', "Who was Ada?", "Wo liegt Köln?"])]
    head = "id,question,note\n"
    (tmp_path/"a.csv").write_text(head + "".join('%s,"%s","%s"\n' % (r["id"], r["question"].replace('"', '""'), r["note"]) for r in rows), encoding="utf-8-sig")
    (tmp_path/"b.tsv").write_text(head.replace(",", "\t") + "".join('%s\t"%s"\t%s\n' % (r["id"], r["question"].replace('"', '""'), r["note"]) for r in rows), encoding="utf8")
    (tmp_path/"c.json").write_text(json.dumps(rows)); pq.write_table(pa.Table.from_pylist(rows), tmp_path/"d.parquet")
    (tmp_path/"e.jsonl").write_bytes(b"\xef\xbb\xbf\r\n" + "\r\n".join(map(json.dumps, rows)).encode())
    (tmp_path/"f.txt").write_bytes("\r\n".join(r["question"] for r in rows).encode("utf-8-sig"))
    wanted = [(r["id"], r["question"]) for r in rows]
    for path in sorted(tmp_path.iterdir()):
        assert count_questions(path) == 3
        ids = [str(i) for i in range(3)] if path.suffix == ".txt" else [w[0] for w in wanted]
        assert [(r.id, r.question, r.error) for r in _rows(path)] == [(i, q, None) for i, (_, q) in zip(ids, wanted)], path.name
    assert rag.ask_file(tmp_path/"d.parquet", tmp_path/"out", **SETTINGS)["answered"] == 3


def test_tables_with_bad_rows(tmp_path):
    (tmp_path/"q.csv").write_bytes(b"id,question\na,What is tea?\nb,\nc\nd,\xff\ne,\"" + b"x"*200_000 + b"\"\nf,Who was Ada?,more\n")
    found = list(_rows(tmp_path/"q.csv"))
    assert [r.id for r in found if r.error is None] == ["a", "f"] and len(found) >= 6
    (tmp_path/"none.csv").write_text("id,text\n1,What is tea?\n")
    with pytest.raises(ValueError, match="none.csv: no column 'question'"): list(_rows(tmp_path/"none.csv"))


@pytest.mark.parametrize("source, error", [("no/such.jsonl", FileNotFoundError), ("What is tea?", FileNotFoundError), (7, TypeError), (b"What?", TypeError), ({"question": "What?"}, TypeError)])
def test_no_questions(rag, tmp_path, source, error):
    with pytest.raises(error): rag.ask_file(source, tmp_path/"a.jsonl", **SETTINGS)


def test_files_of_unknown_kind(rag, tmp_path):
    (tmp_path/"q.pdf").write_text("What is tea?")
    with pytest.raises(ValueError, match="unknown file type '.pdf'"): rag.ask_file(tmp_path/"q.pdf", tmp_path/"a.jsonl", **SETTINGS)
    (tmp_path/"q.txt").write_text("What is tea?")
    with pytest.raises(ValueError, match="holds the questions"): rag.ask_file(tmp_path/"q.txt", tmp_path/"q.txt", overwrite=True, **SETTINGS)
    assert (tmp_path/"q.txt").read_text() == "What is tea?"


# The command

def test_a_pipe():
    "Questions on standard input, answers on standard output, with nothing around them."
    p = process(CLI, "ask", "--file", "-", *WORDS, stdin=subprocess.PIPE)
    out, err = p.communicate("What is tea?\n\nWer war Ada Löwe?\n".encode(), timeout=300)
    found = [json.loads(l) for l in out.decode().splitlines()]
    assert p.returncode == 1 and [l["question"] for l in found] == ["What is tea?", "", "Wer war Ada Löwe?"] and [l["row"] for l in found] == [0, 1, 2]
    assert "error" in found[1] and list(found[0]) == ["row", "id", "question", "answer", "support", "refused", "guess", "documents", "tokens"] and b"3 questions: 2 answered, 1 with an error" in err


def test_a_pipe_of_json_to_a_file(tmp_path):
    p = process(CLI, "ask", "--file", "-", "--output", tmp_path/"a.jsonl", "--batch-size", "2", *WORDS, stdin=subprocess.PIPE)
    out, err = p.communicate(b'{"id": "x", "question": "What is tea?"}\n{"id": "y", "question": "Who was Ada?"}\n', timeout=300)
    assert p.returncode == 0 and not out and [l["id"] for l in lines(tmp_path/"a.jsonl")] == ["x", "y"], err


@pytest.mark.parametrize("words, says", [
    (["ask", "--index", "x"], "takes one question, or --file"), (["ask", "Why?", "--file", "q.txt", "--index", "x"], "takes one question, or --file"), (["ask", "Why?", "--output", "a", "--index", "x"], "--output goes with --file"),
    (["ask", "Why?", "--batch-size", "3", "--index", "x"], "--batch-size goes with --file"), (["ask", "--file", "/no/such.txt", "--index", "x"], "/no/such.txt"), (["ask", "--file", "-", "--html", "x.html", "--index", "x"], "--html shows one answer"),
    (["ask", "--file", "-", "--output", "/no/such/a.jsonl", "--index", "x"], "/no/such"), (["ask", "--file", "-", "--batch-size", "0", "--index", "x"], "--batch-size 0")])
def test_errors_before_any_model_is_loaded(words, says, capsys, monkeypatch):
    from rag_nb import cli
    monkeypatch.setattr(cli, "_open", lambda *a: pytest.fail("a model was loaded"))
    assert cli.main(words) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and says in err


def test_what_is_printed_does_nothing_to_a_terminal(capsys):
    from rag_nb import cli
    assert cli.main(["\x1b[2Jdance\u202e"]) == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err and "\u202e" not in err and "dance" in err


def test_json_for_a_terminal(rag):
    "Control characters, marks of direction and line separators stand by their number; the value is the same."
    from rag_nb.show.html import json_text
    answer = answer_json(rag.ask("What is tea?\x9b31m\u202e\u2028<b>\x1b", **SETTINGS))
    text = json_text(answer)
    assert json.loads(text) == answer and not [c for c in text if not c.isprintable()]


# Memory

MEMORY = TOY + """
import gc, resource
n = int(sys.argv[1]); rag = toy()
rag.model.config.passage_cache_bytes = 2**22    # full long before the end: it too is bounded
def questions():
    for i in range(n): yield f"Which shrub does tea number {i} come from? " + "x"*260     # contexts too long for the tokenizer's own cache of 10,000 pieces of text
def rss(): return int(open("/proc/self/statm").read().split()[1])*resource.getpagesize()
rag.ask_file(list(questions())[:32], sys.argv[2] + ".warm", n_docs=2, max_new_tokens=2)
gc.collect(); before = rss()
done = rag.ask_file(questions(), sys.argv[2], n_docs=2, max_new_tokens=2)
peak = int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])*1024
print(json.dumps(dict(done, before=before, grown=rss() - before, peak=peak)))
"""

STEADY = {**ENV, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_ARENA_MAX": "1"}   # glibc gives back at once what is freed

@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_memory_does_not_grow_with_the_number_of_questions(tmp_path):
    "Ten times as many questions, the same peak, within a few per cent; and a file that is ten times as long."
    peak = {}
    for n in (200, 2000):
        out, err = process(MEMORY, n, tmp_path/f"{n}.jsonl", env=STEADY).communicate(timeout=500)
        found = json.loads(out.decode().splitlines()[-1]) if out else pytest.fail(err.decode()[-2000:])
        assert found["answered"] == n
        peak[n] = found["peak"]
    sizes = [(tmp_path/f"{n}.jsonl").stat().st_size for n in peak]
    assert sizes[1] > 9*sizes[0]
    assert peak[2000] < 1.05*peak[200] and peak[2000] - peak[200] < 16*2**20, peak
