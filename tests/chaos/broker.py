"""The embedded broker in a process of its own, controlled by commands on standard input.

A command is one line: `down`, `up`, `create TOPIC`, `refuse TOPIC CODE` (0 ends that), `advertise HOST PORT`;
a line answers it when it is done.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Self

from confluent_kafka import Consumer, TopicPartition

from bot.demo.kafka_broker import BrokerProcess, EmbeddedBroker


class ControllableBroker(BrokerProcess):
    """A broker process that can be controlled while it runs."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.address = self._read()
        for topic in self._topics:
            self.send_command("create", topic)
        return self

    def send_command(self, *order: str) -> None:
        """Send a command and wait until it is done."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(" ".join(order) + "\n")
        self._process.stdin.flush()
        self._read()

    def committed(self, group: str, topic: str) -> int:
        """Return the group's committed offset of a topic; 0 if there is none."""
        with _group_consumer(self.address, group) as consumer:
            (place,) = consumer.committed([TopicPartition(topic, 0)], timeout=20)
            return max(0, int(place.offset))

    def commit(self, group: str, topic: str, offset: int) -> None:
        """Set the group's committed offset, from which it starts the next time."""
        with _group_consumer(self.address, group) as consumer:
            consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)

    def _read(self) -> str:
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise RuntimeError("The broker's process ended.")
        return line


class _group_consumer:  # noqa: N801  a context manager used like a function
    def __init__(self, address: str, group: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": address, "group.id": group, "log_level": 2})

    def __enter__(self) -> Consumer:
        return self._consumer

    def __exit__(self, *_: object) -> None:
        self._consumer.close()


def main() -> None:
    """Serve until standard input ends."""
    with EmbeddedBroker() as broker:
        print(broker.address, flush=True)
        for line in sys.stdin:
            match line.split():
                case ["down"]:
                    broker.set_down()
                case ["up"]:
                    broker.set_up()
                case ["create", topic]:
                    broker.create_topic(topic)
                case ["refuse", topic, code]:
                    broker.refuse_topic(topic, int(code))
                case ["advertise", host, port]:
                    broker.advertise(host, int(port))
                case order:
                    raise ValueError(f"There is no order {order}.")
            print("done", flush=True)


if __name__ == "__main__":
    main()
