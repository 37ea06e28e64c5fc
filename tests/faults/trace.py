"""A child process whose changes to a folder are counted, and one of which goes wrong.

The child is forked and traced by the kernel (ptrace), so that every write is seen, also those of C++ libraries. Each system call
that changes something below `root` is one *point*. At a point of your choice the child is killed (SIGKILL), killed when half of
the bytes were written, or told that the disk is full; or it is held while you look at the folder. Linux on x86-64 only.
"""
import ctypes, errno, os, pickle, platform, signal, sys, tempfile, traceback
from dataclasses import dataclass, field

AVAILABLE = sys.platform == "linux" and platform.machine() == "x86_64"
_libc = ctypes.CDLL(None, use_errno=True) if AVAILABLE else None
if AVAILABLE: _libc.ptrace.restype, _libc.ptrace.argtypes = ctypes.c_long, [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_TRACEME, _GETREGS, _SETREGS, _SYSCALL, _SETOPTIONS, _GETEVENTMSG = 0, 12, 13, 24, 0x4200, 0x4201
_OPTIONS = 0x1 | 0x2 | 0x4 | 0x8 | 0x100000                # SYSGOOD, FORK, VFORK, CLONE, EXITKILL
_NUMBERS = {1: "write", 18: "pwrite", 20: "writev", 2: "open", 257: "openat", 85: "creat", 74: "fsync", 75: "fdatasync", 76: "truncate",
    77: "ftruncate", 285: "fallocate",
            82: "rename", 264: "renameat", 316: "renameat2", 83: "mkdir", 258: "mkdirat", 84: "rmdir", 87: "unlink", 263: "unlinkat",
            86: "link", 265: "linkat", 88: "symlink",
            266: "symlinkat", 42: "connect", 59: "execve", 322: "execve", 40: "sendfile", 326: "copy_file_range", 90: "chmod",
            268: "fchmodat"}
_WRITES = {"write", "pwrite", "writev", "ftruncate", "truncate", "fallocate", "sendfile", "copy_file_range"}
_CREATES = {"open", "openat", "creat", "mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat"}
ROOM = _WRITES | _CREATES                                   # what a full disk refuses
_REGS = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs".split()


@dataclass
class Call:
    "One system call that changes something."
    name: str
    path: str          # what it changes; of a rename where from
    to: str = ""       # of a rename: where to
    size: int = 0      # of a write: how many bytes
    def __str__(self): return f"{self.name} {os.path.basename(self.path)}{' -> ' + os.path.basename(self.to) if self.to else ''}"


@dataclass
class Outcome:
    "What became of the child."
    ended: str                                              # "returned", "raised", "killed" or "signal N"
    value: object = None                                    # what it returned, or the error as (type name, its kin, message)
    calls: list = field(default_factory=list)               # the points it came by
    unsynced: set = field(default_factory=set)              # files with content that no fsync had reached when it ended
    traceback: str = ""


class _Regs(ctypes.Structure): _fields_ = [(r, ctypes.c_ulonglong) for r in _REGS]

def _ptrace(request, pid, data=None):
    if _libc.ptrace(request, pid, None, data) < 0: raise OSError(ctypes.get_errno(), "ptrace")


class _Task:
    "A thread of the child: its registers and the strings that they point to."
    def __init__(self, tid): self.tid, self.inside, self.after = tid, False, None
    def regs(self): r = _Regs(); _ptrace(_GETREGS, self.tid, ctypes.byref(r)); return r
    def put(self, regs): _ptrace(_SETREGS, self.tid, ctypes.byref(regs))

    def text(self, address):
        with open(f"/proc/{self.tid}/mem", "rb", buffering=0) as f:
            f.seek(address); out = b""
            while b"\0" not in out and len(out) < 4096:
                try: out += f.read(min(256, 4096 - address % 4096))
                except OSError: break
                address += min(256, 4096 - address % 4096); f.seek(address)
        return os.fsdecode(out.split(b"\0")[0])

    def family(self, address):
        "The kind of a socket's address: 1 is this machine's own, 2 and 10 are networks."
        with open(f"/proc/{self.tid}/mem", "rb", buffering=0) as f: f.seek(address); return int.from_bytes(f.read(2), "little")

    def fd(self, n):
        try: return os.readlink(f"/proc/{self.tid}/fd/{n}")
        except OSError: return ""

    def at(self, dirfd, address):
        base = os.readlink(f"/proc/{self.tid}/cwd") if ctypes.c_int(dirfd).value == -100 else self.fd(ctypes.c_int(dirfd).value)
        return os.path.normpath(os.path.join(base, self.text(address)))

    def call(self, r):
        "The call that the registers describe, or None if it changes nothing."
        name, here = _NUMBERS.get(r.orig_rax), ctypes.c_ulonglong(-100).value
        if name is None: return None
        if name in ("open", "openat"):
            flags = r.rsi if name == "open" else r.rdx
            if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC): return None
            return Call(name, self.at(here, r.rdi) if name == "open" else self.at(r.rdi, r.rsi))
        if name in ("write", "pwrite", "writev", "fsync", "fdatasync", "ftruncate", "fallocate", "sendfile"):
            return Call(name, self.fd(r.rdi), size=r.rdx if "write" in name else 0)
        if name in ("connect", "execve"): return Call(name, f"family {self.family(r.rsi)}" if name == "connect" else self.text(r.rdi))
        if name == "copy_file_range": return Call(name, self.fd(r.rdx))
        if name == "rename": return Call(name, self.at(here, r.rdi), self.at(here, r.rsi))
        if name in ("renameat", "renameat2"): return Call(name, self.at(r.rdi, r.rsi), self.at(r.rdx, r.r10))
        if name in ("link", "symlink"): return Call(name, self.at(here, r.rsi))
        if name == "linkat": return Call(name, self.at(r.rdx, r.r10))
        if name == "symlinkat": return Call(name, self.at(r.rsi, r.rdx))
        return Call(name, self.at(r.rdi, r.rsi) if name in ("mkdirat", "unlinkat", "fchmodat") else self.at(here, r.rdi))


