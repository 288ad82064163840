"""Finding events inside one trace: those in which all words stand, by type, service, id, place or payload."""

from eventhub.events.showing import Show
from eventhub.traces.assemble import Step, Trace

LONGEST = 200


def words_of(typed: str) -> tuple[str, ...]:
    """What was typed, as words in lower case."""
    return tuple(typed[:LONGEST].replace("\x00", "").lower().split())


def found_in(trace: Trace, words: tuple[str, ...], show: Show) -> list[int]:
    """The steps (by index, in the order of the tree) in which every word stands, of what `show` lets see."""
    return [step.index for step in trace.steps if _holds(step, words, show)]


def _holds(step: Step, words: tuple[str, ...], show: Show) -> bool:
    said = "\n".join(_said(step)).lower()
    missing = [word for word in words if word not in said]
    if not missing:
        return True
    data = show(step.event).data if step.event else None
    return data is not None and all(word in data.lower() for word in missing)


def _said(step: Step) -> list[str]:
    event = step.event
    said = [step.event_type, step.event_id, step.service or ""]
    if event:
        said += [event.stream or "", event.origin_topic or "", event.message_key or ""]
    said += [f"{one.service} {one.error_class} {one.error_message}" for one in step.deliveries]
    said += [f"{one.failed_in} {one.error_class} {one.error_message} dead letter" for one in step.letters]
    if step.failed:
        said.append("failed error")
    return said
