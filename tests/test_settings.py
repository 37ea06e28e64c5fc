"Where the settings of a generation come from, and that none of them is ignored: each works, or is refused by name."
import pytest, torch, transformers
from transformers import GenerationConfig, WatermarkingConfig
from rag_nb import RagSequenceForGeneration, RagTokenForGeneration
from rag_nb.hf.generation_settings import SUPPORTED, generation_settings
from rag_nb.core.toy import toy_encoder, toy_generator
from test_generation import case
from test_parity import pair, contexts, same_tokens

HEADS = dict(token=RagTokenForGeneration, sequence=RagSequenceForGeneration)


def chat(**fields):
    "A decoder-only generator whose own settings say more than its configuration, as those of chat models do."
    model = toy_generator("llama")
    model.generation_config = GenerationConfig(**{**dict(eos_token_id=[2, 70], pad_token_id=3, bos_token_id=1, do_sample=True, temperature=.6, top_p=.9), **fields})
    return model


@pytest.mark.parametrize("head", HEADS)
def test_the_generators_own_end_tokens(head):
    model = HEADS[head](question_encoder=toy_encoder().model, generator=chat(), n_docs=3)
    assert (model.generation_config.eos_token_id, model.generation_config.pad_token_id) == ([2, 70], 3)
    assert not model.generation_config.do_sample                    # how a chat model likes to be sampled is not how a question is answered
    model = HEADS[head].from_pretrained_question_encoder_generator(question_encoder_model=toy_encoder().model, generator_model=chat(), n_docs=3)
    assert generation_settings(model).eos_token_id == [2, 70]


def test_end_tokens_end_answers():
    model, x = case("token", "llama", 0)
    whole = model.generate(**x, max_new_tokens=6, eos_token_id=None)[0, 1:].tolist()
    end = next(t for t in whole if t != whole[0])                   # a token that comes later
    model.generation_config.eos_token_id = [end, 99]
    assert len(whole) == 6 and model.generate(**x, max_new_tokens=6)[0, 1:].tolist() == whole[:whole.index(end)+1]


def test_what_the_configuration_says_comes_before_the_generators_own():
    model = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=chat(), n_docs=3, eos_token_id=[2, 71], pad_token_id=0)
    assert (model.generation_config.eos_token_id, model.generation_config.pad_token_id) == ([2, 71], 0)


@pytest.mark.parametrize("head", HEADS)
def test_saved_and_read(head, tmp_path):
    model = HEADS[head](question_encoder=toy_encoder().model, generator=chat(), n_docs=3)
    model.generation_config.num_beams, model.generation_config.max_new_tokens = 3, 7
    model.save_pretrained(tmp_path)
    for cls in (*HEADS.values(),):
        again = cls.from_pretrained(tmp_path)
        gc = generation_settings(again)
        assert (gc.eos_token_id, gc.num_beams, gc.max_new_tokens) == ([2, 70], 3, 7)
    other = HEADS[head].from_pretrained(tmp_path, generation_config=GenerationConfig(num_beams=2))
    assert other.generation_config.num_beams == 2


def test_files_go_both_ways(tmp_path):
    ours, theirs = pair("token")
    ours.generation_config.num_beams = 3
    ours.save_pretrained(tmp_path/"ours")
    assert transformers.RagTokenForGeneration.from_pretrained(tmp_path/"ours").generation_config.num_beams == 3
    theirs.generation_config.num_beams, theirs.generation_config.max_length = 2, 9
    theirs.save_pretrained(tmp_path/"theirs")
    again = RagTokenForGeneration.from_pretrained(tmp_path/"theirs")
    same_tokens(again.generate(**contexts()), theirs.generate(**contexts()), 0)


@pytest.mark.parametrize("given, want", [
    (dict(), (4, 9)), (dict(num_beams=2), (2, 9)), (dict(generation_config=GenerationConfig(num_beams=3)), (3, 9)),
    (dict(generation_config=GenerationConfig(num_beams=3, max_length=8), num_beams=2), (2, 8)), (dict(max_new_tokens=5), (4, 6))], ids=str)
def test_who_is_heard_first(given, want):
    "Arguments, then the generation_config given, then the model's own; as in Transformers."
    ours, theirs = pair("token")
    for m in (ours, theirs): m.generation_config.num_beams, m.generation_config.max_length = 4, 9
    gc = generation_settings(ours, **given)
    assert (gc.num_beams, gc.max_length) == want
    if "max_new_tokens" not in given: same_tokens(ours.generate(**contexts(), **given), theirs.generate(**contexts(), **given), 0)  # theirs ignores max_new_tokens
    assert ours.generation_config.num_beams == 4


def test_an_argument_comes_before_a_saved_length():
    model, _ = case("token", "bart", 0)
    model.generation_config.max_new_tokens = 9
    assert generation_settings(model, max_length=5).max_length == 5
    assert generation_settings(model, GenerationConfig(max_length=5)).max_length == 5
    assert generation_settings(model).max_length == 10


@pytest.mark.parametrize("name", ["forced_bos_token_id", "forced_eos_token_id", "eos_token_id", "suppress_tokens"])
def test_none_takes_back_what_the_model_has(name):
    model, _ = case("token", "bart", 0)
    setattr(model.generation_config, name, [5] if name == "suppress_tokens" else 5)
    assert getattr(generation_settings(model), name) in (5, [5])
    assert not getattr(generation_settings(model, **{name: None}), name)


