"""The JavaScript client, run by Node: what it answers is what the Python runtime answers."""

import json
import shutil

import pytest

from tests.serving.web.node import WEB, check, node, run_program, run_tests

TYPED = """
import { Bundle, Generator, Predictor, Stream, Tensor } from "keras-seq";
import { folder } from "keras-seq/node";

const bundle: Bundle = await Bundle.load(folder("out/tagger"), { checkFiles: false });
const predictor = await Predictor.create(bundle, { variant: "int8", numThreads: 1 });
const answer = await predictor.predict({ words: [[4, 8, 15], [16, 23]] }, { alpha: 0.5 });
const tags: Tensor | Tensor[] = answer.tags;
const stream = await Stream.create("out/tagger", { keepOutputs: false });
const one: Tensor = (await stream.feed([[1, 2]])).tags;
const saved: Uint8Array = await stream.snapshot();
const generator = await Generator.create(bundle);
for await (const token of generator.stream("a", { seed: 7 })) {
  const text: string | null = token.text;
  console.log(text, token.logProb.toFixed(3), tags, one, saved);
}
// @ts-expect-error: an option that there is not
await Predictor.create(bundle, { threads: 1 });
// @ts-expect-error: no bundle
await Bundle.load(7);
"""


def test_arithmetic_and_files(subtests):
    check(subtests, run_tests("numbers.test.js"))


def test_the_platform(subtests):
    check(subtests, run_tests("platform.test.js"))


def test_types_agree_throughout():
    done = run_program(WEB / "node_modules" / "typescript" / "bin" / "tsc", "--noEmit", cwd=WEB)
    assert done.returncode == 0, done.stdout


def test_declarations_say_what_callers_may_do(tmp_path):
    node()
    package = tmp_path / "node_modules" / "keras-seq"
    package.mkdir(parents=True)
    shutil.copy(WEB / "package.json", package)
    compiler = WEB / "node_modules" / "typescript" / "bin" / "tsc"
    written = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir", package / "types"]
    assert run_program(compiler, *written, cwd=WEB).returncode == 0
    (tmp_path / "program.mts").write_text(TYPED, encoding="utf-8")
    settings = {"target": "es2022", "module": "nodenext", "strict": True, "noEmit": True, "types": []}
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": settings, "files": ["program.mts"]}))
    done = run_program(compiler, "-p", tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_package_is_what_the_project_says_it_is():
    import tomllib

    from tests.repository import ROOT

    package = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (package["version"], package["license"]) == (project["version"], project["license"])
    assert (lock["version"], lock["packages"][""]["dependencies"]) == (package["version"], package["dependencies"])
    assert list(package["dependencies"]) == ["onnxruntime-web"]
    assert package["dependencies"]["onnxruntime-web"].replace(".", "").isdigit()  # one version and no range
    assert "resolved" not in json.dumps(lock)


@pytest.mark.parametrize("name", [path.name for path in sorted((WEB / "src").rglob("*.js"))])
def test_every_module_says_what_it_is_for(name):
    (path,) = (WEB / "src").rglob(name)
    assert path.read_text(encoding="utf-8").startswith("// ")
