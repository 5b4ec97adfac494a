"""Reading the facts of runs, so that whoever reads a journal reads the same in it, a stranger's messages included.

A subject holds one fact. What cannot be read where an attempt's result belongs has taken the result's place for good.
So it is taken for that attempt's failure: the step is tried again, or fails with this reason, and the run does not wait
for a result that can never come. Anything else that cannot be read, or lies where it does not belong, is no fact.
"""

from collections.abc import Iterable, Iterator

from loopy.bus.codec import read_record, record_subject
from loopy.bus.messages import Message
from loopy.bus.subjects import Subjects
from loopy.bus.undecodable import Undecodable
from loopy.runs.records import AttemptFailed, Record


def read_fact(subjects: Subjects, message: Message) -> Record:
    """The fact of a message, which lies where it belongs. Undecodable."""
    record = read_record(message)
    if message.subject != (place := record_subject(subjects, record, _pool(message.subject))):
        raise Undecodable("misplaced", f"a record like this one belongs on {place}")
    return record


def instead_of_result(subjects: Subjects, message: Message, why: Undecodable) -> AttemptFailed | None:
    """The failure of the attempt whose result's place is taken by this message; None when it lies elsewhere."""
    whose = subjects.attempt_of(message.subject)
    if whose is None:
        return None
    run, step, epoch, attempt = whose
    detail = f"a message that is no result took its place: {why.detail}"
    at = message.time
    return AttemptFailed(run, "", step, attempt, "", at, at, why.reason, detail, epoch=epoch)


def _pool(subject: str) -> str:
    """The pool in the subject `<ns>.attempt.<pool>.…`; of any other subject, what nobody asks for."""
    return "".join(subject.split(".", 3)[2:3])


def readable_facts(subjects: Subjects, messages: Iterable[Message]) -> Iterator[Record]:
    """What these messages of a journal say; those that are no facts are left out."""
    for message in messages:
        try:
            yield read_fact(subjects, message)
        except Undecodable as error:
            failure = instead_of_result(subjects, message, error)
            if failure is not None:
                yield failure
