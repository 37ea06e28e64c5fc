"""Greedy, beams and sampling over the sum of all documents; RAG-Sequence thorough and fast; and, for every token, which document spoke."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
import torch
from transformers import GenerationConfig
from transformers import LogitsProcessorList
from transformers.utils import ModelOutput
from typing import Any
from rag_nb.core.index import Registry
from rag_nb.core.marginal import token_logprobs
from rag_nb.core.prefill import Prefill

__all__ = ['NEVER', 'DECODERS', 'Hypotheses', 'GreedySearch', 'BeamSearch', 'Trace', 'NotNumbers', 'check_numbers', 'decoding_steps', 'candidates_of', 'thorough_scores', 'fast_scores', 'rank_candidates', 'RagGenerateOutput', 'ReferenceDecoder', 'register_decoder', 'select_decoder', 'decode_token', 'decode_sequence', 'decode_contexts', 'run_to_end', 'check_ways']

@dataclass
class Hypotheses:
    """N sequences a question, with what is known of each.

Parameters:
    tokens: (B, N, L) start token first, padded
    doc_lp: (B, N, L−1, K) log p(y_i|x,z,y_<i), 0 past the end
    lengths: (B, N) tokens written, without the start token
    scores: (B, N) what they are ranked by"""
    tokens: torch.Tensor
    doc_lp: torch.Tensor
    lengths: torch.Tensor
    scores: torch.Tensor

    def take(self, idx):
        """The sequences idx (B, n) of each question."""
        ...

    def write(self, at, tokens, doc_lp):
        """Put tokens (B, N) with their log-probabilities by document (B, N, K) at position `at`."""
        ...

    def join(self, other): ...

    @classmethod
    def start(cls, B, N, K, gc, device):
        """N empty sequences a question."""
        ...

class GreedySearch:
    """Greedy search (one chain) or sampling (M independent ones)."""
    gc: Any
    criteria: Any
    beams: Any
    at: int
    parents: Any
    hyps: Any
    ended: Any
    done: Any
    next: Any

    def __init__(self, B, K, gc, criteria, device) -> None: ...

    def advance(self, scores, doc_lp):
        """Choose a token for every chain."""
        ...

    def result(self): ...

NEVER: Any

class BeamSearch:
    """Beam search over the marginal, by the rules of Transformers."""
    gc: Any
    criteria: Any
    beams: Any
    at: int
    keep: Any
    running: Any
    finished: Any
    is_finished: Any
    can_improve: Any
    parents: Any
    next: Any
    done: Any

    def __init__(self, B, K, gc, criteria, device) -> None: ...

    def advance(self, scores, doc_lp):
        """Extend every beam by every token and keep the best."""
        ...

    def result(self): ...

    def _candidates(self, scores, doc_lp):
        """The best continuations over all beams of a question, with what each document says of them."""
        ...

    def _finish(self, candidates, ended):
        """Merge those that just ended, and were among the M best, into the finished ones."""
        ...

    def _look_ahead(self, ended):
        """Whether any question can still get a better answer."""
        ...

class Trace:
    """Scores and logits (B·M, V), attentions and hidden states of every step, as far as the settings ask for them."""
    looked: dict
    tables: dict
    names: dict
    kept: dict
    first: Any

    def __init__(self, gc=None) -> None: ...

    def add(self, output, **tables):
        """Keep what a step computed: the generator's output, and `scores` and `logits` (B, M, V)."""
        ...

    def fields(self):
        """Under the names of Transformers' generate outputs."""
        ...

class NotNumbers(ValueError):
    """A document's scores are NaN; `rows` counts through the documents of all questions."""
    rows: Any

    def __init__(self, rows, named='a document') -> None: ...

    def with_names(self, B, columns, hits=None):
        """The same error, with up to three of the documents by name, where those of `columns` were read."""
        ...

def check_numbers(bad: torch.Tensor):
    """An error where any is.

Parameters:
    bad: (B, K) which documents' scores are NaN"""
    ...

def _check_open(scores, strategy, processors):
    """ValueError where no token is left to go on with: scores (B, M, V) are −∞ throughout."""
    ...

