"""Folders: what is bundled, what a clone has, and the user's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from custctl.support import paths
from custctl.support.errors import UsageError


def test_in_a_clone_the_repository_is_the_bundle() -> None:
    root = Path(__file__).parents[2]
    assert paths.bundled("profiles") == root / "profiles"
    assert paths.bundled("sql") == root / "sql"


def test_in_a_wheel_the_bundle_lies_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "custctl"
    (package / "_bundled" / "sql").mkdir(parents=True)
    monkeypatch.setattr(paths, "_PACKAGE", package)
    assert paths.bundled("sql") == package / "_bundled" / "sql"


def test_a_folder_of_another_package_is_not_taken_for_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "custctl"
    package.mkdir(parents=True)
    (tmp_path / "site-packages" / "sql").mkdir()
    monkeypatch.setattr(paths, "_PACKAGE", package)
    assert paths.bundled("sql") == package / "_bundled" / "sql"


def test_sql_is_found_in_the_order_of_the_contract(tmp_path: Path) -> None:
    assert paths.find_sql_dir(None, {}, tmp_path) == (paths.bundled("sql"), True)
    for name in ("sql", "mine", "other"):
        (tmp_path / name).mkdir()
    assert paths.find_sql_dir(None, {}, tmp_path) == (tmp_path / "sql", False)
    environ = {"CUSTCTL_SQL_DIR": "mine"}
    assert paths.find_sql_dir(None, environ, tmp_path) == (tmp_path / "mine", False)
    assert paths.find_sql_dir(Path("other"), environ, tmp_path) == (tmp_path / "other", False)


@pytest.mark.parametrize("environ", [{"CUSTCTL_SQL_DIR": "absent"}, {"CUSTCTL_SQL_DIR": ""}])
def test_a_named_sql_folder_that_is_not_there_is_an_error(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "sql").mkdir()
    with pytest.raises(UsageError, match="CUSTCTL_SQL_DIR"):
        paths.find_sql_dir(None, environ, tmp_path)


def test_xdg_decides_then_home() -> None:
    assert paths.user_data_dir({"XDG_DATA_HOME": "/x", "HOME": "/h"}) == Path("/x/custctl")
    assert paths.user_state_dir({"XDG_STATE_HOME": "/x"}) == Path("/x/custctl")
    assert paths.user_config_dir({"XDG_CONFIG_HOME": "/x"}) == Path("/x/custctl")


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="these have folders of their own")
def test_home_decides_where_xdg_does_not() -> None:
    assert paths.user_data_dir({"HOME": "/h"}) == Path("/h/.local/share/custctl")
    assert paths.user_config_dir({"HOME": "/h", "XDG_CONFIG_HOME": "relative"}) == Path("/h/.config/custctl")
    assert paths.user_state_dir({"HOME": "/h", "XDG_STATE_HOME": ""}) == Path("/h/.local/state/custctl")


def test_without_home_there_is_still_an_absolute_folder() -> None:
    assert paths.user_data_dir({}).is_absolute()


def test_paths_are_told_relative_to_the_working_folder() -> None:
    assert paths.shown(Path("/srv/app/profiles/dev.yaml"), Path("/srv/app")) == "profiles/dev.yaml"
    assert paths.shown(Path("/etc/dev.yaml"), Path("/srv/app")) == "/etc/dev.yaml"


def test_the_usual_folders_need_no_platformdirs() -> None:
    code = (
        "import sys; from custctl.support.paths import user_data_dir; "
        "user_data_dir({'XDG_DATA_HOME': '/x'}); sys.exit('platformdirs' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
