// Reads segments.png. A canvas would cut its 16 bits down to 8, so the PNG is decoded here.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const GREY = 0;
const BITS = 16;

/** What the map says where the model does not see the image. */
export const UNSEEN = 65535;

/**
 * Decode a 16-bit grey PNG, reduced so that no side is longer than `longest` pixels.
 *
 * Rows are unpacked as they are inflated: of a map of 40 megapixels only what is kept is in memory.
 */
export async function readLabelMap(buffer, longest) {
  const { width, height, data } = chunksOf(new Uint8Array(buffer));
  const step = Math.max(1, Math.ceil(Math.max(width, height) / longest));
  const rows = new Rows({ width, height, step });
  const reader = new Blob(data).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) rows.take(part.value);
  return rows.finish();
}

function chunksOf(bytes) {
  const view = new DataView(bytes.buffer);
  if (!SIGNATURE.every((value, at) => bytes[at] === value)) throw new Error("not a PNG");
  const found = { data: [] };
  for (let at = 8; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (kind === "IHDR") {
      found.width = view.getUint32(at + 8);
      found.height = view.getUint32(at + 12);
      const [bits, colour, , , interlaced] = bytes.subarray(at + 16, at + 21);
      if (bits !== BITS || colour !== GREY || interlaced) throw new Error("not a label map");
    }
    if (kind === "IDAT") found.data.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  return found;
}

/** Takes inflated bytes in any pieces, undoes the filter of each row and keeps every step-th. */
class Rows {
  constructor({ width, height, step }) {
    this.step = step;
    this.width = Math.ceil(width / step);
    this.height = Math.ceil(height / step);
    this.labels = new Uint16Array(this.width * this.height);
    this.row = new Uint8Array(width * 2 + 1);
    this.above = new Uint8Array(width * 2 + 1);
    this.filled = 0;
    this.y = 0;
  }

  take(bytes) {
    for (let at = 0; at < bytes.length; ) {
      const some = Math.min(this.row.length - this.filled, bytes.length - at);
      this.row.set(bytes.subarray(at, at + some), this.filled);
      this.filled += some;
      at += some;
      if (this.filled === this.row.length) this.endRow();
    }
  }

  endRow() {
    unfilter(this.row, this.above);
    if (this.y % this.step === 0) {
      const start = (this.y / this.step) * this.width;
      for (let x = 0, at = 1; x < this.width; x += 1, at += 2 * this.step) {
        this.labels[start + x] = (this.row[at] << 8) | this.row[at + 1];
      }
    }
    [this.row, this.above] = [this.above, this.row];
    this.filled = 0;
    this.y += 1;
  }

  finish() {
    if (this.y === 0) throw new Error("an empty label map");
    return { labels: this.labels, width: this.width, height: this.height };
  }
}

/** Undo the filter of a row in place. Byte 0 is the filter's number; pixels have two bytes. */
function unfilter(row, above) {
  const kind = row[0];
  for (let at = 1; at < row.length && kind; at += 1) {
    const left = at > 2 ? row[at - 2] : 0;
    const up = above[at];
    const corner = at > 2 ? above[at - 2] : 0;
    row[at] += kind === 1 ? left : kind === 2 ? up : kind === 3 ? (left + up) >> 1 : paeth(left, up, corner);
  }
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [toLeft, toUp, toCorner] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
