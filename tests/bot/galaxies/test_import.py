"""Files of galaxies become catalogues: what is kept, what is computed, and what a broken import leaves."""

from __future__ import annotations

import errno
import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.filters.redshifts import distance_of_redshift
from bot.galaxies import import_job
from bot.galaxies.catalogue_index import CatalogueProblem, catalogue_slugs, open_catalogue
from bot.galaxies.import_job import write_catalogue
from bot.galaxies.raw_galaxies import RawGalaxies, to_rows
from bot.galaxies.table_files import read_pieces
from formatters.models.galaxy import Galaxy, MassSource
from tests.support.galaxies import NOW, made_catalogue, made_columns, write_csv, write_fits


def import_file(file: Path, folder: Path) -> import_job.ImportResult:
    return write_catalogue(read_pieces(file)[0], folder, "made", "Made", NOW)


def galaxies(folder: Path) -> dict[str, Galaxy]:
    catalogue = open_catalogue(folder, "made")
    found = [catalogue.galaxy(at) for at in range(catalogue.rows.size)]
    return {one.name: one for one in found}


def write_table(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


@pytest.mark.slow
def test_fits_csv_and_parquet_give_the_same_catalogue(tmp_path: Path) -> None:
    columns = made_columns(500)
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = {
        name: [one.decode() for one in column.tolist()] if column.dtype.kind == "S" else column
        for name, column in columns.items()
    }
    parquet.write_table(pyarrow.table(table), tmp_path / "made.parquet")
    files = [
        write_fits(tmp_path / "made.fits", columns),
        write_csv(tmp_path / "made.csv", columns),
        tmp_path / "made.parquet",
    ]
    found = []
    for number, file in enumerate(files):
        result = import_file(file, tmp_path / str(number))
        assert result.info.galaxies == 500
        assert result.questionable == 50
        found.append(galaxies(tmp_path / str(number)))
    assert found[0] == found[1] == found[2]


@pytest.mark.slow
def test_rows_are_sorted_along_the_curve_whatever_the_size_of_the_pieces(tmp_path: Path) -> None:
    catalogue = made_catalogue(tmp_path, made_columns(55_000))
    assert (np.diff(catalogue.rows["pixel"]) >= 0).all()
    assert len({bytes(one) for one in catalogue.rows["name"].tolist()}) == 55_000


def test_masses_come_from_the_catalogue_then_k_then_w1_then_the_median(tmp_path: Path) -> None:
    file = write_table(
        tmp_path / "few.csv",
        "name,ra,dec,distance,logmass,k_mag,w1_mag\n"
        "own,10,10,100,10.8,9.0,9.0\nk,11,10,100,,10.0,9.0\nw1,12,10,100,,,10.0\nnone,13,10,100,,,\n"
        "linear,14,10,100,1e11,,\n",
    )
    import_file(file, tmp_path / "c")
    found = galaxies(tmp_path / "c")
    assert {name: one.mass_source for name, one in found.items()} == {
        "own": MassSource.CATALOGUE,
        "k": MassSource.K_BAND,
        "w1": MassSource.W1_BAND,
        "none": MassSource.MEDIAN,
        "linear": MassSource.CATALOGUE,
    }
    # M_K = 10 - 35 = -25; log L = 0.4 (3.27 + 25) = 11.308; 0.6 of it as mass.
    assert found["k"].log_mass == pytest.approx(11.308 + np.log10(0.6), abs=1e-3)
    assert found["w1"].log_mass == pytest.approx(0.4 * 28.24 + np.log10(0.5), abs=1e-3)
    assert found["linear"].log_mass == pytest.approx(11.0)
    known = sorted(one.log_mass for name, one in found.items() if name != "none")
    assert found["none"].log_mass == pytest.approx((known[1] + known[2]) / 2, abs=1e-5)


def test_distances_come_from_redshifts_with_peculiar_velocities_in_their_error(tmp_path: Path) -> None:
    file = write_table(
        tmp_path / "few.csv",
        "objname,ra,dec,z,z_unc,DistMpc,DistMpc_unc,z_tech\n"
        "z,10,10,0.0098,0,,,SPEC\nown,11,10,0.0098,0.0001,41,3,SPEC\nphot,12,10,0.1,,,,PHOT\n",
    )
    import_file(file, tmp_path / "c")
    found = galaxies(tmp_path / "c")
    assert found["z"].distance == pytest.approx(distance_of_redshift(0.0098), rel=1e-4)
    # 200 km/s at the slope of dD/dz there: about c/H0 = 4,431 Mpc.
    assert found["z"].distance_error == pytest.approx(3.0, abs=0.1)
    assert (found["own"].distance, found["own"].distance_error) == (41.0, 3.0)
    assert found["phot"].distance_error > 100


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,dec,z\na,1,0.1\n", "no column for the right ascension"),
        ("ra,dec,z\n1,1,0.1\n", "no column for the name"),
        ("name,ra,dec\na,1,1\n", "neither a column distance nor a column z"),
        ("name,ra,dec,z\na,1,1,\nb,2,95,0.1\nc,x,1,0.1\n", "2 rows were read, and 1 couldn't be"),
        ("\n", "no column for the right ascension"),
    ],
)
def test_a_table_without_galaxies_gets_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(CatalogueProblem, match=sentence):
        import_file(write_table(tmp_path / "bad.csv", text), tmp_path / "c")
    assert not list((tmp_path / "c").iterdir()) if (tmp_path / "c").exists() else True


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda body: body[:-40_000], "cut off"),
        (lambda body: body[:2_880], "no binary table|damaged"),
        (lambda body: b"\x1f\x8b" + body, "unpack it first"),
        (lambda body: b"PAR1" + body, "damaged Parquet"),
        (lambda _: b"\0" * 5_000, "no table"),
        (lambda _: b"", "no table"),
    ],
)
def test_a_damaged_file_gets_one_sentence(tmp_path: Path, damage: object, sentence: str) -> None:
    pytest.importorskip("pyarrow")
    body = write_fits(tmp_path / "made.fits", made_columns(1_000)).read_bytes()
    file = tmp_path / "damaged"
    file.write_bytes(damage(body))  # type: ignore[operator]
    with pytest.raises(CatalogueProblem, match=sentence):
        import_file(file, tmp_path / "c")


