"""Whole clips in one step, whatever the plan: equal to drawing and completing apart, and nothing is left."""

import numpy as np
import pytest

from slimvid.data.store import FrameArchive, PreparedTask
from slimvid.errors import SlimvidError
from slimvid.files import read_json
from slimvid.infer.complete import translate_whole
from slimvid.infer.interpolate import interpolate
from slimvid.infer.keyframes import select_keyframes
from slimvid.infer.translate import translate
from slimvid.settings import PlanSettings

KEYED = PlanSettings(kind="keyframes", strategy="fixed", interval=3, interpolation="hold")


@pytest.fixture
def keyed(tiny_teacher, tiny_task, tmp_path):
    """The tiny original under a plan of key-frames, and their file."""
    import json
    import shutil

    shutil.copytree(tiny_teacher, tmp_path / "keyed")
    path = tmp_path / "keyed" / "translator.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "plan": KEYED.model_dump(exclude_none=True)}))
    select_keyframes(tiny_task, KEYED, tmp_path / "keys.json")
    return tmp_path / "keyed", tmp_path / "keys.json"


def test_key_frames_are_completed_as_by_the_two_steps(keyed, tiny_task, tmp_path) -> None:
    artifact, keys = keyed
    apart = tmp_path / "apart"
    translate(artifact, tiny_task, keys, apart / "keys.arrow", apart / "drawn.json", device="cpu")
    interpolate(apart / "keys.arrow", tiny_task, KEYED, apart / "frames.arrow")
    out = tmp_path / "whole" / "frames.arrow"
    translate_whole(artifact, tiny_task, KEYED, keys, out, device="cpu")
    assert out.read_bytes() == (apart / "frames.arrow").read_bytes()
    assert read_json(out.with_name("drawn_in_full.json")) == read_json(apart / "drawn.json")
    assert sorted(p.name for p in out.parent.iterdir()) == ["drawn_in_full.json", "frames.arrow"]


def test_a_plan_that_draws_every_frame_needs_no_completion(tiny_teacher, tiny_task, tmp_path) -> None:
    out = tmp_path / "frames.arrow"
    translate_whole(tiny_teacher, tiny_task, PlanSettings(kind="every_frame"), None, out, device="cpu")
    archive, clip = FrameArchive(out), PreparedTask(tiny_task).clips("test")[0]
    assert np.array_equal(archive.indices(clip.name), range(clip.length))


def test_what_fails_leaves_no_key_frames_behind(keyed, tiny_task, tmp_path) -> None:
    artifact, keys = keyed
    wrong = KEYED.model_copy(update={"interpolation": "magic"})
    with pytest.raises(SlimvidError):
        translate_whole(artifact, tiny_task, wrong, keys, tmp_path / "w" / "frames.arrow", device="cpu")
    assert not list((tmp_path / "w").glob("*.arrow")) and not list((tmp_path / "w").glob(".*"))
