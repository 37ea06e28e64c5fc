"Folders of sentence-transformers, in both of its formats, against that library itself; and what is refused."
import copy, json, shutil
from pathlib import Path

import numpy as np, pytest, torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from rag_nb.core.config import EncoderSpec, RagConfig
from rag_nb.core.encoder import TextEncoder

st = pytest.importorskip("sentence_transformers", reason="sentence-transformers (of the dev extra) is the authority here, and it is not installed")
modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules", reason="these tests save folders with sentence-transformers 6")
nn = torch.nn

TEXTS = ["abc", "a much Longer text about octopuses", "b", "hello You", "zz top of the pops, and then some more words", "q: nothing"]
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ :,\n"
D = 16
SIZES = dict(vocab_size=64, hidden_size=D, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)


def tokenizer(side="right", limit=64, ends=True, types=True):
    "A letter a token; [CLS] and [SEP] around them, or nothing where a text has no ends."
    vocab = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS])}
    raw = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    if ends: raw.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    names = ["input_ids", "token_type_ids", "attention_mask"] if types else ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                                   model_max_length=limit, model_input_names=names, padding_side=side)


def network(kind):
    c = dict(SIZES, max_position_embeddings=80, pad_token_id=0)
    t5 = dict(vocab_size=64, d_model=D, d_kv=8, d_ff=32, num_layers=2, num_heads=2, pad_token_id=0, decoder_start_token_id=0)
    few = dict(num_key_value_heads=1, head_dim=8)
    made = dict(bert=("Bert", c), distilbert=("DistilBert", dict(vocab_size=64, dim=D, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=80)),
                roberta=("Roberta", c), mpnet=("MPNet", c), qwen3=("Qwen3", {**c, **few}), mistral=("Mistral", {**c, **few}), llama=("Llama", {**c, **few}),
                qwen2=("Qwen2", {**c, "num_key_value_heads": 1}), gpt2=("GPT2", dict(vocab_size=64, n_embd=D, n_layer=2, n_head=2, n_positions=80)),
                gemma3=("Gemma3Text", {**c, **few, "use_bidirectional_attention": True, "sliding_window": 8}), modernbert=("ModernBert", {**c, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}),
                t5=("T5Encoder", t5), mt5=("MT5Encoder", t5), umt5=("UMT5Encoder", t5), bart=("Bart", dict(vocab_size=64, d_model=D, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=80, pad_token_id=0, decoder_start_token_id=2)))
    name, values = made[kind]
    config = getattr(transformers, name.replace("Encoder", "") + "Config" if "Text" not in name else name + "Config")(**values)
    torch.manual_seed(len(kind))
    model = getattr(transformers, name + "Model")(config).eval()
    with torch.no_grad():
        for p in model.parameters(): p.add_(torch.randn_like(p)*.2)
    return model


def dense(i, o, act=None, bias=True, **kw):
    torch.manual_seed(i + o)
    return modules.Dense(i, o, bias=bias, activation_function=act, **kw)

def norm(n):
    layer = modules.LayerNorm(n)
    with torch.no_grad(): layer.norm.weight.add_(torch.randn(n)*.3); layer.norm.bias.add_(torch.randn(n)*.3)
    return layer

def pool(*ways, **kw): return modules.Pooling(D, ways[0] if len(ways) == 1 else ways, **kw)

N = modules.Normalize
PROMPTS = dict(prompts={"query": "find: ", "document": "text: "})
LEFT = dict(side="left", types=False)
BARE = dict(types=False)