def decoding_steps(reading: Prefill, log_prior: torch.Tensor, strategy, processors: LogitsProcessorList, trace=None):
    """Decode step by step; yields the strategy after every step.

Parameters:
    reading: B·K contexts, read
    log_prior: (B, K)
    strategy: `GreedySearch` or `BeamSearch`
    trace: a `Trace` to keep what the steps computed"""
    ...

def _rows(reading, strategy, B, K):
    """The row of the reading that every beam continues, (B·K·M,)."""
    ...

def candidates_of(hyps: Hypotheses, log_prior: torch.Tensor, deduplicate: bool=True) -> tuple:
    """The candidates of each question, from all documents that were found.

Parameters:
    hyps: of B·K single documents
    log_prior: (B, K)
    deduplicate: count equal candidates once

Returns: tokens (B, C, L), lengths (B, C); origin: for each question a list of C lists of (document, beam)"""
    ...

def thorough_scores(reading: Prefill, tokens: torch.Tensor, lengths: torch.Tensor, K: int, budget: int=...) -> torch.Tensor:
    """Every candidate's log-probabilities under every document.

Parameters:
    reading: B·K contexts
    tokens: (B, C, L) candidates, start token first
    lengths: (B, C)
    K: documents a question
    budget: numbers of logits at a time

Returns: (B, K, C, L−1) log p(y_i|x,z,y_<i), 0 past the end"""
    ...

def fast_scores(hyps, origin, K, C):
    """The candidates' log-probabilities as their own document's beams left them, −∞ under all other documents: (B, K, C, L−1)."""
    ...

def rank_candidates(
    each: torch.Tensor, tokens: torch.Tensor, lengths: torch.Tensor, log_prior: torch.Tensor, bos: int | None
) -> torch.Tensor:
    """RAG-Sequence's log-probability of each candidate.

Parameters:
    each: (B, K, C, T) log-probabilities by document
    tokens: (B, C, T+1)
    lengths: (B, C); 0 for a column that is no candidate
    log_prior: (B, K)
    bos: a first token that does not count

Returns: (B, C) log p(y|x), −∞ where there is no candidate"""
    ...

@dataclass
class RagGenerateOutput(ModelOutput):
    """Generated sequences, B·R of them, and what each document had to do with each token.

Parameters:
    sequences: (B·R, T) start token first
    sequences_scores: (B·R,) what they were ranked by
    token_logprobs: (B·R, T−1) log-probability of each token, summed over documents
    doc_posteriors: (B·R, T−1, K) p(z|x, y_i, y_<i), zeros past the end
    running_posteriors: (B·R, T−1, K) p(z|x, y_≤i), zeros past the end
    doc_logprobs: (B·R, K, T−1) log p(y_i|x,z,y_<i)
    lengths: (B·R,) tokens of each, without the start token
    doc_scores: (B, K)
    retrieved_doc_ids: (B, K)
    context_tokens: (B, K) tokens of each context
    reused_tokens: (B, K) those of them that an earlier call had read
    context_states: (B, K, d) at each context's end, of a generator with a `probe_layer`
    scores: for each step (B·M, V), marginal after the processors
    logits: for each step (B·M, V), the marginal itself
    encoder_attentions: these and the next: as in Transformers, B·K (at the first step) or B·K·M rows"""
    sequences: torch.LongTensor | None = ...
    sequences_scores: torch.FloatTensor | None = ...
    token_logprobs: torch.FloatTensor | None = ...
    doc_posteriors: torch.FloatTensor | None = ...
    running_posteriors: torch.FloatTensor | None = ...
    doc_logprobs: torch.FloatTensor | None = ...
    lengths: torch.LongTensor | None = ...
    doc_scores: torch.FloatTensor | None = ...
    retrieved_doc_ids: torch.LongTensor | None = ...
    context_tokens: torch.LongTensor | None = ...
    reused_tokens: torch.LongTensor | None = ...
    context_states: torch.FloatTensor | None = ...
    scores: tuple | None = ...
    logits: tuple | None = ...
    encoder_attentions: tuple | None = ...
    encoder_hidden_states: tuple | None = ...
    decoder_attentions: tuple | None = ...
    cross_attentions: tuple | None = ...
    decoder_hidden_states: tuple | None = ...

