"""A saga for the storm: each step writes to a table and fails at random. Loaded by real workers."""

import os
import random

from django.db import connection

from eventhub.handlers import PermanentError, Retry, TemporaryError
from eventhub.sagas import Running, Step, Together, saga

PATIENT = Retry(max_attempts=6, base=0.02, cap=0.2)
STEPS = ("reserve", "pay", "pack", "ship")
SCHEMA = "CREATE TABLE storm_effect (id bigserial, key text, step text, kind text)"


def effect(kind: str, step: str):
    def action(saga: Running) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO storm_effect (key, step, kind) VALUES (%s, %s, %s)", [saga.key, step, kind]
            )
        roll = random.random()
        if roll < 0.05:
            raise TemporaryError("busy")
        if kind == "do" and roll > 0.96:
            raise PermanentError("never")

    return action


def step(name: str) -> Step:
    return Step(
        name,
        effect("do", name),
        compensate=effect("undo", name),
        retry=PATIENT,
        compensation_retry=Retry(max_attempts=1000, base=0.02, cap=0.2),
    )


@saga("storm")
class Storm:
    """Four steps, two of them side by side."""

    steps = (step("reserve"), Together(step("pay"), step("pack")), step("ship"))


def perhaps_die(saga: Running) -> None:
    if saga.key == "bomb":
        os._exit(9)


@saga("deadly")
class Deadly:
    """One step, which ends the worker's process for one key."""

    steps = (Step("think", perhaps_die),)
