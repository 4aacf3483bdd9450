//! PostgreSQL's types, of a source: from a catalogue row to what its values are.

use crate::table::{PgType, SourceColumn, ValueKind};

/// One row of `pg_attribute`, as read; domains by their base type.
#[derive(Debug, Clone)]
pub(super) struct RawColumn {
    pub(super) number: i16,
    pub(super) name: String,
    pub(super) typname: String,
    pub(super) typmod: i32,
    /// As `format_type` writes the base type.
    pub(super) formatted: String,
    /// As `format_type` writes the column's own type.
    pub(super) declared: String,
    pub(super) nullable: bool,
    /// Whether the type has a binary form.
    pub(super) has_binary: bool,
    /// Whether its binary form holds numbers of types, which another database may number otherwise.
    pub(super) holds_types: bool,
    /// Whether its values are numbers of the database's own objects (`regclass`).
    pub(super) is_reference: bool,
    /// Whether the role may read it.
    pub(super) may_select: bool,
}

impl RawColumn {
    /// The column in the product's terms.
    pub(super) fn describe(self) -> SourceColumn {
        let pg_type = PgType::from_catalog(&self.typname, self.typmod, &self.formatted);
        let second_digits = match pg_type {
            PgType::Time(digits) | PgType::Timestamp(digits) | PgType::TimestampTz(digits) => Some(digits.unwrap_or(6)),
            _ => None,
        };
        SourceColumn {
            column_id: self.number.into(),
            kind: self.refusal().map_or(Ok(ValueKind::Postgres(pg_type)), |reason| Err(reason.to_owned())),
            name: self.name,
            declared: self.declared,
            nullable: self.nullable,
            collation: None,
            converted: None,
            second_digits,
        }
    }

    fn refusal(&self) -> Option<&'static str> {
        match () {
            () if !self.may_select => Some("the role lacks SELECT on it"),
            () if !self.has_binary => Some("its type has no binary form"),
            () if self.is_reference => Some("its values are numbers of objects of the source's own database"),
            () if self.holds_types => Some(
                "its binary form holds numbers of the source's own types; leave it out of \"columns\", or sync a view that casts it to text",
            ),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(typname: &str, typmod: i32, formatted: &str) -> RawColumn {
        RawColumn {
            number: 1,
            name: "c".to_owned(),
            typname: typname.to_owned(),
            typmod,
            formatted: formatted.to_owned(),
            declared: formatted.to_owned(),
            nullable: true,
            has_binary: true,
            holds_types: false,
            is_reference: false,
            may_select: true,
        }
    }

    #[test]
    fn a_column_is_of_the_type_that_the_catalogue_says() {
        let column = raw("timestamptz", 3, "timestamp(3) with time zone").describe();
        assert_eq!(column.kind, Ok(ValueKind::Postgres(PgType::TimestampTz(Some(3)))));
        assert_eq!((column.declared.as_str(), column.second_digits), ("timestamp(3) with time zone", Some(3)));
        let column = raw("_int4", -1, "integer[]").describe();
        assert_eq!(column.kind, Ok(ValueKind::Postgres(PgType::Other("integer[]".to_owned()))));
    }

    #[test]
    fn what_another_database_would_read_as_something_else_is_refused() {
        for (column, reason) in [
            (RawColumn { may_select: false, ..raw("int4", -1, "integer") }, "lacks SELECT"),
            (RawColumn { has_binary: false, ..raw("aclitem", -1, "aclitem") }, "no binary form"),
            (RawColumn { is_reference: true, ..raw("regclass", -1, "regclass") }, "numbers of objects"),
            (RawColumn { holds_types: true, ..raw("pair", -1, "pair") }, "numbers of the source's own types"),
        ] {
            assert!(column.describe().kind.unwrap_err().contains(reason), "{reason}");
        }
    }
}
