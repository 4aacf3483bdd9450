//! Databases, their tables and rows: what the server holds.

pub(crate) mod builder;
pub(crate) mod definition;
mod described;
pub(crate) mod generated;
pub(crate) mod live;
pub(crate) mod sample;
pub(crate) mod tracking;
mod write;

use std::sync::Arc;

use crate::clock::Clock;
use crate::faults::Faults;
use crate::sql::error::SqlError;
use crate::types::cast::{Conversion, cast};
use crate::types::collation::{self, Collation};
use crate::types::value::{Value, variant_base};
use crate::types::{Length, SqlType};
use definition::{ForeignKeyDef, IndexDef};
use generated::Generated;
use live::Live;
use tracking::{TableTracking, Tracking};
pub(crate) use write::place_of;

/// A row in memory.
pub(crate) type Row = Vec<Value>;

/// Everything the server holds. Cheap to clone: a statement works on its own copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) databases: Vec<Database>,
    /// What a login may not read: its name and the object's, `sys.foreign_keys`.
    pub(crate) denied: Vec<(String, String)>,
    pub(crate) clock: Clock,
}

/// One database.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) id: i32,
    pub(crate) collation: &'static Collation,
    pub(crate) tables: Vec<Arc<Table>>,
    pub(crate) next_object_id: i32,
    pub(crate) live: Arc<Live>,
    pub(crate) tracking: Option<Tracking>,
}

/// A table or a view.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) object_id: i32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) is_view: bool,
    pub(crate) columns: Vec<Column>,
    /// Positions of the primary key's columns: the clustered index.
    pub(crate) key: Vec<usize>,
    pub(crate) key_name: Option<String>,
    pub(crate) indexes: Vec<IndexDef>,
    pub(crate) foreign_keys: Vec<ForeignKeyDef>,
    pub(crate) comment: Option<String>,
    pub(crate) next_column_id: i32,
    pub(crate) rows: Rows,
    pub(crate) tracking: Option<TableTracking>,
    pub(crate) faults: Arc<Faults>,
}

/// A column of a table.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Kept when the column is renamed, never given to another.
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) ty: SqlType,
    pub(crate) collation: &'static Collation,
    pub(crate) nullable: bool,
    pub(crate) identity: bool,
    pub(crate) identity_of: (i64, i64),
    pub(crate) identity_last: Option<i64>,
    pub(crate) computed: Option<String>,
    pub(crate) persisted: bool,
    pub(crate) default: Option<String>,
    pub(crate) comment: Option<String>,
    pub(crate) generated_always: u8,
    pub(crate) hidden: bool,
    pub(crate) row_guid: bool,
    pub(crate) alias_type: Option<String>,
    pub(crate) encrypted: bool,
    pub(crate) masked: bool,
}

/// Where a table's rows come from.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    Stored(Arc<Vec<Row>>),
    Generated(Generated),
}

impl Rows {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Rows::Stored(rows) => rows.len() as u64,
            Rows::Generated(generated) => generated.rows,
        }
    }

    /// The row at a position in the order of the clustered key.
    pub(crate) fn row(&self, at: u64) -> Row {
        match self {
            Rows::Stored(rows) => rows.get(at as usize).cloned().unwrap_or_default(),
            Rows::Generated(generated) => generated.row(at),
        }
    }

    /// One value of a row.
    pub(crate) fn value(&self, at: u64, column: usize) -> Value {
        match self {
            Rows::Stored(rows) => rows[at as usize][column].clone(),
            Rows::Generated(generated) => generated.value(at, column),
        }
    }
}

