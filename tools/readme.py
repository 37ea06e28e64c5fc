"""README.md from nbs/index.ipynb: its text, its code and what the code showed, with pictures as files beside the notebook.

    python tools/readme.py           # write README.md and nbs/images/index-*.png
    python tools/readme.py --check   # only say what would change
"""
import argparse, base64, json, re, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIRECTIVE = re.compile(r"^#\|\s*(\S+?):?(?:\s+(.*))?$")
LINK = re.compile(r"(!?\[[^\]]*\]\()(?![a-z]+:|[#/]|nbs/)([^)\s]+)")
HEAD = "<!-- Written by tools/readme.py from nbs/index.ipynb: change the notebook, then `make readme`. -->\n"


def joined(text):
    "Notebook files keep text as a string or as a list of lines."
    return text if isinstance(text, str) else "".join(text)


def fence(text, language=""):
    "A fenced block, its fence longer than any inside."
    ticks = "`" * max(3, 1 + max((len(o) for o in re.findall(r"`+", text)), default=0))
    return f"{ticks}{language}\n{text.rstrip()}\n{ticks}"


def from_root(text, folder):
    "Markdown whose relative links start at the root of the project instead of the notebook's folder; blocks of code stay as they are."
    parts = re.split(r"(^```.*?^```)", text, flags=re.S | re.M)
    out = [o if i % 2 else LINK.sub(lambda m: m[1] + _shorter(f"{folder}/{m[2]}"), o) for i, o in enumerate(parts)]
    return "".join(out)


def _shorter(path):
    "A path without its `folder/..` steps."
    out = []
    for o in path.split("/"):
        if o == ".." and out: out.pop()
        elif o != ".": out.append(o)
    return "/".join(out)


def shown(output, picture, pictures):
    "One output as Markdown: a picture where there is one, else Markdown, else plain text; HTML needs a browser and is left out."
    if output["output_type"] == "stream": return fence(joined(output["text"]), "text") if output["name"] == "stdout" else ""
    if output["output_type"] == "error": return fence(f"{output['ename']}: {output['evalue']}", "text")
    data = output["data"]
    if "image/png" in data:
        name = picture()
        pictures[name] = base64.b64decode(joined(data["image/png"]))
        return f"![{_caption(data)}]({name})"
    if "text/markdown" in data: return joined(data["text/markdown"]).strip()
    plain = joined(data.get("text/plain", ""))
    return fence(plain, "text") if plain else ""


def _caption(data):
    "What a picture says to those who do not see it: the plain text that came with it, unless that is only a type's name."
    plain = joined(data.get("text/plain", "")).strip().splitlines()
    return re.sub(r"[\[\]]", "", plain[0]) if plain and not plain[0].startswith("<") else "What the code above shows"


def code_cell(cell):
    "A code cell's visible lines, and whether code and outputs are to be shown at all."
    lines, flags = joined(cell["source"]).split("\n"), {}
    while lines and (m := DIRECTIVE.match(lines[0])): flags[m[1]] = (m[2] or "true").strip(); lines.pop(0)
    hidden = flags.keys() & {"hide", "export", "exporti", "default_exp"} or flags.get("include") == "false"
    return ("\n".join(lines).strip("\n"), not hidden and flags.get("echo") != "false" and "hide_input" not in flags,
            not hidden and flags.get("output") != "false" and "hide_output" not in flags)


def render(notebook):
    "The README's text, and its pictures by their path from the root of the project."
    nb, folder, pictures, parts = json.loads(notebook.read_text(encoding="utf8")), notebook.parent.name, {}, []
    def picture(): return f"{folder}/images/{notebook.stem}-{len(pictures) + 1}.png"
    for cell in nb["cells"]:
        if cell["cell_type"] == "markdown":
            text = joined(cell["source"])
            if not re.match(r"#\|\s*hide", text): parts.append(from_root(text.strip(), folder))
        elif cell["cell_type"] == "code":
            source, code, outputs = code_cell(cell)
            if code and source.strip(): parts.append(fence(source, "python"))
            if outputs: parts += [shown(o, picture, pictures) for o in cell["outputs"]]
    return HEAD + "\n" + "\n\n".join(filter(None, parts)) + "\n", pictures


def stale(root=ROOT):
    "The files that are not what the notebook says, by path from the root, with what they should hold (None: should not be there)."
    text, pictures = render(root/"nbs/index.ipynb")
    want = {"README.md": text.encode(), **pictures}
    have = {f"nbs/images/{p.name}": p for p in (root/"nbs/images").glob("index-*.png")} | {"README.md": root/"README.md"}
    out = {n: b for n, b in want.items() if not (root/n).exists() or (root/n).read_bytes() != b}
    return out | {n: None for n in have if n not in want}


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--check", action="store_true")
    check, files = a.parse_args().check, stale()
    if check and files: sys.exit("not what nbs/index.ipynb says (run `make readme`): " + ", ".join(sorted(files)))
    for name, content in files.items():
        path = ROOT/name
        if content is None: path.unlink()
        else: path.parent.mkdir(parents=True, exist_ok=True); path.write_bytes(content)
        print(f"{name} {'removed' if content is None else 'written'}")


if __name__ == "__main__": main()
