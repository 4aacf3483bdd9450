//! `money` passes as a whole number of a currency's smallest part. Which part that is, hundredths or none at all, each server reads out of its
//! `lc_monetary`: where the two differ, amounts would arrive a hundredfold, and nothing would tell.
//! <https://www.postgresql.org/docs/current/datatype-money.html>

use super::plan::PlannedColumn;
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::SourceDescription;
use crate::target::Session;

/// Refuses columns of `money` whose amounts the two sides write with different digits. The target is asked only where there are such columns.
///
/// # Errors
/// [`ErrorKind::TargetSchema`] naming the columns, and as the server answers.
pub(super) async fn check_money(session: &Session, source: &SourceDescription, columns: &[PlannedColumn]) -> Result<()> {
    let named: Vec<&str> = columns.iter().filter(|column| column.pg_type.is_money()).map(|column| column.target.as_str()).collect();
    if named.is_empty() {
        return Ok(());
    }
    let target = session.patience().wait(session.money_digits()).await?;
    agree(&named, source.money_digits, target)
}

fn agree(named: &[&str], source: Option<i32>, target: i32) -> Result<()> {
    let Some(source) = source.filter(|source| *source != target) else { return Ok(()) };
    let sentence = format!(
        "{} of type money: the source writes amounts with {source} decimal digits, and the target with {target}, so that their values would differ",
        named.join(", ")
    );
    Err(SyncError::new(ErrorKind::TargetSchema, sentence).with_remedy(
        "Make the target's columns numeric, or give its role or database the source's lc_monetary (ALTER DATABASE ... SET lc_monetary = ...)",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_different_digits_are_refused_with_their_columns_and_what_to_do() {
        assert!(agree(&["price"], Some(2), 2).is_ok());
        let error = agree(&["price", "tax"], Some(2), 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TargetSchema);
        let text = error.to_string();
        assert!(
            text.starts_with("price, tax of type money: the source writes amounts with 2 decimal digits, and the target with 0"),
            "{text}"
        );
        assert!(text.contains("numeric") && text.contains("lc_monetary"), "{text}");
    }
}
