"""The run's config: layers, checks, and what it says when something is wrong."""

import pytest

from diffmidi_core.config import RunConfig, resolve
from diffmidi_core.errors import UsageError
from diffmidi_core.layers import assignments_of, changed_options
from diffmidi_core.presets import DEFAULT, departures
from diffmidi_core.registry import find, offers

GAUSSIAN, ALIGNED = {"process": "gaussian"}, "tokenizer.layout=aligned"


def test_defaults_are_filled_in_down_to_every_option_of_every_part():
    config = resolve()
    assert (config.source.name, config.tokenizer.name, config.backbone.name) == ("chorales", "mmm", "modern")
    assert config.backbone.options["width"] == 128
    assert config.process.options["typed"] is True
    assert config.tokenizer.options["layout"] == "cells"
    assert (config.length, config.bars, config.train.batch_size, config.sample.steps) == (1024, 8, 16, 128)


@pytest.mark.parametrize("backbone", ["bert", "electra"])
def test_another_backbone_learns_the_same_bars(backbone):
    config = resolve(flags={"tokenizer": "mmm", "backbone": backbone})
    assert (config.preset, config.tokenizer.options["layout"], config.backbone.name) == ("best", "cells", backbone)


@pytest.mark.parametrize("flags", [{}, {"tokenizer": "remi"}])
def test_tokens_without_bars_have_short_windows_and_many_in_a_batch(flags):
    config = resolve(flags=flags, assignments=[] if flags else ["tokenizer.layout=run"])
    assert (config.length, config.train.batch_size, config.sample.steps) == (128, 32, 20)
    assert resolve(flags=flags | {"length": 512}).train.batch_size == 16
    assert resolve(flags=flags | {"length": 512, "train.batch_size": 7}).train.batch_size == 7


def test_a_process_that_takes_no_bars_says_what_to_choose():
    with pytest.raises(UsageError) as caught:
        resolve(flags={"process": "gaussian"})
    assert "process 'gaussian' does not take the bars that tokenizer 'mmm' lays tokens out in" in str(caught.value)
    assert "choose -o tokenizer.layout=aligned, or another --process (autoregressive, masked)" in str(caught.value)
    chosen = resolve(flags={"process": "gaussian"}, assignments=["tokenizer.layout=aligned"])
    assert (chosen.length, chosen.tokenizer.options["layout"]) == (128, "aligned")
    assert resolve(flags={"process": "gaussian", "tokenizer": "remi"}).tokenizer.name == "remi"


def test_presets_of_normal_noise_say_what_their_figures_were_made_with():
    for name, backbone, notes, trained in (
        ("upgraded", "modern", True, (1800, 16, 2e-3)),
        ("faithful", "bert", False, (400, 32, 1e-3)),
    ):
        config = resolve(flags={"preset": name})
        assert (config.tokenizer.options["layout"], config.backbone.name) == ("aligned", backbone)
        assert config.process.options["notes"] == notes
        assert (config.train.iterations, config.train.batch_size, config.train.lr) == trained
        assert config.origin["train.iterations"] == f"preset {name}"
        assert resolve(flags={"preset": name, "train.iterations": 7}).train.iterations == 7


def test_a_saved_config_means_the_same_again():
    config = resolve(flags={"schedule": "cosine", "train.iterations": 7}, assignments=["backbone.size=tiny"])
    assert resolve(config.model_dump(mode="json")) == config


def test_later_layers_win():
    file = {"train": {"iterations": 5, "lr": 0.5}, "tokenizer": {"name": "mmm", "options": {"grid": 6}}}
    config = resolve(file, {"train.iterations": 6}, ["train.iterations=7", "tokenizer.velocities=4"])
    assert (config.train.iterations, config.train.lr) == (7, 0.5)
    assert (config.tokenizer.options["grid"], config.tokenizer.options["velocities"]) == (6, 4)


