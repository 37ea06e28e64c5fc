"What others call it: both names of the cache everywhere, and every name of other libraries that we lean on and that may move."
import ast, copy, importlib, pickle, pkgutil, types
from functools import cache
from pathlib import Path

import numpy as np
import pytest, torch, transformers
from transformers import GenerationConfig
from transformers.modeling_outputs import CausalLMOutputWithPast

import rag_nb
from rag_nb import RagModel, RagSequenceForGeneration, RagTokenForGeneration, RetrievAugLMMarginOutput, RetrievAugLMOutput; from rag_nb.core import names
from rag_nb.hf.generation_settings import SUPPORTED, UNSUPPORTED
from rag_nb.core.names import BORROWED, CACHE, KV_CACHE, cache_argument, installed, moved, unknown_version
from rag_nb.core.prefill import check_generator, prefill
from rag_nb.core.toy import toy_encoder, toy_generator
from rag_nb.fast.decoder import FAMILIES

KINDS = ["bart", "t5", "mbart", "llama", "gpt2"]
OTHER = next(n for n in KV_CACHE if n != CACHE)
MODULES = sorted(p for p in Path(rag_nb.__file__).parent.rglob("*.py") if p.name != "_modidx.py")
FOREIGN = {"transformers", "huggingface_hub", "peft", "datasets", "accelerate", "tokenizers", "bitsandbytes", "ipywidgets", "torch", "ray", "faiss", "triton"}


# Two names of one argument, and of one field

