//! How source column names become target column names where the configuration does not give them.

use std::collections::HashMap;

use serde::Deserialize;

/// The longest identifier that PostgreSQL keeps, in bytes (`NAMEDATALEN` - 1).
pub const IDENTIFIER_BYTES_MAX: usize = 63;

/// How source column names become target column names where `pg_columns` is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentifierPolicy {
    /// Lower case.
    #[default]
    Lower,
    /// As they are.
    Preserve,
    /// `CreationTime` becomes `creation_time`.
    Snake,
}

/// Folds `names` by `policy`, in order.
///
/// # Errors
/// A sentence naming a result that is longer than [`IDENTIFIER_BYTES_MAX`], or two names that become one.
pub fn fold_identifiers<S: AsRef<str>>(names: &[S], policy: IdentifierPolicy) -> Result<Vec<String>, String> {
    let mut from: HashMap<String, &str> = HashMap::new();
    let mut folded_names = Vec::with_capacity(names.len());
    for name in names.iter().map(AsRef::as_ref) {
        let folded = fold(name, policy);
        if folded.len() > IDENTIFIER_BYTES_MAX {
            return Err(format!("column {name:?} becomes {folded:?}, longer than the {IDENTIFIER_BYTES_MAX} bytes that PostgreSQL keeps"));
        }
        if let Some(other) = from.insert(folded.clone(), name) {
            return Err(format!("columns {other:?} and {name:?} both become {folded:?}"));
        }
        folded_names.push(folded);
    }
    Ok(folded_names)
}

fn fold(name: &str, policy: IdentifierPolicy) -> String {
    match policy {
        IdentifierPolicy::Lower => name.to_lowercase(),
        IdentifierPolicy::Preserve => name.to_owned(),
        IdentifierPolicy::Snake => snake(name),
    }
}

/// A word begins at a capital after a small letter or digit, and at the last capital of a run (`IPAddress`: `ip_address`).
fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (i, &c) in chars.iter().enumerate() {
        let after_small = i > 0 && (chars[i - 1].is_lowercase() || chars[i - 1].is_numeric());
        let ends_run = i > 0 && chars[i - 1].is_uppercase() && chars.get(i + 1).is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && (after_small || ends_run) {
            out.push('_');
        }
        if c.is_whitespace() || c == '-' { out.push('_') } else { out.extend(c.to_lowercase()) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_folds_in_its_own_way() {
        let cases = [
            ("CreationTime", "creationtime", "creation_time"),
            ("IPAddress", "ipaddress", "ip_address"),
            ("SIMNo", "simno", "sim_no"),
            ("IIJ_SvcCode1", "iij_svccode1", "iij_svc_code1"),
            ("PPP_ID", "ppp_id", "ppp_id"),
            ("CD", "cd", "cd"),
            ("Unit Price", "unit price", "unit_price"),
            ("顧客コード", "顧客コード", "顧客コード"),
        ];
        for (name, lower, snake) in cases {
            assert_eq!(fold_identifiers(&[name], IdentifierPolicy::Lower).unwrap(), [lower]);
            assert_eq!(fold_identifiers(&[name], IdentifierPolicy::Snake).unwrap(), [snake]);
            assert_eq!(fold_identifiers(&[name], IdentifierPolicy::Preserve).unwrap(), [name]);
        }
    }

    #[test]
    fn names_that_become_one_are_refused_with_both_named() {
        let error = fold_identifiers(&["Cd", "CD"], IdentifierPolicy::Lower).unwrap_err();
        assert_eq!(error, "columns \"Cd\" and \"CD\" both become \"cd\"");
        assert!(fold_identifiers(&["Cd", "CD"], IdentifierPolicy::Preserve).is_ok());
    }

    #[test]
    fn sixty_three_bytes_fit_and_sixty_four_do_not() {
        assert!(fold_identifiers(&["x".repeat(63)], IdentifierPolicy::Lower).is_ok());
        assert!(fold_identifiers(&["x".repeat(64)], IdentifierPolicy::Lower).is_err());
        assert!(fold_identifiers(&["客".repeat(22)], IdentifierPolicy::Preserve).is_err());
    }
}
