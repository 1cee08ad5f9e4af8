"""What a step survives, and what it does not wait for."""

import json

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.judge.likelihood import window_bits
from diffmidi_core.machine.deterministic import deterministic
from diffmidi_core.machine.memory import Halves
from diffmidi_core.saved import checkpoint
from diffmidi_core.train import step as stepping
from diffmidi_core.train.feed import Feed

FEW = ("train.iterations=6", "train.evaluate_every=6", "train.save_every=2", "train.log_every=6")


def limit_memory(process, rows):
    """Let the backbone run out of memory above so many rows."""

    def refuse(module, inputs):
        if len(inputs[0]) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    return process.backbone.register_forward_pre_hook(refuse)


def saved(run):
    path = checkpoint.choose(run.session.folder.checkpoints, "last")
    return {name: value for file in path.glob("*.safetensors") for name, value in checkpoint._read(file).items()}


class Reads(TorchDispatchMode):
    """Counts what makes the host wait for the device: `.item()`, `bool(tensor)`, `if tensor`."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket in (torch.ops.aten._local_scalar_dense, torch.ops.aten.equal, torch.ops.aten.nonzero):
            Reads.count += 1
        return func(*args, **(kwargs or {}))


def test_a_step_never_waits_for_the_device(trainer):
    run = trainer("run", *FEW)
    run._update()  # the optimiser makes its state in the first
    run.step += 1
    Reads.count = 0
    with Reads():
        losses = run._update()
        assert Reads.count == 0
        run._read(losses)
        assert Reads.count > 0, "a log step does wait"


def test_out_of_memory_halves_the_passes_and_the_step_stays_the_same(trainer, ears):
    one = trainer("one", *FEW, "train.batch_size=8", "backbone.dropout=0")
    one.run()
    other = trainer("other", *FEW, "train.batch_size=8", "backbone.dropout=0", listeners=[("ears", ears)])
    other.heldout = []
    limit_memory(other.process, 3)
    other.run()
    assert [said for said in ears.warnings if "out of memory" in said] == [
        f"out of memory: going on with {passes} passes of at most {rows} windows for each iteration and process. "
        "The iterations stay the same."
        for passes, rows in [(2, 4), (4, 2)]
    ]
    facts = json.loads(other.session.folder.facts_file.read_text())
    assert (facts["pass_size"], facts["passes"]) == (2, 4)
    for ours, theirs in zip(one.process.parameters(), other.process.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-3)


def test_a_cpu_takes_long_windows_few_at_a_time_and_the_step_stays_the_same(trainer, monkeypatch):
    one = trainer("one", *FEW, "train.batch_size=8", "backbone.dropout=0")
    assert one.stepper.rows_a_pass == 8
    one._update()
    monkeypatch.setattr(stepping, "POSITIONS_ON_CPU", 110)  # three windows of 32
    other, rows = trainer("other", *FEW, "train.batch_size=8", "backbone.dropout=0"), []
    other.process.backbone.register_forward_pre_hook(lambda module, inputs: rows.append(len(inputs[0])))
    other._update()
    assert {*rows} == {3, 2}
    for ours, theirs in zip(one.process.parameters(), other.process.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-3)


def test_a_single_window_that_does_not_fit_is_said(trainer):
    run = trainer("run", *FEW)
    run.heldout = []
    limit_memory(run.process, 0)
    with pytest.raises(DiffmidiError, match=r"memory does not hold a single window: choose a smaller --length"):
        run.run()


def test_the_optimiser_running_out_is_said_and_what_was_saved_stays(trainer, monkeypatch):
    run = trainer("run", *FEW, "train.save_every=1")
    run.heldout = []
    step = run.optimiser.step

    def refuse():
        if run.step == 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return step()

    monkeypatch.setattr(run.optimiser, "step", refuse)
    said = (
        r"memory ran out at iteration 3: go on with `diffmidi run --resume .*run --batch-size 2 --accumulate 2`, whose"
    )
    with pytest.raises(DiffmidiError, match=said):
        run.run()
    assert checkpoint.steps(run.session.folder.checkpoints) == [1, 2]


def test_other_errors_are_not_taken_for_it(trainer):
    run = trainer("run", *FEW)
    run.heldout = []
    run.process.backbone.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(RuntimeError("shapes differ")))
    with pytest.raises(RuntimeError, match="shapes differ"):
        run.run()


def test_evaluation_goes_on_in_halves(trainer, ears):
    run = trainer("run", *FEW, listeners=[("ears", ears)])
    limit_memory(run.process, 8)
    found = window_bits(run.session, run.process, run.dataset, run.trained_on * 3, levels=4, report=False)
    assert len(found) == 3 * len(run.trained_on)
    assert any("windows at once: going on with" in said for said in ears.warnings)


def test_halves_say_which_half_they_are_and_remember_what_fits():
    done, said = [], []

    def work(begin, end, path):
        if end - begin > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        done.append((begin, end, path))
        return list(range(begin, end))

    halves = Halves("piece", said.append)
    assert halves(10, work) == list(range(10))
    assert done == [(0, 3, (0, 0)), (3, 5, (0, 1)), (5, 8, (1, 0)), (8, 10, (1, 1))]
    assert said == [
        f"out of memory with {rows} pieces at once: going on with {at} at most." for rows, at in [(10, 5), (5, 3)]
    ]
    halves(4, work)
    assert len(said) == 2


def test_a_loss_that_is_no_number_is_named_and_the_last_good_checkpoint_kept(trainer):
    run = trainer("run", *FEW, "train.save_every=1", "train.keep=9")
    run.heldout = []

    def spoil(module, inputs, found):
        return {**found, "loss": found["loss"] * (torch.nan if run.step == 3 else 1)}

    run.process.register_forward_hook(spoil)
    with pytest.raises(DiffmidiError) as raised:
        run.run()
    windows = run.feed.windows(3)
    name = run.dataset.name(windows[0].piece)
    said = (
        f"the loss is not a finite number at iteration 4, on {name} (tokens {windows[0].start} to {windows[0].end}), "
    )
    assert str(raised.value).startswith(said)
    assert "and 1 more window: lower the learning rate" in str(raised.value)
    assert "The checkpoint of iteration 3 is whole." in str(raised.value)
    assert checkpoint.steps(run.session.folder.checkpoints) == [1, 2, 3]


def test_the_first_bad_step_is_found_long_after_it(trainer):
    run = trainer("run", *FEW, "train.save_every=6")
    run.heldout = []
    run.process.register_forward_hook(
        lambda module, inputs, found: {**found, "loss": found["loss"] * (torch.inf if run.step == 2 else 1)}
    )
    with pytest.raises(DiffmidiError, match="the loss is not a finite number at iteration 3, on "):
        run.run()
    assert run.step == 6, "nothing was waited for before the log step"


def test_weights_that_are_no_numbers_are_never_saved(trainer):
    run = trainer("run", *FEW)
    run.save()
    with torch.no_grad():
        run.process.tokens.embedding[5] = torch.nan
    run.step = 1
    with pytest.raises(DiffmidiError, match="embedding is not finite after iteration 1, so no checkpoint is written"):
        run.save()
    assert checkpoint.steps(run.session.folder.checkpoints) == [0]
    assert len(list(run.session.folder.checkpoints.iterdir())) == 1, "nothing half-written is left"


@pytest.mark.parametrize("at", range(1, 6))
def test_resumed_at_any_step_it_is_the_same_run(trainer, at):
    run = trainer("whole", *FEW, "train.save_every=1", "train.keep=9")
    run.run()
    folder = run.session.folder.checkpoints
    expected = saved(run)
    for step in range(at + 1, 7):
        (folder / f"step-{step:06d}").rename(folder.parent / f"gone-{step}")
    again = type(run)(run.session)
    again.resume()
    assert again.step == at
    again.run()
    found = saved(again)
    assert found.keys() == expected.keys()
    assert all(value.equal(expected[name]) for name, value in found.items())


def test_the_gradient_scaler_goes_on_where_it_was(trainer):
    run = trainer("run", *FEW)
    run.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=7)
    run.save()
    again = type(run)(run.session)
    again.accelerator.scaler = torch.amp.GradScaler("cpu")
    again.resume()
    assert again.accelerator.scaler.state_dict() == run.accelerator.scaler.state_dict()
    run.accelerator.scaler = None


def test_what_a_killed_process_left_goes_with_the_next_save(trainer):
    run = trainer("run", *FEW)
    folder = run.session.folder.checkpoints
    for left in (".writing-abc", ".removing-4"):
        (folder / left).mkdir(parents=True)
        (folder / left / "model.safetensors").write_bytes(b"half")
    run.save()
    assert [path.name for path in folder.iterdir()] == ["step-000000"]


def test_a_manifest_that_is_none_is_said(trainer):
    run = trainer("run", *FEW)
    run.save()
    (run.session.folder.checkpoints / "step-000000" / "manifest.json").write_text("[]")
    with pytest.raises(DiffmidiError, match=r"does not describe a diffmidi model .*: use another one of the same run"):
        run.resume()


def test_batches_made_ahead_are_those_made_when_asked_for(trainer):
    dataset = trainer("run").dataset
    plain = Feed(dataset, seed=1, rows=3, rank=1, ranks=2)
    with Feed(dataset, seed=1, rows=3, rank=1, ranks=2) as ahead:
        for step in (0, 1, 2, 5, 6, 1):
            found, expected = ahead.batch(step), plain.batch(step)
            assert torch.equal(found.ids, expected.ids)
            assert found.share == expected.share
            assert (found.share.first, found.share.rows, found.share.parts) == (3, 6, 2)
        assert ahead.waited > 0
    assert plain.waited == 0


def test_an_error_in_the_thread_comes_out_where_the_batch_is_asked_for(trainer, monkeypatch):
    feed = Feed(trainer("run").dataset, seed=1, rows=3)
    monkeypatch.setattr(feed, "windows", lambda step: 1 // 0)
    with feed, pytest.raises(ZeroDivisionError):
        feed.batch(0)


def test_the_share_of_time_spent_waiting_is_logged(trainer):
    run = trainer("run", *FEW)
    run.run()
    (line,) = [line for line in run.session.folder.read_log() if "loss" in line]
    assert 0 <= line["wait_share"] < 1


def test_recomputed_activations_train_the_same_weights(trainer):
    one = trainer("one", *FEW, "backbone.dropout=0.1")
    other = trainer("other", *FEW, "backbone.dropout=0.1", "train.checkpointing=true")
    for run in (one, other):
        run.heldout = []
        run.run()
    for name, value in saved(one).items():
        torch.testing.assert_close(saved(other)[name], value, atol=1e-6, rtol=1e-5)


def test_every_operation_of_a_step_has_a_deterministic_kernel_and_the_step_is_the_same(trainer):
    """On a CPU; on a GPU tests/gpu asks."""
    plain, other = (trainer(name, *FEW) for name in ("plain", "other"))
    plain.run()
    with deterministic(True):
        other.run()
    for ours, theirs in zip(plain.process.parameters(), other.process.parameters(), strict=True):
        assert torch.equal(ours, theirs)