# name: network, keyword arguments of the tokenizer, steps behind the network, those of the model
CASES = {
    **{f"bert {way}": ("bert", {}, lambda way=way: [pool(way)], {}) for way in modules.Pooling.POOLING_MODES},
    **{f"bert left {way}": ("bert", dict(side="left"), lambda way=way: [pool(way), N()], {}) for way in modules.Pooling.POOLING_MODES},
    **{f"qwen3 left {way}": ("qwen3", LEFT, lambda way=way: [pool(way), N()], PROMPTS) for way in modules.Pooling.POOLING_MODES},
    **{f"no prompt {way}": ("bert", {}, lambda way=way: [pool(way, include_prompt=False), N()], PROMPTS) for way in modules.Pooling.POOLING_MODES},
    **{f"no prompt left {way}": ("qwen3", LEFT, lambda way=way: [pool(way, include_prompt=False), N()], PROMPTS) for way in ("cls", "mean", "weightedmean", "lasttoken")},
    "cls+mean": ("bert", {}, lambda: [pool("cls", "mean"), N()], {}),
    "all six": ("bert", {}, lambda: [pool(*modules.Pooling.POOLING_MODES)], PROMPTS),
    "lasttoken+max+mean left": ("qwen2", LEFT, lambda: [pool("lasttoken", "max", "mean"), N()], {}),
    "mistral lasttoken": ("mistral", BARE, lambda: [pool("lasttoken"), N()], PROMPTS),
    "llama lasttoken left": ("llama", LEFT, lambda: [pool("lasttoken"), N()], PROMPTS),
    "gpt2 weightedmean": ("gpt2", dict(types=False, ends=False), lambda: [pool("weightedmean")], {}),
    "gemma two matrices": ("gemma3", BARE, lambda: [pool("mean"), dense(D, 48, bias=False), dense(48, D, bias=False), N()], PROMPTS),
    "labse": ("bert", {}, lambda: [pool("cls"), dense(D, D, nn.Tanh()), N()], {}),
    "gtr": ("t5", BARE, lambda: [pool("mean"), dense(D, 12, bias=False), N()], {}),
    "relu, gelu": ("bert", {}, lambda: [pool("mean"), dense(D, 24, nn.ReLU()), dense(24, 8, nn.GELU())], {}),
    "sigmoid, silu": ("bert", {}, lambda: [pool("max"), dense(D, 24, nn.Sigmoid()), dense(24, 8, nn.SiLU(), bias=False), N()], {}),
    "prelu": ("bert", {}, lambda: [pool("mean"), dense(D, 8, nn.PReLU())], {}),
    "residual": ("bert", {}, lambda: [pool("mean"), dense(D, D, nn.Tanh(), use_residual=True), dense(D, 8, nn.Tanh(), use_residual=True)], {}),
    "on cls+mean": ("bert", {}, lambda: [pool("cls", "mean"), dense(2*D, 10, nn.Tanh()), N()], {}),
    "layer norm": ("bert", {}, lambda: [pool("mean"), norm(D)], {}),
    "norm, dense, norm": ("bert", {}, lambda: [pool("mean"), norm(D), dense(D, 8), norm(8), N()], {}),
    "length one first": ("bert", {}, lambda: [pool("mean"), N(), dense(D, 8, nn.Tanh())], {}),
    "length one twice": ("bert", {}, lambda: [pool("mean"), N(), dense(D, 8, nn.Tanh()), N()], {}),
    "dropout": ("bert", {}, lambda: [pool("mean"), modules.Dropout(.3), dense(D, 8), modules.Dropout(.1), N()], {}),
    "dropout last": ("bert", {}, lambda: [pool("mean"), N(), modules.Dropout(.3)], {}),
    "matrix on tokens": ("bert", {}, lambda: [dense(D, D, nn.Tanh(), module_input_name="token_embeddings"), pool("max"), N()], {}),
    "tokens of length one": ("bert", {}, lambda: [N(module_input_name="token_embeddings"), pool("mean")], {}),
    "truncated": ("bert", {}, lambda: [pool("mean")], dict(truncate_dim=8)),
    "truncated, length one": ("bert", {}, lambda: [pool("mean"), N()], dict(truncate_dim=8)),
    "truncated behind a matrix": ("bert", {}, lambda: [pool("mean"), dense(D, 12), N()], dict(truncate_dim=5, **PROMPTS)),
    "truncated to more": ("bert", {}, lambda: [pool("mean"), N()], dict(truncate_dim=99)),
    "default prompt": ("bert", {}, lambda: [pool("mean"), N()], dict(**PROMPTS, default_prompt_name="query")),
    "short": ("bert", dict(limit=9), lambda: [pool("mean"), N()], PROMPTS),
    "short, left": ("qwen3", dict(limit=9, **LEFT), lambda: [pool("lasttoken"), N()], PROMPTS),
    **{kind: (kind, BARE, lambda: [pool("mean"), N()], PROMPTS) for kind in ("distilbert", "roberta", "mpnet", "modernbert", "mt5", "umt5", "bart")},
}


