"""Fixtures that several rooms share."""

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two jobs with two threads each run far slower than one each

ROOT = Path(__file__).resolve().parent.parent
ONE_RUN = ("tests/workflow/test_run.py", "tests/workflow/test_sync.py")  # share one finished run: the longest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no process waits for it in the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(ONE_RUN))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """With ``-n``: a file's tests, and all tests of the finished run, go to one process."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "one run" if nodeid.startswith(ONE_RUN) else nodeid.split("::")[0]

    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real footage, or a skip that says where it was looked for."""
    path = Path(os.environ.get("SLIMVID_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no real footage at {path}; set SLIMVID_REAL_DATA to the folder that holds it")
    return path


def moving_clip(name: str, *, length: int, seed: int, size: int = 32):
    """A textured picture that slides by one pixel a frame: exact flow, edges where it is bright."""
    import cv2

    from slimvid.data.clip import Clip

    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (size // 8, (size + length) // 8, 3)).astype(np.uint8)
    wide = cv2.resize(coarse, (size + length, size), interpolation=cv2.INTER_CUBIC)
    frames = np.stack([wide[:, t : t + size] for t in range(length)])
    flow = np.zeros((length, 2, size, size), np.float16)
    flow[1:, 0] = 1.0  # frame t at x shows what frame t-1 showed at x + 1
    valid = np.zeros((length, size, size), np.uint8)
    valid[1:, :, :-1] = 1
    edges = (frames[..., 0] > 160).astype(np.uint8) * 255
    return Clip(name=name, fps=10.0, frames=frames, edges=edges, flow=flow, flow_valid=valid)


@pytest.fixture(scope="session")
def sliding():
    """sliding(name, length=, seed=): a clip of a picture that slides."""
    return moving_clip


@pytest.fixture(scope="session")
def tiny_task(tmp_path_factory) -> Path:
    """A store of 32 x 32 edges-to-frames clips: two of 12 frames train, one of 8 chooses, one of 10 tests."""
    from slimvid.data.condition import ConditionSpec
    from slimvid.data.store import TaskMeta, write_prepared

    root = tmp_path_factory.mktemp("prepared") / "tiny"
    meta = TaskMeta(
        task="tiny",
        source="sliding noise",
        condition=ConditionSpec(kind="edges"),
        height=32,
        width=32,
        fps=10.0,
    )
    train = [moving_clip(f"train{i}", length=12, seed=i) for i in range(2)]
    rest = {n: [moving_clip(f"{n}0", length=k, seed=s)] for n, k, s in (("val", 8, 7), ("test", 10, 9))}
    write_prepared(root, meta, {"train": train, **rest})
    return root


@pytest.fixture(scope="session")
def looks_task(tmp_path_factory) -> Path:
    """A prepared store whose conditions are pictures: the frames' negatives with red and blue exchanged."""
    from dataclasses import replace

    from slimvid.data.condition import ConditionSpec
    from slimvid.data.store import TaskMeta, write_prepared

    def clip(name: str, seed: int):
        made = moving_clip(name, length=8, seed=seed)
        return replace(made, image=(255 - made.frames)[..., ::-1].copy())

    root = tmp_path_factory.mktemp("prepared") / "looks"
    spec = ConditionSpec(kind="image")
    meta = TaskMeta(task="looks", source="sliding noise", condition=spec, height=32, width=32, fps=10.0)
    write_prepared(
        root, meta, {"train": [clip("a", 0), clip("b", 1)], "val": [clip("v", 3)], "test": [clip("c", 2)]}
    )
    return root


