"""Every command: its name, the line that sums it up, its description and its examples. Imports nothing heavy."""

import argparse
from collections.abc import Callable
from typing import NamedTuple

from loopy.cli import arguments
from loopy.cli.parser import Parser

Configure = Callable[[argparse.ArgumentParser], None]


class Command(NamedTuple):
    """A command of `loopy`. `loopy.cli.<name>` holds what it does, as `run(args) -> exit code`."""

    name: str
    summary: str
    about: str
    examples: tuple[str, ...]
    configure: Configure


COMMANDS = (
    Command(
        "init", "scaffold a project that compiles and rehearses",
        "Write a small project: a registry, a workflow of two steps, a webhook sensor and a skill.\n"
        "Nothing that exists is overwritten.",
        ("loopy init my-automation",), arguments.init_arguments,
    ),
    Command(
        "compile", "check a project and write its plan",
        "Read a project's files without running them and check that every reference resolves, every type fits\n"
        "and no step is orphaned. All mistakes are reported in one go.",
        ("loopy compile", "loopy compile examples/ai-sre --check", "loopy compile --format github --strict"),
        arguments.compile_arguments,
    ),
    Command(
        "run", "host a project: webhooks, schedules and every step",
        "Compile a project and serve it: all five services in one process, on an embedded NATS server whose store\n"
        "is the project's .loopy/, or on the server of --nats. An edit of the project serves new runs at once, if it\n"
        "compiles. Ends with Ctrl-C; what was under way goes on next time.",
        (
            "loopy run --rehearse", "loopy run --nats nats://127.0.0.1:4222 --namespace staging",
            "loopy run --rehearse --deliver /hooks/sentry=issue.json --once",
        ),
        arguments.run_arguments,
    ),
    Command(
        "serve", "run one service as a process of its own",
        "Run one of the five services against a NATS server. Settings come from LOOPY_* in the environment; flags\n"
        "come before them. Logs are JSON when they do not go to a terminal.",
        ("loopy serve executor --nats nats://127.0.0.1:4222", "LOOPY_NATS_URL=nats://nats:4222 loopy serve dispatcher"),
        arguments.serve_arguments,
    ),
    Command(
        "trigger", "publish an event, and watch what follows",
        "Check an event against its declared type, publish it, and print its id. With --wait, show the cascade\n"
        "live and end when it is done: exit 1 if any run of it failed.",
        (
            "loopy trigger Question --field text='Is anybody there?' --field asked_by=Ada --wait",
            "loopy trigger Incident --json incident.json",
        ),
        arguments.trigger_arguments,
    ),
    Command(
        "runs", "list, show, cancel, pause, resume and retry runs; replay events",
        "List the newest runs, or show one: its steps with outcomes, durations, outputs and attempts, the events that\n"
        "it emitted and the runs that those started. `cancel` ends runs and stops their agents. `pause` lets nothing\n"
        "new begin in them, until `resume`. `retry` runs again what failed and all after it, or from a step on, with\n"
        "the same input or an edited one. `replay` publishes an event's data as a new event, so that its workflows\n"
        "run again, and prints the new id. Who did what, when and why is recorded with the run.",
        (
            "loopy runs", "loopy runs list --workflow triage --outcome failed", "loopy runs show 3f9a01c2",
            "loopy runs cancel 3f9a01c2 --why 'wrong repository'",
            "loopy runs retry 3f9a01c2 --from fix --set event.title='Disk full' --wait",
            "loopy runs retry --workflow triage --since 1d", "loopy runs replay 51d0c3a97b20e6f4a8c1d2e3 --wait",
        ),
        arguments.runs_arguments,
    ),
    Command(
        "control", "show or change what holds for all runs: halt, resume, close, open",
        "Show what is held back, or change it. `halt` lets no attempt begin, of any workflow or of one; what is\n"
        "executing goes on to its end, events are still let in, schedules still fire. `resume` undoes it. `close`\n"
        "lets no event in: what comes is kept on the bus and starts its runs once it is opened (`open`); runs that\n"
        "are there already go on. Who had it so, when and why, is recorded.",
        (
            "loopy control", "loopy control halt --why 'the model provider is down'",
            "loopy control halt --workflow triage", "loopy control resume --workflow triage",
            "loopy control close --why 'upgrade'", "loopy control open",
        ),
        arguments.control_arguments,
    ),
    Command(
        "dead", "list messages that could not be processed; replay or drop them",
        "List the messages that a service set aside because it could not process them, with the reason. `show` prints\n"
        "one with its headers and bytes, `replay` gives it to the same service once more, `drop` settles it for good.\n"
        "Who did so, and when, is recorded. Exit 1 when one of them could not be replayed or dropped.",
        (
            "loopy dead", "loopy dead show EVT-17", "loopy dead replay EVT-17 RUN-3",
            "loopy dead replay --reason handler_failed", "loopy dead drop --stream EVT --reason unknown_event --yes",
        ),
        arguments.dead_arguments,
    ),
    Command(
        "deliveries", "list webhook deliveries and what became of them",
        "List the raw webhook deliveries on the bus. A delivery that its sensor could not map is kept with the error.",
        ("loopy deliveries", "loopy deliveries --failed --json"), arguments.deliveries_arguments,
    ),
    Command(
        "tap", "print what passes on the bus, one line a message",
        "Follow the bus and print each message, decoded, until Ctrl-C.",
        ("loopy tap", "loopy tap WorkItem --json", "loopy tap 'run.end.>' --since 1h"), arguments.tap_arguments,
    ),
    Command(
        "explain", "explain a diagnostic's code",
        "Print the page of a code: what it means, an example, and how to mend it.",
        ("loopy explain LP302", "loopy explain"), arguments.explain_arguments,
    ),
    Command(
        "doctor", "say what a run with real agents still needs",
        "Check this machine and the project. Each line says what is well (✓), missing (✗) or worth a look (!), and\n"
        "what to do about it. Exit 1 when something is missing.",
        ("loopy doctor", "loopy doctor examples/ai-sre --json"), arguments.doctor_arguments,
    ),
)  # fmt: skip


def named(name: str) -> Command | None:
    """The command of that name."""
    return next((command for command in COMMANDS if command.name == name), None)


def parser_of(command: Command) -> Parser:
    """The parser of one command's arguments."""
    examples = "Examples:\n" + "\n".join(f"  {line}" for line in command.examples)
    parser = Parser(f"loopy {command.name}", description=command.about, epilog=examples)
    command.configure(parser)
    return parser
