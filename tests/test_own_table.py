"""Your own table: from columns to standardised rows, and back."""

import math

import numpy as np
import pytest
import torch

from gmlib import data

FLOWERS = {
    "height": [10, 20, 30, 40],
    "petals": [5.0, 5.0, 6.0, 8.0],
    "kind": ["tulip", "daisy", "tulip", "daisy"],
}
NUMBERS = {name: FLOWERS[name] for name in ("height", "petals")}


class Frame:
    """What `table` asks of a pandas DataFrame; see the test with the real one."""

    def __init__(self, columns, index):
        self.columns_, self.index = columns, index

    def items(self):
        return self.columns_.items()


def test_columns_are_standardised_and_samples_go_back():
    law = data.table(NUMBERS)
    assert law.columns == ("height", "petals")
    assert law.x.dtype == torch.float32
    assert torch.allclose(law.x.mean(0), torch.zeros(2), atol=1e-6)
    assert torch.allclose(law.x.std(0, correction=0), torch.ones(2))
    assert law.mean.tolist() == [25, 6]
    assert law.std.tolist() == pytest.approx([math.sqrt(125), math.sqrt(1.5)])
    wanted = torch.tensor(list(NUMBERS.values())).T.double()
    assert torch.allclose(law.undo(law.x), wanted)
    assert law.y is None
    sample = law.undo(law.sample((50,)))
    assert {tuple(row) for row in sample.round().tolist()} == {
        tuple(row) for row in wanted.tolist()
    }


def test_nothing_is_left_to_the_default_device():
    """On a GPU that is the GPU; a tensor that is made on this one has no values."""
    with torch.device("meta"):
        law = data.table(FLOWERS, label="kind")
        x, y = law.sample_pairs((5,))
        back = law.undo(x)
    assert {t.device.type for t in (x, y, back)} == {"cpu"}


def test_large_numbers_lose_nothing_on_the_way():
    times = [1.7e9 + i for i in range(4)]  # in float32 all of these are equal
    law = data.table({"time": times})
    assert law.undo(law.x)[:, 0].tolist() == pytest.approx(times, abs=1e-3)


def test_a_column_of_equal_numbers_comes_back_too():
    law = data.table({"a": [1, 2], "b": [7, 7]})
    assert law.x[:, 1].tolist() == [0, 0]
    assert law.undo(torch.zeros(1, 2)).tolist() == [[1.5, 7]]


def test_a_column_of_words_is_refused_by_name_or_is_the_label():
    with pytest.raises(ValueError, match=r"hold no numbers: kind \(.*'tulip'\); leave"):
        data.table(FLOWERS)
    law = data.table(FLOWERS, label="kind")
    assert law.classes == ("daisy", "tulip")
    assert law.y.tolist() == [1, 0, 1, 0]
    assert law.shape == (2,)


def test_labels_that_are_numbers_keep_their_order():
    law = data.table({"a": range(3), "year": [10, 9, 100]}, label="year")
    assert law.classes == ("9", "10", "100")
    assert law.y.tolist() == [1, 0, 2]


def test_rows_with_gaps_are_named_and_left_out(capsys):
    columns = {"a": [1, None, 3, 4], "b": [1, 2, math.inf, 8], "c": ["x", "y", "z", ""]}
    law = data.table(columns, label="c", name="plants")
    assert law.undo(law.x).tolist() == [[1, 1]]
    assert (law.y.tolist(), law.classes) == ([0], ("x",))
    assert capsys.readouterr().out == (
        "plants: left out, as something is missing: row 1 (a), row 2 (b), row 3 (c)\n"
    )
    with pytest.raises(
        ValueError, match=r"no row is whole, .* row 0 \(a\), .*and 4 more"
    ):
        data.table({"a": [math.nan] * 9})


def test_a_frame_names_its_rows_by_its_index(capsys):
    frame = Frame({"a": np.array([1.0, np.nan, 3.0])}, index=["x", "y", "z"])
    assert len(data.table(frame)) == 2
    assert "row y (a)" in capsys.readouterr().out


def test_a_frame_of_pandas(capsys):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(FLOWERS)
    frame["whole"] = pandas.array([1, None, 3, 4], dtype="Int64")
    frame["flag"] = [True, False, True, True]
    law = data.table(frame, label="kind")
    assert law.columns == ("height", "petals", "whole", "flag")
    assert law.undo(law.x)[:, 2].tolist() == pytest.approx([1, 3, 4])
    assert "row 1 (whole)" in capsys.readouterr().out
    back = pandas.DataFrame(law.undo(law.x), columns=law.columns)
    assert back["height"].tolist() == pytest.approx([10, 30, 40])
    frame["day"] = pandas.date_range("2024-01-01", periods=4)
    with pytest.raises(ValueError, match=r"no numbers: day \(.*Timestamp"):
        data.table(frame, label="kind")
    with pytest.raises(ValueError, match="rows and columns of numbers, not 0 rows"):
        data.table(frame[:0], label="kind")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_csv_file_is_read(mark, tmp_path, capsys):
    lines = ["\ufeffheight,kind", '10,"tall, red"', "20,low", "", "NA,low", "30,low"]
    quoted = "\n".join(lines).replace("tall, red", "TALL").replace(",", mark)
    file = tmp_path / "flowers.csv"
    file.write_text(quoted.replace("TALL", "tall, red"), "utf8")
    law = data.table(str(file), label="kind")
    assert law.undo(law.x)[:, 0].tolist() == pytest.approx([10, 20, 30])
    assert law.classes == ("low", "tall, red")
    assert "line 5 (height)" in capsys.readouterr().out


def test_a_csv_file_that_cannot_be_read_says_where(tmp_path):
    with pytest.raises(FileNotFoundError, match="no CSV file"):
        data.table(tmp_path / "none.csv")
    file = tmp_path / "a.csv"
    for text, message in (
        ("", "is empty"),
        ("a,b\n1,2\n3\n", "line 3: 1 cells, and the first line names 2"),
        ("a;b\n1,5;2\n", r"no numbers: a \(.*'1,5'\)"),
        ("a,a\n1,2\n", "two columns have one name: a"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            data.table(file)


@pytest.mark.parametrize(
    ("frame", "options", "error", "message"),
    [
        ([[1, 2]], {}, TypeError, "a pandas DataFrame, a dict .* not a list"),
        ({}, {}, ValueError, "not 0 rows and 0 columns"),
        ({"a": []}, {}, ValueError, "not 0 rows and 1 columns"),
        ({"a": ["x"]}, {"label": "a"}, ValueError, "not 1 rows and 0 columns"),
        ({"a": [1], "b": [1, 2]}, {}, ValueError, r"different lengths: \[1, 2\]"),
        (NUMBERS, {"label": "kind"}, ValueError, "label 'kind': choose from height"),
    ],
)
def test_what_is_no_table_is_refused(frame, options, error, message):
    with pytest.raises(error, match=message):
        data.table(frame, **options)


def test_only_rows_of_the_table_can_be_undone():
    law = data.table(NUMBERS)
    with pytest.raises(ValueError, match=r"a tensor \(n, 2\), not \(4, 3\)"):
        law.undo(torch.zeros(4, 3))
    with pytest.raises(ValueError, match=r"a tensor \(n, 2\), not list"):
        law.undo([1, 2])
