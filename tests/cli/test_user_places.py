"""Who may not write the store asks the running server to."""

import os
import shutil
from pathlib import Path

import pytest

from openpptp.cli import user_places
from openpptp.cli.user_places import OwnersStore, Places, ServerAdmin, find_places
from openpptp.daemon.user_admin import FileAdmin, StoreAdmin, Wishes
from openpptp.errors import SetupError


class Api:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    def users(self, name: str | None = None) -> dict[str, object]:
        return {"users": [{"user": "anna"}] if name in {None, "anna"} else [], "problems": []}

    def change_user(self, order: str, name: str, **facts: object) -> dict[str, object]:
        self.asked.append((order, name, facts))
        return {"user": name, "store": "/store"}


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "openpptp.toml"
    path.write_text(
        f'[server]\nruntime_directory = "{tmp_path}"\n[network]\npool = ["10.0.0.0/24"]\n'
        f'[users]\nfile = "{tmp_path / "secrets"}"\nstore = "{tmp_path / "users.sqlite"}"\n'
    )
    return path


class FindPlacesTests:
    def test_who_may_write_the_store_works_on_it(self, config):
        places = find_places(config, None)
        assert isinstance(places.store, OwnersStore)
        assert isinstance(places.file, FileAdmin)

    def test_who_may_not_asks_the_server_that_runs(self, config, monkeypatch):
        monkeypatch.setattr(user_places.users_store, "may_write", lambda _path: False)
        (config.parent / "api.sock").touch()
        places = find_places(config, None)
        assert isinstance(places.store, ServerAdmin)
        assert places.file is None

    def test_without_a_server_the_file_system_says_what_is_missing(self, config, monkeypatch):
        monkeypatch.setattr(user_places.users_store, "may_write", lambda _path: False)
        assert isinstance(find_places(config, None).store, OwnersStore)

    def test_settings_that_may_not_be_read_lead_to_the_server_too(self, config, monkeypatch):
        def load(*_arguments, **_named):
            raise SetupError("may not be read", exit_code=3)

        monkeypatch.setattr("openpptp.daemon.config.load", load)
        with pytest.raises(SetupError, match="may not be read"):
            find_places(config, None)
        (config.parent / "api.sock").touch()
        assert isinstance(find_places(config, None).store, ServerAdmin)


@pytest.mark.root
class OwnersStoreTests:
    """Root works as the user whose the folder is: the server's, which may have been broken into."""

    @pytest.fixture
    def folder(self, tmp_path_factory):
        folder = tmp_path_factory.getbasetemp().parent.parent / f"openpptp-{os.getpid()}"
        folder.mkdir()
        os.chown(folder, 65534, 65534)
        yield folder
        shutil.rmtree(folder)

    def test_what_root_makes_is_the_servers(self, folder):
        store = OwnersStore(StoreAdmin(folder / "users.sqlite"))
        store.add("anna", "pw", Wishes({}))
        store.limit("anna", Wishes({"idle": "5m"}))
        store.passwd("anna", "new")
        (user,) = store.users()["users"]
        assert user["policy"] == {"idle": "5m"}
        assert {file.stat().st_uid for file in folder.iterdir()} == {65534}
        store.remove("anna")
        assert os.geteuid() == os.getegid() == 0

    def test_a_link_it_put_there_leads_nowhere(self, folder, tmp_path):
        victim = tmp_path / "victim"
        victim.touch(0o600)
        (folder / "users.sqlite").symlink_to(victim)
        with pytest.raises(SetupError):
            OwnersStore(StoreAdmin(folder / "users.sqlite")).add("anna", "pw", Wishes({}))
        assert (victim.stat().st_uid, victim.stat().st_size) == (0, 0)
        assert os.geteuid() == 0


class ServerAdminTests:
    def test_each_order_is_passed_on_whole(self):
        api = Api()
        admin = ServerAdmin(api)
        places = Places(admin, Path("/store"), None)
        assert places.for_new(store=False) is admin
        assert places.of("anna") is places.of("nobody") is admin
        admin.add("bob", "pw", Wishes({"rate": "1mbit"}), clear_text=True)
        admin.passwd("bob", "pw")
        admin.limit("bob", Wishes({"idle": "5m"}, ("rate",)))
        admin.remove("bob")
        assert api.asked == [
            ("add", "bob", {"password": "pw", "policy": {"rate": "1mbit"}, "clear_text": True}),
            ("passwd", "bob", {"password": "pw", "clear_text": False}),
            ("limit", "bob", {"policy": {"idle": "5m"}, "clear": ["rate"]}),
            ("remove", "bob", {}),
        ]
