"""Jinja templates: `## template: jinja` in the first line.

Cluster API always sends one. The variables are those that templates for cloud-init use: `v1.*`, the same names bare,
and `ds.meta_data.*` with all that meta-data says; hyphens in names are underscores. Jinja runs in its sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guestinit.model.fields import shorten
from guestinit.model.problem import Position, Problems
from guestinit.model.seed import MetaData
from guestinit.reading.decode import MOST_BYTES

MOST_CHARACTERS = 2 * 2**20  # compiling more than that takes minutes


def render(text: str, label: str, variables: Mapping[str, Any], problems: Problems) -> str | None:
    """The text with its variables filled in; None, with a problem that names the line, if that fails.

    The header line stays as an empty one, so that lines keep their numbers as long as the template does not loop.
    """
    _, newline, body = text.lstrip().partition("\n")
    if not newline:
        return ""
    if len(body) > MOST_CHARACTERS:
        problems.error(Position(label), "", f"a template longer than {MOST_CHARACTERS >> 20} MiB", "not read", 0)
        return None
    first_line = text[: len(text) - len(body)].count("\n") + 1
    import jinja2  # delayed: 36 ms that only a template is worth
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # trim_blocks as cloud-init has it: a line with nothing but {% ... %} leaves no empty line behind.
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True, extensions=["jinja2.ext.do"]
    )
    try:
        template = environment.from_string(body)
        rendered = []
        left = MOST_BYTES
        for piece in template.generate(dict(variables)):
            left -= len(piece)
            if left < 0:
                problems.error(Position(label), "", f"the template grows beyond {MOST_BYTES >> 20} MiB", "not read", 0)
                return None
            rendered.append(piece)
        return "\n" * (first_line - 1) + "".join(rendered)
    except jinja2.TemplateSyntaxError as error:
        at = Position(label, first_line - 1 + error.lineno, 1)
        problems.error(at, "", f"not a valid template: {shorten(error.message or '')}", "not read", 0)
    except jinja2.UndefinedError as error:
        at = Position(label, first_line - 1 + _line(error), 1)
        problems.error(
            at, "", f"the template asks for {_missing_name(error.message or '')}, which is not known",
            "not read; give it in meta-data, or write {{ name | default('...') }}", 0,
        )  # fmt: skip
    except Exception as error:  # a filter or an operator that was given the wrong type raises whatever it likes
        at = Position(label, first_line - 1 + _line(error), 1)
        problems.error(at, "", f"the template fails: {type(error).__name__}", "not read", 0)
    return None


def variables(meta: MetaData, datasource: str, machine: Mapping[str, str]) -> dict[str, Any]:
    """What a template may ask for. `machine` are further names of `v1` that the caller knows, such as `distro`."""
    document = dict(meta.document) if isinstance(meta.document, dict) else {}
    keys = [key.value for key in meta.public_keys]
    placement = document.get("placement")  # EC2 has the zone there
    place = {**document, **placement} if isinstance(placement, dict) else document
    v1: dict[str, Any] = {
        **machine,
        "instance_id": meta.instance_id,
        "cloud_name": datasource,
        "platform": datasource,
        "subplatform": f"seed ({datasource})",
        "region": place.get("region"),
        "availability_zone": place.get("availability-zone", place.get("availability_zone")),
        "public_ssh_keys": keys,
    }
    document["instance-id"] = meta.instance_id
    if meta.hostname is not None:
        v1["local_hostname"] = _short(meta.hostname.value)
        document.setdefault("local-hostname", meta.hostname.value)
    v1, document = _with_aliases(v1), _with_aliases(document)
    return {**v1, "v1": v1, "ds": {"meta_data": document}}


def _short(name: str) -> str:
    """What the machine will be called: Nova's "app-1.novalocal" makes a node "app-1", and an address a name."""
    labels = name.split(".")
    is_address = len(labels) == 4 and all(label.isdecimal() for label in labels)
    return f"ip-{'-'.join(labels)}" if is_address else labels[0]


def _with_aliases(value: Any) -> Any:
    """Mappings get each name with hyphens once more with underscores: `a-b` alone would be a subtraction."""
    if isinstance(value, dict):
        aliases = {name.replace("-", "_"): _with_aliases(content) for name, content in value.items()}
        return {**aliases, **{name: aliases[name.replace("-", "_")] for name in value if "-" in name}}
    if isinstance(value, list):
        return [_with_aliases(item) for item in value]
    return value


def _missing_name(message: str) -> str:
    """Jinja says "'x' is undefined" or "'dict object' has no attribute 'x'"; a reader wants to know x."""
    parts = message.split("'")
    return shorten(f"'{parts[-2]}'") if len(parts) > 2 else "something"


def _line(error: BaseException) -> int:
    """The line of the template in which it failed: Jinja gives its frames the template's own numbers."""
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in ("<template>", "<unknown>"):
            line = trace.tb_lineno
        trace = trace.tb_next
    return max(1, line)
