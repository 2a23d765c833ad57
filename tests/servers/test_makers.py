"""Our client against servers of every make: each as far as a session with MPPE that carries data both ways."""

import pytest
from tests.servers.makers import MAKERS
from tests.servers.stage import Stage

from openpptp.wire.control import CallClearRequest, StopControlConnectionRequest


class MakerTests:
    """Each make is satisfied with all our client says and does, from the first message to the last."""

    @pytest.mark.parametrize("script", MAKERS, ids=str)
    async def test_a_session_comes_up_carries_data_and_ends_in_order(self, stage: Stage, script):
        server = await stage.serve(script)
        await stage.connect()
        assert stage.connected["encryption"] == "MPPE 128 bit"
        assert stage.connected["address"] == script.address
        for _ in range(3):
            await stage.carry()
        await stage.hang_up()
        assert server.heard[-1].startswith("[LCP TermReq")
        assert [type(message) for message in server.messages[-2:]] == [CallClearRequest, StopControlConnectionRequest]
        assert server.complaints == []
