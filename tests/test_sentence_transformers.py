"Folders of sentence-transformers, in both of its formats, against that library itself; and what is refused."
import json, shutil
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


# ---- what the small files say of reading

def folder_of(tmp_path, case="bert mean", **settings):
    return old(saved(tmp_path, case), tmp_path/"old", **settings)

@pytest.mark.parametrize("settings", [dict(max_seq_length=7), dict(do_lower_case=True), dict(query_length=6, document_length=11), dict(query_length=6), dict(max_seq_length=9, document_length=5),
                                      dict(max_seq_length=9, do_lower_case=True), dict(tokenizer_args={"model_max_length": 8}), dict(processor_kwargs={"padding_side": "left"}),
                                      dict(processing_kwargs={"text": {"max_length": 8}}), dict(config_args={"hidden_act": "relu"}), dict(model_args={"add_pooling_layer": False})], ids=str)
def test_settings_of_the_network(tmp_path, settings):
    plain = TextEncoder.from_pretrained(folder_of(tmp_path)).encode(TEXTS)
    shutil.rmtree(tmp_path/"old"); shutil.rmtree(tmp_path/"new"); shutil.rmtree(tmp_path/"plain")
    ours = agree(folder_of(tmp_path, **settings))
    if "model_args" not in settings: assert not all(np.allclose(ours.encode(TEXTS, k), plain, atol=1e-4) for k in ("question", "passage"))  # the setting matters
    again = TextEncoder.from_pretrained(tmp_path/"old", spec=ours.spec)  # as an index folder opens it
    for k in ("question", "passage"): assert np.array_equal(again.encode(TEXTS, k), ours.encode(TEXTS, k))


def test_lower_case_leaves_special_tokens(tmp_path):
    ours = agree(folder_of(tmp_path, do_lower_case=True), [*TEXTS, "What [SEP] is IT", "[CLS] ABC"])
    assert ours.spec.lower_case and ours.tokenize(["AbC"])[0]["input_ids"] == ours.tokenize(["abc"])[0]["input_ids"]
    ours.save_pretrained(tmp_path/"again")
    assert np.array_equal(TextEncoder.from_pretrained(tmp_path/"again").encode(TEXTS), ours.encode(TEXTS))


@pytest.mark.parametrize("prompts, default", [({"query": "q: "}, None), ({"document": "d: "}, None), ({"query": "q: ", "document": "d: "}, "query"),
                                              ({"query": "", "document": "d: "}, "document"), ({"query": None}, None), ({}, None), ({"web": "web: "}, "web")])
def test_prompts(tmp_path, prompts, default, recwarn):
    folder = folder_of(tmp_path)
    put(folder, "config_sentence_transformers.json", dict(prompts=prompts, default_prompt_name=default))
    agree(folder)
    assert any("default prompt 'web'" in str(w.message) for w in recwarn) == (default == "web")


def test_the_prompt_of_a_passage_may_be_called_passage(tmp_path):
    folder = folder_of(tmp_path)
    put(folder, "config_sentence_transformers.json", dict(prompts={"query": "query: ", "passage": "passage: "}))
    want = st.SentenceTransformer(str(folder), device="cpu").encode(TEXTS, prompt_name="passage")
    assert np.abs(TextEncoder.from_pretrained(folder).encode(TEXTS, "passage") - want).max() <= 1e-6


@pytest.mark.parametrize("name", ["roberta", "xlnet"])
def test_older_names_of_the_network_s_file(tmp_path, name):
    folder = folder_of(tmp_path, max_seq_length=7)
    (folder/"sentence_bert_config.json").rename(folder/f"sentence_{name}_config.json")
    assert agree(folder).max_length() == 7


def test_a_batch_on_the_left_is_each_text_alone(tmp_path):
    "Where positions are relative, padding on the left changes nothing."
    for case in ("qwen3 left cls", "qwen3 left lasttoken", "no prompt left mean"):
        enc = TextEncoder.from_pretrained(saved(tmp_path/case, case))
        alone = np.concatenate([enc.encode([t]) for t in TEXTS])
        assert np.abs(enc.encode(TEXTS) - alone).max() < 1e-5
        with torch.no_grad(): assert np.abs(enc(TEXTS).numpy() - alone).max() < 1e-5


def test_a_model_s_own_pooler_behind_padding_on_the_left():
    enc = TextEncoder(network("bert"), tokenizer(side="left"), EncoderSpec())
    assert np.abs(enc.encode(TEXTS) - np.concatenate([enc.encode([t]) for t in TEXTS])).max() < 1e-5


# ---- tables

