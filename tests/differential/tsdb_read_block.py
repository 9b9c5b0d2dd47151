#!/usr/bin/env python3
"""A second decoder of blocks, written from the description of the format alone: index, chunk segments, encodings 1 to 6, every checksum.

    tsdb_read_block.py MAKE_BLOCKS [SEED]     compares what it reads with what MAKE_BLOCKS wrote
    tsdb_read_block.py --dump BLOCK           prints the samples of one block
"""
import glob
import os
import random
import struct
import subprocess
import sys
import tempfile

STALE = 0x7FF0000000000002
MASK = (1 << 64) - 1
CRC_TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    CRC_TABLE.append(byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def signed(value, bits=64):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def to_bits(value):
    return struct.unpack(">Q", struct.pack(">d", value))[0]


class Bytes:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, n):
        if self.at + n > len(self.data):
            raise ValueError("cut off")
        self.at += n
        return self.data[self.at - n:self.at]

    def be(self, n):
        return int.from_bytes(self.take(n), "big")

    def uvarint(self):
        out = shift = 0
        while True:
            byte = self.take(1)[0]
            out |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return out & MASK

    def varint(self):
        u = self.uvarint()
        return (u >> 1) ^ -(u & 1)

    def text(self):
        return self.take(self.uvarint())


class Bits:
    def __init__(self, data):
        self.value, self.left = int.from_bytes(data, "big"), len(data) * 8

    def take(self, n):
        if n > self.left:
            raise ValueError("a chunk is cut off")
        self.left -= n
        return (self.value >> self.left) & ((1 << n) - 1)

    def ones(self, most):
        """Length of a run of ones, ended by a zero unless it is `most` long."""
        for n in range(most):
            if not self.take(1):
                return n
        return most

    def go_range(self, n):
        u = self.take(n)
        return u - (1 << n) if n < 64 and u > 1 << (n - 1) else signed(u, n) if n == 64 else u

    def uvarint(self):
        out = shift = 0
        while True:
            byte = self.take(8)
            out |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return out & MASK

    def varint(self):
        u = self.uvarint()
        return (u >> 1) ^ -(u & 1)

    WIDTHS = (0, 3, 6, 9, 12, 18, 25, 56, 64)

    def varbit_int(self):
        width = self.WIDTHS[self.ones(8)]
        return self.go_range(width) if width else 0

    def varbit_uint(self):
        return self.take(self.WIDTHS[self.ones(8)])


class Xor:
    """A stream of floats, each against the one before; bits are kept, not values."""

    def __init__(self, first):
        self.bits, self.lead, self.trail = first, 0, 0

    def window(self, bits, new):
        if new:
            self.lead = bits.take(5)
            significant = bits.take(6) or 64
            self.trail = 64 - self.lead - significant
        self.bits ^= bits.take(64 - self.lead - self.trail) << self.trail

    def next(self, bits):
        if bits.take(1):
            self.window(bits, bits.take(1))
        return self.bits


class Starts:
    """Start times, as encodings 4 to 6 have them behind each sample."""

    def __init__(self, header):
        self.first, self.at = header >> 7, header & 0x7F
        self.start = self.distance = 0

    def read(self, bits, index, t, before):
        if index == 0:
            if self.first:
                self.start = t - bits.varint()
        elif self.at and index >= self.at:
            self.distance = bits.varbit_int() if index == self.at else self.distance + bits.varbit_int()
            self.start = before - self.distance
        return self.start


def xor_chunk(data):
    count = int.from_bytes(data[:2], "big")
    bits = Bits(data[2:])
    t, delta, values = 0, 0, None
    for i in range(count):
        if i == 0:
            t = bits.varint()
            values = Xor(bits.take(64))
        else:
            if i == 1:
                delta = bits.uvarint()
            else:
                delta += bits.go_range((0, 14, 17, 20, 64)[n]) if (n := bits.ones(4)) else 0
            t = signed(t + delta)
            values.next(bits)
        yield t, 0, values.bits


