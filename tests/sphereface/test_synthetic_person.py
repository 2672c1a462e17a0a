"""Persons that differ, and are the same for the same seed."""

from __future__ import annotations

import dataclasses

import numpy as np

from sphereface.synthetic_person import CUTS, Person, sample_person


def persons(count: int) -> list[Person]:
    return [sample_person(np.random.default_rng([5, index])) for index in range(count)]


def test_same_stream_gives_the_same_person() -> None:
    assert persons(3) == persons(3)


def test_persons_differ_in_every_part() -> None:
    people = persons(200)
    for field in dataclasses.fields(Person):
        assert len({getattr(person, field.name) for person in people}) > 1, field.name
    assert {person.cut for person in people} == set(CUTS)
    assert len({person.nose_width for person in people}) == len(people)


def test_features_stay_inside_the_face() -> None:
    for person in persons(300):
        assert person.eye_u - person.eye_width > 0.1
        assert person.eye_u + person.eye_width < person.temple_width
        assert person.nose_tip + 0.12 < person.mouth_v - person.upper_lip
        assert person.mouth_v + person.lower_lip + 0.1 < person.chin
        assert person.mouth_width < person.jaw_width
        assert person.chin_width < person.jaw_width <= person.cheek_width


def test_beards_are_only_where_there_is_a_beard_to_grow() -> None:
    people = persons(200)
    assert any(person.beard > 0 for person in people)
    assert not [person for person in people if person.lipstick and (person.beard or person.moustache)]
