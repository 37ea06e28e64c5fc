"The tools that keep notebooks, README and facts in step."
import base64, configparser, importlib.util, json, re, shutil, subprocess, sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent


def tool(name):
    "A module of tools/, which is no package."
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT/"tools"/f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


nb, readme, install, docs, lanes, contents, lines = (tool(o) for o in ("nb", "readme", "install", "docs", "lanes", "contents", "lines"))
ini = configparser.ConfigParser(delimiters=["="], interpolation=None)
ini.read(ROOT/"settings.ini", encoding="utf8")
FACTS = ini["DEFAULT"]

DRAFT = """# Title

> What it is.

Two paragraphs are one cell, and `code` is text.


A second cell, with a shell example:

```sh
echo no cell


echo still none
```

```python
#| hide
x = 1
```

```python
print("one")
print("two", end="")
object()
```

The end.
"""


def test_a_draft_becomes_cells():
    cells = nb.cells_of(DRAFT)
    assert [k for k, _ in cells] == ["markdown", "markdown", "code", "code", "markdown"]
    assert "echo still none\n```" in cells[1][1] and cells[2][1] == "#| hide\nx = 1"
    with pytest.raises(ValueError, match="not closed"): nb.cells_of("```python\nx = 1\n")


def test_a_draft_comes_back_as_it_was(tmp_path):
    src, one = tmp_path/"a.md", tmp_path/"a.ipynb"
    src.write_text(DRAFT); nb.make(src, one)
    assert nb.draft(one) == DRAFT


def test_running_a_notebook_again_changes_nothing(tmp_path):
    "Counts, ids, addresses, the order of streams and what goes to stderr must not show."
    src, one = tmp_path/"a.md", tmp_path/"a.ipynb"
    src.write_text(DRAFT + '\n```python\n#| eval: false\n1/0\n```\n\n```python\nimport sys, random, rag_nb\nprint(random.random(), file=sys.stderr)\n```\n')
    nb.make(src, one)
    nb.run([one])
    first = one.read_text()
    assert nb.run([one], check=True) == [] and nb.run([one]) == [] and one.read_text() == first
    outputs = [c["outputs"] for c in json.loads(first)["cells"] if c["cell_type"] == "code"]
    assert ["".join(o.get("text", "")) for o in outputs[1]] == ["one\ntwo", ""] and outputs[1][1]["data"]["text/plain"] == ["<object>"]
    assert outputs[2] == outputs[3] == []


def test_the_state_of_widgets_is_kept_and_numbered(tmp_path):
    "What is on display can be drawn without a kernel, and its random ids are not what changes from run to run."
    src, one = tmp_path/"a.md", tmp_path/"a.ipynb"
    src.write_text("```python\nfrom ipywidgets import *\nunseen = Text('not on display')\nbox = HBox([IntSlider(3), HTML('<b>hi</b>')])\nbox\n```\n\n```python\nbox\n```\n")
    nb.make(src, one)
    nb.run([one])
    first = one.read_text()
    assert nb.run([one]) == [] and one.read_text() == first
    saved = json.loads(first)
    state = saved["metadata"]["widgets"][nb.STATE]["state"]
    views = [o["data"][nb.VIEW]["model_id"] for c in saved["cells"] for o in c["outputs"]]
    assert len(views) == 2 and len(set(views)) == 1 and state[views[0]]["model_name"] == "HBoxModel"
    assert sorted(int(m, 16) for m in state) == [*range(1, len(state) + 1)] and "not on display" not in json.dumps(state)
    assert all(f"{n:032x}" in state for n in (int(m, 16) for m in re.findall(r"IPY_MODEL_(\w+)", first)))
    src.write_text("```python\nfrom ipywidgets import Text\nunseen = Text()\n```\n"); nb.make(src, one); nb.run([one])
    assert "widgets" not in json.loads(one.read_text())["metadata"]


def test_a_failing_notebook_is_not_written(tmp_path):
    src, one = tmp_path/"a.md", tmp_path/"a.ipynb"
    src.write_text("```python\n1/0\n```\n"); nb.make(src, one)
    before = one.read_text()
    with pytest.raises(Exception, match="ZeroDivisionError"): nb.run([one])
    assert one.read_text() == before


