"""Small files in MovieLens' layouts, written from a world whose tastes are known."""

from pathlib import Path

import numpy as np

from simulations.behaviour import Viewer
from simulations.world import World, WorldSettings

GENRES = [
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
]  # fmt: skip
START = 880_000_000


def ratings_of(num_people: int = 40, num_movies: int = 120, num_ratings: int = 1_500, seed: int = 3):
    """Return people, movies, stars and times of ratings, and the topic of each movie."""
    world = World(WorldSettings(num_people=num_people, num_contents=num_movies, num_creators=20, seed=seed))
    draws = np.random.default_rng(seed)
    pairs = draws.choice(num_people * num_movies, size=num_ratings, replace=False)
    people, movies = pairs // num_movies, pairs % num_movies
    viewers = [Viewer(world, person) for person in range(num_people)]
    viewed = [viewers[p].watch(np.array([m]), 0.0).viewed[0] for p, m in zip(people, movies, strict=True)]
    stars = np.where(viewed, draws.integers(4, 6, num_ratings), draws.integers(1, 4, num_ratings))
    times = START + np.sort(draws.integers(0, 30 * 86_400, size=num_ratings))
    return people + 1, movies + 1, stars, times, world.contents.topics


def write_100k(folder: Path, **sizes: int) -> Path:
    people, movies, stars, times, topics = ratings_of(**sizes)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{p}\t{m}\t{s}\t{t}" for p, m, s, t in zip(people, movies, stars, times, strict=True)]
    (folder / "u.data").write_text("\n".join(lines) + "\n")
    items = []
    for movie, topic in enumerate(topics, 1):
        flags = "|".join(str(int(genre == topic + 1)) for genre in range(19))
        items.append(f"{movie}|Caf\xe9 {movie} (1995)|01-Jan-1995||http://x|{flags}")
    (folder / "u.item").write_text("\n".join(items) + "\n", encoding="latin-1")
    return folder


def write_latest(folder: Path, **sizes: int) -> Path:
    people, movies, stars, times, topics = ratings_of(**sizes)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"{p},{m},{s}.0,{t}" for p, m, s, t in zip(people, movies, stars, times, strict=True)]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *rows]) + "\n")
    titles = [f'{m},"Film, The {m} (1995)",{GENRES[topic + 1]}|Drama' for m, topic in enumerate(topics, 1)]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *titles]) + "\n")
    return folder
