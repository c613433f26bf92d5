"""A hundred thousand brackets: a parser that follows them would run out of stack."""

FILES = {
    "meta-data": b"instance-id: i-0001\nlocal-hostname: meta1\n",
    "user-data": b"#cloud-config\nhostname: web1\nruncmd: " + b"[" * 100_000,
}
