"""What becomes of the records when somebody, or the rules, do something with a model."""

from __future__ import annotations

import pytest

from actors.model_commands import (
    approve,
    consider,
    create_model,
    decline,
    move_model,
    retire_model,
    roll_back,
)
from actors.model_groups import FIRST_MODEL, group_name, lineage_name, model_of_group
from actors.model_records import ModelRecords, ModelSpec
from actors.models_settings import ModelsSettings
from learners.ranking_model import RankingModelSettings
from learners.training_settings import TrainingSettings
from messages.codec import pack, unpack
from monitoring.model_lifecycle import TransitionError
from monitoring.model_registry import ModelRegistry
from monitoring.promotion import PromotionSettings
from monitoring.promotion_evidence import HealthReading, ProductionEvidence, Stage

TRAINING = TrainingSettings()
BROKEN = ProductionEvidence(60.0, (HealthReading("loss_rises", 2.0, 1.0, True),))


def records(promotion: PromotionSettings | None = None) -> ModelRecords:
    registry = ModelRegistry(promotion or PromotionSettings())
    registry.add(FIRST_MODEL, "the first", 0.0)
    return ModelRecords(registry, {FIRST_MODEL: ModelSpec()})


def create(
    of: ModelRecords, model_id: str = "next", training: TrainingSettings = TRAINING, **how: bool
) -> None:
    create_model(
        of,
        model_id,
        training=training,
        of_the_system=TRAINING,
        copy=how.get("copy", True),
        now=1.0,
        by="ada",
        why="try",
    )


def test_a_candidate_begins_as_a_copy_of_production_and_as_a_shadow() -> None:
    kept = records()
    create(kept)
    birth = kept.specs["next"].birth
    assert (birth.kind, birth.source) == ("copy", FIRST_MODEL)
    assert kept.model("next").lifecycle.stage is Stage.SHADOW
    assert kept.learning() == [FIRST_MODEL, "next"]
    assert kept.at_hand() == [FIRST_MODEL]


def test_a_candidate_that_was_trained_offline_begins_as_its_snapshot() -> None:
    kept = records()
    create_model(
        kept, "trained", training=TRAINING, of_the_system=TRAINING, copy=True, now=7.0, by="ada", why="",
        snapshot="s3://models/tuesday",
    )  # fmt: skip
    birth = ModelRecords.from_wire(unpack(pack(kept.to_wire())), ModelsSettings()).specs["trained"].birth
    assert (birth.kind, birth.source, birth.root) == ("snapshot", FIRST_MODEL, "s3://models/tuesday")
    assert birth.before == 7.0
    assert "s3://models/tuesday" in kept.model("trained").origin


def test_a_copy_of_other_sizes_is_refused_with_the_way_out_and_from_scratch_it_goes() -> None:
    kept = records()
    wider = TrainingSettings(model=RankingModelSettings(hidden=(64, 32)))
    with pytest.raises(TransitionError, match="from scratch"):
        create(kept, training=wider)
    assert list(kept.registry.models) == [FIRST_MODEL]
    create(kept, training=wider, copy=False)
    assert kept.specs["next"].birth.kind == "new"


def test_what_was_production_stays_at_hand_for_the_way_back() -> None:
    kept = records()
    create(kept)
    entries = move_model(kept, "next", Stage.PRODUCTION, now=2.0, by="ada", why="better")
    assert [(entry.model_id, entry.what) for entry in entries] == [
        ("next", "shadow to production"),
        (FIRST_MODEL, "production to shadow"),
    ]
    assert kept.at_hand() == ["next", FIRST_MODEL]
    roll_back(kept, now=3.0, by="ada", why="worse")
    assert kept.production == FIRST_MODEL
    assert kept.learning() == [FIRST_MODEL]


def test_production_without_a_predecessor_goes_back_to_its_own_snapshot_in_a_new_lineage() -> None:
    kept = records()
    (stopped, again) = roll_back(kept, now=50.0, by="ada", why="it went bad", before=40.0)
    assert stopped.what == "production to stopped"
    assert again.what == "stopped to production, lineage b opened"
    assert kept.group(FIRST_MODEL) == "production@b"
    assert kept.dropped_groups == ["production"]
    birth = kept.specs[FIRST_MODEL].birth
    assert (birth.kind, birth.source, birth.before) == ("snapshot", "production", 40.0)


def test_the_rules_roll_back_to_before_it_went_bad_and_say_why() -> None:
    kept = records()
    words, entries = consider(kept, FIRST_MODEL, BROKEN, now=100.0, bad_since=70.0)
    assert "loss_rises is 2, limit 1" in words
    assert entries[0].by == "rules"
    assert entries[0].why == ("loss_rises is 2, limit 1",)
    assert kept.specs[FIRST_MODEL].birth.before == 70.0