def saved(folder, case):
    "What sentence-transformers saves of a case; the network is read from a folder of its own."
    kind, how, steps, kw = CASES[case]
    plain = Path(folder)/"plain"
    network(kind).save_pretrained(plain); tokenizer(**how).save_pretrained(plain)
    torch.manual_seed(1)
    model = st.SentenceTransformer(modules=[modules.Transformer(str(plain)), *steps()], device="cpu", **kw)
    model.save(str(Path(folder)/"new"), create_model_card=False)
    return Path(folder)/"new"


SWITCHES = dict(cls="pooling_mode_cls_token", max="pooling_mode_max_tokens", mean="pooling_mode_mean_tokens", mean_sqrt_len_tokens="pooling_mode_mean_sqrt_len_tokens",
                weightedmean="pooling_mode_weightedmean_tokens", lasttoken="pooling_mode_lasttoken")

def put(folder, name, value): (Path(folder)/name).write_text(json.dumps(value), encoding="utf8")
def get(folder, name): return json.loads((Path(folder)/name).read_text(encoding="utf8"))

def old(new, folder, subfolder="", **settings):
    "The same folder in the format of versions 2 to 5; `settings` go into the network's own file."
    shutil.copytree(new, folder)
    steps = get(folder, "modules.json")
    for m in steps:
        name = m["type"].rpartition(".")[2]
        m["type"], m["name"] = f"sentence_transformers.models.{name}", str(m["idx"])
        if name == "Pooling":
            c = get(folder, m["path"] + "/config.json")
            ways = [c["pooling_mode"]] if isinstance(c["pooling_mode"], str) else c["pooling_mode"]
            put(folder, m["path"] + "/config.json", dict(word_embedding_dimension=c["embedding_dimension"], include_prompt=c["include_prompt"], **{s: w in ways for w, s in SWITCHES.items()}))
        elif name == "Normalize" and get(folder, m["path"] + "/config.json").get("module_input_name") == "sentence_embedding": (folder/m["path"]/"config.json").unlink()
        elif name == "Dense":
            c = get(folder, m["path"] + "/config.json")
            put(folder, m["path"] + "/config.json", {k: c[k] for k in c if k in ("in_features", "out_features", "bias", "activation_function") or c["module_input_name"] != "sentence_embedding" or k == "use_residual"})
            if c["out_features"] % 8: torch.save(_weights(folder/m["path"]/"model.safetensors"), folder/m["path"]/"pytorch_model.bin"); (folder/m["path"]/"model.safetensors").unlink()
    c = get(folder, "config_sentence_transformers.json")
    put(folder, "config_sentence_transformers.json", {k: v for k, v in c.items() if k != "model_type"} | {"__version__": {"sentence_transformers": "2.2.2"}})
    put(folder, "sentence_bert_config.json", dict(max_seq_length=None, do_lower_case=False) | settings)
    if subfolder:
        (folder/subfolder).mkdir()
        for p in list(folder.iterdir()):
            if p.is_file() and p.name not in ("modules.json", "config_sentence_transformers.json"): p.rename(folder/subfolder/p.name)
        steps[0]["path"] = subfolder
    put(folder, "modules.json", steps)
    return folder

def _weights(file):
    from safetensors.torch import load_file
    return load_file(file)


def agree(folder, texts=TEXTS):
    "Questions and passages as sentence-transformers embeds them, to 1e-6."
    theirs, ours = st.SentenceTransformer(str(folder), device="cpu"), TextEncoder.from_pretrained(folder)
    for kind, how in (("question", theirs.encode_query), ("passage", theirs.encode_document)):
        want, have = how(texts), ours.encode(texts, kind)
        assert want.shape == have.shape == (len(texts), ours.dim)
        assert np.abs(want - have).max() <= 1e-6*max(1, np.abs(want).max()), f"{kind}: {np.abs(want - have).max()}"
    return ours


def test_there_are_enough():
    assert len(CASES) >= 40


@pytest.mark.parametrize("case", CASES)
def test_both_formats(tmp_path, case):
    new = saved(tmp_path, case)
    ours = agree(new)
    shutil.rmtree(tmp_path/"plain")
    ways = CASES[case][2]()[0]
    again = agree(old(new, tmp_path/"old", "0_Transformer" if len(case) % 2 else ""))
    if case != "lasttoken+max+mean left": assert again.spec == ours.spec, ways  # the old format has an order of its own for several poolings
