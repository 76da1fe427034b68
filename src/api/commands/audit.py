"""casecore audit: for people who must be able to trust the record without trusting us."""

import rich_click as click

from api.commands.verify import verify


@click.group()
def audit() -> None:
    """The proof that nothing was changed: verify it, and take it away."""


audit.add_command(verify)
