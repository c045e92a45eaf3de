"""`mlq pilot`: submits workers to a batch system while jobs of the queue wait."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mlq.errors import InvalidInputError, MlqError
from mlq.units import parse_duration
from mlq_cli.invocation.parser import Parser, add_json, check_text
from mlq_cli.invocation.session import (
    open_queue,
    out_style,
    print_json,
    print_lines,
    print_painted,
    say,
)

if TYPE_CHECKING:
    from mlq.api.queue import Queue
    from mlq.pilots.pool import Pool
    from mlq.settings.settings import Settings
    from mlq_cli.pilots.commands import Commands
    from mlq_cli.pilots.manager import Manager

HELP = "let Slurm, PBS or HTCondor give machines while jobs wait"
EXAMPLES = """\
  mlq pilot slurm --time 4h -- --gres=gpu:1 -c 8 --mem=32G
  mlq pilot slurm --time 4h --max 10 --via login.cluster.org -- -p gpu
  mlq pilot pbs --time 12h -- -l select=1:ncpus=8:mem=32gb
  mlq pilot condor --time 2h -- 'request_cpus = 4' 'request_memory = 8GB'
  mlq pilot slurm --time 10m --once -- -c 2
  mlq pilot ls
  mlq pilot stop 3fa2
  mlq pilot stop --all --now

It stays in this terminal and submits workers of mlq as jobs of that system,
while jobs wait that such a worker could run. What stands after -- are options
of sbatch and qsub, or lines of a submit file."""

_LOOKS = 5  # so many looks of a worker for one of a manager, which asks the system
_MOST = 1000


def configure(parser: Parser) -> None:
    """Add this command's arguments."""
    parser.keep_rest_as("words")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for system, name in (("slurm", "Slurm"), ("pbs", "PBS"), ("condor", "HTCondor")):
        one = actions.add_parser(system, help=f"submit pilots to {name}", allow_abbrev=False)
        _add_options(one)
    listed = actions.add_parser("ls", help="list pools and their pilots", allow_abbrev=False)
    add_json(listed)
    stop = actions.add_parser("stop", help="submit no more pilots", allow_abbrev=False)
    stop.add_argument("pools", nargs="*", metavar="POOL", help="as `mlq pilot ls` shows it")
    stop.add_argument("--all", action="store_true", help="all pools")
    stop.add_argument("--now", action="store_true", help="end the pilots that run, too")
    add_json(stop)
    resume = actions.add_parser("resume", help="go on after a pause", allow_abbrev=False)
    resume.add_argument("pools", nargs="+", metavar="POOL", help="as `mlq pilot ls` shows it")
    add_json(resume)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} --time T [options] [-- ARGS]"
    parser.add_argument(
        "--time", type=parse_duration, required=True, metavar="T", help="how long a pilot lasts"
    )
    parser.add_argument(
        "--max", type=int, default=1, metavar="N", help="how many may exist at once (1)"
    )
    parser.add_argument(
        "--queued", type=int, default=1, metavar="N", help="how many of them may wait to start (1)"
    )
    parser.add_argument(
        "--idle",
        type=parse_duration,
        default=300.0,
        metavar="T",
        help="end a pilot that had no job for so long (5m)",
    )
    parser.add_argument(
        "--after",
        type=parse_duration,
        default=60.0,
        metavar="T",
        help="submit one when a job has waited so long (60s)",
    )
    parser.add_argument("--via", default="", metavar="HOST", help="run sbatch, qsub ... there")
    parser.add_argument("--once", action="store_true", help="submit one now, whatever waits")
    parser.add_argument(
        "--print", action="store_true", help="only show what would be submitted, and how"
    )


def run(args: argparse.Namespace) -> int:
    """Carry out the action that the user typed."""
    if args.action == "ls":
        return _list(as_json=args.json)
    if args.action == "stop":
        return _stop(args)
    if args.action == "resume":
        return _resume(args)
    return _manage(args)


def _manage(args: argparse.Namespace) -> int:
    pool = _pool(args)
    queue = open_queue(patient=not args.print and not args.once)
    if args.print:
        _print(queue, pool)
        return 0
    manager = _manager(queue, pool)
    manager.try_out()
    stored = manager.store()
    if args.once:
        last = manager.once().pilots[-1]
        print_lines([f"{last.name} is job {last.job} of {pool.system}, in pool {pool.id}"])
        return 0
    say(
        f"pool {pool.id} of {pool.system}: up to {pool.most} pilots (Ctrl-C ends only this manager)"
    )
    if stored.paused:
        say(f"it is paused: {stored.paused}; go on with: mlq pilot resume {pool.id}")
    try:
        while True:
            try:
                now = manager.turn()
            except MlqError as error:
                say(str(error).splitlines()[0])
            else:
                if now is not None and now.is_stopped:
                    say(f"pool {pool.id} was stopped, or is in the queue no more")
                    return 0
            time.sleep(_LOOKS * queue.settings.poll_s)
    except KeyboardInterrupt:
        say("no longer submitting; the pilots that exist go on until they are idle or at their end")
        raise


