"""Retrieval-Augmented Generation written in notebooks: ask a question, get an answer, and see which document every word came from.

This is the one module written by hand. `import rag_nb` imports nothing else: each public name brings its module the first
time it is used (PEP 562). A class is complete in its own module; what other modules do for it they are asked for when a method runs.
"""
from importlib import import_module as _import_module

# module: the names it offers to the package, in reading order
_PUBLIC = {
    "core.marginal": "doc_log_prior token_logprobs token_marginal sequence_marginal marginal_logits token_posterior running_posterior rag_token_loss rag_sequence_loss",
    "core.config": "RagConfig EncoderSpec",
    "core.passages": "Passages Hits",
    "core.encoder": "TextEncoder",
    "core.toy": "toy_documents toy_questions toy_tokenizer toy_encoder toy_generator",
    "core.index": "Index ExactIndex INDEX_KINDS register_index make_index",
    "core.retriever": "RagRetriever AutoTokenizer BitsAndBytesConfig",
    "core.prefill": "",
    "core.model": "RagModel RagPreTrainedModel RagTokenForGeneration RagSequenceForGeneration RetrievAugLMOutput RetrievAugLMMarginOutput",
    "core.generate": "RagGenerateOutput",
    "core.answer": "Rag Answer Citation",
    "core.objective": "Plan",
    "core.train": "finetune",
    "core.evaluate": "Evaluation exact_match f1_score",
    "core.names": "",
    "core.words": "split_passages tokenize_words",
    "hf.tokenizer": "RagTokenizer",
    "hf.sentence_transformers": "",
    "store.questions": "Questions read_questions RagCollator",
    "store.folder": "IndexFolder IndexFolderError build_folder",
    "store.bm25": "LexicalIndex",
    "store.faiss": "FaissIndex",
    "store.hub": "HubPassages WikiDPRIndex open_hub_index",
    "store.legacy": "CanonicalHFIndex CustomHFIndex LegacyIndex adapt_index",
    "store.readers": "read_documents",
    "fast.decoder": "",
    "fast.scan": "",
    "fast.cuda_graphs": "",
    "fast.fused_loss": "",
    "fast.kernels": "",
    "scale.ray": "RayIndex build_folder_with_ray merge_hits",
    "scale.batch": "",
    "show.html": "answer_html hits_html page_html answer_terminal answer_json json_text final_posterior posterior_label",
    "show.candidates": "Alternatives BeamNode BeamTrace",
    "show.plots": "plot_posterior plot_prior plot_entropy",
    "show.plots_candidates": "plot_alternatives plot_beams",
    "show.plots_space": "plot_space principal_plane",
    "show.plots_training": "plot_training plot_calibration",
    "show.widgets": "PassageBrowser AnswerExplorer",
    "demo.defaults": "FetchError",
}

# what each registry of core holds from the start: role, then name and the module that brings it, imported when the name is first asked for
REGISTRIES = {
    "index": {"exact": "core.index", "faiss": "store.faiss", "faiss-flat": "store.faiss", "hnsw": "store.faiss", "ivfpq": "store.faiss"},
    "decoder": {"fast": "fast.decoder"},
}

_HOME = {name: module for module, names in _PUBLIC.items() for name in names.split()}
_ROOMS = {module.partition(".")[0] for module in _PUBLIC} | {"cli"}
__all__ = list(_HOME)


def _version():
    "The version in settings.ini beside the package where this is a source tree, else the installed one."
    from configparser import ConfigParser
    from importlib.metadata import version
    from pathlib import Path
    ini = ConfigParser(delimiters=["="], interpolation=None)
    ini.read(Path(__file__).parent.parent/"settings.ini", encoding="utf8")
    facts = ini["DEFAULT"]
    return facts["version"] if facts.get("lib_name") == __name__ else version(__name__)


def __getattr__(name):
    "A public name, its module, or the version, found when first asked for."
    if name == "__version__": value = _version()
    elif name in _ROOMS: value = _import_module(f"{__name__}.{name}")
    elif name in _HOME:
        value = getattr(_import_module(f"{__name__}.{_HOME[name]}"), name)
    else: raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__(): return sorted({*globals(), *__all__, *_ROOMS, "__version__"})
