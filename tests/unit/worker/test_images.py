from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, PngImagePlugin

from tests.support.chunks import PNG_SIGNATURE, chunk
from worker.images import (
    BadLabelMap,
    Decoding,
    EmptyImage,
    ImageError,
    InvalidImage,
    TooManyPixels,
    decode,
    decode_label_map,
    inspect,
)
from worker.images.jpeg import pixels_alone as jpeg_pixels

SIZE = (48, 32)


def gradient(size: tuple[int, int] = SIZE) -> Image.Image:
    """Red grows to the right, green downwards, blue is constant."""
    red = Image.linear_gradient("L").rotate(90).resize(size)
    green = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", (red, green, Image.new("L", size, 60)))


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png(
    size: tuple[int, int],
    rows: bytes,
    *,
    bits: int = 8,
    colour_type: int = 2,
    extra: bytes = b"",
) -> bytes:
    header = struct.pack(">IIBBBBB", *size, bits, colour_type, 0, 0, 0)
    return (
        PNG_SIGNATURE
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def sixteen_bit_png(size: tuple[int, int], pixel: tuple[int, ...], extra: bytes = b"") -> bytes:
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[len(pixel)]
    row = b"\0" + struct.pack(f">{len(pixel)}H", *pixel) * size[0]
    return png(size, row * size[1], bits=16, colour_type=colour_type, extra=extra)


# --- what is accepted -----------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_a_photograph_becomes_loaded_rgb_with_its_size_and_digest(file_format):
    data = encoded(gradient(), file_format)
    decoded = decode(data)
    assert (decoded.image.mode, decoded.image.size) == ("RGB", SIZE)
    assert (decoded.width, decoded.height) == SIZE
    assert decoded.sha256 == hashlib.sha256(data).hexdigest()
    red, green, blue = decoded.image.getpixel((40, 4))
    assert red != green
    assert abs(blue - 60) < 12


def test_png_pixels_come_out_unchanged():
    assert decode(encoded(gradient())).image.tobytes() == gradient().tobytes()


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [
        (1, (0, 0)),
        (2, (1, 0)),
        (3, (1, 1)),
        (4, (0, 1)),
        (5, (0, 0)),
        (6, (1, 0)),
        (7, (1, 1)),
        (8, (0, 1)),
    ],
)
def test_exif_orientation_moves_the_stored_top_left_corner(orientation, corner):
    stored = Image.new("RGB", SIZE, "black")
    stored.paste("white", (0, 0, 12, 12))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode(encoded(stored, "PNG", exif=exif))
    turned = orientation >= 5
    assert (decoded.width, decoded.height) == (SIZE[::-1] if turned else SIZE)
    assert decoded.image.size == (decoded.width, decoded.height)
    for x, y in product((0, 1), (0, 1)):
        pixel = decoded.image.getpixel((x * (decoded.width - 1), y * (decoded.height - 1)))
        assert pixel == ((255,) * 3 if (x, y) == corner else (0,) * 3)


def test_no_metadata_comes_out():
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "a secret name")
    decoded = decode(encoded(gradient(), "PNG", exif=exif, pnginfo=text))
    assert decoded.image.info == {}
    assert not decoded.image.getexif()


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK"])
def test_every_mode_becomes_rgb(mode):
    file_format = "JPEG" if mode == "CMYK" else "PNG"
    source = gradient().convert(mode)
    decoded = decode(encoded(source, file_format))
    assert decoded.image.mode == "RGB"
    expected = source.convert("RGB").getpixel((40, 4))
    assert (
        max(abs(a - b) for a, b in zip(decoded.image.getpixel((40, 4)), expected, strict=True)) < 16
    )


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("RGBA", SIZE, (255, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", SIZE, (255, 0, 0, 255)), (255, 0, 0)),
        (Image.new("RGBA", SIZE, (0, 0, 0, 51)), (204, 204, 204)),
        (Image.new("LA", SIZE, (0, 0)), (255, 255, 255)),
        (Image.new("LA", SIZE, (10, 255)), (10, 10, 10)),
    ],
)
def test_alpha_is_composited_on_white(image, expected):
    for file_format in ("PNG", "WEBP"):
        data = encoded(image, file_format, **({"lossless": True} if file_format == "WEBP" else {}))
        assert decode(data).image.getpixel((5, 5)) == expected


@pytest.mark.parametrize(
    ("alpha", "expected"), [("white", (205, 204, 204)), ("black", (1, 0, 0)), ("drop", (5, 0, 0))]
)
def test_alpha_becomes_what_production_makes_of_it(alpha, expected):
    data = encoded(Image.new("RGBA", SIZE, (5, 0, 0, 51)))
    assert decode(data, Decoding(alpha=alpha)).image.getpixel((5, 5)) == expected


