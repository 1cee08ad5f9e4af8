"""The backbone of an exported model, where it is one of transformers': it opens there, and computes the same."""

import re

import pytest
import torch
from huggingface_hub import ModelCard

from diffmidi import Pipeline
from diffmidi_core.draw.model import WEIGHTS
from diffmidi_core.publish.elsewhere import FILE, write_backbone
from diffmidi_core.registry import find
from diffmidi_core.saved.checkpoint import write_tensors


def made(backbone: str):
    torch.manual_seed(0)
    built = find("backbone", backbone).build({"size": "tiny", "layers": 1}, length=16)
    options = {"steps": 20, "dim": 16, "time_width": 8}
    tokenizer = find("tokenizer", "mmm").build({"layout": "aligned"})
    parts = {"tokenizer": tokenizer, "backbone": built, "schedule": find("schedule", "sqrt").build()}
    return find("process", "gaussian").build(options, **parts).eval()


@pytest.mark.parametrize("backbone", ["bert", "electra"])
def test_it_computes_the_same(backbone, tmp_path):
    from transformers import AutoConfig, AutoModel

    process = made(backbone)
    told = write_backbone(tmp_path, process)
    write_tensors(process.state_dict(), tmp_path / WEIGHTS)
    config = AutoConfig.from_pretrained(tmp_path, subfolder="backbone")
    names = {f"^{re.escape(told.prefix)}": ""}
    opened, report = AutoModel.from_pretrained(
        tmp_path, config=config, key_mapping=names, dtype="float32", output_loading_info=True
    )
    assert type(opened).__name__ == told.name
    unused = {"embeddings.word_embeddings.weight", "pooler.dense.weight", "pooler.dense.bias"}
    assert set(report["missing_keys"]) <= unused
    hidden = torch.randn(3, 16, told.width)
    mask = torch.arange(16) < torch.tensor([[16], [9], [2]])
    theirs = opened.eval()(inputs_embeds=hidden, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(theirs[mask], process.backbone.encode(hidden, mask, None)[mask])


def test_what_the_card_says_opens_it_from_the_hub(hub, of_bert, monkeypatch, tmp_path):
    """The card's own code, over HTTP, with a model that was published."""
    pipeline = Pipeline.from_pretrained(of_bert)
    pipeline.push_to_hub("ann/bert")
    card = ModelCard(hub.models["ann/bert"]["README.md"].decode())
    (code,) = re.findall(r"```python\n(from transformers .*?)```", card.text, re.DOTALL)
    hidden = torch.randn(2, 32, pipeline.model.process.backbone.width)
    said = {"hidden": hidden}
    exec(code.replace("...", "hidden"), said)
    torch.testing.assert_close(said["features"], pipeline.model.process.backbone.encode(hidden, None, None))
    fetched = Pipeline.from_pretrained("ann/bert")
    assert fetched.model.fingerprint == pipeline.model.fingerprint


def test_one_that_is_none_of_transformers_writes_nothing(tmp_path):
    assert write_backbone(tmp_path, made("modern")) is None
    assert not (tmp_path / FILE).parent.exists()
