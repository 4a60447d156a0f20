"""Whether rows belong to one person at one moment: then what they share is looked up and multiplied once."""

from __future__ import annotations

from learners.features.schema import NUM_USER_DENSE, SHARED_BAG_FEATURES, SHARED_ID_FEATURES
from messages.features import FeatureBatch, IdBags


def is_one_request(features: FeatureBatch) -> bool:
    """Say whether all rows are of one person at one moment: then `shared` needs one row."""
    if len(features) == 1:
        return True
    dense = features.dense[:, :NUM_USER_DENSE]
    return (
        len(features) > 0
        and bool((dense == dense[0]).all())
        and all((features.ids[name] == features.ids[name][0]).all() for name in SHARED_ID_FEATURES)
        and all(_is_repeated(features.bags[name]) for name in SHARED_BAG_FEATURES)
    )


def _is_repeated(bags: IdBags) -> bool:
    lengths = bags.lengths()
    return bool((lengths == lengths[0]).all()) and bool(
        (bags.values.reshape(len(lengths), -1) == bags.values[: lengths[0]]).all()
    )