def notebook(folder, *cells):
    "An index notebook of (type, source, outputs) in a project of its own."
    (folder/"nbs").mkdir()
    cells = [dict(cell_type=k, source=s, metadata={}, **(dict(outputs=o, execution_count=None) if k == "code" else {}))
        for k, s, o in cells]
    path = folder/"nbs"/"index.ipynb"
    path.write_text(json.dumps(dict(cells=cells, metadata={}, nbformat=4, nbformat_minor=5)))
    return path


def test_a_readme_shows_what_the_notebook_shows(tmp_path):
    png = b"\x89PNG\r\n\x1a\n not really"
    rich = dict(output_type="display_data", metadata={}, data={"text/html": "<b>no</b>", "text/plain": "<Figure size 1x1>",
        "image/png": base64.b64encode(png).decode()})
    html = dict(output_type="execute_result", metadata={}, data={"text/html": "<b>no</b>", "text/plain": ["plain ", "words"]})
    out = dict(output_type="stream", name="stdout", text=["a\n", "``` b\n"])
    err = dict(output_type="stream", name="stderr", text="noise")
    path = notebook(tmp_path, ("markdown", "# T\n[a](00_a.ipynb) [`b`](../B.md) [c](https://x.y/z) ![p](images/p.png) [d](#d)\n```md\n[k](k.md)\n```", None),
                    ("code", "#| eval: false\nx = 1\nx", [rich, html, out, err]), ("code", "#| hide\nsecret = 1", [html]),
                    ("code", "#| echo: false\nunseen()", [html]), ("markdown", "#| hide\nunseen text", None))
    text, pictures = readme.render(path)
    assert "[a](nbs/00_a.ipynb) [`b`](B.md) [c](https://x.y/z) ![p](nbs/images/p.png) [d](#d)" in text and "[k](k.md)" in text
    assert "```python\nx = 1\nx\n```\n\n![What the code above shows](nbs/images/index-1.png)\n\n```text\nplain words\n```\n\n````text\na\n``` b\n````" in text
    assert pictures == {"nbs/images/index-1.png": png}
    assert not any(o in text for o in ("secret", "unseen", "<b>", "noise", "#|")) and text.count("plain words") == 2
    assert readme.stale(tmp_path).keys() == {"README.md", "nbs/images/index-1.png"}


def test_the_readme_is_what_the_notebook_says():
    assert not readme.stale(), "README.md is not what nbs/index.ipynb says: run `make readme`"


def test_the_readme_names_every_lesson():
    "The table of the index has each notebook that exports a module, in order."
    text = (ROOT/"README.md").read_text(encoding="utf8")
    named = re.findall(r"^\|.*\(nbs/((?:\w+/)?\w+)\.ipynb\)", text, re.M)
    assert named == [docs.page_of(p, ROOT/"nbs") for _, p in docs.lessons(ROOT/"nbs")]


def test_links_in_the_pages_lead_somewhere():
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "GLOSSARY.md"):
        for link in re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", (ROOT/page).read_text(encoding="utf8")):
            assert (ROOT/link).exists(), f"{page} links to {link}"


def test_long_lines_are_broken_and_mean_the_same():
    "Before a body, behind a comma, inside a string at a space, a comment above; what fits stays as it is."
    long = "x"*60
    text = f"""if a: raise ValueError(f"{long} is {{a}} and {long} is not what {{b}} says")  # why
def f(a, {long}, b{long}, c{long[:20]}): return a   # {long}
y = [({long}, {long}, {long[:30]}) for a, b in z if a]
z = 1;  k = "{long}"
{long} = "{long} {long} {long}"
"""
    done = lines.wrapped(text)
    assert lines.tree(done) == lines.tree(text) and done != text and lines.wrapped(done) == done
    assert [o for o in done.splitlines() if len(o) > 140] == [text.splitlines()[-1]], "a string outside of brackets can't be broken"
    assert 'z = 1;  k = "' in done and "if a:\n    raise ValueError(" in done


