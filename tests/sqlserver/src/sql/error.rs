//! SQL Server's errors: number, class and wording.

/// An error as the server sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// The error's number, as in `sys.messages`.
    pub number: i32,
    /// Its severity: 20 and above end the connection.
    pub class: u8,
    /// Its state.
    pub state: u8,
    /// The text.
    pub message: String,
}

impl SqlError {
    /// An error of this number, severity and text, state 1.
    pub fn new(number: i32, class: u8, message: impl Into<String>) -> Self {
        SqlError { number, class, state: 1, message: message.into() }
    }

    pub(crate) fn syntax(near: &str) -> Self {
        SqlError::new(102, 15, format!("Incorrect syntax near '{near}'."))
    }

    pub(crate) fn unknown_object(name: &str) -> Self {
        SqlError::new(208, 16, format!("Invalid object name '{name}'."))
    }

    pub(crate) fn changed_under_snapshot(database: &str) -> Self {
        let message = format!(
            "Snapshot isolation transaction failed in database '{database}' because the object accessed by the statement has been modified by \
             a DDL statement in another concurrent transaction since the start of this transaction. It is disallowed because the metadata is \
             not versioned. A concurrent update to metadata can lead to inconsistency if mixed with snapshot isolation."
        );
        SqlError::new(3961, 16, message)
    }

    pub(crate) fn unknown_column(name: &str) -> Self {
        SqlError::new(207, 16, format!("Invalid column name '{name}'."))
    }

    pub(crate) fn unknown_database(name: &str) -> Self {
        SqlError::new(911, 16, format!("Database '{name}' does not exist. Make sure that the name is entered correctly."))
    }

    pub(crate) fn overflow(ty: &str) -> Self {
        SqlError::new(8115, 16, format!("Arithmetic overflow error converting expression to data type {ty}."))
    }

    pub(crate) fn conversion(from: &str, value: &str, to: &str) -> Self {
        SqlError::new(245, 16, format!("Conversion failed when converting the {from} value '{value}' to data type {to}."))
    }

    pub(crate) fn date_conversion() -> Self {
        SqlError::new(241, 16, "Conversion failed when converting date and/or time from character string.")
    }

    pub(crate) fn not_allowed(from: &str, to: &str) -> Self {
        SqlError::new(529, 16, format!("Explicit conversion from data type {from} to {to} is not allowed."))
    }
}
