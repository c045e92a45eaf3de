"""A server that is held by one long script is told as such, by either client."""

from __future__ import annotations

import threading

import redis
from redis_server import RedisServer
from waiting import wait_for

from mlq.store.client import Client, QueueBusyError
from mlq.store.connection import open_client
from mlq.store.wire import UnixClient


def test_who_asks_meanwhile_is_told_that_it_is_busy(redis_server: RedisServer) -> None:
    settings, admin = redis_server.settings, redis_server.admin
    password = settings.password_file.read_text(encoding="utf-8").strip()
    for name in ("busy-reply-threshold", "lua-time-limit"):
        try:
            admin.config_set(name, 10)
        except redis.ResponseError:
            continue
    clients: list[Client] = [
        UnixClient(settings.redis_socket, settings.redis_user, password),
        open_client(settings),
    ]
    for client in clients:
        client.call("PING")

    def hold() -> None:
        try:
            admin.eval("while true do end", 0)
        except redis.RedisError:
            return

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        for client in clients:

            def is_busy(asked: Client = client) -> bool:
                try:
                    asked.call("GET", "mlq:last_number")
                except QueueBusyError as error:
                    return "busy with one long operation" in str(error)
                return False

            wait_for(is_busy)
    finally:
        other = redis.Redis.from_pool(admin.connection_pool)
        other.execute_command("SCRIPT", "KILL")
        holder.join()
        for name in ("busy-reply-threshold", "lua-time-limit"):
            try:
                admin.config_set(name, 5000)
            except redis.ResponseError:
                continue
        for client in clients:
            client.close()
