//! The fields of an answer's body.

use super::{agree, code, is_field, quoted_after, sources, table};

/// Where a field stands, its name and its meaning.
const FIELDS: &[(&str, &[(&str, &str)])] = &[
    (
        "every body",
        &[
            ("success", "Whether what was asked for was done"),
            ("mode", "As asked, an unknown one too"),
            ("execution_time", "Seconds"),
            ("timestamp", "The end, UTC"),
            ("version", "Of tablesync"),
            ("warnings", "What the reader should know, each a text"),
            ("error", "What failed, and what to do; in a table's result null where nothing did"),
        ],
    ),
    (
        "refusals (400)",
        &[("valid_modes", "The modes there are, where the mode was wrong"), ("available_tables", "The tables there are; in `info`, too")],
    ),
    (
        "`multi_sync`",
        &[
            ("execution_mode", "`sequential` or `parallel`"),
            ("table_results", "The tables' results by name, in run order; of `multi_test` and `verify`, too"),
            ("total_transferred", "Rows that came from the sources"),
            ("processed_tables", "Tables begun"),
            ("successful_tables", "Tables that are `ok`; of `verify`: that agree"),
            ("failed_tables", "Tables that failed; of `verify`: that differ or failed; of `plan`: whose run would fail"),
            ("dry_run", "true, in a dry run"),
        ],
    ),
    (
        "a table's result (`single_sync`: the body itself)",
        &[
            ("table_name", "Its name in the configuration"),
            ("status", "`ok`, `failed`, `skipped` or `not_started`"),
            ("reason", "Of `skipped`: `locked`; of `not_started`: `deadline` or `cancelled`"),
            ("held_by", "Of `skipped`: which run holds the table, since when"),
            ("transferred_count", "Rows that came from the source"),
            ("inserted", "Rows new in the target"),
            ("updated", "Rows changed in the target"),
            ("deleted", "Rows that vanished from the target"),
            ("unchanged", "Rows that stood already"),
            ("quarantined_count", "Rows that the target cannot hold, put aside"),
            ("attempts", "How often the table was begun: again after trouble that may pass"),
            (
                "refresh",
                "The way that was taken: `straight`, `merge`, `replace`, `truncate`, `swap`, `incremental`, `incremental_keys` (with keys compared); null where it did not come to that",
            ),
            ("from", "Of an incremental table: behind which watermark the run began, or would begin; null at the first row"),
            ("to", "Of an incremental table: the watermark up to which it is copied, or would be"),
            ("rows_in_window", "Of an incremental table's dry run: rows that would be read; of its plan: null where they were not counted"),
            ("would_insert", "Of an incremental table's dry run: rows that would be inserted"),
            ("would_update", "Of an incremental table's dry run: rows that would be updated"),
            ("would_delete", "Of an incremental table's dry run: rows that would be deleted; 0 where this run would not look for them"),
            ("validation_passed", "Whether read, staged and published rows agreed; null where it did not come to that"),
            ("source_rows", "Of a dry run and of `verify`: rows at the source"),
            ("target_rows", "Of a dry run and of `verify`: rows in the target; null where the table is missing"),
        ],
    ),
    (
        "`multi_test`",
        &[
            ("tested_tables", "Tables asked for"),
            ("successful_connections", "Tables that are there and can be counted on both sides"),
            ("failed_connections", "The others"),
            ("sql_server_success", "Of a table: whether the source answered"),
            ("postgresql_success", "Of a table: whether the target answered"),
            ("overall_success", "Of a table: whether both did"),
            ("target_missing", "Of a table: true where it is missing and would be made"),
        ],
    ),
    (
        "`verify`",
        &[
            ("verified_tables", "Tables begun"),
            ("compared_rows", "Of a table: rows of the source that were compared"),
            ("sampled", "Of a table: whether only a share of the rows was compared"),
            ("differing_rows", "Of a table: rows on both sides with other values"),
            ("missing_rows", "Of a table: rows that the target does not have"),
            ("extra_rows", "Of a table: rows that the source does not have"),
            ("changed_meanwhile", "Of a table: rows that changed at the source while they were compared"),
            ("not_synced_yet", "Of an incremental table: rows that differ and that no run has reached yet; no difference"),
            ("kept_rows", "Of an incremental table with deletes `ignore`: rows that the source does not have; no difference"),
            ("left_alone_rows", "Of an incremental table with on_conflict `nothing`: rows on both sides with other values; no difference"),
            ("differences", "Of a table: up to 1,000 rows, each with `kind`, `key`, `columns`"),
            ("kind", "Of a difference: `differs`, `missing`, `extra`; of a dependent: what it is"),
            ("key", "Of a difference: the row's key; of a plan: the key's columns; of a plan's column: whether it belongs to it"),
            ("columns", "Of a difference: the columns that differ; of a plan: every column"),
        ],
    ),
    (
        "`plan`",
        &[
            ("plans", "The tables' plans by name"),
            ("planned_tables", "Tables asked for"),
            ("sql_table", "The source table as written; in `info`, too"),
            ("pg_table", "The target table as written; in `info`, too"),
            ("target_exists", "Whether the target table is there"),
            ("refresh_reason", "Why this `refresh`"),
            ("ddl", "The statements that would make or change the target"),
            ("locks", "The locks that would be taken"),
            ("held", "Of a lock: from when to when"),
            ("readers", "Of a lock: what readers notice"),
            ("writers", "Of a lock: what other writers notice"),
            ("expected_rows", "Rows, by the source's catalogue"),
            ("expected_bytes", "Bytes that would be sent to the target"),
            ("bytes_estimated_from", "`last_run` or `column_types`"),
            ("last_success", "The last successful run: `at`, `rows`, `bytes`, `seconds`"),
            ("dependents", "What depends on the target or acts on it"),
            ("drift", "What has changed at the source since the last successful run"),
            ("way", "Of an incremental table: how its rows would come into the target: `straight`, `merge`, `nothing`"),
            ("compares_keys", "Of an incremental table: whether this run would compare keys to find rows that are gone"),
            ("source", "Of a column: its name at the source"),
            ("source_type", "Of a column: its type there"),
            ("target", "Of a column: its name in the target"),
            ("target_type", "Of a column: its type there"),
            ("nullable", "Of a column: whether the target takes NULL"),
            ("conversion", "Of a column: what happens to its values on the way; null where they arrive as they are"),
            ("name", "Of a dependent: its name"),
            ("effect", "Of a dependent: what the refresh means to it"),
            ("bytes", "Of the last success: bytes sent"),
            ("seconds", "Of the last success: how long it took"),
        ],
    ),
    (
        "with a table configuration in S3",
        &[
            ("config", "Which configuration was used, the table configuration or the list"),
            ("config_list", "Of `info`, which shows both: which list"),
            ("location", "Where it is"),
            ("version_id", "Its version; null where the bucket keeps none"),
            ("etag", "Its fingerprint"),
        ],
    ),
    (
        "the JSON of a report in S3",
        &[
            ("run_id", "As in the target's `runs` table; null where it did not come to a run"),
            ("request_id", "The Lambda's invocation"),
            ("last_runs", "The last runs of each table, oldest first: `at`, `outcome`, `rows`, `seconds`"),
        ],
    ),
    (
        "`info`",
        &[
            ("default_sync_order", "The tables of a run that names none"),
            ("table_details", "An object for each table"),
            ("description", "Free text"),
            ("column_count", "How many columns are brought; null where the source could not be asked"),
            ("db_type", "The source connection"),
            ("sql_server_db", "The source database"),
            ("batch_size", "Rows between progress reports"),
            ("watermark", "How far an incremental table is copied: `watermark`, `kind`, `broken_off`, `at`, `lag_seconds`"),
            ("broken_off", "Of a watermark: whether a run stopped there, before its end"),
            ("lag_seconds", "Of a watermark: how long ago it was written, by the target's clock"),
            ("last_sync", "The last run: `at`, `outcome`, `rows`; null where there is none or the target could not be asked"),
            ("at", "When the run ended, UTC; of a watermark: when it was written"),
            ("outcome", "How the run ended"),
            ("rows", "Rows read"),
        ],
    ),
];

