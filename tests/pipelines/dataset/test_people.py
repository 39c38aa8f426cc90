"""What is known of the people of a database comes to lie beside its shards."""

from __future__ import annotations

import csv

from pipelines.dataset import manifest, people
from pipelines.verify import main as verify


def test_the_demo_databases_people_are_noted_as_they_were_rendered(demo_images, demo_data):
    with (demo_images / "faces.csv").open(newline="") as file:
        rendered = {
            row["subject"]: (row["sex"], row["age"], row["skin"]) for row in csv.DictReader(file)
        }
    with (demo_data / people.NAME).open(newline="") as file:
        noted = {
            row["subject"]: (row["sex"], row["age"], row["skin"]) for row in csv.DictReader(file)
        }
    assert noted == rendered and len(noted) == 4


def test_the_table_is_listed_with_its_digest_and_verified(demo_data, capfd):
    assert people.NAME in [each.path for each in manifest.load(demo_data).files]
    assert verify([str(demo_data)]) == 0


def test_a_table_has_every_persons_every_attribute():
    text = people.table({"b": {"sex": "M"}, "a": {"sex": "F", "age": "0.5"}})
    assert text == "subject,sex,age\na,F,0.5\nb,M,\n"
