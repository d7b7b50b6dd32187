"""How many processors a load takes, and how many streams a machine holds: the figures of docs/scaling.md.

    python benchmarks/capacity.py [BUNDLE] [--data FOLDER] [--seconds 4] [--streams 500]

The first table asks `keras-seq serve` as benchmarks/serving.py does and divides by the processor time that a request
takes, which the load generator on the same machine does not change. The second opens as many WebSockets as told, each
fed with 20 steps, and looks by how much the server has grown: on models made here, one with LSTM states and one that
keeps keys and values of all steps.
"""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

import numpy as np
from serving_parts.measuring import measure_load
from serving_parts.questions import BinaryForm, JSONForm, corpus_lengths, draw_questions
from serving_parts.servers import Server, python
from timing import markdown_table
from websockets.asyncio.client import connect

from keras_seq.serving import Bundle, Predictor

USE = 0.7  # of a processor: beyond, queues grow faster than the load
WANTED = (100, 1_000, 10_000)  # requests a second
STEPS = 20
VOCABULARY = 1000


def print_requests(bundle: Path, data: Path | None, seconds: float) -> None:
    """Processor time of a request, and what follows."""
    corpus, lengths = corpus_lengths(data)
    with Predictor(bundle, num_threads=1) as predictor:
        questions = draw_questions(predictor, lengths, 512)
    path, rows = f"/v2/models/{bundle.name}/infer", []
    command = python("-m", "keras_seq.cli", "serve", str(bundle), "--port", "{port}", "--no-log-requests")
    with Server(command, "/v2/health/ready") as server:
        for form, title in ((BinaryForm(path), "v2 binary"), (JSONForm(path), "v2 JSON")):
            for count in (1, 32):
                figures = measure_load(server, questions, form, seconds=seconds, seed=0, concurrency=count)
                each = figures.server_cpu_seconds
                cores = [f"{wanted * each / USE:.1f}" for wanted in WANTED]
                rows.append([f"{title}, {count} at a time", f"{each * 1e3:.2f}", f"{1 / each:.0f}", *cores])
    print(f"\n{bundle.name}, a row a request, lengths of {corpus} (mean {np.mean(lengths):.0f}):\n")
    wanted = [f"cores for {n}/s" for n in WANTED]
    print(markdown_table(["", "CPU ms a request", "requests/s a core", *wanted], rows))


def make_models(folder: Path) -> list[Path]:
    """Bundles to stream: two LSTMs of 256 units, and a decoder of 4 layers of 256 features."""
    import keras

    import keras_seq
    from keras_seq.export import export_model

    ids = keras.Input((None,), dtype="int32", name="ids")
    x = keras.layers.Embedding(VOCABULARY, 64)(ids)
    for _ in range(2):
        x = keras_seq.LSTM(256, return_sequences=True)(x)
    lstm = keras.Model(ids, keras.layers.Dense(17, name="tags")(x), name="lstm")
    x = keras.layers.Embedding(VOCABULARY, 256)(ids)
    x = keras_seq.TransformerDecoder(4, 4, 512, cross_attention=False)(x)
    attention = keras.Model(ids, keras.layers.Dense(17, name="tags")(x), name="attention")
    for model in (lstm, attention):
        export_model(model, folder / model.name, formats="onnx", streaming=True, verify=False)
    return [folder / "lstm", folder / "attention"]


async def feed_all(port: int, name: str, count: int, chunks: int, server: Server) -> list[float]:
    """Opens streams and feeds each `chunks` times; gives what is resident after each round, in MB."""
    address, resident = f"ws://127.0.0.1:{port}/v1/{name}/stream", []
    sockets = [await connect(address, compression=None) for _ in range(count)]
    message = json.dumps({"inputs": {"ids": [7] * STEPS}})
    for _ in range(chunks):
        for socket in sockets:
            await socket.send(message)
            answer = json.loads(await socket.recv())
            if "outputs" not in answer:
                raise SystemExit(f"A stream failed: {answer}")
        resident.append(server.resident_mb())
    await asyncio.gather(*(socket.close() for socket in sockets))
    return resident


def print_streams(count: int) -> None:
    """Memory of a stream, and what follows."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for path in make_models(Path(folder)):
            states = Bundle.load(path).graph("step").states
            command = python("-m", "keras_seq.cli", "serve", str(path), "--port", "{port}", "--no-log-requests")
            with Server(command, "/v2/health/ready") as server:
                # The first few warm the server up, so that what it keeps for itself is not counted as theirs.
                before = asyncio.run(feed_all(server.port, path.name, 5, 2, server))[-1]
                after = asyncio.run(feed_all(server.port, path.name, count, 2, server))
            for chunk, resident in enumerate(after, start=1):
                steps = chunk * STEPS
                sizes = [np.prod([d if isinstance(d, int) else steps for d in state.shape[1:]]) for state in states]
                each = (resident - before) / count * 1e3
                held = sum(sizes) * 4 / 1e3
                rows.append([path.name, str(steps), f"{held:.0f}", f"{each:.0f}", f"{1e6 / each:.0f}"])
    print(f"\n{count} streams over WebSockets:\n")
    print(markdown_table(["model", "steps so far", "states kB", "server kB a stream", "streams a GB"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, nargs="?", default=Path("out/tagger"), help="default: out/tagger")
    parser.add_argument("--data", type=Path, help="folder with CoNLL-U files; default: lines of Python source")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--streams", type=int, default=500, help="how many")
    arguments = parser.parse_args()
    if not (arguments.bundle / "bundle.json").exists():
        parser.error(f"there is no bundle at {arguments.bundle}: `make demo` writes one to out/tagger")
    print_requests(arguments.bundle, arguments.data, arguments.seconds)
    print_streams(arguments.streams)


if __name__ == "__main__":
    main()
