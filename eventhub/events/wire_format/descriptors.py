"""Protobuf schemas as descriptors: from .proto text by the compiler that grpcio-tools brings, or from Base64."""

import base64
import binascii
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from eventhub.events.wire_format.schema import BadSchema, Schema

# The schema itself among the files that are compiled: a name that no reference has.
MAIN = "eventhub-main.proto"
# What schemas may import without naming it as a reference, beside what comes with the compiler.
OWN = Path(__file__).parent / "protos"
TIMEOUT_S = 60.0


class Descriptors:
    """What a schema describes, and all that it imports."""

    def __init__(self, schema: Schema, dependencies: Mapping[str, Schema]) -> None:
        """Raises BadSchema."""
        files = _files(schema, dependencies)
        self.pool = DescriptorPool()
        try:
            for file in _in_order(files):
                self.pool.Add(file)
            self._main: FileDescriptor = self.pool.FindFileByName(MAIN)
        except (TypeError, KeyError) as error:
            raise BadSchema(f"Its descriptors do not fit together: {str(error).strip()[:300]}.") from error
        self._messages = next(file for file in files if file.name == MAIN).message_type

    def message_type(self, indexes: tuple[int, ...]) -> Descriptor | None:
        """The message type that `indexes` lead to: of the file's messages, then of those nested in that one, and so on.

        The order in which they were written counts. None when there is no such message.
        """
        messages: Sequence[DescriptorProto] = self._messages
        descriptor: Descriptor | None = None
        for index in indexes:
            if not 0 <= index < len(messages):
                return None
            name = messages[index].name
            by_name = descriptor.nested_types_by_name if descriptor else self._main.message_types_by_name
            descriptor, messages = by_name[name], messages[index].nested_type
        return descriptor


def _files(schema: Schema, dependencies: Mapping[str, Schema]) -> list[FileDescriptorProto]:
    """The schema's file, named `MAIN`, and those that it imports."""
    binary = {name: _from_base64(used.text, name) for name, used in {**dependencies, MAIN: schema}.items()}
    whole = [file for file in binary.values() if file]
    texts = {name: used.text for name, used in {**dependencies, MAIN: schema}.items() if not binary[name]}
    wanted = {name for file in whole for name in file.dependency} - binary.keys()
    if not texts and not wanted:
        return whole
    compiled = _compile(texts, whole, wanted)
    return [*whole, *(file for file in compiled if file.name not in {known.name for known in whole})]


def _from_base64(text: str, name: str) -> FileDescriptorProto | None:
    """A FileDescriptorProto in Base64, as clients that have no text register it; None when it is .proto text."""
    try:
        file = FileDescriptorProto.FromString(base64.b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError, DecodeError):
        return None
    file.name = name
    return file


def _compile(
    texts: Mapping[str, str], whole: list[FileDescriptorProto], wanted: set[str]
) -> list[FileDescriptorProto]:
    """`texts` by file name, and the files `wanted` of those that come along, with all that they import."""
    with tempfile.TemporaryDirectory(prefix="eventhub-protoc-") as name:
        folder = Path(name)
        for file_name, text in texts.items():
            path = folder / _safe(file_name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        given = folder / "eventhub-given.set"
        given.write_bytes(FileDescriptorSet(file=whole).SerializeToString())
        found = folder / "eventhub-found.set"
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={folder}"]
        command += [f"--proto_path={place}" for place in well_known_places()]
        if whole:
            command += [f"--descriptor_set_in={given}"]
        command += [f"--descriptor_set_out={found}", "--include_imports", *sorted({*texts, *wanted})]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise BadSchema(f"It was not compiled within {TIMEOUT_S:.0f} s.") from None
        if done.returncode:
            reason = (done.stderr.strip() or "the compiler does not say why").replace(f"{folder}/", "")
            raise BadSchema(f"It does not compile: {reason.replace(MAIN, 'the schema')[:600].rstrip('.')}.")
        return list(FileDescriptorSet.FromString(found.read_bytes()).file)


def _safe(file_name: str) -> str:
    """A reference's name as a path below the folder; it must not lead out of it."""
    path = PurePosixPath(file_name)
    if path.is_absolute() or ".." in path.parts or "\x00" in file_name or not path.parts:
        raise BadSchema(f"It imports {file_name!r}, which is no name for a file.")
    return str(path)


def well_known_places() -> list[Path]:
    """The folders of google/protobuf/*.proto, google/type/*.proto and confluent/*.proto."""
    places = [OWN]
    for package, up in (("grpc_tools", "_proto"), ("google.type", "../..")):
        spec = importlib.util.find_spec(package)
        if spec and spec.submodule_search_locations:
            places.append((Path(next(iter(spec.submodule_search_locations))) / up).resolve())
    return places


def _in_order(files: list[FileDescriptorProto]) -> Iterator[FileDescriptorProto]:
    """`files` so that each comes after those it imports; each name once."""
    by_name = {file.name: file for file in reversed(files)}
    done: set[str] = set()

    def visit(file: FileDescriptorProto) -> Iterator[FileDescriptorProto]:
        if file.name in done:
            return
        done.add(file.name)
        for name in file.dependency:
            if name in by_name:
                yield from visit(by_name[name])
        yield file

    for file in files:
        yield from visit(file)
