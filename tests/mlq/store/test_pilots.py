from mlq.store.pilots import keep_pool, read_pools
from mlq.store.store import Store


def test_a_pool_changes_only_if_nobody_else_has_changed_it(store: Store) -> None:
    assert keep_pool(store, "ab12", "", "one")
    assert not keep_pool(store, "ab12", "", "another"), "it is there already"
    assert read_pools(store).texts == {"ab12": "one"}
    assert keep_pool(store, "ab12", "one", "two")
    assert not keep_pool(store, "ab12", "one", "three")
    assert read_pools(store).texts == {"ab12": "two"}
    assert not keep_pool(store, "ab12", "one", "")
    assert keep_pool(store, "ab12", "two", "")
    assert read_pools(store).texts == {}


def test_the_time_is_the_servers(store: Store) -> None:
    seconds, _ = store.client.call("TIME")
    assert abs(read_pools(store).now_s - int(seconds)) < 60
