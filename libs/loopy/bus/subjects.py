"""The grammar of subjects. Kind first and id later, so that filters and permissions are literal prefixes.

    <ns>.evt.<Type tokens>.<event id>           events; the dots of a type are tokens
    <ns>.delivery.<sensor>.<delivery id>        raw webhook deliveries
    <ns>.failed.<sensor>.<delivery id>          a delivery that its sensor could not map, with the error
    <ns>.firing.cron.<workflow>.<unix>          due schedules
    <ns>.firing.poll.<sensor>.<unix>            due polls
    <ns>.firing.done.<workflow>.<unix>          a schedule's firing whose run succeeded
    <ns>.firing.polled.<sensor>.<unix>          a poll's firing whose events are on the bus
    <ns>.firing.passed.<workflow>.<unix>        a due time of a schedule that was passed over
    <ns>.firing.seen.<name>.<digest>            when a schedule or poll was first seen
    <ns>.run.<kind>.<run>._[.<epoch or _>]      the facts of a run: start admit pause resume cancel failed end
    <ns>.run.skip.<run>.<step>.<epoch>          a step that is not to run
    <ns>.run.result.<run>.<step>.<epoch>.<n>    how an attempt ended
    <ns>.run.routed.<cascade>.<event id>        the runs that an event started
    <ns>.attempt.<pool>.<run>.<step>.<epoch>.<n>  attempts, for the executors of a pool
    <ns>.timer.<run>.<step>.<epoch>.<n>         a retry that waits; it fires as <ns>.fire.<same>
    <ns>.lease.<run>.<step>.<epoch>.<n>         who executes an attempt, or did
    <ns>.slot.<name>.<digest of the key>        the runs that hold a slot or wait for it
    <ns>.spend.<cascade>.<date>.<run>.<step>.<epoch>.<n>  what an attempt spent
    <ns>.plan.<hash>                            compiled projects
    <ns>.control.all                            what holds for everything: whether attempts begin, events are let in
    <ns>.control.workflow.<workflow>            whether attempts of a workflow begin
    <ns>.key.<name>                             secrets that services share, such as what dispatchers seal with
    <ns>.dead.<stream>.<sequence>               messages set aside, with the reason
    <ns>.archive.<run>                          all facts of a run that ended, when its own messages are deleted
    <ns>.settled.<stream>.<sequence>            what became of one: it was replayed or dropped, by whom
    <ns>.replay.<subject>.<sequence>            one put back for the consumer of its subject
    <ns>.blob.<owner>.<sha256>.<bytes>.<n>      a chunk of a payload that is too large for its message
    <ns>.tap.evt.<Type tokens>.<event id>       a copy of each stored event, for those who watch

Names of steps, workflows and sensors are tokens as they stand (the compiler sees to it); ids from outside are escaped.
"""

import hashlib
import re

import msgspec

NAMESPACE = re.compile(r"[a-z][a-z0-9-]{0,31}")
DEFAULT_NAMESPACE = "loopy"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_KEY_BYTES = 16
_ESCAPED = re.compile(r"(?:=[0-9a-f]{2})+")


class NamespaceError(ValueError):
    """A namespace that cannot begin a subject."""

    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"namespace {namespace!r} must be a lower-case letter, then at most 31 lower-case letters, digits, hyphens"
        )


def token(text: str) -> str:
    """`text` as one subject token: every byte but letters, digits, `_` and `-` becomes `=hh`; no two texts meet."""
    return _UNSAFE.sub(lambda m: "".join(f"={byte:02x}" for byte in m[0].encode()), text)


def untoken(text: str) -> str:
    """The inverse of `token`; what `token` never makes, a stranger's token, is taken as it stands."""
    try:
        original = _ESCAPED.sub(lambda m: bytes.fromhex(m[0].replace("=", "")).decode(), text)
        return original if token(original) == text else text
    except ValueError:
        return text