/// Of the envelope, which [`section`] tells about.
const NOT_IN_A_BODY: [&str; 1] = ["body"];

pub(super) fn section() -> String {
    let texts: Vec<_> = sources("src/report/body")
        .into_iter()
        .chain(["src/report/body.rs", "src/report/sheet.rs", "src/app/conclude.rs"].map(super::source))
        .collect();
    let mut there = Vec::new();
    for text in texts {
        let text = text.split("#[cfg(test)]").next().unwrap().replace(char::is_whitespace, "");
        for before in [".insert(\"", "[(\"", "),(\"", "Some(error)=fields.get(\""] {
            there.extend(quoted_after(&text, before, is_field));
        }
        // In an object: a name between quotes, then a colon.
        let parts: Vec<_> = text.split('"').collect();
        let names = parts.windows(2).skip(1).step_by(2).filter(|pair| pair[1].starts_with(':') && !pair[1].starts_with("::"));
        there.extend(names.map(|pair| pair[0].to_owned()).filter(|name| is_field(name)));
    }
    there.retain(|name| !NOT_IN_A_BODY.contains(&name.as_str()));
    there.push("error".to_owned());
    agree("fields of a body", FIELDS.iter().flat_map(|(_, fields)| fields.iter().map(|(name, _)| (*name).to_owned())).collect(), there);
    let rows = FIELDS
        .iter()
        .flat_map(|(place, fields)| fields.iter().map(|(name, meaning)| [code(name), (*place).to_owned(), (*meaning).to_owned()]));
    let table = table(["field", "where", "meaning"], rows);
    format!(
        "The Lambda answers `{{\"statusCode\": 200 | 400 | 500, \"body\": \"<JSON text>\"}}`, or with a function error; the command prints the body with `--json`. \
         200 when `success` is true, 400 when the request is wrong, 500 when the work or the configuration failed.\n\n{table}"
    )
}
