"Training that goes wrong or is asked for oddly: the best weights, checkpoints that were cut off, Ctrl-C, tied weights, and every field of `TrainingArguments`."
import dataclasses, errno, warnings
from pathlib import Path
import pytest, torch, transformers
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainingArguments
from rag_nb import FinetuneConfig, Rag, RagRetriever, RagSequenceForGeneration, RagTokenForGeneration, finetune
from rag_nb.store.questions import RagCollator, read_questions
from rag_nb.core.objective import TrainingModule, add_adapters
from rag_nb.core.train import REFUSED, WORKS, RagTrainer, find_checkpoint, why_not_whole
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

KINDS = ["bart", "mbart", "t5", "llama", "gpt2"]
IDS = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
SMALL = dict(vocab_size=260, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, **IDS)
DATA = [dict(question=q, answers=[a], document_id=d) for q, a, d in toy_questions()]
QUICK = dict(use_cpu=True, progress=False, max_steps=4, per_device_train_batch_size=4, logging_steps=2, learning_rate=1e-3, seed=1)
SAVING = {**QUICK, "max_steps": 6, "save_strategy": "steps", "save_steps": 2, "train": "generator"}


def small_llama(**config):
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SMALL, **config))


def make(kind="llama", generator=None, **config):
    "A toy `Rag`, the same each time."
    encoder = toy_encoder()
    retriever = RagRetriever.from_documents(toy_documents(), encoder, progress=False)
    return Rag.from_parts(retriever, encoder, (generator or small_llama(), toy_tokenizer(kind)), **{"n_docs": 3, **config})


def weights(module): return {n: p.detach().clone() for n, p in module.named_parameters()}
def same(a, b): return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


# The best, not the last

@torch.no_grad()
def loss_of(rag, data, **plan):
    "The loss of these questions, by a fresh objective."
    objective = TrainingModule(rag, FinetuneConfig(**plan))
    rag.model.eval()
    batch = RagCollator(rag.tokenizer, rag.model.config, keep=("document_ids",))(list(read_questions(data)))
    return float(objective(**batch)["loss"])


@pytest.mark.parametrize("adapters", [None, 2], ids=["all weights", "adapters"])
@pytest.mark.parametrize("stops", [False, True], ids=["to the end", "early stopping"])
@pytest.mark.parametrize("merge", [True, False])
def test_the_best_weights_come_back(tmp_path, adapters, stops, merge):
    "Measured on answers that become less likely after a while (or, for adapters, where the highest loss is called the best): what comes back has the loss of the best evaluation."
    other, settings = [dict(d, answers=["qqq zzz xxx"]) for d in DATA[:4]], {**QUICK, "max_steps": 16, "learning_rate": .02, "train": "generator", "adapters": adapters, "merge": merge}
    done = finetune(make(), DATA, tmp_path, eval_data=other, eval_strategy="steps", eval_steps=2, save_strategy="steps", save_steps=2, per_device_eval_batch_size=4, save_total_limit=2,
                    load_best_model_at_end=True, greater_is_better=bool(adapters), callbacks=[EarlyStoppingCallback(2)] if stops else None, **settings)
    losses = [l["eval_loss"] for l in done.log if "eval_loss" in l]
    best = (max if adapters else min)(losses)
    assert abs(losses[-1] - best) > .05 and (len(losses) < 8) == stops
    assert loss_of(done.rag, other, train="generator") == pytest.approx(best, rel=1e-4)
    if adapters and not merge:                                                                     # what peft reads back is the best as well
        from safetensors.torch import load_file
        written = load_file(tmp_path/"adapters/generator/adapter_model.safetensors")
        held = {n: p for n, p in done.rag.model.generator.named_parameters() if "lora_" in n}
        assert len(written) == len(held) and all(torch.equal(p, written[n.replace(".default", "")]) for n, p in held.items())


def test_the_best_weights_with_passages_that_move(tmp_path):
    "The vectors that come back are those of the best encoder."
    settings = {**QUICK, "max_steps": 8, "learning_rate": .3, "train": ("question_encoder", "passage_encoder"), "likelihood": 0., "contrast": 1., "include_gold": True, "reindex_every": 2}
    kept = {}
    class Keep(TrainerCallback):
        def on_evaluate(self, args, state, control, metrics, model, **kw): kept[metrics["eval_loss"]] = weights(model.model)
    rag = finetune(make(), DATA, tmp_path, eval_data=DATA, eval_strategy="steps", eval_steps=2, save_strategy="steps", save_steps=2, load_best_model_at_end=True, greater_is_better=True,
                   callbacks=[Keep()], **settings).rag
    best, last = kept[max(kept)], list(kept.values())[-1]
    assert same({n: p for n, p in weights(rag.model).items()}, best) and not same(best, last)
    torch.testing.assert_close(rag.retriever.index.vectors(torch.arange(12)), torch.as_tensor(rag.encoder.encode(list(rag.retriever.passages), "passage")))


