"""BERT as a backbone: its sizes, and weights from a folder."""

import pytest
import torch
from transformers import BertConfig, BertModel

from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.registry import find

BERT = find("backbone", "bert")
TINY = BERT.load().tiny


def build(length=12, **options):
    return BERT.build({**TINY, "dropout": 0.0, **options}, length=length).eval()


def test_sizes_are_presets_that_single_options_change():
    assert BERT.options({"size": "base"}).layers == 12
    options = BERT.options({"size": "base", "layers": 3})
    assert (options.width, options.layers) == (768, 3)


def test_base_is_berts_own_size():
    encoder = BERT.build({"size": "base"}, length=512).model.encoder
    assert sum(each.numel() for each in encoder.parameters()) == 85_054_464


def test_weights_come_from_a_local_folder(tmp_path):
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=9,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
    )
    saved = BertModel(config)
    saved.save_pretrained(tmp_path)
    bert = build(pretrained=str(tmp_path))
    assert bert.width == 16
    weight = "encoder.layer.0.attention.self.query.weight"
    torch.testing.assert_close(bert.model.state_dict()[weight], saved.state_dict()[weight])
    with pytest.raises(DiffmidiError, match="has 40 positions and a window has 41"):
        build(length=41, pretrained=str(tmp_path))


def test_a_folder_without_weights_is_one_sentence(tmp_path):
    with pytest.raises(DiffmidiError, match="there is no BERT in"):
        build(pretrained=str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DiffmidiError, match="cannot be loaded"):
        build(pretrained=str(tmp_path))


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(UsageError, match=r"heads \(5\) must divide width \(16\)"):
        BERT.options({**TINY, "heads": 5})
