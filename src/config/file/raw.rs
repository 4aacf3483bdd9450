//! The form of `table_configs.json`, as serde reads it: unknown and doubled fields are errors.

use std::fmt;
use std::marker::PhantomData;

use indexmap::IndexMap;
use jiff::tz::TimeZone;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::sync::Sync;
use crate::table::{BadText, IdentifierPolicy, Isolation, OnBadRow, OnDrift, Refresh, SubMicrosecond};

/// A JSON object and nothing else: by itself serde would read an array as a struct's fields by position.
#[derive(Debug, Default)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The tables of a run that names none, in this order; default: the order of `tables`.
    pub(super) default_sync_order: Option<Vec<String>>,
    /// Options of every table that does not say otherwise.
    #[serde(default)]
    pub(super) defaults: Object<Defaults>,
    /// The tables by name.
    #[serde(deserialize_with = "unique_names")]
    pub(super) tables: IndexMap<String, Table>,
}

/// Declares structs with the same options at their end: serde cannot both flatten them in and refuse unknown fields.
macro_rules! with_options {
    ($($(#[$attribute:meta])* struct $name:ident { $($(#[$own:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$attribute])*
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$own])* pub(super) $field: $type,)*
            /// Rows between progress reports; default 10000.
            pub(super) batch_size: Option<u64>,
            /// How the contents are replaced: `auto` (default), `merge`, `replace`, `truncate`, `swap`.
            pub(super) refresh: Option<Refresh>,
            /// `true` makes a missing target table from the source's metadata; default `false`.
            pub(super) create_tables: Option<bool>,
            /// `true` gives a created table the source's unique and plain indexes, after the load; default `false`.
            pub(super) create_indexes: Option<bool>,
            /// `true` makes the source's foreign keys between configured tables, at the end of a run; default `false`.
            pub(super) create_foreign_keys: Option<bool>,
            /// How the source is read: `read_committed` (default), `snapshot` (the database must allow it), `nolock` (dirty reads).
            pub(super) isolation: Option<Isolation>,
            /// The least rows that are published; default: any number.
            pub(super) min_rows: Option<u64>,
            /// The largest share (0 to 1) of the target's rows that may vanish in one run; default: all.
            pub(super) max_shrink: Option<f64>,
            /// How names are folded: `lower` (default), `preserve`, `snake`.
            pub(super) identifiers: Option<IdentifierPolicy>,
            /// The seventh fractional digit of times: `truncate` (default; counted in the report), `round`, `fail`.
            pub(super) on_submicrosecond: Option<SubMicrosecond>,
            /// U+0000 in text: `fail` (default), `strip`, `replace` (by U+FFFD); changes are counted in the report.
            pub(super) on_nul: Option<BadText>,
            /// Lone surrogates and bytes that the code page does not know: `fail` (default), `strip`, `replace`.
            pub(super) on_bad_unicode: Option<BadText>,
            /// `true` gives a `datetimeoffset` a second column `<column>_offset`, in minutes; default `false`.
            pub(super) keep_offset: Option<bool>,
            /// `true` brings `rowversion` as `bigint`; default `false`: as `bytea`.
            pub(super) as_bigint: Option<bool>,
            /// Where `datetime` and `datetime2` were written (an IANA name), for target columns of type `timestamptz`.
            #[serde(default, deserialize_with = "time_zone")]
            pub(super) source_time_zone: Option<TimeZone>,
            /// New columns at the source: `fail` (default), `add_columns`.
            pub(super) on_drift: Option<OnDrift>,
            /// A row that the target cannot hold: `fail` (default), `quarantine`.
            pub(super) on_bad_row: Option<OnBadRow>,
            /// The most rows that a run may put aside; default 100.
            pub(super) quarantine_limit: Option<u64>,
            /// `false` shows a hash in place of a row's key in messages; default `true`.
            pub(super) log_keys: Option<bool>,
        }
    )*};
}

with_options! {
    #[derive(Debug, Default, Deserialize)]
    struct Defaults {}

    #[derive(Debug, Deserialize)]
    struct Table {
        /// Required. The source connection: the `<DB_TYPE>` of the variables.
        db_type: String,
        /// The database to log in to where `SQL_SERVER_<DB_TYPE>_DB` is not set; default: the one in `sql_table`.
        sql_server_db: Option<String>,
        /// Required. The source table: `table`, `schema.table` or `database.schema.table`, brackets optional.
        sql_table: String,
        /// Required. The target table: `table` (schema `public`) or `schema.table`, case as written.
        pg_table: String,
        /// The source columns, an array; default: all, in catalogue order.
        columns: Option<Vec<String>>,
        /// The target columns, an array paired with `columns` by position; default: `columns`, folded by `identifiers`.
        pg_columns: Option<Vec<String>>,
        /// The key's source columns, a name or an array; default: the source's primary key.
        #[serde(default, deserialize_with = "one_or_many")]
        primary_key: Option<Vec<String>>,
        /// The order of key ranges, a name or an array; default: the key.
        #[serde(default, deserialize_with = "one_or_many")]
        order_by: Option<Vec<String>>,
        /// Copies only what is new: an object with the fields below; default: every run brings all rows.
        sync: Option<Object<Sync>>,
        /// Free text; default empty.
        #[serde(default)]
        description: String,
    }
}

/// A time zone by its IANA name.
pub(super) fn time_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TimeZone>, D::Error> {
    struct Name;
    impl Visitor<'_> for Name {
        type Value = Option<TimeZone>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the IANA name of a time zone, such as \"Asia/Tokyo\"")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
            let unknown = || E::custom(format_args!("unknown time zone {name:?}, expected an IANA name such as \"Asia/Tokyo\""));
            TimeZone::get(name).map(Some).map_err(|_| unknown())
        }
    }
    deserializer.deserialize_any(Name)
}

/// A JSON object whose names are all different.
fn unique_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IndexMap<String, Table>, D::Error> {
    struct Tables;
    impl<'de> Visitor<'de> for Tables {
        type Value = IndexMap<String, Table>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of tables by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut tables = IndexMap::new();
            while let Some(name) = map.next_key::<String>()? {
                if tables.contains_key(&name) {
                    return Err(A::Error::custom(format_args!("duplicate table `{name}`")));
                }
                tables.insert(name, map.next_value::<Object<Table>>()?.0);
            }
            Ok(tables)
        }
    }
    deserializer.deserialize_map(Tables)
}

/// One column name, or an array of them.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Option<Vec<String>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a column name or an array of column names")
        }

        fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
            Ok(Some(vec![name.to_owned()]))
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut names = Vec::new();
            while let Some(name) = seq.next_element()? {
                names.push(name);
            }
            Ok(Some(names))
        }
    }
    deserializer.deserialize_any(Names)
}
