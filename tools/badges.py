"""The "Open in Colab" badge on top of each tutorial, from the one place that knows the project's address.

    python tools/badges.py           # write the badges
    python tools/badges.py --check   # only say which are missing or out of date

The address is `Repository` under `[project.urls]` in pyproject.toml. Where it is on GitHub, a badge opens its own notebook;
until there is one, it opens Colab's front page, from which a notebook can be uploaded.
"""
import json, re, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLAB = "https://colab.research.google.com"
BADGE = re.compile(rf"\[!\[Open in Colab\]\({re.escape(COLAB)}/assets/colab-badge\.svg\)\]\([^)]*\)")


def repository(text):
    "owner/name on GitHub of the `Repository` in a pyproject.toml's text, or None."
    urls = re.search(r"^\[project\.urls\]\n(.*?)(?=^\[|\Z)", text, re.M | re.S)
    found = re.search(r'^"?repository"?\s*=\s*"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?"', urls[1] if urls else "", re.M | re.I)
    return found and found[1]


def badge(path, where):
    "The badge of a notebook, by its path in the repository `where` (owner/name, or None)."
    return f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({COLAB}/" + (f"github/{where}/blob/main/{path}" if where else "") + ")"


def with_badge(first_cell, line):
    "The text of a first cell (title, summary, why) with its badge after the summary, or in place of an old one."
    if BADGE.search(first_cell): return BADGE.sub(lambda _: line, first_cell)
    head = re.match(r"# [^\n]*\n\n(?:>[^\n]*\n)+", first_cell + "\n")
    if not head: raise ValueError("a tutorial begins with its title and a summary, `# Title` and `> what it is`")
    return f"{head[0]}\n{line}\n{first_cell[head.end():]}".rstrip("\n")


def main(check=False, root=ROOT):
    "Write or check the badges of all tutorials; how many were not as they should be."
    where, wrong = repository((root/"pyproject.toml").read_text(encoding="utf8")), 0
    for path in sorted((root/"nbs/tutorials").glob("*.ipynb")):
        nb = json.loads(path.read_text(encoding="utf8"))
        old = "".join(nb["cells"][0]["source"])
        new = with_badge(old, badge(path.relative_to(root).as_posix(), where))
        if new == old: continue
        wrong += 1
        print(path.relative_to(root), "has no badge for this address" if check else "has a new badge")
        if check: continue
        nb["cells"][0]["source"] = new.splitlines(keepends=True)
        path.write_text(json.dumps(nb, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
    return wrong


if __name__ == "__main__":
    found = main("--check" in sys.argv)
    sys.exit(found if "--check" in sys.argv else 0)