@pytest.mark.parametrize(
    ("form", "array", "sentence"),
    [
        ("2D", np.ones((5, 2)), "The column ra has several values"),
        ("10A", np.array([b"12h 3m"] * 5), "The column ra has texts"),
        ("PD()", np.array([np.ones(2)] * 5, dtype=object), "The column ra has several values"),
        ("M", np.ones(5, np.complex128), "The column ra has texts"),
        ("8X", np.ones((5, 8), np.bool_), "The column ra has several values"),
    ],
)
def test_a_fits_column_of_another_kind_gets_one_sentence(
    tmp_path: Path, form: str, array: np.ndarray, sentence: str
) -> None:
    names = fits.Column("name", "4A", array=np.array([b"a"] * 5))
    others = [fits.Column(name, "D", array=np.ones(5)) for name in ("dec", "z")]
    table = fits.BinTableHDU.from_columns([fits.Column("ra", form, array=array), names, *others])
    table.writeto(tmp_path / "odd.fits")
    with pytest.raises(CatalogueProblem, match=sentence):
        import_file(tmp_path / "odd.fits", tmp_path / "c")


def test_integers_with_a_scale_and_a_null_are_read(tmp_path: Path) -> None:
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("name", "4A", array=np.array([b"a", b"b"])),
            fits.Column("ra", "J", array=np.array([10, 20])),
            fits.Column("dec", "I", array=np.array([-5, 5])),
            fits.Column("distance", "J", null=-9, array=np.array([100, -9])),
            fits.Column("k_mag", "E", array=np.array([10, 10])),
        ]
    )
    table.header["TSCAL3"], table.header["TZERO3"] = 0.5, 1.0
    table.writeto(tmp_path / "scaled.fits")
    body = (tmp_path / "scaled.fits").read_bytes()
    result = import_file(tmp_path / "scaled.fits", tmp_path / "c")
    assert (result.info.galaxies, result.left_out.no_distance) == (1, 1)
    assert galaxies(tmp_path / "c")["a"].ra == 10
    bad = body.replace(b"TSCAL3  =                  0.5", b"TSCAL3  = 'nonsense'          ")
    (tmp_path / "scaled.fits").write_bytes(bad)
    with pytest.raises(CatalogueProblem, match=r"damaged FITS|aren't"):
        import_file(tmp_path / "scaled.fits", tmp_path / "d")


