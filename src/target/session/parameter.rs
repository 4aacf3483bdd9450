//! The type that each parameter of a statement has in PostgreSQL. Said beforehand, a statement needs no preparing: it travels in one round trip, and leaves
//! nothing behind in a connection that a pool hands on.

use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// A Rust type that stands for one of PostgreSQL's.
pub(in crate::target) trait Typed {
    /// That one.
    const TYPE: Type;
}

macro_rules! typed {
    ($($rust:ty => $sql:ident),* $(,)?) => {
        $(impl Typed for $rust {
            const TYPE: Type = Type::$sql;
        })*
    };
}

typed! {
    bool => BOOL,
    i32 => INT4,
    i64 => INT8,
    u32 => OID,
    f64 => FLOAT8,
    Uuid => UUID,
    String => TEXT,
    &str => TEXT,
    Vec<i32> => INT4_ARRAY,
    Vec<bool> => BOOL_ARRAY,
    Vec<&str> => TEXT_ARRAY,
    Vec<Option<&str>> => TEXT_ARRAY,
    &[&str] => TEXT_ARRAY,
}

impl<T: Typed> Typed for Option<T> {
    const TYPE: Type = T::TYPE;
}

/// A value that a statement can be given.
pub(in crate::target) trait Parameter: ToSql + Sync {
    /// Its type in PostgreSQL.
    fn pg_type(&self) -> Type;
}

impl<T: Typed + ToSql + Sync> Parameter for T {
    fn pg_type(&self) -> Type {
        T::TYPE
    }
}

/// Values with their types, as the driver takes them.
pub(super) fn typed<'a>(parameters: &[&'a dyn Parameter]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    parameters.iter().map(|parameter| (*parameter as &(dyn ToSql + Sync), parameter.pg_type())).collect()
}
