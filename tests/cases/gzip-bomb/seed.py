"""A gibibyte of zeros in some kilobytes: gzip around gzip, as nobody writes it by accident."""

import gzip

FILES = {
    "meta-data": b"instance-id: i-0001\nlocal-hostname: meta1\n",
    # Members of a gzip file may stand one behind another.
    "user-data": gzip.compress(gzip.compress(bytes(64 << 20), mtime=0) * 16, mtime=0),
}