@pytest.fixture(scope="session")
def labels_task(tmp_path_factory) -> Path:
    """A prepared store of 64 x 64 frames whose conditions are label maps: where they are bright."""
    from dataclasses import replace

    from slimvid.data.condition import ConditionSpec
    from slimvid.data.store import TaskMeta, write_prepared

    def clip(name: str, seed: int):
        made = moving_clip(name, length=4, seed=seed, size=64)
        return replace(made, edges=None, labels=made.edges // 255)

    root = tmp_path_factory.mktemp("prepared") / "labels"
    spec = ConditionSpec(kind="labels", label_names=("dark", "bright"))
    meta = TaskMeta(task="labels", source="sliding noise", condition=spec, height=64, width=64, fps=10.0)
    write_prepared(
        root, meta, {"train": [clip("a", 0), clip("b", 1)], "val": [clip("v", 3)], "test": [clip("c", 2)]}
    )
    return root


@pytest.fixture(scope="session")
def recyclegan_settings():
    """Settings of a RecycleGAN training that takes a second."""
    from slimvid.teachers.recyclegan_settings import Settings

    return Settings(
        width=8,
        blocks=1,
        iterations=4,
        disc_width=8,
        disc_layers=2,
        lr=1e-3,
        lambda_cycle=(10, 10),
        precision="fp32",
        save_every=2,
    )


@pytest.fixture(scope="session")
def cyclegan_settings():
    """Settings of a CycleGAN training that takes a second; its pools are full after two steps."""
    from slimvid.teachers.cyclegan_settings import Settings

    own = {"width": 8, "blocks": 1, "disc_width": 8, "disc_layers": 2, "pool": 2}
    return Settings(**own, iterations=4, lr=1e-3, precision="fp32", save_every=2)


@pytest.fixture(scope="session")
def gaugan_settings():
    """Settings of a GauGAN training that takes a second."""
    from slimvid.teachers.gaugan_settings import Settings

    own = {"width": 8, "batch": 2, "disc_width": 4, "lr": 1e-3}
    return Settings(**own, iterations=4, precision="fp32", save_every=2)


@pytest.fixture(scope="session")
def pix2pix_settings():
    """Settings of a pix2pix training (U-Net) that takes a second."""
    from slimvid.teachers.pix2pix_settings import Settings

    own = {"width": 8, "downs": 4, "disc_width": 4, "disc_layers": 2}
    return Settings(**own, iterations=4, lr=1e-3, precision="fp32", save_every=2)


@pytest.fixture(scope="session")
def pix2pix_resnet(pix2pix_settings):
    """The same with a ResNet, as the papers that compress it have it, and batch normalisation."""
    kept = pix2pix_settings.model_dump(exclude={"downs", "dropout"})
    own = {"generator": "resnet", "blocks": 1, "gan": "hinge"}
    return type(pix2pix_settings).model_validate({**kept, **own})


@pytest.fixture(scope="session")
def tiny_settings():
    """Settings of a training that takes a second."""
    from slimvid.teachers.vid2vid_settings import Settings

    return Settings(
        width=8,
        downs=2,
        blocks=2,
        iterations=4,
        batch=2,
        sequence=3,
        sequence_max=3,
        disc_width=8,
        disc_scales=1,
        temporal_scales=1,
        lambda_l1=10,
        lr=1e-3,
        precision="fp32",
        save_every=2,
    )


@pytest.fixture(scope="session")
def cpu():
    """One thread, fp32, on the CPU."""
    from slimvid.runtime import resolve

    return resolve(device="cpu", precision="fp32", threads=1)


@pytest.fixture(scope="session")
def told(cpu):
    """told(store, out, ...): what a training there is told; an original's where nothing else is said."""
    from slimvid.data.store import PreparedTask
    from slimvid.training.run import Run

    def make(prepared: Path, out: Path = Path("nowhere"), **changes) -> Run:
        data = PreparedTask(prepared, splits=("train",))
        usual = {"row": "original", "seed": 0, "plan": {"kind": "every_frame"}, "runtime": cpu}
        return Run(task=data.meta.task, data=data, out=out, **usual | changes)

    return make


@pytest.fixture(scope="session")
def compressed(told):
    """compressed(settings, store, out, teacher=, teacher_settings=, ...): run a row's method there."""
    from slimvid.compress import compress
    from slimvid.measure.evaluate import Costs
    from slimvid.measure.latency import Latencies

    def run(settings, prepared, out, *, teacher, teacher_settings, keyframes=None, evaluate=None, **changes):
        plan = settings.plan.model_dump(exclude_none=True)
        own = told(prepared, out, **{"row": "student", "plan": plan, **changes})
        given = {"cost": Costs(own), "latency": Latencies(own)}
        given |= {"keyframes": keyframes, "evaluate": evaluate}
        compress(own, settings, teacher=teacher, teacher_settings=teacher_settings, **given)

    return run


@pytest.fixture(scope="session")
def tiny_teacher(tiny_task, tiny_settings, told, tmp_path_factory) -> Path:
    """An original trained for four steps on the tiny task."""
    from slimvid.teachers import train_original

    out = tmp_path_factory.mktemp("teacher") / "0"
    train_original(told(tiny_task, out), tiny_settings)
    return out
