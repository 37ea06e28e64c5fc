"""`finetune(rag, questions, folder)`: Transformers' `Trainer` around one training step of a `Rag`, with what it takes to trust a run: learning rates by part, statistics, a warning when retrieval collapses, and a killed run that ends where the other would have ended."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
from pathlib import Path
from transformers import Trainer
from transformers import TrainerCallback
from transformers import TrainingArguments
from typing import Any
from rag_nb.core.answer import Rag
from rag_nb.core.objective import TrainingModule

__all__ = ['WORKS', 'REFUSED', 'RagTrainer', 'why_not_whole', 'find_checkpoint', 'Finetuned', 'finetune']

class RagTrainer(Trainer):
    """Transformers' `Trainer` around a `TrainingModule`: logs its statistics, refreshes its passages, saves only what is trained."""
    objective: TrainingModule
    rates: Any
    seen: dict
    firsts: dict
    sizes: list
    model_accepts_loss_kwargs: bool
    optimizer: Any
    state: Any

    def __init__(self, objective: TrainingModule, args: TrainingArguments, rates: dict | None=None, **kwargs) -> None:
        """Parameters:
    rates: learning rates by part, in place of `args.learning_rate`
    kwargs: for `Trainer`: datasets, collator, callbacks"""
        ...

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The loss of a batch; its statistics are noted."""
        ...

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        """The loss of a batch for evaluation, and no predictions."""
        ...

    def _note(self, out, inputs, prefix=''):
        """Remember a step's statistics until the next line of the log."""
        ...

    def get_batch_samples(self, *args, **kwargs):
        """The batches of one step; how many questions each has is noted."""
        ...

    def _share(self, inputs):
        """What a batch's mean loss is multiplied by, so that each question of the step counts alike."""
        ...

    def training_step(self, model, inputs, num_items_in_batch=None):
        """A step of `Trainer`, and before a line of the log the norms of the gradients by part, before they are clipped."""
        ...

    def _told(self, prefix=''):
        """The means of what was noted, and start again."""
        ...

    def log(self, logs, start_time=None):
        """Add the statistics since the last line, and look for a collapse."""
        ...

    def _collapse(self, share=0.5, at_least=32):
        """The share of questions for which the most frequent first document was found; a warning where that is most of them."""
        ...

    def create_optimizer(self, model=None):
        """AdamW, or what `args.optim` names, with a learning rate for each part; biases, norms and the scale are not decayed."""
        ...

    def _save(self, output_dir=None, state_dict=None):
        """Write what is trained, the passage encoder that made the vectors in use, and what was found."""
        ...

    def _load_from_checkpoint(self, resume_from_checkpoint, model=None):
        """Read what `_save` wrote: vectors by the encoder that had made them, and the weights."""
        ...

    def _read_weights(self, at):
        """The weights of a checkpoint, checked for being of the same parts."""
        ...

    def _save_checkpoint(self, model, trial=None):
        """A checkpoint by `Trainer`, noted as whole when it is; only then older ones go."""
        ...

    def _is_over(self, start):
        """Whether a checkpoint is of the last step; if so its weights and its log are taken."""
        ...

    def _load_best_model(self):
        """The weights of the best checkpoint; passages that are trained get new vectors when the Rag is handed back."""
        ...

    def _let_go(self):
        """After an error: take NEFTune's hook off, which `Trainer` does at the end only."""
        ...

class _Follow(TrainerCallback):
    """What happens between the steps: refreshing and swapping of the passages' vectors."""
    trainer: Any

    def __init__(self, trainer) -> None: ...

    def on_step_end(self, args, state, control, **kwargs): ...

_WEIGHTS: Any

_REFRESHED: Any

_FOUND: Any

_PLAN: Any

_MARK: Any

_NEEDED: Any

_CUT: str

def _mark(at, files):
    """Exchange a checkpoint's note for one with these files (None: not yet whole), and wait for the disk."""
    ...

def _finish(at):
    """Wait until all that was written is on the disk, then say that the checkpoint is whole."""
    ...

def why_not_whole(at: Path) -> str | None:
    """What a checkpoint lacks.

Parameters:
    at: a checkpoint's folder

Returns: None: training can go on from it"""
    ...

def _unmarked(at):
    """The files of a checkpoint without a note; None where `Trainer` did not come to its last one."""
    ...

def _is_of_the_disk(e):
    """Whether an error came from writing: safetensors and PyTorch have errors of their own for a full disk."""
    ...

def _begin(at):
    """An empty folder for a checkpoint; one of the same step that is there is kept until the new one is whole."""
    ...

def _not_written(folder, at, e):
    """The error for a checkpoint that could not be written, after clearing it away."""
    ...

def _remove(at):
    """Delete a checkpoint under another name, so that half of one is never taken for one."""
    ...

def _checkpoints(folder):
    """The checkpoints in a folder, by their steps."""
    ...

def _recover(folder):
    """Clear up after a run that was killed: what was to be replaced comes back where the new one is not whole."""
    ...

def _drop_older(folder, newest, limit, best):
    """Delete what `save_total_limit` says, never the newest nor the best; and what was cut off."""
    ...

def find_checkpoint(folder, resume: bool | str) -> str | None:
    """The checkpoint to go on from; ValueError where there is none.

Parameters:
    folder: where checkpoints are written
    resume: True: the newest whole one; else a checkpoint's folder

Returns: None: from the beginning"""
    ...

@dataclass
class Finetuned:
    """What `finetune` gives back: the trained `Rag`, the log and the trainer.

Parameters:
    log: dicts, one a line of the log"""
    rag: Rag
    log: list
    trainer: RagTrainer

    def __repr__(self): ...

WORKS: Any

def _all(names, why): ...

REFUSED: dict

_NEUTRAL: Any

def _refuse(given):
    """ValueError for fields of `TrainingArguments` that could not do here what they say."""
    ...

_PLAIN: Any

def _known(given, *classes):
    """TypeError for an argument that is no field of these dataclasses, with the name that was probably meant."""
    ...

def _arguments(output_dir, given):
    """The fields of `FinetuneConfig`, the learning rates by part, and `TrainingArguments` from what is left."""
    ...

def finetune(
    rag: Rag, data, output_dir, eval_data=None, resume: bool | str=False, merge: bool=True, progress: bool=True,
    callbacks: list | None=None, columns: dict | None=None, **settings
) -> Finetuned:
    """Train a `Rag` end to end on questions with answers.

Parameters:
    rag: trained in place
    data: questions with answers: whatever `read_questions` takes
    output_dir: for checkpoints and adapters
    eval_data: the same, to measure on while training
    resume: go on from the last checkpoint in `output_dir`, or from this one
    merge: work adapters into the weights at the end
    progress: show a progress bar and the lines of the log
    callbacks: of Transformers' `Trainer`
    columns: renames columns of the questions, as in {"frage": "question"}
    settings: fields of `FinetuneConfig` and of Transformers' `TrainingArguments`; `learning_rate` may be a dict by part"""
    ...

def _finished(trainer, rag, merge):
    """The trained `Rag`, its adapters written and worked in."""
    ...
