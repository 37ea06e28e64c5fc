"""A batch of questions goes in; a search, a reading and a sum over documents later, a loss comes out, with what was seen on the way."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
import numpy as np
from torch import nn
import torch
from typing import Any
from rag_nb.core.answer import Rag
from rag_nb.core.encoder import TextEncoder
from rag_nb.core.passages import Hits

__all__ = ['PARTS', 'FinetuneConfig', 'take_off', 'add_adapters', 'Snapshot', 'is_adapter', 'TrainingModule', 'part_of']

PARTS: Any

@dataclass
class FinetuneConfig:
    """What is trained, on which objective, and how documents are found meanwhile.

Parameters:
    train: any of `PARTS`
    adapters: rank of low-rank adapters: a number for all networks, or a dict by part; None: all weights
    kind: "token", "sequence" or "both", the mean of the two; the model's own head where None
    n_docs: K while training; the model's where None
    likelihood: weight of −log p(y|x)
    contrast: weight of the contrastive loss over the batch's passages, for questions whose document is known
    include_gold: put a question's own document among the K where the search missed it
    reindex_every: steps between two embeddings of all passages; None: never (and at the end)
    background: embed them in a thread, with a copy of the encoder, and swap when done
    cache_retrieval: search once a question between two refreshes
    micro_batch: contexts read together
    activation_checkpointing: trade time for memory: see `answer_logprobs`
    record: on a GPU, record passes by shape and play them: see fast/12_cuda_graphs"""
    train: tuple = ...
    adapters: object = ...
    kind: str | None = ...
    n_docs: int | None = ...
    likelihood: float = ...
    contrast: float = ...
    include_gold: bool = ...
    reindex_every: int | None = ...
    background: bool = ...
    cache_retrieval: bool = ...
    micro_batch: int = ...
    activation_checkpointing: bool = ...
    record: bool = ...

    def __post_init__(self): ...

    def _check(self):
        """ValueError for what cannot be trained."""
        ...

def _owners(model):
    """For each weight, by its identity, the modules that hold it."""
    ...

def take_off(wrapped):
    """Take adapters off a network; copies of whole modules, which peft's `unload` would leave in place, go as well.

Parameters:
    wrapped: a peft model

Returns: the network inside, as it was"""
    ...

def _check_ties(wrapped, adapters, owners):
    """ValueError where peft has put something on a weight that has several names, or trains biases."""
    ...

def _linear_names(model, skip):
    """The names of a network's matrices, without those that `skip` names and the output embedding."""
    ...

def add_adapters(model, adapters, skip: tuple=...):
    """Low-rank adapters (Hu et al. 2021) on every matrix of a network but its output embedding.

Parameters:
    model: a network of Transformers
    adapters: the rank, or a peft `LoraConfig`
    skip: parts of names to leave alone

Returns: the peft model around it"""
    ...

class Snapshot:
    """What a `Rag` is before training, apart from its own weights."""
    rag: Rag
    encoder: Any
    nets: Any
    embedding: Any
    modules: list
    weights: list
    adapters: list
    config: Any

    def __init__(self, rag: Rag) -> None: ...

    def restore_modes(self):
        """Training modes, recomputation and gradients as they were; what is new is in evaluation mode and free."""
        ...

    def restore(self):
        """Take off the adapters that were put on, give back those that were there, and all modes."""
        ...

def _hooks_of(m): ...

def is_adapter(name: str) -> bool:
    """Whether peft trains it: a low-rank matrix, a copy from `modules_to_save`, or new vectors of single tokens.

Parameters:
    name: of a parameter of a peft model"""
    ...