def test_dropped_alpha_shows_what_a_transparent_colour_hid():
    image = Image.new("P", SIZE, 1)
    image.putpalette([9, 0, 0, 200, 0, 0])
    image.putpixel((0, 0), 0)
    decoded = decode(encoded(image, transparency=0), Decoding(alpha="drop"))
    assert decoded.image.getpixel((0, 0)) == (9, 0, 0)


@pytest.mark.parametrize(
    ("image", "options", "expected"),
    [
        (gradient(), {}, False),
        (gradient(), {"transparency": (1, 2, 3)}, True),
        (gradient().convert("RGBA"), {}, True),
        (gradient().convert("LA"), {}, True),
    ],
)
def test_whether_a_file_speaks_of_alpha_is_told(image, options, expected):
    assert decode(encoded(image, **options)).has_alpha is expected


def test_a_jpeg_that_the_fast_decoder_refuses_is_decoded_as_pillow_does_it():
    data = encoded(gradient(), "JPEG", quality=95).replace(b"\xff\xdb", b"???\xff\xdb", 1)
    fast, accurate = decode(data, Decoding(jpeg_dct="fast")), decode(data)
    assert fast.image.tobytes() == accurate.image.tobytes()


def test_a_palette_that_comes_too_early_is_no_reason_to_refuse_what_was_accepted():
    data = encoded(gradient().convert("P"))
    palette = data[data.index(b"PLTE") - 4 : data.index(b"IDAT") - 4]
    early = PNG_SIGNATURE + palette + data[len(PNG_SIGNATURE) :].replace(palette, b"")
    assert judged_by(inspect, early) == judged_by(decode, early)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_of_any_mode_is_decoded_by_the_fast_transform_too(mode):
    data = encoded(gradient().convert(mode), "JPEG", quality=95)
    fast, accurate = decode(data, Decoding(jpeg_dct="fast")), decode(data)
    assert fast.image.size == accurate.image.size
    difference = ImageChops.difference(fast.image, accurate.image)
    assert max(high for _, high in difference.getextrema()) < 16


def test_the_transparent_colour_of_a_palette_is_white():
    image = Image.new("P", SIZE, 1)
    image.putpalette([0, 0, 0, 200, 0, 0])
    image.putpixel((0, 0), 0)
    decoded = decode(encoded(image, transparency=0))
    assert decoded.image.getpixel((0, 0)) == (255, 255, 255)
    assert decoded.image.getpixel((1, 0)) == (200, 0, 0)


def test_the_transparent_colour_of_rgb_is_white():
    image = gradient()
    key = image.getpixel((3, 3))
    assert decode(encoded(image, transparency=key)).image.getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (300, 1), (32896, 128), (65535, 255)])
def test_16_bit_grey_is_scaled_not_clipped(value, expected):
    assert decode(sixteen_bit_png(SIZE, (value,))).image.getpixel((2, 2)) == (expected,) * 3


@pytest.mark.parametrize("alpha", [(), (65535,)])
def test_16_bit_rgb_is_scaled_not_clipped(alpha):
    decoded = decode(sixteen_bit_png(SIZE, (65535, 32896, 300, *alpha)))
    assert decoded.image.getpixel((2, 2)) == (255, 128, 1)


def test_16_bit_grey_with_alpha_is_scaled_and_composited():
    assert decode(sixteen_bit_png(SIZE, (0, 0))).image.getpixel((2, 2)) == (255, 255, 255)
    assert decode(sixteen_bit_png(SIZE, (32896, 65535))).image.getpixel((2, 2)) == (128,) * 3


def test_the_transparent_grey_of_16_bits_is_compared_in_16_bits():
    key = chunk(b"tRNS", struct.pack(">H", 0x1234))
    assert decode(sixteen_bit_png(SIZE, (0x1234,), key)).image.getpixel((2, 2)) == (255,) * 3
    assert decode(sixteen_bit_png(SIZE, (0x1235,), key)).image.getpixel((2, 2)) == (18,) * 3


def test_the_transparent_colour_of_16_bits_makes_no_other_pixel_transparent():
    key = chunk(b"tRNS", struct.pack(">HHH", 1, 1, 1))
    decoded = decode(sixteen_bit_png(SIZE, (257, 257, 257), key))
    assert decoded.image.getpixel((2, 2)) == (1, 1, 1)


def test_a_jpeg_with_a_second_picture_behind_it_is_a_still_photograph():
    data = encoded(gradient(), "MPO", save_all=True, append_images=[Image.new("RGB", SIZE)])
    red, _, _ = decode(data).image.getpixel((40, 4))
    assert red > 150


