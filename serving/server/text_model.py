"""A loaded model as somebody sees it who has nothing but text."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import numpy as np

from keras_seq.serving.errors import InputError, listed
from keras_seq.serving.generated_token import GeneratedToken
from keras_seq.serving.server.served_model import ServedModel
from keras_seq.serving.server.text_answers import classified, generated, spelt, tagged
from keras_seq.serving.text.bundle_text import BundleText
from keras_seq.serving.text.text_task import TextTask, example_texts, text_tasks

_LARGE = 4096  # numbers from which making JSON of them would hold up everybody else in the event loop


class TextModel:
    """What a loaded model does with text; `text_routes` puts it behind HTTP.

    Args:
        served: The model.
    """

    def __init__(self, served: ServedModel):
        self._bundle = served.bundle  # and not the model, so that whoever keeps this keeps no model from being freed
        self.tasks: dict[str, TextTask] = text_tasks(served.bundle)
        self.examples = example_texts(served.bundle)
        self._texts = {task.graph: BundleText(served.bundle, task.graph) for task in self.tasks.values()}

    def task(self, name: str) -> TextTask:
        """The task of this name.

        Raises:
            InputError: If the model cannot do it; the message says what it can.
        """
        if name not in self.tasks:
            able = (
                f"It can: {listed(self.tasks)}." if self.tasks else "It takes numbers alone: /v2/models has its inputs."
            )
            raise InputError(
                f"Model {self._bundle.manifest.name!r} cannot {name} texts. {able} What it can do "
                "is settled by the tokenizers and labels that it was exported with."
            )
        return self.tasks[name]

    async def label(
        self,
        served: ServedModel,
        task: TextTask,
        texts: Sequence[str],
        output: str | None,
        options: Mapping[str, Any],
        timeout: float,
    ) -> bytes:
        """Tags or classifies.

        Args:
            served: The model.
            task: `tag` or `classify`.
            texts: At least one.
            output: The output that is to answer; None for the task's first.
            options: Of the graph.
            timeout: Seconds until the answer is no use any more.

        Returns:
            JSON, as `TagAnswer` or `ClassifyAnswer` documents it.

        Raises:
            InputError: If there is no such output, or texts or options do not suit.
            DeadlineExceeded: If the answer is not there in time.
            Overloaded: If too much is waiting.
        """
        output = task.output(output)
        start = time.perf_counter()
        answer = await served.predict_text(task.graph, list(texts), options, timeout)
        head = {"output": output, "seconds": _since(start)}
        labels = dict(task.labels)[output]
        if task.name == "tag":
            results = tagged(texts, answer, output, labels, task.inputs)
        else:
            results = classified(texts, answer, output, labels)
        if sum(map(np.size, answer[output])) < _LARGE:
            return spelt({**_who(served), **head}, results)
        return await asyncio.to_thread(spelt, {**_who(served), **head}, results)

    async def generate(
        self,
        served: ServedModel,
        task: TextTask,
        texts: Sequence[str],
        options: Mapping[str, Any],
        timeout: float,
    ) -> bytes:
        """Goes on with prompts, or translates sources.

        Args:
            served: The model.
            task: `generate` or `translate`.
            texts: At least one.
            options: Of the graph.
            timeout: Seconds until the answer is no use any more.

        Returns:
            JSON, as `GenerateAnswer` documents it.

        Raises:
            InputError: If texts or options do not suit.
            DeadlineExceeded: If the answer is not there in time.
            Overloaded: If too much is waiting.
        """
        start = time.perf_counter()
        found = await served.generate_text(list(texts), options, timeout)
        head = {**_who(served), "seconds": _since(start)}
        return await asyncio.to_thread(self._spelt, head, task, texts, found)

    def _spelt(self, head: Mapping[str, Any], task: TextTask, texts: Sequence[str], found: Sequence) -> bytes:
        bundle_text = self._texts[task.graph]
        tokens = bundle_text.tokenizers[task.inputs[0]].tokens(texts)
        return spelt(head, generated(texts, tokens, found, bundle_text.target))

    def stream(
        self, served: ServedModel, task: TextTask, texts: Sequence[str], options: Mapping[str, Any]
    ) -> AsyncIterator[GeneratedToken]:
        """Goes on with one prompt, token by token.

        Args:
            served: The model.
            task: What to do.
            texts: One.
            options: Of the graph that generates.

        Returns:
            The tokens, the end token included.

        Raises:
            InputError: If the task gives nothing away before its end, or there is more than one text.
        """
        if not task.streams:
            raise InputError(
                f"Model {self._bundle.manifest.name!r} cannot {task.name} as a stream: {task.why_no_stream}. Leave "
                "`stream` out, and the answer comes whole."
            )
        if len(texts) > 1:
            raise InputError(f"A stream goes on with one text. Received: {len(texts)}. Ask for each of them by itself.")
        return served.stream_text(texts[0], options)


def _who(served: ServedModel) -> dict[str, str]:
    return {"model": served.name, "version": served.version}


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 6)