@pytest.mark.slow
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_fits_header_with_any_damage_is_read_or_gets_one_sentence(
    tmp_path: Path, data: st.DataObject
) -> None:
    body = bytearray(fits_body())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 5_760 + 2_880 - 1))
        body[at] = data.draw(st.one_of(st.integers(32, 126), st.integers(0, 255)))
    file = tmp_path / "damaged.fits"
    file.write_bytes(bytes(body))
    try:
        import_file(file, tmp_path / "c")
    except CatalogueProblem as problem:
        assert "\n" not in str(problem) and str(problem).endswith(".")


def test_a_parquet_file_with_any_damage_is_read_or_gets_one_sentence(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    file = tmp_path / "made.parquet"
    table = {"name": ["a", "b"], "ra": [1.0, 2.0], "dec": [1, 2], "z": [0.1, 0.2]}
    parquet.write_table(pyarrow.table(table), file)
    body, chance = file.read_bytes(), random.Random(1)
    for _ in range(200):
        damaged = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(4, len(damaged))] = chance.randrange(256)
        file.write_bytes(damaged[: chance.randrange(len(damaged))] if chance.random() < 0.1 else damaged)
        try:
            import_file(file, tmp_path / "c")
        except CatalogueProblem as problem:
            assert "\n" not in str(problem) and str(problem).endswith(".")


@pytest.mark.parametrize("value", [[1.0], {"a": 1}, NOW, b"1x", "far"])
def test_a_parquet_column_of_another_kind_has_no_readable_rows(tmp_path: Path, value: object) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = {"name": ["a"], "ra": [value], "dec": [1.0], "z": [0.1]}
    parquet.write_table(pyarrow.table(table), tmp_path / "odd.parquet")
    with pytest.raises(CatalogueProblem, match="0 rows were read, and 1 couldn't be"):
        import_file(tmp_path / "odd.parquet", tmp_path / "c")


@cache
def fits_body() -> bytes:
    with TemporaryDirectory() as folder:
        return write_fits(Path(folder) / "made.fits", made_columns(50)).read_bytes()


def test_a_line_without_an_end_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(CatalogueProblem, match=r"no table in CSV|no column"):
        import_file(write_table(tmp_path / "one.json", '[{"ra": 1}, ' * 500_000), tmp_path / "c")


def test_what_is_no_galaxy_or_has_no_distance_is_left_out_and_counted(tmp_path: Path) -> None:
    columns = made_columns(100)
    columns["objtype"][:7] = b"*"
    columns["ra"][7:10] = np.nan
    columns["DistMpc"][10:14], columns["z"][10:14] = np.nan, -0.001
    result = import_file(write_fits(tmp_path / "made.fits", columns), tmp_path / "c")
    left_out = result.left_out
    assert (left_out.no_galaxy, left_out.no_position, left_out.no_distance) == (7, 3, 4)
    assert result.info.galaxies == 86


ANY_NUMBER = st.floats(allow_nan=True, allow_infinity=True)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(*[ANY_NUMBER] * 9, st.binary(max_size=60)), min_size=1, max_size=8))
def test_whatever_a_file_holds_what_is_kept_is_a_galaxy_somewhere(rows: list[tuple[object, ...]]) -> None:
    *numbers, names = zip(*rows, strict=True)
    columns = [np.array(one, np.float64) for one in numbers]
    none = np.zeros(len(rows), np.bool_)
    raw = RawGalaxies(
        name=names,
        ra=columns[0],
        dec=columns[1],
        distance=columns[2],
        distance_error=columns[3],
        redshift=columns[4],
        redshift_error=columns[5],
        mass=columns[6],
        k_magnitude=columns[7],
        w1_magnitude=columns[8],
        is_questionable=none,
        is_photometric=np.arange(len(rows)) % 2 == 0,
        is_galaxy=~none,
        is_from_redshift=none,
    )
    kept, left_out = to_rows(raw)
    assert kept.size + left_out.no_position + left_out.no_distance == len(rows)
    assert ((kept["ra"] >= 0) & (kept["ra"] <= 360) & (np.abs(kept["dec"]) <= 90)).all()
    assert ((kept["distance"] > 0) & (kept["distance"] < 12_000)).all()
    assert ((kept["distance_error"] > 0) & (kept["distance_error"] < 20_000)).all()
    known = kept["mass_source"] != MassSource.MEDIAN
    assert (np.isfinite(kept["log_mass"]) == known).all()
    assert (np.isnan(kept["magnitude"]) | (np.abs(kept["magnitude"]) < 41)).all()
    assert (kept["pixel"] >= 0).all() and (kept["pixel"] < 12 * 4**29).all()
    for name in kept["name"].tolist():
        name.decode("utf-8")


