"""A question encoder, a generator and the equation between them, as three models of the library that everybody knows."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
import os
from pathlib import Path
import torch
from transformers import GenerationMixin
from transformers import PreTrainedModel
from typing import Any
from rag_nb.core.config import RagConfig
from rag_nb.core.names import CacheOutput
from rag_nb.core.passages import Hits

__all__ = ['RetrievAugLMOutput', 'RetrievAugLMMarginOutput', 'RagPreTrainedModel', 'generator_class', 'RagModel', 'RagTokenForGeneration', 'RagSequenceForGeneration', 'usable_attention', 'generator_only', 'ShapeMismatch', 'check_contexts', 'strip_prefix_tokens', 'align_labels', 'start_id', 'shift_left', 'ForwardedGenerator']

class RetrievAugLMOutput(CacheOutput):
    """What `RagModel` returns: logits (B·K, T, V), document scores (B, K), what was retrieved, what the networks computed."""
    logits: torch.FloatTensor | None = ...
    doc_scores: torch.FloatTensor | None = ...
    past_key_values: object | None = ...
    retrieved_doc_embeds: torch.FloatTensor | None = ...
    retrieved_doc_ids: torch.LongTensor | None = ...
    context_input_ids: torch.LongTensor | None = ...
    context_attention_mask: torch.LongTensor | None = ...
    question_encoder_last_hidden_state: torch.FloatTensor | None = ...
    question_enc_hidden_states: tuple | None = ...
    question_enc_attentions: tuple | None = ...
    generator_enc_last_hidden_state: torch.FloatTensor | None = ...
    generator_enc_hidden_states: tuple | None = ...
    generator_enc_attentions: tuple | None = ...
    generator_dec_hidden_states: tuple | None = ...
    generator_dec_attentions: tuple | None = ...
    generator_cross_attentions: tuple | None = ...

@dataclass
class RetrievAugLMMarginOutput(RetrievAugLMOutput):
    """What the two heads return: `RetrievAugLMOutput` and the loss."""
    loss: torch.FloatTensor | None = ...

class RagPreTrainedModel(PreTrainedModel):
    """What the RAG models share: configuration class, checkpoint prefix, which kinds of attention reach the two networks."""
    config_class: type[RagConfig] = ...
    base_model_prefix: str = ...
    main_input_name: str = ...
    supports_gradient_checkpointing: bool = ...
    accepts_loss_kwargs: bool = ...
    _supports_sdpa: bool = ...
    _supports_flash_attn: bool = ...
    _supports_flex_attn: bool = ...
    _supports_attention_backend: bool = ...
    all_tied_weights_keys: dict

    def init_weights(self):
        """Nothing is left to do: each network was initialised, and its weights tied, where it was made."""
        ...

    def post_init(self): ...

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path, *model_args, retriever=None, attn_implementation=None, quantization_config=None,
        quantize_question_encoder: bool=False, **kwargs
    ) -> RagPreTrainedModel:
        """Open a RAG checkpoint, of either head, with its weights where they belong.

Parameters:
    pretrained_model_name_or_path: folder or hub name of a RAG checkpoint
    model_args: as for any model of Transformers
    retriever: a `RagRetriever`
    attn_implementation: for both networks, or a dict with keys question_encoder and generator
    quantization_config: for the generator
    quantize_question_encoder: for the question encoder, too
    kwargs: as for any model of Transformers: `dtype`, `device_map`, …"""
        ...

    @classmethod
    def from_pretrained_question_encoder_generator(
        cls, question_encoder_pretrained_model_name_or_path: str | None=None, generator_pretrained_model_name_or_path: str | None=None,
        retriever=None, **kwargs
    ) -> RagPreTrainedModel:
        """A RAG model out of a question encoder and a generator.