def in_child(function, traced=False):
    "Fork; the child's pid and the file that its answer will be in."
    answer = tempfile.TemporaryFile()
    sys.stdout.flush(); sys.stderr.flush()
    pid = os.fork()
    if pid: return pid, answer
    try:
        if traced: _ptrace(_TRACEME, 0); os.kill(os.getpid(), signal.SIGSTOP)
        try: said = ("returned", function(), "")
        except BaseException as e:
            said = ("raised", (type(e).__name__, [c.__name__ for c in type(e).__mro__], str(e)), traceback.format_exc())
        answer.write(pickle.dumps(said)); answer.flush()
    finally: os._exit(0)

def _outcome(status, answer, calls=(), unsynced=()):
    if os.WIFSIGNALED(status):
        n = os.WTERMSIG(status)
        return Outcome("killed" if n == signal.SIGKILL else f"signal {signal.Signals(n).name}", None, list(calls), set(unsynced))
    answer.seek(0); data = answer.read()
    ended, value, trace = pickle.loads(data) if data else (f"exit {os.WEXITSTATUS(status)}", None, "")     # nosec: our own child wrote it
    return Outcome(ended, value, list(calls), set(unsynced), trace)

def forked(function):
    "The outcome of a function in a child process of its own, untraced."
    pid, answer = in_child(function)
    return _outcome(os.waitpid(pid, 0)[1], answer)


def run(
    function,          # called in the child
    root,              # changes below this folder are points
    # called with (number of the point from 1, Call); gives None, "kill", "tear" (half the bytes, then killed), or an errno to fail with
    decide=None,
    reads=False,       # also count opening files below `root` for reading
):
    "The outcome of a function in a traced child."
    root, calls, unsynced, tasks = os.path.realpath(root), [], set(), {}
    pid, answer = in_child(function, traced=True)
    os.waitpid(pid, 0)
    _ptrace(_SETOPTIONS, pid, _OPTIONS)
    tasks[pid] = _Task(pid)
    # the folder, what is in it, and what stands beside it under its name
    below = lambda p: root == "/" or p == root or p.startswith((root + "/", root + "."))
    _ptrace(_SYSCALL, pid)
    while True:
        tid, s = os.waitpid(-1, 0x40000000)                 # __WALL: threads too
        if os.WIFEXITED(s) or os.WIFSIGNALED(s):
            tasks.pop(tid, None)
            if tid == pid: break
            continue
        task, sig, passed = tasks.setdefault(tid, _Task(tid)), os.WSTOPSIG(s), 0
        if sig == signal.SIGTRAP | 0x80:
            task.inside = not task.inside
            if task.inside: _enter(task, pid, below, calls, unsynced, decide, reads)
            else: _leave(task, pid)
        elif s >> 16: pass                                  # a thread or process was made
        elif sig != signal.SIGSTOP: passed = sig
        try: _ptrace(_SYSCALL, tid, ctypes.c_void_p(passed))
        except OSError as e:
            if e.errno != errno.ESRCH: raise                # killed meanwhile
    return _outcome(s, answer, calls, unsynced)

def _enter(task, pid, below, calls, unsynced, decide, reads):
    r = task.regs()
    call = task.call(r)
    if call is None and reads and r.orig_rax == 257: call = Call("read", task.at(r.rdi, r.rsi))
    if call is None or not (below(call.path) or below(call.to)): return
    calls.append(call)
    what = decide(len(calls), call) if decide else None
    if what == "kill": os.kill(pid, signal.SIGKILL); return
    if what == "tear":
        if call.name in ("write", "pwrite") and r.rdx > 1: r.rdx //= 2; task.put(r); unsynced.add(call.path)
        else: os.kill(pid, signal.SIGKILL); return
        task.after = "kill"
    elif what: r.orig_rax = ctypes.c_ulonglong(-1).value; task.put(r); task.after = what; return
    _note(call, unsynced)

def _leave(task, pid):
    if task.after == "kill": os.kill(pid, signal.SIGKILL)
    elif task.after: r = task.regs(); r.rax = ctypes.c_ulonglong(-task.after).value; task.put(r)
    task.after = None

def _note(call, unsynced):
    "Which files' contents would be lost in a power cut."
    if call.name in _WRITES or call.name in ("open", "openat", "creat"): unsynced.add(call.path)
    elif call.name in ("fsync", "fdatasync"): unsynced.discard(call.path)
    elif call.name.startswith("unlink"): unsynced.discard(call.path)
    elif call.name.startswith("rename"):
        for p in [p for p in unsynced if p == call.path or p.startswith(call.path + "/")]:
            unsynced.discard(p); unsynced.add(call.to + p[len(call.path):])
