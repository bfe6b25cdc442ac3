"""Pictures as a person sees them, maps as they are stored, and one line for what can be neither."""

import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from toy_footage import texture, write_picture

from slimvid.data.pictures import read_colours, read_ids, read_picture
from slimvid.errors import SlimvidError


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_truncated_picture_is_named(tmp_path, suffix):
    path = write_picture(tmp_path / f"x{suffix}", texture(64, 64))
    assert read_picture(path).shape == (64, 64, 3)
    data = path.read_bytes()
    for keep in (0, 10, len(data) // 2, len(data) - 20):
        path.write_bytes(data[:keep])
        with pytest.raises(SlimvidError, match=rf"x\{suffix}: damaged or truncated"):
            read_picture(path)


def test_picture_is_rgb_and_of_the_size(tmp_path):
    image = np.zeros((8, 12, 3), np.uint8)
    image[..., 0] = 200
    path = write_picture(tmp_path / "red.png", image)
    assert np.array_equal(read_picture(path, size=(8, 12)), image)
    with pytest.raises(SlimvidError, match=r"red\.png: is 12x8.*12x9"):
        read_picture(path, size=(9, 12))
    with pytest.raises(SlimvidError, match=r"gone\.png: missing"):
        read_picture(tmp_path / "gone.png")


def test_maps_of_ids(tmp_path):
    ids = np.random.default_rng(0).integers(0, 30, (8, 12)).astype(np.uint8)
    path = write_picture(tmp_path / "ids.png", ids)
    assert np.array_equal(read_ids(path, size=(8, 12)), ids)
    grey = write_picture(tmp_path / "grey.png", np.dstack([ids] * 3))
    assert np.array_equal(read_ids(grey, size=(8, 12)), ids)
    wide = write_picture(tmp_path / "wide.png", ids.astype(np.uint16) * 1000)
    assert read_ids(wide, size=(8, 12), limit=65535).dtype == np.uint16
    with pytest.raises(SlimvidError, match="largest known is 5"):
        read_ids(path, size=(8, 12), limit=5)
    with pytest.raises(SlimvidError, match="same size"):
        read_ids(path, size=(16, 24))
    with pytest.raises(SlimvidError, match="colour picture"):
        read_ids(write_picture(tmp_path / "colour.png", texture(8, 12)), size=(8, 12))


def grey_png(path, ids: np.ndarray, bits: int):
    """A grey PNG of 2 or 4 bits, which no library here writes."""
    packed = [sum(row[k :: 8 // bits] << (8 - bits * (k + 1)) for k in range(8 // bits)) for row in ids]
    lines = b"".join(b"\0" + line.astype(np.uint8).tobytes() for line in packed)
    chunk = lambda tag, body: (  # noqa: E731
        struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))
    )
    head = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], bits, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def palette_png(path, ids: np.ndarray, colours: list, **how):
    image = Image.fromarray(ids, "L").copy()
    image.putpalette([v for colour in colours for v in colour])
    image.save(path, **how)
    return path


IDS = np.random.default_rng(3).integers(0, 4, (8, 16)).astype(np.uint8)


@pytest.mark.parametrize("bits", [2, 4])
def test_ids_of_few_bits_are_not_spread(tmp_path, bits):
    assert np.array_equal(read_ids(grey_png(tmp_path / "a.png", IDS, bits), size=(8, 16)), IDS)
    assert np.array_equal(read_colours(tmp_path / "a.png", size=(8, 16))[..., 1], IDS)


def test_ids_of_one_bit_and_of_palettes_are_the_stored_numbers(tmp_path):
    Image.fromarray(IDS > 1).save(tmp_path / "bit.png")
    assert np.array_equal(read_ids(tmp_path / "bit.png", size=(8, 16)), IDS > 1)
    greys = [(3, 3, 3), (2, 2, 2), (1, 1, 1), (0, 0, 0)]
    path = palette_png(tmp_path / "p.png", IDS, greys, transparency=1)
    assert np.array_equal(read_ids(path, size=(8, 16)), IDS)
    assert np.array_equal(read_colours(palette_png(path, IDS, greys), size=(8, 16))[..., 0], 3 - IDS)


@pytest.mark.parametrize(
    ("save", "word"),
    [
        (lambda p: Image.fromarray(IDS).save(p, "JPEG"), "is JPEG inside"),
        (lambda p: Image.fromarray(np.dstack([IDS, IDS])).save(p), "partly transparent"),
        (lambda p: Image.fromarray(IDS).save(p, exif=turned_exif(6)), "says that it is turned"),
        (lambda p: cv2.imwrite(str(p), np.dstack([IDS] * 3).astype(np.uint16) * 300), "16 bits, not a map"),
    ],
)
def test_maps_whose_ids_would_change_are_refused(tmp_path, save, word):
    save(tmp_path / "a.png")
    with pytest.raises(SlimvidError, match=rf"a\.png: .*{word}"):
        read_ids(tmp_path / "a.png", size=(8, 16))


def turned_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_it_says(tmp_path, kind, orientation):
    image = np.zeros((32, 64, 3), np.uint8)
    image[:16, :32, 0] = 255  # red where the stored picture begins
    path = tmp_path / f"a.{kind}"
    Image.fromarray(image).save(path, exif=turned_exif(orientation))
    seen = read_picture(path)
    assert seen.shape == ((64, 32, 3) if orientation > 4 else (32, 64, 3))
    rows, columns = np.nonzero(seen[..., 0] > 128)
    below, right = rows.mean() > seen.shape[0] / 2, columns.mean() > seen.shape[1] / 2
    corner = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}
    assert (below, right) == corner[orientation]  # the table of the EXIF standard


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L"])
def test_what_is_transparent_lies_over_black(tmp_path, mode):
    hidden = np.full((8, 8), 200, np.uint8)
    hidden[:4] = 90
    clear = np.where(hidden == 200, 0, 255).astype(np.uint8)
    path = tmp_path / "a.png"
    if mode in ("RGBA", "LA"):
        Image.fromarray(np.dstack([hidden] * (3 if mode == "RGBA" else 1) + [clear])).save(path)
    elif mode == "P":
        palette_png(path, (hidden == 200).astype(np.uint8), [(90,) * 3, (200,) * 3], transparency=1)
    else:
        shown = hidden if mode == "L" else np.dstack([hidden] * 3)
        Image.fromarray(shown).save(path, transparency=200 if mode == "L" else (200, 200, 200))
    seen = read_picture(path)
    assert (seen[:4] == 90).all()
    assert (seen[4:] == 0).all()


