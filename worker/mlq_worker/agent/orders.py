"""From a claim to the order that the supervisor carries out.

A worker runs nothing that it cannot verify: the signature covers exactly the stored text, and the
text names the job's id, so neither an altered job nor a copy under another id passes.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterable

from mlq.errors import SignatureError
from mlq.files.layout import Layout
from mlq.files.strict_files import JOB_BYTES
from mlq.ids import is_valid_id
from mlq.jobs.attempt import AttemptId
from mlq.jobs.needs import needs_of
from mlq.jobs.past import spec_params
from mlq.jobs.placement import GpuOffer
from mlq.jobs.request import JobClass
from mlq.jobs.signing import verify
from mlq.jobs.spec import FunctionCall, JobSpec
from mlq.jobs.stop_signal import read_stop_signal
from mlq.jobs.strict_spec import NotStrictError, check_spec, parse_spec
from mlq.settings.settings import Settings
from mlq.store.replies import Claim
from mlq.store.templates import is_short
from mlq_worker.agent.batch_environment import Attempt, batch_order, batch_variables
from mlq_worker.agent.context import MachineContext
from mlq_worker.agent.copied_code import start_folder
from mlq_worker.agent.job_environment import environment, share_of_gpu
from mlq_worker.ipc.values import CodeOrder, Copied, Order, Share, StopSignal


def read_spec(
    claim: Claim, context: MachineContext, rq_data: bytes, rq_timeout_s: float | None = None
) -> JobSpec:
    """Return the job that was claimed, verified.

    Args:
        claim: the claim.
        context: this worker's machine.
        rq_data: the `data` field of the job's hash, for a job that came by plain rq.
        rq_timeout_s: the time limit that rq wrote there; None if there is none.

    Raises:
        SignatureError: the worker must not run the job; `why` says why.
    """
    if not is_valid_id(claim.id):
        raise SignatureError("the job's id cannot be used", why="it is no name for a folder")
    if not claim.signature:
        if not context.settings.allow_unsigned:
            raise SignatureError(
                "the job is not signed",
                why="it did not come through mlq; the setting allow_unsigned = true would run it",
            )
        return _unsigned(claim, context, rq_data, rq_timeout_s)
    if context.key is None:
        raise SignatureError("no signing key on this machine", why=str(context.settings.key_file))
    if is_short(claim.spec):
        raise SignatureError(
            "the job's description is not whole",
            why="the queue has lost what the job has in common with others",
        )
    verify(context.key, claim.spec.encode(), claim.signature)
    try:
        spec = parse_spec(claim.spec)
    except NotStrictError as error:
        raise SignatureError("the job cannot be read", why=f"{error}; is this mlq older?") from None
    if spec.id != claim.id:
        raise SignatureError("the job is a copy", why=f"it was signed as {spec.id}")
    return spec


def _unsigned(
    claim: Claim, context: MachineContext, rq_data: bytes, rq_timeout_s: float | None
) -> JobSpec:
    job_class = JobClass.parse(claim.class_name, default_mem_mib=context.settings.default_mem_mib)
    try:
        name, instance, args, kwargs = json.loads(_unpacked(rq_data))
        if instance is not None:
            raise ValueError("methods of objects cannot be called")
        spec = JobSpec(
            id=claim.id,
            function=FunctionCall(name=name, args=tuple(args), kwargs=kwargs),
            cwd=context.cwd,
            request=job_class.request,
            priority=job_class.priority,
            time_limit_s=rq_timeout_s,
            submitted_at="",
        )
        return check_spec(spec)
    except (ValueError, TypeError, RecursionError) as error:
        raise SignatureError(
            "the job cannot be read", why=f"it is not a function enqueued with rq's JSON: {error}"
        ) from None


def _unpacked(rq_data: bytes) -> bytes:
    """Undo what rq's `Job.to_dict` does to its data; `Job.restore` takes the plain form too."""
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(rq_data, JOB_BYTES)
    except zlib.error:
        return rq_data
    if unpacker.unconsumed_tail:
        raise ValueError(f"it is larger than {JOB_BYTES} bytes")
    return data


