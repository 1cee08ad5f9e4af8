"""ELECTRA as a backbone: narrow outside, wider inside, lighter than BERT of the same name; weights from a folder."""

import pytest
import torch
from transformers import ElectraConfig, ElectraModel

from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.registry import find

BERT, ELECTRA = find("backbone", "bert"), find("backbone", "electra")
TINY = ELECTRA.load().tiny


def build(length=12, **options):
    return ELECTRA.build({**TINY, "dropout": 0.0, **options}, length=length).eval()


def parameters(backbone):
    return sum(each.numel() for each in backbone.parameters())


def multiplications(backbone):
    """Per position, but for the products of attention: the entries of every matrix that features are multiplied by."""
    return sum(each.weight.numel() for each in backbone.modules() if isinstance(each, torch.nn.Linear))


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_it_is_lighter_than_bert_of_the_same_size(size):
    with torch.device("meta"):
        ours, berts = (offer.build({"size": size}, length=130) for offer in (ELECTRA, BERT))
    assert parameters(ours) < 0.7 * parameters(berts)
    assert multiplications(ours) < 0.7 * multiplications(berts)
    assert ours.model.config.num_hidden_layers == berts.model.config.num_hidden_layers


def test_features_go_in_and_come_out_at_the_embedding_width():
    electra = build(width=8, hidden=16)
    assert electra.width == 8
    assert electra.model.embeddings_project.out_features == 16
    x = torch.randn(2, 12, 8)
    found = electra(x)
    assert found.shape == x.shape
    torch.testing.assert_close(found.mean(-1), torch.zeros(2, 12), atol=1e-5, rtol=0)  # LayerNorm is the last of it


def test_the_way_back_starts_as_electras_own_weights_do():
    weight = ELECTRA.build(length=12).back.dense.weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_of_one_width_it_is_electra_without_projections():
    torch.manual_seed(0)
    electra = build(width=16, hidden=16)
    assert not hasattr(electra.model, "embeddings_project")
    x = torch.randn(2, 12, 16)
    torch.testing.assert_close(electra(x), electra.model(inputs_embeds=x).last_hidden_state)


def test_weights_come_from_a_local_folder(tmp_path):
    torch.manual_seed(1)
    saved = ElectraModel(
        ElectraConfig(
            vocab_size=9,
            embedding_size=12,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=40,
        )
    )
    saved.save_pretrained(tmp_path)
    electra = build(pretrained=str(tmp_path))
    assert electra.width == 12
    for name in ("embeddings_project.weight", "encoder.layer.0.attention.self.query.weight"):
        torch.testing.assert_close(electra.model.state_dict()[name], saved.state_dict()[name])
    with pytest.raises(DiffmidiError, match="backbone 'electra' has 40 positions and a window has 41"):
        build(length=41, pretrained=str(tmp_path))


def test_a_folder_without_weights_is_one_sentence(tmp_path):
    with pytest.raises(DiffmidiError, match="there is no ELECTRA in"):
        build(pretrained=str(tmp_path))


def test_heads_that_do_not_divide_the_hidden_width_are_refused():
    with pytest.raises(UsageError, match=r"heads \(5\) must divide hidden \(16\)"):
        ELECTRA.options({**TINY, "heads": 5})


def test_a_new_size_replaces_what_the_old_one_filled_in():
    small = ELECTRA.options({"size": "small"})
    changed = ELECTRA.options(type(small).merged(small.model_dump(), {"size": "base"}))
    assert (changed.width, changed.hidden, changed.heads) == (288, 576, 9)