def _pool(args: argparse.Namespace) -> Pool:
    from mlq.pilots.pool import Pool, pool_id

    for name in ("max", "queued"):
        if not 1 <= getattr(args, name) <= _MOST:
            raise InvalidInputError(
                f"--{name} {getattr(args, name)} cannot be used", why=f"it must be 1 to {_MOST}"
            )
    words = tuple(args.words)
    for word in (args.via, *words):
        check_text(word)
        if "\n" in word or "\0" in word:
            raise InvalidInputError(f"{word!r} cannot be used", why="it has a line break")
    identity = (args.action, args.via, words, args.time)
    return Pool(pool_id(*identity), *identity, args.max, args.queued, args.idle, args.after)


def _manager(queue: Queue, pool: Pool) -> Manager:
    from mlq_cli.pilots.manager import Manager

    return Manager(
        queue,
        pool,
        _commands(queue, pool),
        _script(queue.settings, pool),
        lambda: f"{pool.prefix}{secrets.token_hex(3)}",
        say,
    )


def _commands(queue: Queue, pool: Pool) -> Commands:
    from mlq_cli.pilots.commands import Here, There

    if pool.via:
        return There(pool.via, queue.layout.pilots_dir, queue.settings)
    return Here(pool, queue.layout.pilots_dir, os.environ.get("PATH", os.defpath))


def _script(settings: Settings, pool: Pool) -> str:
    from mlq.files.layout import CURRENT, SOFTWARE
    from mlq.pilots.systems import script
    from mlq.settings.settings import CONFIG_VARIABLE, variable

    own = Path(sys.executable).with_name("mlq")
    deployed = settings.root / SOFTWARE / CURRENT / "bin" / "mlq"
    paths = (deployed, own) if pool.via else (own, deployed)
    names = {variable(name) for name in settings._fields} - {variable("machine")}
    names |= {CONFIG_VARIABLE, "XDG_CONFIG_HOME", "XDG_DATA_HOME"}
    passed = {name: os.environ[name] for name in sorted(names) if name in os.environ}
    passed[variable("root")] = str(settings.root)
    return script(pool, tuple(str(one) for one in paths), passed)


def _print(queue: Queue, pool: Pool) -> None:
    import shlex

    from mlq.pilots.systems import submission

    name = f"{pool.prefix}000000"
    text = _script(queue.settings, pool)
    call = submission(pool, name, text, str(queue.layout.pilot_log(name)))
    there = f"ssh {pool.via} " if pool.via else ""
    print_lines([f"{there}{shlex.join(call.words)} <<'END'", *call.stdin.splitlines(), "END"])


def _list(*, as_json: bool) -> int:
    from mlq_cli.pilots.manager import pools_of
    from mlq_cli.pilots.table import pool_json, pool_table

    queue = open_queue()
    known = pools_of(queue)
    pools = [_refreshed(queue, one) if one.living else one for one in known.pools.values()]
    if as_json:
        print_json(pool_json(one, known.now_s) for one in pools)
    elif pools:
        print_painted(pool_table(pools, known.now_s, out_style()))
    else:
        print_lines(["there are no pilots; see: mlq pilot --help"])
    return 0


def _refreshed(queue: Queue, pool: Pool) -> Pool:
    """Return a pool as it is now; as it was last, if its system cannot be asked from here."""
    try:
        return _manager(queue, pool).refresh()
    except MlqError as error:
        say(f"pool {pool.id} is shown as it was last seen: {error.what}")
        return pool


def _stop(args: argparse.Namespace) -> int:
    from mlq_cli.pilots.manager import change, pools_of

    if bool(args.pools) == args.all:
        raise InvalidInputError("which pools?", fix="name some, or say --all")
    queue = open_queue()
    known = pools_of(queue).pools
    stopped = []
    for pool_id in known if args.all else args.pools:
        pool = change(
            queue, pool_id, lambda one, _: None if one is None else one._replace(is_stopped=True)
        )
        ended = []
        if pool.living:
            manager = _manager(queue, pool)
            pool = manager.refresh()
            ended = manager.cancel(pool, running=args.now)
        _forget_if_over(queue, manager.refresh() if ended else pool)
        stopped.append({"pool": pool_id, "ended": ended})
        if not args.json:
            left = len(pool.living) - len(ended)
            goes_on = f"; {left} run on until they are idle" if left else ""
            print_lines([f"pool {pool_id} is stopped; {len(ended)} pilots were ended{goes_on}"])
    if args.json:
        print_json(stopped)
    return 0


def _forget_if_over(queue: Queue, pool: Pool) -> None:
    from mlq.store.pilots import keep_pool

    if not pool.living:
        keep_pool(queue.store, pool.id, pool.text(), "")


def _resume(args: argparse.Namespace) -> int:
    from mlq.pilots.decide import resumed
    from mlq_cli.pilots.manager import change

    queue = open_queue()
    done = []
    for pool_id in args.pools:
        pool = change(queue, pool_id, lambda one, _: None if one is None else resumed(one))
        done.append({"pool": pool_id, "stopped": pool.is_stopped})
        if not args.json:
            more = "; start its manager again, it is stopped" if pool.is_stopped else ""
            print_lines([f"pool {pool_id} goes on{more}"])
    if args.json:
        print_json(done)
    return 0
