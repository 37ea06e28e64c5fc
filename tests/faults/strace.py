"""What SECURITY.md and the page on what the package touches promise, in the kernel's own record: `strace` around the commands.

    python -m tests.faults.strace          a JSON object: for each command, what it changed, ran or connected to outside its folder

Unlike `touches.py`, whose tracer follows one forked process, this watches the real command from its first instruction on,
with all its threads and children.
"""

import json, os, re, shutil, subprocess, sys, tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
CALLS = "open,openat,openat2,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,"
CALLS += "link,linkat,symlink,symlinkat,truncate,chmod,fchmodat,execve,connect,bind,sendto"
STRACE = shutil.which("strace")


def lines(path):
    "The calls of a log, those that were interrupted put together again."
    waiting = {}
    for line in path.read_text(errors="replace").splitlines():
        pid, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            waiting[pid] = call.removesuffix("<unfinished ...>")
            continue
        if resumed := re.match(r"<\.\.\. \w+ resumed>(.*)", call):
            call = waiting.pop(pid, "") + resumed[1]
        yield call


def outside(call, places):
    "What a call did outside these places; None where it did nothing there, or nothing at all."
    name, _, rest = call.partition("(")
    if " = -1 " in call or not rest:
        return None
    paths = [bytes(p, "utf8").decode("unicode_escape") for p in re.findall(r'"((?:[^"\\]|\\.)*)"', rest)]
    if name in ("connect", "bind", "sendto"):
        return None if "AF_UNIX" in rest or "AF_NETLINK" in rest or not re.search(r"AF_INET6?", rest) else f"{name} {rest[:100]}"
    if name == "execve":
        return f"execve {paths[0]}"
    if name.startswith(("open", "creat")) and not re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", rest) and name != "creat":
        return None
    bad = [
        p
        for p in paths
        if os.path.isabs(p)
        and not any(p == q or p.startswith(q + "/") for q in places)
        and not re.match(r"/dev/(null|tty|pts|shm)|/proc/self", p)
    ]
    return f"{name} {' '.join(bad)}" if bad else None


def watch(words, places, cwd, **env):
    "What one command did outside `places`; an error if it failed."
    log = cwd / "strace.log"
    done = subprocess.run(
        [STRACE, "-f", "-qq", "-s", "4096", "-e", f"trace={CALLS}", "-o", log, sys.executable, "-B", "-m", "rag_nb", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=560,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "TMPDIR": str(cwd / "tmp"),
            **env,
        },
    )
    if done.returncode:
        raise RuntimeError(f"rag-nb {' '.join(map(str, words))}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    calls = list(lines(log))
    if not any(str(ROOT / "rag_nb") in c or "rag_nb" in c for c in calls):
        raise RuntimeError("strace saw nothing")
    found = [x for x in (outside(c, [str(p) for p in places]) for c in calls) if x]
    return sorted(set(found) - {f"execve {sys.executable}"})


def toys(folder):
    "A generator and an encoder, in folders: a command line that needs no cache."
    from rag_nb.core.toy import toy_encoder, toy_generator, toy_tokenizer

    toy_encoder().save_pretrained(folder / "encoder")
    toy_generator("bart").save_pretrained(folder / "model")
    toy_tokenizer("bart").save_pretrained(folder / "model")


def main():
    if STRACE is None:
        sys.exit("strace is not installed")
    with tempfile.TemporaryDirectory() as d:
        d = Path(os.path.realpath(d))
        (d / "tmp").mkdir()
        toys(d)
        (d / "docs.jsonl").write_text(
            "\n".join(
                json.dumps(dict(id=str(i), title=t, text=x))
                for i, (t, x) in enumerate([("Tea", "Tea was first drunk in China."), ("Salt", "Salt draws water out of a cucumber.")])
            )
        )
        (d / "q.jsonl").write_text(
            "\n".join(
                json.dumps(dict(question=q, answers=[a]))
                for q, a in [("Where was tea drunk?", "China"), ("What does salt draw?", "water")] * 2
            )
        )
        model = ["--index", "index", "--model", "model", "--device", "cpu"]
        commands = dict(
            index=["index", "docs.jsonl", "--out", "index", "--encoder", "encoder"],
            check=["index", "--check", "index"],
            ask=["ask", "What does salt do?", *model, "--max-new-tokens", "3", "--html", "page.html"],
            eval=["eval", "q.jsonl", *model, "--quick", "--max-new-tokens", "3", "--predictions", "p.jsonl"],
            train=["train", "q.jsonl", *model, "--out", "trained", "--max-steps", "1", "--batch-size", "2", "--adapters", "0"],
        )
        cache = Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface")
        print(json.dumps({name: watch(words, [d, cache], d, HF_HUB_OFFLINE="1") for name, words in commands.items()}, indent=1))


if __name__ == "__main__":
    main()