def test_options_in_a_file_that_names_no_part_are_those_of_the_chosen_one():
    file = {"backbone": {"options": {"size": "tiny"}}, "tokenizer": {"options": {"layout": "run"}}, "schedule": {}}
    config = resolve(file, assignments=["backbone.layers=1"])
    assert (config.backbone.name, config.tokenizer.name, config.schedule.name) == ("modern", "mmm", "loglinear")
    options = config.backbone.options
    assert (options["width"], options["layers"], options["dropout"]) == (64, 1, 0)
    assert (config.tokenizer.options["layout"], config.length) == ("run", 128)
    assert (config.origin["backbone.size"], config.origin["backbone.layers"]) == ("file", "-o")
    assert resolve(file, {"backbone": "bert"}).backbone.options["width"] == 64
    assert resolve(config.model_dump(mode="json")) == config


def test_another_part_does_not_inherit_the_options_of_the_one_it_replaces():
    file = resolve(flags=GAUSSIAN, assignments=[ALIGNED, "process.steps=50"]).model_dump(mode="json")
    assert resolve(file, {"schedule": "linear"}).schedule.options == {}
    assert resolve(file, {"process": "gaussian"}).process.options["steps"] == 50


def test_a_preset_over_a_saved_config_replaces_what_the_old_preset_filled_in():
    saved = resolve(assignments=["backbone.size=tiny", "backbone.dropout=0.3"]).model_dump(mode="json")
    options = resolve(saved, assignments=["backbone.size=small"]).backbone.options
    assert (options["width"], options["layers"], options["dropout"]) == (256, 4, 0.3)


def test_a_process_brings_the_parts_that_go_with_it_unless_others_are_named():
    chosen = resolve(flags={"process": "masked"})
    assert (chosen.sampler.name, chosen.schedule.name) == ("confidence", "loglinear")
    named = resolve(flags={"process": "masked", "sampler": "remask", "schedule": "cosine"})
    assert (named.sampler.name, named.schedule.name) == ("remask", "cosine")
    assert resolve(chosen.model_dump(mode="json")) == chosen


def test_another_process_over_a_saved_config_brings_its_own_sampler():
    saved = resolve(flags=GAUSSIAN | {"sampler": "ddim", "schedule": "cosine"}, assignments=[ALIGNED]).model_dump()
    changed = resolve(saved, {"process": "masked"})
    assert (changed.sampler.name, changed.schedule.name) == ("confidence", "cosine")
    assert resolve(changed.model_dump(mode="json"), {"process": "gaussian"}).sampler.name == "ddpm"
    assert resolve(saved, {"process": "gaussian"}).sampler.name == "ddim"


def test_a_sampler_of_the_file_stays_where_the_file_names_no_process():
    assert resolve({"sampler": {"name": "ddim"}}, GAUSSIAN, [ALIGNED]).sampler.name == "ddim"


@pytest.fixture
def quick(monkeypatch):
    """As if `remask` declared 7 steps."""
    declaration = find("sampler", "remask").load()
    monkeypatch.setitem(vars(declaration), "steps", 7)
    monkeypatch.setitem(vars(declaration), "steps_by_bars", None)


def test_a_sampler_says_how_many_steps_it_takes_unless_the_run_does(quick):
    assert resolve(flags={"sampler": "remask"}).sample.steps == 7
    assert resolve(flags={"sampler": "remask", "sample.steps": 9}).sample.steps == 9
    assert resolve({"sample": {"steps": 9}}, {"sampler": "remask"}).sample.steps == 9
    assert resolve(flags={"sampler": "remask"}, assignments=["sample.steps=9"]).sample.steps == 9
    assert resolve(flags=GAUSSIAN, assignments=[ALIGNED]).sample.steps == 200


def test_a_sampler_that_takes_a_step_a_word_takes_as_many_as_there_are():
    assert resolve(flags={"process": "autoregressive"}).sample.steps == 1024
    assert resolve(flags={"process": "autoregressive", "length": 128}).sample.steps == 128