class TrainingModule(nn.Module):
    """One training step of a `Rag`, as a module: a batch goes in, a loss and what was seen on the way come out."""
    plan: Any
    rag: Rag
    model: Any
    before: Snapshot
    kind: Any
    retriever: Any
    log_scale: Any
    cache: dict
    tokens: dict
    texts: dict
    refreshed: Any
    thread: Any
    fresh: Any
    documents: Any
    recorder: Any
    question_recorder: Any
    _embedded: Any
    gold_rows: dict
    embeds: Any
    one_matrix: Any
    passages: TextEncoder

    def __init__(self, rag: Rag, plan: FinetuneConfig | None=None) -> None:
        """Parameters:
    rag: its networks are trained in place"""
        ...

    @property
    def config(self): ...

    @property
    def device(self): ...

    def activation_checkpointing_enable(self, activation_checkpointing_kwargs=None, **kwargs): ...

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs=None): ...

    def get_input_embeddings(self):
        """The embedding that reads contexts."""
        ...

    def _find_gold_rows(self):
        """Which rows of the index a document has, without those that were deleted."""
        ...

    def _sides(self):
        """Who embeds passages while training: the question encoder itself, an encoder of their own, or nobody (their vectors stay)."""
        ...

    def _free(self, part, rank):
        """Give one network its adapters, and gradients to what of it is trained."""
        ...

    def _prepare(self):
        """Put adapters where they were asked for, and let only what is trained have a gradient."""
        ...

    def on_device(self):
        """Search where the networks are, if the index is exact and they are on a GPU."""
        ...

    def search(self, vectors: torch.Tensor, questions: list) -> Hits:
        """The K documents of each question, from the index or from what was found before.

Parameters:
    vectors: (B, D) of the questions
    questions: B strings

Returns: (B, K), with passages and vectors"""
        ...

    def _hits_of(self, ids, vectors, questions):
        """Hits for given rows (B, K): their vectors, and scores against the questions' vectors (B, D)."""
        ...

    def lending(self):
        """A context in which the retriever has the model's configuration and the tokenizers."""
        ...

    def _through_retriever(self, vectors, questions, K):
        """The documents (B, K) that a retriever with methods of its own gives."""
        ...

    def _gold_among(self, hits, gold):
        """The column of each question's document among the hits (B,), −1 where it is not there."""
        ...

    def _rows_of(self, gold, vectors):
        """The row of each question's document (B,), −1 where unknown: of several passages, the one closest to the question."""
        ...

    def _with_gold(self, hits, vectors, gold, questions):
        """Hits (B, K) in which a question's own document stands, in the last place where it was not found; and its column (B,), −1 for none."""
        ...

    def _doc_vectors(self, hits):
        """Vectors of the hits (B, K, D): made now, with gradient, where the passages' encoder is trained; else as the index has them."""
        ...

    def _tokens(self, rows, encoder=None, most=...):
        """Tokens of passages, given by row, as their encoder reads them; kept, for they are wanted again."""
        ...

    def _with_passages(self, hits, most=...):
        """The hits with their passages, which are kept, for they are wanted again."""
        ...

    def _scores(self, vectors, docs, hits):
        """Scaled inner products (B, K), −∞ where no document was found; in float32 whatever the precision around."""
        ...

    def _vectors(self, **asked):
        """Vectors of the questions (B, D), from a recording if there is one: inputs (B, S), those that are None left out."""
        ...

    def _likelihood(self, questions, hits, scores, labels):
        """−log p(y|x) (B,), and log-probabilities of the targets (B, K, T)."""
        ...

    def _contrast(self, vectors, docs, hits, gold):
        """Cross-entropy of each question's own document among all that the batch found: hard negatives of its own, easy ones of the others."""
        ...

    def _recall(self, found, document_ids):
        """How many of the known documents were found first, and among the K."""
        ...

    def forward(self, input_ids, attention_mask=None, labels=None, questions=None, document_ids=None, token_type_ids=None) -> dict:
        """Search once, read once, sum over documents.

Parameters:
    input_ids: (B, S) questions for the question encoder
    attention_mask: (B, S)
    labels: (B, T) answers for the generator, −100 past the end
    questions: B strings, as written
    document_ids: B lists of ids of documents that hold the answer; empty where unknown
    token_type_ids: (B, S)

Returns: loss, and statistics by name"""
        ...

    def embed_all(self, encoder: TextEncoder | None=None, progress: bool=True, batch_size: int=128) -> np.ndarray:
        """Vectors of all passages.

Parameters:
    encoder: the passages' encoder as it is now, where None
    progress: show a progress bar
    batch_size: passages at a time

Returns: (N, D) float32"""
        ...

    def take_vectors(self, vectors: np.ndarray):
        """Search in these vectors from now on; what was found in the old ones is forgotten.

Parameters:
    vectors: (N, D)"""
        ...

    def reindex(self, background: bool=False):
        """Embed all passages again with the encoder as it is now, and search in the new vectors once they are whole.

Parameters:
    background: in a thread; `swap` takes them over"""
        ...

    def swap(self, wait: bool=False):
        """Take over what a refresh in the background has made, if it is done.

Parameters:
    wait: for the thread to end"""
        ...

    def merge(self):
        """Work the adapters into the weights."""
        ...

    def save_adapters(self, folder):
        """Write the low-rank adapters as peft writes them.

Parameters:
    folder: gets a subfolder for each part that has adapters"""
        ...

    def hand_back(self):
        """Give the `Rag` its passages' new vectors, and leave its networks in the modes in which they were found."""
        ...

    def give_up(self):
        """Leave the `Rag` as it was before, after a run that ended in an error."""
        ...

    def _forget(self): ...

_WHERE: Any

def part_of(name: str) -> str:
    """Which part a parameter belongs to.

Parameters:
    name: of a parameter of a `TrainingModule`"""
    ...

def _document_id(p): ...

def _beliefs(scores, token_lp):
    """Mean entropy in nats of prior and final posterior over documents, and how often reading puts another document first."""
    ...