Parameters:
    question_encoder_pretrained_model_name_or_path: name or folder
    generator_pretrained_model_name_or_path: name or folder; encoder–decoder or decoder-only
    retriever: a `RagRetriever`
    kwargs: question_encoder_…, generator_…, and fields of `RagConfig`"""
        ...

    def resize_token_embeddings(self, new_num_tokens=None, pad_to_multiple_of=None, mean_resizing=True):
        """Grow or shrink the generator's vocabulary; arguments as for any model of Transformers."""
        ...

    def save_pretrained(
        self, save_directory: str | os.PathLike, is_main_process: bool=True, state_dict: dict | None=None, push_to_hub: bool=False,
        **kwargs
    ):
        """Write configuration, generation settings and weights; over a checkpoint that is there, all at once.

Parameters:
    save_directory: made where it does not exist
    is_main_process: of several processes, the one that writes
    state_dict: instead of the model's own weights
    push_to_hub: and to the Hub
    kwargs: as for any model of Transformers: `max_shard_size`, `variant`, …"""
        ...

def generator_class(config):
    """The auto class that makes this kind of generator: encoder–decoder or decoder-only.

Parameters:
    config: a generator's configuration"""
    ...

def _config_of(config, question_encoder, generator, kwargs):
    """The configuration given, or one made from the two networks'."""
    ...

def _context_encoder(config):
    """The passage encoder that was trained and saved with a model, by its class's name; None where there was none."""
    ...

def _made(auto, config):
    """A network made from its configuration; with PyTorch's attention where FlashAttention is asked for and the network's class has no way to call it, as DPR's has not."""
    ...

class RagModel(RagPreTrainedModel):
    """A question encoder and a generator; (B·K, T, V) logits for every document and (B, K) document scores."""
    question_encoder: Any
    generator: Any
    ctx_encoder: Any
    retriever: Any
    context_encoder_training: bool
    tokenizers: dict

    def __init__(
        self, config: RagConfig | None=None, question_encoder: PreTrainedModel | None=None, generator: PreTrainedModel | None=None,
        retriever=None, **kwargs
    ) -> None:
        """Parameters:
    config: made from the two networks where None
    question_encoder: made from the configuration where None
    generator: likewise
    retriever: a `RagRetriever`; needed when only questions are given
    kwargs: fields of a configuration that is made here"""
        ...

    def get_input_embeddings(self): ...

    def set_input_embeddings(self, value): ...

    def get_output_embeddings(self): ...

    def set_output_embeddings(self, new_embeddings): ...

    def set_retriever(self, retriever):
        """From now on search with this: a `RagRetriever`, or whatever is called as one."""
        ...

    def embed_questions(self, input_ids, attention_mask=None, token_type_ids=None, **kw):
        """Vectors of the questions, (B, D); with `with_output=True` also the encoder's output."""
        ...

    def doc_scores(self, vectors: torch.Tensor, hits: Hits) -> torch.Tensor:
        """Inner products of questions and documents, with what shared words add to them, times the score scale.

Parameters:
    vectors: (B, D) question vectors
    hits: (B, K) with vectors

Returns: (B, K) float32, −∞ where no document was found"""
        ...

    def retrieve(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None=None, token_type_ids: torch.Tensor | None=None,
        n_docs: int | None=None, questions: list | None=None, prefix: str | None=None, **kwargs
    ) -> tuple:
        """Encode the questions, search once, lay out the contexts.

Parameters:
    input_ids: (B, S) questions for the question encoder
    attention_mask: (B, S)
    token_type_ids: (B, S), for encoders that want them
    n_docs: K
    questions: B strings as written; decoded from the ids where None
    prefix: before every context
    kwargs: `output_attentions`, `output_hidden_states` of the question encoder

Returns: document scores (B, K), contexts, hits, question vectors (B, D), the question encoder's output"""
        ...

    def tokenizer_for(self, part: str):
        '''The tokenizer that goes with one of the two networks: the retriever's, or this model's own.

Parameters:
    part: "question_encoder" or "generator"'''
        ...

    def _tokenizer_or_none(self, part):
        """The tokenizer for one of the two networks; None where a retriever of another kind needs none."""
        ...

    def _written(self, input_ids):
        """Questions as their token ids say them (B strings); None where nobody needs them."""
        ...

    def lending(self, retriever, **more):
        """A context in which the retriever has this model's configuration and tokenizers.

Parameters:
    retriever: the one that is going to be asked
    more: `input_ids`, `prefix` …"""
        ...

    def set_context_encoder_for_training(self, ctx_encoder: PreTrainedModel):
        """From now on embed the passages found with this encoder, so that it learns.

Parameters:
    ctx_encoder: embeds passages, with gradient"""
        ...

    def _embed_again(self, hits):
        """The hits with vectors (B, K, D) made by the context encoder, with gradient."""
        ...

    def forward(
        self, input_ids=None, attention_mask=None, encoder_outputs=None, decoder_input_ids=None, decoder_attention_mask=None,
        past_key_values=None, doc_scores=None, context_input_ids=None, context_attention_mask=None, use_cache=None,
        output_attentions=None, output_hidden_states=None, output_retrieved=None, n_docs=None, token_type_ids=None, questions=None,
        return_dict=None, cache=None, **kwargs
    ):
        """Logits (B·K, T, V) of the decoder inputs behind every document, and document scores (B, K)."""
        ...

