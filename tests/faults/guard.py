"""A guarded child process: nothing may be run, and nothing outside a folder read or written, while hostile input is looked at.

Python reports what it does to audit hooks (PEP 578), below every library that is written in it. The memory of the child is limited
too, so that a small file that asks for gigabytes is seen as the MemoryError that it is.
"""
import os, resource, site, sys, sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LIBRARIES = tuple({os.path.realpath(p) + "/" for p in (sys.prefix, sys.base_prefix, *site.getsitepackages(),
    *sysconfig.get_paths().values())} | {sys.prefix + "/"}
                   | {str(ROOT/d) + "/" for d in ("rag_nb", "tests")} | {"/proc/", "/sys/devices/system/cpu", "/dev/null", "/dev/urandom",
                   "/dev/fd", "/usr/share/zoneinfo", "/etc/localtime", "/usr/lib", "/lib"})
_RUNS = {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "subprocess.Popen", "pty.spawn", "os.startfile",
    "code.__new__", "pickle.find_class", "marshal.loads"}
_TALKS = {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request",
    "ftplib.connect", "smtplib.connect"}
_CHANGES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown", "os.utime",
    "os.setxattr", "shutil.rmtree", "shutil.move", "shutil.copyfile", "shutil.unpack_archive"}


class Forbidden(BaseException): "Something was done that no input may bring about."


class Guard:
    "An audit hook that forbids everything but reading libraries and using one folder."
    def __init__(self, folder, allow=()):
        self.folder, self.on, self.allow, self.seen = os.path.realpath(folder) + "/", False, tuple(allow), []
        sys.addaudithook(self.hook)

    def inside(self, path):
        if isinstance(path, int) or path is None or path == "": return True
        path = os.path.realpath(os.fsdecode(path))
        return (path + "/").startswith(self.folder)

    def hook(self, event, args):
        if not self.on: return
        bad = None
        if event == "open":
            path, mode, flags = args
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC) or isinstance(mode,
                str) and set(mode) & set("wax+")
            if not isinstance(path, int) and not self.inside(path):
                where = os.path.realpath(os.fsdecode(path))
                if writes and where != "/dev/null": bad = f"opened {where} for writing"
                elif not where.startswith(_LIBRARIES + self.allow): bad = f"read {where}"
        elif event in _TALKS: bad = f"{event} {args[1:]!r}"
        elif event in _RUNS:
            if event == "marshal.loads" or event == "code.__new__": return  # the import system's own; what it loads comes from libraries
            if event == "pickle.find_class" and args[0].split(".")[0] in ("torch", "collections"): return
            bad = f"{event} {str(args)[:200]}"
        elif event in _CHANGES and not all(self.inside(a) for a in args[:2]
            if isinstance(a, (str, bytes, os.PathLike)) and not (event == "os.symlink" and a is args[0])
            and (os.path.isabs(os.fsdecode(a)) or event.startswith("shutil"))):
            bad = f"{event} {args!r}"
        if bad: self.seen.append(bad); raise Forbidden(bad)

    def __enter__(self): self.on = True; return self
    def __exit__(self, *_): self.on = False


def limit_memory(more=2**30):
    "From now on this process may take `more` bytes beyond what it has."
    size = int(Path("/proc/self/statm").read_text().split()[0])*resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + more, resource.getrlimit(resource.RLIMIT_AS)[1]))
