"""Models loaded, replaced and taken away while they are asked."""

import asyncio
import gc
import shutil
import weakref

import numpy as np
import pytest

from keras_seq.serving import BundleError, NotFound, Predictor, ServingError, Unavailable
from keras_seq.serving.server import ModelRepository, ModelState, ServerSettings
from keras_seq.serving.server import repository as repository_module

INPUTS = {"words": [[4, 2, 3], [5]], "shapes": [np.ones((3, 3)), np.zeros((1, 3))]}


def run(test, *args, **settings):
    """Runs `test(repository)` in a loop of its own, with the repository closed at the end."""

    async def main():
        repository = ModelRepository(*args, settings=ServerSettings(num_threads=1, **settings))
        try:
            return await test(repository)
        finally:
            await repository.close()

    return asyncio.run(main())


def answers_of(path):
    with Predictor(path) as predictor:
        return predictor.predict(INPUTS)


async def assert_answers(model, path):
    answer, expected = await model.predict("model", INPUTS), answers_of(path)
    np.testing.assert_allclose(answer["sentence"], expected["sentence"], atol=1e-6)
    for row, other in zip(answer["tags"], expected["tags"], strict=True):
        np.testing.assert_allclose(row, other, atol=1e-6)


@pytest.fixture
def folder(tmp_path, write_bundle):
    """A model folder: one model without versions, one with three, and things that are no models."""
    root = tmp_path / "models"
    root.mkdir()
    shutil.copytree(write_bundle("plain"), root / "plain")
    for version, seed in (("2", 2), ("10", 3), ("1", 4)):
        shutil.copytree(write_bundle(f"v{version}", seed=seed), root / "tagger" / version)
    shutil.copytree(root / "plain", root / "tagger" / "03")
    shutil.copytree(root / "plain", root / "no.dots")
    (root / "notes").mkdir()
    (root / "readme.txt").write_text("no model")
    return root


def test_all_versions_of_a_folder_are_loaded_and_the_highest_answers(folder):
    async def test(repository):
        assert not repository.ready
        await repository.load_all()
        assert repository.ready
        assert repository.names() == ["plain", "tagger"]
        assert repository.index() == [
            ModelState("plain", "1", "READY"),
            *(ModelState("tagger", version, "READY") for version in ("1", "2", "10")),
        ]
        await assert_answers(repository.get("tagger"), folder / "tagger" / "10")
        await assert_answers(repository.get("tagger", ""), folder / "tagger" / "10")
        await assert_answers(repository.get("tagger", "2"), folder / "tagger" / "2")

    run(test, None, folder)


def test_what_is_not_there_is_named_beside_what_is(folder):
    async def test(repository):
        await repository.load_all()
        with pytest.raises(NotFound, match=r"no model 'parser'. There are: 'plain', 'tagger'"):
            repository.get("parser")
        with pytest.raises(NotFound, match=r"'tagger' has no version '3'. It has: '1', '2', '10'"):
            repository.get("tagger", "3")
        with pytest.raises(NotFound, match=r"'tagger' has no 'tagger.text'. It has: 'tagger'"):
            repository.signature("tagger.text")
        assert repository.signature("tagger", "1")[0].version == "1"

    run(test, None, folder)


@pytest.mark.parametrize(
    "name", ["..", "../models/plain", "plain/", "tagger/1", "/etc", "", ".", "no.dots", "a\0b", "~", "notes", "plain\n"]
)
def test_no_name_leads_out_of_the_folder(folder, name):
    async def test(repository):
        with pytest.raises(NotFound, match="There is no model"):
            await repository.load(name)
        with pytest.raises(NotFound, match="There is no model"):
            repository.get(name)

    run(test, None, folder)


def test_a_model_that_cannot_be_loaded_leaves_the_others(folder, caplog):
    (folder / "plain" / "model.onnx").write_bytes(b"damaged")

    async def test(repository):
        await repository.load_all()
        assert "Model plain was not loaded" in caplog.text
        assert repository.ready
        [state] = [state for state in repository.index() if state.name == "plain"]
        assert state.state == "UNAVAILABLE"
        assert "model.onnx" in state.reason
        await assert_answers(repository.get("tagger"), folder / "tagger" / "10")
        with pytest.raises(Unavailable, match=r"'plain' is not loaded\. Loaded: 'tagger'"):
            repository.get("plain")

    run(test, None, folder)


