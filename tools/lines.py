"""Breaks lines of more than 140 characters, in modules' notebooks and in Python files; the code means what it meant, or stays as it is.

    python tools/lines.py nbs/core/00_marginal.ipynb tests/test_toy.py     # break what can be broken, say what is left

A line is broken before a one-line body, at a semicolon, in brackets behind a comma or before an operator, inside a string in brackets
at a space; a comment that is too long goes above its line. Every step is taken only where the syntax tree stays the same. This is no
formatter: a line that fits is never touched.
"""
import ast, io, json, re, sys, textwrap, tokenize
from pathlib import Path

WIDTH = 140
WORDS = {"for": 1, "if": 1, "else": 1, "and": 2, "or": 2}
SIGNS = {"+", "-", "*", "/", "|", "&", "@", "==", "!=", "<", ">", "<=", ">=", "%"}


def tree(text):
    try: return ast.dump(ast.parse(text))
    except (SyntaxError, ValueError): return None


def tokens(text):
    "Tokens as (type, text, start, end), an f-string as one whatever Python makes of it."
    out, depth = [], 0
    for t in tokenize.generate_tokens(io.StringIO(text).readline):
        name = tokenize.tok_name[t.type]
        if name == "FSTRING_START":
            if depth == 0: first = t.start
            depth += 1
        elif name == "FSTRING_END":
            depth -= 1
            if depth == 0: out.append((tokenize.STRING, None, first, t.end))
        elif depth == 0: out.append((t.type, t.string, t.start, t.end))
    return out


def statements(text):
    "For each line the columns where a statement begins behind another or behind a colon, with the indent that it gets on a line of its own."
    out = {}
    for n in ast.walk(ast.parse(text)):
        for name in ("body", "orelse", "finalbody"):
            for s in getattr(n, name, None) if isinstance(getattr(n, name, None), list) else []:
                out.setdefault(s.lineno, []).append((s.col_offset, getattr(n, "col_offset", -4) + 4))
    return out


def spaces(string):
    "Where a string of one line may be split: behind a space that is in no braces."
    start, depth, out = re.match(r"\w*", string).end() + 1, 0, []
    if string[start-1:start+2] in ('"""', "'''") or "\\" in string: return []
    for i in range(start, len(string) - 1):
        depth += (string[i] == "{") - (string[i] == "}")
        if string[i] == " " and depth == 0 and i > start: out.append(i + 1)
    return out


def breaks(text, number):
    "Ways of breaking a line, best first: each a list of lines to put in its place."
    lines = text.split("\n")
    line, toks = lines[number-1], tokens(text)
    raw = line.encode()
    indent = len(line) - len(line.lstrip())
    note = next((t for t in toks if t[0] == tokenize.COMMENT and t[2][0] == number), None)
    if note:
        col = note[2][1]
        said, code = line[col:].lstrip("# "), line[:col].rstrip()
        if not line[col:].startswith(("#|", "# %%", "# noqa", "# error")):
            if code: yield [f"{code}  # {said}"]   # without the blanks that align it
            wrapped = textwrap.wrap(said, WIDTH - indent - 2, break_long_words=False, break_on_hyphens=False)
            yield [*(" "*indent + "# " + o for o in wrapped), *([code] if code else [])]
    for at, new in sorted(statements(text).get(number, []), reverse=True):
        at = len(raw[:at].decode())
        before = line[:at].rstrip()
        if before and before.endswith((":", ";")) and at > indent: yield [before.rstrip(";").rstrip(), " "*new + line[at:]]
    depth, places, first = 0, [], None
    started, target = True, False
    for i, (kind, string, start, end) in enumerate(toks):
        if start[0] == number and first is None: first, started = i, depth == 0
        if start[0] == number and end[0] == number and depth and kind != tokenize.COMMENT and start[1] > indent:
            previous = toks[i-1]
            if previous[1] == "," and previous[3][0] == number and not target: places.append((depth, 0, start[1]))
            elif string in WORDS: places.append((depth, WORDS[string], start[1]))
            elif string in SIGNS and previous[0] in (tokenize.NAME, tokenize.NUMBER,
                tokenize.STRING) or string in SIGNS and previous[1] in (")", "]"):
                places.append((depth, 3, start[1]))
        if start[0] == number and end[0] == number and depth and kind == tokenize.STRING and end[1] > WIDTH - 2:
            value = line[start[1]:end[1]]
            prefix, quote = re.match(r"\w*", value)[0], value[len(re.match(r"\w*", value)[0])]
            fit = [o for o in spaces(value) if start[1] + o < WIDTH - 1]
            if fit: places.append((depth + 1, 4, (start[1] + fit[-1], quote, prefix)))
        target = string == "for" or target and string != "in"   # in the names behind `for` nothing is broken
        if kind == tokenize.OP: depth += (string in "([{") - (string in ")]}")
    hang = indent + 4 if started else indent
    fits = [(d, k, c) for d, k, c in places if (c if k < 4 else c[0]) <= WIDTH]
    worth = [o for o in fits if (o[2] if o[1] < 4 else o[2][0]) > max(60, indent + 30)]
    for d, k, c in sorted(worth, key=lambda o: (o[0], o[1], -(o[2] if o[1] < 4 else o[2][0]))):
        if k < 4: yield [line[:c].rstrip(), " "*hang + line[c:]]
        else: yield [line[:c[0]] + c[1], " "*hang + c[2] + c[1] + line[c[0]:]]


def wrapped(text):
    "The text with its long lines broken where that can be done."
    whole, given, n = tree(text), text.split("\n"), 1
    if whole is None: return text
    while n <= len(text.split("\n")):
        lines = text.split("\n")
        if len(lines[n-1]) > WIDTH:
            for new in breaks(text, n):
                other = "\n".join([*lines[:n-1], *new, *lines[n:]])
                if tree(other) == whole and max(map(len, new)) < len(lines[n-1]) and (len(new) > 1 or len(new[0]) <= WIDTH):
                    text = other; break
            else: n += 1
        else: n += 1
    return text if tree(text) == whole else "\n".join(given)


def rewrite(path):
    "Break the long lines of a file; how many are left."
    text = path.read_text(encoding="utf8")
    if path.suffix == ".ipynb":
        nb, left = json.loads(text), 0
        for c in nb["cells"]:
            if c["cell_type"] != "code": continue
            source = wrapped("".join(c["source"]))
            c["source"] = source.splitlines(keepends=True)
            left += sum(len(o) > WIDTH for o in source.split("\n"))
        new = json.dumps(nb, indent=1, ensure_ascii=False) + "\n"
    else:
        new = wrapped(text)
        left = sum(len(o) > WIDTH for o in new.split("\n"))
    if new != text: path.write_text(new, encoding="utf8")
    return left


if __name__ == "__main__":
    for name in sys.argv[1:]: print(f"{name}: {rewrite(Path(name))} lines are still too long") if rewrite(Path(name)) else None