def test_nothing_measured_is_told(tmp_path):
    with pytest.warns(UserWarning, match="nothing was measured"):
        finetune(make(), DATA, tmp_path, eval_data=DATA[:4], eval_strategy="steps", eval_steps=50, eval_delay=100, save_strategy="steps", save_steps=50, load_best_model_at_end=True, train="generator", **QUICK)


# Checkpoints that were cut off

class Die(TrainerCallback):
    def __init__(self, at): self.at = at
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.at: raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory): return weights(finetune(make(), DATA, tmp_path_factory.mktemp("whole"), **SAVING).rag.model)


def unmark(at): (at/"checkpoint.json").write_text('{"files": null}')
def legacy(at):
    (at/"checkpoint.json").unlink(); (at/"trainer_state.json").write_text((at/"trainer_state.json").read_text()[:-40])

DAMAGE = dict(no_state=lambda at: (at/"trainer_state.json").unlink(), no_weights=lambda at: (at/"trained.safetensors").unlink(), no_scheduler=lambda at: (at/"scheduler.pt").unlink(),
              cut_optimiser=lambda at: (at/"optimizer.pt").write_bytes((at/"optimizer.pt").read_bytes()[:100]), empty_dice=lambda at: (at/"rng_state.pth").write_bytes(b""),
              empty=lambda at: [p.unlink() for p in at.iterdir()], unfinished=unmark, no_json=lambda at: (at/"checkpoint.json").write_text("{"), legacy=legacy)


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_newest_whole_checkpoint_is_gone_on_from(tmp_path, damage, whole_run):
    "The checkpoint of step 4 was cut off in one way or another: training goes on from that of step 2, and ends as the run that was left alone."
    with pytest.raises(KeyboardInterrupt): finetune(make(), DATA, tmp_path, callbacks=[Die(5)], **SAVING)
    DAMAGE[damage](tmp_path/"checkpoint-4")
    with pytest.raises(ValueError, match="cannot go on from .*checkpoint-4: "): finetune(make(), DATA, tmp_path, resume=str(tmp_path/"checkpoint-4"), **SAVING)
    with pytest.warns(UserWarning, match="goes on from checkpoint-2, for a newer checkpoint is not whole"):
        assert same(weights(finetune(make(), DATA, tmp_path, resume=True, **SAVING).rag.model), whole_run)
    assert all(why_not_whole(tmp_path/f"checkpoint-{n}") is None for n in (2, 4, 6))


def test_only_a_cut_off_checkpoint(tmp_path, whole_run):
    "Killed while the first checkpoint was written: there is nothing to go on from, so training begins again. An empty folder is an error."
    with pytest.raises(KeyboardInterrupt): finetune(make(), DATA, tmp_path, callbacks=[Die(3)], **SAVING)
    unmark(tmp_path/"checkpoint-2")
    with pytest.warns(UserWarning, match="begins again"): assert same(weights(finetune(make(), DATA, tmp_path, resume=True, **SAVING).rag.model), whole_run)
    with pytest.raises(ValueError, match="there is no checkpoint in .*empty to go on from"): finetune(make(), DATA, tmp_path/"empty", resume=True, **SAVING)
    with pytest.raises(ValueError, match="there is no such folder"): finetune(make(), DATA, tmp_path, resume=str(tmp_path/"no"), **SAVING)


@pytest.mark.parametrize("best", [False, True])
def test_going_on_from_the_last_step_makes_no_other(tmp_path, best):
    "In the middle of an epoch, where `Trainer` would make one step more."
    kw = dict(SAVING, lr_scheduler_type="constant", learning_rate=.02, max_steps=4)
    if best: kw |= dict(eval_data=[dict(d, answers=["qqq zzz xxx"]) for d in DATA[:4]], eval_strategy="steps", eval_steps=2, load_best_model_at_end=True, greater_is_better=True)
    done = finetune(make(), DATA, tmp_path, **kw)
    again = finetune(make(), DATA, tmp_path, resume=True, **kw)
    assert again.trainer.state.global_step == 4 and same(weights(again.rag.model), weights(done.rag.model)) and repr(again).startswith("Finetuned(4 steps, ")


