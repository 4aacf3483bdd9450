//! Any text as `table_configs.json`: it is understood, or every problem names the file.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tablesync::config::TableConfigs;

fuzz_target!(|text: &str| {
    match TableConfigs::parse(text, Path::new("table_configs.json")) {
        Ok(configs) => {
            assert!(!configs.tables.is_empty(), "a configuration has a table");
            for name in &configs.default_sync_order {
                assert!(configs.tables.contains_key(name), "the order names a table: {name:?}");
            }
            for (name, table) in &configs.tables {
                assert_eq!(name, &table.name);
                assert!(table.batch_size > 0);
                if let (Some(columns), Some(pg_columns)) = (&table.columns, &table.pg_columns) {
                    assert_eq!(columns.len(), pg_columns.len(), "columns pair up in {name:?}");
                }
            }
        }
        Err(error) => assert!(error.to_string().contains("table_configs.json"), "no file in: {error}"),
    }
});
