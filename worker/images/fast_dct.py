"""Decode a JPEG as TensorFlow's decoders do.

``tf.io.decode_jpeg`` and ``decode_image`` choose libjpeg-turbo's fast inverse cosine transform
(``JDCT_IFAST``) where Pillow has the accurate one, which cannot be changed there. The pictures
differ by one level in the mean, by dozens at the edges of a JPEG of high quality.
"""

from __future__ import annotations

from PIL import Image, ImageFile


def with_fast_dct(image: ImageFile.ImageFile, data: bytes) -> Image.Image:
    """Return the pixels of a JPEG, or the image as it is where they cannot be had so.

    Parameters
    ----------
    image : PIL.ImageFile.ImageFile
        As Pillow has decoded it.
    data : bytes
        The JPEG.
    """
    if image.mode not in ("RGB", "L"):
        # CMYK: TensorFlow has a conversion of its own.
        return image
    # The web, which decodes uploads too, has no numpy, and never asks for this.
    import simplejpeg  # noqa: PLC0415

    colours = "RGB" if image.mode == "RGB" else "Gray"
    try:
        pixels = simplejpeg.decode_jpeg(
            data, colours, fastdct=True, fastupsample=False, strict=False
        )
    except ValueError:
        # A file with a mistake that Pillow overlooks, and so did the web when it was accepted.
        return image
    return Image.frombytes(image.mode, image.size, pixels.tobytes())