impl World {
    pub(crate) fn database(&self, name: &str) -> Option<&Database> {
        self.databases.iter().find(|database| database.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn database_mut(&mut self, name: &str) -> Option<&mut Database> {
        self.databases.iter_mut().find(|database| database.name.eq_ignore_ascii_case(name))
    }

    /// The database of this name, made when it is not there.
    pub(crate) fn ensure_database(&mut self, name: &str, collation: &'static Collation) -> &mut Database {
        let at = self.databases.iter().position(|database| database.name.eq_ignore_ascii_case(name));
        let at = at.unwrap_or_else(|| {
            self.databases.push(Database {
                name: name.to_owned(),
                id: self.databases.len() as i32 + 1,
                collation,
                tables: Vec::new(),
                next_object_id: 245_575_913,
                live: Arc::default(),
                tracking: None,
            });
            self.databases.len() - 1
        });
        &mut self.databases[at]
    }
}

impl Database {
    pub(crate) fn table(&self, schema: &str, name: &str) -> Option<&Arc<Table>> {
        self.tables.iter().find(|table| table.schema.eq_ignore_ascii_case(schema) && table.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn table_mut(&mut self, object_id: i32) -> Option<&mut Table> {
        self.tables.iter_mut().find(|table| table.object_id == object_id).map(Arc::make_mut)
    }

    /// Adds a table under the next object id.
    pub(crate) fn add(&mut self, mut table: Table) {
        table.object_id = self.next_object_id;
        // The ids between belong to the table's constraints.
        self.next_object_id += 4096;
        table.stamp_first(&self.live);
        self.tables.push(Arc::new(table));
    }

    /// All schemas: the built-in ones and those of the tables.
    pub(crate) fn schemas(&self) -> Vec<(i32, String)> {
        let mut names: Vec<String> = ["dbo", "guest", "INFORMATION_SCHEMA", "sys"].map(str::to_owned).to_vec();
        for table in &self.tables {
            if !names.iter().any(|name| name.eq_ignore_ascii_case(&table.schema)) {
                names.push(table.schema.clone());
            }
        }
        (1..).zip(names).collect()
    }
}

impl Table {
    /// A table that is nowhere stored: a view's or a function's rows.
    pub(crate) fn computed(schema: &str, name: &str, columns: Vec<Column>, rows: Vec<Row>) -> Table {
        Table {
            object_id: -1,
            schema: schema.to_owned(),
            name: name.to_owned(),
            is_view: false,
            columns,
            key: Vec::new(),
            key_name: None,
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            comment: None,
            next_column_id: 1,
            rows: Rows::Stored(Arc::new(rows)),
            tracking: None,
            faults: Arc::default(),
        }
    }

    /// Whether both have the same columns.
    pub(crate) fn is_like(&self, other: &Table) -> bool {
        let same = |(one, other): (&Column, &Column)| one.id == other.id && one.name == other.name && one.ty == other.ty;
        self.columns.len() == other.columns.len() && self.columns.iter().zip(&other.columns).all(same)
    }

    /// Adds a column under the next id.
    pub(crate) fn add_column(&mut self, mut column: Column) {
        column.id = self.next_column_id;
        self.next_column_id += 1;
        self.columns.push(column);
    }

    /// The position of a column.
    pub(crate) fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|candidate| candidate.name.eq_ignore_ascii_case(column))
    }

    /// Rows as memory: generated ones are computed once and kept.
    pub(crate) fn stored(&mut self) -> &mut Vec<Row> {
        if let Rows::Generated(generated) = &self.rows {
            let all = (0..generated.rows).map(|at| generated.row(at)).collect();
            self.rows = Rows::Stored(Arc::new(all));
        }
        match &mut self.rows {
            Rows::Stored(rows) => Arc::make_mut(rows),
            Rows::Generated(_) => unreachable!("stored just above"),
        }
    }

    /// A row as given, converted to the columns' types, as INSERT does.
    pub(crate) fn fit(&self, given: Row) -> Result<Row, SqlError> {
        if given.len() != self.columns.len() {
            return Err(SqlError::new(213, 16, "Column name or number of supplied values does not match table definition."));
        }
        self.columns.iter().zip(given).map(|(column, value)| column.fit(value)).collect()
    }

    /// Puts the rows in the order of the key.
    pub(crate) fn sort(&mut self) {
        let (columns, key) = (self.columns.clone(), self.key.clone());
        self.stored().sort_by(|left, right| {
            let parts = key.iter().map(|&at| crate::types::compare::compare(&left[at], &right[at], columns[at].collation));
            parts.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        });
    }
}

impl Column {
    pub(crate) fn new(name: &str, ty: SqlType, collation: &'static Collation, nullable: bool) -> Column {
        Column {
            id: 0,
            name: name.to_owned(),
            ty,
            collation,
            nullable,
            identity: false,
            identity_of: (1, 1),
            identity_last: None,
            computed: None,
            persisted: false,
            default: None,
            comment: None,
            generated_always: 0,
            hidden: false,
            row_guid: false,
            alias_type: None,
            encrypted: false,
            masked: false,
        }
    }

    pub(crate) fn fit(&self, value: Value) -> Result<Value, SqlError> {
        if value.is_null() {
            return if self.nullable {
                Ok(value)
            } else {
                Err(SqlError::new(
                    515,
                    16,
                    format!("Cannot insert the value NULL into column '{}'; column does not allow nulls. INSERT fails.", self.name),
                ))
            };
        }
        if let (SqlType::Variant, Value::Variant(base, inner)) = (self.ty, &value) {
            let unknown = || SqlError::new(243, 16, format!("Type {base} is not a defined system type."));
            let (ty, collation) = variant_base(base).ok_or_else(unknown)?;
            return Ok(Value::variant(base, Column::new(&self.name, ty, collation, false).fit((**inner).clone())?));
        }
        // Raw bytes of narrow text are taken as they are.
        let natural = value.natural_type().unwrap_or(self.ty);
        let (from, from_collation) = match &value {
            _ if self.ty == SqlType::Variant => (natural, collation::DEFAULT),
            Value::Int(_) => (SqlType::BigInt, collation::DEFAULT),
            Value::DateTime(..)
            | Value::SmallDateTime(..)
            | Value::DateTime2(..)
            | Value::DateTimeOffset(..)
            | Value::Date(_)
            | Value::Time(_) => (natural, collation::DEFAULT),
            Value::Bit(_) | Value::Real(_) | Value::Float(_) | Value::Decimal(..) => (natural, collation::DEFAULT),
            Value::Wide(_) => (crate::types::NVARCHAR_MAX, collation::DEFAULT),
            Value::Narrow(_) => (SqlType::VarChar(Length::Max), self.collation),
            Value::Binary(_) => (SqlType::VarBinary(Length::Max), collation::DEFAULT),
            _ => (self.ty, self.collation),
        };
        let how = Conversion { from, from_collation, to: self.ty, to_collation: self.collation, style: None };
        let fitted = cast(&value, &how)?;
        let is_cut = match (&value, &fitted) {
            (Value::Wide(given), Value::Wide(kept)) => kept.len() < given.len(),
            (Value::Narrow(given), Value::Narrow(kept)) | (Value::Binary(given), Value::Binary(kept)) => kept.len() < given.len(),
            _ => false,
        };
        if is_cut {
            return Err(SqlError::new(8152, 16, "String or binary data would be truncated."));
        }
        Ok(fitted)
    }
}