def _output(tokens, scores, doc_lp, lengths, log_prior, kind, doc_scores, hits):
    """The output for R sequences a question: tokens (B, R, L), scores (B, R), doc_lp (B, R, L−1, K), lengths (B, R)."""
    ...

class ReferenceDecoder:
    """The way that is always open: contexts read by `read`, one call of the generator a step."""
    processors: Any
    criteria: Any
    trace: Any
    reading: Any

    def __init__(self, generator, ids, mask, gc, processors, criteria, trace) -> None: ...

    def search(self, log_prior, gc, docs):
        """Yields after every step of B questions, log_prior (B, K); returns their `Hypotheses`. Prompts are shared by `docs` rows."""
        ...

    def scores(self, tokens, lengths, K, known): ...

    @property
    def states(self): ...

DECODERS: Registry

def register_decoder(name: str):
    """A decorator: the function makes decoders, or gives None where it cannot promise the reference's result.

Parameters:
    name: what it is called"""
    ...

def select_decoder(decoder: str, *args):
    """What reads the contexts and takes the steps.

Parameters:
    decoder: "auto": the first registered one that takes it, else the reference; "reference": the loop
    args: generator, contexts and mask (B·K, S), settings, processors, criteria, trace"""
    ...

def decode_token(decoder, log_prior, gc):
    """RAG-Token: the loop, yielding at each step, and its R best."""
    ...

def decode_sequence(decoder, log_prior, gc, decoding='thorough', deduplicate=True, rerank=None):
    """RAG-Sequence: candidates of every document alone, then the sum over documents, and its R best."""
    ...

def _returned(steps):
    """What a Python generator returns at its end."""
    ...

def _enough(origin, gc):
    """An error where fewer candidates were found than answers asked for."""
    ...

def decode_contexts(
    model, ctx, doc_scores, gc, kind, decoding='thorough', hits=None, prefix_fn=None, user_processors=None, user_criteria=None,
    tokenizer=None, deduplicate=True, decoder='auto'
):
    """Read contexts (B·K, S) and decode as `kind` does; yields after every step of RAG-Token, returns a `RagGenerateOutput`."""
    ...

def run_to_end(steps, streamer=None) -> RagGenerateOutput:
    """Run a decoding to its end.

Parameters:
    steps: a decoding in progress
    streamer: is handed the tokens of every step"""
    ...

def _found_only(ctx, doc_scores, gc):
    """Contexts (B·K', S) and mask of the columns that have a document for some question, and which of the K columns those are."""
    ...

def _tokens_read(decoder, mask, there, B):
    """Tokens (B, K) of every context, and how many of them the decoder had read before."""
    ...

def _states_of_all(there, states, B):
    """States (B·K', d) at their places among all K, 0 elsewhere: (B, K, d)."""
    ...

def _at_all(there, tokens, scores, doc_lp, lengths):
    """Log-probabilities by document (…, K') at their places among all K, −∞ elsewhere."""
    ...

def _generate(
    model, input_ids=None, attention_mask=None, context_input_ids=None, context_attention_mask=None, doc_scores=None, n_docs=None,
    generation_config=None, prefix_allowed_tokens_fn=None, logits_processor=None, stopping_criteria=None, do_deduplication=None,
    streamer=None, tokenizer=None, token_type_ids=None, questions=None, decoding='thorough', kind=None, decoder='auto',
    synced_gpus=False, labels=None, **kwargs
):
    """Generate answers: (B·R, T) token ids, or a `RagGenerateOutput` with `return_dict_in_generate=True`."""
    ...

def check_ways(kind: str, decoding: str='thorough', streaming: bool=False, gc: GenerationConfig | None=None, decoder: str='auto'):
    '''Refuse ways of answering that do not exist, by name.

Parameters:
    kind: "token" or "sequence"
    decoding: or "fast"
    streaming: whether tokens are wanted as they come
    gc: complete settings
    decoder: or "reference"'''
    ...
