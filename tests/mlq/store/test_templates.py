"""What jobs have in common is kept once, and is put back wherever the signed text is needed."""

from __future__ import annotations

import json
import time

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from store_fixtures import KEY, LAB01, Enqueue, claim, sign

from mlq.errors import SignatureError
from mlq.jobs.lifecycle import Event
from mlq.jobs.signing import verify
from mlq.jobs.spec import FunctionCall
from mlq.store.operations import Move
from mlq.store.store import Store
from mlq.store.templates import Raw, is_short, template_of, whole_specs
from mlq.submit.batch import check_all, sign_all
from mlq.submit.submission import Caller, Submission

ENV = {f"VARIABLE_{number}": "some value" for number in range(20)}
AT = "2026-11-26T10:00:00.000000Z"


def asked(*argv: str, **options: object) -> Submission:
    return Submission(argv=argv or ("true",), cwd="/", python_env="", **options)  # type: ignore[arg-type]


def templates(client: redis.Redis) -> dict[str, int]:
    found = {one.decode(): int(n) for one, n in client.hgetall("mlq:template_uses").items()}
    assert {key.decode() for key in client.keys("mlq:template:*")} == {
        f"mlq:template:{one}" for one in found
    }
    return found


def end_and_forget(store: Store, *ids: str) -> None:
    now_s = time.time()
    store.move([Move(job, Event.CANCEL) for job in ids], now_s)
    while store.forget(-10):
        pass


def test_jobs_share_it_and_each_is_claimed_as_it_was_signed(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    signed = sign(store, *(asked("train", str(one), env=ENV) for one in range(3)))
    store.submit(signed, signed[0].spec.submitted_at)
    (later,) = sign(store, asked("train", "again", env=ENV))
    store.submit([later], later.spec.submitted_at)
    assert list(templates(admin).values()) == [4]
    assert all(b"VARIABLE" not in admin.hget(f"rq:job:{n}", "mlq_spec") for n in (1, 4))
    claims = claim(store, count=4)
    assert [one.spec for one in claims] == [one.text for one in (*signed, later)]
    for one in claims:
        verify(KEY, one.spec.encode(), one.signature)


def test_it_goes_with_the_last_job_that_has_it(
    store: Store, enqueue: Enqueue, admin: redis.Redis
) -> None:
    one, two = enqueue(asked("a", env=ENV), asked("b", env=ENV))
    (other,) = enqueue(asked("a"))
    assert sorted(templates(admin).values()) == [1, 2]
    end_and_forget(store, one)
    assert sorted(templates(admin).values()) == [1, 1]
    end_and_forget(store, two, other)
    assert templates(admin) == {}


def test_a_job_sent_again_is_counted_once(store: Store, admin: redis.Redis) -> None:
    (signed,) = sign(store, asked(env=ENV))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlq.store.operations.os.urandom", lambda n: b"x" * n)
        for _ in range(2):
            store.submit([signed], signed.spec.submitted_at)
    assert list(templates(admin).values()) == [1]


@pytest.mark.parametrize("altered", [True, False])
def test_another_one_in_its_place_or_none_is_noticed(
    store: Store, enqueue: Enqueue, admin: redis.Redis, altered: bool
) -> None:
    enqueue(asked(env=ENV))
    ((digest, _),) = templates(admin).items()
    key, kept = f"mlq:template:{digest}", admin.get(f"mlq:template:{digest}")
    if altered:
        admin.set(key, kept.replace(b"some value", b"other value"))
    else:
        admin.delete(key)
    (one,) = claim(store)
    assert is_short(one.spec) is not altered
    with pytest.raises(SignatureError):
        verify(KEY, one.spec.encode(), one.signature)
    admin.set(key, kept)


def test_jobs_submitted_at_other_times_than_they_say_and_functions_are_whole(
    store: Store, admin: redis.Redis
) -> None:
    call = FunctionCall(name="math.hypot", args=(3, 4), kwargs={"captured_env": "a", "cwd": "b"})
    plain, function = sign(store, asked(), Submission(function=call, cwd="/", python_env=""))
    store.submit([plain, function], AT)
    assert templates(admin) == {}
    assert {one.spec for one in claim(store, LAB01, count=2)} == {plain.text, function.text}


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@given(
    st.lists(WORDS, min_size=1, max_size=3),
    st.dictionaries(WORDS.filter(lambda one: one and "=" not in one), WORDS, max_size=3),
    WORDS,
)
def test_it_gives_back_any_text(argv: list[str], env: dict[str, str], name: str) -> None:
    checked = check_all([asked(*argv, env=env, name=name)], AT, 2048, Caller({}, env, True, KEY))
    (job,) = sign_all(checked, 7, KEY)
    template = template_of(job.text)
    assert template == job.template
    assert template
    assert template.text(argv, "7", AT) == job.text

    class Client:
        def call(self, *_: object) -> list[bytes]:
            return [json.dumps(template.parts).encode()]

    raw = Raw("7", template.stored(argv), AT, "")
    assert whole_specs(Client(), [raw, raw._replace(spec="{}")]) == [job.text, "{}"]  # type: ignore[arg-type]


def test_a_text_of_an_older_mlq_has_none() -> None:
    (job,) = sign_all(check_all([asked()], AT, 2048), 7, KEY)
    fields = json.loads(job.text)
    assert template_of(json.dumps(fields)) is None
    assert template_of("{") is None
