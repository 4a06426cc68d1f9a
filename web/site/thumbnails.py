"""Small copies of pictures, remembered in this process."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from PIL import Image

from worker import images

_SIDE = 480
_QUALITY = 78
_REMEMBERED = 512


class Thumbnails:
    """Makes each small copy once and forgets those that were not asked for longest.

    One takes some 20 kB. Decoding large uploads is what costs, and the same lists are shown again
    and again.
    """

    def __init__(self) -> None:
        self._made: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def of(self, key: str, read: Callable[[], bytes]) -> bytes:
        """Return a WebP copy of at most 480 pixels a side.

        Parameters
        ----------
        key : str
            Names the picture and its version.
        read : callable
            Returns the picture: a PNG, JPEG or WebP file.
        """
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
        # Outside of the lock: threads that come at once may each make it, and none has to wait.
        made = _small(read())
        with self._lock:
            self._made[key] = made
            while len(self._made) > _REMEMBERED:
                self._made.popitem(last=False)
        return made


def _small(data: bytes) -> bytes:
    picture = images.decode(data).image
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=_QUALITY, method=2)
    return buffer.getvalue()
