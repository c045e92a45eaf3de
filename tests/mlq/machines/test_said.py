"""A machine's record becomes the offer its worker meant."""

from mlq.jobs.placement import Fit, GpuOffer, Misfit, Offer, Resource, Short, place
from mlq.jobs.request import Request
from mlq.machines.said import offer_of

RECORD = {
    "machine": "gpu07",
    "cores_total": 8,
    "cores_free": 3,
    "mem_total_mib": 62000,
    "mem_free_mib": 41000,
    "gpus": [
        {"uuid": "GPU-a", "name": "GTX 1080 Ti", "index": 0, "free_mib": 9000, "total_mib": 11264}
    ],
    "note": "",
    "offering": True,
}


def test_every_number_of_the_record_is_in_the_offer() -> None:
    gpu = GpuOffer("GPU-a", "GTX 1080 Ti", 9000, 11264)
    assert offer_of(RECORD) == Offer("gpu07", 3, 41000, (gpu,), 8, 62000)


def test_the_offer_is_what_placement_decides_on() -> None:
    offer = offer_of(RECORD)
    assert place(Request(3, 41000, 1, 9000), offer) == Fit(("GPU-a",))
    assert place(Request(4, 1000), offer) == Misfit((Short(Resource.CORES, 4, 3, 8),))


def test_a_machine_that_has_said_nothing_offers_nothing() -> None:
    assert offer_of({}) == Offer("", 0, 0, (), 0, 0)
    assert offer_of({"gpus": None, "cores_free": None}) == Offer("", 0, 0, (), 0, 0)
    assert isinstance(place(Request(), offer_of({})), Misfit)
