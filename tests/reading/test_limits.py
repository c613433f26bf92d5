"""Sixteen megabytes of what is worst for each step: bounded time, bounded memory, one clear answer."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

MEMORY = 700 << 20  # the interpreter, the document in a few copies, and what a parser makes of it
SECONDS = 120  # of CPU, on the slowest machine; something quadratic takes days

PROGRAM = """
import sys
from guestinit.model.image import Image
from guestinit.model.problem import Problems
from guestinit.model.seed import Document, Seed
from guestinit.reading import config

SIZE = 15 << 20
text = eval(sys.argv[1])
problems = Problems()
document = Document("user-data", "user-data", ("#cloud-config\\n" + text).encode()[: 16 << 20])
config.read(Seed("nocloud", "", "", (document,)), Image(), ["hostname", "users"], problems)
print(problems.found[0].position, len(problems.found), max(len(str(problem)) for problem in problems.found))
"""


@pytest.mark.parametrize(
    "text",
    [
        "'\\n' * SIZE + 'a: 1'",
        "'#\\n' * (SIZE // 2) + '{'",
        "'ssh_authorized_keys:\\n- x' + ' ' * SIZE + 'y: z: ['",
        "'ssh_authorized_keys:\\n' + '- ssh-rsa AAAA a: b: c\\n' * (SIZE // 25) + 'x: ['",
        "'a: ' + '-|0' * (SIZE // 3) + ' x\\nssh_authorized_keys: ['",
        "'user: a\\n' * (SIZE // 8) + 'b: ['",
        "''.join(f'k{i}: 1\\n' for i in range(1_000_000)) + '['",
        "'{\"a\": \"' + '\\\\' * SIZE + 'ud83d\\\\ude00\"}'",
        "'{' + '\\n\\t' * (SIZE // 2) + '\"a\": 1}'",
        "'a: \"' + 'x\\n' * (SIZE // 2)",
        "'users:\\n' + '- name: a\\n  ssh_authorized_keys:\\n  - ssh-rsa AAAA a: b\\n' * 12_000",
        "'{a: ' * (SIZE // 4)",
        "'? ' * (SIZE // 2)",
    ],
)
def test_worst_documents(text: str) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))

    path = f"import sys; sys.path[:0] = {sys.path!r}\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", path + PROGRAM, text], capture_output=True, text=True, preexec_fn=limit
    )
    assert done.stderr == ""
    place, count, longest = done.stdout.split()
    assert place.startswith("user-data:")
    assert int(count) <= 3 * 201
    assert int(longest) < 200
