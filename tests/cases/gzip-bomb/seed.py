"""A gibibyte of zeros in a few kilobytes: gzip in gzip, as nobody writes it by accident."""

import gzip
import zlib


def zeros(mebibytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    block = bytes(1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(mebibytes)), packer.flush()])


FILES = {
    "meta-data": b"instance-id: i-0001\nlocal-hostname: meta1\n",
    "user-data": gzip.compress(zeros(1024), mtime=0),
}
