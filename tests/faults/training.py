"""Training that is killed while it writes a checkpoint, and goes on.

    python -m tests.faults.training              a sample
    python -m tests.faults.training --kills 200  as SECURITY.md counts them

A short training is run in a child process, and at one of its system calls that change something in a checkpoint it is killed, killed
when half of the bytes were written, cut off from power (what no fsync had reached is lost), or told that the disk is full. Then
training goes on with resume=True in another process. It has to go on from a checkpoint no older than the last whole one, and to end
in the weights, the vectors and the log of the run that was left alone, bit for bit. A full disk has to end in an error that explains itself.
"""
import argparse, errno, hashlib, json, os, random, re, shutil, sys, tempfile, time, warnings
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1"); os.environ.setdefault("TQDM_DISABLE", "1"); os.environ.setdefault("HF_HUB_OFFLINE", "1")
import peft, torch, transformers  # noqa: F401 (imported here, so that every child has them)

from rag_nb.core.answer import Rag
from rag_nb.core.retriever import RagRetriever
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer
from rag_nb.core.train import find_checkpoint, finetune
from tests.faults import trace
from tests.faults.matrix import explains, must

torch.set_num_threads(1)
DATA = [dict(question=q, answers=[a], document_id=d) for q, a, d in toy_questions()]
COMMON = dict(use_cpu=True, progress=False, max_steps=6, save_strategy="steps", save_steps=2, per_device_train_batch_size=3, logging_steps=2, learning_rate=1e-3, seed=1, merge=False)
RUNS = {
    "adapters": dict(train=("generator", "question_encoder", "score_scale"), adapters=2, gradient_accumulation_steps=2),
    "all weights, one kept": dict(train="generator", save_total_limit=1),
    "passages that move": dict(train=("question_encoder", "passage_encoder"), reindex_every=2, cache_retrieval=True, likelihood=0., contrast=1., include_gold=True),
}
WAYS = ("killed", "torn write", "power cut", "full disk")


def trained(path, name, **more):
    "The fingerprint of weights, vectors and log at the end of a run."
    torch.manual_seed(0)
    encoder = toy_encoder()
    retriever = RagRetriever.from_documents(toy_documents(), encoder, progress=False)
    rag = Rag.from_parts(retriever, encoder, (toy_generator("llama"), toy_tokenizer("llama")), n_docs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = finetune(rag, DATA, path, **COMMON, **RUNS[name], **more)
    h = hashlib.sha256()
    for n, p in rag.model.named_parameters(): h.update(n.encode()); h.update(p.detach().numpy().tobytes())
    h.update(rag.retriever.index.vectors(torch.arange(12)).numpy().tobytes())
    lines = [{k: v for k, v in l.items() if "per_second" not in k and "runtime" not in k and not k.startswith("train_") and k != "total_flos"} for l in done.log if "train_runtime" not in l]
    h.update(json.dumps(lines, sort_keys=True).encode())
    return h.hexdigest()

def start_of(path):
    "The step that resume=True goes on from; 0 for the beginning."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try: at = find_checkpoint(path, True)
        except ValueError as e: assert "there is no checkpoint in" in str(e), e; at = None
    return int(re.search(r"\d+$", at)[0]) if at else 0

def _suits(how, call):
    if "checkpoint-" not in call.path + call.to: return False
    if how == "torn write": return "write" in call.name
    return how != "full disk" or call.name in trace.ROOM

def at_point(name, n, how, want):
    "Run, let the n-th point go wrong, go on; 'equal', or a complaint that begins with '!'."
    tmp = Path(tempfile.mkdtemp(prefix="training-"))
    path, begun, hit = tmp/"run", [0], []
    def decide(i, call):
        if hit and how != "full disk": return None
        if (m := re.search(r"checkpoint-(\d+)", call.to or call.path)) and not hit: begun[0] = max(begun[0], int(m[1]))
        if how == "full disk":
            if i >= n and call.name in trace.ROOM: hit.append(call); return errno.ENOSPC
        elif i == n: hit.append(call); return "tear" if how == "torn write" else "kill"
    try:
        out = trace.run(lambda: trained(path, name), path, decide)
        if how == "power cut":
            for lost in out.unsynced:
                if os.path.isfile(lost): os.truncate(lost, 0)
        if how == "full disk" and hit and not (out.ended == "returned" or explains(out, "could not be written")): return f"! ended with {out.ended} {out.value}\n{out.traceback}", hit
        start = must(trace.forked(lambda: start_of(path)))
        if start < begun[0] - 2: return f"! checkpoint-{begun[0]} was being written, and training would go on from step {start}", hit
        found = must(trace.forked(lambda: trained(path, name, resume=start > 0)))
        left = [p.name for p in path.glob("checkpoint-*") if not re.fullmatch(r"checkpoint-\d+", p.name)]
        if left: return f"! left lying about: {left}", hit
        return ("equal" if found == want else "! the end is another one"), hit
    except Exception as e: return f"! {type(e).__name__}: {e}", hit
    finally: shutil.rmtree(tmp, ignore_errors=True)

def main(argv=None):
    args = argparse.ArgumentParser(prog="python -m tests.faults.training", description=__doc__.split("\n")[0])
    args.add_argument("--kills", type=int, default=12, help="how many runs are killed")
    args.add_argument("--seed", type=int, default=0)
    args = args.parse_args(argv)
    if not trace.AVAILABLE: sys.exit("the training faults trace system calls, which they can on Linux on x86-64 only")
    rng, began, tally, bad, points, want = random.Random(args.seed), time.time(), Counter(), [], {}, {}
    for name in RUNS:
        with tempfile.TemporaryDirectory(prefix="training-") as tmp:
            out = trace.run(lambda: trained(Path(tmp)/"run", name), Path(tmp)/"run")
            want[name], points[name] = must(out), out.calls
        print(f"  {name}: {len(out.calls)} system calls", file=sys.stderr, flush=True)
    for i in range(args.kills):
        name, how = list(RUNS)[i % len(RUNS)], WAYS[i // len(RUNS) % len(WAYS)]
        n = rng.choice([k for k, c in enumerate(points[name], 1) if _suits(how, c)])
        word, hit = at_point(name, n, how, want[name])
        tally[name, how, word.split(":")[0] if word[0] == "!" else word] += 1
        if word[0] == "!": bad.append(word); print(f"FAILED {name}, {how}, point {n} ({hit[0] if hit else 'not reached'}): {word}", file=sys.stderr, flush=True)
    print(f"| run | way | killed | equal to the uninterrupted run |\n|{'---|'*4}")
    for name in RUNS:
        for how in WAYS:
            of = {w: t for (a, b, w), t in tally.items() if (a, b) == (name, how)}
            if of: print(f"| {name} | {how} | {sum(of.values())} | {of.get('equal', 0)} |")
    print(f"\n{args.kills} kills, {len(bad)} lost, unclear or unequal, {time.time()-began:.0f} s")
    return 1 if bad else 0

if __name__ == "__main__": sys.exit(main())
