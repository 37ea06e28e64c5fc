"""Retrieval-Augmented Generation written in notebooks: ask a question, get an answer, and see which document every word came from.

This is the one module written by hand. `import rag_nb` imports nothing else: each public name brings its module the first
time it is used (PEP 562). A class is complete in its own module; what other modules do for it they are asked for when a method runs.
"""
import typing as _typing
from importlib import import_module as _import_module

# module: the names it offers to the package, in reading order
_PUBLIC = {
    "core.marginal": "doc_log_prior token_logprobs token_marginal sequence_marginal marginal_logits token_posterior running_posterior rag_token_loss rag_sequence_loss",
    "core.checks": "limits",
    "core.snapshot": "",
    "core.config": "RagConfig EncoderSpec",
    "core.passages": "Passages Hits",
    "core.encoder": "TextEncoder",
    "core.toy": "toy_documents toy_questions toy_tokenizer toy_encoder toy_generator",
    "core.index": "Index ExactIndex INDEX_KINDS register_index make_index",
    "core.retriever": "RagRetriever AutoTokenizer BitsAndBytesConfig",
    "core.prefill": "",
    "core.states": "",
    "core.model": "RagModel RagPreTrainedModel RagTokenForGeneration RagSequenceForGeneration RetrievAugLMOutput RetrievAugLMMarginOutput",
    "core.generate": "RagGenerateOutput",
    "core.answer": "Rag Answer Citation",
    "core.objective": "FinetuneConfig",
    "core.train": "finetune",
    "core.evaluate": "Evaluation exact_match f1_score",
    "core.names": "",
    "core.words": "split_passages tokenize_words",
    "hf.checkpoints": "",
    "hf.templates": "",
    "hf.tokenizing": "",
    "hf.plain_text": "",
    "hf.tokenizer": "RagTokenizer chat_template_of",
    "hf.prompt": "",
    "hf.sentence_transformers": "",
    "hf.generation_settings": "",
    "store.questions": "Questions read_questions RagCollator",
    "store.folder": "IndexFolder IndexFolderError build_folder",
    "store.bm25": "BM25Index",
    "store.faiss": "FaissIndex",
    "store.hub": "HubPassages WikiDPRIndex open_hub_index",
    "store.legacy": "CanonicalHFIndex CustomHFIndex LegacyIndex adapt_index",
    "store.readers": "read_documents",
    "store.filters": "",
    "store.sync": "",
    "fast.best_tokens": "",
    "fast.passage_cache": "",
    "fast.decoder": "",
    "fast.scan": "",
    "fast.kernels": "",
    "fast.kernels_attention": "",
    "fast.kernels_marginal": "",
    "fast.kernels_beams": "",
    "fast.kernels_backward": "",
    "fast.cuda_graphs": "",
    "fast.fused_loss": "",
    "scale.ray": "RayIndex build_folder_with_ray merge_hits",
    "scale.batch": "",
    "show.excerpts": "",
    "show.html": "answer_html hits_html page_html answer_terminal answer_json json_text final_posterior posterior_label",
    "show.candidates": "Alternatives BeamNode BeamTrace",
    "show.plots": "plot_posterior plot_prior plot_entropy",
    "show.plots_candidates": "plot_alternatives plot_beams",
    "show.plots_space": "plot_space principal_plane",
    "show.plots_training": "plot_training plot_calibration",
    "show.widgets": "PassageBrowser AnswerExplorer",
    "show.help": "",
    "trust.support": "Support",
    "trust.refusal": "plot_roc plot_risk_coverage plot_support",
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

# what editors read: written by tools/stubs.py from _PUBLIC
if _typing.TYPE_CHECKING:
    __version__: str
    from . import core as core
    from . import hf as hf
    from . import store as store
    from . import fast as fast
    from . import scale as scale
    from . import show as show
    from . import trust as trust
    from . import demo as demo
    from .core.marginal import (doc_log_prior as doc_log_prior, token_logprobs as token_logprobs, token_marginal as token_marginal,
        sequence_marginal as sequence_marginal, marginal_logits as marginal_logits, token_posterior as token_posterior, running_posterior as
        running_posterior, rag_token_loss as rag_token_loss, rag_sequence_loss as rag_sequence_loss)
    from .core.checks import (limits as limits)
    from .core.config import (RagConfig as RagConfig, EncoderSpec as EncoderSpec)
    from .core.passages import (Passages as Passages, Hits as Hits)
    from .core.encoder import (TextEncoder as TextEncoder)
    from .core.toy import (toy_documents as toy_documents, toy_questions as toy_questions, toy_tokenizer as toy_tokenizer, toy_encoder as
        toy_encoder, toy_generator as toy_generator)
    from .core.index import (Index as Index, ExactIndex as ExactIndex, INDEX_KINDS as INDEX_KINDS, register_index as register_index,
        make_index as make_index)
    from .core.retriever import (RagRetriever as RagRetriever, AutoTokenizer as AutoTokenizer, BitsAndBytesConfig as BitsAndBytesConfig)
    from .core.model import (RagModel as RagModel, RagPreTrainedModel as RagPreTrainedModel, RagTokenForGeneration as RagTokenForGeneration,
        RagSequenceForGeneration as RagSequenceForGeneration, RetrievAugLMOutput as RetrievAugLMOutput, RetrievAugLMMarginOutput as
        RetrievAugLMMarginOutput)
    from .core.generate import (RagGenerateOutput as RagGenerateOutput)
    from .core.answer import (Rag as Rag, Answer as Answer, Citation as Citation)
    from .core.objective import (FinetuneConfig as FinetuneConfig)
    from .core.train import (finetune as finetune)
    from .core.evaluate import (Evaluation as Evaluation, exact_match as exact_match, f1_score as f1_score)
    from .core.words import (split_passages as split_passages, tokenize_words as tokenize_words)
    from .hf.tokenizer import (RagTokenizer as RagTokenizer, chat_template_of as chat_template_of)
    from .store.questions import (Questions as Questions, read_questions as read_questions, RagCollator as RagCollator)
    from .store.folder import (IndexFolder as IndexFolder, IndexFolderError as IndexFolderError, build_folder as build_folder)
    from .store.bm25 import (BM25Index as BM25Index)
    from .store.faiss import (FaissIndex as FaissIndex)
    from .store.hub import (HubPassages as HubPassages, WikiDPRIndex as WikiDPRIndex, open_hub_index as open_hub_index)
    from .store.legacy import (CanonicalHFIndex as CanonicalHFIndex, CustomHFIndex as CustomHFIndex, LegacyIndex as LegacyIndex, adapt_index
        as adapt_index)
    from .store.readers import (read_documents as read_documents)
    from .scale.ray import (RayIndex as RayIndex, build_folder_with_ray as build_folder_with_ray, merge_hits as merge_hits)
    from .show.html import (answer_html as answer_html, hits_html as hits_html, page_html as page_html, answer_terminal as answer_terminal,
        answer_json as answer_json, json_text as json_text, final_posterior as final_posterior, posterior_label as posterior_label)
    from .show.candidates import (Alternatives as Alternatives, BeamNode as BeamNode, BeamTrace as BeamTrace)
    from .show.plots import (plot_posterior as plot_posterior, plot_prior as plot_prior, plot_entropy as plot_entropy)
    from .show.plots_candidates import (plot_alternatives as plot_alternatives, plot_beams as plot_beams)
    from .show.plots_space import (plot_space as plot_space, principal_plane as principal_plane)
    from .show.plots_training import (plot_training as plot_training, plot_calibration as plot_calibration)
    from .show.widgets import (PassageBrowser as PassageBrowser, AnswerExplorer as AnswerExplorer)
    from .trust.support import (Support as Support)
    from .trust.refusal import (plot_roc as plot_roc, plot_risk_coverage as plot_risk_coverage, plot_support as plot_support)
    from .demo.defaults import (FetchError as FetchError)
# until here


def _version():
    "The version in settings.ini beside the package where this is a source tree, else the installed one."
    from configparser import ConfigParser
    from importlib.metadata import version
    from pathlib import Path
    ini = ConfigParser(delimiters=["="], interpolation=None)
    ini.read(Path(__file__).parent.parent/"settings.ini", encoding="utf8")
    facts = ini["DEFAULT"]
    return facts["version"] if facts.get("lib_name") == __name__ else version(__name__)


def _found(name):
    "A public name, its module, or the version, found when first asked for."
    if name == "__version__": value = _version()
    elif name in _ROOMS: value = _import_module(f"{__name__}.{name}")
    elif name in _HOME:
        value = getattr(_import_module(f"{__name__}.{_HOME[name]}"), name)
    else: raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__(): return sorted({*globals(), *__all__, *_ROOMS, "__version__"})


if not _typing.TYPE_CHECKING: __getattr__ = _found   # a type checker reads the block above, and so finds a name that is misspelt


def _help_in_ipython():
    "Where IPython runs, `Rag.ask?` shows what each argument means: after a cell, new functions learn to say it (show/08_help)."
    import sys
    def learn(*_):
        if any(o.startswith(f"{__name__}.") for o in sys.modules): _import_module(f"{__name__}.show.help").describe()
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell: shell.events.register("post_run_cell", learn)


_help_in_ipython()