def xor2_chunk(data):
    count = int.from_bytes(data[:2], "big")
    starts, bits = Starts(data[2]), Bits(data[3:])
    t = before = delta = 0
    values = None

    def value_a():
        code = bits.ones(3)
        if code == 3:
            return STALE
        if code:
            values.window(bits, code == 2)
        return values.bits

    for i in range(count):
        before = t
        if i == 0:
            t = bits.varint()
            value = bits.take(64)
            values = Xor(0 if value == STALE else value)
        elif i == 1:
            delta = bits.uvarint()
            t += delta
            value = value_a()
        else:
            code = bits.ones(5)
            if code in (2, 3, 4):
                width = (13, 20, 64)[code - 2]
                delta += signed(bits.take(width), width)
            t += delta
            if code == 0:
                value = values.bits
            elif code == 1:
                values.window(bits, bits.take(1))
                value = values.bits
            elif code == 5:
                value = STALE
            else:
                value = value_a()
        yield t, starts.read(bits, i, t, before), value


def layout_of(bits):
    threshold = bits.take(8)
    threshold = 0 if threshold == 0 else bits.take(64) if threshold == 255 else to_bits(2.0 ** (threshold - 244))
    schema = bits.varbit_int()
    sides = []
    for _ in range(2):
        index, indexes = 0, []
        for _ in range(bits.varbit_uint()):
            length = bits.varbit_uint()
            index += bits.varbit_int()
            indexes += range(index, index + length)
            index += length
        sides.append(indexes)
    bounds = []
    if schema == -53:
        for _ in range(bits.varbit_uint()):
            u = bits.varbit_uint()
            bounds.append(to_bits((u - 1) / 1000.0) if u else bits.take(64))
    return threshold, schema, sides, bounds


def histogram_chunk(data, integer, with_starts):
    head = int.from_bytes(data[:2], "big")
    count = head & 0x3FFF if with_starts else head
    starts = Starts(data[2] if with_starts else 0)
    bits = Bits(data[3:])
    threshold, schema, sides, bounds = layout_of(bits)
    slots = sum(len(side) for side in sides)
    t = delta = 0
    numbers = deltas = None
    for i in range(count):
        before = t
        if i == 0:
            t = bits.varbit_int()
            if integer:
                scalars = [bits.varbit_uint(), bits.varbit_uint()]
                total = Xor(bits.take(64))
                buckets = [bits.varbit_int() for _ in range(slots)]
                numbers, deltas = scalars + buckets, [0] * (slots + 2)
            else:
                scalars = [Xor(bits.take(64)), Xor(bits.take(64))]
                total = Xor(bits.take(64))
                numbers = scalars + [Xor(bits.take(64)) for _ in range(slots)]
        else:
            delta += bits.varbit_int()
            t += delta

            def step(k):
                if integer:
                    deltas[k] += bits.varbit_int()
                    numbers[k] += deltas[k]
                else:
                    numbers[k].next(bits)
            step(0)
            step(1)
            total.next(bits)
            if total.bits != STALE:
                for k in range(2, slots + 2):
                    step(k)
        start = starts.read(bits, i, t, before)
        if total.bits == STALE:
            yield t, start, "stale"
            continue
        if integer:
            counts = []
            k = 2
            for side in sides:
                running = 0
                for _ in side:
                    running += numbers[k]
                    counts.append(to_bits(float(running)))
                    k += 1
            plain = [to_bits(float(n)) for n in numbers[:2]]
        else:
            counts = [n.bits for n in numbers[2:]]
            plain = [n.bits for n in numbers[:2]]
        texts, at = [], 0
        for side in sides:
            texts.append("".join(f"{index}:{counts[at + n]:x}," for n, index in enumerate(side)
                                 if counts[at + n] & (MASK >> 1)))
            at += len(side)
        yield t, start, (f"{schema} {threshold:x} {plain[1]:x} {plain[0]:x} {total.bits:x} "
                         f"[{''.join(f'{b:x},' for b in bounds)}] [{texts[0]}] [{texts[1]}]")


