"""What errors say."""

import pytest

from etam_ros.config import NodeConfig
from etam_ros.errors import LONGEST, ConfigError, EtamError


def test_a_message_stays_as_it_is_and_a_long_one_keeps_its_beginning_and_its_end():
    assert str(ConfigError("device is 'x', expected cpu")) == "device is 'x', expected cpu"
    with pytest.raises(ConfigError) as raised:
        NodeConfig(device="x" * 5000)
    message = str(raised.value)
    assert LONGEST < len(message) < LONGEST + 10
    assert message.startswith("device is 'xxx")
    assert message.endswith("expected one of auto, cpu, cuda")
    assert str(EtamError()) == ""