def inputs(generator, n_docs=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    return dict(context_input_ids=torch.randint(4, 260, (n_docs, 7), generator=g), doc_scores=torch.randn(1, n_docs, generator=g))


def heads(generator):
    "The bare model and both heads over one generator."
    encoder = toy_encoder().model
    return [cls(question_encoder=encoder, generator=generator, n_docs=3).eval() for cls in (RagModel, RagTokenForGeneration, RagSequenceForGeneration)]


@torch.no_grad()
@pytest.mark.parametrize("kind", ["bart", "t5", "mbart"])
@pytest.mark.parametrize("name", KV_CACHE)
def test_forward_takes_either_name_and_goes_on_from_it(kind, name):
    "Two tokens at once are the same as one, its cache, and the other: what Transformers' own generator says too."
    generator = toy_generator(kind)
    for model in heads(generator):
        x, y = inputs(generator), torch.tensor([[2, 70, 80]])
        whole = model(**x, decoder_input_ids=y)
        first = model(**x, decoder_input_ids=y[:, :2], use_cache=True)
        assert first.cache is first.past_key_values is first["cache"] is first["past_key_values"] is not None
        then = model(**x, decoder_input_ids=y[:, 2:], use_cache=True, **{name: first.cache})
        torch.testing.assert_close(then.logits[:, -1], whole.logits[:, -1], atol=1e-4, rtol=1e-4)
        theirs = generator(input_ids=x["context_input_ids"], decoder_input_ids=y.expand(3, -1)).logits
        torch.testing.assert_close(whole.logits, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_twice_is_once_too_often(kind):
    generator = toy_generator(kind)
    for model in heads(generator):
        with pytest.raises(ValueError, match="two names of one argument"):
            model(**inputs(generator), decoder_input_ids=torch.tensor([[rag_nb.core.model.start_id(model.config), 70]]), cache=transformers.DynamicCache(), past_key_values=transformers.DynamicCache())


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("name", KV_CACHE)
def test_a_decoder_only_generator_is_fed_its_contexts_whole(kind, name):
    for model in heads(toy_generator(kind)):
        ids = torch.tensor([[rag_nb.core.model.start_id(model.config), 70]])
        with pytest.raises(ValueError, match=f"{name}.* cannot be given with a decoder-only generator"):
            model(**inputs(model.generator), decoder_input_ids=ids, **{name: transformers.DynamicCache()})


@pytest.mark.parametrize("cls", [RetrievAugLMOutput, RetrievAugLMMarginOutput])
@pytest.mark.parametrize("name", KV_CACHE)
def test_outputs_answer_to_both_names(cls, name):
    x, kept = torch.ones(2), object()
    out = cls(logits=x, doc_scores=2*x, context_input_ids=3*x, **{name: kept})
    for n in KV_CACHE:
        assert getattr(out, n) is out[n] is out.get(n) is kept and n in out
    assert out.to_tuple()[2] is out[2] is kept and list(out) == ["logits", "doc_scores", CACHE, "context_input_ids"]
    assert copy.copy(out).cache is kept and cls(**out).past_key_values is kept
    for n in KV_CACHE:
        setattr(out, n, n); assert out.cache == out.past_key_values == out[2] == n
        out[n] = n[::-1]; assert out.cache == out.past_key_values == out[2] == n[::-1]
    back = pickle.loads(pickle.dumps(cls(logits=x, **{name: 5})))
    assert type(back) is cls and back.cache == back["past_key_values"] == 5
    with pytest.raises(AttributeError): out.no_such_field


@pytest.mark.parametrize("cls", [RetrievAugLMOutput, RetrievAugLMMarginOutput])
def test_an_output_without_a_cache_has_none_under_either_name(cls):
    out = cls(logits=torch.ones(1))
    assert out.cache is out.past_key_values is out.get("cache") is out.get("past_key_values") is None
    assert "cache" not in out and "past_key_values" not in out and len(out.to_tuple()) == 1
    for n in KV_CACHE:
        with pytest.raises(KeyError): out[n]


def test_the_field_has_the_name_that_transformers_gives_it():
    from transformers.models.rag import modeling_rag
    assert list(RetrievAugLMOutput.__dataclass_fields__)[2] == CACHE and CACHE in modeling_rag.RetrievAugLMOutput.__dataclass_fields__


def test_a_subclass_of_an_output_takes_both_too():
    from dataclasses import dataclass
    @dataclass
    class Mine(RetrievAugLMOutput): extra: object = None
    assert Mine(logits=torch.ones(1), cache=3, extra=1).past_key_values == Mine(logits=torch.ones(1), past_key_values=3).cache == 3


def test_an_output_goes_through_a_pytree():
    "Distributed training takes outputs apart and makes them again."
    from torch.utils import _pytree as pytree
    leaves, spec = pytree.tree_flatten(RetrievAugLMOutput(logits=torch.ones(2), past_key_values=torch.zeros(1)))
    assert torch.equal(pytree.tree_unflatten(leaves, spec).cache, torch.zeros(1))


# Generators from elsewhere

def classes(kind):
    "A generator's class as code from elsewhere writes it: the argument under each name alone, handed on unnamed, and as a subclass that names nothing."
    theirs = type(toy_generator(kind))
    class Old(theirs):
        def forward(self, input_ids=None, attention_mask=None, position_ids=None, past_key_values=None, use_cache=None, **kwargs):
            more = dict(kwargs) if position_ids is None else dict(kwargs, position_ids=position_ids)
            out = super().forward(input_ids=input_ids, attention_mask=attention_mask, use_cache=use_cache, **{CACHE: past_key_values}, **more)
            return types.SimpleNamespace(**{OTHER if k == CACHE else k: v for k, v in out.items()}) if type(self).bare else out
        bare = False
    class New(theirs):
        def forward(self, input_ids=None, attention_mask=None, cache=None, **kwargs): return super().forward(input_ids=input_ids, attention_mask=attention_mask, **{CACHE: cache}, **kwargs)
    class HandsOn(theirs):
        def forward(self, *args, **kwargs): return super().forward(*args, **kwargs)
    class Bare(Old): bare = True
    class Renamed(theirs): pass
    return {c.__name__: c for c in (Old, New, HandsOn, Bare, Renamed)}


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["Old", "New", "HandsOn", "Bare", "Renamed", "peft"])
def test_generators_from_elsewhere_say_what_their_parent_says(kind, how):
    plain = toy_generator(kind)
    if how == "peft":
        peft = pytest.importorskip("peft")
        other = peft.get_peft_model(toy_generator(kind), peft.LoraConfig(r=2, target_modules="all-linear"))
    else:
        other = classes(kind)[how](plain.config).eval(); other.load_state_dict(plain.state_dict())
    x, ask = inputs(plain), dict(max_new_tokens=5, min_new_tokens=5, decoder="reference")
    for a, b in list(zip(heads(plain), heads(other)))[1:]:
        for more in (dict(), dict(num_beams=2)): assert torch.equal(a.generate(**x, **ask, **more), b.generate(**x, **ask, **more))
        torch.testing.assert_close(a(**x, labels=torch.tensor([[70, 2]])).loss, b(**x, labels=torch.tensor([[70, 2]])).loss)


def test_a_dictionary_called_cache_is_another_thing():
    "XLM's own, in every version."
    config = transformers.XLMConfig(vocab_size=96, emb_dim=32, n_layers=1, n_heads=4)
    generator = transformers.XLMWithLMHeadModel(config).eval()
    assert cache_argument(generator) is None
    with pytest.raises(ValueError, match=r"XLMWithLMHeadModel \(xlm\) cannot be the generator: its forward takes no keys and values"): check_generator(generator)


def test_an_output_that_keeps_nothing_is_named():
    class Forgets(type(toy_generator("llama"))):
        def forward(self, *args, **kwargs): return CausalLMOutputWithPast(logits=super().forward(*args, **kwargs).logits)
    with pytest.raises(ValueError, match="Forgets was asked to keep keys and values"):
        prefill(Forgets(toy_generator("llama").config), torch.ones(1, 3, dtype=torch.long), torch.ones(1, 3, dtype=torch.long), 1)


@pytest.mark.parametrize("kind", KINDS)
def test_our_own_calls_warn_of_no_old_name(kind, caplog):
    "Transformers logs a warning, once, where the old name is used."
    import logging
    generator = toy_generator(kind)
    log = logging.getLogger("transformers"); log.propagate, before = True, log.propagate
    try:
        with caplog.at_level("WARNING"):
            for model in heads(generator)[1:]:
                model.generate(**inputs(generator), max_new_tokens=2, decoder="reference")
                model(**inputs(generator), labels=torch.tensor([[70, 2]])).past_key_values
    finally: log.propagate = before
    assert not [r for r in caplog.records if "past_key_values" in r.getMessage()]


# Refusals

def kinds_that_are_refused():
    from test_generators import REFUSED
    return REFUSED


@pytest.mark.parametrize("kind", kinds_that_are_refused())
def test_a_refusal_gives_its_reason(kind):
    from test_generators import REFUSED, tiny
    reason = {"prophetnet": "predicts several tokens", "roberta": "to fill gaps", "openai-gpt": "takes no keys and values of earlier tokens"}
    generator = tiny(kind, REFUSED[kind])
    with pytest.raises(ValueError) as e: check_generator(generator)
    said = str(e.value)
    assert reason[kind] in said
    assert "Choose one" in said and not any(n.lower() == kind for n in said.split("such as")[1].replace(",", "").split())


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_never_recommends_what_it_refuses(kind):
    class Forgetful(type(toy_generator(kind))):
        def forward(self, input_ids=None, attention_mask=None, decoder_input_ids=None, labels=None): pass
    Forgetful.__name__ = type(toy_generator(kind)).__name__
    with pytest.raises(ValueError, match=rf"\({kind}\) cannot be the generator: its forward takes no keys and values.*{CACHE}=") as e: check_generator(Forgetful(toy_generator(kind).config))
    assert kind not in str(e.value).split("such as")[1].lower() and "state" not in str(e.value)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_version_is_a_message_of_its_own(kind, monkeypatch):
    "As if the cache had a third name: no model is blamed, the version is named, and what to do."
    monkeypatch.setattr(names, "KV_CACHE", ("kv", "memory")); monkeypatch.setattr(names, "CACHE", "kv")
    with pytest.raises(ValueError) as e: check_generator(toy_generator(kind))
    said = str(e.value)
    assert transformers.__version__ in said and "does not know the forward" in said and "pip install" in said
    assert "cannot be the generator" not in said and "Choose one" not in said
    monkeypatch.undo()
    assert unknown_version() is None and check_generator(toy_generator(kind)) is None


def test_the_range_in_the_message_is_one_that_pip_reads():
    assert installed(f"transformers{names.TRIED}") == transformers.__version__ and installed("transformers>=99") is None


# What may move

@pytest.mark.parametrize("row", BORROWED, ids=lambda row: row.split(" | ")[1])
def test_a_name_is_where_it_was(row):
    requirement = row.split(" | ")[0]
    if not installed(requirement): pytest.skip(f"{requirement} is not installed")
    assert moved([row]) == []


def test_rows_are_whole_and_none_is_twice():
    assert all(len(row.split(" | ")) == 3 and all(row.split(" | ")) for row in BORROWED)
    assert len({row.split(" | ")[1] for row in BORROWED}) == len(BORROWED)


@pytest.mark.parametrize("row, why", [("transformers | transformers.PreTrainedModel._has_wings | to fly", "_has_wings"), ("torch | torch.nn.Linear.forward(feathers) | to fly", "no argument feathers"),
                                      ("transformers | transformers.configuration_utils.ALLOWED_LAYER_TYPES[wings] | to fly", "no 'wings' in it"), ("torch | torch.no_such_module.x | to fly", "no_such_module")])
def test_what_has_moved_is_said_in_a_sentence(row, why):
    said, = moved([row])
    assert why in said and "to fly" in said and installed(row.split(" | ")[0]) in said


NAMED = {part.partition("(")[0].partition("[")[0] for row in BORROWED for part in row.split(" | ")[1].replace("()", "").split(".")}
SEEN_ELSEWHERE = {  # names that a path does not lead to: each has a test of its own below, or in the module's
    "_mmap": "test_pages_of_a_memmap_can_be_given_back", "_hf_hook": "test_accelerates_hooks_are_seen", "_model_name_or_path": "a key in saved configurations, which is dropped where it is",
    "_tokenizer": "the end of our own names", "_temp_dir": "an argument of ray.init", "_abc_impl": "Python's own",
    "_asdict": "of named tuples, whose public names all begin so"}


def underscored(name): return name.startswith("_") and not (name.startswith("__") and name.endswith("__")) and name.strip("_")


@cache
def own_names():
    "Every attribute with an underscore that the package defines itself."
    out = set()
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf8"))
        out |= {path.stem} | {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and underscored(n.name) and (n not in tree.body or isinstance(n, ast.ClassDef) or n.args.args)}
        for n in ast.walk(tree):
            targets = n.targets if isinstance(n, ast.Assign) else [n.target] if isinstance(n, (ast.AnnAssign, ast.For)) else []
            for t in (e for t in targets for e in (t.elts if isinstance(t, ast.Tuple) else [t])):
                if isinstance(t, ast.Attribute) and isinstance(t.value, ast.Name) and t.value.id in ("self", "cls"): out.add(t.attr)
                elif isinstance(t, ast.Name) and underscored(t.id): out.add(t.id)
            if isinstance(n, ast.Call): out |= {k.arg for k in n.keywords if k.arg} if ast.unparse(n.func).endswith("update") else set()
    return out


def private_uses(path):
    "(line, name) of every underscore name that a module takes from an object or a module that is not ours."
    tree, own = ast.parse(path.read_text(encoding="utf8")), own_names()
    for n in ast.walk(tree):
        if isinstance(n, ast.Attribute) and underscored(n.attr) and not (n.attr in own and not n.attr in NAMED): yield n.lineno, n.attr
        if isinstance(n, ast.ImportFrom) and not n.level and n.module.split(".")[0] in FOREIGN:
            yield from ((n.lineno, part) for a in n.names for part in (*n.module.split("."), a.name) if underscored(part))
        if isinstance(n, ast.Call) and ast.unparse(n.func) in ("getattr", "hasattr", "setattr") and len(n.args) > 1 and isinstance(n.args[1], ast.Constant):
            if underscored(str(n.args[1].value)) and n.args[1].value not in own: yield n.lineno, n.args[1].value


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_every_private_name_of_others_has_its_line(path):
    new = [f"line {line}: {name}" for line, name in private_uses(path) if name not in NAMED and name not in SEEN_ELSEWHERE]
    assert not new, f"{path.name} uses names of other libraries that may move, and BORROWED in names.py has no line for them: {new}"


def test_the_search_for_private_names_finds_them(tmp_path):
    "The rows that are there were found by it; and a new one would be."
    found = {name for path in MODULES for _, name in private_uses(path)}
    assert {"_is_stateful", "_attn_implementation", "_linear_pointwise", "_model_mapping", "_hf_hook", "_mmap", "_version", "_dom_classes"} <= found
    (tmp_path/"x.py").write_text("from transformers._typing import X\nimport torch\nprint(torch._dynamo, getattr(torch, '_guards'))\n")
    assert {name for _, name in private_uses(tmp_path/"x.py")} == {"_typing", "_dynamo", "_guards"}


SIGNATURES = {  # whose signature is asked, by a piece of the call
    "names": "a network's forward", "encoder": "a network's forward", "answer": "our own", "generation": "our own", "model": "our own", "retriever": "our own",
    "generate": "our own", "generation_settings": "our own", "checks": "our own"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_every_question_to_a_signature_is_known(path):
    asks = [n.lineno for n in ast.walk(ast.parse(path.read_text(encoding="utf8"))) if isinstance(n, ast.Call) and ast.unparse(n.func).split(".")[-1] == "signature"]
    assert not asks or path.stem in SIGNATURES, f"{path.name} looks into a signature in the lines {asks}: see whether names.forward_parameters can be asked instead, and add a row where not"


def replaced():
    "(class, method) of ours that take the place of a method, or of a private attribute, of another library's class."
    out = set()
    for m in pkgutil.walk_packages(rag_nb.__path__, "rag_nb."):
        try: module = importlib.import_module(m.name)
        except ImportError: continue
        for cls in {c for c in vars(module).values() if isinstance(c, type) and c.__module__ == m.name}:
            for name in vars(cls):
                owner = next((b for b in cls.__mro__[1:] if name in vars(b) and b.__module__.split(".")[0] in FOREIGN), None)
                if owner is not None and not name.startswith("__") and owner not in (torch.autograd.Function, torch.nn.Module) and "autograd" not in owner.__module__: out.add((cls, name))
    return out


PUBLIC = """model_type is_encoder_decoder config_class base_model_prefix main_input_name get_input_embeddings set_input_embeddings
    get_output_embeddings set_output_embeddings get items keys values cache past_key_values has_no_defaults_at_init""".split()  # documented for those who write models


def test_every_method_of_theirs_that_ours_replace_has_its_line():
    new = sorted(f"{cls.__name__}.{name}" for cls, name in replaced() if name not in NAMED and name not in PUBLIC and name not in SEEN_ELSEWHERE)
    assert not new, f"these replace methods of other libraries, and would never be called again if they were renamed there; BORROWED has no line for them: {new}"


def test_nothing_of_theirs_is_exchanged_but_what_has_its_line():
    "An assignment into something imported from another library."
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf8"))
        theirs = {(a.asname or a.name).split(".")[0] for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom)) and not getattr(n, "level", 0)
                  for a in n.names if ((n.module if isinstance(n, ast.ImportFrom) else a.name) or "").split(".")[0] in FOREIGN}
        local = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        for n in ast.walk(tree):
            for t in n.targets if isinstance(n, ast.Assign) else []:
                if not isinstance(t, (ast.Attribute, ast.Subscript)): continue
                root = t
                while isinstance(root, (ast.Attribute, ast.Subscript)): root = root.value
                if isinstance(root, ast.Name) and root.id in theirs - local: assert root.id in NAMED, f"{path.name}, line {n.lineno}: {ast.unparse(t)} is exchanged, and BORROWED has no line for {root.id}"


