"""What the Ray Serve application is made of, and what is refused before anything starts. Ray itself: test_ray.py."""

import asyncio
import sys

import pytest

from keras_seq.serving import BundleError, InputError, ServingError
from keras_seq.serving.ray_app import RayAppSettings, build
from keras_seq.serving.ray_replica import RayReplica, _FixedRepository
from keras_seq.serving.server.settings import ServerSettings


def test_bundles_are_called_like_their_folders_unless_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = RayAppSettings(bundle="out/tagger, pos:/models/v7 ,")
    assert settings.bundles() == {"tagger": tmp_path / "out" / "tagger", "pos": (tmp_path / "/models/v7")}


def test_settings_of_the_command_line_are_texts():
    """`serve run` gives `name=value` as texts."""
    settings = RayAppSettings.model_validate(
        {"bundle": "x", "replicas": "2", "num_cpus": "3", "max_batch_tokens": "64", "timeout_seconds": "1.5"}
    )
    assert settings.replicas == 2
    assert settings.server_settings() == ServerSettings(workers=3, max_batch_tokens=64, timeout_seconds=1.5)
    settings = RayAppSettings.model_validate({"num_threads": "5", "workers": "2", "tokens": ["secret"]})
    assert settings.server_settings() == ServerSettings(num_threads=5, workers=2, tokens=("secret",))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"max_batch": 3},
            r"There is no setting 'max_batch'. Valid names: bundle, folder, replicas,.*max_batch_tokens",
        ),
        ({"port": 3}, r"There is no setting 'port'."),
        ({"max_rows": "many"}, r"max_rows: Input should be a valid integer.* Received: 'many'."),
        ({"max_rows": 0}, r"`max_rows` must be a positive integer"),
        ({"bundle": "a/x,b/x"}, r"`bundle` names 'x' twice. Give each a name of its own: NAME:PATH."),
        ({"max_replicas": 1, "replicas": 2}, r"`max_replicas` must be at least replicas=2. Received: 1."),
    ],
)
def test_settings_that_do_not_suit_are_refused(masked_path, settings, message):
    with pytest.raises(InputError, match=message):
        build({"bundle": str(masked_path), **settings})


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, ServingError, r"There is nothing to serve. Give bundle=PATH, or folder=PATH."),
        ({"folder": "nowhere"}, ServingError, r"nowhere is no folder. Make it, or name another."),
        ({"bundle": "nowhere"}, BundleError, r"nowhere does not exist."),
    ],
)
def test_what_cannot_be_served_is_refused(settings, error, message):
    with pytest.raises(error, match=message):
        build(RayAppSettings(**settings))


def test_without_ray_the_message_says_what_to_install(masked_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "ray.serve", raising=False)
    with pytest.raises(
        ServingError, match=r"needs Ray, which is not installed. Install it with: pip install 'keras_seq"
    ):
        build(RayAppSettings(bundle=str(masked_path)))


def test_the_deployment_is_as_the_settings_say(masked_path):
    pytest.importorskip("ray", reason="ray is not installed: pip install 'keras_seq[ray]'")
    settings = {"bundle": str(masked_path), "num_cpus": 0.5, "max_ongoing_requests": 7, "max_queued_requests": 11}
    settings["drain_seconds"] = 3
    application = build({**settings, "replicas": 2})
    deployment = application._bound_deployment
    limits = (deployment.num_replicas, deployment.max_ongoing_requests, deployment.max_queued_requests)
    assert limits == (2, 7, 11)
    assert deployment.ray_actor_options["num_cpus"] == 0.5
    assert deployment._deployment_config.graceful_shutdown_timeout_s == 3
    application = build({**settings, "replicas": 2, "max_replicas": 5, "target_ongoing_requests": 3})
    scaling = application._bound_deployment._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas, scaling.target_ongoing_requests) == (2, 5, 3)


def test_models_of_a_replica_stay_as_they_were_at_the_start(masked_path):
    async def use():
        repository = _FixedRepository({"tagger": masked_path})
        await repository.load_all()
        for change in (repository.load, repository.unload):
            with pytest.raises(
                InputError, match=r"'tagger' is served by several replicas, and this would change one of"
            ):
                await change("tagger")
        assert repository.ready
        await repository.close()

    asyncio.run(use())


def test_a_replica_is_ill_where_no_model_could_be_loaded(write_bundle, monkeypatch):
    monkeypatch.setattr(RayReplica, "_here", None)
    RayReplica.check_health()  # it has not started yet
    path = write_bundle()
    (path / "model.onnx").write_bytes(b"damaged")

    async def start():
        replica = RayReplica({"tagger": str(path)}, None, ServerSettings())
        replica._repository = _FixedRepository({"tagger": path})
        await replica._repository.load_all()
        return replica

    monkeypatch.setattr(RayReplica, "_here", asyncio.run(start()))
    with pytest.raises(ServingError, match=r"No model can be asked. tagger: .*model.onnx.* is truncated"):
        RayReplica.check_health()