def test_another_sampler_over_a_saved_config_brings_its_own_steps(quick):
    saved = resolve(flags=GAUSSIAN | {"sample.count": 3}, assignments=[ALIGNED]).model_dump(mode="json")
    assert resolve(saved).sample.steps == 200
    changed = resolve(saved, {"process": "masked", "sampler": "remask"})
    assert (changed.sample.steps, changed.sample.count) == (7, 3)
    assert resolve(saved, {"process": "masked", "sampler": "remask", "sample.steps": 9}).sample.steps == 9
    again = resolve(changed.model_dump(mode="json"), {"sample.steps": 5}).model_dump(mode="json")
    assert resolve(again, {"sampler": "remask"}).sample.steps == 5
    assert resolve(again, {"process": "autoregressive"}).sample.steps == 128


def test_steps_that_a_sampler_brings_are_no_change_of_the_settings():
    flags = {"process": "autoregressive"}
    assert "sample.steps" not in changed_options(resolve(flags=flags).model_dump(mode="json"))
    chosen = resolve(flags=flags | {"sample.steps": 2000}).model_dump(mode="json")
    assert changed_options(chosen)["sample.steps"] == 2000


def test_data_chooses_the_folder_source_and_its_absence_the_chorales():
    assert resolve(flags={"data": "music"}).source.name == "folder"
    saved = resolve().model_dump(mode="json")
    assert resolve(saved, {"data": "music"}).source.name == "folder"


def test_options_of_one_of_several_parts_are_set_by_its_name():
    config = resolve(
        flags={"no_renderer": ["wav", "waveform"], "renderer": ["midi"]}, assignments=["renderer.pianoroll.dpi=72"]
    )
    assert [part.name for part in config.renderers] == ["pianoroll", "midi"]
    assert config.renderers[0].options["dpi"] == 72


def test_a_preset_lies_over_the_defaults_and_under_everything_else():
    upgraded = resolve(flags={"preset": "upgraded"})
    assert upgraded.preset == "upgraded"
    assert (upgraded.process.options["typed"], upgraded.process.options["steps"]) == (True, 2000)
    file = {"process": {"name": "gaussian", "options": {"sphere": False}}, "preset": "upgraded"}
    changed = resolve(file, {"schedule": "cosine"}, ["process.typed=false"])
    options = changed.process.options
    assert (options["sphere"], options["typed"], options["output_prior"]) == (False, False, True)
    assert changed.schedule.name == "cosine"
    assert departures(upgraded.model_dump()) == []
    assert departures(changed.model_dump()) == ["process.typed", "process.sphere", "schedule"]


def test_the_faithful_preset_is_what_the_process_is_by_itself():
    faithful = resolve(flags={"preset": "faithful"})
    assert faithful.process.options == find("process", "gaussian").options({}).model_dump()
    assert (faithful.schedule.name, faithful.sampler.name) == ("sqrt", "ddpm")


def test_the_faithful_preset_clamps_as_the_original_does_unless_it_is_told_otherwise():
    faithful, raw = (
        resolve(flags={"preset": "faithful"}, assignments=said) for said in ([], ["sampler.prediction=raw"])
    )
    assert (faithful.sampler.options["prediction"], departures(faithful.model_dump())) == ("clamp", [])
    assert (raw.sampler.options["prediction"], departures(raw.model_dump())) == ("raw", ["sampler.prediction"])
    assert resolve(flags={"preset": "faithful", "sampler": "ddim"}).sampler.options["prediction"] == "raw"


@pytest.mark.parametrize("preset", [offer.spelling for offer in offers("preset")])
def test_a_run_with_a_preset_means_the_same_again_and_every_preset_can_be_built(preset):
    config = resolve(flags={"preset": preset}, assignments=["process.typed=false"])
    assert resolve(config.model_dump(mode="json")) == config


