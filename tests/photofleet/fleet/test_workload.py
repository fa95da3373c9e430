"""Photos and the slots that work on them, to the second."""

from photofleet.fleet.workload import Workload


def test_the_oldest_photo_goes_to_the_slot_that_is_free_first() -> None:
    work = Workload([(0, 3), (5, 1)], slots=2, task_seconds=10)
    work.launch("group", in_service_at=0)
    work.advance(9)

    assert (work.started, work.visible, len(work.held(9))) == (2, 2, 2)
    assert work.oldest_age(9) == 9
    work.advance(15)
    assert (work.started, work.visible) == (4, 0)
    assert work.oldest_age(15) == 15
    assert work.held(20) == []
    assert work.oldest_age(20) is None


def test_an_instance_takes_nothing_before_it_is_in_service() -> None:
    work = Workload([(0, 1)], slots=1, task_seconds=10)
    work.launch("group", in_service_at=60)
    work.advance(59)

    assert (work.started, work.visible, work.held(59)) == (0, 1, [])
    work.advance(61)
    assert [slot.free_at for slot in work.held(61)] == [70]


def test_a_draining_instance_finishes_what_it_holds_and_takes_nothing_more() -> None:
    work = Workload([(0, 3)], slots=2, task_seconds=100)
    work.launch("group", in_service_at=0)
    work.advance(1)
    (instance,) = work.instances.values()
    work.drain(instance)
    work.advance(99)

    assert (work.visible, len(work.held(99)), len(work.instances)) == (1, 2, 1)
    work.advance(200)
    assert (work.started, work.visible, work.instances) == (2, 1, {})


def test_an_instance_that_is_drained_as_it_boots_ends_at_once() -> None:
    work = Workload([(0, 1)], slots=1, task_seconds=1)
    work.launch("group", in_service_at=60)
    (instance,) = work.instances.values()
    work.drain(instance)
    work.advance(120)

    assert (work.started, work.visible, work.instances) == (0, 1, {})