def test_no_file_is_let_off_that_has_no_long_line():
    "An entry for E501 in pyproject.toml goes with the last line over 140; `ruff check` in `make test` holds the rest."
    text = (ROOT/"pyproject.toml").read_text(encoding="utf8")
    for name in re.findall(r'^"([^"*]+)" = \[[^]]*"E501"', text, re.M):
        body = (ROOT/name).read_text(encoding="utf8")
        cells = ["".join(c["source"]) for c in json.loads(body)["cells"]] if name.endswith(".ipynb") else [body]
        assert any(len(o) > 140 for c in cells for o in c.splitlines()), f"{name} has no line over 140: take it off the list in pyproject.toml"


def test_the_log_has_its_contents():
    "Each heading, with the anchor that GitHub gives it; a second of the same name gets a number."
    text = "# A\n\nWhat.\n\n## One (`a/b`), two\n\n### Once\n\n```sh\n## no heading\n```\n\n## Once\n"
    done = contents.contents(text)
    assert "\n- [One (`a/b`), two](#one-ab-two)\n  - [Once](#once)\n- [Once](#once-1)\n" in done and contents.contents(done) == done and "](#no" not in done
    log = contents.LOG.read_text(encoding="utf8")
    assert contents.contents(log) == log, "run tools/contents.py: bench/LOG.md has other headings than its contents say"


def test_the_results_are_what_they_are_made_from(tmp_path):
    "bench/results.py writes the same page again, and the README's four rows of answers and five of speed are no more than that."
    shutil.copytree(ROOT/"bench", tmp_path/"bench")
    subprocess.run([sys.executable, tmp_path/"bench/results.py"], check=True)
    assert (tmp_path/"bench/RESULTS.md").read_text(encoding="utf8") == (ROOT
        /"bench/RESULTS.md").read_text(encoding="utf8"), "run bench/results.py"
    text = (ROOT/"README.md").read_text(encoding="utf8")
    rows = [part.count("\n|") - 2 for part in re.split(r"^## ", text, flags=re.M) if part.startswith(("How well", "How fast"))]
    assert rows == [4, 5]


def test_the_glossary_has_the_field_s_words():
    "In alphabetical order, each with a lesson; every name in code is there in the package."
    text = (ROOT/"GLOSSARY.md").read_text(encoding="utf8")
    rows = re.findall(r"^\| (?!word)([^|-][^|]*) \| (.*) \| \[([\w/]+)\]\(nbs/\3\.ipynb\) \|$", text, re.M)
    words = [o.lower().replace(",", "") for o, *_ in rows]
    assert words == sorted(words) and len(rows) == text.count("\n|") - 2
    assert {"prior", "posterior", "running posterior", "head", "context", "prefill", "candidates", "decoder", "kv cache", "hits",
        "document scores"} <= set(words)
    source = "\n".join(p.read_text(encoding="utf8") for p in (ROOT/"rag_nb").rglob("*.py"))
    for _, meaning, _ in rows:
        for name in re.findall(r"`(\w+)\b", meaning):
            assert re.search(rf"\b{name}\b", source), f"the glossary speaks of {name}, which rag_nb does not have"


def test_the_notebooks_are_clean():
    "As tools/nb.py leaves them: no counts, no ids of chance, nothing on stderr, no failed cell."
    import nbformat
    for path in nb.all_notebooks():
        text = path.read_text(encoding="utf8")
        assert nb.dumps(nb.clean(nbformat.read(path, 4))) == text, f"{path.name} is not clean: run tools/nb.py run {path.relative_to(ROOT)}"
        for cell in json.loads(text)["cells"]:
            assert not any(o["output_type"] == "error" for o in cell.get("outputs", [])), f"{path.name} has a cell that failed"