_TOKENS: Any

def _take_over_tokens(ours, theirs, config):
    """Put into our generation settings what a generator's own say of its tokens, where the configuration does not."""
    ...

class _Head(RagPreTrainedModel, GenerationMixin):
    """A head over `RagModel`; subclasses say how documents are summed over."""
    kind: Any = ...
    accepts_loss_kwargs: Any
    rag: RagModel

    def __init__(self, config=None, question_encoder=None, generator=None, retriever=None, **kwargs) -> None: ...

    @property
    def question_encoder(self):
        """"""
        ...

    @property
    def generator(self):
        """"""
        ...

    @property
    def retriever(self):
        """"""
        ...

    def set_retriever(self, retriever): ...

    def get_input_embeddings(self): ...

    def set_input_embeddings(self, value): ...

    def get_output_embeddings(self): ...

    def set_output_embeddings(self, new_embeddings): ...

    def set_context_encoder_for_training(self, ctx_encoder): ...

    def loss_of(
        self, logits: torch.Tensor, doc_scores: torch.Tensor, targets: torch.Tensor, reduce_loss: bool | None=None,
        exclude_bos_score: bool | None=None
    ) -> torch.Tensor:
        """Negative log-likelihood of the targets, marginalised over documents as this head does.

Parameters:
    logits: (B·K, T, V)
    doc_scores: (B, K)
    targets: (B, T), aligned
    reduce_loss: True: sum; False: one an example; None: mean
    exclude_bos_score: RAG-Sequence: a beginning token that is a target does not count"""
        ...

    def forward(
        self, input_ids=None, attention_mask=None, encoder_outputs=None, decoder_input_ids=None, decoder_attention_mask=None,
        past_key_values=None, context_input_ids=None, context_attention_mask=None, doc_scores=None, use_cache=None,
        output_attentions=None, output_hidden_states=None, output_retrieved=None, do_marginalize=None, reduce_loss=None, labels=None,
        n_docs=None, exclude_bos_score=None, token_type_ids=None, questions=None, return_dict=None, cache=None, **kwargs
    ):
        """As `RagModel`, and with `labels` (B, T) the loss; `do_marginalize` gives RAG-Token's log-probabilities (B, T, V) instead of logits."""
        ...

    def _through_rag(self, *args, **kwargs):
        """The output of `self.rag`, called by keyword."""
        ...

    def forward_overridden(self) -> bool:
        """Whether `self.rag` has a `forward` of its own."""
        ...

    def generator_for(self, doc_scores: torch.Tensor):
        """What decodes: the generator, or, where `self.rag` has a `forward` of its own, the generator asked through that.

Parameters:
    doc_scores: (B, K) of the contexts that are going to be read"""
        ...

    def found_by_forward(self, input_ids, attention_mask=None, token_type_ids=None, n_docs=None, questions=None):
        """Document scores, contexts and hits as `self.rag` gives them: `retrieve`, or a `forward` of its own."""
        ...

    def get_nll(self, seq_logits, doc_scores, target, reduce_loss=False, epsilon=0.0, n_docs=None, exclude_bos_score=False):
        """Negative log-likelihoods (B,), or their sum, of targets (B, T) that were fed as they are: logits[:, t] are for target[:, t+1]."""
        ...

    def generate(
        self, input_ids=None, attention_mask=None, context_input_ids=None, context_attention_mask=None, doc_scores=None, n_docs=None,
        generation_config=None, prefix_allowed_tokens_fn=None, logits_processor=None, stopping_criteria=None, do_deduplication=None,
        streamer=None, tokenizer=None, token_type_ids=None, questions=None, decoding='thorough', kind=None, decoder='auto',
        synced_gpus=False, labels=None, **kwargs
    ):
        """Generate answers: (B·R, T) token ids, or a `RagGenerateOutput` with `return_dict_in_generate=True`.

Parameters:
    input_ids: (B, S) questions as the question encoder reads them, to search with
    attention_mask: (B, S)
    context_input_ids: (B·K, S) contexts to read, instead of searching
    context_attention_mask: (B·K, S)
    doc_scores: (B, K) float32 document scores of these contexts
    n_docs: K; the configuration's where None
    generation_config: settings; the model's own where None
    prefix_allowed_tokens_fn: which tokens may come next
    logits_processor: a list of your own, after those of the settings
    stopping_criteria: a list of your own
    do_deduplication: RAG-Sequence: score equal candidates once
    streamer: is handed each token as it is chosen
    tokenizer: the generator's, for `stop_strings`
    token_type_ids: (B, S)
    questions: B strings, for a retriever that weighs words
    decoding: RAG-Sequence: or "fast"
    kind: "token" or "sequence"; the head's own where None
    decoder: or "reference": the loop that is always open
    synced_gpus: not possible; refused by name
    labels: ignored, as in training loops that pass them
    kwargs: fields of `GenerationConfig`: `num_beams`, `max_new_tokens`, …"""
        ...

