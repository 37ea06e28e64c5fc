"What these tutorials have: a badge that opens it in Colab, a hidden cell that installs only there, outputs, and nothing exported. They are run with the lessons."
import importlib.util, json, re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location("tools_badges", ROOT/"tools/badges.py")
badges = importlib.util.module_from_spec(spec)
spec.loader.exec_module(badges)

EXPECTED = {"five_minutes", "figure_2", "own_documents", "token_or_sequence", "choosing_an_index", "small_gpu", "coming_from_transformers", "scaling_out", "serving"}
TUTORIALS = sorted(p for p in (ROOT/"nbs/tutorials").glob("*.ipynb") if p.stem in EXPECTED)

def cells(path, kind): return ["".join(c["source"]) for c in json.loads(path.read_text(encoding="utf8"))["cells"] if c["cell_type"] == kind]


def test_they_are_all_there(): assert {p.stem for p in TUTORIALS} == EXPECTED

@pytest.mark.parametrize("path", TUTORIALS, ids=lambda p: p.stem)
def test_a_tutorial_begins_with_its_badge(path):
    "And the badge is the one for the project's address, so that no tutorial opens another's."
    where = badges.repository((ROOT/"pyproject.toml").read_text(encoding="utf8"))
    first = cells(path, "markdown")[0]
    assert re.match(r"# [^\n]+\n\n> [^\n]+\n\n\[!\[Open in Colab\]", first), "run python tools/badges.py"
    assert badges.badge(f"nbs/tutorials/{path.name}", where) in first, "run python tools/badges.py"

@pytest.mark.parametrize("path", TUTORIALS, ids=lambda p: p.stem)
def test_the_first_code_cell_installs_in_colab_only(path):
    lines = cells(path, "code")[0].split("\n")
    assert lines[:2] == ["#| hide", "#| eval: false"] and re.fullmatch(r'! \[ -e /content \] && pip install -Uqq "?rag-nb(\[\w+\])?"?', lines[2])

@pytest.mark.parametrize("path", TUTORIALS, ids=lambda p: p.stem)
def test_outputs_are_saved_and_nothing_is_exported(path):
    "Outputs hold no time, no temporary path and no address of an object: a re-run changes nothing."
    text = path.read_text(encoding="utf8")
    found = [o for c in json.loads(text)["cells"] if c["cell_type"] == "code" for o in c["outputs"]]
    said = json.dumps([o.get("text") or {k: v for k, v in o.get("data", {}).items() if not k.startswith("image/")} for o in found])
    assert found and not re.search(r"^#\|\s*(default_exp|export)", "\n".join(cells(path, "code")), re.M)
    assert not re.search(r"/tmp/|/var/folders/|0x[0-9a-f]{8,}|\bit/s\b|\d s/it\b", said)
    assert not any(o["output_type"] == "error" for o in found)


def test_the_address_is_read_from_the_facts():
    assert badges.repository('[project.urls]\nPaper = "https://arxiv.org/x"\n') is None
    assert badges.repository('[project.urls]\nPaper = "https://arxiv.org/x"\nRepository = "https://github.com/a-b/c.d"\n[tool.x]\n') == "a-b/c.d"
    assert badges.repository('[project.urls]\nRepository = "https://github.com/a/b.git"') == "a/b"
    assert badges.repository('[project.urls]\nRepository = "https://gitlab.com/a/b"') is None
    assert badges.repository('[tool.x]\nRepository = "https://github.com/a/b"') is None

def test_a_badge_is_put_in_and_replaced():
    none, some = badges.badge("nbs/tutorials/x.ipynb", None), badges.badge("nbs/tutorials/x.ipynb", "a/b")
    assert some.endswith("(https://colab.research.google.com/github/a/b/blob/main/nbs/tutorials/x.ipynb)") and none.endswith("(https://colab.research.google.com/)")
    once = badges.with_badge("# T\n\n> What it is.\n\nWhy.", none)
    assert once == f"# T\n\n> What it is.\n\n{none}\n\nWhy." and badges.with_badge(once, none) == once
    assert badges.with_badge(once, some) == once.replace(none, some)
    assert badges.with_badge("# T\n\n> What it is.", some) == f"# T\n\n> What it is.\n\n{some}"
    with pytest.raises(ValueError, match="begins with its title"): badges.with_badge("Why.", none)

def test_writing_them(tmp_path):
    "A project with an address: every badge leads to its own notebook, and a second run changes nothing."
    (tmp_path/"nbs/tutorials").mkdir(parents=True)
    (tmp_path/"pyproject.toml").write_text('[project.urls]\nRepository = "https://github.com/a/b"\n')
    for p in TUTORIALS: (tmp_path/"nbs/tutorials"/p.name).write_text(p.read_text(encoding="utf8"), encoding="utf8")
    assert badges.main(check=True, root=tmp_path) == badges.main(root=tmp_path) == len(TUTORIALS)
    assert badges.main(check=True, root=tmp_path) == 0
    for p in TUTORIALS: assert f"github/a/b/blob/main/nbs/tutorials/{p.name})" in (tmp_path/"nbs/tutorials"/p.name).read_text(encoding="utf8")
