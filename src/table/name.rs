//! Names of tables and columns, and the only place where they are quoted.

use std::fmt;
use std::str::FromStr;

/// Shows a name as a PostgreSQL identifier: `"na""me"`.
#[derive(Debug, Clone, Copy)]
pub struct PgIdent<'a>(pub &'a str);

impl fmt::Display for PgIdent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(f, self.0, '"', '"')
    }
}

/// Shows a name as a SQL Server identifier: `[na]]me]`.
#[derive(Debug, Clone, Copy)]
pub struct TsqlIdent<'a>(pub &'a str);

impl fmt::Display for TsqlIdent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(f, self.0, '[', ']')
    }
}

fn write_quoted(f: &mut fmt::Formatter<'_>, name: &str, open: char, close: char) -> fmt::Result {
    use fmt::Write;
    f.write_char(open)?;
    for c in name.chars() {
        f.write_char(c)?;
        if c == close {
            f.write_char(c)?;
        }
    }
    f.write_char(close)
}

/// The names quoted for PostgreSQL, each behind `prefix`, separated by commas: `s."a", s."b"`.
pub fn quoted_list<'a>(prefix: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    use fmt::Write;
    let mut list = String::new();
    for name in names {
        let separator = if list.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(list, "{separator}{prefix}{}", PgIdent(name));
    }
    list
}

/// A table of a source as the configuration names it: `table`, `schema.table` or `database.schema.table`, brackets optional.
///
/// `Display` gives the quoted form of the server that it is in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceTable {
    /// The database, when the name has three parts.
    pub database: Option<String>,
    /// The schema; where the name has one part, `dbo`, and in PostgreSQL `public`.
    pub schema: String,
    /// The table.
    pub table: String,
    /// How its server quotes names.
    pub quoting: Quoting,
}

/// How a source quotes names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quoting {
    /// `[name]`, as SQL Server does.
    Brackets,
    /// `"name"`, as PostgreSQL does.
    DoubleQuotes,
}

impl SourceTable {
    /// A table of a PostgreSQL source, as the configuration names it: `table` or `schema.table`, case as written, `"quotes"` optional.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn of_postgres(text: &str) -> Result<Self, String> {
        let TargetTable { schema, table } = text.parse()?;
        Ok(Self { database: None, schema, table, quoting: Quoting::DoubleQuotes })
    }
}

impl fmt::Display for SourceTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = match self.quoting {
            Quoting::Brackets => ('[', ']'),
            Quoting::DoubleQuotes => ('"', '"'),
        };
        if let Some(database) = &self.database {
            write_quoted(f, database, open, close)?;
            f.write_str(".")?;
        }
        write_quoted(f, &self.schema, open, close)?;
        f.write_str(".")?;
        write_quoted(f, &self.table, open, close)
    }
}

impl FromStr for SourceTable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = split_name(text, '[', ']')?;
        let table = parts.pop().ok_or("the name is empty")?;
        let schema = parts.pop().unwrap_or_else(|| "dbo".to_owned());
        let database = parts.pop();
        match parts.pop() {
            Some(_) => Err(format!("{text:?} has more than three parts")),
            None => Ok(Self { database, schema, table, quoting: Quoting::Brackets }),
        }
    }
}

/// A table of the target: `table` (schema `public`) or `schema.table`, case as written; `"quoted"` parts may hold dots.
///
/// `Display` gives the quoted PostgreSQL form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TargetTable {
    /// The schema.
    pub schema: String,
    /// The table.
    pub table: String,
}

impl fmt::Display for TargetTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", PgIdent(&self.schema), PgIdent(&self.table))
    }
}

impl FromStr for TargetTable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = split_name(text, '"', '"')?;
        let table = parts.pop().ok_or("the name is empty")?;
        let schema = parts.pop().unwrap_or_else(|| "public".to_owned());
        if !parts.is_empty() {
            return Err(format!("{text:?} has more than two parts"));
        }
        if let Some(part) = [&schema, &table].into_iter().find(|part| part.len() > 63) {
            return Err(format!("{part:?} is longer than the 63 bytes that PostgreSQL keeps"));
        }
        Ok(Self { schema, table })
    }
}

/// Splits a dotted name, honouring quotes (doubled closing quotes stand for one).
fn split_name(text: &str, open: char, close: char) -> Result<Vec<String>, String> {
    let mut parts = Vec::new();
    let mut chars = text.trim().chars().peekable();
    loop {
        let mut part = String::new();
        if chars.next_if_eq(&open).is_some() {
            loop {
                match chars.next() {
                    Some(c) if c == close && chars.next_if_eq(&close).is_some() => part.push(close),
                    Some(c) if c == close => break,
                    Some(c) => part.push(c),
                    None => return Err(format!("{text:?} lacks a closing {close}")),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| *c != '.') {
                part.push(c);
            }
        }
        if part.is_empty() || part.contains('\0') {
            return Err(format!("{text:?} has an empty part"));
        }
        parts.push(part);
        match chars.next() {
            None => return Ok(parts),
            Some('.') => {}
            Some(c) => return Err(format!("{text:?} has {c:?} after a quoted part")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_names_have_one_to_three_parts_with_optional_brackets() {
        let table: SourceTable = "[McTM].[dbo].[Customer]".parse().unwrap();
        assert_eq!(table.to_string(), "[McTM].[dbo].[Customer]");
        assert_eq!("Customer".parse::<SourceTable>().unwrap().to_string(), "[dbo].[Customer]");
        assert_eq!("a.[b.]]c]".parse::<SourceTable>().unwrap().table, "b.]c");
        for wrong in ["", "a.b.c.d", "[a", "a..b", "[a]b"] {
            assert!(wrong.parse::<SourceTable>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_table_of_a_postgresql_source_is_named_as_postgresql_does() {
        assert_eq!(SourceTable::of_postgres("assets").unwrap().to_string(), "\"public\".\"assets\"");
        assert_eq!(SourceTable::of_postgres("Scout.\"a.b\"").unwrap().to_string(), "\"Scout\".\"a.b\"");
        assert!(SourceTable::of_postgres("db.schema.table").is_err());
    }

    #[test]
    fn target_names_keep_their_case_and_default_to_public() {
        assert_eq!("Foo".parse::<TargetTable>().unwrap().to_string(), "\"public\".\"Foo\"");
        assert_eq!("s.\"a\"\"b\"".parse::<TargetTable>().unwrap().to_string(), "\"s\".\"a\"\"b\"");
        assert!("x".repeat(64).parse::<TargetTable>().is_err());
    }
}
