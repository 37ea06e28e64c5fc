"""Build flash-attn from its source package for one GPU architecture and one head size, which takes minutes instead of hours.

    pip download --no-deps --no-binary=flash-attn --no-build-isolation flash-attn==2.8.3
    python bench/build_flash_attn.py flash_attn-2.8.3.tar.gz --out DIR [--arch 90] [--head-size 64] [--jobs 8]
    PYTHONPATH=DIR python -c "import flash_attn"

It needs nvcc, ninja and a PyTorch with CUDA. In a copy of the source the switch over head sizes keeps the one that is asked for (smaller
heads are padded to it, larger ones are refused), and only the kernels of that size are compiled. DIR then holds the Python package, the compiled
module and the package's name and version, so that Transformers finds it installed. Nothing of the package is kept in this repository.
"""
import argparse, os, re, shutil, tarfile, tempfile, time
from pathlib import Path

SWITCH = """#define HEADDIM_SWITCH(HEADDIM, ...) \\
  [&] {{ TORCH_CHECK((HEADDIM) <= {size}, "this build of flash-attn is for heads of up to {size}"); \\
    constexpr static int kHeadDim = {size}; return __VA_ARGS__(); }}()
"""
FLAGS = ["-O3", "-std=c++17", "-U__CUDA_NO_HALF_OPERATORS__", "-U__CUDA_NO_HALF_CONVERSIONS__", "-U__CUDA_NO_HALF2_OPERATORS__",
    "-U__CUDA_NO_BFLOAT16_CONVERSIONS__",
         "--expt-relaxed-constexpr", "--expt-extended-lambda", "--use_fast_math"]


def unpacked(sdist, to):
    "The source package's folder."
    with tarfile.open(sdist) as t: t.extractall(to, filter="data")
    return next(Path(to).iterdir())


def narrowed(source, size):
    "Only this head size: the switch rewritten, and the files that are left to compile."
    header = source/"csrc"/"flash_attn"/"src"/"static_switch.h"
    text, n = re.subn(r"#define HEADDIM_SWITCH\(.*?\}\(\)\n", lambda m: SWITCH.format(size=size), header.read_text(), flags=re.S)
    if n != 1: raise ValueError(f"{header} has no HEADDIM_SWITCH as flash-attn 2.8.3 has it: is it another version?")
    header.write_text(text)
    kernels = sorted(header.parent.glob(f"flash_*_hdim{size}_*.cu"))
    if not kernels: raise ValueError(f"{source.name} has no kernels for heads of {size}")
    return [source/"csrc"/"flash_attn"/"flash_api.cpp", *kernels]


def compiled(source, files, arch, out):
    "The compiled module, in out."
    from torch.utils.cpp_extension import load
    roots = [source/"csrc"/"flash_attn", source/"csrc"/"flash_attn"/"src", source/"csrc"/"cutlass"/"include"]
    os.environ["TORCH_CUDA_ARCH_LIST"] = f"{arch[:-1]}.{arch[-1]}"
    (source/"build").mkdir()
    load("flash_attn_2_cuda", [str(f) for f in files], extra_cflags=["-O3", "-std=c++17"], extra_cuda_cflags=FLAGS,
        extra_include_paths=[str(r) for r in roots],
         build_directory=str(source/"build"), is_python_module=False, verbose=False)
    shutil.copy(source/"build"/"flash_attn_2_cuda.so", out)


def installed(source, out):
    "The Python package beside it, with name and version."
    shutil.copytree(source/"flash_attn", out/"flash_attn", dirs_exist_ok=True)
    version = re.search(r'__version__ = "(.+?)"', (source/"flash_attn"/"__init__.py").read_text())[1]
    facts = out/f"flash_attn-{version}.dist-info"
    facts.mkdir(exist_ok=True)
    shutil.copy(source/"PKG-INFO", facts/"METADATA")
    (facts/"top_level.txt").write_text("flash_attn\nflash_attn_2_cuda\n")  # by which Transformers knows whose package this is
    return version


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("sdist", type=Path); p.add_argument("--out", type=Path, required=True); p.add_argument("--arch", default="90")
    p.add_argument("--head-size", type=int, default=64); p.add_argument("--jobs", type=int, default=8)
    a = p.parse_args()
    os.environ["MAX_JOBS"], began = str(a.jobs), time.monotonic()
    a.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as d:
        source = unpacked(a.sdist, d)
        files = narrowed(source, a.head_size)
        compiled(source, files, a.arch, a.out)
        version = installed(source, a.out)
    print(f"flash-attn {version}, sm_{a.arch}, heads of up to {a.head_size}: {len(files)} files compiled in "
        f"{time.monotonic() - began:.0f} s with {a.jobs} jobs")


if __name__ == "__main__": main()