def test_a_checkpoint_of_an_older_version(tmp_path, whole_run):
    "It has no list of its files, and is taken where all that is needed is there."
    with pytest.raises(KeyboardInterrupt): finetune(make(), DATA, tmp_path, callbacks=[Die(5)], **SAVING)
    (tmp_path/"checkpoint-4/checkpoint.json").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert find_checkpoint(tmp_path, True) == str(tmp_path/"checkpoint-4")
    assert same(weights(finetune(make(), DATA, tmp_path, resume=True, **SAVING).rag.model), whole_run)


def test_weights_alone_cannot_be_gone_on_from(tmp_path):
    finetune(make(), DATA, tmp_path, save_only_model=True, **SAVING)
    with pytest.raises(ValueError, match="save_only_model"): finetune(make(), DATA, tmp_path, resume=str(tmp_path/"checkpoint-4"), **SAVING)


@pytest.mark.parametrize("limit, best, left", [(1, False, {6}), (2, False, {4, 6}), (None, False, {2, 4, 6}), (1, True, {2, 6})])
def test_older_checkpoints_go_when_the_newer_is_whole(tmp_path, monkeypatch, limit, best, left):
    "At the moment when one is deleted, the newest is whole; the best stays."
    from rag_nb.core import train
    seen, remove = [], train._remove
    monkeypatch.setattr(train, "_remove", lambda at: (seen.append(at.exists() and why_not_whole(max(train._checkpoints(tmp_path), key=lambda p: int(p.name[11:])))), remove(at)))
    more = dict(eval_data=DATA[:4], eval_strategy="steps", eval_steps=2, load_best_model_at_end=True, metric_for_best_model="best", callbacks=[OnlyFirst()]) if best else {}
    finetune(make(), DATA, tmp_path, save_total_limit=limit, **SAVING, **more)
    assert {int(p.name[11:]) for p in tmp_path.glob("checkpoint-*")} - ({6} if best else set()) == left - ({6} if best else set())
    assert not any(isinstance(why, str) for why in seen)


class OnlyFirst(TrainerCallback):
    "A measure that gets worse."
    n = 0
    def on_evaluate(self, args, state, control, metrics, **kw): metrics["eval_best"] = -self.n; self.n += 1


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("[enforce fail at inline_container.cc:603] . PytorchStreamWriter failed writing file data/0: file write failed")])
@pytest.mark.parametrize("limit", [1, None])
def test_a_full_disk_is_explained_and_nothing_older_is_lost(tmp_path, monkeypatch, error, limit, whole_run):
    "The disk is full in the checkpoint of step 4: an error that says so, no half of it left, that of step 2 whole, the Rag in its modes; then there is room."
    rag, save = make(), torch.save
    def full(what, path, *a, **k):
        if "checkpoint-4" not in str(path): return save(what, path, *a, **k)
        Path(path).write_bytes(b"half"); raise error
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="checkpoint-4 could not be written to .*checkpoint-2 is whole: make room, and go on from it with resume=True"):
        finetune(rag, DATA, tmp_path, save_total_limit=limit, **SAVING)
    assert [p.name for p in tmp_path.glob("checkpoint-*")] == ["checkpoint-2"] and not rag.model.training
    monkeypatch.setattr(torch, "save", save)
    assert same(weights(finetune(make(), DATA, tmp_path, resume=True, save_total_limit=limit, **SAVING).rag.model), whole_run)


def test_another_error_is_not_called_a_full_disk(tmp_path, monkeypatch):
    def broken(*a, **k): raise RuntimeError("the sky is falling")
    monkeypatch.setattr(TrainingModule, "swap", broken)
    with pytest.raises(RuntimeError, match="sky"): finetune(make(), DATA, tmp_path, **SAVING)


