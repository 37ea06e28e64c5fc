"Families of generators beside a slow truth in plain Transformers: a slice here, all of them by `python -m tests.families --full`."
import importlib.util, sys
from pathlib import Path
import pytest

spec = importlib.util.spec_from_file_location("families", Path(__file__).parent/"families.py")
families = importlib.util.module_from_spec(spec)
sys.modules["families"] = families
spec.loader.exec_module(families)

KINDS = [(k, a) for a, known in ((True, families.causal()), (False, families.seq2seq())) for k in families.SLICE if k in known]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind, alone", KINDS, ids=lambda x: x if isinstance(x, str) else "causal" if x else "seq2seq")
def test_a_family_is_right_or_refused(kind, alone):
    found, why = families.verdict(kind, alone)
    assert found == ("refused" if (kind, alone) in {("bart", True)} else "right"), why


@pytest.mark.filterwarnings("ignore")
def test_the_sweep_can_fail(monkeypatch):
    "A generator that is read otherwise than it reads is found to be wrong."
    from rag_nb.core import prefill
    monkeypatch.setattr(prefill, "positions", lambda mask: mask.long().cumsum(-1))
    assert families.verdict("gpt2", True)[0] == "wrong"
    monkeypatch.setattr(families, "LIMIT", 1)
    assert families.sweep([("llama", True)], lambda line: None)["llama", True][0] in ("right", "unbuilt")
