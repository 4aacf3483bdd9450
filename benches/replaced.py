"""The approach that tablesync replaces, for `side_by_side.py`: fetch all rows into memory, TRUNCATE, execute_values, one transaction.

Reads the same environment as tablesync and the table's entry of the configuration file named as the only argument.
"""

import json
import os
import sys

import psycopg2
import pymssql
from psycopg2.extras import execute_values


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        table = json.load(file)["tables"]["customer"]
    rows = fetch(table)
    store(table, rows)
    print(len(rows))


def fetch(table):
    prefix = f"SQL_SERVER_{table['db_type'].upper()}_"
    options = {"encryption": "require"} if os.environ.get("BENCH_TLS") == "full" else {}
    connection = pymssql.connect(
        server=os.environ[prefix + "HOST"],
        port=os.environ[prefix + "PORT"],
        user=os.environ[prefix + "USER"],
        password=os.environ[prefix + "PASSWORD"],
        database=table["sql_server_db"],
        charset="UTF-8",
        tds_version="7.4",
        **options,
    )
    with connection, connection.cursor() as cursor:
        columns = ", ".join(f"[{column}]" for column in table["columns"])
        cursor.execute(f"SELECT {columns} FROM {table['sql_table']} WITH (NOLOCK)")
        return cursor.fetchall()


def store(table, rows):
    connection = psycopg2.connect(
        host=os.environ["PG_HOST"],
        port=os.environ["PG_PORT"],
        dbname=os.environ["PG_DB"],
        user=os.environ["PG_USER"],
    )
    columns = ", ".join(f'"{column}"' for column in table["pg_columns"])
    with connection, connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {table['pg_table']}")
        execute_values(cursor, f"INSERT INTO {table['pg_table']} ({columns}) VALUES %s", rows, page_size=10000)


if __name__ == "__main__":
    main()
