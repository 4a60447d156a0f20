"""The language of who asks beside that of a content."""

import numpy as np
import pytest

from learners.features.assembly import assemble
from learners.features.content_features import same_language
from learners.features.schema import DENSE_FEATURES
from learners.user_state import UserState
from messages.content import ContentColumns, ContentFacts, language_name
from messages.events import ContentMetadata
from messages.identifiers import MISSING_KEY, key_of
from messages.impressions import RequestContext

NOW = 1_650_000_000.0


def contents(*languages: str) -> ContentColumns:
    return ContentColumns.of(
        [
            ContentFacts(f"c{number}", "a", NOW, ContentMetadata(language=language))
            for number, language in enumerate(languages)
        ]
    )


@pytest.mark.parametrize(
    ("tag", "name"), [("de-AT", "language=de"), ("DE_ch", "language=de"), ("", ""), ("-", "")]
)
def test_a_region_makes_no_other_language(tag: str, name: str) -> None:
    assert language_name(tag) == name


def test_it_is_the_same_another_or_not_known() -> None:
    batch = assemble(
        UserState.empty("u"), None, RequestContext(language="de-DE"), contents("de", "en", ""), NOW, None
    )
    assert batch.dense[:, DENSE_FEATURES.index("same_language")].tolist() == [1, -1, 0]
    asked, of_content = batch.ids["language"], batch.ids["content_language"]
    assert asked.tolist() == [key_of("language=de")] * 3
    assert len({int(asked[0]), int(of_content[0]), int(of_content[1])}) == 3
    assert of_content[2] == MISSING_KEY


def test_nothing_is_the_same_as_what_nobody_said() -> None:
    keys = contents("de", "").language_keys
    assert [same_language(np.uint64(MISSING_KEY), key) for key in keys] == [0, 0]


def test_languages_survive_the_wire_and_may_be_missing_there() -> None:
    columns = contents("de", "")
    wire = columns.to_wire()
    assert ContentColumns.from_wire(wire).language_keys.tolist() == columns.language_keys.tolist()
    del wire["language_keys"]
    assert ContentColumns.from_wire(wire).language_keys.tolist() == [MISSING_KEY] * 2


def test_hashtags_of_a_description_are_tags() -> None:
    def tags(description: str, *given: str) -> list[int]:
        metadata = ContentMetadata(tags=given, description=description)
        return ContentColumns.of([ContentFacts("c", "a", NOW, metadata)]).tags.values.tolist()

    assert tags("a song #Guitar, #live2 and #guitar", "guitar", "park") == tags("", "guitar", "park", "live2")
    assert tags("C# and 100 # more") == []
    assert len(tags(" ".join(f"#t{number}" for number in range(50)))) == 32
