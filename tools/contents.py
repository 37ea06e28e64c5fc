"""The table of contents of bench/LOG.md, from its headings.

    python tools/contents.py     # write it anew, after a section was added
"""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOG, BEGIN, END = ROOT/"bench/LOG.md", "<!-- contents: written by tools/contents.py -->", "<!-- end of contents -->"


def anchors(headings):
    "The anchors that GitHub gives headings: lower case, no punctuation, hyphens for spaces, a number where one comes again."
    seen, out = {}, []
    for title in headings:
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        out.append(slug + (f"-{seen[slug]}" if slug in seen else "")); seen[slug] = seen.get(slug, 0) + 1
    return out


def contents(text):
    "The text with its table of contents as it should be; inside fences nothing is a heading."
    bare = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.M | re.S)
    found = re.findall(r"^(##+) (.+?)\s*$", bare, re.M)
    lines = [f"{'  '*(len(level) - 2)}- [{title.replace('[', '').replace(']', '')}](#{a})"
        for (level, title), a in zip(found, anchors([t for _, t in found]))]
    table = "\n".join([BEGIN, "", *lines, "", END])
    if BEGIN in text: return text[:text.index(BEGIN)] + table + text[text.index(END) + len(END):]
    first = text.index("\n## ")
    return text[:first].rstrip("\n") + "\n\n" + table + "\n" + text[first:]


if __name__ == "__main__": LOG.write_text(contents(LOG.read_text(encoding="utf8")), encoding="utf8")