# What a path cannot say

def test_the_mask_function_that_is_exchanged_is_the_one_that_is_asked():
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS as F
    model, asked, plain = toy_generator("llama"), [], F["sdpa"]
    F["sdpa"] = lambda *a, **k: (asked.append(1), plain(*a, **k))[1]
    try: model(torch.tensor([[0, 0, 5, 6]]), attention_mask=torch.tensor([[0, 0, 1, 1]]))
    finally: F["sdpa"] = plain
    assert asked, "Transformers no longer asks ALL_MASK_ATTENTION_FUNCTIONS['sdpa'] for its masks: recordings of passes lose theirs (_masks in the lesson on recording)"


def test_layers_put_into_a_cache_are_the_ones_that_attention_uses():
    from rag_nb.core.prefill import SharedLayer, _cache
    one = torch.randn(1, 2, 3, 8)
    cache = _cache([SharedLayer(one, one)])
    keys, _ = cache.update(torch.ones(1, 2, 1, 8), torch.ones(1, 2, 1, 8), 0)
    assert keys.shape[2] == 4 and cache.get_seq_length() == 4, "DynamicCache no longer takes the layers that are put into it: the beams of a document cannot share what was read"


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch without oneDNN")
def test_a_product_in_onednns_order_is_the_product():
    x, w, b = torch.randn(5, 16), torch.randn(8, 16), torch.randn(8)
    laid = torch.ops.mkldnn._reorder_linear_weight(w)
    got = torch.ops.mkldnn._linear_pointwise.default(x, laid, b, "none", [], "")
    torch.testing.assert_close(got, torch.nn.functional.linear(x, w, b), msg="mkldnn._linear_pointwise gives another product: FewRows in the decoder must not use it")


