"""What many sessions at once ask of the server: that it leaves in good order, reloads unnoticed and sends all home."""

import re
import time
from collections import Counter
from pathlib import Path

from tests.eventually import eventually
from tests.netns.programs import Program

from bench.generator import WHOLE_LEAVE, generator, pulse
from bench.network import Network
from bench.row import Row, at_most
from openpptp.backends.accounting_store import sessions as accounted
from openpptp.daemon.api_client import ApiClient
from openpptp.daemon.turns import LONG

STOPPED, RELOADED, SENT_HOME = 500, 500, 1000
EXIT = 5.0  # seconds
BUSY_RATE, BUSY_SECONDS, RELOADS = 10.0, 10.0, 5
TURN = 1000 * LONG  # ms
ENGINE = ("--data-path", "engine")


def endings() -> list[Row]:
    """Measure all three."""
    return [*stopped(), *reloaded(), *sent_home()]


def api(program: Program) -> ApiClient:
    """Return the local API of a server of the bench."""
    return ApiClient(program.log_file.parent / "run" / "openpptp" / "api.sock")


def causes(folder: Path) -> Counter[str | None]:
    """Return why the sessions ended, as the accounting has it; None where one goes on."""
    return Counter(row.cause for row in accounted(folder / "accounting.sqlite"))


def long_turns(program: Program) -> list[float]:
    """Return the turns of the event loop that were too long, in seconds."""
    said = re.findall(r"busy without a pause.*?seconds=(\S+)", program.log())
    return [float(seconds) for seconds in said]


def stopped() -> list[Row]:
    """Stop the server under many sessions."""
    with (
        Network() as network,
        network.our_server() as program,
        generator(network.client, STOPPED, *ENGINE) as clients,
    ):
        began = time.monotonic()
        program.process.terminate()
        code = program.exit_code(seconds=4 * EXIT)
        seconds = time.monotonic() - began
        told = clients.state()["told"].get(WHOLE_LEAVE, 0)
        closed = causes(program.log_file.parent)["shutdown"]
        turns = long_turns(program)
    good = code == 0 and told == closed == STOPPED and not turns
    return [
        Row(
            f"SIGTERM with {STOPPED} sessions, until the server has ended",
            f"{seconds:.2f} s, exit code {code}; {told} peers got Terminate-Request, Call-Disconnect-Notify and Stop, "
            f"{closed} sessions closed in the accounting; turns above {TURN:.0f} ms: {len(turns)}",
            f"within {EXIT:.0f} s, 0, all, all, none",
            good and seconds <= EXIT,
        )
    ]


def reloaded() -> list[Row]:
    """Read the settings again under busy sessions."""
    with (
        Network() as network,
        network.our_server() as program,
        generator(network.client, RELOADED, *ENGINE) as clients,
    ):
        settings = program.log_file.parent / "openpptp.toml"
        text = settings.read_text()
        applied = 0
        with pulse(network.server, network.client, clients.ends, BUSY_SECONDS, BUSY_RATE) as packets:
            for number in range(RELOADS):
                time.sleep(BUSY_SECONDS / (RELOADS + 1))
                settings.write_text(text.replace("sessions = 4000", f"sessions = {4001 + number}"))
                applied += len(api(program).reload()["applied"])
        lasted = clients.state()["connected"]
        turn = 1000 * api(program).status()["longest_turn"]
    lost = packets["lost up"] + packets["lost down"]
    return [
        Row(
            f"{RELOADS} reloads under {RELOADED} sessions with {BUSY_RATE:.0f} packets a second each way: packets lost",
            f"{lost} of {packets['sent']:,} up and as many down; sessions lost {RELOADED - lasted}; longest turn of "
            f"the event loop, set-ups included, {turn:.0f} ms",
            "0, 0",
            lost == 0 and lasted == RELOADED and applied == RELOADS,
        )
    ]


def sent_home() -> list[Row]:
    """Disconnect everybody."""
    with (
        Network() as network,
        network.our_server() as program,
        generator(network.client, SENT_HOME, *ENGINE) as clients,
    ):
        before = 1000 * api(program).status()["longest_turn"]
        began = time.monotonic()
        over = len(api(program).disconnect()["disconnected"])
        seconds = time.monotonic() - began
        told = clients.state()["told"].get(WHOLE_LEAVE, 0)
        turn = 1000 * api(program).status()["longest_turn"]
        eventually(lambda: causes(program.log_file.parent)["admin-disconnect"] == SENT_HOME, seconds=5)
        closed = causes(program.log_file.parent)["admin-disconnect"]
    return [
        at_most(
            f"disconnect of all {SENT_HOME:,} sessions: longest turn of the event loop, ms",
            turn if over == told == SENT_HOME else TURN + 1,
            TURN,
            f"{turn:.0f} ({before:.0f} before, while they came); {over:,} over after {seconds:.1f} s, "
            f"{told:,} peers got Terminate-Request, Call-Disconnect-Notify and Stop; {closed:,} closed in the accounts",
        )
    ]
