from __future__ import annotations

import json

import pytest

from sphereface.course import Course, Place


def walk(course: Course) -> list[tuple[Place, tuple[int, int]]]:
    """Where each step from `first` on begins, and its position once it is done."""
    return [(course.place(step), course.position(step + 1)) for step in range(course.first, course.steps)]


def test_with_one_batch_all_the_way_epochs_are_as_long() -> None:
    course = Course.begin(images=18, batch=4, epochs=3)
    assert (course.steps_per_epoch, course.steps, course.lr_factor) == (4, 12, 1.0)
    for step in range(12):
        epoch, done = divmod(step, 4)
        assert course.place(step) == Place(epoch, done, 4 * done)
        assert course.position(step + 1) == (epoch + 1, done + 1)
        assert course.unbroken(step) == step
    assert course.place(12) == Place(3, 0, 0)


def test_another_batch_takes_the_next_images_of_the_epoch_then_whole_epochs() -> None:
    course = Course.begin(images=18, batch=2, epochs=3).turned(13, 4)  # 8 images of the second epoch are seen
    assert (course.steps_per_epoch, course.lr_factor, course.steps) == (4, 2.0, 13 + 2 + 4)
    assert walk(course) == [
        (Place(1, 4, 8), (2, 5)),
        (Place(1, 5, 12), (2, 6)),
        *((Place(2, done, 4 * done), (3, done + 1)) for done in range(4)),
    ]
    assert [course.unbroken(step) for step in range(13, 19)] == [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]


@pytest.mark.parametrize("images", [18, 19, 23, 100])
@pytest.mark.parametrize("batches", [(2, 1), (1, 2), (8, 3), (3, 8), (8, 4, 8), (2, 3, 5), (5, 16, 1)])
def test_however_often_the_batch_changes_images_are_used_once_and_positions_ascend(
    images: int, batches: tuple[int, ...]
) -> None:
    course = Course.begin(images, batches[0], epochs=4)
    step, used, positions = 0, set[tuple[int, int]](), [(0, 0)]
    for index in range(course.steps * 20):
        if index % 5 == 4 and len(batches) > 1:
            batches = batches[1:]
            course = course.turned(step, batches[0])
            assert course == Course.from_meta(
                json.loads(json.dumps({"course": course.as_meta(), "global_batch": course.batch})), images, 4
            )
        if step == course.steps:
            break
        place = course.place(step)
        taken = {(place.epoch, image) for image in range(place.seen, place.seen + course.batch)}
        assert not taken & used
        assert place.seen + course.batch <= images
        assert place.epoch <= course.unbroken(step) / course.steps_per_epoch < place.epoch + 1
        used |= taken
        step += 1
        positions.append(course.position(step))
    assert step == course.steps
    assert positions == sorted(set(positions))  # so the newest checkpoint has the last name
    assert {epoch for epoch, _ in used} == set(range(4))
    assert course.place(step) == Place(4, 0, 0)


def test_a_rest_that_is_too_small_for_the_new_batch_ends_the_epoch() -> None:
    course = Course.begin(images=10, batch=2, epochs=2).turned(4, 8)  # 2 images are left
    assert course.place(4) == Place(1, 0, 0)
    assert (course.steps, course.position(5)) == (5, (2, 1))


def test_a_run_that_is_finished_stays_finished() -> None:
    course = Course.begin(images=18, batch=2, epochs=2).turned(18, 4)
    assert course.steps == 18


def test_back_at_the_first_batch_the_learning_rate_is_its_own_again() -> None:
    course = Course.begin(images=100, batch=12, epochs=2)
    assert course.turned(2, 7).turned(5, 12).lr_factor == 1.0