def order(
    claim: Claim,
    spec: JobSpec,
    context: MachineContext,
    gpus: tuple[GpuOffer, ...],
    width: int | None = None,
) -> Order:
    """Return the supervisor's order for a claimed, verified job.

    Args:
        claim: the claim.
        spec: the job, verified.
        context: this worker's machine.
        gpus: the GPUs it is given.
        width: how many jobs of its class run at once, if it was claimed ahead.
    """
    folder = Layout(context.settings.root).folder(claim.id)
    mark = f"{context.mark_prefix}{claim.id}.{claim.attempt}"
    here = context.here
    argv = [spec.program, *spec.argv[1:]] if spec.program else list(spec.argv)
    if spec.function is not None:
        # -P: a folder called `mlq` or `redis` where it starts must not be imported by the worker.
        argv = [sys.executable, "-P", "-m", "mlq_worker.launcher.call"]
    text = claim.spec or spec.canonical()
    by_number = context.settings.cuda_devices == "index"
    devices = [str(gpu.index) if by_number else gpu.uuid for gpu in gpus]
    grace_s = context.settings.stop_grace_s if spec.grace_s is None else spec.grace_s
    env = environment(claim, spec, context.login, folder, mark, devices)
    env.update(share_of_gpu(env, spec, max((gpu.total_mib for gpu in gpus), default=0)))
    attempt = Attempt(claim.attempt, len(devices), folder.nodes_file(claim.attempt))
    env.update(batch_variables(spec, attempt, here, env))
    return Order(
        AttemptId(claim.id, claim.attempt),
        mark,
        tuple(argv),
        env,
        start_folder(spec, folder),
        folder.path,
        _job_json(text, claim.signature, spec),
        spec.time_limit_s,
        grace_s,
        lane=None if width is None else claim.class_name,
        width=width or 0,
        tag={
            "class": claim.class_name,
            "signature": claim.signature,
            "gpu_uuids": [gpu.uuid for gpu in gpus],
            "gpu_model": model_of(gpus),
            "gpu_mib": memory_of(gpus),
            "returns": spec.function is not None,
            "needs": needs_of(spec),
            "params": spec_params(spec),
            "metrics": spec.metrics,
        },
        python_env=spec.python_env,
        called=spec.argv[0] if spec.program else "",
        secrets=spec.secrets,
        signal=_signal(spec),
        code=_code(spec, context.settings),
        batch=batch_order(spec, here),
        share=_share(spec, context, gpus),
    )


def _share(spec: JobSpec, context: MachineContext, gpus: tuple[GpuOffer, ...]) -> Share:
    request = spec.request
    is_limit = spec.mem_is_asked and context.rules.enforces("mem")
    uuids = tuple(gpu.uuid for gpu in gpus)
    return Share(request.cores, request.mem_mib, is_limit, uuids, request.vram_mib)


def model_of(gpus: Iterable[GpuOffer]) -> str:
    """Return what these GPUs are called, each model once; "" for none."""
    return ", ".join(dict.fromkeys(gpu.name for gpu in gpus if gpu.name))


def memory_of(gpus: Iterable[GpuOffer]) -> int:
    """Return the MiB that each of these GPUs has, the least; 0 for none."""
    return min((gpu.total_mib for gpu in gpus), default=0)


def _job_json(text: str, signature: str, spec: JobSpec) -> str:
    """Return the text of MLQ_JOB_FILE; a sweep member's parameters are at its top level."""
    params = "" if spec.member is None else f',\n "params": {json.dumps(spec.member.params)}'
    return f'{{"spec": {text},\n "signature": {json.dumps(signature)}{params}}}\n'


def _signal(spec: JobSpec) -> StopSignal | None:
    """Return the signal that the job's user asked for; None if there is none."""
    if not spec.signal:
        return None
    asked = read_stop_signal(spec.signal)
    return StopSignal(asked.number, asked.ahead_s, asked.first_only)


def _code(spec: JobSpec, settings: Settings) -> CodeOrder | None:
    """Return the code of which the job runs a copy; None if it runs in the live folder."""
    if spec.code is None:
        return None
    projects = tuple(
        Copied(one.pack, one.links, one.project) for one in (spec.code, *spec.code.also)
    )
    return CodeOrder(projects, spec.code.subfolder, str(settings.cache_dir))
