"""Retrieval-Augmented Generation written in notebooks: ask a question, get an answer, and see which document every word came from.

This is the one module written by hand. `import rag_nb` imports nothing else: each public name brings its module the first
time it is used (PEP 562), and with it the modules further on that add methods and displays to its classes.
"""
from importlib import import_module as _import_module

# module: the names it offers to the package, in reading order
_PUBLIC = {
    "marginal": "doc_log_prior token_logprobs token_marginal sequence_marginal marginal_logits token_posterior running_posterior rag_token_loss rag_sequence_loss",
    "config": "RagConfig EncoderSpec",
    "passages": "Passages Hits read_documents split_words",
    "encoder": "TextEncoder",
    "toy": "toy_documents toy_questions toy_tokenizer toy_encoder toy_generator",
    "lexical": "LexicalIndex words_of",
    "scan": "",
    "index": "Index ExactIndex INDEX_KINDS register_index make_index",
    "index_faiss": "FaissIndex",
    "folder": "IndexFolder IndexFolderError build_folder",
    "index_hub": "HubPassages WikiDPRIndex open_hub_index",
    "index_legacy": "CanonicalHFIndex CustomHFIndex LegacyIndex adapt_index",
    "tokenizer": "RagTokenizer",
    "retriever": "RagRetriever AutoTokenizer BitsAndBytesConfig",
    "index_ray": "RayIndex build_folder_with_ray merge_hits",
    "kernels": "",
    "reader": "",
    "model": "RagModel RagPreTrainedModel RagTokenForGeneration RagSequenceForGeneration RetrievAugLMOutput RetrievAugLMMarginOutput",
    "generation": "RagGenerateOutput",
    "engine": "",
    "answer": "Rag Answer Citation",
    "choices": "Alternatives BeamNode BeamTrace",
    "display": "answer_html hits_html page_html answer_terminal answer_json json_text final_posterior posterior_label",
    "plots": "plot_posterior plot_prior plot_entropy",
    "widgets": "PassageBrowser AnswerExplorer",
    "plots_choices": "plot_alternatives plot_beams",
    "plots_space": "plot_space principal_plane",
    "plots_training": "plot_training plot_calibration",
    "record": "",
    "likelihood": "",
    "objective": "Plan",
    "data": "Questions read_questions RagCollator",
    "train": "finetune",
    "evaluate": "Evaluation exact_match f1_score",
    "batch": "",
    "demo": "FetchError",
}

# module: the later modules that add to its classes, and that come along whenever one of its names is used
_ADDED_BY = {
    "passages": "display",
    "index": "display",
    "index_faiss": "display",
    "retriever": "display demo",
    "model": "generation engine display",
    "answer": "engine choices display evaluate batch demo",
}

_HOME = {name: module for module, names in _PUBLIC.items() for name in names.split()}
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
    elif name in _PUBLIC: value = _import_module(f"{__name__}.{name}")
    elif name in _HOME:
        module = _HOME[name]
        value = getattr(_import_module(f"{__name__}.{module}"), name)
        for later in _ADDED_BY.get(module, "").split(): _import_module(f"{__name__}.{later}")
    else: raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__(): return sorted({*globals(), *__all__, *_PUBLIC, "__version__"})
