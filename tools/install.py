"""Makes the project's environment: a virtual environment, torch, then the package in place, at the versions in constraints.txt.

    python3 tools/install.py [--extra dev] [--venv .venv]

A PyTorch with CUDA that this Python already has is used as it is, whatever its version. TORCH_FLAGS in the environment
holds more options for the step that installs torch, for those who want another build of it.
"""
import argparse, configparser, os, re, shlex, subprocess, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS_FROM = (3, 11, 5)  # the pinned versions need this Python (soupsieve 4.1 does); an older one takes the ranges of settings.ini
CUDA = "import torch, sys; sys.exit(not torch.version.cuda)"
VERSION = "import torch; print(torch.__version__.split('+')[0])"


def say(text): print(f"\n>> {text}", flush=True)


def run(*args): subprocess.run([str(a) for a in args], check=True, cwd=ROOT)


def answer(python, code):
    "What a Python prints for `code`, or None where it fails."
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def check_python():
    "Stops with a sentence where this Python is too old."
    facts = configparser.ConfigParser(delimiters=["="], interpolation=None)
    facts.read(ROOT/"settings.ini", encoding="utf8")
    least = facts["DEFAULT"]["min_python"]
    if sys.version_info[:2] < tuple(map(int, least.split("."))):
        sys.exit(f"rag_nb needs Python {least} or newer and this is {sys.version.split()[0]}: try `make demo PYTHON=python{least}`")


def make_venv(venv):
    "A virtual environment with pip in it; where Python comes without ensurepip, the pip outside puts one in."
    say(f"making a virtual environment in {venv}")
    flags = ["--system-site-packages"] if answer(sys.executable, CUDA) is not None else []
    if flags: say("the PyTorch with CUDA that is installed already will be used")
    if subprocess.run([sys.executable, "-m", "venv", *flags, venv], stdout=subprocess.DEVNULL).returncode:
        say("Python's own pip is missing (on Debian: package python3-venv); trying with the pip that is installed")
        run(sys.executable, "-m", "venv", "--clear", "--without-pip", *flags, venv)
        run(sys.executable, "-m", "pip", "--python", venv/"bin"/"python", "install", "pip")


def pins(python, venv):
    "The constraints that fit this environment, as a file: without torch's where another torch is used, torch's alone on an old Python."
    have, text = answer(python, VERSION), (ROOT/"constraints.txt").read_text(encoding="utf8").splitlines()
    torch = [o for o in text if re.match(r"torch==", o)]
    text = torch if sys.version_info < PINS_FROM else text
    if have and f"torch=={have}" not in torch: text = [o for o in text if o not in torch]
    out = venv/"constraints.txt"
    out.write_text("\n".join(text) + "\n", encoding="utf8")
    return out


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--extra", default="", help="an extra of settings.ini, such as dev")
    a.add_argument("--venv", default=".venv")
    o = a.parse_args()
    check_python()
    venv = (ROOT/o.venv).absolute()
    python = venv/"bin"/"python"
    os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    if answer(python, "import pip") is None if python.exists() else True: make_venv(venv)
    pip = [python, "-m", "pip", "install", "-c", pins(python, venv)]
    if answer(python, VERSION) is None:
        say("installing PyTorch (the large one: some hundred megabytes, or gigabytes for a build with CUDA)")
        run(*pip, *shlex.split(os.environ.get("TORCH_FLAGS", "")), "torch")
    say(f"installing rag_nb{f'[{o.extra}]' if o.extra else ''} and what it needs, a few minutes the first time")
    run(*pip, "-e", f".[{o.extra}]" if o.extra else ".")
    run(python, "-m", "compileall", "-q", "rag_nb")  # pip compiles what it copies, not what it leaves in place
    say("the environment is ready")


if __name__ == "__main__":
    try: main()
    except subprocess.CalledProcessError as e: sys.exit(f"\n>> stopped: {shlex.join(map(str, e.cmd))} failed with status {e.returncode}")