# every field of GenerationConfig, with a value that is not its neutral one
ODD = dict(guidance_scale=1.5, token_healing=True, constraints=[1], force_words_ids=[[5]], num_beam_groups=2, diversity_penalty=.5, penalty_alpha=.6, dola_layers="low", use_mtp=True,
           prompt_lookup_num_tokens=3, assistant_early_exit=2, cache_implementation="static", cache_config=dict(a=1), max_cache_len=9, prefill_chunk_size=8, low_memory=True,
           compile_config=dict(a=1), num_assistant_tokens=3, max_matching_ngram_size=2)


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("how", ["argument", "generation_config"])
def test_what_cannot_be_done_is_refused_by_name(name, how):
    model, x = case("token", "bart", 0)
    if how == "generation_config":
        gc = GenerationConfig(max_new_tokens=3); setattr(gc, name, ODD[name]); given = dict(generation_config=gc)
    else: given = {name: ODD[name], "max_new_tokens": 3, **(dict(num_beams=2) if name in ("num_beam_groups", "diversity_penalty", "constraints", "force_words_ids") else {})}
    with pytest.raises(ValueError, match=name): model.generate(**x, **given)


def test_every_field_is_honoured_or_refused():
    "A field that a newer Transformers adds is refused until something is done about it."
    model, x = case("token", "bart", 0)
    internal = {n for n in vars(GenerationConfig()) if n.startswith("_")} | {"transformers_version", "continuous_batching_config"}
    for name in set(vars(GenerationConfig())) - internal - SUPPORTED:
        gc = GenerationConfig(); setattr(gc, name, ODD.get(name, 7))
        with pytest.raises(ValueError, match=name): generation_settings(model, gc)
    assert SUPPORTED <= set(vars(GenerationConfig()))


def test_what_is_only_about_speed_may_be_in_a_models_own_settings():
    model, x = case("token", "llama", 0)
    model.generation_config.cache_implementation = "hybrid"         # as in Gemma's
    assert model.generate(**x, max_new_tokens=2).shape[1] <= 3
    model.generation_config.guidance_scale = 2.
    with pytest.raises(ValueError, match="guidance_scale"): model.generate(**x, max_new_tokens=2)


@pytest.mark.parametrize("settings", [dict(renormalize_logits=True, num_beams=2, bad_words_ids=[[i] for i in range(101, 127, 2)]), dict(watermarking_config=WatermarkingConfig(bias=9.)), dict(watermarking_config=dict(bias=9., seeding_scheme="selfhash")),
                                      dict(sequence_bias={(i,): 5. for i in range(101, 127, 2)}), dict(suppress_tokens=[*range(101, 127, 2)]), dict(begin_suppress_tokens=[*range(101, 127)]), dict(exponential_decay_length_penalty=(2, 1.5))], ids=lambda s: next(iter(s)))
def test_processors_are_those_of_transformers(settings):
    changed = False
    for seed in range(2):
        a, b = pair("token", "bart", seed)
        plain, ours, theirs = a.generate(**contexts(seed), max_length=10), *(m.generate(**contexts(seed), max_length=10, **settings) for m in (a, b))
        same_tokens(ours, theirs, 0)
        changed |= not torch.equal(plain, ours)
    assert changed


def test_scores_and_logits():
    a, b = pair("token")
    kw = dict(max_length=6, min_length=6, output_scores=True, output_logits=True, return_dict_in_generate=True, bad_words_ids=[[70]])
    ours, theirs = a.generate(**contexts(), **kw), b.generate(**contexts(), **kw)
    assert len(ours.scores) == len(ours.logits) == len(theirs.logits)
    for x, y in zip([*ours.scores, *ours.logits], [*theirs.scores, *theirs.logits]): torch.testing.assert_close(x, y, atol=1e-4, rtol=1e-4)


def test_top_h_is_used():
    model, x = case("token", "llama", 0)
    torch.manual_seed(0)
    drawn = model.generate(**x, do_sample=True, top_h=.01, top_k=0, num_return_sequences=20, max_new_tokens=1)
    assert len(drawn[:, 1].unique()) == 1


@pytest.mark.parametrize("wrong, right", [("max_new_token", "max_new_tokens"), ("num_beam", "num_beams"), ("context_ids", "context_input_ids"), ("decodin", "decoding"), ("dosample", "do_sample")])
def test_a_misspelt_argument_is_told_its_neighbour(wrong, right):
    model, x = case("token", "bart", 0)
    with pytest.raises(TypeError, match=rf"'{wrong}'.*did you mean '{right}'"): model.generate(**x, **{wrong: 1})


def test_trainers_own_arguments():
    "Seq2SeqTrainer always passes synced_gpus."
    model, x = case("token", "bart", 0)
    assert model.generate(**x, synced_gpus=False, max_new_tokens=2).shape[0] == 1
    with pytest.raises(ValueError, match="synced_gpus"): model.generate(**x, synced_gpus=True)


@pytest.mark.parametrize("kind", ["bart", "llama"])
@pytest.mark.parametrize("sampled", [False, True])
def test_not_a_number(kind, sampled):
    model, x = case("token", kind, 0)
    with pytest.raises(ValueError, match="not a number"): model.generate(**dict(x, doc_scores=x["doc_scores"]*torch.nan))
    model.generator.get_output_embeddings().weight.data[3] = torch.nan
    with pytest.raises(ValueError, match="not numbers.*float32"): model.generate(**x, do_sample=sampled)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_left_as_it_was(training):
    model, x = case("token", "bart", 0)
    model.train(training); model.generate(**x, max_new_tokens=2)
    assert model.training is training and model.generator.training is training
