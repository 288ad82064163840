"""A report that CI systems show: JUnit's XML, a test case a schema."""

from collections.abc import Sequence
from xml.etree import ElementTree

import msgspec


class Case(msgspec.Struct, frozen=True):
    """One schema that was checked."""

    name: str
    # What is wrong, a line each; empty when nothing is.
    failures: Sequence[str]


def report(cases: Sequence[Case]) -> str:
    """The XML."""
    failed = sum(bool(case.failures) for case in cases)
    suite = ElementTree.Element(
        "testsuite", name="schemas check", tests=str(len(cases)), failures=str(failed), errors="0"
    )
    for case in cases:
        element = ElementTree.SubElement(suite, "testcase", classname="schemas", name=case.name)
        if case.failures:
            failure = ElementTree.SubElement(element, "failure", message=case.failures[0])
            failure.text = "\n".join(case.failures)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
