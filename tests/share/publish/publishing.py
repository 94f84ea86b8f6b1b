"""The command, run in this process, and what it left on the hub."""

from typer.testing import CliRunner

from leitmotif.cli import app
from tests.share.publish.writable_hub import WritableHub

NAME = "someone/planner"


def publish(hub: WritableHub, *options: str) -> str:
    """Run the command; returns what it prints, raises what it raises."""
    arguments = ["publish", NAME, "--endpoint", hub.address, *options]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def there(hub: WritableHub) -> dict[str, bytes]:
    """Path and content of all that is there but for the hub's own file."""
    return {path: content for path, content in hub.sets[NAME].main.items() if path[0] != "."}
