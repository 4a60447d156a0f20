"""MovieLens (Harper and Konstan, TiiS 2015) as interactions: the layouts of 100k and of latest-small.

    u.data, u.item (u.genre)     100k: tabs and bars, Latin-1
    ratings.csv, movies.csv      latest-small, and all newer ones: commas, UTF-8

Every rating is taken for one showing: from 4 stars on it was viewed, from 4.5 liked, below 4 skipped. So the
"negatives" are films that people chose to see; the log has no exposures. Genres are the tags, the first one
is the category, the title the description. When films came to the service is not said: they are as old as
their first rating.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from messages.content import ContentFacts
from messages.events import ContentMetadata
from simulations.interaction_table import InteractionTable, table_of
from simulations.replay_log import LogFormatError

VIEWED_FROM = 4.0
LIKED_FROM = 4.5

_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
_ITEM_COLUMNS = ("movie", "title", "released", "video", "url", *_GENRES)


def read_movielens(folder: Path) -> InteractionTable:
    """Read either layout, by the files that are there. Raises LogFormatError."""
    if (folder / "u.data").exists():
        return _read_100k(folder)
    if (folder / "ratings.csv").exists():
        return _read_latest(folder)
    raise LogFormatError(f"{folder} holds neither u.data (100k) nor ratings.csv (latest-small)")


def _read_100k(folder: Path) -> InteractionTable:
    try:
        ratings = pd.read_csv(folder / "u.data", sep="\t", names=["user", "movie", "rating", "timestamp"])
    except (ValueError, pd.errors.ParserError) as error:
        raise LogFormatError(f"{folder / 'u.data'}: {error}") from error
    if not (folder / "u.item").exists():
        raise LogFormatError(f"{folder} holds u.data but no u.item")
    movies = pd.read_csv(
        folder / "u.item", sep="|", names=list(_ITEM_COLUMNS), encoding="latin-1", index_col=False
    )
    genres = [
        [genre for genre, flag in zip(_GENRES, flags, strict=True) if flag == 1]
        for flags in movies[list(_GENRES)].itertuples(index=False)
    ]
    return _table(folder, ratings, movies["movie"], movies["title"], genres)


def _read_latest(folder: Path) -> InteractionTable:
    ratings = _read_csv(folder / "ratings.csv", ["userId", "movieId", "rating", "timestamp"])
    movies = _read_csv(folder / "movies.csv", ["movieId", "title", "genres"])
    genres = [
        [genre for genre in str(names).split("|") if genre and not genre.startswith("(no genres")]
        for names in movies["genres"]
    ]
    named = ratings.rename(columns={"userId": "user", "movieId": "movie"})
    return _table(folder, named, movies["movieId"], movies["title"], genres)


def _read_csv(path: Path, columns: list[str]) -> pd.DataFrame:
    """Raises LogFormatError."""
    if not path.exists():
        raise LogFormatError(f"{path.parent} holds no {path.name}")
    frame = pd.read_csv(path)
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise LogFormatError(f"{path} lacks the columns {', '.join(missing)}")
    return frame[columns]


def _table(
    folder: Path, ratings: pd.DataFrame, movies: pd.Series, titles: pd.Series, genres: list[list[str]]
) -> InteractionTable:
    for column in ("rating", "timestamp"):
        if not pd.api.types.is_numeric_dtype(ratings[column]) or ratings[column].isna().any():
            raise LogFormatError(f"{folder}: the column {column} of the ratings is not all numbers")
    rows = pd.DataFrame(
        {
            "user_id": ratings["user"].astype(str),
            "content_id": ratings["movie"].astype(str),
            "time": ratings["timestamp"].astype("float64"),
            "engaged": ratings["rating"] >= VIEWED_FROM,
            "long_view": ratings["rating"] >= VIEWED_FROM,
            "liked": ratings["rating"] >= LIKED_FROM,
            "watch_seconds": 0.0,
        }
    )
    first_rated = rows.groupby("content_id")["time"].min()
    earliest = float(rows["time"].min()) if len(rows) else 0.0
    contents = {
        str(movie): ContentFacts(
            str(movie),
            "",
            float(first_rated.get(str(movie), earliest)),
            ContentMetadata(
                category=names[0] if names else "", tags=tuple(names), description=str(title)[:4_000]
            ),
        )
        for movie, title, names in zip(movies, titles, genres, strict=True)
    }
    return table_of("movielens", rows, contents)