def test_a_run_that_names_no_preset_has_the_default_one_where_it_fits():
    assert resolve().preset == DEFAULT
    assert resolve(flags=GAUSSIAN, assignments=[ALIGNED]).preset is None
    saved = resolve(assignments=[ALIGNED]).model_dump(mode="json")
    assert resolve(saved, GAUSSIAN).preset is None
    assert departures(resolve(flags={"process": "masked"}).model_dump()) == []


def test_a_preset_does_not_go_over_the_options_that_another_one_filled_in():
    saved = resolve(flags={"preset": "faithful"}).model_dump(mode="json")
    with pytest.raises(UsageError, match="this config began from faithful"):
        resolve(saved, {"preset": "upgraded"})
    assert resolve(saved, {"preset": "faithful"}).preset == "faithful"


@pytest.mark.parametrize(
    ("flags", "assignments", "said"),
    [
        ({"tokenizer": "mnm"}, [], "no tokenizer 'mnm' is installed. Did you mean 'mmm'?"),
        ({}, ["backbone.widht=3"], "there is no option backbone.widht. Did you mean 'width'?"),
        ({}, ["backbone.width=0"], "backbone.width: input should be greater than or equal to 8 (given: 0)"),
        ({}, ["backbone.heads=3"], "heads (3) must divide width (128)"),
        ({}, ["train.itertions=3"], "there is no option train.itertions. Did you mean 'iterations'?"),
        ({"train.iterations": -1}, [], "train.iterations: input should be greater than or equal to 1 (given: -1)"),
        ({"length": 0}, [], "length: input should be greater than or equal to 1 (given: 0)"),
        ({"process": "masked", "sampler": "ddim"}, [], "choose another --sampler (ancestral, confidence, remask)"),
        (
            {"preset": "bset"},
            [],
            "no preset 'bset' is installed. Did you mean 'best'? Installed: best, faithful, upgraded.",
        ),
        ({"preset": "best", "process": "gaussian"}, [], "preset 'best' sets up process masked, and process 'gaussian'"),
        ({"process": "msked"}, [], "no process 'msked' is installed. Did you mean 'masked'?"),
        ({}, ["nonsense.key=3"], "there is no section 'nonsense'"),
        ({}, ["grid=24"], "-o takes section.key=value"),
        ({}, ["metric.levels=3"], "write metric.NAME.option=value"),
        ({}, ["metric.bound_bpw.levels=3"], "there is no option metric.levels"),
    ],
)
def test_mistakes_are_said_in_one_sentence(flags, assignments, said):
    with pytest.raises(UsageError) as caught:
        resolve(flags=flags, assignments=assignments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_that_no_config_has_is_refused():
    with pytest.raises(UsageError, match=r"there is no option config\.lenght\. Did you mean 'length'"):
        resolve({"lenght": 3})


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("bert", 'backbone: a part is written {"name": NAME, "options": {...}} (given: \'bert\').'),
        ({"name": "bert", "size": "tiny"}, 'backbone.size: a part is written {"name": NAME, "options": {...}}.'),
        ({"options": {"szie": "tiny"}}, "there is no option backbone.szie. Did you mean 'size'?"),
    ],
)
def test_a_part_of_a_file_says_how_it_is_written(part, said):
    with pytest.raises(UsageError) as caught:
        resolve({"backbone": part})
    assert said in str(caught.value)


def test_assignments_are_json_where_they_parse_and_text_where_not():
    parsed = assignments_of(["a.x=1", "a.y=true", "a.z=null", "a.w=base", "b.c.d=[1]"])
    assert parsed == {"a": {"x": 1, "y": True, "z": None, "w": "base"}, "b": {"c.d": [1]}}


def test_every_setting_says_what_it_is():
    for section in ("prepare", "train", "sample", "evaluate"):
        model = RunConfig.model_fields[section].annotation
        assert all(field.description for field in model.model_fields.values()), section