DECODERS = {
    1: xor_chunk,
    2: lambda data: histogram_chunk(data, True, False),
    3: lambda data: histogram_chunk(data, False, False),
    4: xor2_chunk,
    5: lambda data: histogram_chunk(data, True, True),
    6: lambda data: histogram_chunk(data, False, True),
}


def section(data, offset):
    length = int.from_bytes(data[offset:offset + 4], "big")
    content = data[offset + 4:offset + 4 + length]
    assert crc32c(content) == int.from_bytes(data[offset + 4 + length:offset + 8 + length], "big"), "checksum"
    return Bytes(content)


def quote(text):
    return '"' + text.decode().replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_block(path, encodings):
    with open(os.path.join(path, "index"), "rb") as f:
        index = f.read()
    segments = []
    for name in sorted(glob.glob(os.path.join(path, "chunks", "*"))):
        with open(name, "rb") as f:
            segments.append(f.read())
        assert segments[-1][:5] == b"\x85\xbd\x40\xdd\x01"
    assert index[:5] == b"\xba\xaa\xd7\x00\x02"
    toc = Bytes(index[-52:])
    offsets = [toc.be(8) for _ in range(6)]
    assert toc.be(4) == crc32c(index[-52:-4])
    table = section(index, offsets[0])
    symbols = [table.text() for _ in range(table.be(4))]
    assert symbols == sorted(set(symbols)), "symbols are not in order"
    postings = section(index, offsets[5])
    lists = {}
    for _ in range(postings.be(4)):
        assert postings.uvarint() == 2
        key = (postings.text(), postings.text())
        content = section(index, postings.uvarint())
        lists[key] = [content.be(4) for _ in range(content.be(4))]
    assert list(lists) == sorted(lists), "postings are not in order"
    held = {}
    before = None
    for ref in lists[(b"", b"")]:
        entry = Bytes(index, ref * 16)
        body = entry.take(entry.uvarint())
        assert crc32c(body) == entry.be(4), "checksum of a series"
        series = Bytes(body)
        labels = [(symbols[series.uvarint()], symbols[series.uvarint()]) for _ in range(series.uvarint())]
        assert before is None or before < labels, "series are not in order"
        before = labels
        for pair in labels:
            held.setdefault(pair, []).append(ref)
        name = "{" + ", ".join(n.decode() + "=" + quote(v) for n, v in labels) + "}"
        last, place = None, 0
        for i in range(series.uvarint()):
            first = series.varint() if i == 0 else last + series.uvarint()
            last = first + series.uvarint()
            place = series.uvarint() if i == 0 else place + series.varint()
            chunk = Bytes(segments[place >> 32], place & 0xFFFFFFFF)
            length = chunk.uvarint()
            covered = chunk.take(length + 1)
            assert crc32c(covered) == chunk.be(4), "checksum of a chunk"
            encodings.add(covered[0])
            samples = list(DECODERS[covered[0]](covered[1:]))
            assert (samples[0][0], samples[-1][0]) == (first, last), "times of a chunk"
            for t, start, value in samples:
                kind, text = ("F", f"{value:x}") if isinstance(value, int) else ("H", value)
                yield f"{kind} {name} {t} {start} {text}"
    del lists[(b"", b"")]
    assert lists == held, "postings do not say what series have"


def main():
    if sys.argv[1] == "--dump":
        for line in read_block(sys.argv[2], set()):
            print(line)
        return
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="epi-blocks-") as folder:
        made = subprocess.run([sys.argv[1], folder, str(seed)], capture_output=True, text=True, timeout=60)
        if made.returncode != 0:
            sys.exit(made.stderr)
        wanted = made.stdout.splitlines()
        encodings = set()
        read = list(read_block(glob.glob(folder + "/*")[0], encodings))
    for a, b in zip(wanted, read):
        if a != b:
            sys.exit(f"WRONG: written and read differ\n  {a}\n  {b}")
    if len(wanted) != len(read):
        sys.exit(f"WRONG: {len(wanted)} samples were written, {len(read)} read")
    if encodings != set(DECODERS):
        sys.exit(f"WRONG: encodings {sorted(encodings)} only")
    print(f"{len(read)} samples in encodings {sorted(encodings)}: equal")


main()
