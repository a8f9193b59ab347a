#!/usr/bin/env python3
# parquet_to_csv.py LIST.parquet LIST.csv [COLUMN...] -- a Parquet list as a CSV, which dalle-cl reads.
# Columns: those that are named, else all; dalle-cl takes 'path' and 'caption', and others by
# 'LIST.csv?path=NAME&caption=NAME'.  Needs pyarrow; never needed to build, test or run.
# SPDX-License-Identifier: MIT
import csv
import sys

import pyarrow.parquet as parquet


def main(source, target, *columns):
    rows = 0
    file = parquet.ParquetFile(source)
    names = list(columns) or file.schema_arrow.names
    missing = [name for name in names if name not in file.schema_arrow.names]
    if missing:
        sys.exit(f"{source}: has no column {missing[0]!r}; it has {', '.join(file.schema_arrow.names)}")
    with open(target, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(names)
        for batch in file.iter_batches(columns=names):
            for row in zip(*(batch.column(name).to_pylist() for name in names)):
                writer.writerow(["" if value is None else value for value in row])
                rows += 1
    print(f"{target}: {rows} rows of {', '.join(names)}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: parquet_to_csv.py LIST.parquet LIST.csv [COLUMN...]")
    main(*sys.argv[1:])
