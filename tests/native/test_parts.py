from tests.native.parts import part


class PartTests:
    """The header that every room includes."""

    def test_serial_distance_is_that_of_the_reference(self):
        base = part(
            "int32_t serial_distance(uint32_t later, uint32_t earlier);",
            include='#include "base.h"',
        ).lib
        assert base.serial_distance(0, 0xFFFFFFFF) == 1
        assert base.serial_distance(0xFFFFFFFF, 0) == -1
