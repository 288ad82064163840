"""The named processes as plans to decide by."""

from eventhub.traces.models import Process
from eventhub.traces.processes.standing import Plan, PlannedStep


def plan_of(process: Process) -> Plan:
    """A process as it is in the database."""
    return Plan(
        start_type=process.start_type,
        deadline_s=process.deadline_s,
        steps=tuple(
            PlannedStep(
                event_type=step.event_type,
                role=step.role,
                after=step.after,
                within_s=step.within_s,
                undoes=step.undoes,
            )
            for step in process.steps.all()
        ),
    )


def plans() -> dict[str, tuple[Process, Plan]]:
    """Every process that is switched on, by the type that begins it."""
    return {
        process.start_type: (process, plan_of(process))
        for process in Process.objects.filter(enabled=True).prefetch_related("steps")
    }
