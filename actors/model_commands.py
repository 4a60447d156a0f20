"""What may be done with models, by people or by the rules: each changes the records and says what it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actors.model_groups import FIRST_MODEL, GroupBirth, group_name, model_plan
from actors.model_records import LogEntry, ModelRecords, ModelSpec
from learners.training_settings import TrainingSettings
from messages.arrays import FloatArray
from monitoring.model_lifecycle import TransitionError
from monitoring.model_registry import RegistryChange
from monitoring.promotion_evidence import CanaryEvidence, ProductionEvidence, ShadowEvidence, Stage


def create_model(
    records: ModelRecords,
    model_id: str,
    *,
    training: TrainingSettings,
    of_the_system: TrainingSettings,
    copy: bool,
    now: float,
    by: str,
    why: str,
    snapshot: str | None = None,
) -> list[LogEntry]:
    """Add a candidate as a shadow. copy: it begins as production is; else it learns the whole stream anew.

    snapshot: the folder or URI of a snapshot that `foryou train` wrote; it begins as that model, whatever
    `copy` says, and goes on where the archive ended. The shards must be able to read it. Raises
    TransitionError where the name is taken or a copy would not fit.
    """
    source = records.production
    if snapshot is not None:
        origin = f"trained offline, from {snapshot}"
        birth = GroupBirth(kind="snapshot", source=FIRST_MODEL, before=now, root=snapshot)
    elif copy:
        _check_copy(records.training(source, of_the_system), training, source)
        origin, birth = f"a copy of {source}", GroupBirth(kind="copy", source=records.group(source))
    else:
        origin, birth = "first values, learning the stream from its start", GroupBirth()
    records.registry.add(model_id, origin, now)
    records.specs[model_id] = ModelSpec(training=training, birth=birth)
    if snapshot is not None:
        records.pin(model_id, now)
    return [LogEntry(time=now, by=by, model_id=model_id, what=f"created as shadow: {origin}", why=(why,))]


def tune_model(
    records: ModelRecords,
    model_id: str,
    *,
    training: TrainingSettings,
    of_the_system: TrainingSettings,
    now: float,
    by: str,
    why: str,
) -> list[LogEntry]:
    """Let a model learn on with other settings of the same sizes. Raises TransitionError for other sizes."""
    _check_copy(records.training(model_id, of_the_system), training, model_id)
    spec = records.specs[model_id]
    records.specs[model_id] = spec.model_copy(update={"training": training})
    return [LogEntry(time=now, by=by, model_id=model_id, what="settings changed", why=(why,))]


def move_model(
    records: ModelRecords, model_id: str, stage: Stage, *, now: float, by: str, why: str
) -> list[LogEntry]:
    """Change a model's stage as a person says. Raises TransitionError where that is no way to go."""
    return follow_up(records, records.registry.command(model_id, stage, now, by, why))


def roll_back(
    records: ModelRecords, *, now: float, by: str, why: str, before: float | None = None
) -> list[LogEntry]:
    """Put production back to the model before it, or, where none is left, to its own newest snapshot.

    before: epoch seconds; the snapshot must be older. Now, where left out.
    """
    return follow_up(records, records.registry.rollback(now, by, why), before)


def retire_model(records: ModelRecords, model_id: str, *, now: float, by: str, why: str) -> list[LogEntry]:
    """Stop a model where it is not, and give its room back; what is on record of it stays."""
    entries: list[LogEntry] = []
    if records.model(model_id).lifecycle.stage is not Stage.STOPPED:
        entries = move_model(records, model_id, Stage.STOPPED, now=now, by=by, why=why)
    records.registry.retire(model_id)
    records.dropped_groups.append(records.group(model_id))
    return [*entries, LogEntry(time=now, by=by, model_id=model_id, what="retired", why=(why,))]


def approve(records: ModelRecords, model_id: str, *, now: float, by: str) -> list[LogEntry]:
    """Say yes to the decision that waits. Raises TransitionError if none does."""
    return follow_up(records, records.registry.approve(model_id, now, by))


def decline(records: ModelRecords, model_id: str, *, now: float, by: str, why: str) -> list[LogEntry]:
    """Say no to it: the model stays until newer evidence asks again. Raises TransitionError if none waits."""
    waiting = records.model(model_id).lifecycle.waiting
    records.model(model_id).lifecycle.decline()
    assert waiting is not None
    what = f"declined: {waiting.step.value.replace('_', ' ')}"
    return [LogEntry(time=now, by=by, model_id=model_id, what=what, why=(why,))]


def consider(
    records: ModelRecords,
    model_id: str,
    evidence: ShadowEvidence | CanaryEvidence | ProductionEvidence,
    *,
    now: float,
    bad_since: float | None = None,
) -> tuple[str, list[LogEntry]]:
    """Let the rules decide; return their decision in words, and what changed.

    bad_since: before when a snapshot must have been taken to be trusted, epoch seconds. A decision that needs
    a yes and was not waiting before is a change too.
    """
    lifecycle = records.model(model_id).lifecycle
    asked = lifecycle.waiting
    decision, changes = records.registry.consider(model_id, evidence, now)
    entries = follow_up(records, changes, bad_since)
    waiting = lifecycle.waiting
    if waiting is not None and (asked is None or asked.next_stage is not waiting.next_stage):
        entries.append(
            LogEntry(
                time=now,
                by="rules",
                model_id=model_id,
                what=f"asks to go from {waiting.stage.value} to {waiting.next_stage.value}",
                why=waiting.reasons,
                numbers=waiting.numbers,
            )
        )
    elif waiting is None and asked is not None and not changes:
        entries.append(
            LogEntry(
                time=now,
                by="rules",
                model_id=model_id,
                what=f"no longer asks to go to {asked.next_stage.value}",
                why=decision.reasons,
                numbers=decision.numbers,
            )
        )
    return decision.words(), entries


def follow_up(
    records: ModelRecords, changes: Sequence[RegistryChange], before: float | None = None
) -> list[LogEntry]:
    """Note what a change of stages means for groups, and put it into words."""
    entries = []
    for change in changes:
        transition = change.transition
        what = f"{transition.before.value} to {transition.after.value}"
        if change.opens_lineage:
            model = records.model(change.model_id)
            old = group_name(change.model_id, model.lineage - 1)
            birth = GroupBirth(kind="snapshot", source=old, before=before or transition.time)
            spec = records.specs[change.model_id]
            records.specs[change.model_id] = spec.model_copy(update={"birth": birth})
            records.dropped_groups.append(old)
            what += f", lineage {records.lineage(change.model_id)} opened"
        elif transition.after is Stage.PRODUCTION:
            records.pin(change.model_id, transition.time)
        entries.append(
            LogEntry(
                time=transition.time,
                by=transition.by,
                model_id=change.model_id,
                what=what,
                why=transition.reasons,
                numbers=transition.numbers,
            )
        )
    return entries


def _check_copy(source: TrainingSettings, candidate: TrainingSettings, name: str) -> None:
    first, second = model_plan(source, 1), model_plan(candidate, 1)
    same_dense = _shapes(first.dense) == _shapes(second.dense)
    if not (same_dense and first.settings.has_same_layout(second.settings)):
        raise TransitionError(
            f"this takes the sizes of {name} (training.model: dimensions, hidden, user_tower_hidden); for "
            "others create a model from scratch"
        )


def _shapes(dense: Mapping[str, FloatArray]) -> dict[str, tuple[int, ...]]:
    return {name: weight.shape for name, weight in dense.items()}
