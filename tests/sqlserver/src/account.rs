//! Logins, and which databases each may enter.

use crate::sql::error::SqlError;

/// Databases that everybody may enter.
const PUBLIC: [&str; 3] = ["master", "tempdb", "msdb"];

/// A SQL login.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) password: String,
    /// None means all.
    pub(crate) databases: Option<Vec<String>>,
}

impl Account {
    pub(crate) fn may_use(&self, database: &str) -> bool {
        let is_it = |name: &str| name.eq_ignore_ascii_case(database);
        PUBLIC.into_iter().any(is_it) || self.databases.as_ref().is_none_or(|allowed| allowed.iter().any(|name| is_it(name)))
    }

    /// As [`Account::may_use`]; error 916 where it may not.
    pub(crate) fn enter(&self, database: &str) -> Result<(), SqlError> {
        if self.may_use(database) {
            return Ok(());
        }
        let user = &self.user;
        let message = format!(
            "The server principal \"{user}\" is not able to access the database \"{database}\" under the current security context."
        );
        Err(SqlError::new(916, 14, message))
    }
}
