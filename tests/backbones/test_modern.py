"""`modern`: rotary positions are relative, masks and padding, the same from keys and values that were kept."""

import json
import subprocess
import sys

import pytest
import torch

from diffmidi_core.errors import UsageError
from diffmidi_core.registry import find

BERT, MODERN = find("backbone", "bert"), find("backbone", "modern")
LENGTH = 12


def build(**options):
    torch.manual_seed(0)
    return MODERN.build({**MODERN.load().tiny, "layers": 2, "dropout": 0.0, **options}, length=LENGTH).eval()


def features(rows=3, length=LENGTH, width=16):
    return torch.randn(rows, length, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_it_has_as_many_parameters_as_bert_of_the_same_size(size):
    with torch.device("meta"):
        ours, berts = (
            sum(each.numel() for each in offer.build({"size": size}, length=130).parameters())
            for offer in (MODERN, BERT)
        )
    assert ours == pytest.approx(berts, rel=0.15 if size == "tiny" else 0.02)


@pytest.mark.parametrize(("table", "relative"), [(False, True), (True, False)])
def test_only_distances_between_places_count_unless_there_is_a_table(table, relative):
    modern, x = build(table=table, initializer_range=0.5), features(length=6)
    places = torch.tensor([0, 1, 1, 3, 5, 4]).expand(3, -1)
    with torch.no_grad():
        here, further, apart = modern(x, None, places), modern(x, None, places + 6), modern(x, None, 2 * places)
    assert torch.allclose(here, further, atol=1e-4) == relative
    assert not torch.allclose(here, apart, atol=1e-2)


def test_masks_by_pairs_of_positions_differ_by_row():
    """A row of three blocks sees as three rows would, one for each block, and another row of the batch sees all."""
    modern, x = build(initializer_range=0.5), features(rows=2)
    block = torch.arange(LENGTH) // 4
    mask = torch.stack([block[:, None] == block, torch.ones(LENGTH, LENGTH, dtype=torch.bool)])
    with torch.no_grad():
        found = modern(x, mask)
        blocks = modern(x[:1].view(3, 4, 16)).view(LENGTH, 16)
        torch.testing.assert_close(found[0], blocks, atol=1e-5, rtol=1e-4)  # distances are all that counts
        torch.testing.assert_close(found[1], modern(x[1:])[0], atol=1e-5, rtol=1e-4)


def test_who_sees_nobody_has_finite_features():
    modern, x = build(), features(rows=1)
    x.requires_grad_()
    nobody = torch.zeros(1, LENGTH, LENGTH, dtype=torch.bool)
    found = modern(x, nobody)
    found.sum().backward()
    assert found.isfinite().all()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("table", [False, True])
def test_position_by_position_is_the_same_as_all_at_once(table):
    modern, x = build(table=table, initializer_range=0.5), features()
    causal = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril().expand(3, -1, -1)
    past, found = None, []
    with torch.no_grad():
        for place in range(LENGTH):
            new, past = modern.cached(x[:, place : place + 1], past)
            found.append(new)
        torch.testing.assert_close(torch.cat(found, 1), modern(x, causal), atol=1e-5, rtol=1e-4)


def test_a_past_with_gaps_is_not_seen_where_the_mask_leaves_it_out():
    modern, x = build(initializer_range=0.5), features(rows=2)
    seen = torch.tensor([[1, 0, 1, 1, 0, 1], [1, 1, 1, 0, 0, 1]], dtype=torch.bool)
    places = torch.arange(6).expand(2, -1)
    with torch.no_grad():
        _, past = modern.cached(x[:, :5], None, torch.eye(5, dtype=torch.bool).expand(2, -1, -1), places[:, :5])
        found, _ = modern.cached(x[:, 5:6], past, seen[:, None], places[:, 5:])
        for row in range(2):
            kept = seen[row].nonzero().flatten()
            alone = torch.eye(len(kept), dtype=torch.bool)
            alone[-1] = True
            whole = modern(x[row : row + 1, kept], alone[None], kept[None])
            torch.testing.assert_close(found[row], whole[0, -1:], atol=1e-5, rtol=1e-4)


def test_widths_without_pairs_are_refused():
    with pytest.raises(UsageError, match=r"width / heads must be even, .* \(10 / 2\)"):
        MODERN.options({"width": 10, "heads": 2})


def test_it_is_built_without_transformers():
    code = (
        "import json, sys\nfrom diffmidi_core.registry import find\n"
        "find('backbone', 'modern').build({'size': 'tiny'}, length=8)\n"
        "print(json.dumps('transformers' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) is False