class Subjects(msgspec.Struct, frozen=True):
    """Every subject of one namespace."""

    namespace: str = DEFAULT_NAMESPACE

    def __post_init__(self) -> None:
        if not NAMESPACE.fullmatch(self.namespace):
            raise NamespaceError(self.namespace)

    def under(self, *tokens: str) -> str:
        """The namespace and these tokens, joined."""
        return ".".join((self.namespace, *tokens))

    def event(self, event_type: str, event_id: str) -> str:
        """Where an event is stored, by its type."""
        return self.under("evt", event_type, token(event_id))

    def event_of(self, subject: str) -> tuple[str, str]:
        """The (type, id's token) of an event's subject; ValueError when it is not one."""
        tokens = subject.removeprefix(self.under("evt", "")).split(".")
        if not subject.startswith(self.under("evt", "")) or len(tokens) < 2:
            raise ValueError(f"{subject!r} is not an event's subject: <namespace>.evt.<Type>.<id>")
        return ".".join(tokens[:-1]), tokens[-1]

    def delivery(self, sensor: str, delivery_id: str) -> str:
        """Where a raw delivery is stored."""
        return self.under("delivery", sensor, token(delivery_id))

    def failed_delivery(self, sensor: str, delivery_id: str) -> str:
        """Where the error of a delivery is stored that its sensor could not map."""
        return self.under("failed", sensor, token(delivery_id))

    def cron_firing(self, workflow: str, at: int) -> str:
        """A schedule's firing that was due at `at`, seconds since 1970."""
        return self.under("firing", "cron", workflow, str(at))

    def poll_firing(self, sensor: str, at: int) -> str:
        """A poll's firing that was due at `at`, seconds since 1970."""
        return self.under("firing", "poll", sensor, str(at))

    def firing_done(self, workflow: str, at: int) -> str:
        """The mark of a schedule's firing whose run succeeded."""
        return self.under("firing", "done", workflow, str(at))

    def poll_done(self, sensor: str, at: int) -> str:
        """The mark of a poll's firing whose events are on the bus."""
        return self.under("firing", "polled", sensor, str(at))

    def firing_passed(self, workflow: str, at: int) -> str:
        """The mark of a due time that was passed over: the last run was under way, or nobody was there to fire."""
        return self.under("firing", "passed", workflow, str(at))

    def firing_seen(self, name: str, digest: str) -> str:
        """The mark of when a schedule or poll was first seen; `digest` is of what it says, so a change counts anew."""
        return self.under("firing", "seen", name, digest)

    def start(self, run: str) -> str:
        """`RunStarted`."""
        return self.under("run", "start", run, "_")

    def result(self, run: str, step: str, epoch: int, attempt: int) -> str:
        """`AttemptSucceeded` or `AttemptFailed`: an attempt ends once."""
        return self.under("run", "result", run, step, str(epoch), str(attempt))

    def attempt_of(self, subject: str) -> tuple[str, str, int, int] | None:
        """The (run, step, epoch, attempt) of a result's subject; None when it is not one."""
        tokens = subject.removeprefix(self.under("run", "result", "")).split(".")
        if not subject.startswith(self.under("run", "result", "")) or len(tokens) != 4:
            return None
        run, step, epoch, attempt = tokens
        if not (epoch.isascii() and epoch.isdecimal() and attempt.isascii() and attempt.isdecimal()):
            return None
        return run, step, int(epoch), int(attempt)

    def results(self, run: str = "*", step: str = "*") -> str:
        """The filter that selects every result of a step (of all, by default)."""
        return self.under("run", "result", run, step, ">")

    def skip(self, run: str, step: str, epoch: int) -> str:
        """`StepSkipped`."""
        return self.under("run", "skip", run, step, str(epoch))

    def admit(self, run: str, epoch: int) -> str:
        """`RunAdmitted`."""
        return self.under("run", "admit", run, "_", str(epoch))

    def pause(self, run: str, epoch: int) -> str:
        """`RunPaused`."""
        return self.under("run", "pause", run, "_", str(epoch))

    def resume(self, run: str, epoch: int) -> str:
        """`RunResumed`."""
        return self.under("run", "resume", run, "_", str(epoch))

    def cancel(self, run: str) -> str:
        """`RunCancelled`."""
        return self.under("run", "cancel", run, "_", "_")

    def failed(self, run: str, epoch: int) -> str:
        """`RunFailed`."""
        return self.under("run", "failed", run, "_", str(epoch))

    def every(self, kind: str, run: str = "*") -> str:
        """The filter that selects the facts of one kind, of a run (of all, by default)."""
        return self.under("run", kind, run, ">")

    def end(self, run: str) -> str:
        """`RunEnded`."""
        return self.under("run", "end", run, "_", "_")

    def said_of(self, run: str) -> str:
        """The filter that selects all that was said of a run as a whole since its start; as a rule only its end."""
        return self.under("run", "*", run, "_", ">")

    def is_said_of(self, subject: str, run: str) -> bool:
        """Whether the filter `said_of` selects this subject of the run's journal."""
        return f".{run}._." in subject

    def journal(self, run: str) -> str:
        """The filter that selects every fact of a run."""
        return self.under("run", "*", run, ">")

    def routed(self, cascade: str, event_id: str) -> str:
        """`EventRouted`."""
        return self.under("run", "routed", token(cascade), token(event_id))

    def cascade(self, cascade: str) -> str:
        """The filter that selects every `EventRouted` of a cascade."""
        return self.under("run", "routed", token(cascade), ">")

    def attempts_of(self, run: str) -> str:
        """The filter that selects every attempt of a run."""
        return self.under("attempt", "*", run, ">")

    def timers_of(self, run: str) -> list[str]:
        """The filters that select every timer of a run, waiting or fired."""
        return [self.under(kind, run, ">") for kind in ("timer", "fire")]

    def leases_of(self, run: str) -> str:
        """The filter that selects every lease of a run."""
        return self.under("lease", run, ">")

    def archive(self, run: str) -> str:
        """All facts of a run that ended."""
        return self.under("archive", run)

    def attempt(self, pool: str, run: str, step: str, epoch: int, attempt: int) -> str:
        """`AttemptRequested`."""
        return self.under("attempt", pool, run, step, str(epoch), str(attempt))

    def timer(self, run: str, step: str, epoch: int, attempt: int) -> str:
        """The timer of an attempt that is to be requested later."""
        return self.under("timer", run, step, str(epoch), str(attempt))

    def fire(self, run: str, step: str, epoch: int, attempt: int) -> str:
        """What a timer publishes when it is due."""
        return self.under("fire", run, step, str(epoch), str(attempt))

    def lease(self, run: str, step: str, epoch: int, attempt: int) -> str:
        """Who executes an attempt, or did."""
        return self.under("lease", run, step, str(epoch), str(attempt))

    def slot(self, name: str, key: str) -> str:
        """The runs that hold a slot or wait for it; keys may be long, so their digest stands for them."""
        digest = hashlib.blake2b(key.encode(), digest_size=_KEY_BYTES).hexdigest() if key else "_"
        return self.under("slot", token(name), digest)

    def spend(self, cascade: str, date: str, run: str, step: str, epoch: int, attempt: int) -> str:
        """What an attempt spent."""
        return self.under("spend", token(cascade), date, run, step, str(epoch), str(attempt))

    def spend_of_cascade(self, cascade: str) -> str:
        """The filter that selects all that was spent in a cascade."""
        return self.under("spend", token(cascade), ">")

    def spend_on(self, date: str) -> str:
        """The filter that selects all that was spent on a day."""
        return self.under("spend", "*", date, ">")

    def control(self, workflow: str | None) -> str:
        """What somebody had hold for a workflow; None: for everything. The last message holds."""
        return self.under("control", "all") if workflow is None else self.under("control", "workflow", workflow)

    def controls(self) -> str:
        """The filter that selects all that somebody had hold."""
        return self.under("control", ">")

    def key(self, name: str) -> str:
        """A secret that services share."""
        return self.under("key", name)

    def plan(self, plan: str) -> str:
        """A compiled project, by its hash."""
        return self.under("plan", plan)

    def chunk(self, blob: str, number: int) -> str:
        """One chunk of a blob."""
        return self.under("blob", blob, str(number))

    def blobs(self, owner: str) -> str:
        """The filter that selects every chunk of an owner's blobs."""
        return self.under("blob", owner, ">")

    def dead(self, stream: str, sequence: int) -> str:
        """A message of a stream that was set aside."""
        return self.under("dead", stream, str(sequence))

    def settled(self, stream: str, sequence: int) -> str:
        """What became of a message that was set aside."""
        return self.under("settled", stream, str(sequence))

    def replay(self, subject: str, sequence: int) -> str:
        """Where a message of a subject that was set aside is put back; `sequence` is its dead letter's."""
        return self.under("replay", subject.removeprefix(self.under("")), str(sequence))

    def replayed(self, subject: str) -> str:
        """The subject of the message that was put back on this one; the inverse of `replay`."""
        return self.under(subject.removeprefix(self.under("replay", "")).rpartition(".")[0])

    def tap(self, event_type: str = ">") -> str:
        """What those subscribe to who watch events of a type (of all, by default)."""
        return self.under("tap", "evt", event_type if event_type == ">" else f"{event_type}.>")