def test_a_new_import_takes_the_place_of_the_old_one_which_open_readers_keep(tmp_path: Path) -> None:
    old = made_catalogue(tmp_path, made_columns(1_000))
    new = made_catalogue(tmp_path, made_columns(2_000, seed=2))
    assert (old.rows.size, new.rows.size) == (1_000, 2_000)
    assert old.galaxy(999).name.startswith("MADE")
    assert len(list((tmp_path / "catalogues").glob("*.npy"))) == 1


def test_a_catalogue_that_is_replaced_while_it_is_opened_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_catalogue(tmp_path, made_columns(10))
    load, calls = np.load, []

    def replace_first(*given: Any, **options: Any) -> Any:
        calls.append(given)
        if len(calls) == 1:
            monkeypatch.setattr(np, "load", load)
            made_catalogue(tmp_path, made_columns(20))
            monkeypatch.setattr(np, "load", replace_first)
        return load(*given, **options)

    monkeypatch.setattr(np, "load", replace_first)
    assert open_catalogue(tmp_path / "catalogues", "made").rows.size == 20
    assert len(calls) == 2


def test_an_import_that_breaks_off_leaves_the_old_catalogue(tmp_path: Path) -> None:
    made_catalogue(tmp_path, made_columns(1_000))
    folder = tmp_path / "catalogues"
    pieces, _ = read_pieces(write_fits(tmp_path / "next.fits", made_columns(100, seed=3)))

    def broken() -> Iterator[tuple[RawGalaxies, int]]:
        yield from pieces
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(CatalogueProblem, match="No space left on device"):
        write_catalogue(broken(), folder, "made", "Made", NOW)
    assert open_catalogue(folder, "made").rows.size == 1_000
    assert sorted(file.suffix for file in folder.iterdir()) == [".json", ".npy"]


@pytest.mark.parametrize("step", ["draft", "sorted"])
def test_what_a_killed_import_left_is_removed_by_the_next(tmp_path: Path, step: str) -> None:
    folder = tmp_path / "catalogues"
    folder.mkdir()
    left = folder / (".made.rows.part" if step == "draft" else ".made-0123abcd.npy.part")
    left.write_bytes(b"rest")
    made_catalogue(tmp_path, made_columns(10))
    assert not left.exists()
    assert catalogue_slugs(folder) == ["made"]


def test_a_catalogue_that_is_damaged_or_of_another_version_gets_one_sentence(tmp_path: Path) -> None:
    made_catalogue(tmp_path, made_columns(10))
    folder = tmp_path / "catalogues"
    description = folder / "made.json"
    stored = json.loads(description.read_text())
    cases: list[object] = [
        {**stored, "format": 2},
        {**stored, "galaxies": 11},
        {**stored, "rows": "../x.npy"},
    ]
    for wrong in [*cases, [], {}]:
        description.write_text(json.dumps(wrong))
        with pytest.raises(CatalogueProblem, match="made"):
            open_catalogue(folder, "made")
    description.write_text(json.dumps(stored))
    (folder / stored["rows"]).write_bytes(b"nothing")
    with pytest.raises(CatalogueProblem, match="import it again"):
        open_catalogue(folder, "made")
    (folder / stored["rows"]).unlink()
    with pytest.raises(CatalogueProblem, match="is missing"):
        open_catalogue(folder, "made")
