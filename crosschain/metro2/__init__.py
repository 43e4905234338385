"""Metro 2, the credit furnishing file of the United States: bytes to records and back, exact both ways.

    layout.py     where each field stands, as tables        records.py   one record <-> its bytes
    packed.py     binary fields of the packed form          rules.py     what is rejected, what is merely odd
    values.py     fields as dates, numbers; making records  totals.py    the trailer's counts
    reader.py     a file as a stream of items               writer.py    a file out of records
    unzip.py      the member of a zip as a stream           synthetic.py, invented.py   an invented file

- A record that is accepted is written back as the same bytes; what cannot be is rejected.
- A bad record never stops a file, and no report of it shows personal data.
- Units: whole dollars, dates MMDDYYYY, history newest month first.

    >>> for item in read(open_input("accounts.zip")): ...
"""
