"""Bytes of the remote protocols, written by hand: protobuf fields, snappy blocks, and messages made of them."""
import struct


def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    """A length-delimited field: text, bytes of a message, or packed values."""
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def fixed(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def double(number, value):
    return varint(number << 3 | 1) + struct.pack("<d", value)


def number_field(number, value):
    return varint(number << 3) + varint(value)


def zigzag(n):
    return n << 1 ^ n >> 63


def snappy(plain):
    """A block that holds the text as it is."""
    out = varint(len(plain))
    for at in range(0, len(plain), 65536):
        piece = plain[at:at + 65536]
        out += b"\xf4" + struct.pack("<H", len(piece) - 1) + piece
    return out


def snappy_repeated(part, times):
    """A block of `part` (at most 64 bytes, a divisor of 64) again and again: three bytes for every 64."""
    total = len(part) * times
    out = [varint(total), bytes([(len(part) - 1) << 2]), part]
    left = total - len(part)
    copy = bytes([63 << 2 | 2]) + struct.pack("<H", len(part))
    out.append(copy * (left // 64))
    if left % 64:
        out.append(bytes([(left % 64 - 1) << 2 | 2]) + struct.pack("<H", len(part)))
    return b"".join(out)


def label(name, value):
    return field(1, field(1, name) + field(2, value))


def native_histogram(now_ms):
    return (number_field(1, 6) + double(3, 9.5) + number_field(4, zigzag(3)) + double(5, 0.001) + number_field(6, 1)
            + field(11, number_field(1, zigzag(2)) + number_field(2, 3)) + field(12, varint(zigzag(2)) + varint(zigzag(-1)) + varint(zigzag(1)))
            + number_field(15, now_ms))


def write_v1(now_ms):
    def series(name, samples):
        return field(1, label("__name__", name) + label("job", "wire") + samples)
    samples = b"".join(field(2, double(1, i) + number_field(2, now_ms - 1000 * (9 - i))) for i in range(10))
    exemplar = field(3, label("trace_id", "abc") + double(2, 1) + number_field(3, now_ms))
    return (series("wire_total", samples + exemplar) + series("wire_sizes", field(4, native_histogram(now_ms)))
            + field(3, number_field(1, 1) + field(2, "wire_total") + field(4, "Help.")))


def write_v2(now_ms):
    symbols = ["", "__name__", "wire2_total", "job", "wire", "Help.", "bytes", "trace_id", "abc", "wire2_sizes"]
    refs = field(1, bytes([1, 2, 3, 4]))
    samples = b"".join(field(2, double(1, i) + number_field(2, now_ms - 1000 * (9 - i)) + number_field(3, now_ms - 60000)) for i in range(10))
    exemplar = field(4, field(1, bytes([7, 8])) + double(2, 1) + number_field(3, now_ms))
    metadata = field(5, number_field(1, 1) + number_field(3, 5) + number_field(4, 6))
    sizes = field(5, field(1, bytes([1, 9, 3, 4])) + field(3, native_histogram(now_ms)))
    return b"".join(field(4, text) for text in symbols) + field(5, refs + samples + exemplar + metadata) + sizes


def read_request(now_ms):
    def matcher(kind, name, value):
        return field(3, number_field(1, kind) + field(2, name) + field(3, value))
    hints = field(4, number_field(1, 15000) + field(2, "rate") + number_field(3, now_ms - 60000) + number_field(4, now_ms)
                  + field(5, "job") + number_field(6, 1) + number_field(7, 60000))
    query = number_field(1, now_ms - 60000) + number_field(2, now_ms) + matcher(0, "job", "wire") + matcher(2, "__name__", "wire.*") + hints
    return field(1, query) + field(1, query) + field(2, bytes([1, 0]))


def attribute(number, key, value):
    return field(number, field(1, key) + field(2, field(1, value)))


def otlp_request(now_ns):
    """A counter, a histogram and an exponential histogram of one resource."""
    point = fixed(2, now_ns - 10**10) + fixed(3, now_ns) + double(4, 12.5) + attribute(7, "http.route", "/x")
    counter = field(1, "requests") + field(3, "1") + field(7, field(1, point) + number_field(2, 2) + number_field(3, 1))
    histogram_point = (fixed(2, now_ns - 10**10) + fixed(3, now_ns) + fixed(4, 3) + double(5, 4.5)
                       + field(6, struct.pack("<3Q", 1, 1, 1)) + field(7, struct.pack("<2d", 1, 2.5)))
    histogram = field(1, "latency") + field(3, "s") + field(9, field(1, histogram_point) + number_field(2, 2))
    exponential_point = (fixed(3, now_ns) + fixed(4, 6) + double(5, 9) + number_field(6, 0) + fixed(7, 1)
                         + field(8, number_field(1, 4) + field(2, varint(2) + varint(3))))
    exponential = field(1, "sizes") + field(3, "By") + field(10, field(1, exponential_point) + number_field(2, 2))
    scope = field(1, field(1, "lib") + field(2, "1.0"))
    metrics = field(2, counter) + field(2, histogram) + field(2, exponential)
    resource = field(1, attribute(1, "service.name", "shop") + attribute(1, "service.namespace", "eu")
                     + attribute(1, "service.instance.id", "i-1") + attribute(1, "host.name", "box"))
    return field(1, resource + field(2, scope + metrics))