def test_the_kind_of_attention_is_the_one_that_is_set():
    model = toy_generator("bart")
    for kind in ("eager", "sdpa"):
        model.config._attn_implementation = kind
        assert model.get_decoder().config._attn_implementation == kind, "a network's modules no longer read _attn_implementation from the configuration they share"
    model.config._attn_implementation = "eager"
    assert model(torch.tensor([[5, 6]]), output_attentions=True).decoder_attentions[0] is not None


def test_tied_weights_are_known_by_name():
    assert toy_generator("bart").all_tied_weights_keys, "PreTrainedModel no longer lists tied weights in all_tied_weights_keys: a RAG checkpoint would hold them twice"


def test_accelerates_hooks_are_seen():
    hooks = pytest.importorskip("accelerate.hooks")
    m = torch.nn.Linear(2, 2)
    hooks.add_hook_to_module(m, hooks.ModelHook())
    assert hasattr(m, "_hf_hook"), "accelerate no longer keeps its hook in _hf_hook: a network that it moves about would be taken for a plain one"


def test_adapters_can_be_told_not_to_cast():
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(toy_generator("llama"), peft.LoraConfig(r=2, target_modules="all-linear"))
    assert hasattr(model, "merge_and_unload") and hasattr(model, "get_base_model"), "peft's models have lost merge_and_unload or get_base_model, by which they are known"
    assert any(hasattr(m, "cast_input_dtype_enabled") for m in model.modules()), "peft has no cast_input_dtype_enabled any more: adapters cast their inputs under mixed precision"