def test_sixteen_bits_and_cmyk_are_scaled_and_converted(tmp_path):
    grey = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    cv2.imwrite(str(tmp_path / "g.png"), grey)
    assert np.abs(read_picture(tmp_path / "g.png")[..., 2] - grey / 257).max() <= 0.5
    cv2.imwrite(str(tmp_path / "c.png"), np.dstack([grey, grey // 2, grey // 4]))
    seen = read_picture(tmp_path / "c.png")
    assert np.abs(seen - np.dstack([grey // 4, grey // 2, grey]) / 257).max() <= 1
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    red.convert("CMYK").save(tmp_path / "k.jpg", quality=95)
    assert np.abs(read_picture(tmp_path / "k.jpg") - np.float32([255, 0, 0])).max() < 8


def test_a_colour_profile_is_followed(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"----").replace(b"bXYZ", b"rXYZ").replace(b"----", b"bXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))
    image = Image.new("RGB", (8, 8), (250, 90, 10))
    for profile, colour in ((srgb, (250, 90, 10)), (b"not one", (250, 90, 10)), (swapped, (10, 90, 250))):
        image.save(tmp_path / "a.png", icc_profile=profile)
        assert np.abs(read_picture(tmp_path / "a.png") - np.float32(colour)).max() <= 2


def save_pair(path):
    Image.new("L", (8, 8)).save(path, save_all=True, append_images=[Image.new("L", (8, 8))])


def with_chunk(path, tag: bytes, body: bytes):
    Image.new("RGB", (8, 8)).save(path)
    data = path.read_bytes()
    chunk = struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))
    path.write_bytes(data[:33] + chunk + data[33:])  # behind the header


@pytest.mark.parametrize(
    ("name", "save", "word"),
    [
        ("a.jpg", lambda p: Image.new("L", (8, 8)).save(p, dpi=(72, 36)), "pixels are not square"),
        ("a.png", lambda p: with_chunk(p, b"pHYs", struct.pack(">IIB", 2, 1, 0)), "pixels are not square"),
        ("a.png", lambda p: with_chunk(p, b"gAMA", struct.pack(">I", 100000)), "its gamma is 1"),
        ("a.png", lambda p: with_chunk(p, b"cICP", bytes([9, 16, 0, 1])), "HDR"),
        ("a.tif", save_pair, "holds 2 pictures"),
        ("a.png", save_pair, "holds 2 pictures"),
        ("a.tif", lambda p: Image.new("F", (8, 8)).save(p), "unusual kind"),
    ],
)
def test_what_would_be_shown_wrong_is_refused(tmp_path, name, save, word):
    save(tmp_path / name)
    with pytest.raises(SlimvidError, match=rf"{name}: .*{word}"):
        read_picture(tmp_path / name)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_damaged_in_the_middle_is_named(tmp_path, progressive, capfd):
    path = tmp_path / "a.jpg"
    Image.fromarray(texture(64, 96)).save(path, quality=95, progressive=progressive)
    data = path.read_bytes()
    path.write_bytes(data + bytes(64))
    assert read_picture(path).shape == (64, 96, 3)  # whole, with padding behind its end
    half = len(data) // 2
    for harmed in (data[:half] + b"\xff\xd9", data[:half] + bytes(half - 2) + b"\xff\xd9"):
        path.write_bytes(harmed)
        with pytest.raises(SlimvidError, match=r"a\.jpg: damaged"):
            read_picture(path)
    assert capfd.readouterr().err == ""


def test_too_large_a_picture_is_one_line(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path)
    head = b"IHDR" + struct.pack(">IIBBBBB", 70000, 70000, 8, 2, 0, 0, 0)
    data = path.read_bytes()
    path.write_bytes(data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:])
    with pytest.raises(SlimvidError, match=r"a\.png: too large"):
        read_picture(path)


def test_threads_that_read_jpegs_leave_standard_error_in_its_place(tmp_path, capfd):
    path = tmp_path / "a.jpg"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read_picture, [path] * 400))
    os.write(2, b"still heard")
    assert capfd.readouterr().err == "still heard"
