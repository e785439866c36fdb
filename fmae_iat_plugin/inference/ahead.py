# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Work that is done ahead in threads, in order, with a bound on what waits."""

import queue
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Generator, Iterable


def prefetch(items: Iterable, size: int) -> Generator[Any, None, None]:
    """The same items, computed ahead in a thread: at most ``size`` wait; errors come out here."""
    waiting: queue.Queue = queue.Queue(size)
    stop, end = threading.Event(), object()

    def put(value) -> bool:
        while not stop.is_set():
            try:
                waiting.put(value, timeout=.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        finally:
            put(end)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            while (item := waiting.get()) is not end:
                yield item
            future.result()
        finally:
            stop.set()


def map_ahead(function: Callable, items: Iterable, threads: int) -> Generator[Any, None, None]:
    """``function`` of the items, computed ahead in threads, in the order of the items.

    As many results as there are threads wait at most; errors come out here.
    """
    running: deque = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                running.append(pool.submit(function, item))
                if len(running) > threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
