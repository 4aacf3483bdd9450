//! The form of `table_configs.json`, as serde reads it: unknown and doubled fields are errors.

use std::fmt;
use std::marker::PhantomData;

use indexmap::IndexMap;
use jiff::tz::TimeZone;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

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
    pub(super) default_sync_order: Option<Vec<String>>,
    #[serde(default)]
    pub(super) defaults: Object<Defaults>,
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
            pub(super) batch_size: Option<u64>,
            pub(super) refresh: Option<Refresh>,
            pub(super) create_tables: Option<bool>,
            pub(super) create_indexes: Option<bool>,
            pub(super) create_foreign_keys: Option<bool>,
            pub(super) isolation: Option<Isolation>,
            pub(super) min_rows: Option<u64>,
            pub(super) max_shrink: Option<f64>,
            pub(super) identifiers: Option<IdentifierPolicy>,
            pub(super) on_submicrosecond: Option<SubMicrosecond>,
            pub(super) on_nul: Option<BadText>,
            pub(super) on_bad_unicode: Option<BadText>,
            pub(super) keep_offset: Option<bool>,
            pub(super) as_bigint: Option<bool>,
            #[serde(default, deserialize_with = "time_zone")]
            pub(super) source_time_zone: Option<TimeZone>,
            pub(super) on_drift: Option<OnDrift>,
            pub(super) on_bad_row: Option<OnBadRow>,
            pub(super) quarantine_limit: Option<u64>,
            pub(super) log_keys: Option<bool>,
        }
    )*};
}

with_options! {
    #[derive(Debug, Default, Deserialize)]
    struct Defaults {}

    #[derive(Debug, Deserialize)]
    struct Table {
        db_type: String,
        sql_server_db: Option<String>,
        sql_table: String,
        pg_table: String,
        columns: Option<Vec<String>>,
        pg_columns: Option<Vec<String>>,
        #[serde(default, deserialize_with = "one_or_many")]
        primary_key: Option<Vec<String>>,
        #[serde(default, deserialize_with = "one_or_many")]
        order_by: Option<Vec<String>>,
        #[serde(default)]
        description: String,
    }
}

/// A time zone by its IANA name.
fn time_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TimeZone>, D::Error> {
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
