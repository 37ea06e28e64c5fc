"Tiny checkpoints under the published names: the files, layout, key prefixes and old configuration keys of the real ones."
import json
from pathlib import Path

import torch
from transformers import BartConfig, BartForConditionalGeneration, DPRConfig, DPRContextEncoder, DPRQuestionEncoder, T5Config, T5ForConditionalGeneration
from tokenizers import pre_tokenizers

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] who holds the record in how many people live paris what is a of ? . ,".split()
BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def _json(path, value): path.parent.mkdir(parents=True, exist_ok=True); path.write_text(json.dumps(value))


def question_tokenizer(folder):
    "BERT's files, as DPR has them: lower case, one word a line."
    folder = Path(folder); folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(c) for c in range(97, 123)]
    (folder/"vocab.txt").write_text("\n".join(WORDS + [w for c in letters for w in (c, "##" + c) if w not in WORDS]) + "\n")
    _json(folder/"tokenizer_config.json", {"do_lower_case": True, "model_max_length": 512, "tokenizer_class": "BertTokenizer"})
    _json(folder/"special_tokens_map.json", {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
        "mask_token": "[MASK]"})


def generator_tokenizer(folder):
    "BART's files: vocab.json and merges.txt, one merge."
    vocab = SPECIAL[:4] + BYTES + ["th", "<mask>"]
    _json(Path(folder)/"vocab.json", {t: i for i, t in enumerate(vocab)})
    (Path(folder)/"merges.txt").write_text("#version: 0.2\nt h\n")
    _json(Path(folder)/"tokenizer_config.json", {"model_max_length": 1024, "tokenizer_class": "BartTokenizer"})
    _json(Path(folder)/"special_tokens_map.json", {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>",
        "pad_token": "<pad>", "cls_token": "<s>", "mask_token": "<mask>"})
    return len(vocab)


def dpr(cls, seed=0):
    torch.manual_seed(seed)
    return cls(DPRConfig(vocab_size=80, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        initializer_range=.5)).eval()


def bart(vocab, seed=0):
    torch.manual_seed(seed)
    return BartForConditionalGeneration(BartConfig(vocab_size=vocab, d_model=64, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2,
                                                   encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=512, init_std=.4,
                                                   forced_eos_token_id=2)).eval()


def _bin(folder, state, config):
    "Weights as they were published: one pytorch_model.bin, tied weights absent."
    folder = Path(folder); folder.mkdir(parents=True, exist_ok=True)
    tied = ("lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
    torch.save({k: v for k, v in state.items() if not k.endswith(tied)}, folder/"pytorch_model.bin")
    _json(folder/"config.json", config)


def rag(folder, head="Token", name="token"):
    "facebook/rag-…: both networks in one file, two folders of tokenizer files, and keys of 2020 in its configuration."
    folder = Path(folder)
    vocab = generator_tokenizer(folder/"generator_tokenizer"); question_tokenizer(folder/"question_encoder_tokenizer")
    q, g = dpr(DPRQuestionEncoder), bart(vocab)
    state = {**{f"rag.question_encoder.{k}": v for k, v in q.state_dict().items()},
        **{f"rag.generator.{k}": v for k, v in g.state_dict().items()}}
    old = {"architectures": [f"Rag{head}ForGeneration"], "model_type": "rag", "retriever_type": "hf_retriever",
        "pretrained_question_encoder_tokenizer_name_or_path": "facebook/dpr-question_encoder-single-nq-base",
           "pretrained_generator_tokenizer_name_or_path": "facebook/bart-large", "index_name": "exact", "dataset": "wiki_dpr",
           "dataset_split": "train", "use_dummy_dataset": False, "n_docs": 5, "title_sep": " / ",
           "doc_sep": " // ", "max_combined_length": 300, "retrieval_vector_size": 32, "retrieval_batch_size": 8, "passages_path": None,
           "index_path": None, "is_encoder_decoder": True, "do_deduplication": True,
           "reduce_loss": False, "label_smoothing": 0.0, "exclude_bos_score": False, "do_marginalize": False, "output_retrieved": False,
           "vocab_size": None,
           "question_encoder": {**q.config.to_dict(), "model_type": "dpr", "projection_dim": 0},
           "generator": {**g.config.to_dict(), "model_type": "bart", "extra_pos_embeddings": 2, "static_position_embeddings": False}}
    _bin(folder, state, old)
    return folder


def t5(vocab, seed=0):
    torch.manual_seed(seed)
    return T5ForConditionalGeneration(T5Config(vocab_size=vocab, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=2,
        decoder_start_token_id=0)).eval()


def part(folder, kind):
    "facebook/dpr-question_encoder-…, facebook/dpr-ctx_encoder-…, facebook/bart-large or google-t5/t5-small."
    if kind in ("bart", "t5"):
        model = dict(bart=bart, t5=t5)[kind](generator_tokenizer(folder))
    else:
        question_tokenizer(folder); model = dpr(DPRQuestionEncoder if kind == "question" else DPRContextEncoder, seed=kind != "question")
    _bin(folder, model.state_dict(), {**model.config.to_dict(), "architectures": [type(model).__name__]})
    return Path(folder)


def serve(hub, tmp_path):
    "All of them on a local hub."
    for name, head in (("rag-token-nq", "Token"), ("rag-token-base", "Token"), ("rag-sequence-nq", "Sequence"),
        ("rag-sequence-base", "Sequence")):
        hub.add_repo(f"facebook/{name}", rag(tmp_path/"published"/name, head))
    for name, kind in (("dpr-question_encoder-single-nq-base", "question"), ("dpr-ctx_encoder-single-nq-base", "context"),
        ("bart-large", "bart")):
        hub.add_repo(f"facebook/{name}", part(tmp_path/"published"/name, kind))
    hub.add_repo("google-t5/t5-small", part(tmp_path/"published/t5-small", "t5"))
