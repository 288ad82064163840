"""Of a framework's stylesheet only what is used is vendored."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "pruning.py"
spec = importlib.util.spec_from_file_location("pruning", SCRIPT)
assert spec is not None
assert spec.loader is not None
pruning = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pruning)


@pytest.mark.parametrize(
    ("css", "left"),
    [
        (".btn{color:red}.card{margin:0}", ".btn{color:red}"),
        (".btn,.card{margin:0}", ".btn{margin:0}"),
        (".btn .card{margin:0}a.btn:hover{top:0}", "a.btn:hover{top:0}"),
        ("body{margin:0}", "body{margin:0}"),
        ("@media (min-width:1px){.card{top:0}}", ""),
        ("@media (min-width:1px){.card{top:0}.btn{top:0}}", "@media (min-width:1px){.btn{top:0}}"),
        ("@keyframes card{from{top:0}to{top:1px}}", "@keyframes card{from{top:0}to{top:1px}}"),
        ("/*! a licence with .card{} in it */.card{top:0}", "/*! a licence with .card{} in it */"),
        ('.btn::after{content:"}.card{"}', '.btn::after{content:"}.card{"}'),
        (":is(.btn,.other):not(.card){top:0}", ""),
        (".put-together{top:0}.put{top:0}", ".put-together{top:0}"),
        (".w-1\\/2{top:0}", ""),
        ('@charset "UTF-8";.btn{top:0}', '@charset "UTF-8";.btn{top:0}'),
    ],
)
def test_what_names_only_classes_in_use_is_left(css: str, left: str) -> None:
    assert pruning.prune(css, {"btn", "other", "put-"}) == left


def test_the_names_in_use_are_all_words_of_the_files(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<a class="btn btn-{{ kind }} is-on">')
    assert {"btn", "btn-", "is-on"} <= pruning.words([page])
