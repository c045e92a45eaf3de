"""The commands of a submit file that HTCondor knows, by what becomes of them here.

HTCondor takes any name as a macro, so a slip of the pen is no error to it; here it is one, if the
name is close to a command and is used nowhere.
"""

from __future__ import annotations

import difflib

ALIASES = {
    "args": "arguments",
    "arguments2": "arguments",
    "cmd": "executable",
    "initial_dir": "initialdir",
    "iwd": "initialdir",
    "job_iwd": "initialdir",
    "jobbatchname": "batch_name",
    "jobmaxretries": "max_retries",
    "jobmaxvacatetime": "job_max_vacate_time",
    "jobprio": "priority",
    "prio": "priority",
    "requestcpus": "request_cpus",
    "requestgpus": "request_gpus",
    "requestmemory": "request_memory",
    "stderr": "error",
    "stdin": "input",
    "stdout": "output",
}
"""Other names for commands."""

OF_EACH = ("executable", "arguments", "environment", "input", "output", "error", "initialdir")
"""Commands that may differ from job to job."""

OF_ALL = (
    "universe", "request_cpus", "request_memory", "request_gpus", "getenv", "batch_name",
    "max_retries", "max_materialize", "priority", "hold", "allowed_execute_duration",
    "allowed_job_duration", "job_max_vacate_time",
)  # fmt: skip
"""Commands that must be the same for all jobs of a file."""

NO_EFFECT = frozenset(
    (
        "requirements", "rank", "log", "notification", "notify_user", "request_disk",
        "should_transfer_files", "when_to_transfer_output", "transfer_input_files",
        "transfer_output_files", "transfer_output_remaps", "transfer_executable",
        "transfer_output", "transfer_error", "transfer_input", "stream_output",
        "stream_error", "stream_input", "accounting_group", "accounting_group_user",
        "concurrency_limits", "nice_user", "periodic_hold", "periodic_release",
        "periodic_remove", "periodic_hold_reason", "periodic_hold_subcode", "on_exit_hold",
        "on_exit_remove", "on_exit_hold_reason", "leave_in_queue", "job_lease_duration",
        "keep_claim_idle", "max_idle", "success_exit_code", "retry_until",
        "checkpoint_exit_code", "require_gpus", "gpus_minimum_memory",
        "gpus_minimum_capability", "gpus_maximum_capability", "gpus_minimum_runtime",
        "kill_sig", "remove_kill_sig", "hold_kill_sig", "copy_to_spool", "email_attributes",
        "description", "preserve_relative_paths", "preserve_relative_executable",
        "run_as_owner", "load_profile", "stack_size", "cron_minute", "cron_hour",
        "use_x509userproxy", "x509userproxy", "image_size", "want_graceful_removal",
        "buffer_size", "buffer_block_size", "skip_filechecks", "append_files",
        "match_list_length", "job_machine_attrs", "job_machine_attrs_history_length",
        "job_ad_information_attrs", "log_xml", "dont_encrypt_input_files",
        "encrypt_input_files", "encrypt_output_files", "encrypt_execute_directory",
        "max_transfer_input_mb", "max_transfer_output_mb", "output_destination", "coresize",
        "core_size",
    )
)  # fmt: skip
"""Commands without effect on mlq."""

REFUSED = {
    "docker_image": "mlq starts no containers",
    "container_image": "mlq starts no containers",
    "deferral_time": "mlq does not start jobs at a second",
    "grid_resource": "mlq speaks to no grid",
    "machine_count": "a job of mlq runs on one machine",
    "node_count": "a job of mlq runs on one machine",
    "vm_type": "mlq starts no virtual machines",
    "java_vm_args": "the Java universe is not known",
    "jar_files": "the Java universe is not known",
}
"""Commands that ask for what mlq cannot do, with the reason."""

_KNOWN = frozenset((*ALIASES, *OF_EACH, *OF_ALL, *NO_EFFECT, *REFUSED))


def usual(name: str) -> str:
    """Return a command's usual name, in lower case; of a macro its own."""
    lower = name.lower()
    return ALIASES.get(lower, lower)


def is_attribute(name: str) -> bool:
    """Return whether this sets an attribute of the job's ClassAd: `+Name`, `MY.Name`."""
    return name.startswith("+") or name.lower().startswith("my.")


def is_known(name: str) -> bool:
    """Return whether HTCondor knows this command."""
    return name in _KNOWN


def meant(name: str) -> str:
    """Return the command that a name was probably meant to be; "" if none is close."""
    return next(iter(difflib.get_close_matches(name, sorted(_KNOWN), 1, 0.8)), "")
