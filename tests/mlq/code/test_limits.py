"""How much code is too much, and what is named then."""

import pytest

from mlq.code.limits import MOST_BYTES, MOST_FILES, check_size, shown
from mlq.errors import InvalidInputError


def test_as_much_as_allowed_is_taken() -> None:
    check_size("/p", {f"{number}.py": 1 for number in range(MOST_FILES)})
    check_size("/p", {"a": MOST_BYTES})


def test_too_many_files_name_the_fullest_folder() -> None:
    sizes = {f"out/{number}": 1 for number in range(MOST_FILES)} | {"a.py": 7}
    with pytest.raises(InvalidInputError) as caught:
        check_size("/p", sizes)
    assert "10001 files" in caught.value.why
    assert "the fullest folder: out (10000 files)" in caught.value.why
    assert ".mlqignore" in caught.value.fix


def test_too_many_bytes_name_the_five_largest_files() -> None:
    sizes = {f"{number}\n.bin": number << 20 for number in range(5, 15)}
    with pytest.raises(InvalidInputError) as caught:
        check_size("/p", sizes)
    assert "'14\\n.bin' (14M), '13\\n.bin' (13M)" in caught.value.why
    assert "'9\\n.bin'" not in caught.value.why


def test_odd_names_can_be_printed() -> None:
    assert shown("a b.py") == "a b.py"
    assert shown("\udcff\n") == "'\\udcff\\n'"
