"""What a batch job uses of Ray, in this process: for tests of what the job does with it, in milliseconds."""

import contextlib
import types

import ray.exceptions


class FakeRay:
    """Calls come back one at a time, the last one first. `deaths` says how often a part kills its worker for good."""

    exceptions = ray.exceptions

    def __init__(self):
        self.started, self.killed, self.ran, self.dies, self.fails = 0, 0, [], set(), {}

    @contextlib.contextmanager
    def running(self, address=None, num_cpus=None):
        self.started += 1
        yield self

    def remote(self, **options):
        assert options["max_restarts"] == -1
        return lambda cls: types.SimpleNamespace(remote=lambda *args, **kwargs: self._actor(cls(*args, **kwargs)))

    def _actor(self, worker):
        def run(part):
            self.ran.append(part.output)
            return worker, part, object()

        return types.SimpleNamespace(run=types.SimpleNamespace(remote=run))

    def wait(self, calls, num_returns):
        assert num_returns == 1
        return calls[-1:], calls[:-1]

    def get(self, call):
        worker, part, _ = call
        if part.output in self.dies:
            raise ray.exceptions.RayActorError
        if part.output in self.fails:
            raise ray.exceptions.RayTaskError("run", "Traceback …", self.fails[part.output])
        return worker.run(part)

    def kill(self, actor):
        self.killed += 1