def test_what_asks_first_asks_once_and_waits_on_record() -> None:
    kept = records(PromotionSettings(ask_before_going_back=True))
    assert [entry.what for entry in consider(kept, FIRST_MODEL, BROKEN, now=1.0)[1]] == [
        "asks to go from production to stopped"
    ]
    kept = ModelRecords.from_wire(
        unpack(pack(kept.to_wire())),
        ModelsSettings(promotion=PromotionSettings(ask_before_going_back=True)),
    )
    assert consider(kept, FIRST_MODEL, BROKEN, now=2.0)[1] == []
    approve(kept, FIRST_MODEL, now=3.0, by="ada")
    assert kept.group(FIRST_MODEL) == "production@b"


def test_a_no_and_newer_evidence_both_end_the_asking() -> None:
    kept = records(PromotionSettings(ask_before_going_back=True))
    consider(kept, FIRST_MODEL, BROKEN, now=1.0)
    (said,) = decline(kept, FIRST_MODEL, now=2.0, by="ada", why="a test")
    assert said.what == "declined: roll back"
    consider(kept, FIRST_MODEL, BROKEN, now=3.0)
    _, (entry,) = consider(kept, FIRST_MODEL, ProductionEvidence(60.0), now=4.0)
    assert entry.what == "no longer asks to go to stopped"


def test_a_retired_model_is_stopped_and_its_group_is_over() -> None:
    kept = records()
    create(kept)
    entries = retire_model(kept, "next", now=2.0, by="ada", why="done")
    assert [entry.what for entry in entries] == ["shadow to stopped", "retired"]
    assert kept.dropped_groups == ["next"]
    assert kept.learning() == [FIRST_MODEL]
    with pytest.raises(TransitionError, match="no model next"):
        move_model(kept, "next", Stage.SHADOW, now=3.0, by="ada", why="again")


def test_a_canary_keeps_its_share_whatever_the_settings_say_meanwhile() -> None:
    kept = records()
    create(kept)
    move_model(kept, "next", Stage.CANARY, now=2.0, by="ada", why="look")
    wire = unpack(pack(kept.to_wire()))
    assert ModelRecords.from_wire(wire, ModelsSettings(canary_share=0.2)).registry.canary_share == 0.05


@pytest.mark.parametrize(("number", "name"), [(0, "a"), (1, "b"), (25, "z"), (26, "ba")])
def test_lineages_are_named_like_digits(number: int, name: str) -> None:
    assert lineage_name(number) == name
    assert model_of_group(group_name("m", number)) == ("m", name)


def versions_of(of: ModelRecords, model_id: str | None = None) -> list[str]:
    return [version.name for version in of.kept_versions(model_id)]


def test_a_version_is_kept_at_each_promotion_and_of_what_came_from_the_archive() -> None:
    known = records()
    create(known)
    assert versions_of(known) == []
    move_model(known, "next", Stage.PRODUCTION, now=2.0, by="ada", why="")
    roll_back(known, now=3.0, by="ada", why="")
    create_model(
        known, "trained", training=TRAINING, of_the_system=TRAINING, copy=False, now=4.0, by="ada", why="",
        snapshot="/archive",
    )  # fmt: skip
    assert versions_of(known) == ["next-2.000", "production-3.000", "trained-4.000"]
    assert versions_of(known, "trained") == ["trained-4.000"]
    again = ModelRecords.from_wire(unpack(pack(known.to_wire())), ModelsSettings())
    assert versions_of(again) == versions_of(known)


def test_of_many_promotions_the_newest_few_versions_are_kept() -> None:
    known = records()
    create(known)
    for turn in range(2, 12, 2):
        move_model(known, "next", Stage.PRODUCTION, now=turn, by="ada", why="")
        move_model(known, FIRST_MODEL, Stage.PRODUCTION, now=turn + 1, by="ada", why="")
    assert versions_of(known, "next") == ["next-6.000", "next-8.000", "next-10.000"]


def test_the_versions_of_a_lineage_outlive_it_by_one_and_those_of_a_retired_model_do_not() -> None:
    known = records()
    known.pin(FIRST_MODEL, 1.0)
    roll_back(known, now=2.0, by="ada", why="")
    assert versions_of(known) == ["production-1.000"]
    roll_back(known, now=3.0, by="ada", why="")
    assert versions_of(known) == []
    create(known)
    known.pin("next", 4.0)
    retire_model(known, "next", now=5.0, by="ada", why="")
    assert versions_of(known) == []


def test_records_of_before_there_were_versions_are_read() -> None:
    wire = records().to_wire()
    del wire["versions"]
    assert versions_of(ModelRecords.from_wire(wire, ModelsSettings())) == []