def test_of_a_16_bit_png_the_bits_of_its_highest_value_are_told():
    assert decode(sixteen_bit_png(SIZE, (4095,))).bits_used == 12
    assert decode(sixteen_bit_png(SIZE, (0, 1023, 512))).bits_used == 10
    assert decode(sixteen_bit_png(SIZE, (4095, 4095, 4095, 65535))).bits_used == 12
    assert decode(sixteen_bit_png(SIZE, (16383, 65535))).bits_used == 14
    assert decode(sixteen_bit_png(SIZE, (65535,))).bits_used == 16
    assert decode(encoded(gradient())).bits_used is None


def test_the_bytes_decide_not_the_name():
    # Nothing but bytes goes in, so a PNG that was called .jpg is simply a PNG.
    assert decode(encoded(gradient(), "PNG")).image.tobytes() == gradient().tobytes()


# --- what is refused ------------------------------------------------------------------------------


def test_no_bytes_are_an_empty_image():
    with pytest.raises(EmptyImage, match="no bytes"):
        decode(b"")


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_an_animation_is_invalid(file_format):
    frames = [Image.new("RGB", SIZE, colour) for colour in ("red", "blue")]
    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])
    with pytest.raises(InvalidImage, match="animated"):
        decode(data)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_a_file_cut_anywhere_is_invalid(file_format):
    data = encoded(gradient(), file_format)
    for end in range(12, len(data) - 12, max(1, len(data) // 40)):
        with pytest.raises(InvalidImage):
            decode(data[:end])


def test_one_flipped_bit_of_a_png_is_noticed_even_in_its_pixels():
    data = bytearray(encoded(gradient()))
    start = data.index(b"IDAT") + 4
    for at in range(start, len(data) - 16, 7):
        mutated = bytearray(data)
        mutated[at] ^= 16
        with pytest.raises(InvalidImage):
            decode(bytes(mutated))


@pytest.mark.parametrize("size", [(50_000, 50_000), (10_000, 10_000), (6_325, 6_325)])
def test_too_many_pixels_are_refused_from_the_header_alone(size):
    with pytest.raises(TooManyPixels, match="40 million"):
        decode(png(size, b""))


def test_forty_million_pixels_are_within_the_cap():
    # The header passes; that the pixels are missing is what is noticed next.
    with pytest.raises(InvalidImage, match="damaged"):
        decode(png((8_000, 5_000), b""))


@pytest.mark.parametrize("size", [(100_000, 1), (1, 1), (7, 100), (100, 7), (1_000, 19)])
def test_a_shape_out_of_bounds_is_invalid_and_the_bounds_are_told(size):
    with pytest.raises(InvalidImage, match=r"at least 8 pixels.*at most 50 times"):
        decode(encoded(Image.new("RGB", size)))


@pytest.mark.parametrize("size", [(8, 8), (8, 400), (400, 8)])
def test_a_shape_at_the_bounds_is_accepted(size):
    assert decode(encoded(Image.new("RGB", size))).image.size == size


def test_a_jpeg_of_endless_scans_is_refused_before_decoding():
    data = encoded(Image.new("RGB", (2_000, 2_000)), "JPEG", progressive=True, quality=30)
    last_scan = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(InvalidImage, match="scans"):
        decode(data[:-2] + last_scan * 1_000 + data[-2:])


@pytest.mark.parametrize("count", [2, 500_000])
def test_only_the_first_exif_block_of_a_jpeg_reaches_the_decoder(count):
    # Pillow joins them, which takes minutes for the half million that an upload has room for.
    def block(orientation: int) -> bytes:
        exif = Image.Exif()
        exif[0x0112] = orientation
        content = exif.tobytes()
        return b"\xff\xe1" + (len(content) + 2).to_bytes(2) + content

    jpeg = encoded(gradient(), "JPEG")
    data = jpeg[:2] + block(6) + block(3) * (count - 1) + jpeg[2:]
    assert decode(data).orientation == 6
    assert len(jpeg_pixels(data)) == len(jpeg) + len(block(6))


def test_an_ordinary_large_progressive_jpeg_is_accepted():
    data = encoded(Image.new("RGB", (5_000, 4_000)), "JPEG", progressive=True)
    assert decode(data).width == 5_000


MUTABLE = [
    encoded(gradient(), "PNG"),
    encoded(gradient().convert("P"), "PNG"),
    encoded(gradient(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0"),
    encoded(gradient(), "JPEG", progressive=True),
    encoded(gradient(), "WEBP"),
    encoded(gradient().convert("RGBA"), "WEBP", lossless=True),
    sixteen_bit_png(SIZE, (1, 2, 3)),
]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_mutated_file_decodes_or_is_refused_and_nothing_else(data):
    mutated = bytearray(data.draw(st.sampled_from(MUTABLE)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, max(0, len(mutated) - 1)))
        kind = data.draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if kind == "set" and mutated:
            mutated[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del mutated[at : at + data.draw(st.integers(1, 64))]
        elif kind == "insert":
            mutated[at:at] = data.draw(st.binary(max_size=32))
        else:
            mutated[at:at] = mutated[at : at + 64]
    assert judged_by(inspect, bytes(mutated)) == judged_by(decode, bytes(mutated))
    try:
        decoded = decode(bytes(mutated))
    except ImageError:
        return
    assert decoded.image.size == (decoded.width, decoded.height)


def judged_by(look, data: bytes) -> tuple[object, ...]:
    try:
        found = look(data)
    except ImageError as error:
        return type(error), str(error)
    return found.width, found.height, found.sha256


@pytest.mark.parametrize("data", MUTABLE)
def test_inspecting_says_of_an_upload_what_decoding_says(data):
    assert judged_by(inspect, data) == judged_by(decode, data)


def test_many_threads_decode_the_same_pixels():
    files = [encoded(gradient((200, 120)), f) for f in ("PNG", "JPEG", "WEBP")] * 8
    alone = [decode(data).image.tobytes() for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = [decoded.image.tobytes() for decoded in pool.map(decode, files)]
    assert together == alone


# --- label maps -----------------------------------------------------------------------------------


def label_map(mode: str = "L", size: tuple[int, int] = SIZE, values: tuple[int, int] = (3, 9)):
    if mode == "I;16":
        row = struct.pack("<2H", *values) * (size[0] // 2)
        return Image.frombytes(mode, size, row * size[1])
    image = Image.new(mode, size, values[0])
    image.paste(values[1], (0, 0, size[0] // 2, size[1]))
    return image


@pytest.mark.parametrize(("mode", "values"), [("L", (3, 9)), ("I;16", (3, 40_000))])
def test_a_label_map_keeps_its_labels_exactly(mode, values):
    data = encoded(label_map(mode, values=values))
    labels = decode_label_map(data, width=SIZE[0], height=SIZE[1])
    assert (labels.mode, labels.size) == (mode, SIZE)
    assert labels.getextrema() == values


def test_the_indices_of_a_palette_are_the_labels():
    image = label_map("P", values=(0, 1))
    image.putpalette([255, 0, 0, 254, 0, 0])
    labels = decode_label_map(encoded(image), width=SIZE[0], height=SIZE[1])
    assert (labels.mode, labels.getextrema()) == ("L", (0, 1))


@pytest.mark.parametrize(("bits", "values"), [(1, (0, 1)), (2, (1, 3)), (4, (2, 9)), (8, (2, 9))])
def test_labels_of_few_bits_keep_their_numbers(bits, values):
    packed = sum(values[place % 2] << (8 - bits * (place + 1)) for place in range(8 // bits))
    row = bytes(values) * 24 if bits == 8 else bytes([packed] * (48 * bits // 8))
    data = png((48, 32), (b"\0" + row) * 32, bits=bits, colour_type=0)
    labels = decode_label_map(data, width=48, height=32)
    assert [labels.getpixel((x, 5)) for x in range(2)] == list(values)
    assert labels.getextrema() == values


def test_the_label_that_stands_for_unseen_is_refused():
    data = encoded(label_map("I;16", values=(1, 65_535)))
    with pytest.raises(BadLabelMap, match="up to 65534"):
        decode_label_map(data, width=48, height=32)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"not an image", "must be a PNG"),
        (encoded(gradient(), "JPEG"), "must be a PNG"),
        (encoded(gradient()), "channels R/G/B"),
        (encoded(gradient().convert("RGBA")), "channels R/G/B/A"),
        (encoded(label_map(size=(48, 31))), "48×31 pixels, the image 48×32"),
        (encoded(label_map(values=(5, 5))), "one segment only"),
        (encoded(label_map("I;16", values=(500, 500))), "one segment only"),
        (encoded(label_map())[:-30], "cannot be read"),
        (png((50_000, 50_000), b""), "too many pixels"),
    ],
)
def test_a_label_map_that_cannot_be_used_says_why(data, says):
    with pytest.raises(BadLabelMap, match=says):
        decode_label_map(data, width=SIZE[0], height=SIZE[1])


def test_decoding_takes_nothing_but_pillow():
    script = (
        "import sys, worker.images; print(sorted({'numpy', 'skimage', 'grpc'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
