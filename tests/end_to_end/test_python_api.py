"""The Python API against a real queue: what the page about Python promises beside its examples."""

from __future__ import annotations

import threading

import pytest
from sandbox import new_sandbox
from waiting import wait_for

from mlq import Queue
from mlq.errors import QueueUnreachableError
from mlq.jobs.lifecycle import Event


def test_waiting_for_a_job_outlives_a_restart_of_the_queue() -> None:
    with new_sandbox() as sandbox:
        sandbox.claim(sandbox.submit())
        queue = Queue.connect(sandbox.environ)
        told: list[str] = []
        queue.tell = told.append
        ended: list[str] = []
        waiter = threading.Thread(target=lambda: ended.append(queue.wait(["1"])[0].state))
        waiter.start()
        client = sandbox.queue().store.client
        wait_for(lambda: client.call("CLIENT", "LIST").count(b"cmd=evalsha") > 0, what="a waiter")
        sandbox.stop_server()
        wait_for(lambda: told, what="word that the queue is away")
        sandbox.start_server()
        sandbox.move("1", Event.SUCCEED)
        waiter.join(30)
    assert ended == ["finished"]
    assert [text.endswith("; waiting until it does") for text in told] == [True] * len(told)


def test_without_a_queue_nobody_waits_for_it() -> None:
    with new_sandbox() as sandbox:
        sandbox.submit()
        queue = Queue.connect(sandbox.environ)
        sandbox.stop_server()
        with pytest.raises(QueueUnreachableError):
            queue.wait(["1"])