def static(tmp_path, limit=None, **kw):
    raw = tokenizer()._tokenizer
    raw.normalizer = normalizers.Lowercase()
    if limit: raw.enable_truncation(limit)
    raw.enable_padding()  # switched off by whoever reads the table
    torch.manual_seed(0)
    model = st.SentenceTransformer(modules=[modules.StaticEmbedding(raw, embedding_dim=12), *kw.pop("steps", [])], device="cpu", **kw)
    model.save(str(tmp_path/"new"), create_model_card=False)
    return tmp_path/"new"

@pytest.mark.parametrize("steps, kw", [((), {}), ((), dict(prompts={"query": "q: "}, truncate_dim=8)), ((N(),), {}), ((dense(12, 6, nn.Tanh()), N()), {}), ((), dict(limit=5))], ids=str)
def test_a_table(tmp_path, steps, kw):
    folder = static(tmp_path, steps=list(steps), **kw)
    ours = agree(folder)
    ours.save_pretrained(tmp_path/"again")
    again = TextEncoder.from_pretrained(tmp_path/"again")
    assert again.spec == ours.spec and np.array_equal(again.encode(TEXTS), ours.encode(TEXTS))
    agree(old_table(folder, tmp_path/"old"))


def old_table(new, folder):
    "The table in a subfolder, as older versions save it."
    shutil.copytree(new, folder)
    steps = get(folder, "modules.json")
    (folder/"0_StaticEmbedding").mkdir()
    for n in ("model.safetensors", "tokenizer.json"): (folder/n).rename(folder/"0_StaticEmbedding"/n)
    for m in steps: m["type"] = "sentence_transformers.models." + m["type"].rpartition(".")[2]
    steps[0]["path"] = "0_StaticEmbedding"
    put(folder, "modules.json", steps)
    return folder


