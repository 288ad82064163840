import os

import pytest

from eventhub.running.claim import AlreadyRunning, claim


def test_a_folder_is_held_by_one_at_a_time_and_the_message_names_the_holder(tmp_path):
    with claim(tmp_path), pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"), claim(tmp_path):
        pass


def test_a_folder_that_was_let_go_can_be_held_again(tmp_path):
    with claim(tmp_path):
        pass
    with claim(tmp_path):
        pass
