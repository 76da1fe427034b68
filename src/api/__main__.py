"""The command line: casecore, or python -m api."""

import sys

import rich_click as click

from api.commands.audit import audit
from api.commands.bi import bi
from api.commands.demo import demo
from api.commands.exporting import export
from api.commands.history import history
from api.commands.importing import import_file
from api.commands.keys import keys
from api.commands.policy import policy
from api.commands.projections import projections
from api.commands.replay import replay
from api.commands.serving import migrate, serve, work
from api.commands.sla import sla
from casecore.errors import CaseError

FAILED = 1


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="casecore", prog_name="casecore")
def casecore() -> None:
    """Event-sourced case management for complaints.

    Every command works on the PostgreSQL that casecore runs in CASECORE_DATA_DIR (./var), started
    for as long as needed, or on the one that CASECORE_DATABASE_URL names.

    Exit codes: 0 done, 1 refused or failed, 2 not understood.
    """


COMMANDS = (
    serve,
    work,
    demo,
    import_file,
    export,
    history,
    replay,
    policy,
    sla,
    audit,
    keys,
    projections,
    bi,
    migrate,
)

for command in COMMANDS:
    casecore.add_command(command)


def main() -> None:
    try:
        casecore(prog_name="casecore")
    except CaseError as error:
        click.echo(f"casecore: {error}", err=True)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
