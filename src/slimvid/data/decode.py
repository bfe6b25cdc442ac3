"""Video files as a person sees them: turned, square, deinterlaced, in the right colours, or refused."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from slimvid.data.pictures import over_black
from slimvid.data.timing import Stamp
from slimvid.errors import SlimvidError

# Numbers of ITU-T H.273, which FFmpeg uses.
_UNSPECIFIED = 2
_BT709 = 1
_BT2020 = 9
_HDR = {16: "PQ", 18: "HLG"}  # transfer characteristics that are mapped to an ordinary screen's
_SHOWN_ALIKE = (0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15)  # ... and those that screens show as they are
_MATRICES = (0, 1, 2, 3, 4, 5, 6, 7, 9)  # those that FFmpeg's scaler knows; 3 is reserved and taken as 2
_WIDE = (9, 11, 12)  # primaries: BT.2020, DCI-P3, Display P3
_HD = (577, 1280)  # from so many rows or columns on, players take an unspecified matrix for BT.709
_STRETCH = 4  # pixels further from square than 1:4 are a fault of the file
_BESIDE = range(1, 8)  # Stereo3D types that pack two views into a frame (0 is one view)


@dataclass(kw_only=True)
class VideoFile:
    """A video file, to be decoded.

    Attributes:
        path: the file.
        tick: seconds to which its time stamps are rounded; known once decoding began.
        square: whether its pixels are square; likewise.
        notes: what was done to its pictures that a user should know; likewise.
    """

    path: Path
    tick: float = 0.0
    square: bool = True
    notes: list[str] = field(default_factory=list)

    def frames(self) -> Iterator[tuple[Stamp, np.ndarray]]:
        """All frames as (when, uint8 [H, W, 3] sRGB), in the order in which they are seen.

        Raises:
            SlimvidError: no such file, no video in it, damaged, truncated, or of a kind that would not be
                seen right.
        """
        if not self.path.is_file():
            raise SlimvidError(
                f"{self.path}: no such video file or folder of frames; check the task's `path`"
            )
        import av

        try:
            with av.open(str(self.path)) as container:
                stream = container.streams.best("video")
                if stream is None or stream.disposition & av.stream.Disposition.attached_pic:
                    raise SlimvidError(
                        f"{self.path}: holds no video stream; give a video file or a folder of frames"
                    )
                yield from self._stream(container, stream)
        except (av.error.FFmpegError, OSError) as error:
            raise SlimvidError(
                f"{self.path}: cannot be decoded ({error.strerror}); copy or export it again"
            ) from None

    def _stream(self, container: Any, stream: Any) -> Iterator[tuple[Stamp, np.ndarray]]:
        self.tick = float(stream.time_base or 0)
        viewer = _Viewer(file=self, aspect=stream.sample_aspect_ratio or Fraction(1))
        count, whole = 0, promised(container, stream)
        read = _Read(container=container, stream=stream)
        for frame in _decoded(self.path, read):
            yield from viewer.show(frame, read.stamp(frame, count))
            count += 1
        yield from viewer.rest()
        if count + read.dropped < whole:
            raise SlimvidError(f"{self.path}: truncated: {count} of {whole} frames; copy or export it again")
        if read.broken and not whole:
            raise SlimvidError(f"{self.path}: damaged ({read.broken[0]}); copy or export it again")

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def refuse(self, what: str, remedy: str = "export it as ordinary SDR video") -> SlimvidError:
        return SlimvidError(f"{self.path}: {what}; {remedy}")


def promised(container: Any, stream: Any) -> int:
    """How many frames a whole file gives, as far as it says (0: it does not).

    A clip that was cut out of an MP4 without encoding it anew still holds, and counts, the frames from the
    key-frame before the cut on; its edit list hides them, and they are not in the index.
    """
    if "mov" not in container.format.name:
        return stream.frames
    shown = sum(not entry.is_discard for entry in stream.index_entries)
    return min(stream.frames, shown) if shown else stream.frames


@dataclass(kw_only=True)
class _Read:
    """A video stream that is being read.

    Attributes:
        container, stream: PyAV's.
        packets: how many packets were read.
        end: the tick after the last packet, in the order of decoding.
        broken: errors of the container's reader.
    """

    container: Any
    stream: Any
    packets: int = 0
    end: int = 0
    broken: list[str] = field(default_factory=list)

    @property
    def dropped(self) -> int:
        """Frames that an AVI counts and does not hold: a recorder that was late wrote an empty chunk."""
        return self.end - self.packets if self.avi else 0

    @property
    def avi(self) -> bool:
        return "avi" in self.container.format.name

    def take(self, packet: Any) -> None:
        if packet.size:
            self.packets += 1
            self.end = self.end if packet.dts is None else packet.dts + 1

    def stamp(self, frame: Any, number: int) -> Stamp:
        """When a frame is seen and was decoded, as far as the file itself tells and FFmpeg does not guess.

        A stream without a container has the rate of its codec, if any; AVI holds decoding times alone.
        """
        import av

        if self.container.format.flags & av.format.Flags.no_timestamps.value:
            rate = self.stream.codec_context.framerate  # FFmpeg stamps them at 25 frames a second
            return Stamp(seen=number / float(rate) if rate else None)
        unit = self.stream.time_base
        decoded = None if frame.dts is None or unit is None else float(frame.dts * unit)
        return Stamp(seen=None if self.avi else frame.time, decoded=decoded)


def _decoded(path: Path, read: _Read) -> Iterator[Any]:
    """All frames; what the decoder calls an error after the first frame means that the file is damaged.

    Before it, recordings that begin in the middle of a group of pictures give harmless ones.
    """
    count, packets = 0, read.container.demux(read.stream)
    while True:
        with _errors() as said:
            packet = next(packets, None)
            frames = packet.decode() if packet is not None else []
        if packet is None:
            return
        read.take(packet)
        conceals = [text for _, name, text in said if name == read.stream.codec_context.name]
        read.broken += [text.strip() for _, name, text in said if name == read.container.format.name]
        if (conceals and count) or any(frame.is_corrupt for frame in frames):
            raise SlimvidError(f"{path}: frame {count} or one near it is damaged; copy or export it again")
        yield from frames
        count += len(frames)


@contextmanager
def _errors() -> Iterator[list]:
    """What FFmpeg logs as errors within the block: most decoders conceal damage and only log it."""
    import av

    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=False) as said:
            yield said
    finally:
        av.logging.set_level(before)


@dataclass(kw_only=True)
class _Viewer:
    """Frames as shown; those of interlaced video come one later, when their neighbours are known."""

    file: VideoFile
    aspect: Fraction
    graph: Any = None
    shape: tuple = ()
    waiting: deque = field(default_factory=deque)  # stamps and orientations of frames in the graph

    def show(self, frame: Any, stamp: Stamp) -> Iterator[tuple[Stamp, np.ndarray]]:
        how = stamp, _orientation(self.file, frame)
        shape = frame.width, frame.height, frame.format.name
        if self.graph is not None and shape != self.shape:
            yield from self.rest()
        if self.graph is None and frame.interlaced_frame:
            self.graph, self.shape = _deinterlacer(frame), shape
            self.file.note("it is interlaced: its fields were joined by FFmpeg's bwdif")
        if self.graph is None:
            yield how[0], self._picture(frame, how[1])
            return
        self.waiting.append(how)
        self.graph.vpush(frame)
        yield from self._pulled()

    def rest(self) -> Iterator[tuple[Stamp, np.ndarray]]:
        """What the deinterlacer still holds."""
        if self.graph is not None:
            self.graph.vpush(None)
            yield from self._pulled()
            self.graph = None

    def _pulled(self) -> Iterator[tuple[Stamp, np.ndarray]]:
        import av

        while True:
            try:
                frame = self.graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            stamp, orientation = self.waiting.popleft()
            yield stamp, self._picture(frame, orientation)

    def _picture(self, frame: Any, orientation: np.ndarray) -> np.ndarray:
        _check_kind(self.file, frame)
        clear = frame.format.has_palette or any(part.is_alpha for part in frame.format.components)
        width, height = self._display_size(frame)
        shown = frame.reformat(
            width=width, height=height, format="rgba" if clear else "rgb24", threads=1, **_colours(frame)
        ).to_ndarray()
        if clear:
            if (shown[..., 3] < 255).any():
                self.file.note("it is transparent in places: shown over black")
            shown = over_black(shown)
        return _turned(shown, orientation)

    def _display_size(self, frame: Any) -> tuple[int, int]:
        """Size with square pixels: the side whose pixels are longer grows, so that nothing is lost."""
        ratio = self.aspect
        if not Fraction(1, _STRETCH) <= ratio <= _STRETCH:
            raise self.file.refuse(f"its pixel aspect is {ratio}", "correct it, or export with square pixels")
        size = (
            (round(frame.width * ratio), frame.height)
            if ratio > 1
            else (frame.width, round(frame.height / ratio))
        )
        if size != (frame.width, frame.height):
            self.file.square = False
            self.file.note(
                f"its pixels are not square (aspect {ratio.numerator}:{ratio.denominator}): scaled to "
                f"{size[0]}x{size[1]}"
            )
        return size


def _deinterlacer(frame: Any) -> Any:
    """One full frame per interlaced frame; frames that say that they are progressive pass unchanged."""
    import av

    graph = av.filter.Graph()
    graph.threads = 1
    size = f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1000000"
    source = graph.add("buffer", f"{size}:colorspace={frame.colorspace}:range={frame.color_range}")
    fields = graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(fields)
    fields.link_to(sink)
    graph.configure()
    return graph


def _check_kind(file: VideoFile, frame: Any) -> None:
    """Refuse what would be shown wrong without a word."""
    if frame.color_trc not in (*_SHOWN_ALIKE, *_HDR):
        raise file.refuse(f"its light is coded in an unusual way (transfer {frame.color_trc})")
    if frame.colorspace not in _MATRICES:
        raise file.refuse(f"its colours are coded in an unusual way (matrix {frame.colorspace})")
    packed = frame.side_data.get("STEREO3D")
    if packed is not None and int(np.frombuffer(bytes(packed)[:4], "<i4")[0]) in _BESIDE:
        raise file.refuse("holds two views (stereo) in one frame", "export one view")
    if frame.color_trc in _HDR:
        file.note(f"it is HDR ({_HDR[frame.color_trc]}): mapped to an ordinary screen")


def _colours(frame: Any) -> dict[str, int]:
    """Arguments of ``reformat``: matrix, range, and the way from HDR or wide primaries to sRGB's."""
    if frame.color_trc in _HDR and frame.color_primaries == _UNSPECIFIED:
        frame.color_primaries = _BT2020
    ways = {"dst_color_range": 2}
    if frame.colorspace in (_UNSPECIFIED, 3) and not frame.format.is_rgb:
        ways["src_colorspace"] = _BT709 if frame.height >= _HD[0] or frame.width >= _HD[1] else 5
    if frame.color_trc in _HDR or frame.color_primaries in _WIDE:
        ways |= {"dst_color_trc": _BT709, "dst_color_primaries": _BT709}
    return ways


def _orientation(file: VideoFile, frame: Any) -> np.ndarray:
    """The display matrix as signs: float [2, 2] of -1, 0 and 1 ([x, y] @ it is where a pixel is shown)."""
    stored = frame.side_data.get("DISPLAYMATRIX")
    if stored is None:
        return np.eye(2)
    matrix = np.frombuffer(bytes(stored), "<i4")[:9].reshape(3, 3)[:2, :2] / 65536
    largest = np.abs(matrix).max()
    signs = np.rint(matrix / largest) if largest else matrix
    quarter = largest > 0 and np.abs(matrix / largest - signs).max() < 0.01 and abs(np.linalg.det(signs)) == 1
    if not quarter or np.count_nonzero(signs) != 2:
        raise file.refuse("is to be shown turned by no quarter turn, or stretched", "export it upright")
    return signs


def _turned(image: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Turn or mirror [H, W, 3] by a matrix of `_orientation`."""
    if signs[0, 0] == 0:
        image, down, across = image.swapaxes(0, 1), signs[0, 1], signs[1, 0]
    else:
        down, across = signs[1, 1], signs[0, 0]
    return np.ascontiguousarray(image[:: int(down), :: int(across)])
