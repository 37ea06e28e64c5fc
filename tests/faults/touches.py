"""What the package changes on the disk, runs and connects to, seen by the kernel: every system call of a process that does one thing.

    python -m tests.faults.touches          a JSON object: for each thing done, what it touched outside the folder it was given

Linux on x86-64 only, like the fault matrix, whose tracer this uses.
"""
import json, os, sys, tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1"); os.environ["TQDM_DISABLE"] = "1"; os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.dont_write_bytecode = True
from tests.faults import trace


def documents():
    from rag_nb.core.toy import toy_documents
    return toy_documents()

def imports(folder):
    import rag_nb
    for name in ("Rag", "RagRetriever", "RagConfig", "IndexFolder"): getattr(rag_nb, name)

def a_folder(folder):
    "Build, open, search, add, delete, compact, save."
    from rag_nb import RagRetriever
    from rag_nb.core.toy import toy_encoder
    r = RagRetriever.from_documents(documents(), toy_encoder(), path=folder/"index", index_kind="hnsw", progress=False)
    r.add([{"id": "new", "text": "Salt draws water out of a cucumber."}], progress=False); r.delete("tea"); r.compact()
    r.find("What is salt?", 2)
    r.save_pretrained(folder/"copy")
    RagRetriever.from_pretrained(folder/"copy", encoder=toy_encoder(), verify=True)

def questions(folder):
    "Answer from toy models, and show the answer in every way."
    from rag_nb import Rag, RagRetriever
    from rag_nb.show.html import answer_json, answer_terminal, page_html
    from rag_nb.core.toy import toy_encoder, toy_generator, toy_tokenizer
    rag = Rag.from_parts(RagRetriever.from_documents(documents(), toy_encoder(), progress=False), toy_encoder(),
        (toy_generator("llama"), toy_tokenizer("llama")))
    a = rag.ask("What is tea?", max_new_tokens=4)
    page_html(a), answer_terminal(a), answer_json(a)

def the_demo(folder):
    "The built-in models, when they are in the cache."
    from rag_nb import Rag
    Rag.demo().ask("Which river flows through Warsaw?", max_new_tokens=3, num_beams=1)

def the_command_line(folder):
    from rag_nb.cli import main
    (folder/"docs.jsonl").write_text(json.dumps({"text": "Salt draws water out of a cucumber."}))
    out = os.dup(1); os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    codes = [main(["index", str(folder/"docs.jsonl"), "--out", str(folder/"index")]), main(["index", "--check", str(folder/"index")]),
        main(["ask", "What does salt do?", "--index", str(folder/"index"), "--html", str(folder/"page.html")])]
    os.dup2(out, 1)
    assert codes == [0, 0, 0], codes

def touched(what):
    "Everything outside its folder that one of these changed, ran or connected to; an error if it failed."
    with tempfile.TemporaryDirectory() as d:
        d = os.path.realpath(d)
        out = trace.run(lambda: what(Path(d)) and None, "/")
        if out.ended != "returned": raise RuntimeError(f"{what.__name__}: {out.ended} {out.value}\n{out.traceback}")
        ours = lambda p: p == d or p.startswith(d + "/") or not p.startswith("/") or p.startswith(("/dev/null", "/dev/pts", "/dev/tty",
            "/dev/shm", "/proc/self")) or p.endswith("(deleted)")
        return sorted({f"{c.name} {c.path}" for c in out.calls
            if c.name in ("connect", "execve") or not (ours(c.path) and ours(c.to or c.path))})

def main():
    if not trace.AVAILABLE: sys.exit("this traces system calls, which it can on Linux on x86-64 only")
    things = [imports, a_folder, questions]
    from rag_nb.demo.defaults import MINILM, SMOLLM2, cache_dir, is_whole
    if is_whole(cache_dir()/f"all-MiniLM-L6-v2-{MINILM.version}") and is_whole(cache_dir()/f"SmolLM2-135M-Instruct-{SMOLLM2.version}"):
        things += [the_demo, the_command_line]
    print(json.dumps({f.__name__.replace("_", " "): touched(f) for f in things}, indent=1))

if __name__ == "__main__": main()