def test_layers_of_fewer_bits_are_told_from_plain_ones():
    bnb = pytest.importorskip("bitsandbytes")
    assert issubclass(bnb.nn.Linear4bit, torch.nn.Linear) and bnb.nn.Params4bit is not torch.nn.Parameter, "layers of four bits would be taken for plain ones"


def test_pages_of_a_memmap_can_be_given_back(tmp_path):
    np.save(tmp_path/"x.npy", np.zeros((4, 4)))
    assert hasattr(np.load(tmp_path/"x.npy", mmap_mode="r"), "_mmap"), "numpy.memmap no longer holds its map in _mmap: pages of an index stay in memory"


def test_generators_of_transformers_are_known_by_their_module():
    assert type(toy_generator("llama")).__module__.startswith("transformers.models."), "the fast decoder knows a class of Transformers' own by its module"


def test_kinds_of_rotations_have_their_names():
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
    assert {"linear", "llama3", "yarn"} <= {*ROPE_INIT_FUNCTIONS}, "a kind of rotary positions has another name: the fast decoder would refuse it"
    config = toy_generator("llama").config
    assert "rope_type" in (config.rope_parameters or {}), "rope_parameters of a configuration no longer say rope_type: the fast decoder takes every kind for the default one"


MODEL_TYPES = ["fsmt", "prophetnet", "roberta", "xlm-roberta", "xlm-roberta-xl", "roberta-prelayernorm", "camembert", "data2vec-text", "xmod", "bart", "t5", "llama", "qwen3", "smollm3", "rag", "dpr"]


