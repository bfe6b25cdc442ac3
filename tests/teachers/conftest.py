"""What the tests of every kind of original ask alike."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from slimvid.training.loop import Training


@pytest.fixture
def assert_resumed(monkeypatch, tmp_path) -> Callable[..., None]:
    """assert_resumed(train, whole, names): killed in its fourth step, ``train(out)`` goes on from the state
    that it kept after two and ends with the bytes of ``whole``, which nothing stopped."""

    def check(train: Callable[[Path], object], whole: Path, names: Sequence[str]) -> None:
        step, calls, out = Training.step, [], tmp_path / "killed"

        def dying(self, index):
            calls.append(index)
            if len(calls) == 4:
                raise KeyboardInterrupt
            return step(self, index)

        monkeypatch.setattr(Training, "step", dying)
        with pytest.raises(KeyboardInterrupt):
            train(out)
        assert (out / "state/state.json").exists()
        assert not (out / "translator.json").exists()
        train(out)
        assert calls == [0, 1, 2, 3, 2, 3]
        for name in ("weights.safetensors", "translator.json", *names):
            assert (out / name).read_bytes() == (whole / name).read_bytes(), name
        assert not (out / "state").exists()

    return check