def test_a_reload_that_fails_leaves_what_was_served(folder, write_bundle):
    async def test(repository):
        await repository.load("plain")
        before = answers_of(folder / "plain")
        (folder / "plain" / "model.onnx").write_bytes(b"damaged")
        with pytest.raises(BundleError):
            await repository.load("plain")
        answer = await repository.get("plain").predict("model", INPUTS)
        np.testing.assert_allclose(answer["sentence"], before["sentence"], atol=1e-6)
        assert repository.index()[0] == ModelState("plain", "1", "READY")

    run(test, None, folder)


def test_reloads_lose_no_request_and_free_what_they_replace(write_bundle):
    old, new = write_bundle("old", seed=1), write_bundle("new", seed=2)
    expected = [answers_of(path)["sentence"] for path in (old, new)]

    async def test(repository):
        await repository.load("toy")
        models, answers, stop = [weakref.ref(repository.get("toy"))], [], False

        async def ask():
            while not stop:
                answers.append(await repository.get("toy").predict("model", INPUTS))

        async with asyncio.timeout(60):
            askers = [asyncio.create_task(ask()) for _ in range(7)]
            for path in (new, old, new):
                repository._bundles["toy"] = path
                await repository.load("toy")
                models.append(weakref.ref(repository.get("toy")))
                await asyncio.sleep(0.02)
            stop = True
            await asyncio.gather(*askers)
        answers.append(await repository.get("toy").predict("model", INPUTS))
        which = [[np.allclose(answer["sentence"], one, atol=1e-6) for one in expected] for answer in answers]
        assert all(sum(row) == 1 for row in which)
        assert which[-1] == [False, True]
        # What callers left is collected by reference counting alone: memory must not wait for the collector.
        await asyncio.sleep(0.01)
        assert [model() is None for model in models] == [True, True, True, False]

    gc.disable()
    try:
        run(test, {"toy": old})
    finally:
        gc.enable()


def test_an_unloaded_model_answers_those_who_have_it_and_nobody_else(folder):
    async def test(repository):
        await repository.load_all()
        held = repository.get("plain")
        await repository.unload("plain")
        await assert_answers(held, folder / "plain")
        with pytest.raises(Unavailable, match="not loaded"):
            repository.get("plain")
        assert repository.index()[0] == ModelState("plain", "1", "UNAVAILABLE", "unloaded")
        with pytest.raises(NotFound, match=r"'plain' is not loaded. Loaded: 'tagger'"):
            await repository.unload("plain")
        await repository.load("plain")
        await assert_answers(repository.get("plain"), folder / "plain")

    run(test, None, folder)


def test_a_reload_takes_up_new_versions_and_drops_those_that_are_gone(folder, write_bundle):
    async def test(repository):
        await repository.load("tagger")
        shutil.copytree(write_bundle("v11", seed=7), folder / "tagger" / "11")
        shutil.rmtree(folder / "tagger" / "2")
        await repository.load("tagger")
        assert [state.version for state in repository.index() if state.name == "tagger"] == ["1", "10", "11"]
        await assert_answers(repository.get("tagger"), folder / "tagger" / "11")

    run(test, None, folder)


def test_memory_is_given_back_when_models_come_and_go(folder, monkeypatch):
    given = []
    monkeypatch.setattr(repository_module, "give_back", lambda: given.append(1))

    async def test(repository):
        await repository.load("plain")
        await repository.load("plain")
        await repository.unload("plain")
        assert len(given) == 3

    run(test, None, folder)


def test_giving_memory_back_works_wherever_it_is_tried():
    repository_module.give_back()


def test_a_closed_repository_answers_nobody(write_bundle):
    async def main():
        repository = ModelRepository({"toy": write_bundle()})
        await repository.load_all()
        model = repository.get("toy")
        await repository.close()
        assert not repository.ready
        for attempt in (lambda: repository.get("toy"), lambda: repository.signature("toy")):
            with pytest.raises(Unavailable, match="shutting down"):
                attempt()
        with pytest.raises(Unavailable, match="shutting down"):
            await repository.load("toy")
        with pytest.raises(Unavailable, match="takes no more requests"):
            await model.predict("model", INPUTS)

    asyncio.run(main())


def test_a_bundle_given_by_name_must_have_a_name_that_can_be_asked(write_bundle, tmp_path):
    with pytest.raises(ServingError, match=r"letters, digits, '-' and '_'. Received: 'a.b'. Give it another"):
        ModelRepository({"a.b": write_bundle()})
    with pytest.raises(ServingError, match="is no folder"):
        ModelRepository(folder=tmp_path / "nowhere")