@pytest.mark.parametrize("kind", MODEL_TYPES)
def test_a_model_type_that_is_compared_is_still_one(kind):
    assert kind in transformers.CONFIG_MAPPING, f"Transformers {transformers.__version__} has no model type {kind!r} any more, and it is compared as a string"


@pytest.mark.parametrize("kind", MODEL_TYPES[:9])
def test_the_list_of_model_types_is_the_readers(kind):
    from rag_nb.core import prefill as reader
    assert {*MODEL_TYPES[:9]} == {*reader._ONE_AT_A_TIME, *reader._GAP_FILLERS, "prophetnet"} and kind in MODEL_TYPES


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_family_of_the_fast_decoder_is_still_a_class(name):
    assert hasattr(transformers, name), f"Transformers {transformers.__version__} has no {name} any more, and the fast decoder knows it by this name"


LATER = {"top_h", "use_mtp"}  # fields of GenerationConfig that came after the oldest version that we work with
GONE = {"constraints", "force_words_ids", "dola_layers", "num_beam_groups", "diversity_penalty", "penalty_alpha", "prompt_lookup_num_tokens", "assistant_early_exit", "token_healing", "guidance_scale"}


@pytest.mark.parametrize("name", sorted(SUPPORTED - LATER))
def test_a_generation_setting_is_still_one(name):
    assert name in vars(GenerationConfig()), f"GenerationConfig of Transformers {transformers.__version__} has no field {name}: what a user sets by this name would be refused or lost"


def test_generation_settings_that_are_refused_for_a_reason_are_known_ones():
    assert {*UNSUPPORTED} <= GONE | LATER
