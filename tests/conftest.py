"What all tests share: quiet libraries, repeatable examples, and a reason where a marked test cannot run."
import importlib.util, os, shutil

import pytest

for name, value in {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "MPLBACKEND": "Agg",
    "HF_HUB_DISABLE_TELEMETRY": "1"}.items():
    os.environ.setdefault(name, value)

try:
    from hypothesis import settings
    settings.register_profile("rag_nb", deadline=None, derandomize=bool(os.environ.get("CI")))
    settings.load_profile("rag_nb")
except ImportError: pass


def _missing(mark):
    "Why tests with this mark cannot run here, or None."
    if mark == "gpu":
        import torch
        return None if torch.cuda.is_available() else "no CUDA device"
    if mark == "browser":
        found = importlib.util.find_spec("playwright") and any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
        return None if found else "no Chromium, or no Playwright"
    if mark == "ray": return None if importlib.util.find_spec("ray") else "Ray is not installed"
    if mark == "network": return None if os.environ.get("RAG_NB_NETWORK") else "set RAG_NB_NETWORK=1 for tests that need a network"


def pytest_collection_modifyitems(items):
    reasons = {}
    for item in items:
        for mark in ("gpu", "browser", "ray", "network"):
            if not item.get_closest_marker(mark): continue
            if mark not in reasons: reasons[mark] = _missing(mark)
            if reasons[mark]: item.add_marker(pytest.mark.skip(reason=reasons[mark]))