def test_a_checkpoint_of_the_same_step_is_kept_until_the_new_one_is_whole(tmp_path, monkeypatch):
    "Training again from step 2 over a checkpoint of step 4: killed in between, that one comes back."
    from rag_nb.core import train
    finetune(make(), DATA, tmp_path, **SAVING)
    before = (tmp_path/"checkpoint-4/trained.safetensors").read_bytes()
    def killed(*a): raise KeyboardInterrupt
    with monkeypatch.context() as m:
        m.setattr(train, "_finish", killed)
        with pytest.raises(KeyboardInterrupt): finetune(make(), DATA, tmp_path, resume=str(tmp_path/"checkpoint-2"), **SAVING)
    assert why_not_whole(tmp_path/"checkpoint-4") and find_checkpoint(tmp_path, True).endswith("checkpoint-6")
    assert why_not_whole(tmp_path/"checkpoint-4") is None and (tmp_path/"checkpoint-4/trained.safetensors").read_bytes() == before
    assert sorted(p.name for p in tmp_path.glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-4", "checkpoint-6"]


def test_adapters_that_cannot_be_written_do_not_undo_the_training(tmp_path, monkeypatch):
    def full(*a): raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(TrainingModule, "save_adapters", full)
    rag, settings = make(), {**QUICK, "adapters": 2, "learning_rate": .01}
    before = weights(rag.model)
    with pytest.raises(OSError, match="training is done, and the Rag has what it learnt"): finetune(rag, DATA, tmp_path, **settings)
    assert weights(rag.model).keys() == before.keys() and not same(weights(rag.model), before) and not rag.model.training


# After an error the Rag is as it was

def state_of(rag):
    "All that can be seen of a `Rag`: weights, which of them want a gradient and have one, modes, hooks, settings, and which module is where."
    nets = {"model": rag.model, "passages": rag.retriever.encoder.model}
    return ({n: {k: (id(p), p.requires_grad, p.grad is None, p.detach().clone()) for k, p in m.named_parameters()} for n, m in nets.items()},
            {n: [(k, id(x), type(x), x.training, len(x._forward_hooks), len(x._forward_pre_hooks), getattr(x, "gradient_checkpointing", None), hasattr(x, "neftune_noise_alpha"))
                 for k, x in m.named_modules()] for n, m in nets.items()},
            rag.model.config.to_json_string(use_diff=False), id(rag.retriever), id(rag.retriever.encoder.model), rag.model.rag.context_encoder_training, rag.model.rag.ctx_encoder)


def alike(a, b):
    "Whether two states are equal."
    for n in a[0]:
        assert a[0][n].keys() == b[0][n].keys()
        for k, (i, *flags, p) in a[0][n].items(): assert (i, *flags) == b[0][n][k][:3] and torch.equal(p, b[0][n][k][3]), k
        different = [pair for pair in zip(a[1][n], b[1][n]) if pair[0] != pair[1]]
        assert len(a[1][n]) == len(b[1][n]) and not different, different[:3]
    assert a[2:] == b[2:]


@pytest.mark.parametrize("kind", ["llama", "bart", "t5"])
@pytest.mark.parametrize("settings", [dict(), dict(train=("generator", "question_encoder", "passage_encoder", "score_scale"), reindex_every=1), dict(train=("generator", "passage_encoder"))],
                         ids=["plain", "passages move", "a passage encoder of its own"])
@pytest.mark.parametrize("odd", [False, True], ids=["", "frozen, in training mode"])
def test_after_ctrl_c_with_adapters_the_rag_is_as_it_was(tmp_path, kind, settings, odd):
    rag = make(kind, None if kind == "llama" else toy_generator(kind))
    rag.retriever.encoder
    if odd: rag.model.generator.get_input_embeddings().weight.requires_grad_(False); rag.model.generator.train()
    before, answer = state_of(rag), rag.ask("What is tea?", max_new_tokens=4)
    with pytest.raises(KeyboardInterrupt):
        finetune(rag, DATA, tmp_path, adapters=2, callbacks=[Die(3)], neftune_noise_alpha=5., gradient_checkpointing=True, gradient_accumulation_steps=2, **{**QUICK, "learning_rate": .1}, **settings)
    alike(state_of(rag), before)
    again = rag.ask("What is tea?", max_new_tokens=4)
    assert again.text == answer.text and torch.equal(again.token_logprobs, answer.token_logprobs)
    assert finetune(rag, DATA, tmp_path/"again", adapters=2, **QUICK).rag is rag


def test_after_ctrl_c_adapters_of_an_earlier_run_are_as_they_were(tmp_path):
    rag = finetune(make(), DATA, tmp_path/"a", adapters=2, merge=False, **QUICK).rag
    before = state_of(rag)
    with pytest.raises(KeyboardInterrupt): finetune(rag, DATA, tmp_path/"b", callbacks=[Die(2)], **{**QUICK, "learning_rate": .1})
    alike(state_of(rag), before)


def test_after_an_error_at_the_start_the_rag_is_as_it_was(tmp_path):
    "Settings that contradict one another, adapters that are refused in the second network, data without answers."
    from peft import LoraConfig
    rag = make("bart", toy_generator("bart"))
    rag.retriever.encoder
    before = state_of(rag)
    for wrong, says in ((dict(eval_strategy="steps"), "eval"), (dict(adapters=dict(generator=LoraConfig(target_modules=["lm_head"]), question_encoder=2)), "tied"),
                        (dict(train=("question_encoder", "generator"), adapters=dict(question_encoder=2, generator=LoraConfig(target_modules=["no_such"]))), "no_such|Target modules"),
                        (dict(save_strategy="epoch", load_best_model_at_end=True), "strategy|evaluation")):
        with pytest.raises(ValueError, match=says): finetune(rag, DATA, tmp_path, **{**QUICK, **wrong})
        alike(state_of(rag), before)


@pytest.mark.parametrize("adapters", [None, 2])
def test_a_run_that_ends_well_leaves_modes_and_settings(tmp_path, adapters):
    "What was frozen stays frozen, recomputation is off again, and the configuration is that of before."
    rag = make()
    rag.model.generator.lm_head.weight.requires_grad_(False)
    before = rag.model.config.to_json_string(use_diff=False)
    finetune(rag, DATA, tmp_path, train="generator", adapters=adapters, gradient_checkpointing=True, neftune_noise_alpha=5., **QUICK)
    assert rag.model.config.to_json_string(use_diff=False) == before
    assert [n for n, p in rag.model.named_parameters() if not p.requires_grad] == ["rag.generator.lm_head.weight"]
    assert not any(m.training or m._forward_hooks or getattr(m, "gradient_checkpointing", False) for m in rag.model.modules())


# Adapters on weights that have several names

@pytest.mark.parametrize("kind, names", [("bart", "model.shared"), ("mbart", "model.shared"), ("t5", "shared"), ("gpt2", "transformer.wte"), ("tied llama", "model.embed_tokens")])
@pytest.mark.parametrize("where", ["head", "also the head", "copy of the head", "copy of the embedding", "embedding"])
def test_adapters_on_tied_weights_are_refused(kind, names, where):
    from peft import LoraConfig
    tied = small_llama(tie_word_embeddings=True) if kind == "tied llama" else toy_generator(kind)
    inner, before = names.split(".")[-1], weights(tied)
    config = {"head": dict(target_modules=["lm_head"]), "also the head": dict(target_modules=r".*(lm_head|q_proj|c_attn|SelfAttention\.q)"), "embedding": dict(target_modules=[inner]),
              "copy of the head": dict(target_modules="all-linear", modules_to_save=["lm_head"]), "copy of the embedding": dict(target_modules="all-linear", modules_to_save=[inner])}[where]
    if len({id(m.weight) for m in (tied.get_input_embeddings(), tied.get_output_embeddings())}) == 2: pytest.skip("this toy is not tied")
    with pytest.raises(ValueError, match=f"its weight is tied, and is also that of .*{inner}"): add_adapters(tied, LoraConfig(r=2, **config))
    assert same(weights(tied), before) and not any("lora" in n for n, _ in tied.named_modules())


@pytest.mark.parametrize("config", [dict(target_modules=["lm_head", "q_proj"]), dict(target_modules=["q_proj"], modules_to_save=["lm_head", "norm"]), dict(target_modules=["embed_tokens"])])
def test_adapters_on_a_head_of_its_own_are_trained_and_merged(tmp_path, config):
    "Where nothing is tied they all get a gradient, and the merged model is the unmerged one."
    from peft import LoraConfig
    moved = []
    class Look(TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, model, **kw): moved.append({n: bool(p.grad is not None and p.grad.abs().max() > 0) for n, p in model.named_parameters() if p.requires_grad})
    kw = {**QUICK, "learning_rate": .05, "train": "generator"}
    rag = finetune(make(), DATA, tmp_path/"a", adapters=LoraConfig(r=2, **config), merge=False, callbacks=[Look()], **kw).rag
    assert moved[-1] and all(moved[-1].values())
    merged = finetune(make(), DATA, tmp_path/"b", adapters=LoraConfig(r=2, **config), **kw).rag
    ids = torch.tensor([[1, 70, 80, 90]])
    torch.testing.assert_close(merged.model.generator(ids).logits, rag.model.generator(ids).logits, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(merged.model.generator(ids).logits, make().model.generator(ids).logits, atol=1e-3)


def test_biases_are_not_adapters():
    from peft import LoraConfig
    with pytest.raises(ValueError, match="trains biases in place"): add_adapters(toy_generator("bart"), LoraConfig(r=2, target_modules=["q_proj"], bias="all"))


# Several batches a step

def still(rag):
    "Without dropout, in double precision."
    for m in rag.model.modules():
        if isinstance(m, torch.nn.Dropout): m.p = 0.
        if isinstance(getattr(m, "dropout", None), float): m.dropout = 0.
    rag.model.generator.double()
    return rag


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch, steps", [(6, 2), (4, 3), (5, 3)])
def test_accumulated_gradients_are_those_of_the_whole_batch(tmp_path, kind, batch, steps):
    "One step of plain gradient descent over twelve questions in several batches, the last of which may be smaller, is that over all of them at once."
    def end(out, size, accumulate):
        rag = still(make(kind, toy_generator(kind)))
        kw = {**QUICK, "max_steps": 1, "optim": "sgd", "learning_rate": .01, "max_grad_norm": 0., "train": "generator", "per_device_train_batch_size": size, "gradient_accumulation_steps": accumulate}
        done = finetune(rag, (DATA*2)[:12], out, logging_first_step=True, **kw)
        return weights(rag.model), done.log[0]["loss"]
    (one, loss), (parts, mean), start = end(tmp_path/"a", 12, 1), end(tmp_path/"b", batch, steps), weights(still(make(kind, toy_generator(kind))).model)
    assert mean == pytest.approx(loss, rel=1e-4)
    step = max(float((one[n] - start[n]).abs().max()) for n in one)
    assert step > 1e-4 and all(float((one[n] - parts[n]).abs().max()) < 1e-5*step for n in one)


@pytest.mark.parametrize("head", [RagTokenForGeneration, RagSequenceForGeneration])
@pytest.mark.parametrize("kind", KINDS)
def test_transformers_own_trainer_divides_by_the_batches(tmp_path, head, kind):
    "Our heads take any keyword, like T5 and BART; `Trainer` must not believe that their loss is already divided."
    rag = still(make(kind, toy_generator(kind)))
    model = head(rag.model.config, rag.model.question_encoder, rag.model.generator)
    model.requires_grad_(False); model.rag.generator.requires_grad_(True)
    found = rag.retrieve([d["question"] for d in DATA[:4]])
    rows = rag.retriever.contexts([d["question"] for d in DATA[:4]], found, config=model.config, tokenizer=rag.tokenizer.generator)
    labels = rag.tokenizer.targets([d["answers"][0] for d in DATA[:4]], model.config)
    data = [dict(context_input_ids=rows["context_input_ids"][3*i:3*i+3], context_attention_mask=rows["context_attention_mask"][3*i:3*i+3], doc_scores=found.doc_scores[i:i+1].double(), labels=labels[i:i+1]) for i in range(4)]
    join = lambda batch: {k: torch.cat([b[k] for b in batch]) for k in batch[0]}
    start, ends = weights(model), []
    for size, accumulate in ((4, 1), (1, 4)):
        with torch.no_grad():
            for n, p in model.named_parameters(): p.copy_(start[n])
        args = TrainingArguments(str(tmp_path), use_cpu=True, max_steps=1, optim="sgd", learning_rate=.01, max_grad_norm=0., per_device_train_batch_size=size, gradient_accumulation_steps=accumulate,
                                 report_to=[], save_strategy="no", remove_unused_columns=False, disable_tqdm=True, seed=1)
        Trainer(model, args, train_dataset=data, data_collator=join).train()
        ends.append(weights(model))
    step = max(float((ends[0][n] - start[n]).abs().max()) for n in start)
    assert step > 1e-4 and all(float((ends[0][n] - ends[1][n]).abs().max()) < 1e-5*step for n in start)


# Every field of TrainingArguments

FIELDS = {f.name: f for f in dataclasses.fields(TrainingArguments)}
GONE = {"logging_dir", "warmup_ratio", "group_by_length"}    # of older versions


def test_every_field_works_or_is_refused():
    new = FIELDS.keys() - WORKS - REFUSED.keys()
    assert not new, f"TrainingArguments has new fields: {sorted(new)}. Try each in finetune; put it into WORKS in core/11_train, with a test, or into REFUSED, with the reason"
    assert not WORKS & REFUSED.keys() and (WORKS | REFUSED.keys()) - FIELDS.keys() <= GONE | {"activation_checkpointing", "activation_checkpointing_kwargs", "dataloader_multiprocessing_context", "dataloader_in_order"}
    assert all(len(why.split()) > 5 for why in REFUSED.values())


SAID = dict(label_smoothing_factor=.1, torch_compile_backend="eager", torch_compile_mode="default", liger_kernel_config={"rope": True}, optim_target_modules="all-linear", length_column_name="n",
            include_num_input_tokens_seen="all", eval_do_concat_batches=False, eval_accumulation_steps=2, include_for_metrics=["loss"], hub_token="t", hub_model_id="a/b", hub_strategy="end",
            hub_revision="main", parallelism_config=object(), fsdp="full_shard", fsdp_config={"a": 1}, deepspeed={"a": 1}, label_names=["answers"], debug="underflow_overflow",
            resume_from_checkpoint="x", local_rank=0)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_is_named_at_the_start(tmp_path, name):
    "Before anything is read or changed; and saying the default is no mistake."
    rag = make()
    with pytest.raises(ValueError, match=f"{name}=.* is not possible in finetune: "): finetune(rag, "no such file", tmp_path, **{**QUICK, name: SAID.get(name, True)})
    if name in FIELDS and name not in ("remove_unused_columns", "include_for_metrics"):
        finetune(rag, DATA, tmp_path, **{**QUICK, "max_steps": 1, "train": "score_scale", name: FIELDS[name].default})


@pytest.mark.parametrize("settings, says", [(dict(train_sampling_strategy="group_by_length"), "similar length"), (dict(train_sampling_strategy="batch_rebalance"), "not possible"),
                                            (dict(optim="galore_adamw"), "use adapters"), (dict(optim="lomo"), "use adapters"), (dict(accelerator_config={"dispatch_batches": True}), "batches hold texts")])
def test_values_that_are_refused(tmp_path, settings, says):
    with pytest.raises(ValueError, match=says): finetune(make(), DATA, tmp_path, **QUICK, **settings)


def test_smoothing_in_the_configuration_is_refused(tmp_path):
    with pytest.raises(ValueError, match="label_smoothing=0.1"): finetune(make(label_smoothing=.1), DATA, tmp_path, **QUICK)


def test_a_field_that_nobody_has_tried_is_refused(tmp_path, monkeypatch):
    from rag_nb.core import train
    monkeypatch.setattr(train, "WORKS", WORKS - {"weight_decay"})
    with pytest.raises(ValueError, match="weight_decay is new in Transformers"): finetune(make(), DATA, tmp_path, weight_decay=.1, **QUICK)


EVALS = dict(eval_data=DATA[:4], eval_strategy="steps", eval_steps=2)
TRIED = [dict(neftune_noise_alpha=50.), dict(weight_decay=.5), dict(adam_beta1=.5), dict(adam_beta2=.5), dict(adam_epsilon=.1), dict(max_grad_norm=1e-4), dict(warmup_steps=3), dict(optim="adafactor"), dict(optim="sgd"),
         dict(lr_scheduler_type="cosine"), dict(lr_scheduler_type="polynomial", lr_scheduler_kwargs=dict(power=3.)), dict(train_sampling_strategy="sequential"), dict(data_seed=5), dict(bf16=True),
         dict(gradient_accumulation_steps=2), dict(optim="rmsprop", optim_args="alpha=0.5")]   # what shows in the weights
QUIET = [dict(gradient_checkpointing=True), dict(gradient_checkpointing=True, gradient_checkpointing_kwargs=dict(use_reentrant=False)), dict(torch_empty_cache_steps=1), dict(average_tokens_across_devices=False),
         dict(auto_find_batch_size=True), dict(logging_strategy="epoch"), dict(logging_first_step=True), dict(logging_nan_inf_filter=False), dict(log_level="error"), dict(skip_memory_metrics=False),
         dict(dataloader_num_workers=1), dict(dataloader_num_workers=1, dataloader_persistent_workers=True, dataloader_prefetch_factor=1), dict(dataloader_pin_memory=False),
         dict(EVALS, prediction_loss_only=True), dict(EVALS, eval_on_start=True), dict(EVALS, eval_delay=2), dict(EVALS, per_device_eval_batch_size=2),
         dict(save_strategy="steps", save_steps=2, save_only_model=True), dict(save_strategy="epoch"), dict(save_strategy="steps", save_steps=.5), dict(ddp_find_unused_parameters=True), dict(accelerator_config={"split_batches": True})]


@pytest.fixture(scope="module")
def plain(tmp_path_factory): return weights(finetune(still(make()), DATA, tmp_path_factory.mktemp("plain"), **{**QUICK, "max_steps": 4, "train": "generator"}).rag.model)


@pytest.mark.parametrize("settings", TRIED + QUIET, ids=lambda s: "-".join(k for k in s if k not in EVALS or len(s) == 3))
def test_what_works_does_what_it_says(tmp_path, settings, plain):
    "What should change the weights does, and what should not does not. (Without dropout: whatever draws random numbers in between would change them.)"
    done = finetune(still(make()), DATA, tmp_path, **{**QUICK, "train": "generator", **settings})
    assert done.trainer.state.global_step == 4 and same(weights(done.rag.model), plain) == (settings in QUIET)


@pytest.mark.parametrize("kind", KINDS)
def test_neftune_reaches_every_kind(tmp_path, kind):
    "The first loss is another one with noise on what the generator reads, and its weights stay those of before where it is not trained."
    first = lambda **kw: finetune(still(make(kind, toy_generator(kind))), DATA, tmp_path, logging_first_step=True, train="generator", **{**QUICK, "max_steps": 1}, **kw).log[0]["loss"]
    assert first() != first(neftune_noise_alpha=20.)


def test_seeds_epochs_and_schedules(tmp_path):
    "Lengths in epochs, the metric by name, a plateau, and full determinism."
    kw = {k: v for k, v in QUICK.items() if k != "max_steps"}
    assert finetune(make(), DATA, tmp_path/"a", train="generator", num_train_epochs=2, dataloader_drop_last=True, **kw).trainer.state.global_step == 2*(len(DATA)//4)
    done = finetune(make(), DATA, tmp_path/"b", save_strategy="best", metric_for_best_model="recall_at_3", greater_is_better=True, lr_scheduler_type="reduce_lr_on_plateau", full_determinism=False,
                    **{**QUICK, "train": "generator"}, **EVALS)
    assert done.trainer.state.best_metric == max(l["eval_recall_at_3"] for l in done.log if "eval_loss" in l) and done.trainer.state.best_global_step == 2


def test_a_batch_that_is_too_large_is_halved(tmp_path, monkeypatch):
    "`auto_find_batch_size`: the first error over memory halves the batch, and training begins again."
    sizes, forward = [], TrainingModule.forward
    def narrow(self, input_ids, *a, **k):
        sizes.append(len(input_ids))
        if len(input_ids) > 2: raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, input_ids, *a, **k)
    monkeypatch.setattr(TrainingModule, "forward", narrow)
    assert finetune(make(), DATA, tmp_path, auto_find_batch_size=True, **QUICK).trainer.state.global_step == 4 and sizes[0] == 4 and max(sizes[1:]) <= 3 and sizes[-1] <= 2


# What a run says of itself

def test_a_run_shorter_than_a_line_of_the_log(tmp_path):
    "Six steps, and a line every ten: the run had six steps, and says their mean loss."
    done = finetune(make(), DATA, tmp_path, **{**QUICK, "max_steps": 6, "logging_steps": 10})
    mean = next(l["train_loss"] for l in done.log if "train_loss" in l)
    assert repr(done) == f"Finetuned(6 steps, mean loss {mean:.3f})"


def test_one_of_two_processes_writes(tmp_path):
    "A trainer that should not save writes nothing."
    rag = make()
    trainer = RagTrainer(TrainingModule(rag, FinetuneConfig(train="generator")), TrainingArguments(str(tmp_path/"t"), use_cpu=True, report_to=[], remove_unused_columns=False), train_dataset=read_questions(DATA))
    trainer._save(str(tmp_path/"written"))
    assert (tmp_path/"written/trained.safetensors").exists()
    type(trainer.args).should_save, kept = property(lambda self: False), type(trainer.args).should_save
    try: trainer._save(str(tmp_path/"silent"))
    finally: type(trainer.args).should_save = kept
    assert not (tmp_path/"silent").exists()
