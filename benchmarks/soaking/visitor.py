"""A visitor over HTTP: asks by chance, compares what comes, and sometimes leaves without waiting."""

import asyncio
import contextlib
import json
import random
from collections.abc import Sequence

import numpy as np

from soaking.client import Answer, Client, Lost
from soaking.oracle import Oracle, differences
from soaking.tally import Tally

SENT_AWAY = (429, 503, 504)
_DTYPES = {"int32": "INT32", "float32": "FP32"}


class Visitor:
    """One of many that ask at the same time.

    Args:
        port: Of the server.
        oracles: The models.
        tally: Where results go.
        rng: Decides everything.
        tolerance: Of floats, between an answer in company and alone.
    """

    def __init__(self, port: int, oracles: Sequence[Oracle], tally: Tally, rng: random.Random, tolerance: float):
        self.port, self.tally, self.rng, self.tolerance = port, tally, rng, tolerance
        self.client = Client(port)
        self.numbers = [oracle for oracle in oracles if oracle.predictor is not None]
        self.labelling = [oracle for oracle in oracles if oracle.texts and oracle.labels]
        self.writers = [oracle for oracle in oracles if oracle.texts and oracle.generator is not None]

    async def visit(self):
        """One visit of a kind chosen by chance."""
        kinds = {self.ask_json: 5, self.ask_binary: 5, self.ask_nonsense: 2, self.leave_early: 2, self.look_around: 1}
        if self.labelling:
            kinds[self.ask_text] = 3
        if self.writers:
            kinds |= {self.ask_events: 2, self.ask_to_write: 1}
        kind = self.rng.choices(list(kinds), list(kinds.values()))[0]
        try:
            await kind()
        except Lost as error:
            self.tally.note_lost(f"{kind.__name__}: {error}")
        except ConnectionError as error:
            self.tally.note_lost(f"{kind.__name__}: {type(error).__name__} {error}")
            self.client.leave()

    def close(self):
        """Leave for good."""
        self.client.leave()

    async def ask_json(self):
        """Numbers as lists in JSON."""
        oracle = self.rng.choice(self.numbers)
        inputs, number = oracle.draw_inputs(self.rng), str(self.rng.getrandbits(32))
        answer = await self.client.ask(f"/v2/models/{oracle.name}/infer", _as_json(inputs, number))
        if self._served("JSON", oracle, answer):
            content = answer.json()
            found = {one["name"]: np.reshape(one["data"], one["shape"]) for one in content["outputs"]}
            wrong = "" if content.get("id") == number else f"answers {content.get('id')}, not {number}"
            self._judge("JSON", oracle, wrong or self._compare(found, oracle.predictor.predict(inputs)))

    async def ask_binary(self):
        """Numbers as binary data, there and back."""
        oracle = self.rng.choice(self.numbers)
        inputs = oracle.draw_inputs(self.rng)
        head = {"inputs": [], "parameters": {"binary_data_output": True}}
        for name, value in inputs.items():
            parameters = {"binary_data_size": value.nbytes}
            shape, datatype = list(value.shape), _DTYPES[value.dtype.name]
            head["inputs"].append({"name": name, "shape": shape, "datatype": datatype, "parameters": parameters})
        text = json.dumps(head).encode()
        body = text + b"".join(value.tobytes() for value in inputs.values())
        headers = {"Inference-Header-Content-Length": str(len(text))}
        answer = await self.client.ask(f"/v2/models/{oracle.name}/infer", body, headers)
        if self._served("binary", oracle, answer):
            found = _read_binary(answer)
            self._judge("binary", oracle, self._compare(found, oracle.predictor.predict(inputs)))

    async def ask_text(self):
        """Texts to tag or to classify."""
        oracle = self.rng.choice(self.labelling)
        texts = oracle.draw_texts(self.rng)
        output = self.rng.choice(list(oracle.labels))
        each_step = "time" in next(spec.shape for spec in oracle.predictor.outputs if spec.name == output)
        task = "tag" if each_step else "classify"
        answer = await self.client.ask(f"/v1/{oracle.name}/{task}", {"texts": texts, "output": output})
        if self._served(task, oracle, answer):
            results, expected = answer.json()["results"], oracle.predictor.predict_text(texts)
            if each_step:
                found = [[(token["text"], token["label"]) for token in result["tokens"]] for result in results]
                rows = zip(expected["tokens"], expected[f"{output}.labels"], strict=True)
                right = [list(zip(*row, strict=True)) for row in rows]
            else:
                found, right = [result["label"] for result in results], expected[f"{output}.labels"]
            self._judge(task, oracle, "" if found == right else f"{found}, not {right}")

    async def ask_to_write(self):
        """A prompt to go on with, the answer whole."""
        oracle = self.rng.choice(self.writers)
        texts = oracle.draw_texts(self.rng)
        answer = await self.client.ask(f"/v1/{oracle.name}/generate", {"texts": texts})
        if self._served("generate", oracle, answer):
            found = [[one["text"] for one in result["hypotheses"]] for result in answer.json()["results"]]
            right = [[one.text for one in hypotheses] for hypotheses in oracle.generator.generate_text(texts)]
            self._judge("generate", oracle, "" if found == right else f"{found}, not {right}")

    async def ask_events(self):
        """A prompt to go on with, token by token; sometimes left in the middle."""
        oracle = self.rng.choice(self.writers)
        text, patience = self.rng.choice(oracle.texts), self.rng.choice([None, None, None, 1, 2])
        body, ids, last = {"text": text, "stream": True}, [], None
        async with contextlib.aclosing(self.client.events(f"/v1/{oracle.name}/generate", body)) as events:
            async for name, data in events:
                last = name, data
                if name == "token":
                    ids.append(data["id"])
                if patience is not None and len(ids) >= patience:
                    self.client.leave()
                    self.tally.aborted["events"] += 1
                    return
        if last is not None and last[0] == "refused":
            self._served("events", oracle, Answer(last[1]["status"], {}, last[1]["body"].encode()))
        elif last is not None and last[0] == "error" and last[1]["code"] in ("overloaded", "unavailable"):
            self.tally.sent_away["events"] += 1
        else:
            right = [token.id for token in oracle.generator.stream(text)]
            done = last is not None and last[0] == "done"
            self._judge("events", oracle, "" if done and ids == right else f"{ids} and {last}, not {right}")

    async def ask_nonsense(self):
        """Something that must be refused, with an error that says why."""
        oracle = self.rng.choice(self.numbers)
        path, good = f"/v2/models/{oracle.name}/infer", _as_json(oracle.draw_inputs(self.rng), "x")
        first = good["inputs"][0]
        bad: list[tuple[str, bytes | dict, dict[str, str]]] = [
            (path, b"{", {}),
            (path, {"inputs": []}, {}),
            (path, {"inputs": [{**first, "name": "no_such_input"}]}, {}),
            (path, {"inputs": [{**first, "shape": [1, 10**9]}]}, {}),
            (path, {"inputs": [{**first, "datatype": "FP64", "data": ["x"]}]}, {}),
            (path, b"\x00\xff" * 50, {"Inference-Header-Content-Length": "999999"}),
            (path, b"{}", {"Inference-Header-Content-Length": "-1"}),
            ("/v2/models/no_such_model/infer", good, {}),
            ("/v2/models/..%2F..%2Fetc/infer", good, {}),
            (f"/v1/{oracle.name}/translate", {"text": 5}, {}),
            (path, good, {"X-Timeout-Seconds": "soon"}),
        ]
        where, body, headers = self.rng.choice(bad)
        answer = await self.client.ask(where, body, headers)
        if answer.status in SENT_AWAY:
            self.tally.sent_away["nonsense"] += 1
            return
        fields = answer.json() if answer.headers.get("content-type") == "application/json" else {}
        refused = 400 <= answer.status < 500 and isinstance(fields.get("error"), str) and "code" in fields
        self._judge(
            "nonsense", oracle, "" if refused else f"{where}, {body!r:.200} got {answer.status} {answer.body!r:.200}"
        )

    async def leave_early(self):
        """A request whose client goes: in the middle of the body, or while the answer is being computed."""
        oracle = self.rng.choice(self.numbers)
        body = json.dumps(_as_json(oracle.draw_inputs(self.rng), "left")).encode()
        share = self.rng.choice([0.3, 0.9, 1.0, 1.0])
        await self.client.send(f"/v2/models/{oracle.name}/infer", body, share=share)
        await asyncio.sleep(self.rng.choice([0, 0.001, 0.005, 0.03]))
        self.client.leave()
        self.tally.aborted["whole request" if share == 1 else "half a request"] += 1

    async def look_around(self):
        """Health, metadata and metrics."""
        path = self.rng.choice(["/v2/health/live", "/v2/health/ready", "/v2", "/metrics", "/v1/models"])
        answer = await self.client.ask(path)
        if answer.status in SENT_AWAY:
            self.tally.sent_away["looking around"] += 1
        elif answer.status == 200:
            self.tally.right["looking around"] += 1
        else:
            self.tally.note_wrong(f"{path} got {answer.status} {answer.body[:200]!r}")

    def _served(self, kind: str, oracle: Oracle, answer: Answer) -> bool:
        """Whether there is an answer to compare; counts it where there is none."""
        if answer.status == 200:
            return True
        if answer.status in SENT_AWAY or (answer.status == 404 and oracle.comes_and_goes):
            self.tally.sent_away[kind] += 1
        else:
            self.tally.note_wrong(f"{kind}, {oracle.name}: {answer.status} {answer.body[:300]!r}")
        return False

    def _judge(self, kind: str, oracle: Oracle, wrong: str):
        if wrong:
            self.tally.note_wrong(f"{kind}, {oracle.name}: {wrong}")
        else:
            self.tally.right[kind] += 1

    def _compare(self, found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> str:
        return differences(found, expected, self.tolerance)


def _as_json(inputs: dict[str, np.ndarray], number: str) -> dict:
    tensors = []
    for name, value in inputs.items():
        shape, datatype = list(value.shape), _DTYPES[value.dtype.name]
        tensors.append({"name": name, "shape": shape, "datatype": datatype, "data": value.ravel().tolist()})
    return {"id": number, "inputs": tensors}


def _read_binary(answer: Answer) -> dict[str, np.ndarray]:
    position = int(answer.headers["inference-header-content-length"])
    found = {}
    for one in json.loads(answer.body[:position])["outputs"]:
        size = one["parameters"]["binary_data_size"]
        found[one["name"]] = np.frombuffer(answer.body[position : position + size], np.float32).reshape(one["shape"])
        position += size
    return found