@pytest.mark.parametrize("shared", [False, True])
def test_a_table_of_model2vec(tmp_path, shared):
    from safetensors.torch import save_file
    folder = static(tmp_path)
    rows = _weights(folder/"model.safetensors")["embedding.weight"]
    more = dict(mapping=torch.arange(len(rows))//3, weights=torch.rand(len(rows))) if shared else {}
    save_file(dict(embeddings=rows, **more), folder/"model.safetensors")
    agree(folder)


# ---- T5 as it is published, names without modules

def test_the_first_half_of_a_whole_t5(tmp_path):
    torch.manual_seed(0)
    whole = transformers.T5ForConditionalGeneration(transformers.T5Config(vocab_size=64, d_model=D, d_kv=8, d_ff=32, num_layers=2, num_heads=2, pad_token_id=0, decoder_start_token_id=0)).eval()
    whole.save_pretrained(tmp_path); tokenizer(types=False).save_pretrained(tmp_path)
    enc = TextEncoder.from_pretrained(tmp_path)  # no modules.json: mean pooling
    want = st.SentenceTransformer(str(tmp_path), device="cpu").encode(TEXTS)
    assert np.abs(enc.encode(TEXTS) - want).max() <= 1e-6 and type(enc.model).__name__ == "T5EncoderModel"


@pytest.mark.parametrize("kind", ["bert", "roberta", "qwen3"])
def test_a_plain_network_is_pooled_by_its_mean(tmp_path, kind):
    network(kind).save_pretrained(tmp_path); tokenizer(types=False).save_pretrained(tmp_path)
    enc = TextEncoder.from_pretrained(tmp_path)
    assert enc.spec == EncoderSpec(pooling="mean", passage_template="{title}\n{text}")
    assert np.abs(enc.encode(TEXTS) - st.SentenceTransformer(str(tmp_path), device="cpu").encode(TEXTS)).max() <= 1e-6


# ---- saved and opened again

@pytest.mark.parametrize("case", ["gemma two matrices", "gtr", "norm, dense, norm", "prelu", "matrix on tokens", "no prompt mean", "truncated behind a matrix", "qwen3 left lasttoken"])
def test_saved_and_opened_again(tmp_path, case):
    enc = TextEncoder.from_pretrained(saved(tmp_path, case))
    want = [enc.encode(TEXTS, k) for k in ("question", "passage")]
    enc.save_pretrained(tmp_path/"again"); enc.save_pretrained(tmp_path/"again")
    again = TextEncoder.from_pretrained(tmp_path/"again")
    by_record = TextEncoder.from_pretrained(tmp_path/"new", spec=EncoderSpec.from_dict(json.loads(json.dumps(enc.spec.to_dict()))))
    for e in (again, by_record):
        assert e.spec == enc.spec and all(np.array_equal(e.encode(TEXTS, k), w) for k, w in zip(("question", "passage"), want))
    assert RagConfig(**enc.spec.to_dict()).encoder_spec() == enc.spec


DOCS = [dict(title=t, text=x) for t, x in (("Octopus", "has three hearts"), ("Moon", "is a stone"), ("Tea", "is drunk hot"), ("Owl", "sees at night"))]

def rag_over(folder, path=None):
    from rag_nb import Rag
    from rag_nb.core.toy import toy_generator, toy_tokenizer
    enc = TextEncoder.from_pretrained(folder)
    return enc, Rag.from_documents(DOCS, generator=(toy_generator("llama"), toy_tokenizer("llama")), encoder=enc, progress=False, n_docs=2, path=path)

@pytest.mark.parametrize("case", ["gemma two matrices", "gtr", "norm, dense, norm", "no prompt mean", "qwen3 left lasttoken", "matrix on tokens", "table"])
def test_a_rag_is_saved_and_opened(tmp_path, case):
    from rag_nb import Rag, RagRetriever
    enc, rag = rag_over(static(tmp_path, steps=[dense(12, 6, nn.Tanh()), N()]) if case == "table" else saved(tmp_path, case), tmp_path/"index")
    want, hits = enc.encode(TEXTS), rag.retrieve(TEXTS)
    vectors = rag.retriever.index.vectors(torch.arange(len(DOCS))[None])[0]
    assert np.abs(np.asarray(vectors) - enc.encode(DOCS, "passage")).max() <= 1e-6
    rag.save_pretrained(tmp_path/"rag")
    again = Rag.from_pretrained(tmp_path/"rag")
    assert np.abs(again.encoder.encode(TEXTS) - want).max() <= 1e-6 and again.encoder.spec == enc.spec
    assert torch.equal(again.retrieve(TEXTS).ids, hits.ids)
    batch = again.tokenizer.question_encoder
    rows = again.encoder.tokenize(TEXTS)
    from rag_nb.core.encoder import _padded
    with torch.no_grad(): assert np.abs(again.model.rag.embed_questions(**_padded(batch, rows)).numpy() - want).max() <= 2e-6
    opened = RagRetriever.from_pretrained(tmp_path/"index")  # finds its encoder by its record
    assert opened.encoder.spec == enc.spec and np.array_equal(opened.encoder.encode(TEXTS), want)
    opened.add([dict(title="Elk", text="eats grass")])


# ---- training

@pytest.mark.parametrize("case", ["gemma two matrices", "norm, dense, norm", "no prompt mean", "table"])
@pytest.mark.parametrize("adapters", [None, 2])
def test_gradients_reach_every_layer(tmp_path, case, adapters):
    from rag_nb.core.train import finetune
    enc, rag = rag_over(static(tmp_path, steps=[dense(12, 6, nn.Tanh()), N()]) if case == "table" else saved(tmp_path, case))
    before = {n: p.detach().clone() for n, p in rag.model.question_encoder.named_parameters()}
    data = [dict(question=t, answers=[x]) for t, x in (("what has hearts?", "octopus"), ("what is hot?", "tea"))]
    finetune(rag, data, tmp_path/"out", train=("question_encoder",), adapters=adapters, num_train_epochs=1, max_steps=2, per_device_train_batch_size=2,
             learning_rate=1e-2, progress=False, use_cpu=True)
    after = dict(rag.model.question_encoder.named_parameters())
    assert before.keys() == after.keys()
    head = [n for n in before if n.startswith("sentence_head") and (not adapters or after[n].dim() == 2)]
    assert all(not torch.equal(before[n], after[n]) for n in head) and (head or case == "no prompt mean")
    assert any(not torch.equal(before[n], after[n]) for n in before)


# ---- what is refused

def refused(folder, *words):
    with pytest.raises(ValueError) as e: TextEncoder.from_pretrained(folder)
    said = str(e.value)
    assert all(w in said for w in words) and "\n" not in said and str(folder) in said
    return said

@pytest.fixture
def nothing_is_loaded(monkeypatch):
    def never(*args, **kwargs): raise AssertionError("a network was loaded")
    monkeypatch.setattr(transformers.PreTrainedModel, "from_pretrained", never)
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", never)


def test_other_kinds_of_sentence_transformers(tmp_path, nothing_is_loaded, monkeypatch):
    monkeypatch.undo()
    plain = tmp_path/"plain"
    model = transformers.BertForMaskedLM(transformers.BertConfig(**SIZES)).eval(); model.save_pretrained(plain); tokenizer().save_pretrained(plain)
    st.CrossEncoder(str(plain), num_labels=1, device="cpu").save_pretrained(str(tmp_path/"cross"))
    st.SparseEncoder(str(plain), device="cpu").save_pretrained(str(tmp_path/"sparse"))
    refused(tmp_path/"cross", "reranker (cross-encoder)")
    refused(tmp_path/"sparse", "sparse encoder (SPLADE)")
    if hasattr(st, "MultiVectorEncoder"):
        st.MultiVectorEncoder(str(plain), device="cpu").save_pretrained(str(tmp_path/"colbert"))
        refused(tmp_path/"colbert", "late-interaction encoder (ColBERT)")


@pytest.mark.parametrize("config, word", [(dict(architectures=["XLMRobertaForSequenceClassification"], model_type="xlm-roberta"), "reranker"),
                                          (dict(architectures=["BertModel"], model_type="bert", sentence_transformers={"activation_fn": "torch.nn.modules.linear.Identity"}), "reranker"),
                                          (dict(architectures=["HF_ColBERT"], model_type="bert"), "ColBERT"), (dict(architectures=["ColPaliForRetrieval"], model_type="colpali"), "ColBERT")])
def test_other_kinds_without_steps(tmp_path, config, word, nothing_is_loaded):
    put(tmp_path, "config.json", config)
    refused(tmp_path, word)


@pytest.mark.parametrize("steps, settings, word", [
    (["sentence_transformers.models.Transformer", "pylate.models.Dense.Dense"], {}, "ColBERT"), (["sentence_transformers.models.Transformer", "sentence_transformers.models.Pooling"], {"query_prefix": "[Q] "}, "ColBERT"),
    (["sentence_transformers.models.Transformer", "sentence_transformers.models.Pooling"], {"model_type": "Oracle"}, "Oracle"),
    (["sentence_transformers.models.Transformer", "sentence_transformers.sparse_encoder.models.SpladePooling"], {}, "SPLADE"), (["sentence_transformers.models.Transformer", "sentence_transformers.models.Dense"], {}, "Dense"),
    (["modeling_mine.Transformer", "sentence_transformers.models.Pooling"], {}, "code of its own"), (["sentence_transformers.models.Transformer", "custom_st.MyPooling"], {}, "code of its own"),
    *(([f"sentence_transformers.models.{n}", "sentence_transformers.models.Pooling"], {}, n) for n in ("WordEmbeddings", "BoW", "CLIPModel", "Router", "Asym")),
    *((["sentence_transformers.models.Transformer", f"sentence_transformers.models.{n}", "sentence_transformers.models.Pooling"], {}, n) for n in ("LSTM", "CNN", "WordWeights", "WeightedLayerPooling", "LayerNorm")),
    (["sentence_transformers.models.Transformer"], {}, "no pooling"), (["sentence_transformers.models.Transformer", *["sentence_transformers.models.Pooling"]*2], {}, "one vector already"), ([], {}, "not as that library writes them")])
def test_steps_that_are_refused(tmp_path, steps, settings, word, nothing_is_loaded):
    put(tmp_path, "config.json", dict(architectures=["BertModel"], model_type="bert")); put(tmp_path, "config_sentence_transformers.json", settings)
    put(tmp_path, "modules.json", [dict(idx=i, name=str(i), path=f"{i}_{s.rpartition('.')[2]}" if i else "", type=s) for i, s in enumerate(steps)])
    refused(tmp_path, word)


@pytest.mark.parametrize("settings, word", [(dict(transformer_task="fill-mask"), "SPLADE"), (dict(transformer_task="sequence-classification"), "reranker"), (dict(query_expansion={"strategy": "fixed"}), "ColBERT"),
    (dict(modality_config={"message": {}, "text": {}}), "chat template"), (dict(modality_config={"image": {}}), "image"), (dict(processing_kwargs={"text": {"add_special_tokens": False}}), "add_special_tokens"),
    (dict(tokenizer_name_or_path="elsewhere"), "elsewhere"), (dict(modality_config={"text": {"method": "get_text_features", "method_output_name": None}}), "get_text_features")])
def test_settings_that_are_refused(tmp_path, settings, word, nothing_is_loaded, monkeypatch):
    monkeypatch.undo()
    folder = folder_of(tmp_path, **settings)
    refused(folder, word)


def test_activations_and_places_that_are_refused(tmp_path):
    folder = folder_of(tmp_path, "labse")
    c, steps = get(folder, "2_Dense/config.json"), get(folder, "modules.json")
    for bad in ("mymodule.Swish", "torch.load", "torch.nn.functional.relu", "torch.nn.init"):
        put(folder, "2_Dense/config.json", dict(c, activation_function=bad))
        refused(folder, bad.rpartition(".")[2])
    put(folder, "2_Dense/config.json", c)
    for bad in ("../2_Dense", "/2_Dense", "..\\2_Dense"):
        steps[2]["path"] = bad
        put(folder, "modules.json", steps)
        refused(folder, "outside its folder")
    steps[2]["path"] = "2_Dense"
    put(folder, "modules.json", steps)
    (folder/"2_Dense"/"model.safetensors").unlink()
    with pytest.raises(ValueError, match="no weights for its step in 2_Dense"): TextEncoder.from_pretrained(folder)


def test_a_description_without_its_layers():
    spec = EncoderSpec(pooling="mean", head_layers=[dict(kind="layer_norm", size=D)])
    with pytest.raises(ValueError, match="layers behind the pooling"): TextEncoder(network("bert"), tokenizer(), spec).encode(TEXTS)


def test_older_folders_and_older_versions():
    plain = EncoderSpec(pooling="mean", normalize=True).to_dict()
    assert set(plain) == {"pooling", "normalize", "question_prefix", "passage_prefix", "passage_template", "question_max_length", "passage_max_length"}
    assert EncoderSpec.from_dict({"pooling": "mean"}).truncate_dim is None
    for bad in (dict(truncate_dim=0), dict(truncate_dim=True), dict(question_prompt_length=-1), dict(head_layers=[]), dict(head_layers=[{"kind": "lstm"}]), dict(head_layers=[{"kind": "dropout", "p": 2.0}]),
                dict(head_layers=[dict(kind="dense", inputs=4, outputs="4", bias=True, activation="Tanh", residual=False)]), dict(pooling="cls+pooler"), dict(pooling="cls+")):
        with pytest.raises(ValueError): EncoderSpec.from_dict({**plain, **bad})
        with pytest.raises(ValueError): RagConfig(**bad)


def test_a_table_has_no_matrices_for_adapters(tmp_path):
    from rag_nb.core.train import finetune
    _, rag = rag_over(static(tmp_path))
    with pytest.raises(ValueError, match="StaticEncoder has no matrices for adapters"):
        finetune(rag, [dict(question="what has hearts?", answers=["octopus"])], tmp_path/"out", train=("question_encoder",), adapters=2, progress=False, use_cpu=True)


@pytest.mark.parametrize("train", [("passage_encoder",), ("question_encoder", "passage_encoder")])
def test_a_trained_passage_encoder_keeps_its_layers(tmp_path, train):
    from rag_nb import Rag
    from rag_nb.core.train import finetune
    _, rag = rag_over(saved(tmp_path, "gemma two matrices"))
    finetune(rag, [dict(question="what has hearts?", answers=["octopus"])], tmp_path/"out", train=train, max_steps=1, progress=False, use_cpu=True)
    rag.save_pretrained(tmp_path/"rag")
    again = Rag.from_pretrained(tmp_path/"rag")
    ours, theirs = rag.model.state_dict(), again.model.state_dict()
    assert ours.keys() == theirs.keys() and any("sentence_head.1" in k for k in ours) and all(torch.equal(ours[k], theirs[k]) for k in ours if "sentence_head" in k)
    assert torch.equal(again.retrieve(TEXTS).ids, rag.retrieve(TEXTS).ids)


def test_code_of_a_network_s_own(tmp_path):
    put(tmp_path, "config.json", dict(architectures=["MineModel"], model_type="mine", auto_map={"AutoConfig": "mine.MineConfig", "AutoModel": "mine.MineModel"}))
    (tmp_path/"mine.py").write_text("raise SystemExit('this must not run')")
    refused(tmp_path, "code of its own", "trust_remote_code=True")


def test_layers_of_another_size(tmp_path):
    folder = folder_of(tmp_path, "labse")
    c = get(folder, "2_Dense/config.json")
    put(folder, "2_Dense/config.json", dict(c, out_features=10**9, in_features=10**9))  # no memory is taken for it
    with pytest.raises(ValueError, match="cannot be read"): TextEncoder.from_pretrained(folder)


@pytest.mark.parametrize("name, word", [("Qwen/Qwen3-Reranker-0.6B", "reranker"), ("cross-encoder/ms-marco-TinyBERT", "reranker"), ("naver/splade-v3", "SPLADE"), ("lightonai/GTE-ModernColBERT-v1", "ColBERT"), ("BAAI/bge-m3", None)])
def test_names_on_the_hub_that_say_it_alone(name, word):
    from rag_nb.hf.sentence_transformers import folder_layout
    files = {"config.json": dict(architectures=["Qwen3ForCausalLM"])}
    if word is None: assert folder_layout(name, files.get) is None
    else:
        with pytest.raises(ValueError, match=word): folder_layout(name, files.get)
