"""Figure 4: where the block reads, and how much it blends, on real streams of blocks set by hand."""

import math

import numpy as np
import pytest
import torch

from slimvid import artifact
from slimvid.data.store import PreparedTask
from slimvid.errors import SlimvidError
from slimvid.infer.translator import load
from slimvid.nets import build
from slimvid.nets.resnet import resnet_spec
from slimvid.nets.shortcut_net import shortcut_spec
from slimvid.report import offsets, sampling

SIZE = (32, 32)
TEACHER = resnet_spec(4, blocks=2)
TAPS = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)])


@pytest.fixture
def saved(looks_task, tmp_path):
    """An artifact whose block finds the same everywhere: offsets in pixels of their maps, mask as a share."""

    def make(*, form="full", coarse=(0.0, 0.0), fine=(0.0, 0.0), mask=0.5, interval=3):
        torch.manual_seed(0)
        net = build(shortcut_spec(TEACHER, form=form))
        with torch.no_grad():
            if hasattr(net.block, "global_offset"):
                net.block.global_offset[-1].bias.copy_(torch.tensor(coarse))
            if hasattr(net.block, "local_offset"):
                logit = math.log(mask / (1 - mask))
                net.block.local_offset[-1].bias.copy_(torch.tensor([*fine] * 9 + [logit] * 9))
        return save(net.state_dict(), shortcut_spec(TEACHER, form=form), {"max_interval": interval})

    def save(state, spec, plan):
        artifact.save(
            tmp_path / "artifact",
            task="looks",
            method="shortcut",
            spec=spec,
            plan={"kind": "shortcut", "first": "zero", **plan} if plan else {"kind": "every_frame"},
            condition=PreparedTask(looks_task).meta.condition.to_dict(),
            provenance={},
            state=state,
        )
        return tmp_path / "artifact"

    make.save = save
    return make


def gathered(path, looks_task):
    return offsets.gather(load(path, device="cpu"), PreparedTask(looks_task), name="looks/shortcut/0")


def labels(figure):
    return [label for label, _ in offsets._rows(figure, 256, 256)]


def test_offsets_are_scaled_to_picture_pixels(saved, looks_task):
    """The cut is at half the picture, global offsets are found at half of that: their pixel is 4 of 32."""
    figure = gathered(saved(coarse=(1.0, -0.5), fine=(0.25, 0.5), mask=0.75), looks_task)
    for column in figure.columns:
        assert column.fields.fine.shape == (9, 2, 16, 16) and column.fields.coarse.shape == (2, 8, 8)
        points = sampling.output_points((16, 16))
        alone, taps = sampling.positions(column.fields, points, SIZE)
        here = sampling.to_picture(points, (16, 16), SIZE)
        assert np.allclose(here, 2 * points + 1)
        assert np.allclose(alone - here, (4, -2), atol=1e-5)
        assert np.allclose(taps - alone[:, None], 2 * TAPS + [0.5, 1.0], atol=1e-5)
        assert np.allclose(column.fields.mask, 0.75)
        assert sampling.summary(column.fields, SIZE) == "global 4.47 px, local 1.12 px, mask 0.75"


def test_points_are_drawn_where_they_are():
    """A point at (8, 8) of 32 pixels, read at (16, 24): in a cell of eight times the size."""
    black = np.zeros((*SIZE, 3), np.uint8)
    point, read = np.array([[8.0, 8.0]]), np.array([[16.0, 24.0]])
    drawn = np.asarray(offsets._pointed(black, (256, 256), point, read, taps=np.full((1, 1, 2), 30.0)))
    assert tuple(drawn[64, 64]) == offsets.OUTPUT
    assert tuple(drawn[128, 192]) == tuple(drawn[239, 239]) == offsets.READ
    red = (drawn == offsets.READ).all(axis=2)
    assert red[94:98, 126:131].any()  # the line between them
    assert red[120:136, 200:].sum() == 0 and red[:60].sum() == 0


def test_frames_are_the_streams_and_the_block_is_as_before(saved, looks_task):
    translator, task = load(saved(interval=3), device="cpu"), PreparedTask(looks_task)
    clip = task.clips("test")[0]
    frames, shown = offsets.walk(translator, task, clip)
    streamed = list(translator.stream(task.condition("test", clip.name, i) for i in range(clip.length)))
    assert all(np.array_equal(a, b) for a, b in zip(frames, streamed, strict=True))
    assert [(s.index, s.reference) for s in shown] == [(2, 0), (5, 3), (7, 6)]
    assert "fields" not in vars(translator.net.block)


def test_frames_that_left_their_reference_furthest_are_shown(saved, looks_task, monkeypatch):
    monkeypatch.setattr(offsets, "COLUMNS", 2)
    figure = gathered(saved(interval=3), looks_task)
    assert [(c.index, c.reference) for c in figure.columns] == [(2, 0), (5, 3)]  # 7 moved one frame from 6
    assert figure.title.endswith("held-out clip c, frames 2, 5; a reference every 3 frames")


@pytest.mark.parametrize(
    ("form", "lacks"),
    [
        ("full", set()),
        ("sharp", set()),
        ("single_stage", {"reference, global offsets"}),
        ("without_current", {"mask", "frame, tinted by the mask"}),
        ("without_blending", {"mask", "frame, tinted by the mask"}),
    ],
)
def test_a_form_shows_what_it_has(saved, looks_task, form, lacks):
    figure = gathered(saved(form=form), looks_task)
    shown = {label.split(", mean")[0] for label in labels(figure)}
    optional = {"reference, global offsets", "mask", "frame, tinted by the mask"}
    assert optional - shown == lacks
    assert offsets.draw(figure).width > 256 * len(figure.columns)


def test_what_has_no_offsets_is_named(saved, looks_task):
    with pytest.raises(SlimvidError, match=r"looks/shortcut/0: form 'without_reference' aligns and blends"):
        gathered(saved(form="without_reference"), looks_task)
    with pytest.raises(
        SlimvidError, match=r"clip c has no shortcut frame under its plan \(every frame in full"
    ):
        gathered(saved(interval=1), looks_task)
    plain = saved.save(build(TEACHER).state_dict(), TEACHER, None)
    with pytest.raises(SlimvidError, match=r"kind 'resnet' has no Shortcut block; give a row with one"):
        gathered(plain, looks_task)


def test_masks_share_one_scale_and_brighter_is_more_of_the_current_frame(saved, looks_task):
    figure = gathered(saved(), looks_task)
    for value, column in zip((0.2, 0.3, 0.6), figure.columns, strict=True):
        column.fields.mask[:] = value
    label, pictures = offsets._mask_rows(figure, (256, 256))[0]
    assert label == "mask, mean of the taps: black 0.20, white 0.60"
    assert [int(np.asarray(p).max()) for p in pictures] == [0, 64, 255]


def test_the_same_inputs_give_the_same_bytes(saved, looks_task, tmp_path):
    path = saved(coarse=(1.0, -1.0))
    for name in ("a.png", "b.png"):
        offsets.write_offsets(path, looks_task, tmp_path / name, name="looks/shortcut/0", device="cpu")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