class RagTokenForGeneration(_Head):
    """RAG-Token: every token may lean on another document (paper, section 2.1)."""
    kind: str = ...

    def marginalize(self, seq_logits, doc_scores, n_docs=None):
        """RAG-Token's log-probabilities (B, T, V), summed over documents, from logits (B·K, T, V) and document scores (B, K)."""
        ...

    def shift_tokens_right(self, input_ids, start_token_id=None):
        """Token ids (B, T) moved one place to the right, behind the start token."""
        ...

class RagSequenceForGeneration(_Head):
    """RAG-Sequence: one document explains the whole answer (paper, section 2.1)."""
    kind: str = ...
    _cat_and_pad: Any

    def forward(
        self, input_ids=None, attention_mask=None, encoder_outputs=None, decoder_input_ids=None, decoder_attention_mask=None,
        past_key_values=None, context_input_ids=None, context_attention_mask=None, doc_scores=None, use_cache=None,
        output_attentions=None, output_hidden_states=None, output_retrieved=None, exclude_bos_score=None, reduce_loss=None, labels=None,
        n_docs=None, token_type_ids=None, questions=None, return_dict=None, do_marginalize=None, **kwargs
    ):
        """As RAG-Token's `forward`, with the arguments in RAG-Sequence's published order."""
        ...

    def get_nll(self, seq_logits, doc_scores, target, reduce_loss=False, epsilon=0.0, exclude_bos_score=False, n_docs=None):
        """As RAG-Token's, with the arguments in RAG-Sequence's published order."""
        ...

    def generate(
        self, input_ids=None, attention_mask=None, context_input_ids=None, context_attention_mask=None, doc_scores=None,
        do_deduplication=None, num_return_sequences=None, num_beams=None, n_docs=None, **kwargs
    ):
        """As RAG-Token's `generate`, with the arguments in RAG-Sequence's published order."""
        ...

def usable_attention(wanted):
    """The attention asked for, with PyTorch's own in place of FlashAttention where that cannot run.

Parameters:
    wanted: "flash_attention_2", "sdpa", "eager", …, or a dict with keys question_encoder and generator"""
    ...