def test_every_requirement_is_pinned():
    "constraints.txt has, for each requirement that the tests need, a version in its range; and no hosts or options."
    pins = [o for o in (ROOT/"constraints.txt").read_text(encoding="utf8").splitlines() if o and not o.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", o) for o in pins)
    plain = lambda o: o.lower().replace("_", "-")
    pinned = {plain(n): v for n, v in (o.split("==") for o in pins)}
    for group in ("requirements", "quant_requirements", "docs_requirements", "dev_requirements"):
        for r in map(Requirement, FACTS[group].split()):
            assert plain(r.name) in pinned, f"{r.name} is not in constraints.txt"
            assert r.specifier.contains(pinned[plain(r.name)]), f"{r} does not allow the pinned {pinned[plain(r.name)]}"


def test_pyproject_leaves_the_facts_to_settings():
    text = (ROOT/"pyproject.toml").read_text(encoding="utf8")
    assert f'name = "{FACTS["lib_name"]}"' in text and not re.search(r"^(version|description|dependencies)\s*=", text, re.M)


def test_sub_packages_go_into_the_wheel(tmp_path):
    "With their stubs and data, and the mark that the package has types; what is no package stays out."
    for name in ("setup.py", "settings.ini", "pyproject.toml"): shutil.copy(ROOT/name, tmp_path)
    inside = ["__init__.py", "answer.py", "answer.pyi", "py.typed", "knowledge/a/b.parquet", "core/__init__.py", "core/marginal.py",
        "core/marginal.pyi", "demo/__init__.py", "demo/trained/rag.json"]
    outside = ["tests/__init__.py", "rag_nb_more/__init__.py", "rag_nb/notes.txt", "rag_nb/core/notes.txt"]
    for name in [*(f"rag_nb/{o}" for o in inside), *outside]:
        (tmp_path/name).parent.mkdir(parents=True, exist_ok=True); (tmp_path/name).touch()
    subprocess.run([sys.executable, "setup.py", "-q", "build_py", "--build-lib", "built"], cwd=tmp_path, check=True, capture_output=True)
    assert {p.relative_to(tmp_path/"built").as_posix() for p in (tmp_path/"built").rglob("*") if p.is_file()} == {f"rag_nb/{o}"
        for o in inside}


def test_flash_attention_stands_alone():
    "It needs a CUDA compiler to install, so nothing else may ask for it."
    assert [k for k in FACTS if k.endswith("requirements") and "flash-attn" in FACTS[k]] == ["flash_requirements"]


def test_another_torch_is_left_alone(tmp_path, monkeypatch):
    "Where an environment has another torch than the pinned one, the pin is dropped; an old Python takes torch's alone."
    pin = next(o for o in (ROOT/"constraints.txt").read_text().splitlines() if o.startswith("torch=="))
    text = {}
    for have in (None, pin.split("==")[1], "2.7.1"):
        monkeypatch.setattr(install, "answer", lambda python, code, have=have: have)
        text[have] = install.pins("python", tmp_path).read_text().splitlines()
    assert pin in text[None] and pin in text[pin.split("==")[1]] and pin not in text["2.7.1"] and len(text["2.7.1"]) == len(text[None]) - 1
    monkeypatch.setattr(install, "PINS_FROM", (99, 0))
    monkeypatch.setattr(install, "answer", lambda python, code: None)
    assert install.pins("python", tmp_path).read_text().splitlines() == [pin]


def test_the_makefile_explains_itself():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "make demo" in done.stdout and "make test" in done.stdout


def test_the_oldest_lane_is_every_floor():
    "Each requirement has one, and that version is in the range."
    floors, ranges = [[Requirement(o) for o in texts] for texts in (lanes.LANES["oldest"], FACTS["requirements"].split())]
    assert [o.name for o in floors] == [o.name for o in ranges]
    for floor, admitted in zip(floors, ranges):
        exact, = floor.specifier
        assert exact.operator == "==" and f">={exact.version}" in str(admitted.specifier) and admitted.specifier.contains(exact.version)


def test_colab_needs_no_restart():
    "What a Colab runtime has is in the ranges of settings.ini, so that installing there changes none of it."
    admitted = {r.name: r.specifier for r in map(Requirement, FACTS["requirements"].split())}
    for r in map(Requirement, lanes.COLAB):
        there, = r.specifier
        assert admitted[r.name].contains(there.version.replace("*", "0")), f"Colab has {r}, and settings.ini asks for {admitted[r.name]}"


def test_another_torch_stays_out_of_a_lane(monkeypatch):
    "The version that is asked for, that of this Python, or the lane's own; the other requirements stay as they are."
    monkeypatch.setattr(lanes, "version", lambda name: "9.9.9+cpu")
    torch, rest = lanes.wanted("oldest")
    assert torch == lanes.LANES["oldest"][0] and torch.startswith("torch==") and rest == lanes.LANES["oldest"][1:]
    assert lanes.wanted("oldest", "2.13.0") == ("torch==2.13.0", rest) and lanes.wanted("oldest", "same") == ("torch==9.9.9", rest)
    assert lanes.wanted("newest") == ("torch", []) and lanes.wanted("newest", "same") == ("torch==9.9.9", [])


def test_lanes_choose_files_that_are_there():
    for name in [*lanes.OF_THE_SOURCE, *lanes.PARTS["core"]]:
        assert (ROOT/f"tests/test_{name}.py").exists(), f"tools/lanes.py names tests/test_{name}.py"
    for path in lanes.NOTEBOOKS: assert (ROOT/path).exists(), f"tools/lanes.py names {path}"
    assert not set(lanes.PARTS["core"]) & set(lanes.OF_THE_SOURCE)


def test_a_lane_that_fails_says_so_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    "The exit is not 0, the table has a row for each lane, and what failed is named."
    def one(lane, archive, source, room, args):
        return dict(lane=lane, versions="torch 1", tests="3 passed", **({"failed": ["demo"], "demo": "fails"} if lane == "colab" else {}))
    monkeypatch.setattr(lanes, "archives", lambda dist: {"wheel": tmp_path/"a.whl", "sdist": tmp_path/"a.tar.gz"})
    monkeypatch.setattr(lanes, "checked", one)
    monkeypatch.setattr(sys, "argv", ["lanes.py"])
    with pytest.raises(SystemExit, match="FAILED on colab: demo"): lanes.main()
    said = capsys.readouterr().out
    assert [o.split(" | ")[0] for o in said.strip().splitlines()[2:]] == ["| oldest", "| newest", "| colab"] and "| fails |" in said
    monkeypatch.setattr(sys, "argv", ["lanes.py", "yesterday"])
    with pytest.raises(SystemExit): lanes.main()
    assert "there is no lane 'yesterday'" in capsys.readouterr().err


def test_a_recorded_run_is_in_the_readme(tmp_path):
    "Rows of other lanes stay, in the order of the lanes; text around the table stays as it is."
    assert (ROOT/"README.md").read_text(encoding="utf8").count(lanes.BEGIN) == 1 == (ROOT
        /"nbs/index.ipynb").read_text(encoding="utf8").count(json.dumps(lanes.BEGIN)[1:-1])
    (tmp_path/"bench").mkdir()
    notebook(tmp_path, ("markdown", f"before\n\n{lanes.BEGIN}\n\nnothing\n\n{lanes.END}\n\nafter", None))
    for lane in ("newest", "oldest", "newest"): lanes.record([dict(lane=lane, versions=f"torch {lane}", tests="7 passed")], tmp_path)
    text = "".join(json.loads((tmp_path/"nbs/index.ipynb").read_text(encoding="utf8"))["cells"][0]["source"])
    assert text.startswith("before\n\n<!--") and text.endswith("-->\n\nafter") and "nothing" not in text and "7 passed" in text
    assert [r["lane"] for r in json.loads((tmp_path/"bench/lanes.json").read_text(encoding="utf8"))] == ["oldest", "newest"]


def test_each_lane_is_in_the_workflows():
    "On pull requests and weekly; and CI holds the core of the oldest."
    text = (ROOT/".github/workflows/lanes.yml").read_text(encoding="utf8")
    assert all(f"lane: {lane}," in text for lane in lanes.LANES) and "pull_request:" in text and "cron:" in text
    assert 'make lanes LANE=oldest CHECK="--part core' in (ROOT/".ci/run").read_text(encoding="utf8")
