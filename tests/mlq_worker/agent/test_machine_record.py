"""What a machine publishes about itself."""

from mlq.jobs.placement import GpuOffer, Offer
from mlq_worker.agent.attempts import AttemptTable
from mlq_worker.agent.machine_record import WorkerHealth, machine_record
from mlq_worker.probes.cores import CoreReport
from mlq_worker.probes.machine import MachineReport
from mlq_worker.probes.memory import MemoryReport
from mlq_worker.probes.nvml import Gpu, GpuReport


def test_a_gpu_says_how_busy_it_is_if_its_driver_tells() -> None:
    seen = (Gpu("a", 0, "A5000", 24000, 6000, busy=0.8732), Gpu("b", 1, "A5000", 24000, 6000))
    offers = tuple(GpuOffer(one.uuid, one.name, one.free_mib, one.total_mib) for one in seen)
    report = MachineReport(
        "gpu07", "boot", CoreReport(8, 0.0), MemoryReport(64000, 32000), GpuReport(seen)
    )
    offer = Offer("gpu07", 8, 32000, offers, 8, 64000)
    record = machine_record(report, offer, AttemptTable(), WorkerHealth("s", 0.0, "", ""))
    assert [one.get("busy") for one in record["gpus"]] == [0.87, None]