def generator_only(quantization_config):
    """The same configuration, leaving the question and passage encoders as they are.

Parameters:
    quantization_config: any of Transformers' quantisation configurations, or None"""
    ...

def _load_part(name, kwargs, auto):
    """One network: the `model` among its keyword arguments, or loaded by name."""
    ...

_WHERE: Any

_HOW: Any

_OWN: Any

def _for_both(kwargs):
    """Loading arguments given without a prefix: for both networks, but quantisation for the generator alone."""
    ...

def _tokenizer_of(config, part):
    """The tokenizer that was saved with a RAG model, or with one of the two networks it was made from."""
    ...

def _given(**kwargs): ...

def _force_found(generator, ids, mask, fed, fed_mask, doc_scores):
    """`teacher_force` of the rows whose document was found; the others are zeros."""
    ...

class ShapeMismatch(ValueError, AssertionError):
    """Inputs that do not fit one another; published code expects an `AssertionError`."""

def check_contexts(ids: torch.Tensor | None, mask: torch.Tensor | None, doc_scores: torch.Tensor | None, n_docs: int | None=None):
    """Refuse contexts, masks and document scores that do not fit one another.

Parameters:
    ids: (B·K, S) contexts
    mask: (B·K, S)
    doc_scores: (B, K)
    n_docs: K, where it was said"""
    ...

def _repeat_for_docs(doc_scores, *decoder, start=None):
    """Each question's decoder inputs, once for each of its K documents: (B, T) to (B·K, T); they have to begin with `start`, if it is given."""
    ...

def _named(out, doc_scores, hits, vectors, asked, ids, mask, keep):
    """The networks' outputs under their published names; `asked` is the question encoder's."""
    ...

def _ids(tokens): ...

def _unpadded(labels, config):
    """Labels (B, T) with −100 in place of padding."""
    ...

def strip_prefix_tokens(labels, config):
    """Labels (B, T) of a decoder-only generator without what stands before an answer, each row filled up with −100."""
    ...

def _check_labels(labels, config):
    """Refuse token ids that the generator does not have; on a GPU they would end everything."""
    ...

def align_labels(labels: torch.Tensor, config: RagConfig) -> tuple:
    """Decoder inputs and targets, aligned: logits[:, t] of the inputs predict targets[:, t].

Parameters:
    labels: (B, T) target ids; −100 and padding do not count
    config: special token ids, kind of generator

Returns: decoder inputs (B, T) and targets (B, T), −100 where nothing is scored"""
    ...

def start_id(config: RagConfig) -> int:
    """The id that stands before the first token: the decoder's start token, or the first special token there is.

Parameters:
    config: of the model"""
    ...

_LOSS: Any

def _without_bos(targets, config):
    """Targets whose first one, where it is the beginning token, is not scored; row by row."""
    ...

def shift_left(labels, config):
    """Targets for decoder inputs that the caller aligned: the labels, one step ahead."""
    ...

_FOR_RAG: Any

_BESIDE: set

class ForwardedGenerator(torch.nn.Module):
    """An encoder–decoder generator that is asked through the `forward` of the `RagModel` that holds it, each context with one document."""
    head: list
    scores: Any
    config: Any

    def __init__(self, head, doc_scores) -> None: ...

    @property
    def device(self):
        """"""
        ...

    @property
    def dtype(self):
        """"""
        ...

    def get_encoder(self): ...

    def forward(
        self, input_ids=None, attention_mask=None, decoder_input_ids=None, encoder_outputs=None, past_key_values=None, use_cache=None,
        return_dict=None, **looked
    ): ...

def _cat_and_pad(tensors, pad_token_id):
    """Matrices of token ids (n, T), one below the other, each filled up on the right to the widest."""
    ...

_PART: Any

def _remove_parts(path: Path, names: set):
    """Remove the parts of weights that an earlier save had left.

Parameters:
    path: a checkpoint
    names: the files that were written last"""
    ...
